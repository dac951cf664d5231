//! What every page of the review has in common.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// A page.
pub(super) fn page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, [(header::CONTENT_TYPE, HTML)], html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page of the console cannot be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    title: &'a str,
    text: &'a str,
}

/// A page of one sentence.
pub(super) fn problem(status: StatusCode, text: &str) -> Response {
    let title =
        if status.is_success() { "Done" } else { status.canonical_reason().unwrap_or("Not possible") };
    page(status, &Problem { title, text })
}

/// What whoever runs the gateway says is wrong.
pub(super) fn trouble(text: &str) -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, text)
}

/// A text to keep under a name: no browser shows it.
pub(super) fn file(name: &str, media_type: &'static str, text: String) -> Response {
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    let fields = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment"))),
    ];
    (fields, text).into_response()
}

/// To another page, by GET.
pub(super) fn to(path: &str) -> Response {
    Redirect::to(path).into_response()
}
