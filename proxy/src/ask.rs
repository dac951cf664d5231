//! One request, admitted: who asks for what.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version, header};
use jiff::Timestamp;
use pinfold_body::Accepted;
use pinfold_policy::kind::Asked;
use pinfold_policy::reason::Reason;
use pinfold_policy::redact::Redaction;
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::verdict::Outcome;
use pinfold_store::entry::{Asker, ClientTls};
use pinfold_store::incident::Incident;
use uuid::Uuid;

use crate::headers::{
    SEC_FETCH_DEST, SEC_FETCH_MODE, SERVICE_WORKER, join_cookies, joined, one_text, strip_hop_by_hop,
    takes_trailers, text, texts, version_name,
};
use crate::link::Link;
use crate::parked::Key;
use crate::refusal::{Reader, Refusal};
use crate::settings::Egress;

/// Text from outside is kept up to here, in bytes.
const MAX_TEXT: usize = 4096;

/// No client has this address, and nothing else in the budget.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);

/// The longest destination is `sharedstorageworklet`.
const MAX_DESTINATION: usize = 32;

/// What was asked for, by whom, and when.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) id: Uuid,
    pub(crate) at: Timestamp,
    pub(crate) started: Instant,
    pub(crate) asker: Asker,
    pub(crate) method: Method,
    pub(crate) http_version: &'static str,
    pub(crate) url: ArtifactUrl,
    /// The match key with masked values, where some must not be written.
    redacted: Option<Arc<str>>,
    /// The client's fields, without those of its hop.
    pub(crate) headers: HeaderMap,
    /// Whether something comes with it, or may still come.
    pub(crate) has_content: bool,
    /// Every `Sec-Fetch-Dest`, with commas between them.
    destinations: Arc<str>,
    pub(crate) reader: Reader,
    pub(crate) client_tls: Option<ClientTls>,
    /// Whether it is the gateway's test of itself.
    pub(crate) is_canary: bool,
}

/// Conditions and ranges: what would keep a vendor from sending the whole body (RFC 9110 §13, §14).
const CONDITIONS: [http::HeaderName; 7] = [
    header::RANGE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::EXPECT,
];

/// Of these, what a vendor answers with a 304, which says nothing of what it confirms.
const CONFIRMING: [http::HeaderName; 2] = [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE];

/// Of these, what a change depends on: without it a vendor would write over what it was told to keep (RFC 9110 §13.1).
const WRITING: [http::HeaderName; 3] = [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_UNMODIFIED_SINCE];

/// How much a vendor is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of the body.
    Whole,
    /// All or parts, whatever the client has already.
    Unconfirmed,
    /// What the client asks for.
    AsAsked,
}

impl Ask {
    /// Admits a request without content. `via` is this gateway's own pseudonym.
    ///
    /// # Errors
    /// The refusal to answer with.
    pub(crate) fn admit(
        link: &Link,
        head: Parts,
        (egress, redaction): (&Egress, &Redaction),
        via: &str,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let reader = reader(&head.method, &head.headers);
        let id = Uuid::now_v7();
        let refuse = |reason| early_refusal(id, reason, &reader);
        if head.method == Method::CONNECT || head.method == Method::TRACE {
            return Err(refuse(Reason::MethodNotAllowed));
        }
        let url = link.url(&head, egress).map_err(refuse)?;
        if has_passed(&head.headers, via) {
            return Err(refuse(Reason::Loop));
        }
        let mut headers = head.headers;
        let asker = Asker {
            address: link.client,
            user: link.user.clone(),
            page: readable(&headers, header::REFERER).map(|page| redaction.mask(&page_only(&page)).into()),
            user_agent: readable(&headers, header::USER_AGENT).map(|agent| clipped(&agent).into()),
        };
        let takes_trailers = takes_trailers(&headers);
        strip_hop_by_hop(&mut headers);
        if takes_trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        join_cookies(&mut headers);
        headers.remove(header::HOST);
        // The body's framing is made anew for the vendor.
        headers.remove(header::CONTENT_LENGTH);
        let destinations = destinations(&headers);
        let redacted = match redaction.mask(url.key()) {
            Cow::Borrowed(_) => None,
            Cow::Owned(masked) => Some(masked.into()),
        };
        Ok(Self {
            redacted,
            id,
            at: now,
            started: Instant::now(),
            asker,
            method: head.method,
            http_version: version_name(head.version),
            url,
            headers,
            has_content: false,
            destinations,
            reader,
            client_tls: link.tls.clone(),
            is_canary: link.is_canary,
        })
    }

    /// The same, with content or without.
    pub(crate) fn with_content(self, has_content: bool) -> Self {
        Self { has_content, ..self }
    }

    /// A request of the gateway's own, with fields and in a version that a client has sent before.
    pub(crate) fn of_recheck(url: ArtifactUrl, headers: HeaderMap, version: Version, at: Timestamp) -> Self {
        Self {
            redacted: None,
            id: Uuid::now_v7(),
            at,
            started: Instant::now(),
            asker: Asker { address: NOBODY, user: None, page: None, user_agent: None },
            method: Method::GET,
            http_version: version_name(version),
            url,
            destinations: destinations(&headers),
            headers,
            has_content: false,
            reader: Reader::default(),
            client_tls: None,
            is_canary: false,
        }
    }

    /// The match key as it may be written down.
    pub(crate) fn written(&self) -> &str {
        self.redacted.as_deref().unwrap_or_else(|| self.url.key())
    }

    /// The same, for a row.
    pub(crate) fn to_write(&self) -> Arc<str> {
        self.redacted.clone().unwrap_or_else(|| self.url.shared_key())
    }

    /// Whether the URL holds what must not be written anywhere.
    pub(crate) fn is_redacted(&self) -> bool {
        self.redacted.is_some()
    }

    /// Whether no client asked.
    pub(crate) fn is_recheck(&self) -> bool {
        self.asker.address == NOBODY
    }

    /// The same request under an id of its own, for a second row.
    pub(crate) fn again(&self) -> Self {
        Self { id: Uuid::now_v7(), ..self.clone() }
    }

    /// What the request says of what it wants.
    pub(crate) fn facts(&self) -> Asked<'_> {
        Asked {
            destinations: &self.destinations,
            service_worker: self.headers.contains_key(SERVICE_WORKER),
            path: self.url.path(),
        }
    }

    /// What the client wants it for, as the ledger has it. A browser says so in one of few tokens; what is none is not kept.
    pub(crate) fn destination(&self) -> Option<Arc<str>> {
        let is_token = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        match self.headers.get(SERVICE_WORKER) {
            // It is asked for with `Sec-Fetch-Dest: serviceworker` too, by browsers that send that.
            Some(_) => Some("serviceworker".into()),
            None => Some(&self.destinations)
                .filter(|text| (1..=MAX_DESTINATION).contains(&text.len()) && text.bytes().all(is_token))
                .cloned(),
        }
    }

    /// Whether a browser asks for the script of a service worker ([Service Workers], "Update").
    ///
    /// [Service Workers]: https://w3c.github.io/ServiceWorker/#service-worker-script-request
    pub(crate) fn is_for_worker(&self) -> bool {
        self.asks() && text(&self.headers, SERVICE_WORKER) == Some("script")
    }

    /// Whether it asks for something, and changes nothing: GET and HEAD. With content it may be about anything (RFC 9110
    /// §9.3.1), and takes as long as its client likes.
    pub(crate) fn asks(&self) -> bool {
        (self.method == Method::GET || self.method == Method::HEAD) && !self.has_content
    }

    /// The codings that the client takes.
    pub(crate) fn accepted(&self) -> Accepted {
        Accepted::parse(self.headers.get_all(header::ACCEPT_ENCODING).iter().map(HeaderValue::as_bytes))
    }

    /// What tells this ask from others, if it may be answered with what an earlier one fetched: client and user, the URL as it
    /// goes to the vendor, and all fields but those that differ between two tries of one client.
    pub(crate) fn key(&self) -> Option<Key> {
        const PASSING: [&str; 14] = [
            "accept-encoding",
            "cache-control",
            "if-modified-since",
            "if-none-match",
            "if-range",
            "pragma",
            "priority",
            "range",
            "referer",
            "sec-fetch-user",
            "sec-purpose",
            "traceparent",
            "tracestate",
            "via",
        ];
        if !self.asks() {
            return None;
        }
        let client = self.asker.address.ip().to_canonical().to_string();
        let user = self.asker.user.as_deref().unwrap_or_default().as_bytes();
        let mut fields: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        fields.retain(|(name, _)| !PASSING.contains(name));
        fields.sort_unstable();
        // A line feed stands in none of them.
        let mut text =
            [client.as_bytes(), user, self.url.origin().as_bytes(), self.url.request_target().as_bytes()]
                .join(&b'\n');
        for (name, value) in fields {
            text.push(b'\n');
            text.extend_from_slice(name.as_bytes());
            text.push(b':');
            text.extend_from_slice(value);
        }
        Some(Key::of(&[text.into()]))
    }

    /// Whether a browser asks for what it only shows or plays.
    pub(crate) fn is_for_media(&self) -> bool {
        ["audio", "font", "image", "track", "video"].contains(&&*self.destinations)
    }

    /// The fields that go to the vendor.
    pub(crate) fn vendor_headers(&self, via: &str, extent: Extent) -> HeaderMap {
        let left_out = match extent {
            Extent::Whole => &CONDITIONS[..],
            Extent::Unconfirmed => &CONFIRMING,
            Extent::AsAsked => &[],
        };
        let mut headers = self.headers.clone();
        headers.remove(header::EXPECT);
        let is_safe = self.method.is_safe();
        for name in left_out.iter().filter(|name| is_safe || !WRITING.contains(name)) {
            headers.remove(name);
        }
        if let Ok(codings) = self.accepted().upstream_header().try_into() {
            headers.insert(header::ACCEPT_ENCODING, codings);
        }
        if let Some(via) = joined(&[self.http_version, " ", via]) {
            headers.append(header::VIA, via);
        }
        headers
    }
}

/// A refusal before a URL is known.
pub(crate) fn early_refusal(id: Uuid, reason: Reason, reader: &Reader) -> Refusal {
    Refusal {
        reason,
        outcome: Outcome::Blocked,
        incident: Incident(id),
        vendor: None::<Arc<str>>,
        vendor_status: None,
        reader: reader.clone(),
    }
}

/// In which form a refusal would be read.
pub(crate) fn reader(method: &Method, headers: &HeaderMap) -> Reader {
    let is_person = match text(headers, SEC_FETCH_MODE) {
        Some(mode) => mode == "navigate",
        None => text(headers, header::ACCEPT).is_some_and(|accept| accept.contains("text/html")),
    };
    Reader { is_person, origin: headers.get(header::ORIGIN).cloned(), head_only: *method == Method::HEAD }
}

/// Every `Sec-Fetch-Dest`, with commas between them.
fn destinations(headers: &HeaderMap) -> Arc<str> {
    match one_text(headers, SEC_FETCH_DEST) {
        Some(destination) => destination.into(),
        None if !headers.contains_key(SEC_FETCH_DEST) => Arc::default(),
        None => texts(headers, SEC_FETCH_DEST).join(",").into(),
    }
}

/// Whether a request has been through the gateway of this pseudonym (RFC 9110 §7.6.3).
pub(crate) fn has_passed(headers: &HeaderMap, via: &str) -> bool {
    let is_own = |value: &HeaderValue| {
        let mut words = value.as_bytes().split(|byte| b", \t".contains(byte));
        words.any(|word| word == via.as_bytes())
    };
    headers.get_all(header::VIA).iter().any(is_own)
}

/// A field's text, whatever its bytes are: a page must not be able to hide by a letter that is not ASCII.
pub(crate) fn readable(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// A page's address, bounded, without its fragment, and without a name and password that it may carry. It need not be
/// well-formed: wherever some parser could see user information, it goes (a backslash is a slash to browsers).
fn page_only(page: &str) -> Box<str> {
    let page = page.split('#').next().unwrap_or_default();
    let (scheme, rest) = page.split_at(page.find(':').map_or(0, |colon| colon + 1));
    let bare = rest.trim_start_matches(['/', '\\']);
    let slashes = rest.strip_suffix(bare).unwrap_or_default();
    let (authority, path) = bare.split_at(bare.find(['/', '\\', '?']).unwrap_or(bare.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    clipped(&format!("{scheme}{slashes}{host}{path}")).into()
}

/// Text from outside, bounded.
pub(crate) fn clipped(text: &str) -> &str {
    let end = (0..=MAX_TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_kept_without_credentials_and_fragment() {
        for (page, kept) in [
            ("https://shop.test/a?b#c", "https://shop.test/a?b"),
            ("https://user:secret@shop.test/a@b", "https://shop.test/a@b"),
            ("https://user@x@shop.test", "https://shop.test"),
            ("https:\\\\user:secret@shop.test\\a", "https:\\\\shop.test\\a"),
            ("https:user:secret@shop.test/a", "https:shop.test/a"),
            ("user:secret@shop.test/a", "user:shop.test/a"),
            ("//user:secret@shop.test/a", "//user:shop.test/a"),
            ("https://shop.test/a@b?c@d", "https://shop.test/a@b?c@d"),
            ("about:client", "about:client"),
            ("", ""),
        ] {
            assert_eq!(&*page_only(page), kept, "{page}");
        }
    }
}
