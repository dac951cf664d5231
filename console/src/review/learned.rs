//! What was learned at one URL: what it does, and the decision whether people stand behind it.

use std::time::Instant;

use askama::Template;
use axum::Form;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use pinfold_store::item::{ItemState, LearnedPin};

use super::answer::{page, problem, to, trouble};
use super::decide::{Answered, Filled, act};
use super::evidence::Triage;
use super::item::{Fact, LONG, approvals, decision, downloaded, inert, others, pinned};
use super::routes::{Peer, Room, Visitor};
use super::triage::{Names, Piece, Triaged, Weight};
use super::words::{ago, counted, minute, size};
use super::{Act, Told, Who};
use crate::door::{About, Person};
use crate::text::Text;

/// All that is known of what was learned.
#[derive(Clone, Debug)]
pub struct LearnedEvidence {
    /// Which bytes, where, and what people have said of it.
    pub pin: LearnedPin,
    /// What the files pin at its URL, and where, in words; none where they cannot be read.
    pub pinned: Option<Vec<String>>,
    /// Who must agree before it is an approval, by number.
    pub approvers: u32,
    /// Whether its bytes are there to look at.
    pub body_kept: bool,
    /// What its body does.
    pub triage: Triage,
    /// When this is from.
    pub now: Timestamp,
}

/// What somebody says of what was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnedDecision {
    /// The record of it.
    pub record: u64,
    /// Whether it is confirmed, or dropped.
    pub act: Act,
    /// Who decides.
    pub who: Who,
    /// The written reason, as it was typed.
    pub reason: String,
    /// The last day on which it counts, as it was typed; none for ever.
    pub expires: Option<String>,
}

#[derive(Template)]
#[template(path = "learned.html")]
struct LearnedPage {
    user: Text,
    form: String,
    here: String,
    diff: Option<String>,
    body: Option<String>,
    /// There is one version, of which nothing is cut that changed.
    texts: Option<String>,
    url: Text,
    is_long: bool,
    state: &'static str,
    is_learned_alone: bool,
    facts: Vec<Fact>,
    said: Vec<Text>,
    warnings: Vec<Text>,
    refused: Option<Text>,
    drafts: [Text; 2],
    may_decide: bool,
    /// Whether the provider, and not a password, shows who confirms; and whether it just has.
    is_vouched: bool,
    has_proved: bool,
    is_open: bool,
    confirm_effect: Text,
    drop_effect: Text,
    triage: Triaged,
    leads_to_forms: bool,
}

pub(super) async fn show(
    State(room): State<Room>,
    headers: HeaderMap,
    Path(record): Path<String>,
) -> Response {
    let Some(visitor) = room.visitor(&headers) else { return to("/sign-in") };
    let Ok(record) = record.parse() else { return none() };
    match (room.review.learned)(record).await {
        Ok(Some(evidence)) => page(StatusCode::OK, &LearnedPage::of(&room, &visitor, &evidence)),
        Ok(None) => none(),
        Err(why) => trouble(&why),
    }
}

/// The bytes, as nothing that any browser would show or run.
pub(super) async fn body(
    State(room): State<Room>,
    headers: HeaderMap,
    Path(record): Path<String>,
) -> Response {
    if room.visitor(&headers).is_none() {
        return to("/sign-in");
    }
    let Ok(record) = record.parse::<u64>() else { return none() };
    match downloaded((room.review.learned_body)(record)).await {
        Ok(Some(bytes)) => inert(&format!("learned-{record}"), bytes),
        Ok(None) => problem(StatusCode::NOT_FOUND, "These bytes are not kept, or nothing was learned so."),
        Err(why) => trouble(&why),
    }
}

/// The decision: by the same form as that about an item, and with all that protects it.
pub(super) async fn decide(
    State(room): State<Room>,
    Extension(Peer(source)): Extension<Peer>,
    Path(record): Path<String>,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Response {
    let visitor = match room.decider(&headers, &filled) {
        Ok(visitor) => visitor,
        Err(answer) => return answer,
    };
    let (Ok(record), Some(act)) = (record.parse::<u64>(), act(&filled.act)) else { return none() };
    let about = About::Learned(record);
    let told = match room.prove(&visitor, about, act, source, &filled.password).await {
        Err(why) => Told::Refused { why, act, reason: filled.reason },
        Ok(()) => said(&room, &visitor, record, act, filled).await,
    };
    room.sessions.tell(&visitor.token, about, told);
    to(&about.page())
}

async fn said(room: &Room, visitor: &Visitor, record: u64, act: Act, filled: Filled) -> Told {
    let Filled { reason, expires, .. } = filled;
    let expires = Some(expires.trim().to_owned()).filter(|expires| !expires.is_empty());
    let who = visitor.session.user.who();
    match (room.review.say_of_learned)(LearnedDecision { record, act, who, reason: reason.clone(), expires })
        .await
    {
        Ok(done) => Told::Done(done),
        Err(why) => Told::Refused { why, act, reason },
    }
}

fn none() -> Response {
    problem(StatusCode::NOT_FOUND, "Nothing was learned by this record.")
}

impl LearnedPage {
    fn of(room: &Room, visitor: &Visitor, evidence: &LearnedEvidence) -> Self {
        let LearnedEvidence { pin, triage, now, .. } = evidence;
        let about = About::Learned(pin.record);
        let here = about.page();
        let Answered { said, warnings, refused, drafts } =
            Answered::of(room.sessions.told(&visitor.token, about));
        Self {
            user: Text::of(&visitor.session.user.name),
            form: room.forms.token(Some(&visitor.token)),
            diff: None,
            texts: None,
            body: evidence.body_kept.then(|| format!("{here}/body")),
            here,
            url: Text::of(&pin.subject),
            is_long: pin.subject.len() > LONG,
            state: if pin.is_learned_alone() { "learned" } else { pin.state.as_str() },
            is_learned_alone: pin.is_learned_alone(),
            facts: facts(evidence),
            said,
            warnings,
            refused,
            drafts,
            may_decide: visitor.session.user.may_decide(),
            is_vouched: visitor.session.user.is_vouched(),
            has_proved: visitor.session.has_proved(about, Instant::now()),
            is_open: pin.state != ItemState::Revoked,
            confirm_effect: confirm_effect(evidence, &visitor.session.user),
            drop_effect: drop_effect(pin),
            triage: Triaged::of(triage, *now),
            leads_to_forms: false,
        }
    }
}

fn facts(evidence: &LearnedEvidence) -> Vec<Fact> {
    let LearnedEvidence { pin, now, .. } = evidence;
    let mut facts = vec![Fact::word("Vendor", pin.vendor.as_deref().unwrap_or("none claims the host"))];
    if pin.url != pin.subject {
        facts.push(Fact::code("Seen at", &[pin.url.to_string()]));
    }
    facts.push(Fact::code("Digest", &[pin.digest.to_string(), pin.digest.to_hex()]));
    facts.push(pinned(evidence.pinned.as_deref()));
    facts.push(Fact::word("Body", &format!("{}, {}", size(pin.len), pin.kind)));
    facts.push(Fact::word("Learned", &format!("{} UTC, {}", minute(pin.at), ago(pin.at, *now))));
    facts.push(Fact::word("Approvals", &approvals(pin.agreement.as_ref(), evidence.approvers)));
    if let Some(decided) = &pin.decided {
        facts.push(Fact::word("Last decision", &decision(decided)));
    }
    facts
}

fn confirm_effect(evidence: &LearnedEvidence, user: &Person) -> Text {
    let pin = &evidence.pin;
    let so_far = pin.agreement.as_ref().map_or(&[][..], |agreement| &agreement.by);
    let has_confirmed = so_far.iter().any(|who| user.is(who));
    let missing = u64::from(evidence.approvers).saturating_sub(so_far.len() as u64);
    let until_then = if pin.is_learned_alone() { "served as learned" } else { "as it is" };
    let first = if has_confirmed {
        format!(
            "You have confirmed it: {} must too, and yours counts once. Until then it stays {until_then}. Then people ",
            others(missing)
        )
    } else if missing > 1 {
        format!("It takes {}; until then it stays {until_then}. Then people ", counted(missing, "approval"))
    } else {
        "People ".to_owned()
    };
    Text::of(&format!(
        "{first}stand behind these bytes: they are served as {} at {} as reviewed, and not as learned.",
        pin.kind, pin.subject
    ))
}

fn drop_effect(pin: &LearnedPin) -> Text {
    Text::of(&format!(
        "These bytes will be refused at {}, for everyone who asks, and nothing is learned there any more: what the vendor serves \
         there is refused until it is pinned or approved.",
        pin.subject
    ))
}
