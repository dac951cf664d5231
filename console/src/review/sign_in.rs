//! Signing in and out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use askama::Template;
use axum::Form;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use pinfold_policy::user::Role;
use pinfold_store::incident::Incident;
use serde::Deserialize;

use super::answer::{page, problem, to};
use super::routes::{Peer, Room};
use super::{Proof, SignedIn, WrongPassword};
use crate::door::{Denied, Person, Token, Trying};
use crate::text::Text;

#[derive(Template)]
#[template(path = "sign-in.html")]
struct SignInPage {
    form: String,
    next: String,
    trouble: Option<String>,
    nobody_may: bool,
    provider: Option<Text>,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Filled {
    form: String,
    #[serde(default)]
    next: String,
    name: String,
    password: String,
}

#[derive(Deserialize)]
pub(super) struct SignedOut {
    form: String,
}

pub(super) async fn show(State(room): State<Room>, Query(asked): Query<Asked>) -> Response {
    if !room.is_private {
        return not_here();
    }
    form(&room, &asked.next, StatusCode::OK, None)
}

pub(super) async fn sign_in(
    State(room): State<Room>,
    Extension(Peer(source)): Extension<Peer>,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Response {
    if !room.is_private {
        return not_here();
    }
    if !room.forms.are_ours(&headers, None, &filled.form) {
        return not_ours();
    }
    let Filled { next, name, password, .. } = filled;
    let users = room.users();
    let is_user = users.as_ref().is_some_and(|users| users.known(&name).is_some());
    match room.door.admit(users, Trying::Stranger { source, is_user }, &name, &password).await {
        Ok(user) => {
            let Ok(token) = Token::new() else {
                return problem(StatusCode::SERVICE_UNAVAILABLE, "The system gives no random bytes.");
            };
            // Whatever this browser showed before: a session begins with a token that nobody knew.
            if let Some(visitor) = room.visitor(&headers) {
                room.sessions.end(&visitor.token);
            }
            if let Some(role) = user.roles.iter().max() {
                room.tell_signed_in(source, &user.name, *role, Proof::Password);
            }
            room.sessions.begin(&token, Person::local(user), Instant::now());
            with_cookie(to(&target(&next)), &room.cookie_of(&token))
        }
        Err(denied) => {
            room.count_wrong(denied, source, &name);
            let (status, trouble) = said(denied);
            let response = form(&room, &next, status, Some(trouble));
            retried_after(response, denied)
        }
    }
}

pub(super) async fn sign_out(
    State(room): State<Room>,
    headers: HeaderMap,
    Form(form): Form<SignedOut>,
) -> Response {
    let Some(visitor) = room.visitor(&headers) else { return to("/sign-in") };
    if !room.forms.are_ours(&headers, Some(&visitor.token), &form.form) {
        return not_ours();
    }
    room.sessions.end(&visitor.token);
    with_cookie(to("/sign-in"), &room.no_cookie())
}

impl Room {
    /// Tells of a wrong password. One that was not looked at is none.
    pub(super) fn count_wrong(&self, denied: Denied, source: IpAddr, name: &str) {
        match denied {
            Denied::Wrong => {
                let user = self.users().and_then(|users| users.known(name));
                (self.review.wrong_password)(WrongPassword {
                    source: source.to_canonical(),
                    user,
                    by: Proof::Password,
                });
            }
            Denied::Wait(_) => {}
        }
    }
}

impl Room {
    /// Tells who is in.
    pub(super) fn tell_signed_in(&self, source: IpAddr, who: &Arc<str>, role: Role, by: Proof) {
        let source = source.to_canonical();
        tracing::info!(%who, %role, %source, "signed in at the console");
        (self.review.signed_in)(SignedIn { source, who: Arc::clone(who), role, by });
    }

    /// Tells that the provider vouched for nobody whom we let in.
    pub(super) fn count_refused(&self, source: IpAddr) {
        (self.review.wrong_password)(WrongPassword {
            source: source.to_canonical(),
            user: None,
            by: Proof::Provider,
        });
    }
}

/// What somebody is told who is not let in.
pub(super) fn said(denied: Denied) -> (StatusCode, String) {
    match denied {
        Denied::Wrong => (
            StatusCode::FORBIDDEN,
            "Name or password is wrong, or this user may not sign in here.".to_owned(),
        ),
        Denied::Wait(wait) => {
            let text = format!("Too many tries: wait {} s before the next one.", seconds(wait));
            (StatusCode::TOO_MANY_REQUESTS, text)
        }
    }
}

/// Says when to come back.
pub(super) fn retried_after(mut response: Response, denied: Denied) -> Response {
    match denied {
        Denied::Wrong => {}
        Denied::Wait(wait) => {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
    }
    response
}

/// How long somebody waits, in whole seconds.
pub(super) fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

/// Where to, once signed in: an item and nothing else, so that no link can lead elsewhere.
fn target(next: &str) -> String {
    match next.parse::<Incident>() {
        Ok(incident) => format!("/quarantine/{incident}"),
        Err(_) => "/".to_owned(),
    }
}

fn form(room: &Room, next: &str, status: StatusCode, trouble: Option<String>) -> Response {
    let next = next.parse::<Incident>().map(|incident| incident.to_string()).unwrap_or_default();
    let provider = room.provider().map(|provider| Text::of(&provider.name));
    let nobody_may = provider.is_none()
        && !room.users().is_some_and(|users| users.all().iter().any(|user| user.may_look()));
    page(status, &SignInPage { form: room.forms.token(None), next, trouble, nobody_may, provider })
}

pub(super) fn not_ours() -> Response {
    let text = "This form did not come from a page of this console, or from one of an earlier session. Open the page again.";
    problem(StatusCode::FORBIDDEN, text)
}

fn not_here() -> Response {
    let text = "Nobody can sign in here: this console listens beyond loopback and speaks no TLS, so a password would cross the \
                network in clear text. Set console.tls, or set console.listen to a loopback address and reach it through a tunnel, such as \
                'ssh -L 8081:127.0.0.1:8081'.";
    problem(StatusCode::FORBIDDEN, text)
}

pub(super) fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}
