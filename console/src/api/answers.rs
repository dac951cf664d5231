//! What each path answers.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Extension, FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use pinfold_store::ExchangeRow;
use pinfold_store::incident::Incident;
use pinfold_store::item::{Item, ItemState};
use pinfold_triage::DifferenceAsked;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use super::bearer::Bearer;
use super::command::{Command, Exposing, Form, Printed, Printing};
use super::problem::{declined, problem, trouble};
use super::schema::{
    ActAsked, CheckShown, CoverageShown, DecidedShown, DecisionAsked, EvidenceShown, ExposureShown,
    LedgerPart, OutcomeCount, OverviewShown, PinShown, PinsPart, Problem, QuarantinePart, RowShown,
    SetupShown, TriageShown, UnjudgedCount, VendorShown,
};
use crate::review::{QueueFilter, Room, downloaded, in_order, inert};
use crate::{Act, Coverage, Decision, Flow, PinFilter, PinRow, Question, Source, VendorState, Who};

/// A decision has a reason in it, and no book.
const LONGEST_BODY: usize = 16 * 1024;
/// For all of it, once its head is there.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// Items of one part, unless fewer are asked for.
pub(super) const MOST_ITEMS: usize = 200;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// What a command printed, for a terminal elsewhere.
const PRINTED: HeaderValue = HeaderValue::from_static("application/vnd.pinfold.printed+json");

/// The query of a request; a problem document where it is none.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => Err(problem(StatusCode::BAD_REQUEST, &error.body_text(), None)),
        }
    }
}

/// The incident or record in a path; a problem document where it is no text.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(incident)) => Ok(Self(incident)),
            Err(error) => Err(problem(StatusCode::BAD_REQUEST, &error.body_text(), None)),
        }
    }
}

/// Whether what the command prints is wanted, and how: then the answer is what stood on its two outputs, and its exit code.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Screen {
    /// What the command prints is wanted, and in which form.
    printed: Option<PrintedAs>,
    /// Columns of the terminal.
    columns: Option<u16>,
    /// Whether it understands colours.
    #[serde(default)]
    color: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum PrintedAs {
    Json,
    Text,
    Csv,
    Markdown,
}

impl Screen {
    /// Of nobody's: the JSON of what was asked.
    pub(super) const fn plain() -> Self {
        Self { printed: None, columns: None, color: false }
    }

    fn printing(self) -> Option<Printing> {
        let form = match self.printed? {
            PrintedAs::Json => Form::Json,
            PrintedAs::Text => Form::Text,
            PrintedAs::Csv => Form::Csv,
            PrintedAs::Markdown => Form::Markdown,
        };
        Some(Printing { form, columns: self.columns, color: self.color })
    }
}

/// What a command says: its JSON, or what it would print.
pub(super) async fn said(room: &Room, command: Command, screen: Screen) -> Response {
    let printing = screen.printing();
    match (room.review.programs.commands)((command, printing.unwrap_or(Printing::JSON))).await {
        Ok(printed) if printing.is_some() => answer(&PRINTED, &printed),
        Ok(printed) => ([(header::CONTENT_TYPE, JSON)], printed.out).into_response(),
        Err(why) => declined(&why),
    }
}

fn json(shown: &impl Serialize) -> Response {
    answer(&JSON, shown)
}

fn answer(media_type: &HeaderValue, shown: &impl Serialize) -> Response {
    match serde_json::to_string(shown) {
        Ok(text) => ([(header::CONTENT_TYPE, media_type.clone())], text).into_response(),
        Err(error) => trouble(&format!("the answer cannot be written: {error}")),
    }
}

/// How the gateway fares.
#[utoipa::path(get, path = "/overview", security(("token" = [])), responses(
    (status = 200, body = OverviewShown),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn overview(State(room): State<Room>) -> Response {
    let (overview, items) = match ((room.review.overview)(()).await, (room.review.items)(()).await) {
        (Ok(overview), Ok(items)) => (overview, items),
        (Err(why), _) | (_, Err(why)) => return trouble(&why),
    };
    let [hour, day] = &overview.flows;
    let waiting = || items.iter().filter(|item| item.state == ItemState::Waiting);
    let checks = (room.shown.ready)().await.into_iter();
    json(&OverviewShown {
        last_hour: counts(hour),
        last_day: counts(day),
        coverage: covered(&(room.shown.coverage)()),
        waiting: waiting().fold(0, |count, _| count + 1),
        waiting_since: waiting().map(|item| item.first).min().map(|first| first.to_string()),
        vendors: overview.vendors.iter().map(|vendor| vendor_shown(vendor, None)).collect(),
        checks: checks.map(|check| CheckShown { name: check.name, trouble: check.trouble }).collect(),
        now: overview.now.to_string(),
    })
}

fn covered(coverage: &Coverage) -> CoverageShown {
    let unjudged = coverage.unjudged.iter();
    let mut unjudged: Vec<_> =
        unjudged.map(|(why, count)| UnjudgedCount { why: why.as_str(), count: *count }).collect();
    unjudged.sort_unstable_by_key(|unjudged| unjudged.why);
    CoverageShown { since: coverage.since.to_string(), judged: coverage.judged, unjudged }
}

/// Each verdict once.
fn counts(flow: &Flow) -> Vec<OutcomeCount> {
    let mut counts: Vec<OutcomeCount> = Vec::new();
    for (outcome, more) in &flow.outcomes {
        match counts.iter_mut().find(|count| count.verdict == outcome.as_str()) {
            Some(count) => count.count += more,
            None => counts.push(OutcomeCount { verdict: outcome.as_str(), count: *more }),
        }
    }
    counts
}

fn vendor_shown(vendor: &VendorState, rules: Option<Value>) -> VendorShown {
    VendorShown {
        name: vendor.name.to_string(),
        mode: vendor.mode,
        hosts: vendor.hosts.clone(),
        drifting: vendor.drifting,
        unreachable: vendor.unreachable,
        rules,
    }
}

/// Which part of what was kept.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// Only those behind this incident, as `next` names it.
    after: Option<String>,
    /// How many at most.
    limit: Option<usize>,
    /// `urgency`: those that the page shows first, by what they newly do as far as that is known. That order is no place to go on
    /// from: `next` is null and `after` is not taken.
    order: Option<Order>,
}

/// In which order a list comes.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// As the page has it.
    Urgency,
}

/// What was refused and kept, the newest first. With `printed` all of it, as `pinfold quarantine list` prints it.
#[utoipa::path(get, path = "/quarantine", params(QueueFilter, Part, Screen), security(("token" = [])), responses(
    (status = 200, content((QuarantinePart = "application/json"), (Printed = "application/vnd.pinfold.printed+json"))),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn quarantine(
    State(room): State<Room>,
    Asked(filter): Asked<QueueFilter>,
    Asked(part): Asked<Part>,
    Asked(screen): Asked<Screen>,
) -> Response {
    if screen.printing().is_some() {
        return said(&room, Command::List, screen).await;
    }
    let after = match part.after.as_deref().map(str::parse::<Incident>).transpose() {
        Ok(after) => after.map(|incident| incident.to_string()),
        Err(_) => return problem(StatusCode::BAD_REQUEST, "after names no incident", None),
    };
    let items = match (room.review.items)(()).await {
        Ok(items) => Arc::new(items),
        Err(why) => return trouble(&why),
    };
    let limit = part.limit.unwrap_or(MOST_ITEMS).clamp(1, MOST_ITEMS);
    let (wanted, next) = match part.order.unwrap_or_default() {
        Order::Newest => the_newest(&items, &filter, after.as_deref(), limit),
        Order::Urgency if after.is_some() => {
            return problem(StatusCode::BAD_REQUEST, "after goes with the order newest", None);
        }
        Order::Urgency => {
            let ordered = in_order(&room, &items, |item| filter.wants(item)).await;
            (ordered.iter().take(limit).map(|(item, _)| item.incident.to_string()).collect(), None)
        }
    };
    let all = match (room.review.programs.commands)((Command::List, Printing::JSON)).await {
        Ok(printed) => serde_json::from_str::<Vec<Value>>(&printed.out).unwrap_or_default(),
        Err(why) => return declined(&why),
    };
    let mut known: std::collections::HashMap<_, _> =
        all.into_iter().filter_map(|item| Some((item.get("incident")?.as_str()?.to_owned(), item))).collect();
    let items = wanted.iter().filter_map(|incident| known.remove(incident)).collect();
    json(&QuarantinePart { items, next })
}

/// So many behind one, and behind which it goes on.
fn the_newest(
    items: &[Item],
    filter: &QueueFilter,
    after: Option<&str>,
    limit: usize,
) -> (Vec<String>, Option<String>) {
    let fitting = items.iter().filter(|item| filter.wants(item)).map(|item| item.incident.to_string());
    let mut wanted: Vec<_> = fitting.filter(|one| after.is_none_or(|after| one.as_str() < after)).collect();
    wanted.sort_unstable_by(|one, other| other.cmp(one));
    let has_more = wanted.len() > limit;
    wanted.truncate(limit);
    let next = wanted.last().cloned().filter(|_| has_more);
    (wanted, next)
}

/// All the evidence of one item.
#[utoipa::path(get, path = "/quarantine/{incident}", params(("incident" = String, Path), Screen), security(("token" = [])),
responses(
    (status = 200, content((EvidenceShown = "application/json"), (Printed = "application/vnd.pinfold.printed+json"))),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn item(
    State(room): State<Room>,
    Named(incident): Named,
    Asked(screen): Asked<Screen>,
) -> Response {
    said(&room, Command::Show(incident), screen).await
}

/// What of an item is wanted.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TriageAsked {
    /// Lines of the difference, too, that differ by names of local variables alone.
    #[serde(default)]
    names: bool,
    /// Which part of the difference, from 1, where it is too long for one.
    part: Option<usize>,
}

/// What an item newly does. 503 with `Retry-After` while that is worked out.
#[utoipa::path(get, path = "/quarantine/{incident}/triage", params(("incident" = String, Path), TriageAsked, Screen),
security(("token" = [])), responses(
    (status = 200, content((TriageShown = "application/json"), (Printed = "application/vnd.pinfold.printed+json"))),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn triage(
    State(room): State<Room>,
    Named(incident): Named,
    Asked(asked): Asked<TriageAsked>,
    Asked(screen): Asked<Screen>,
) -> Response {
    let asked = DifferenceAsked::of(asked.names, asked.part);
    said(&room, Command::Diff { incident, asked }, screen).await
}

/// The bytes, decoded: hostile until proven otherwise.
#[utoipa::path(get, path = "/quarantine/{incident}/body", params(("incident" = String, Path)), security(("token" = [])),
responses(
    (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn body(State(room): State<Room>, Named(incident): Named) -> Response {
    let none = || {
        problem(StatusCode::NOT_FOUND, "there is no such item in quarantine, or its body is not kept", None)
    };
    let Ok(incident) = incident.parse::<Incident>() else { return none() };
    match downloaded((room.review.body)(incident)).await {
        Ok(Some(bytes)) => inert(&incident.to_string(), bytes),
        Ok(None) => none(),
        Err(why) => trouble(&why),
    }
}

/// Approves or rejects. An approval admits the delivery paths that `shown` stands for, and no others.
#[utoipa::path(post, path = "/quarantine/{incident}/decision", params(("incident" = String, Path), Screen),
security(("token" = [])), request_body = DecisionAsked, responses(
    (status = 200, content((DecidedShown = "application/json"), (Printed = "application/vnd.pinfold.printed+json"))),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn decide(
    State(room): State<Room>,
    Extension(bearer): Extension<Bearer>,
    Named(incident): Named,
    Asked(screen): Asked<Screen>,
    request: Request,
) -> Response {
    if let Some(refused) = bearer.refused() {
        return refused;
    }
    let Ok(incident) = incident.parse::<Incident>() else {
        return problem(StatusCode::NOT_FOUND, "there is no such item in quarantine", None);
    };
    let hint = "it has act (approve or reject), reason, and may have expires and shown";
    let asked: DecisionAsked = match read(request, hint).await {
        Ok(asked) => asked,
        Err(problem) => return problem,
    };
    let (act, shown) = match (asked.act, asked.shown) {
        (ActAsked::Approve, Some(shown)) => (Act::Approve, shown),
        (ActAsked::Approve, None) => {
            let text = "an approval needs shown, as the item has it: which delivery paths it admits";
            return problem(StatusCode::UNPROCESSABLE_ENTITY, text, None);
        }
        (ActAsked::Reject, shown) => (Act::Reject, shown.unwrap_or_default()),
    };
    let Bearer { user, token, .. } = bearer;
    let decision = Decision {
        incident,
        act,
        who: Who::Program { user, token },
        reason: asked.reason,
        expires: asked.expires,
        shown,
    };
    said(&room, Command::Decide(decision), screen).await
}

/// The body of a decision, bounded in length and time.
pub(super) async fn read<T: DeserializeOwned>(request: Request, hint: &str) -> Result<T, Response> {
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|field| field.to_str().ok());
    let is_json = media_type.and_then(|text| text.split(';').next()).map(str::trim);
    if !is_json.is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json")) {
        return Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a decision is application/json", None));
    }
    let body = match timeout(BODY_WITHIN, to_bytes(request.into_body(), LONGEST_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            let text = "this body is longer than 16 KiB, or was cut short";
            return Err(problem(StatusCode::PAYLOAD_TOO_LARGE, text, None));
        }
        Err(_) => return Err(problem(StatusCode::REQUEST_TIMEOUT, "this body took too long to come", None)),
    };
    serde_json::from_slice(&body).map_err(|error| {
        // The position alone: what stands there may be what somebody typed into the wrong field.
        let text = format!("this is no decision: see line {}, column {}", error.line(), error.column());
        problem(StatusCode::UNPROCESSABLE_ENTITY, &text, Some(hint))
    })
}

/// What is asked of the ledger.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LedgerAsked {
    /// A URL, a host, a digest, a client, a user or an incident; empty for everything.
    #[serde(default)]
    q: String,
    /// The first moment, or how long ago.
    from: Option<String>,
    /// The last moment, likewise.
    until: Option<String>,
    /// Where to go on, as `next` names it.
    before: Option<String>,
}

/// Who got what, the newest first.
#[utoipa::path(get, path = "/ledger", params(LedgerAsked), security(("token" = [])), responses(
    (status = 200, body = LedgerPart),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn ledger(State(room): State<Room>, Asked(asked): Asked<LedgerAsked>) -> Response {
    let LedgerAsked { q, from, until, before } = asked;
    let question = Question { subject: q.trim().to_owned(), since: from, until };
    match (room.review.programs.ledger)((question, before)).await {
        Ok(leaf) => json(&LedgerPart {
            taken_for: leaf.taken_for,
            rows: leaf.rows.iter().map(row).collect(),
            next: leaf.next,
        }),
        Err(why) => declined(&why),
    }
}

fn row(ExchangeRow { exchange, count, .. }: &ExchangeRow) -> RowShown {
    let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
    RowShown {
        at: exchange.at.to_string(),
        verdict: exchange.outcome.as_str(),
        reason: exchange.reason.map(|reason| reason.code()),
        client: exchange.asker.address.ip().to_string(),
        user: text(&exchange.asker.user),
        url: exchange.url.to_string(),
        page: exchange.asker.page.as_deref().map(str::to_owned),
        digest: exchange.body.map(|body| body.to_string()),
        count: *count,
        incident: exchange.incident.map(|incident| incident.to_string()),
    }
}

/// What exposure is asked for. All that is said must be met.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ExposureAsked {
    /// The bytes, by digest.
    digest: Option<String>,
    /// A URL, or a pattern.
    url: Option<String>,
    /// A host.
    host: Option<String>,
    /// A client's address.
    client: Option<String>,
    /// A user's name.
    user: Option<String>,
    /// A vendor's name.
    vendor: Option<String>,
    /// What was decided.
    verdict: Option<String>,
    /// The first moment, or how long ago.
    since: Option<String>,
    /// The last moment, likewise.
    until: Option<String>,
}

/// Who may have received something, and who was refused.
#[utoipa::path(get, path = "/exposure", params(ExposureAsked, Screen), security(("token" = [])), responses(
    (status = 200, content((ExposureShown = "application/json"), (Printed = "application/vnd.pinfold.printed+json"))),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn exposure(
    State(room): State<Room>,
    Asked(asked): Asked<ExposureAsked>,
    Asked(screen): Asked<Screen>,
) -> Response {
    let ExposureAsked { digest, url, host, client, user, vendor, verdict, since, until } = asked;
    let exposing = Exposing { digest, url, host, client, user, vendor, verdict, since, until };
    said(&room, Command::Exposure(exposing), screen).await
}

/// Which pins.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PinsAsked {
    /// A part of the URL.
    #[serde(default)]
    q: String,
    /// The vendor that claims the host.
    vendor: Option<String>,
    /// Where they come from: `file`, `approved` or `learned`.
    from: Option<String>,
    /// `soon`: only what ends within 30 days, or has ended.
    ends: Option<String>,
    /// How many to leave out, as `next` says it.
    #[serde(default)]
    after: u32,
    /// With `printed`: what was learned alone.
    #[serde(default)]
    learned: bool,
}

/// What may be served. With `printed` all of it, as `pinfold pin list` prints it.
#[utoipa::path(get, path = "/pins", params(PinsAsked, Screen), security(("token" = [])), responses(
    (status = 200, content((PinsPart = "application/json"), (Printed = "application/vnd.pinfold.printed+json"))),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn pins(
    State(room): State<Room>,
    Asked(asked): Asked<PinsAsked>,
    Asked(screen): Asked<Screen>,
) -> Response {
    if screen.printing().is_some() {
        return said(&room, Command::Pins { learned: asked.learned }, screen).await;
    }
    let source = match asked.from.as_deref().map(Source::named) {
        Some(None) => return problem(StatusCode::BAD_REQUEST, "from is file, approved or learned", None),
        Some(Some(source)) => Some(source),
        None => None,
    };
    let filter = PinFilter {
        part: asked.q.trim().to_owned(),
        vendor: asked.vendor,
        source,
        ends_soon: asked.ends.as_deref() == Some("soon"),
        skip: asked.after,
    };
    let pins = match (room.review.programs.pins)(filter).await {
        Ok(pins) => pins,
        Err(why) => return declined(&why),
    };
    let shown = u32::try_from(pins.rows.len()).unwrap_or(u32::MAX);
    json(&PinsPart {
        next: (pins.more > 0).then(|| asked.after.saturating_add(shown)),
        pins: pins.rows.into_iter().map(pin_shown).collect(),
        warning: pins.warning,
    })
}

fn pin_shown(row: PinRow) -> PinShown {
    PinShown {
        url: row.url,
        digests: row.digests,
        kind: row.kind,
        vendor: row.vendor,
        source: row.source.word(),
        learned: row.learned,
        place: row.place,
        said: row.said,
        release: row.release,
        owner: row.owner,
        expires: row.expires,
        is_over: row.is_over,
        last_asked: row.last_asked,
        vendor_now: row.now,
    }
}

/// Which of what the files do not say yet. With `printed` alone.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct BlocksAsked {
    /// What was learned alone.
    #[serde(default)]
    learned: bool,
    /// What was approved alone.
    #[serde(default)]
    approved: bool,
}

/// What was learned or approved, as blocks for a pins file.
#[utoipa::path(get, path = "/pins.toml", params(BlocksAsked, Screen), security(("token" = [])), responses(
    (status = 200, content((String = "application/toml"), (Printed = "application/vnd.pinfold.printed+json"))),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn pins_toml(
    State(room): State<Room>,
    Asked(asked): Asked<BlocksAsked>,
    Asked(screen): Asked<Screen>,
) -> Response {
    if screen.printing().is_some() {
        let BlocksAsked { learned, approved } = asked;
        return said(&room, Command::PinBlocks { learned, approved }, screen).await;
    }
    match (room.review.pins_toml)(()).await {
        Ok(toml) => ([(header::CONTENT_TYPE, "application/toml")], toml).into_response(),
        Err(why) => trouble(&why),
    }
}

/// The vendors, and the rules in force for each.
#[utoipa::path(get, path = "/vendors", security(("token" = [])), responses(
    (status = 200, body = Vec<VendorShown>),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn vendors(State(room): State<Room>) -> Response {
    let vendors = match (room.review.vendors)(()).await {
        Ok(vendors) => vendors,
        Err(why) => return trouble(&why),
    };
    let rules = |rules: &[(&'static str, String)]| {
        let rules = rules.iter().map(|(key, value)| ((*key).to_owned(), Value::from(value.as_str())));
        Value::Object(rules.collect::<Map<_, _>>())
    };
    let shown: Vec<_> =
        vendors.iter().map(|vendor| vendor_shown(&vendor.state, Some(rules(&vendor.rules)))).collect();
    json(&shown)
}

/// How clients come to use this gateway, and to trust it.
#[utoipa::path(get, path = "/setup", security(("token" = [])), responses(
    (status = 200, body = SetupShown),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn setup(State(room): State<Room>) -> Response {
    match (room.review.setup)(()).await {
        Ok(setup) => json(&SetupShown {
            root_pem: setup.root_pem,
            fingerprint: setup.fingerprint,
            instructions: setup.instructions,
            enforced: setup.enforced,
            listeners: room.shown.listeners.iter().map(ToString::to_string).collect(),
        }),
        Err(why) => trouble(&why),
    }
}
