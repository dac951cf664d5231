//! What there is to see, by everybody and by who has signed in.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};

use crate::host::{is_named, is_ours, named};
use crate::pac::program;
use crate::review::{Room, routes};
use crate::{Check, Reach, Shown, api};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The text format that every version of Prometheus reads (OpenMetrics 1.0).
const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
/// What browsers want such a file to be.
const PROXY_AUTOCONFIG: HeaderValue = HeaderValue::from_static("application/x-ns-proxy-autoconfig");

/// A year (RFC 6797). For names of ours alone: `localhost` is the name of other servers of a machine too, and an address is none.
const STAY_WITH_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

const PROXY_PAC: &str = "/proxy.pac";

/// What everybody may ask, of everybody.
const OPEN: [&str; 4] = ["/livez", "/readyz", "/metrics", PROXY_PAC];

/// All of it.
pub(crate) fn pages(shown: Shown, room: Room, reach: &Reach) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route(PROXY_PAC, get(proxy_pac))
        .with_state(shown)
        .merge(routes(room))
        .layer(from_fn_with_state(reach.clone(), guarded))
}

/// For whoever asks whether to start the process anew: it answers, so it works.
async fn livez() -> Response {
    ([(header::CONTENT_TYPE, JSON)], json!({ "status": "ok" }).to_string()).into_response()
}

async fn readyz(State(shown): State<Shown>) -> Response {
    let checks = (shown.ready)().await;
    let is_ready = checks.iter().all(|check| check.trouble.is_none());
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let said: Map<String, Value> = checks.into_iter().map(said).collect();
    let body = json!({ "status": word(is_ready), "checks": said });
    (status, [(header::CONTENT_TYPE, JSON)], body.to_string()).into_response()
}

fn said(check: Check) -> (String, Value) {
    let Check { name, trouble } = check;
    let status = word(trouble.is_none());
    let said = match trouble {
        Some(trouble) => json!({ "status": status, "reason": trouble }),
        None => json!({ "status": status }),
    };
    (name.to_owned(), said)
}

fn word(holds: bool) -> &'static str {
    if holds { "ok" } else { "failing" }
}

async fn metrics(State(shown): State<Shown>) -> Response {
    ([(header::CONTENT_TYPE, OPENMETRICS)], (shown.metrics)().await).into_response()
}

async fn proxy_pac(State(shown): State<Shown>, request: Request) -> Response {
    let program = named(&request).and_then(|asked| program(&shown.listeners, &asked));
    match program {
        Some(program) => ([(header::CONTENT_TYPE, PROXY_AUTOCONFIG)], program).into_response(),
        None => (StatusCode::NOT_FOUND, "no listener of the proxy is reached by this name\n").into_response(),
    }
}

/// What holds for every answer, whatever it is about.
async fn guarded(State(reach): State<Reach>, request: Request, next: Next) -> Response {
    let is_to_stay_tls = reach.tls.is_some() && is_named(&request, &reach.names);
    // Where the proxy is, every client is told, and people give them a name to ask by.
    let is_right = if request.uri().path() == PROXY_PAC {
        named(&request).is_some()
    } else {
        is_ours(&request, &reach.names)
    };
    let mut response = if !is_right && request.uri().path().starts_with(api::BASE) {
        api::misdirected()
    } else if !is_right {
        (
            StatusCode::MISDIRECTED_REQUEST,
            "name this listener by its address, as localhost, or by one of console.names\n",
        )
            .into_response()
    } else if OPEN.contains(&request.uri().path()) && !is_read(request.method()) {
        (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    if is_to_stay_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STAY_WITH_TLS);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}
