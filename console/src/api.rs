//! The API under `/api/v1`: what the pages show and decide, as JSON, for programs that show a token.
//!
//! It is a second face of the same closures, and has no way of its own to do anything. A cookie opens nothing here, so that no
//! page of another site can use it. Every answer that is none is a problem document (RFC 9457), also where there is no such
//! path. The document that describes it is made of the routes themselves.

mod answers;
mod bearer;
mod command;
mod learned;
mod problem;
pub mod schema;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use self::command::{ApiAnswer, Command, Declined, Exposing, Form, LearnedAsked, Printed, Printing};
pub(crate) use self::problem::misdirected;
use self::problem::problem;
use self::schema::{DocumentShown, Problem};
use crate::review::Room;

/// Everything below this is answered as the API answers.
pub(crate) const BASE: &str = "/api";

#[derive(OpenApi)]
#[openapi(
    paths(openapi),
    info(
        title = "pinfold",
        description = "What pinfold kept, who got what, what is pinned, and decisions about it. Every path but this document's own \
                       takes a token, 'Authorization: Bearer', which 'pinfold token add' makes."
    )
)]
struct Described;

/// Requests of one user's tokens at one time. Each can take as much as a page of the ledger does.
pub(crate) const MOST_OF_ONE: usize = 8;

/// All of it, below [`BASE`].
pub(crate) fn routes(room: &Room) -> Router {
    let (router, mut described) = OpenApiRouter::with_openapi(Described::openapi())
        .routes(routes!(answers::overview))
        .routes(routes!(answers::quarantine))
        .routes(routes!(answers::item))
        .routes(routes!(answers::triage))
        .routes(routes!(answers::body))
        .routes(routes!(answers::decide))
        .routes(routes!(answers::ledger))
        .routes(routes!(answers::exposure))
        .routes(routes!(answers::pins))
        .routes(routes!(answers::pins_toml))
        .routes(routes!(learned::learned))
        .routes(routes!(learned::learned_pin))
        .routes(routes!(learned::triage))
        .routes(routes!(learned::body))
        .routes(routes!(learned::decide))
        .routes(routes!(answers::vendors))
        .routes(routes!(answers::setup))
        .split_for_parts();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    described.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    described.servers = Some(vec![utoipa::openapi::Server::new("/api/v1")]);
    let document = serde_json::to_string_pretty(&described).unwrap_or_default();
    let router = router
        .layer(from_fn_with_state(room.clone(), bearer::admitted))
        .route("/openapi.json", get(openapi).with_state(document))
        .method_not_allowed_fallback(not_so)
        .fallback(nothing);
    Router::new().nest("/v1", router.with_state(room.clone())).fallback(nothing)
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", responses(
    (status = 200, body = DocumentShown, content_type = "application/json"),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
async fn openapi(State(document): State<String>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], document).into_response()
}

/// What is said below [`BASE`] where there is nothing.
pub(crate) async fn nothing() -> Response {
    problem(StatusCode::NOT_FOUND, "there is no such path: /api/v1/openapi.json lists them", None)
}

async fn not_so() -> Response {
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path takes another method: /api/v1/openapi.json has it",
        None,
    )
}
