//! Which page is where, and for whom.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use pinfold_policy::user::Users;
use tokio::time::timeout;

use super::answer::problem;
use super::first::FirstLink;
use super::queue::Line;
use super::{
    Review, answer, decide, first, item, learned, ledger, overview, pins, provider, queue, setup, sign_in,
    vendors, whole,
};
use crate::door::{Door, Flows, Forms, Session, Sessions, Token};
use crate::shares::Shares;
use crate::{Shown, api};

/// A form has a reason in it, and no book.
const LONGEST_FORM: usize = 16 * 1024;
/// For all of it, once its head is there.
const FORM_WITHIN: Duration = Duration::from_secs(10);
/// No script but our own, nothing from elsewhere, nothing inline.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
     connect-src 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);
/// Of the one cookie, in clear text on loopback.
const COOKIE: &str = "pinfold-session";
/// The same with TLS: no page in clear text, and none below another name, can set it (RFC 6265bis §4.1.3.2).
const HOST_COOKIE: &str = "__Host-pinfold-session";

/// Of a browser that is at the identity provider. That one sends it back by a link of its own, so that this one is not
/// `SameSite=Strict`; it opens nothing.
const FLOW_COOKIE: &str = "pinfold-flow";
/// The same with TLS.
const HOST_FLOW_COOKIE: &str = "__Host-pinfold-flow";

/// Whoever is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// All that the pages work with.
#[derive(Clone)]
pub(crate) struct Room(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) shown: Shown,
    pub(crate) review: Review,
    pub(super) sessions: Sessions,
    pub(crate) door: Door,
    pub(super) forms: Forms,
    pub(super) flows: Flows,
    /// The order in which items wait.
    pub(super) line: Line,
    /// What programs ask at one time, by their user.
    pub(crate) programs: Arc<Shares<Arc<str>>>,
    /// Whether TLS is spoken here.
    pub(super) is_tls: bool,
    /// Nobody but this machine hears what is sent here, or nobody at all. Elsewhere nobody signs in: passwords and cookies would
    /// cross the network in clear text.
    pub(crate) is_private: bool,
}

impl std::ops::Deref for Room {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Room {
    /// # Errors
    /// Where the system has no random bytes.
    pub(crate) fn new(
        shown: Shown,
        review: Review,
        is_tls: bool,
        is_loopback: bool,
    ) -> Result<Self, getrandom::Error> {
        let (sessions, door, forms) = (Sessions::default(), Door::new(), Forms::new(scheme(is_tls))?);
        let (flows, programs) = (Flows::default(), Shares::new(api::MOST_OF_ONE));
        let is_private = is_tls || is_loopback;
        Ok(Self(Arc::new(Inner {
            shown,
            review,
            sessions,
            door,
            forms,
            flows,
            line: Line::default(),
            programs,
            is_tls,
            is_private,
        })))
    }

    pub(crate) fn users(&self) -> Option<Arc<Users>> {
        self.review.users.borrow().clone()
    }

    /// The link by which this token leads in.
    pub(super) fn first_link(&self, token: &str) -> Option<&FirstLink> {
        let link = self.review.first_link.as_ref().filter(|_| self.is_private)?;
        link.opens(token, self.users().as_deref()).then_some(link)
    }

    /// Who asks, if they are signed in.
    pub(super) fn visitor(&self, headers: &HeaderMap) -> Option<Visitor> {
        let token = only_cookie(headers, self.cookie()).filter(|_| self.is_private).map(Token::of_browser)?;
        let session = self.sessions.of(&token, self.users().as_deref(), Instant::now())?;
        Some(Visitor { token, session })
    }

    pub(super) fn scheme(&self) -> &'static str {
        scheme(self.is_tls)
    }

    /// What a browser that comes back from the identity provider shows.
    pub(super) fn flow_cookie(&self, headers: &HeaderMap) -> Option<Token> {
        only_cookie(headers, self.flow_cookie_name()).map(Token::of_browser)
    }

    pub(super) fn flow_cookie_of(&self, token: &Token) -> String {
        self.set_cookie(self.flow_cookie_name(), token.as_str(), "SameSite=Lax; Max-Age=600")
    }

    fn flow_cookie_name(&self) -> &'static str {
        if self.is_tls { HOST_FLOW_COOKIE } else { FLOW_COOKIE }
    }

    fn cookie(&self) -> &'static str {
        if self.is_tls { HOST_COOKIE } else { COOKIE }
    }

    /// The cookie of a session.
    pub(super) fn cookie_of(&self, token: &Token) -> String {
        self.set_cookie(self.cookie(), token.as_str(), "SameSite=Strict")
    }

    /// What ends it in the browser.
    pub(super) fn no_cookie(&self) -> String {
        self.set_cookie(self.cookie(), "", "SameSite=Strict; Max-Age=0")
    }

    /// `Secure` is said with TLS alone: without it, what is no browser would not send the cookie back.
    fn set_cookie(&self, name: &str, value: &str, how: &str) -> String {
        let secure = if self.is_tls { "; Secure" } else { "" };
        format!("{name}={value}; Path=/{secure}; HttpOnly; {how}")
    }
}

fn scheme(is_tls: bool) -> &'static str {
    if is_tls { "https" } else { "http" }
}

/// Somebody who is signed in.
pub(super) struct Visitor {
    pub(super) token: Token,
    pub(super) session: Session,
}

/// The value of the one cookie of that name. With two, somebody else on this machine has set one of them: it counts as none.
fn only_cookie<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let fields = headers.get_all(header::COOKIE).iter().filter_map(|field| field.to_str().ok());
    let pairs = fields.flat_map(|field| field.split(';'));
    let mut ours = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(name, _)| *name == wanted);
    match (ours.next(), ours.next()) {
        (Some((_, value)), None) => Some(value),
        (_, _) => None,
    }
}

/// All of them.
pub(crate) fn routes(room: Room) -> Router {
    let api = api::routes(&room);
    Router::new()
        .route("/", get(overview::show))
        .route("/quarantine", get(queue::show))
        .route("/quarantine/{incident}", get(item::show))
        .route("/quarantine/{incident}/body", get(item::body))
        .route("/quarantine/{incident}/text", get(whole::show))
        .route("/quarantine/{incident}/decide", post(decide::decide))
        .route("/ledger", get(ledger::show))
        .route("/exposure", get(ledger::exposure))
        .route("/exposure/{file}", get(ledger::file))
        .route("/pins", get(pins::show))
        .route("/pins.toml", get(pins::export))
        .route("/pins/learned/{record}", get(learned::show))
        .route("/pins/learned/{record}/body", get(learned::body))
        .route("/pins/learned/{record}/decide", post(learned::decide))
        .route("/vendors", get(vendors::show))
        .route("/setup", get(setup::show))
        .route("/root.pem", get(setup::root))
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/sign-in/provider", get(provider::begin))
        .route(provider::CALLBACK, get(provider::back))
        .route("/quarantine/{incident}/prove", get(provider::prove_for_item))
        .route("/pins/learned/{record}/prove", get(provider::prove_for_learned))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/first-start", get(first::show).post(first::fill))
        .route("/style.css", get(style))
        .route("/icon.svg", get(icon))
        .route("/app.js", get(script))
        .fallback(answer::nothing)
        .with_state(room)
        .layer(from_fn(answer::in_our_words))
        .layer(from_fn(whole))
        .layer(from_fn(framed))
        .nest(api::BASE, api)
        // What is nested has no part in this one.
        .route("/api/", any(api::nothing))
}

/// A form is there within its time, or nobody looks at it: whoever sends half of one keeps no place for long.
async fn whole(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    match timeout(FORM_WITHIN, to_bytes(body, LONGEST_FORM)).await {
        Ok(Ok(form)) => next.run(Request::from_parts(head, form.into())).await,
        Ok(Err(_)) => problem(StatusCode::PAYLOAD_TOO_LARGE, "This form is too long, or was cut short."),
        Err(_) => problem(StatusCode::REQUEST_TIMEOUT, "This form took too long to come."),
    }
}

async fn style() -> Response {
    let css = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, css)], include_str!("../../assets/style.css")).into_response()
}

async fn icon() -> Response {
    let svg = HeaderValue::from_static("image/svg+xml");
    ([(header::CONTENT_TYPE, svg)], include_str!("../../assets/icon.svg")).into_response()
}

async fn script() -> Response {
    let javascript = HeaderValue::from_static("text/javascript; charset=utf-8");
    ([(header::CONTENT_TYPE, javascript)], include_str!("../../assets/app.js")).into_response()
}

/// What holds for every page, whatever it is about.
async fn framed(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}
