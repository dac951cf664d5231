//! One item: the facts, who asked, how it came, what the URL served before, and the decision.

use std::time::Instant;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use pinfold_policy::decisions::Basis;
use pinfold_policy::verdict::Outcome;
use pinfold_store::incident::Incident;
use pinfold_store::item::{Agreement, Item, ItemState, LastDecision, MAX_CLIENTS};
use pinfold_store::path::RefusedMark;
use pinfold_triage::DifferenceAsked;
use serde::Deserialize;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::answer::{page, problem, to, trouble};
use super::decide::Answered;
use super::evidence::{Evidence, Served, Triage};
use super::picture::{Column, columns};
use super::queue::beside;
use super::routes::{Room, Visitor};
use super::triage::{Names, Piece, Triaged, Weight, query};
use super::words::{ago, counted, minute, path_rows, size, state_mark};
use crate::door::{About, Person};
use crate::text::Text;

/// A URL of more bytes stands smaller, so that the facts below it are in sight. It is never cut: its end is the attacker's, too.
pub(super) const LONG: usize = 160;
/// Rows of clients on one page.
const ASKERS: usize = 50;
/// Bodies of the timeline.
const HISTORY: usize = 20;

#[derive(Template)]
#[template(path = "item.html")]
struct ItemPage {
    user: Text,
    form: String,
    incident: String,
    here: String,
    diff: Option<String>,
    body: Option<String>,
    /// Where both texts are read as they came.
    texts: Option<String>,
    url: Text,
    is_long: bool,
    state: &'static str,
    mark: &'static str,
    reason: &'static str,
    facts: Vec<Fact>,
    notes: Vec<Text>,
    said: Vec<Text>,
    warnings: Vec<Text>,
    refused: Option<Text>,
    drafts: [Text; 2],
    may_decide: bool,
    /// Whether the provider, and not a password, shows who approves; and whether it just has.
    is_vouched: bool,
    has_proved: bool,
    is_open: bool,
    /// Whether its forms are for changing a mind, and folded.
    is_decided: bool,
    shown: String,
    approve_effect: Text,
    reject_effect: Text,
    clients: String,
    asked: String,
    columns: Vec<Column>,
    has_hours: bool,
    askers: Vec<Asker>,
    more_askers: usize,
    paths: Vec<PathRow>,
    then: Option<String>,
    history: Vec<Past>,
    triage: Triaged,
    /// Whether the forms are there for who reads the difference.
    leads_to_forms: bool,
    stakes: Vec<Fact>,
    next: Option<String>,
    previous: Option<String>,
}

pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) values: Vec<Text>,
    pub(super) is_code: bool,
}

impl Fact {
    pub(super) fn word(name: &'static str, text: &str) -> Self {
        Self { name, values: vec![Text::of(text)], is_code: false }
    }

    pub(super) fn code(name: &'static str, texts: &[String]) -> Self {
        Self { name, values: texts.iter().map(|text| Text::of(text)).collect(), is_code: true }
    }
}

struct Asker {
    client: Text,
    user: Text,
    times: u64,
    last: String,
    page: Text,
    agent: Text,
}

struct PathRow {
    name: &'static str,
    now: Text,
    then: Option<Text>,
    differs: bool,
}

struct Past {
    digest: String,
    is_this: bool,
    incident: Option<String>,
    outcome: &'static str,
    /// Whether clients were sent it.
    sent: &'static str,
    first: String,
    last: String,
    times: String,
    x: i64,
    width: i64,
}

/// How an item is shown.
#[derive(Deserialize)]
pub(super) struct View {
    /// `shown`: lines of the difference, too, that differ by names of local variables alone.
    names: Option<String>,
    /// Which part of the difference, from 1.
    part: Option<usize>,
}

impl View {
    fn asked(&self) -> DifferenceAsked {
        DifferenceAsked::of(self.names.as_deref() == Some("shown"), self.part)
    }
}

pub(super) async fn show(
    State(room): State<Room>,
    headers: HeaderMap,
    Path(incident): Path<String>,
    Query(view): Query<View>,
) -> Response {
    let Ok(incident) = incident.parse::<Incident>() else { return none() };
    let Some(visitor) = room.visitor(&headers) else { return to(&format!("/sign-in?next={incident}")) };
    match (room.review.evidence)((incident, view.asked())).await {
        Ok(Some(evidence)) => {
            let about = About::Item(evidence.item.incident);
            let answered = Answered::of(room.sessions.told(&visitor.token, about));
            // Whatever keeps this from being known, the page is there.
            let beside = beside(&room, &evidence.item, !answered.said.is_empty()).await.unwrap_or_default();
            page(StatusCode::OK, &item_page(&room, &visitor, &evidence, &view, (answered, beside)))
        }
        Ok(None) => none(),
        Err(why) => trouble(&why),
    }
}

/// The bytes, as nothing that any browser would show or run.
pub(super) async fn body(
    State(room): State<Room>,
    headers: HeaderMap,
    Path(incident): Path<String>,
) -> Response {
    let Ok(incident) = incident.parse::<Incident>() else { return none() };
    if room.visitor(&headers).is_none() {
        return to("/sign-in");
    }
    let bytes = match downloaded((room.review.body)(incident)).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return none(),
        Err(why) => return trouble(&why),
    };
    inert(&incident.to_string(), bytes)
}

/// Bytes as a file that no browser shows or runs.
pub(crate) fn inert(name: &str, bytes: Downloaded) -> Response {
    let inert = HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'");
    let name = format!("attachment; filename=\"{name}.quarantined\"");
    let fields = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_SECURITY_POLICY, inert),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment")),
        ),
    ];
    (fields, Bytes::from_owner(bytes)).into_response()
}

/// How many bodies are handed out at one time: each is in memory until the last of it has gone.
static DOWNLOADS: Semaphore = Semaphore::const_new(4);

/// A body that is handed out, and its place among them.
pub(crate) struct Downloaded {
    bytes: Vec<u8>,
    _place: SemaphorePermit<'static>,
}

impl AsRef<[u8]> for Downloaded {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body if there is a place for it.
pub(crate) async fn downloaded(
    read: impl Future<Output = Result<Option<Vec<u8>>, String>>,
) -> Result<Option<Downloaded>, String> {
    let place = place()?;
    Ok(read.await?.map(|bytes| Downloaded { bytes, _place: place }))
}

/// A place among those that have bodies in memory.
pub(super) fn place() -> Result<SemaphorePermit<'static>, String> {
    let taken = "as many bodies as may be are being read or downloaded: try again in a moment";
    DOWNLOADS.try_acquire().map_err(|_| taken.to_owned())
}

pub(super) fn none() -> Response {
    problem(StatusCode::NOT_FOUND, "There is no such item in quarantine. What was blocked is not kept.")
}

fn item_page(
    room: &Room,
    visitor: &Visitor,
    evidence: &Evidence,
    view: &View,
    (answered, [previous, next]): (Answered, [Option<Incident>; 2]),
) -> ItemPage {
    let Evidence { item, now, .. } = evidence;
    let about = About::Item(item.incident);
    let Answered { said, warnings, refused, drafts } = answered;
    ItemPage {
        user: Text::of(&visitor.session.user.name),
        form: room.forms.token(Some(&visitor.token)),
        incident: item.incident.to_string(),
        here: format!("/quarantine/{}{}", item.incident, query(view.asked())),
        diff: Some(format!("quarantine diff {}", item.incident)),
        body: item.body_kept.then(|| format!("/quarantine/{}/body", item.incident)),
        texts: item.body_kept.then(|| format!("/quarantine/{}/text", item.incident)),
        url: Text::of(&item.url),
        is_long: item.url.len() > LONG,
        state: item.state.as_str(),
        mark: state_mark(item.state),
        reason: item.reason.text(),
        facts: facts(evidence),
        notes: notes(evidence),
        said,
        warnings,
        refused,
        drafts,
        may_decide: visitor.session.user.may_decide(),
        is_vouched: visitor.session.user.is_vouched(),
        has_proved: visitor.session.has_proved(about, Instant::now()),
        is_open: item.state != ItemState::Revoked,
        is_decided: item.state != ItemState::Waiting,
        shown: RefusedMark::all_shown(&evidence.marks),
        approve_effect: approve_effect(evidence, &visitor.session.user),
        reject_effect: reject_effect(evidence),
        clients: clients(item),
        asked: counted(item.asked, "time"),
        columns: columns(&evidence.day.hours),
        has_hours: evidence.day.hours.iter().any(|count| *count > 0),
        askers: askers(evidence),
        more_askers: evidence.asked_by.len().saturating_sub(ASKERS),
        paths: paths(evidence),
        then: evidence.path_then.as_ref().map(|(_, at)| ago(*at, *now)),
        history: history(evidence),
        triage: Triaged::of(&evidence.triage, *now),
        leads_to_forms: visitor.session.user.may_decide() && item.state == ItemState::Waiting,
        stakes: stakes(evidence),
        next: next.map(|incident| incident.to_string()),
        previous: previous.map(|incident| incident.to_string()),
    }
}

/// How many clients asked for it, as far as they are told apart.
fn clients(item: &Item) -> String {
    let at_least = if item.clients >= MAX_CLIENTS { "at least " } else { "" };
    format!("{at_least}{}", counted(item.clients, "client"))
}

/// Whom it concerns, and what is to be done about it.
fn stakes(evidence: &Evidence) -> Vec<Fact> {
    let Evidence { item, day, .. } = evidence;
    let got = match evidence.got {
        0 => "nobody in the last week: they were refused, or got what is verified".to_owned(),
        got => format!("{} in the last week", counted(got, "client")),
    };
    let mut stakes = vec![
        Fact::word("Asked for it", &format!("{}, {} in all", clients(item), counted(item.asked, "time"))),
        Fact::word("Got it", &got),
    ];
    if let Some(decided) = &item.decided {
        stakes.push(Fact::word("Last decision", &decision(decided)));
    }
    if item.state == ItemState::Waiting {
        let asked = counted(day.clients, "client");
        let would =
            format!("once approved: the {asked} that asked here in the last day, and whoever asks next");
        stakes.push(Fact::word("Would get it", &would));
        stakes.push(Fact::word("What to do", evidence.triage.advice()));
    }
    stakes
}

fn facts(evidence: &Evidence) -> Vec<Fact> {
    let Evidence { item, now, .. } = evidence;
    let word = |name, text: String| Fact::word(name, &text);
    let code = |name, texts: Vec<String>| Fact::code(name, &texts);
    let mut facts = vec![word("Vendor", item.vendor.as_deref().unwrap_or("none claims the host").to_owned())];
    if item.subject != item.url {
        facts.push(code("A decision holds for", vec![item.subject.to_string()]));
    }
    facts.push(code("Refused as", vec![item.reason.code().to_owned()]));
    facts.push(code("Digest", vec![item.digest.to_string(), item.digest.to_hex()]));
    if let Triage::Done { verified: Some(verified), .. } = &evidence.triage {
        facts.push(code("Compared with", vec![verified.digest.to_string()]));
    }
    facts.push(pinned(evidence.pinned.as_deref()));
    let media_type = item.media_type.as_deref().unwrap_or("no media type");
    let kept = if item.body_kept { "kept" } else { "not kept: there was no room for it" };
    facts.push(word("Body", format!("{}, {}, {media_type}; {kept}", size(item.len), item.kind)));
    facts.push(word("First seen", format!("{} UTC, {}", minute(item.first), ago(item.first, *now))));
    facts.push(word("Last seen", format!("{} UTC, {}", minute(item.last), ago(item.last, *now))));
    if !evidence.vendor_now.is_empty() {
        facts.push(code("The vendor serves now", evidence.vendor_now.clone()));
    }
    facts.push(word("Approvals", approvals(item.agreement.as_ref(), evidence.approvers)));
    facts
}

/// What the files pin there, as far as they can be read.
pub(super) fn pinned(pinned: Option<&[String]>) -> Fact {
    match pinned {
        None => Fact::word("Pinned here", "the pins cannot be read: 'pinfold check' says why"),
        Some([]) => Fact::word("Pinned here", "nothing: this URL has no pin"),
        Some(pinned) => Fact::code("Pinned here", pinned),
    }
}

/// How many stand behind it so far, or must.
pub(super) fn approvals(agreement: Option<&Agreement>, needed: u32) -> String {
    match agreement {
        Some(agreement) => format!(
            "{} of {}, by {}; none of these counts again",
            agreement.by.len(),
            agreement.needed,
            agreement.by.join(", ")
        ),
        None => format!("{needed} needed"),
    }
}

pub(super) fn decision(decided: &LastDecision) -> String {
    let by = match decided.basis {
        Basis::Reviewed => &*decided.who,
        Basis::Cooldown => "the rule cooldown",
        Basis::Learned => "nobody: it was learned",
    };
    let until = decided.expires.map(|end| format!(", until {} UTC", minute(end))).unwrap_or_default();
    let reason = if decided.reason.is_empty() { "no reason given" } else { &decided.reason };
    format!("by {by}, {} UTC{until}: {reason}", minute(decided.at))
}

/// What a reviewer must not miss.
fn notes(evidence: &Evidence) -> Vec<Text> {
    let marks = evidence.marks.iter().map(|mark| {
        format!(
            "{} was never reached so before: {} {}. Approving these bytes admits that path, for all URLs there.",
            mark.host, mark.aspect, mark.value
        )
    });
    marks.chain(evidence.conflicts.iter().cloned()).map(|note| Text::of(&note)).collect()
}

fn approve_effect(evidence: &Evidence, user: &Person) -> Text {
    let (item, day) = (&evidence.item, &evidence.day);
    let has_approved =
        item.agreement.as_ref().is_some_and(|agreement| agreement.by.iter().any(|who| user.is(who)));
    let so_far = item.agreement.as_ref().map_or(0, |agreement| agreement.by.len() as u64);
    let missing = u64::from(evidence.approvers).saturating_sub(so_far);
    let first = if has_approved {
        format!("You have approved it: {} must too, and yours counts once. Then it ", others(missing))
    } else if missing > 1 {
        format!(
            "It takes {} to release it; until then nothing changes. Then it ",
            counted(missing, "approval")
        )
    } else {
        "It ".to_owned()
    };
    let asked = counted(day.clients, "client");
    Text::of(&format!(
        "{first}will be served as {} at {} to the {asked} that asked for it in the last day, and to whoever asks next.",
        item.kind, item.subject
    ))
}

pub(super) fn others(missing: u64) -> String {
    if missing == 1 { "1 other person".to_owned() } else { format!("{missing} other people") }
}

fn reject_effect(evidence: &Evidence) -> Text {
    let asked = counted(evidence.day.clients, "client");
    Text::of(&format!(
        "These bytes will be refused at {} whatever the vendor does; {asked} asked there in the last day. Other bytes, and \
         other URLs, are judged as before.",
        evidence.item.subject
    ))
}

fn askers(evidence: &Evidence) -> Vec<Asker> {
    let asker = |asked: &pinfold_store::item::AskedBy| Asker {
        client: asked.address.into(),
        user: Text::of(asked.user.as_deref().unwrap_or("–")),
        times: asked.count,
        last: ago(asked.last, evidence.now),
        page: Text::of(asked.page.as_deref().unwrap_or("no page named")),
        agent: Text::of(asked.user_agent.as_deref().unwrap_or("no user agent named")),
    };
    evidence.asked_by.iter().take(ASKERS).map(asker).collect()
}

fn paths(evidence: &Evidence) -> Vec<PathRow> {
    let Some(now) = &evidence.item.path else { return Vec::new() };
    let then = evidence.path_then.as_ref().map(|(path, _)| path_rows(path).map(|(_, text)| text));
    let mut then = then.into_iter().flatten();
    let rows = path_rows(now).into_iter();
    rows.map(|(name, now)| {
        let then = then.next();
        let differs = then.as_ref().is_some_and(|then| *then != now);
        PathRow { name, now, then, differs }
    })
    .collect()
}

/// Each body as a bar over the time in which it was served.
fn history(evidence: &Evidence) -> Vec<Past> {
    let start = evidence.history.iter().map(|served| served.first).min().unwrap_or(evidence.now);
    let span = evidence.now.duration_since(start).as_secs().max(1);
    let x = |time: Timestamp| time.duration_since(start).as_secs().clamp(0, span) * 1000 / span;
    let past = |served: &Served| Past {
        digest: served.digest.to_string(),
        is_this: served.digest == evidence.item.digest,
        incident: served.incident.map(|incident| incident.to_string()),
        outcome: served.outcome.as_str(),
        sent: sent(served.outcome),
        first: minute(served.first),
        last: minute(served.last),
        times: counted(served.count, "time"),
        x: x(served.first).min(988),
        width: (x(served.last) - x(served.first)).max(12),
    };
    evidence.history.iter().take(HISTORY).map(past).collect()
}

fn sent(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Verified => "went out",
        Outcome::Observed => "went out, though nobody has verified it",
        Outcome::Substituted => "went out in place of what was refused",
        Outcome::Blocked | Outcome::Quarantined => "did not go out",
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn no_more_bodies_are_in_memory_than_there_are_places_however_many_are_downloaded() {
        let read = || downloaded(async { Ok(Some(vec![1])) }).now_or_never().unwrap();
        let mut all: Vec<_> = (0..4).map(|_| read().unwrap()).collect();
        assert!(read().is_err());
        all.pop();
        assert!(read().is_ok(), "when one has gone, there is a place for another");
    }
}
