//! A decision, by the form on an item's page.

use std::time::Instant;

use axum::Form;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pinfold_store::incident::Incident;
use serde::Deserialize;

use super::answer::{problem, to};
use super::routes::{Peer, Room, Visitor};
use super::sign_in::{not_ours, seconds};
use super::words::sentence;
use super::{Act, Decision, Done, Told};
use crate::door::{About, Denied, Trying};
use crate::text::Text;

/// What was filled in.
#[derive(Deserialize)]
pub(super) struct Filled {
    form: String,
    pub(super) act: String,
    pub(super) reason: String,
    #[serde(default)]
    pub(super) expires: String,
    #[serde(default)]
    shown: String,
    /// Of whoever decides, again: what is released must not hang on a browser that somebody left open.
    #[serde(default)]
    pub(super) password: String,
}

pub(super) async fn decide(
    State(room): State<Room>,
    Extension(Peer(source)): Extension<Peer>,
    Path(incident): Path<String>,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Response {
    let visitor = match room.decider(&headers, &filled) {
        Ok(visitor) => visitor,
        Err(answer) => return answer,
    };
    let (Ok(incident), Some(act)) = (incident.parse::<Incident>(), act(&filled.act)) else {
        return problem(StatusCode::NOT_FOUND, "There is no such item, or nothing of that kind to decide.");
    };
    let about = About::Item(incident);
    let told = match room.prove(&visitor, about, act, source, &filled.password).await {
        Err(why) => Told::Refused { why, act, reason: filled.reason },
        Ok(()) => room.carry_out(&visitor, incident, act, filled).await,
    };
    room.sessions.tell(&visitor.token, about, told);
    to(&about.page())
}

pub(super) fn act(text: &str) -> Option<Act> {
    match text {
        "approve" => Some(Act::Approve),
        "reject" => Some(Act::Reject),
        _ => None,
    }
}

/// What somebody is told who is signed in and did not prove again who they are.
fn not_proved(denied: Denied, name: &str, about: About) -> String {
    let verb = match about {
        About::Item(_) => "approve",
        About::Learned(_) => "confirm",
    };
    match denied {
        Denied::Wrong => format!(
            "This was not the password of {name}. To {verb}, type the password again with which you signed in here, in the form \
             below: it shows that it is you, and not somebody at a browser that you left open. The reason that you wrote is \
             still there."
        ),
        Denied::Wait(wait) => format!(
            "The password was wrong too often. Wait {} s, then type the password with which you signed in here, and {verb} again. \
             You stay signed in, and the reason that you wrote is still there.",
            seconds(wait)
        ),
    }
}

/// What became of the last decision, for the page that it was made on.
#[derive(Default)]
pub(super) struct Answered {
    pub(super) said: Vec<Text>,
    pub(super) warnings: Vec<Text>,
    pub(super) refused: Option<Text>,
    /// The reasons that were typed for naught: of an approval, and of a rejection.
    pub(super) drafts: [Text; 2],
}

impl Answered {
    pub(super) fn of(told: Option<Told>) -> Self {
        let all = |lines: &[String]| lines.iter().map(|line| Text::of(&sentence(line))).collect();
        match told {
            None => Self::default(),
            Some(Told::Done(Done { said, warnings })) => {
                Self { said: all(&said), warnings: all(&warnings), ..Self::default() }
            }
            Some(Told::Refused { why, act, reason }) => Self {
                refused: Some(Text::of(&sentence(&why))),
                drafts: match act {
                    Act::Approve => [Text::of(&reason), Text::default()],
                    Act::Reject => [Text::default(), Text::of(&reason)],
                },
                ..Self::default()
            },
        }
    }
}

impl Room {
    /// Who decides by this form.
    ///
    /// # Errors
    /// What they are answered who may not, or whose form is not one of theirs.
    #[expect(clippy::result_large_err, reason = "the error is the answer, and goes out as it is")]
    pub(super) fn decider(&self, headers: &HeaderMap, filled: &Filled) -> Result<Visitor, Response> {
        let Some(visitor) = self.visitor(headers) else { return Err(to("/sign-in")) };
        if !self.forms.are_ours(headers, Some(&visitor.token), &filled.form) {
            return Err(not_ours());
        }
        if !visitor.session.user.may_decide() {
            let why = "A viewer looks and does not decide: that takes the role reviewer.";
            return Err(problem(StatusCode::FORBIDDEN, why));
        }
        Ok(visitor)
    }

    /// Whoever releases something proves again who they are.
    pub(super) async fn prove(
        &self,
        visitor: &Visitor,
        about: About,
        act: Act,
        source: std::net::IpAddr,
        password: &str,
    ) -> Result<(), String> {
        match act {
            Act::Reject => return Ok(()),
            Act::Approve => {}
        }
        if visitor.session.user.is_vouched() {
            let has_proved = self.sessions.take_proof(&visitor.token, about, Instant::now());
            let why = "Prove at the identity provider who you are, and decide within five minutes.";
            return if has_proved { Ok(()) } else { Err(why.to_owned()) };
        }
        let name = &visitor.session.user.name;
        let proved = self.door.admit(self.users(), Trying::Session(&visitor.token), name, password).await;
        match proved {
            // As they are now: it may have waited.
            Ok(user) if user.may_decide() => Ok(()),
            Ok(_) => Err("You may not decide any more.".to_owned()),
            Err(denied) => {
                self.count_wrong(denied, source, name);
                Err(not_proved(denied, name, about))
            }
        }
    }

    async fn carry_out(&self, visitor: &Visitor, incident: Incident, act: Act, filled: Filled) -> Told {
        let Filled { reason, expires, shown, .. } = filled;
        let expires = Some(expires.trim().to_owned()).filter(|expires| !expires.is_empty());
        let who = visitor.session.user.who();
        let decision = Decision { incident, act, who, reason: reason.clone(), expires, shown };
        match (self.review.decide)(decision).await {
            Ok(done) => Told::Done(done),
            Err(why) => Told::Refused { why, act, reason },
        }
    }
}
