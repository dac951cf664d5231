//! Signing in, and proving again who one is, at the identity provider.
//!
//! A browser is sent there with a `state` that counts once and in that browser alone, and comes back with a code. What the
//! provider then says of the person comes by closures from whoever runs the gateway; this module binds it to the browser, and to
//! the session that wanted it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use askama::Template;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pinfold_policy::user::Role;
use pinfold_store::incident::Incident;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::answer::{page, problem, to};
use super::routes::{Peer, Room};
use super::sign_in::{retried_after, said, with_cookie};
use super::{Ask, Proof, Told};
use crate::door::{About, Denied, Flow, Person, Purpose, Token};
use crate::text::Text;

/// Who proves again who they are has done so within this, by the provider's clock.
const FRESH: Duration = Duration::from_secs(2 * 60);
/// By this its clock and ours may differ.
const LEEWAY: Duration = Duration::from_secs(60);
/// Where the provider sends browsers back to.
pub(super) const CALLBACK: &str = "/sign-in/callback";

/// An identity provider, by whoever runs the gateway.
#[derive(Clone)]
pub struct IdentityProvider {
    /// Its name, for people: its host.
    pub name: Arc<str>,
    /// The URL to send a browser to; or why there is none, likewise.
    pub begin: Ask<ProviderBegin, String>,
    /// Whom it vouches for; or why nobody, in words for whoever came, and without an end of the sentence.
    pub finish: Ask<ProviderFinish, Vouched>,
}

/// A flow that begins.
#[derive(Clone, Debug)]
pub struct ProviderBegin {
    /// Where the browser comes back to.
    pub redirect_uri: String,
    /// What comes back with it.
    pub state: String,
    /// What the token will hold.
    pub nonce: String,
    /// The SHA-256 of the verifier, in base64url.
    pub challenge: String,
    /// Whether the person must prove who they are now.
    pub afresh: bool,
}

/// A flow that came back.
#[derive(Clone, Debug)]
pub struct ProviderFinish {
    /// As when it began.
    pub redirect_uri: String,
    /// The code.
    pub code: String,
    /// Who answered, where the answer says it.
    pub issuer: Option<String>,
    /// As when it began.
    pub nonce: String,
    /// The verifier.
    pub verifier: String,
}

/// Somebody for whom the provider vouches, and who has a role here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    /// As whom the history has them, for good: never a local user, nor another person of the provider.
    pub who: Arc<str>,
    /// A name to show. It proves nothing.
    pub name: Arc<str>,
    /// What they may do.
    pub role: Role,
    /// When they proved to the provider who they are, in seconds since 1970.
    pub auth_time: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    next: String,
}

/// What a browser comes back with.
#[derive(Deserialize)]
pub(super) struct Back {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "back.html")]
struct BackPage {
    name: Text,
    target: String,
}

/// Begins to sign in.
pub(super) async fn begin(
    State(room): State<Room>,
    Extension(Peer(source)): Extension<Peer>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let next = asked.next.parse::<Incident>().ok();
    // The way back shows no session, for it comes from elsewhere.
    let before = room.visitor(&headers).map(|visitor| visitor.token.digest());
    room.send_there(&headers, source, Purpose::SignIn(next, before)).await
}

/// Begins to prove again who one is, for a decision on an item.
pub(super) async fn prove_for_item(
    State(room): State<Room>,
    Extension(Peer(source)): Extension<Peer>,
    headers: HeaderMap,
    Path(incident): Path<String>,
) -> Response {
    match incident.parse() {
        Ok(incident) => room.prove_there(&headers, source, About::Item(incident)).await,
        Err(_) => to("/quarantine"),
    }
}

/// The same for one on what was learned.
pub(super) async fn prove_for_learned(
    State(room): State<Room>,
    Extension(Peer(source)): Extension<Peer>,
    headers: HeaderMap,
    Path(record): Path<String>,
) -> Response {
    match record.parse() {
        Ok(record) => room.prove_there(&headers, source, About::Learned(record)).await,
        Err(_) => to("/pins"),
    }
}

/// Where the browser comes back to.
pub(super) async fn back(
    State(room): State<Room>,
    Extension(Peer(source)): Extension<Peer>,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Response {
    let Some(provider) = room.provider() else { return room.no_provider() };
    let browser = room.flow_cookie(&headers);
    let flow = back
        .state
        .as_deref()
        .zip(browser.as_ref())
        .and_then(|(state, browser)| room.flows.take(&Token::of_browser(state), browser, Instant::now()));
    let Some(Flow { nonce, verifier, redirect_uri, purpose }) = flow else {
        return room.astray(source);
    };
    if let Err(denied) = room.door.returning(source) {
        return too_many(denied);
    }
    let (Some(code), None) = (back.code, back.error) else {
        room.count_refused(source);
        return failed("The identity provider did not let you sign in.");
    };
    let finish = ProviderFinish {
        redirect_uri,
        code,
        issuer: back.iss,
        nonce: nonce.as_str().to_owned(),
        verifier: verifier.as_str().to_owned(),
    };
    match (provider.finish)(finish).await {
        Ok(vouched) => room.let_in(source, vouched, &purpose),
        Err(why) => {
            room.count_refused(source);
            failed(&format!("{why}."))
        }
    }
}

impl Room {
    /// The provider, where what is sent to and fro is private.
    pub(super) fn provider(&self) -> Option<&IdentityProvider> {
        self.review.provider.as_ref().filter(|_| self.is_private)
    }

    /// Whoever returns to nothing. One with a flow of their own waits for nobody's tries to guess it.
    fn astray(&self, source: IpAddr) -> Response {
        match self.door.astray(source) {
            Denied::Wrong => {
                self.count_refused(source);
                failed(
                    "This sign-in did not begin in this browser, was used already, or took longer than ten minutes.",
                )
            }
            denied @ Denied::Wait(_) => too_many(denied),
        }
    }

    fn no_provider(&self) -> Response {
        problem(StatusCode::NOT_FOUND, "Nobody signs in here by an identity provider.")
    }

    async fn prove_there(&self, headers: &HeaderMap, source: IpAddr, about: About) -> Response {
        let Some(visitor) = self.visitor(headers) else { return to("/sign-in") };
        if !visitor.session.user.is_vouched() {
            return to(&about.page());
        }
        self.send_there(headers, source, Purpose::Prove(visitor.token.digest(), about)).await
    }

    async fn send_there(&self, headers: &HeaderMap, source: IpAddr, purpose: Purpose) -> Response {
        let Some(provider) = self.provider() else { return self.no_provider() };
        // A page of elsewhere begins nothing here.
        let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
        if !matches!(site, None | Some("same-origin" | "none")) {
            return problem(StatusCode::FORBIDDEN, "Begin to sign in on a page of this console.");
        }
        if let Err(denied) = self.door.beginning(source) {
            return too_many(denied);
        }
        let tokens = (Token::new(), Token::new(), Token::new(), Token::new());
        let (Ok(state), Ok(browser), Ok(nonce), Ok(verifier)) = tokens else {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "The system gives no random bytes.");
        };
        // Of names that lead here, which was looked at before any page was.
        let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else {
            return problem(StatusCode::BAD_REQUEST, "The request names no host.");
        };
        let redirect_uri = format!("{}://{host}{CALLBACK}", self.scheme());
        let begin = ProviderBegin {
            redirect_uri: redirect_uri.clone(),
            state: state.as_str().to_owned(),
            nonce: nonce.as_str().to_owned(),
            challenge: URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_str())),
            afresh: matches!(purpose, Purpose::Prove(..)),
        };
        match (provider.begin)(begin).await {
            Ok(url) => {
                let flow = Flow { nonce, verifier, redirect_uri, purpose };
                self.flows.begin(&state, &browser, source, flow, Instant::now());
                with_cookie(to(&url), &self.flow_cookie_of(&browser))
            }
            Err(why) => problem(
                StatusCode::BAD_GATEWAY,
                &format!("{why}. Users of this gateway's own file can sign in all the same."),
            ),
        }
    }

    fn let_in(&self, source: IpAddr, vouched: Vouched, purpose: &Purpose) -> Response {
        let Vouched { who, name, role, auth_time } = vouched;
        let person = Person::vouched(Arc::clone(&who), Arc::clone(&name), vec![role]);
        match purpose {
            Purpose::SignIn(next, before) => {
                let Ok(token) = Token::new() else {
                    return problem(StatusCode::SERVICE_UNAVAILABLE, "The system gives no random bytes.");
                };
                self.door.returned(source);
                self.tell_signed_in(source, &who, role, Proof::Provider);
                if let Some(before) = before {
                    self.sessions.end_at(before);
                }
                self.sessions.begin(&token, person, Instant::now());
                let target = next.map_or("/".to_owned(), |incident| format!("/quarantine/{incident}"));
                with_cookie(came_back(&name, target), &self.cookie_of(&token))
            }
            Purpose::Prove(session, about) => {
                let proved = if is_fresh(auth_time) {
                    self.sessions.prove(session, person, *about, Instant::now())
                } else {
                    Err("The identity provider did not ask you to prove who you are again.")
                };
                match proved {
                    Ok(()) => self.door.returned(source),
                    Err(why) => {
                        self.count_refused(source);
                        let refused = Told::Refused {
                            why: why.to_owned(),
                            act: super::Act::Approve,
                            reason: String::new(),
                        };
                        self.sessions.tell_at(session, *about, refused);
                    }
                }
                came_back(&name, about.page())
            }
        }
    }
}

/// A page that goes on by itself. A redirect would be part of a way that began elsewhere, on which browsers leave out the cookie
/// of the session (`SameSite=Strict`).
fn came_back(name: &str, target: String) -> Response {
    page(StatusCode::OK, &BackPage { name: Text::of(name), target })
}

fn failed(why: &str) -> Response {
    problem(StatusCode::FORBIDDEN, &format!("Not signed in. {why}"))
}

fn too_many(denied: Denied) -> Response {
    let (status, text) = said(denied);
    retried_after(problem(status, &text), denied)
}

fn is_fresh(auth_time: Option<u64>) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = auth_time.map(Duration::from_secs);
    at.is_some_and(|at| now < at.saturating_add(FRESH) && at < now + LEEWAY)
}
