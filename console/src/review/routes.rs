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
use axum::routing::{get, post};
use pinfold_policy::user::Users;
use tokio::time::timeout;

use super::answer::problem;
use super::first::FirstLink;
use super::{Review, decide, first, item, ledger, overview, pins, queue, setup, sign_in, vendors};
use crate::door::{Door, Forms, Session, Sessions, Token};
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
/// Of the one cookie.
const COOKIE: &str = "pinfold-session";

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
    /// Nobody but this machine hears what is sent here. Elsewhere nobody signs in: passwords and cookies would cross the network
    /// in clear text.
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
    pub(crate) fn new(shown: Shown, review: Review, is_private: bool) -> Result<Self, getrandom::Error> {
        let (sessions, door, forms) = (Sessions::default(), Door::new(), Forms::new()?);
        Ok(Self(Arc::new(Inner { shown, review, sessions, door, forms, is_private })))
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
        let token = token_in(headers).filter(|_| self.is_private)?;
        let session = self.sessions.of(&token, self.users().as_deref(), Instant::now())?;
        Some(Visitor { token, session })
    }
}

/// Somebody who is signed in.
pub(super) struct Visitor {
    pub(super) token: Token,
    pub(super) session: Session,
}

/// The one cookie of that name. With two, somebody else on this machine has set one of them: nobody is signed in.
fn token_in(headers: &HeaderMap) -> Option<Token> {
    let fields = headers.get_all(header::COOKIE).iter().filter_map(|field| field.to_str().ok());
    let pairs = fields.flat_map(|field| field.split(';'));
    let mut ours = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(name, _)| *name == COOKIE);
    match (ours.next(), ours.next()) {
        (Some((_, value)), None) => Some(Token::of_browser(value)),
        (_, _) => None,
    }
}

/// `Secure` is not said: there is no TLS here, and what is no browser would not send it back.
pub(super) fn cookie_of(token: &Token) -> String {
    format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", token.as_str())
}

pub(super) fn no_cookie() -> String {
    format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// All of them.
pub(crate) fn routes(room: Room) -> Router {
    let api = api::routes(&room);
    Router::new()
        .route("/", get(overview::show))
        .route("/quarantine", get(queue::show))
        .route("/quarantine/{incident}", get(item::show))
        .route("/quarantine/{incident}/body", get(item::body))
        .route("/quarantine/{incident}/decide", post(decide::decide))
        .route("/ledger", get(ledger::show))
        .route("/exposure", get(ledger::exposure))
        .route("/exposure/{file}", get(ledger::file))
        .route("/pins", get(pins::show))
        .route("/pins.toml", get(pins::export))
        .route("/vendors", get(vendors::show))
        .route("/setup", get(setup::show))
        .route("/root.pem", get(setup::root))
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/first-start", get(first::show).post(first::fill))
        .route("/style.css", get(style))
        .route("/icon.svg", get(icon))
        .route("/app.js", get(script))
        .with_state(room)
        .layer(from_fn(whole))
        .layer(from_fn(framed))
        .nest(api::BASE, api)
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
