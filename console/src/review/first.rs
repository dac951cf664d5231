//! The way in while nobody may sign in yet: a link that was printed once, to whoever started the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pinfold_policy::user::{Users, check_name};
use serde::Deserialize;

use super::answer::{page, problem};
use super::routes::Room;
use crate::door::Token;

/// The link holds for so long.
const HOLDS_FOR: Duration = Duration::from_secs(60 * 60);
/// The shortest password, in characters, of who may decide (NIST SP 800-63B §3.1.1.2).
const SHORTEST: usize = 8;
/// The longest, in bytes.
const LONGEST: usize = 512;

/// A link that makes the first user.
#[derive(Clone)]
pub struct FirstLink {
    token: Arc<Token>,
    made: Instant,
    used: Arc<AtomicBool>,
}

impl FirstLink {
    /// A new one. None where the system has no random bytes: then it is done by the command.
    #[must_use]
    pub fn new() -> Option<Self> {
        let token = Arc::new(Token::new().ok()?);
        Some(Self { token, made: Instant::now(), used: Arc::default() })
    }

    /// What follows the console's origin.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/first-start?token={}", self.token.as_str())
    }

    /// Whether this is its token, it still holds, and nobody has used it or may sign in otherwise.
    pub(super) fn opens(&self, token: &str, users: Option<&Users>) -> bool {
        self.token.is(&Token::of_browser(token))
            && self.made.elapsed() < HOLDS_FOR
            && !self.used.load(Ordering::Relaxed)
            && !users.is_some_and(|users| users.all().iter().any(|user| user.may_look()))
    }

    /// Takes it, so that nobody else can. False where somebody was faster.
    fn take(&self) -> bool {
        !self.used.swap(true, Ordering::Relaxed)
    }

    /// It was not used after all.
    fn give_back(&self) {
        self.used.store(false, Ordering::Relaxed);
    }
}

#[derive(Template)]
#[template(path = "first.html")]
struct FirstPage<'a> {
    token: &'a str,
    form: String,
    trouble: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
pub(super) struct Filled {
    token: String,
    form: String,
    name: String,
    password: String,
    again: String,
}

pub(super) async fn show(State(room): State<Room>, Query(asked): Query<Asked>) -> Response {
    match room.first_link(&asked.token) {
        Some(_) => form(&room, &asked.token, None),
        None => spent(),
    }
}

pub(super) async fn fill(
    State(room): State<Room>,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Response {
    if !room.forms.are_ours(&headers, None, &filled.form) {
        return problem(StatusCode::FORBIDDEN, "This form did not come from a page of this console.");
    }
    let Some(link) = room.first_link(&filled.token) else { return spent() };
    if let Err(trouble) = check(&filled) {
        return form(&room, &filled.token, Some(trouble));
    }
    if !link.take() {
        return spent();
    }
    match (room.review.add_first)((filled.name, filled.password)).await {
        Ok(()) => problem(StatusCode::OK, "The first user is written. Sign in with that name and password."),
        Err(trouble) => {
            link.give_back();
            form(&room, &filled.token, Some(trouble))
        }
    }
}

fn check(filled: &Filled) -> Result<(), String> {
    check_name(&filled.name).map_err(|error| format!("the name {error}"))?;
    let password = &filled.password;
    if password != &filled.again {
        return Err("the two passwords differ".to_owned());
    }
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(format!("a password has {SHORTEST} characters or more, and {LONGEST} bytes at most"));
    }
    if password.chars().any(char::is_control) {
        return Err("the password holds a control character".to_owned());
    }
    Ok(())
}

fn form(room: &Room, token: &str, trouble: Option<String>) -> Response {
    let status = if trouble.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    page(status, &FirstPage { token, form: room.forms.token(None), trouble })
}

fn spent() -> Response {
    let text = "This link does not hold any more: somebody may sign in by now, or an hour has passed. 'pinfold user add NAME \
                --role reviewer' adds one, and the next start prints another link while there is none.";
    problem(StatusCode::GONE, text)
}
