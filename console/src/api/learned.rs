//! What was learned, and what people say of it.

use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answers::{Asked, MOST_ITEMS, Named, Screen, read, said};
use super::bearer::Bearer;
use super::command::{Command, LearnedAsked, Printed};
use super::problem::{problem, trouble};
use super::schema::{
    LearnedActAsked, LearnedDecidedShown, LearnedDecisionAsked, LearnedEvidenceShown, LearnedPart,
    LearnedTriageShown, Problem,
};
use crate::review::{Room, downloaded, inert};
use crate::{Act, LearnedDecision, Who};

/// For what has no other form than JSON.
const PLAIN: Screen = Screen::plain();

/// Which part of what was learned.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// What was learned at this URL alone.
    at: Option<String>,
    /// Only those behind this record, as `next` names it.
    after: Option<u64>,
    /// How many at most.
    limit: Option<usize>,
}

/// What was learned and nobody has confirmed, in the order in which it was.
#[utoipa::path(get, path = "/pins/learned", params(Part), security(("token" = [])), responses(
    (status = 200, body = LearnedPart),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn learned(State(room): State<Room>, Asked(part): Asked<Part>) -> Response {
    let Part { at, after, limit } = part;
    let limit = limit.unwrap_or(MOST_ITEMS).clamp(1, MOST_ITEMS);
    said(&room, Command::Learned(LearnedAsked { at, after, limit }), PLAIN).await
}

/// All that is known of what was learned by a record.
#[utoipa::path(get, path = "/pins/learned/{record}", params(("record" = u64, Path)), security(("token" = [])),
responses(
    (status = 200, body = LearnedEvidenceShown),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn learned_pin(State(room): State<Room>, Named(record): Named) -> Response {
    let Ok(record) = record.parse() else { return none() };
    said(&room, Command::LearnedEvidence(record), PLAIN).await
}

/// All that it does. 503 with `Retry-After` while that is worked out.
#[utoipa::path(get, path = "/pins/learned/{record}/triage", params(("record" = u64, Path)), security(("token" = [])),
responses(
    (status = 200, body = LearnedTriageShown),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn triage(State(room): State<Room>, Named(record): Named) -> Response {
    let Ok(record) = record.parse() else { return none() };
    said(&room, Command::LearnedTriage(record), PLAIN).await
}

/// The bytes, decoded: nobody has looked at them.
#[utoipa::path(get, path = "/pins/learned/{record}/body", params(("record" = u64, Path)), security(("token" = [])),
responses(
    (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn body(State(room): State<Room>, Named(record): Named) -> Response {
    let Ok(record) = record.parse::<u64>() else { return none() };
    match downloaded((room.review.learned_body)(record)).await {
        Ok(Some(bytes)) => inert(&format!("learned-{record}"), bytes),
        Ok(None) => problem(
            StatusCode::NOT_FOUND,
            "nothing was learned by this record, or its body is not kept",
            None,
        ),
        Err(why) => trouble(&why),
    }
}

/// Confirms it, or drops it: then it is refused, and nothing is learned there any more.
#[utoipa::path(post, path = "/pins/learned/{record}/decision", params(("record" = u64, Path), Screen),
security(("token" = [])), request_body = LearnedDecisionAsked, responses(
    (status = 200, content((LearnedDecidedShown = "application/json"), (Printed = "application/vnd.pinfold.printed+json"))),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn decide(
    State(room): State<Room>,
    Extension(bearer): Extension<Bearer>,
    Named(record): Named,
    Asked(screen): Asked<Screen>,
    request: Request,
) -> Response {
    if let Some(refused) = bearer.refused() {
        return refused;
    }
    let Ok(record) = record.parse() else { return none() };
    let hint = "it has act (confirm or drop), reason, and may have expires";
    let asked: LearnedDecisionAsked = match read(request, hint).await {
        Ok(asked) => asked,
        Err(problem) => return problem,
    };
    let act = match asked.act {
        LearnedActAsked::Confirm => Act::Approve,
        LearnedActAsked::Drop => Act::Reject,
    };
    let Bearer { user, token, .. } = bearer;
    let who = Who::Program { user, token };
    let decision = LearnedDecision { record, act, who, reason: asked.reason, expires: asked.expires };
    said(&room, Command::Say(decision), screen).await
}

fn none() -> Response {
    problem(StatusCode::NOT_FOUND, "nothing was learned by this record", None)
}
