//! Refusals: what a client gets in place of what it asked for. Nothing of the policy or of the request is in it.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use pinfold_policy::reason::{Answer, Reason};
use pinfold_policy::verdict::Outcome;
use pinfold_store::incident::Incident;
use serde_json::json;

use crate::proxy_status::proxy_status;
use crate::release::verdict_header;
use crate::respond::{ClientBody, no_body, text_body};

/// What a client is to send (RFC 7617 §2.1).
const CHALLENGE: &str = "Basic realm=\"pinfold\", charset=\"UTF-8\"";

/// Who is refused, as far as the answer's form depends on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    /// A person navigates: a page, not a document for programs.
    pub(crate) is_person: bool,
    /// `Origin`, to mirror CORS.
    pub(crate) origin: Option<HeaderValue>,
    /// HEAD: no body.
    pub(crate) head_only: bool,
}

/// A refusal.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) outcome: Outcome,
    pub(crate) incident: Incident,
    pub(crate) vendor: Option<std::sync::Arc<str>>,
    /// The vendor's status, for reasons that keep it.
    pub(crate) vendor_status: Option<StatusCode>,
    pub(crate) reader: Reader,
}

impl Refusal {
    /// The status that the client gets.
    pub(crate) fn status(&self) -> StatusCode {
        let fixed = match self.reason.answer() {
            Answer::Status(status) => StatusCode::from_u16(status).ok(),
            // A 304 that nobody asked for would make a browser run what it has.
            Answer::VendorStatus => {
                self.vendor_status.filter(|status| !matches!(status.as_u16(), 100..=199 | 200 | 206 | 304))
            }
            Answer::ConnectionEnds => None,
        };
        fixed.unwrap_or(StatusCode::BAD_GATEWAY)
    }

    pub(crate) fn into_response(self) -> Response<ClientBody> {
        let status = self.status();
        let (content_type, body) = if self.reader.is_person {
            ("text/html; charset=utf-8", self.page(status))
        } else {
            ("application/problem+json", self.problem(status))
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CONTENT_LENGTH, body.len().into());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers
            .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
        headers.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        );
        headers.insert(HeaderName::from_static("proxy-status"), proxy_status(self.reason));
        headers.insert(HeaderName::from_static("pinfold-verdict"), verdict_header(&self.verdict()));
        if let Some(origin) = &self.reader.origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            headers.insert(header::PROXY_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            let allowed = HeaderValue::from_static("GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE");
            headers.insert(header::ALLOW, allowed);
        }
        // RFC 9110 §8.6: a 204 has no length, and §15.3.6: a 205 has no content. Either keeps the vendor's status here.
        let is_bodyless = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
        if is_bodyless {
            headers.remove(header::CONTENT_TYPE);
            headers.remove(header::CONTENT_LENGTH);
        }
        let is_head_only = self.reader.head_only || is_bodyless;
        let mut response = Response::new(if is_head_only { no_body() } else { text_body(body) });
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// `quarantined; reason=digest-mismatch; incident="…"; vendor="…"` (RFC 9651).
    pub(crate) fn verdict(&self) -> String {
        let vendor = self.vendor.as_ref().map(|name| format!("; vendor=\"{name}\"")).unwrap_or_default();
        let Self { outcome, reason, incident, .. } = self;
        format!("{outcome}; reason={reason}; incident=\"{incident}\"{vendor}")
    }

    /// RFC 9457.
    fn problem(&self, status: StatusCode) -> String {
        json!({
            "type": format!("urn:pinfold:reason:{}", self.reason),
            "title": self.reason.text(),
            "status": status.as_u16(),
            "reason": self.reason.code(),
            "incident": self.incident.to_string(),
        })
        .to_string()
    }

    fn page(&self, status: StatusCode) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<title>Stopped by pinfold: {reason}</title>\n\
             <h1>This was stopped: {text}</h1>\n\
             <p>The gateway of your organisation checks code from vendors against a reviewed list before it reaches you.</p>\n\
             <p>If you need it, give your administrator this incident: <strong>{incident}</strong></p>\n\
             <p><small>{status} · {reason}</small></p>\n</html>\n",
            reason = self.reason,
            text = self.reason.text(),
            incident = self.incident,
            status = status.as_u16(),
        )
    }
}
