//! A decision, by the form on an item's page.

use axum::Form;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pinfold_store::incident::Incident;
use serde::Deserialize;

use super::answer::{problem, to};
use super::routes::{Peer, Room, Visitor};
use super::sign_in::{not_ours, said};
use super::{Act, Decision, Told};
use crate::door::Trying;

/// What was filled in.
#[derive(Deserialize)]
pub(super) struct Filled {
    form: String,
    act: String,
    reason: String,
    #[serde(default)]
    expires: String,
    #[serde(default)]
    shown: String,
    /// Of whoever decides, again: what is released must not hang on a browser that somebody left open.
    #[serde(default)]
    password: String,
}

pub(super) async fn decide(
    State(room): State<Room>,
    Extension(Peer(source)): Extension<Peer>,
    Path(incident): Path<String>,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Response {
    let Some(visitor) = room.visitor(&headers) else { return to("/sign-in") };
    if !room.forms.are_ours(&headers, Some(&visitor.token), &filled.form) {
        return not_ours();
    }
    if !visitor.session.user.may_decide() {
        return problem(
            StatusCode::FORBIDDEN,
            "A viewer looks and does not decide: that takes the role reviewer.",
        );
    }
    let (Ok(incident), Some(act)) = (incident.parse::<Incident>(), act(&filled.act)) else {
        return problem(StatusCode::NOT_FOUND, "There is no such item, or nothing of that kind to decide.");
    };
    let told = match room.prove(&visitor, act, source, &filled.password).await {
        Err(why) => Told::Refused { why, act, reason: filled.reason },
        Ok(()) => room.carry_out(&visitor, incident, act, filled).await,
    };
    room.sessions.tell(&visitor.token, incident, told);
    to(&format!("/quarantine/{incident}"))
}

fn act(text: &str) -> Option<Act> {
    match text {
        "approve" => Some(Act::Approve),
        "reject" => Some(Act::Reject),
        _ => None,
    }
}

impl Room {
    /// Whoever releases something proves again who they are.
    async fn prove(
        &self,
        visitor: &Visitor,
        act: Act,
        source: std::net::IpAddr,
        password: &str,
    ) -> Result<(), String> {
        match act {
            Act::Reject => return Ok(()),
            Act::Approve => {}
        }
        let name = &visitor.session.user.name;
        let proved = self.door.admit(self.users(), Trying::Session(&visitor.token), name, password).await;
        match proved {
            // As they are now: it may have waited.
            Ok(user) if user.may_decide() => Ok(()),
            Ok(_) => Err("You may not decide any more.".to_owned()),
            Err(denied) => {
                self.count_wrong(denied, source, name);
                Err(said(denied).1)
            }
        }
    }

    async fn carry_out(&self, visitor: &Visitor, incident: Incident, act: Act, filled: Filled) -> Told {
        let Filled { reason, expires, shown, .. } = filled;
        let expires = Some(expires.trim().to_owned()).filter(|expires| !expires.is_empty());
        let user = std::sync::Arc::clone(&visitor.session.user.name);
        let decision = Decision { incident, act, user, token: None, reason: reason.clone(), expires, shown };
        match (self.review.decide)(decision).await {
            Ok(done) => Told::Done(done),
            Err(why) => Told::Refused { why, act, reason },
        }
    }
}
