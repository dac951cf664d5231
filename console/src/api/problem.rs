//! What is no answer: problem documents (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::command::Declined;

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Why there is no answer, in words for whoever asked; and what to do next.
pub(super) fn problem(status: StatusCode, detail: &str, hint: Option<&str>) -> Response {
    let title = status.canonical_reason().unwrap_or("Not possible");
    let mut document =
        json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    if let (Some(fields), Some(hint)) = (document.as_object_mut(), hint) {
        fields.insert("hint".to_owned(), hint.into());
    }
    (status, [(header::CONTENT_TYPE, PROBLEM)], document.to_string()).into_response()
}

/// Whoever names this listener otherwise than it can be named.
pub(crate) fn misdirected() -> Response {
    let text = "name this listener by its address, as localhost, or by one of console.names";
    problem(StatusCode::MISDIRECTED_REQUEST, text, None)
}

/// What whoever runs the gateway says is wrong.
pub(super) fn trouble(why: &str) -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, why, None)
}

/// The same, of a command.
pub(super) fn declined(declined: &Declined) -> Response {
    let (status, text, hint) = match declined {
        Declined::Wrong(text, hint) => (StatusCode::UNPROCESSABLE_ENTITY, text, hint),
        Declined::Absent(text, hint) => (StatusCode::NOT_FOUND, text, hint),
        Declined::Unable(text, hint) => (StatusCode::CONFLICT, text, hint),
        Declined::Later(text) => (StatusCode::SERVICE_UNAVAILABLE, text, &None),
    };
    let mut response = problem(status, text, hint.as_deref());
    if matches!(declined, Declined::Later(_)) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
