//! What every page of the review has in common.

use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};

use crate::api::Declined;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
/// As the framework says why it refuses.
const PLAIN: &str = "text/plain; charset=utf-8";

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

/// The same of a search.
pub(super) fn declined(declined: &Declined) -> Response {
    let status = match declined {
        Declined::Wrong(..) => StatusCode::UNPROCESSABLE_ENTITY,
        Declined::Absent(..) => StatusCode::NOT_FOUND,
        Declined::Unable(..) | Declined::Later(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = problem(status, declined.text());
    if matches!(declined, Declined::Later(_)) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Where there is nothing.
pub(super) async fn nothing() -> Response {
    problem(StatusCode::NOT_FOUND, "There is no such page.")
}

/// What the framework refuses by itself, as a page of ours: it has a word for programs, or none.
pub(super) async fn in_our_words(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let has_page = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| *kind != PLAIN);
    if has_page || !response.status().is_client_error() {
        return response;
    }
    let text = match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => "This page is not asked for in that way.",
        StatusCode::BAD_REQUEST => "This address has something in it that is not understood.",
        _ => "This form is not one of these pages, or something is missing in it. Nothing was decided.",
    };
    let (mut head, body) = problem(response.status(), text).into_parts();
    if let Some(allowed) = response.headers().get(header::ALLOW) {
        head.headers.insert(header::ALLOW, allowed.clone());
    }
    Response::from_parts(head, body)
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
