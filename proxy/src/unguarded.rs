//! What is not guarded, on its way out. Nothing else may make an [`Unguarded`].

use std::sync::Arc;

use http::{HeaderValue, Response, header};
use pinfold_policy::url::ArtifactUrl;

use crate::counters::{Counters, Unjudged};
use crate::headers::drop_forged_etag;
use crate::incoming::Arriving;
use crate::respond::{ClientBody, no_body, passing_once_seen, passing_with_trailers};

/// A vendor's response that could not act as anything that must match a pin.
pub(crate) struct Unguarded {
    response: Response<ClientBody>,
    why: Unjudged,
}

impl Unguarded {
    /// Passes a response that was classified and found not to be guarded. On judged hosts it carries `nosniff`, so
    /// that bytes not typed as script never run as one ([Fetch], "should response to request be blocked due to
    /// nosniff").
    ///
    /// [Fetch]: https://fetch.spec.whatwg.org/#should-response-to-request-be-blocked-due-to-nosniff?
    pub(crate) fn pass(head: http::response::Parts, body: Arriving, why: Unjudged) -> Self {
        Self::of(head, passing_with_trailers(body), why)
    }

    /// The same for one whose first byte has not come: `looking` gives the body once it was seen and found not to be
    /// guarded, or nothing, and the client gets nothing then.
    pub(crate) fn pass_once_seen(
        head: http::response::Parts,
        looking: impl Future<Output = Option<Arriving>> + Send + 'static,
        why: Unjudged,
    ) -> Self {
        Self::of(head, passing_once_seen(looking), why)
    }

    /// Passes a redirect that leads to where scripts are judged: to there and nowhere else, in our own spelling.
    pub(crate) fn redirect(mut head: http::response::Parts, to: &ArtifactUrl) -> Self {
        head.headers.remove("refresh");
        match HeaderValue::from_str(&format!("{}{}", to.origin(), to.request_target())) {
            Ok(location) => drop(head.headers.insert(header::LOCATION, location)),
            Err(_) => drop(head.headers.remove(header::LOCATION)),
        }
        Self::head_only(head, Unjudged::Unguarded)
    }

    /// Passes a head without its body: an answer to OPTIONS.
    pub(crate) fn head_only(mut head: http::response::Parts, why: Unjudged) -> Self {
        head.headers.remove(header::CONTENT_ENCODING);
        head.headers.remove(header::CONTENT_LENGTH);
        Self::of(head, no_body(), why)
    }

    /// Passes the answer to a HEAD request, lengths included.
    pub(crate) fn answer_to_head(head: http::response::Parts, why: Unjudged) -> Self {
        Self::of(head, no_body(), why)
    }

    fn of(mut head: http::response::Parts, body: ClientBody, why: Unjudged) -> Self {
        head.headers.remove(header::ALT_SVC);
        head.headers.remove("pinfold-verdict");
        drop_forged_etag(&mut head.headers);
        if why.is_of_judged_host() {
            head.headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Self { response, why }
    }

    /// The same, and its bytes are counted as they go.
    pub(crate) fn counted(self, counters: &Arc<Counters>) -> Self {
        let why = self.why;
        Self { response: self.response.map(|body| counters.passing(why, body)), why }
    }

    pub(crate) fn into_response(self) -> Response<ClientBody> {
        self.response
    }
}
