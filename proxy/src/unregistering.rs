//! A service worker that removes itself, in place of one that was revoked. Nothing else may make an [`Unregistering`].
//!
//! A browser whose update check is refused keeps the worker that it has, for ever. So a refusal can be one that it
//! installs: a script of ours, always the same, with no byte of a vendor's in it. It loads nothing and reloads no page:
//! open pages keep what they run, and get the next thing that they ask for from the network, where it is judged.

use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use crate::refusal::Refusal;
use crate::release::verdict_header;
use crate::respond::{ClientBody, no_body, text_body};

const WORKER: &str = "\
// pinfold: the worker that was here has been revoked. This one takes its place and removes itself.
addEventListener('install', (event) => event.waitUntil(skipWaiting()));
addEventListener('activate', (event) => event.waitUntil(registration.unregister()));
";

/// A refusal that a browser takes as a worker.
pub(crate) struct Unregistering {
    refusal: Refusal,
}

impl Unregistering {
    /// What a client gets in place of a refusal, and the ledger keeps as its status.
    pub(crate) const STATUS: StatusCode = StatusCode::OK;

    pub(crate) fn in_place_of(refusal: Refusal) -> Self {
        Self { refusal }
    }

    /// The fields of the refusal, as far as they do not keep a browser from running this.
    pub(crate) fn into_response(self) -> Response<ClientBody> {
        let is_head_only = self.refusal.reader.head_only;
        let verdict = format!("{}; unregisters", self.refusal.verdict());
        let mut response = self.refusal.into_response();
        let headers = response.headers_mut();
        headers.remove(header::RETRY_AFTER);
        headers.insert(HeaderName::from_static("pinfold-verdict"), verdict_header(&verdict));
        headers.insert(header::CONTENT_LENGTH, WORKER.len().into());
        for (name, value) in [
            ("content-type", "text/javascript; charset=utf-8"),
            ("content-security-policy", "default-src 'none'"),
            // The revoked one may have had a wider scope than its path, and this must have that too (Service Workers,
            // "Update"). It does nothing in any.
            ("service-worker-allowed", "/"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        *response.status_mut() = Self::STATUS;
        *response.body_mut() = if is_head_only { no_body() } else { text_body(WORKER.to_owned()) };
        response
    }
}
