//! `Proxy-Status` (RFC 9209): the standard word for each reason.

use http::HeaderValue;
use pinfold_policy::reason::Reason;

use crate::release::verdict_header;

/// The header of a refusal: `pinfold; error=http_request_denied; details="digest-mismatch"`.
pub(crate) fn proxy_status(reason: Reason) -> HeaderValue {
    verdict_header(&format!("pinfold; error={}; details=\"{}\"", error_type(reason), reason.code()))
}

/// The error type of RFC 9209 §2.3 that fits best.
fn error_type(reason: Reason) -> &'static str {
    match reason {
        Reason::DigestMismatch
        | Reason::Unpinned
        | Reason::Revoked
        | Reason::Rejected
        | Reason::ExpiredPin
        | Reason::PathChanged
        | Reason::UnlistedHost
        | Reason::Redirect
        | Reason::PortNotAllowed
        | Reason::ClientNotAllowed
        | Reason::WebsocketBlocked
        | Reason::CredentialsRequired => "http_request_denied",
        Reason::UpstreamStatus | Reason::PartialContent | Reason::MalformedResponse => "http_protocol_error",
        Reason::BodyTooLarge => "http_response_body_size",
        Reason::BadEncoding => "http_response_content_coding",
        Reason::Truncated => "http_response_incomplete",
        Reason::PrivateAddress => "destination_ip_prohibited",
        Reason::HostMismatch
        | Reason::MethodNotAllowed
        | Reason::SniMismatch
        | Reason::NotHttp
        | Reason::MalformedRequest
        | Reason::HeadersTooLarge
        | Reason::RequestTimeout => "http_request_error",
        Reason::UpstreamTls => "tls_certificate_error",
        Reason::UpstreamUnreachable => "destination_unavailable",
        Reason::UpstreamTimeout => "connection_timeout",
        Reason::Loop => "proxy_loop_detected",
        Reason::Overloaded | Reason::Held | Reason::StoreUnavailable => "proxy_internal_response",
        Reason::Internal => "proxy_internal_error",
    }
}
