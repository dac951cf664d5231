//! What the answers are, field by field. Those that a command prints too are serialised there; tests hold them to these.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// How the gateway fares.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OverviewShown {
    /// What was judged in the last hour.
    pub last_hour: Vec<OutcomeCount>,
    /// What was judged in the last day.
    pub last_day: Vec<OutcomeCount>,
    /// What share of all that has passed could be judged, and what the rest was.
    pub coverage: CoverageShown,
    /// Items that wait for a decision.
    pub waiting: u64,
    /// Since when the first of them has; null where none waits.
    #[schema(required)]
    pub waiting_since: Option<String>,
    /// The vendors of the files in force.
    pub vendors: Vec<VendorShown>,
    /// What must hold for the gateway to be ready.
    pub checks: Vec<CheckShown>,
    /// When this is from.
    pub now: String,
}

/// How often something was judged so.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutcomeCount {
    /// The verdict.
    pub verdict: &'static str,
    /// How often.
    pub count: u64,
}

/// What could be judged since the gateway's start, and what could not.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CoverageShown {
    /// The gateway's start.
    pub since: String,
    /// Exchanges that were judged.
    pub judged: u64,
    /// Exchanges and tunnels that passed unjudged.
    pub unjudged: Vec<UnjudgedCount>,
}

/// How often something passed unjudged.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnjudgedCount {
    /// Why: `unguarded`, `document`, `other-host`, `tunnel` or `websocket`.
    pub why: &'static str,
    /// How often.
    pub count: u64,
}

/// A vendor.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VendorShown {
    /// Its name.
    pub name: String,
    /// The mode that it is judged in.
    pub mode: &'static str,
    /// The patterns of its hosts.
    pub hosts: Vec<String>,
    /// URLs at which it serves something else than expected.
    pub drifting: u64,
    /// URLs at which nothing could be seen at the last recheck.
    pub unreachable: u64,
    /// The rules in force, by their keys in a configuration file. Not in an overview.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub rules: Option<Value>,
}

/// One of the things that must hold for a gateway to be ready.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckShown {
    /// The word for it.
    pub name: &'static str,
    /// Why it does not hold; null where it does.
    #[schema(required)]
    pub trouble: Option<String>,
}

/// A part of what was kept, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuarantinePart {
    /// The items.
    #[schema(value_type = Vec<ItemShown>)]
    pub items: Vec<Value>,
    /// What to give as `after` to go on; null at the end.
    #[schema(required)]
    pub next: Option<String>,
}

/// Something that was refused and kept, as `pinfold quarantine list --json` has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemShown {
    /// Its incident.
    pub incident: String,
    /// `waiting`, `approved`, `rejected` or `revoked`.
    pub state: String,
    /// The last decision: `at`, `who`, `reason`, `basis`, `expires`.
    #[schema(value_type = Option<Object>, required)]
    pub decided: Option<Value>,
    /// Who has approved so far, and how many must: `by`, `needed`.
    #[schema(value_type = Option<Object>, required)]
    pub agreement: Option<Value>,
    /// Why it was refused.
    pub reason: String,
    /// Where a decision about it holds.
    pub subject: String,
    /// Where it was asked for.
    pub url: String,
    /// The vendor that claims the host.
    #[schema(required)]
    pub vendor: Option<String>,
    /// The SHA-256 of the decoded body, in SRI notation.
    pub digest: String,
    /// Its length, decoded.
    pub bytes: u64,
    /// What it can act as.
    pub kind: String,
    /// The media type that the vendor gave.
    #[schema(required)]
    pub media_type: Option<String>,
    /// When it was first seen.
    pub first: String,
    /// When it was last seen.
    pub last: String,
    /// How often clients asked for it.
    pub asked: u64,
    /// How many of them.
    pub clients: u64,
    /// Whether its bytes are kept.
    pub body_kept: bool,
    /// How it came.
    #[schema(value_type = Option<Object>, required)]
    pub path: Option<Value>,
    /// Whether more people must approve of the paths that it came by.
    pub path_waits: bool,
}

/// All the evidence of one item, as `pinfold quarantine show --json` prints it.
#[derive(Debug, Serialize, ToSchema)]
pub struct EvidenceShown {
    /// The item.
    #[serde(flatten)]
    pub item: ItemShown,
    /// What the files pin here, and where; null where they cannot be read.
    #[schema(required)]
    pub pinned: Option<Vec<String>>,
    /// Rejections under another query that refuse it all the same.
    #[schema(value_type = Vec<Object>)]
    pub barred_by: Vec<Value>,
    /// Approvals under another query that its rejection refuses.
    #[schema(value_type = Vec<Object>)]
    pub bars: Vec<Value>,
    /// Marks of its delivery paths that an approval admits.
    pub refused_marks: Vec<MarkShown>,
    /// What stands for those marks: a decision gives it back, and admits these and no others.
    pub shown: String,
    /// Who asked for it, the last first.
    #[schema(value_type = Vec<Object>)]
    pub asked_by: Vec<Value>,
    /// What the vendor serves now, as rechecks know it.
    #[schema(value_type = Vec<Object>)]
    pub vendor_now: Vec<Value>,
}

/// A mark of a delivery path that was never seen at its host.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkShown {
    /// The host.
    pub host: String,
    /// What it is a mark of.
    pub aspect: String,
    /// The mark.
    pub value: String,
}

/// What a body newly does, as `pinfold quarantine diff --json` prints it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TriageShown {
    /// The incident.
    pub incident: String,
    /// Where it was asked for.
    pub url: String,
    /// Where a decision about it holds.
    pub subject: String,
    /// Its digest.
    pub digest: String,
    /// Its length, decoded.
    pub size: u64,
    /// What it was compared with; null where no verified body is kept.
    #[schema(value_type = Option<Object>, required)]
    pub verified: Option<Value>,
    /// What was found.
    #[serde(flatten)]
    pub findings: FindingsShown,
}

/// What a learned body does, with nothing to compare it with.
#[derive(Debug, Serialize, ToSchema)]
pub struct LearnedTriageShown {
    /// Its record.
    pub record: u64,
    /// Where a decision about it holds.
    pub subject: String,
    /// Its digest.
    pub digest: String,
    /// Its length, decoded.
    pub size: u64,
    /// What was found.
    #[serde(flatten)]
    pub findings: FindingsShown,
}

/// What was found in a body.
#[derive(Debug, Serialize, ToSchema)]
pub struct FindingsShown {
    /// What kind of change it is.
    pub change: String,
    /// Why it was not analysed; null where it was.
    #[schema(value_type = Option<Object>, required)]
    pub not_analysed: Option<Value>,
    /// What both versions say that they are; null where one of them does not say it.
    #[schema(value_type = Option<Object>, required)]
    pub version: Option<Value>,
    /// Hosts that it names and the verified one does not.
    #[schema(value_type = Vec<Object>)]
    pub hosts: Vec<Value>,
    /// What it newly does, more often, or with something else.
    #[schema(value_type = Vec<Object>)]
    pub capabilities: Vec<Value>,
    /// Guards that it no longer has, or others than before.
    #[schema(value_type = Vec<Object>)]
    pub guards: Vec<Value>,
    /// Functions that changed.
    #[schema(value_type = Vec<Object>)]
    pub functions: Vec<Value>,
    /// How many functions both versions have, and how many changed in which way.
    #[schema(value_type = Object)]
    pub function_counts: Value,
    /// Literals that changed where nothing else did.
    #[schema(value_type = Vec<Object>)]
    pub literals: Vec<Value>,
    /// How it reads.
    #[schema(value_type = Vec<Object>)]
    pub measures: Vec<Value>,
    /// The difference of both versions in one format.
    #[schema(value_type = Object)]
    pub diff: Value,
    /// What a program or an archive holds.
    #[schema(value_type = Option<Object>, required)]
    pub contents: Option<Value>,
}

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionAsked {
    /// `approve` or `reject`.
    pub act: ActAsked,
    /// The written reason.
    pub reason: String,
    /// The last day on which it counts (2027-05-01), or for how long (90d); for ever without.
    #[serde(default)]
    pub expires: Option<String>,
    /// `shown` of the item, as it was read: an approval must say which delivery paths it admits.
    #[serde(default)]
    pub shown: Option<String>,
}

/// What can be decided.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ActAsked {
    /// These bytes may be served at this URL.
    Approve,
    /// They are not released at this URL.
    Reject,
}

/// Something that was learned.
#[derive(Debug, Serialize, ToSchema)]
pub struct LearnedShown {
    /// Its record.
    pub record: u64,
    /// When it was learned.
    pub learned: String,
    /// Where it is served.
    pub subject: String,
    /// Where it was seen.
    pub url: String,
    /// The vendor that claims the host.
    #[schema(required)]
    pub vendor: Option<String>,
    /// What it can act as.
    pub kind: String,
    /// The SHA-256 of the decoded body, in SRI notation.
    pub digest: String,
    /// Its length, decoded.
    pub bytes: u64,
    /// `learned`, or what people have made of it: `approved`, `rejected` or `revoked`.
    pub state: String,
    /// The last decision: `at`, `who`, `reason`, `basis`, `expires`.
    #[schema(value_type = Option<Object>, required)]
    pub decided: Option<Value>,
    /// Who has confirmed so far, and how many must: `by`, `needed`.
    #[schema(value_type = Option<Object>, required)]
    pub agreement: Option<Value>,
}

/// A part of what was learned.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LearnedPart {
    /// What was learned.
    pub pins: Vec<LearnedShown>,
    /// What to give as `after` to go on; null at the end.
    #[schema(required)]
    pub next: Option<u64>,
}

/// All that is known of something that was learned.
#[derive(Debug, Serialize, ToSchema)]
pub struct LearnedEvidenceShown {
    /// What was learned.
    #[serde(flatten)]
    pub pin: LearnedShown,
    /// What the files pin here, and where; null where they cannot be read.
    #[schema(required)]
    pub pinned: Option<Vec<String>>,
    /// How many people must confirm it.
    pub approvers: u32,
    /// Whether its bytes are there to look at.
    pub body_kept: bool,
}

/// A word on what was learned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LearnedDecisionAsked {
    /// `confirm` or `drop`.
    pub act: LearnedActAsked,
    /// The written reason.
    pub reason: String,
    /// The last day on which it counts (2027-05-01), or for how long (90d); for ever without.
    #[serde(default)]
    pub expires: Option<String>,
}

/// What can be said of what was learned.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LearnedActAsked {
    /// People stand behind it.
    Confirm,
    /// It is refused from now on.
    Drop,
}

/// What a word on what was learned has come to, as `pinfold pin confirm --json` prints it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LearnedDecidedShown {
    /// Its record.
    pub record: u64,
    /// Where it holds.
    pub subject: String,
    /// The digest.
    pub digest: String,
    /// What it can act as.
    pub kind: String,
    /// Its state by now.
    pub state: String,
    /// By what it is served: `learned`, `reviewed`, or another word of decisions.
    #[schema(required)]
    pub basis: Option<String>,
    /// Who has confirmed so far, and how many must.
    #[schema(value_type = Option<Object>, required)]
    pub agreement: Option<Value>,
    /// Its end.
    #[schema(required)]
    pub expires: Option<String>,
    /// Whether it had been decided so before.
    pub already: bool,
    /// `yes`, `not-yet` or `no-gateway`.
    pub in_force: String,
}

/// What a decision has come to, as `pinfold quarantine approve --json` prints it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecidedShown {
    /// The incident.
    pub incident: String,
    /// Its state by now.
    pub state: String,
    /// Whether it had been decided so before.
    pub already: bool,
    /// The digest.
    pub digest: String,
    /// Where it holds.
    pub subject: String,
    /// Who has approved so far, and how many must.
    #[schema(value_type = Option<Object>, required)]
    pub agreement: Option<Value>,
    /// Its end.
    #[schema(required)]
    pub expires: Option<String>,
    /// `yes`, `not-yet` or `no-gateway`.
    pub in_force: String,
    /// Marks of delivery paths that are known from now on.
    pub admitted: Vec<MarkShown>,
    /// Those that are not.
    pub refused_marks: Vec<MarkShown>,
    /// What keeps it from being released all the same.
    pub against: Vec<String>,
}

/// Rows of the ledger, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerPart {
    /// What `q` was taken for.
    pub taken_for: &'static str,
    /// The rows.
    pub rows: Vec<RowShown>,
    /// What to give as `before` to go on; null at the end.
    #[schema(required)]
    pub next: Option<String>,
}

/// A row of the ledger.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RowShown {
    /// When.
    pub at: String,
    /// The verdict.
    pub verdict: &'static str,
    /// Why.
    #[schema(required)]
    pub reason: Option<&'static str>,
    /// The client's address.
    pub client: String,
    /// Its user.
    #[schema(required)]
    pub user: Option<String>,
    /// What was asked for.
    pub url: String,
    /// The page that asked.
    #[schema(required)]
    pub page: Option<String>,
    /// The digest, where it was measured.
    #[schema(required)]
    pub digest: Option<String>,
    /// How many exchanges it stands for.
    pub count: u64,
    /// The incident.
    #[schema(required)]
    pub incident: Option<String>,
}

/// Who may have received something, as `pinfold exposure --json` prints it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExposureShown {
    /// When this was made.
    pub made: String,
    /// What was sought.
    #[schema(value_type = Object)]
    pub sought: Value,
    /// Who may have received it.
    #[schema(value_type = Vec<Object>)]
    pub received: Vec<Value>,
    /// Who was refused.
    #[schema(value_type = Vec<Object>)]
    pub refused: Vec<Value>,
    /// Who only asked about it.
    #[schema(value_type = Vec<Object>)]
    pub asked_only: Vec<Value>,
    /// Tunnels, in which nobody looked.
    #[schema(value_type = Vec<Object>)]
    pub tunnels: Vec<Value>,
    /// Hosts that no vendor claimed.
    #[schema(value_type = Vec<Object>)]
    pub other_hosts: Vec<Value>,
    /// What the claim rests on.
    #[schema(value_type = Object)]
    pub coverage: Value,
    /// The statement, sentence by sentence.
    pub statement: Vec<String>,
}

/// A part of what may be served: the pins of the files in their order, then the approvals by URL.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PinsPart {
    /// The pins.
    pub pins: Vec<PinShown>,
    /// What to give as `after` to go on; null at the end.
    #[schema(required)]
    pub next: Option<u32>,
    /// What is not known of them, and why.
    #[schema(required)]
    pub warning: Option<String>,
}

/// A pin.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PinShown {
    /// Where it applies.
    pub url: String,
    /// What may be served.
    pub digests: Vec<String>,
    /// What that may act as.
    pub kind: &'static str,
    /// The vendor that claims the host.
    #[schema(required)]
    pub vendor: Option<String>,
    /// `file`, `approved` or `learned`.
    pub source: &'static str,
    /// The record by which it was learned; null where it was not.
    #[schema(required)]
    pub learned: Option<u64>,
    /// File and line, or what was reviewed.
    pub place: String,
    /// Who said yes, when and why.
    pub said: Vec<String>,
    /// What belongs together with it.
    #[schema(required)]
    pub release: Option<String>,
    /// Who answers for it.
    #[schema(required)]
    pub owner: Option<String>,
    /// Its end, or `never`.
    pub expires: String,
    /// Whether it counts no more.
    pub is_over: bool,
    /// When clients asked for it last.
    pub last_asked: String,
    /// What the vendor serves now, and what it waits for.
    pub vendor_now: String,
}

/// How clients come to use this gateway.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupShown {
    /// The root certificate (PEM).
    pub root_pem: String,
    /// Its SHA-256.
    pub fingerprint: String,
    /// What to type to trust it.
    pub instructions: String,
    /// What is enforced, a sentence each.
    pub enforced: Vec<String>,
    /// Where the proxy listens.
    pub listeners: Vec<String>,
}

/// A description of this API (OpenAPI 3.1).
#[derive(Debug, Serialize, ToSchema)]
pub struct DocumentShown {
    /// The version of OpenAPI.
    pub openapi: String,
    /// Title, version and what it is.
    #[schema(value_type = Object)]
    pub info: Value,
    /// What each path takes and gives.
    #[schema(value_type = Object)]
    pub paths: Value,
    /// What the answers are.
    #[schema(value_type = Object)]
    pub components: Value,
}

/// What is no answer (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// `about:blank`.
    pub r#type: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// Why.
    pub detail: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
