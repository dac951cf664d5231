//! The ledger: who got what, by one question, page by page; and what may be said of who may have received it.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use pinfold_store::{ExchangeRow, Sighted};
use serde::Deserialize;

use super::answer::{self, declined, page, problem, to};
use super::routes::Room;
use super::words::{in_query, minute};
use crate::text::Text;

/// What is asked of the ledger, as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// A URL, a host, a digest, a client, a user or an incident; empty for everything.
    pub subject: String,
    /// The first moment, or how long ago.
    pub since: Option<String>,
    /// The last moment, likewise.
    pub until: Option<String>,
}

/// Rows of the ledger.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// What the subject was taken for: `a host`.
    pub taken_for: &'static str,
    /// The newest first.
    pub rows: Vec<ExchangeRow>,
    /// From where it goes on, if there are more.
    pub next: Option<String>,
}

/// What may be said of who may have received something.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What the subject was taken for.
    pub taken_for: &'static str,
    /// What was sought, in words and values.
    pub question: Vec<(&'static str, String)>,
    /// A sentence for each of those who have it, those who were refused, and everybody else.
    pub said: Vec<String>,
    /// What that rests on.
    pub coverage: Vec<String>,
    /// Whether somebody may have received it.
    pub is_exposure: bool,
    /// Some of who may have received it and of who was refused.
    pub sighted: Vec<Sighted>,
    /// How many more there are.
    pub more: usize,
}

/// How a statement is written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementFile {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Which part, as the URL says it, so that a view can be shared.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    before: String,
}

impl Asked {
    fn question(&self) -> Question {
        let said = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Question { subject: self.q.trim().to_owned(), since: said(&self.from), until: said(&self.until) }
    }

    /// The same question, for a link.
    fn query(&self) -> String {
        format!("q={}&from={}&until={}", in_query(&self.q), in_query(&self.from), in_query(&self.until))
    }
}

#[derive(Template)]
#[template(path = "ledger.html")]
struct LedgerPage {
    user: Text,
    form: String,
    asked: Fields,
    query: String,
    taken_for: &'static str,
    is_everything: bool,
    refused: Option<Text>,
    rows: Vec<Row>,
    next: Option<String>,
}

/// What stands in the form.
struct Fields {
    q: Text,
    from: Text,
    until: Text,
}

struct Row {
    at: String,
    outcome: &'static str,
    reason: &'static str,
    client: Text,
    url: Text,
    page: Text,
    digest: String,
    count: u64,
    incident: Option<String>,
}

#[derive(Template)]
#[template(path = "exposure.html")]
struct ExposurePage {
    user: Text,
    form: String,
    asked: Fields,
    query: String,
    refused: Option<Text>,
    taken_for: &'static str,
    question: Vec<(&'static str, Text)>,
    said: Vec<Text>,
    coverage: Vec<Text>,
    is_exposure: bool,
    rows: Vec<Received>,
    more: usize,
}

struct Received {
    client: Text,
    outcome: &'static str,
    reason: &'static str,
    url: Text,
    page: Text,
    count: u64,
    first: String,
    last: String,
}

pub(super) async fn show(
    State(room): State<Room>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let Some(visitor) = room.visitor(&headers) else { return to("/sign-in") };
    let before = Some(asked.before.clone()).filter(|before| !before.is_empty());
    let (leaf, refused) = match (room.review.ledger)((asked.question(), before)).await {
        Ok(leaf) => (leaf, None),
        Err(why) => (Leaf { taken_for: "", rows: Vec::new(), next: None }, Some(Text::of(why.text()))),
    };
    let shown = LedgerPage {
        user: Text::of(&visitor.session.user.name),
        form: room.forms.token(Some(&visitor.token)),
        query: asked.query(),
        taken_for: leaf.taken_for,
        is_everything: asked.q.trim().is_empty(),
        rows: leaf.rows.iter().map(row).collect(),
        next: leaf.next.map(|next| in_query(&next)),
        asked: Fields::of(&asked),
        refused,
    };
    page(StatusCode::OK, &shown)
}

pub(super) async fn exposure(
    State(room): State<Room>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let Some(visitor) = room.visitor(&headers) else { return to("/sign-in") };
    let (statement, refused) = match (room.review.exposure)(asked.question()).await {
        Ok(statement) => (Some(statement), None),
        Err(why) => (None, Some(Text::of(why.text()))),
    };
    let texts = |texts: &[String]| texts.iter().map(|text| Text::of(text)).collect();
    let of = statement.as_ref();
    let question = of.map(|it| it.question.as_slice()).unwrap_or_default();
    let shown = ExposurePage {
        user: Text::of(&visitor.session.user.name),
        form: room.forms.token(Some(&visitor.token)),
        query: asked.query(),
        asked: Fields::of(&asked),
        refused,
        taken_for: of.map_or("", |it| it.taken_for),
        question: question.iter().map(|(what, value)| (*what, Text::of(value))).collect(),
        said: of.map(|it| texts(&it.said)).unwrap_or_default(),
        coverage: of.map(|it| texts(&it.coverage)).unwrap_or_default(),
        is_exposure: of.is_some_and(|it| it.is_exposure),
        rows: of.map(|it| it.sighted.iter().map(received).collect()).unwrap_or_default(),
        more: of.map_or(0, |it| it.more),
    };
    page(StatusCode::OK, &shown)
}

/// `statement.txt` and `statement.json`.
pub(super) async fn file(
    State(room): State<Room>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    if room.visitor(&headers).is_none() {
        return to("/sign-in");
    }
    let (kept_as, media_type, name) = match name.as_str() {
        "statement.txt" => (StatementFile::Text, "text/plain; charset=utf-8", "pinfold-exposure.txt"),
        "statement.json" => (StatementFile::Json, "application/json", "pinfold-exposure.json"),
        _ => return problem(StatusCode::NOT_FOUND, "There is no such file."),
    };
    match (room.review.exposure_file)((asked.question(), kept_as)).await {
        Ok(text) => answer::file(name, media_type, text),
        Err(why) => declined(&why),
    }
}

impl Fields {
    fn of(asked: &Asked) -> Self {
        Self { q: Text::of(&asked.q), from: Text::of(&asked.from), until: Text::of(&asked.until) }
    }
}

fn row(ExchangeRow { exchange, count, .. }: &ExchangeRow) -> Row {
    Row {
        at: minute(exchange.at),
        outcome: exchange.outcome.as_str(),
        reason: exchange.reason.map_or("", |reason| reason.code()),
        client: client(exchange.asker.address.ip(), exchange.asker.user.as_deref()),
        url: Text::of(&exchange.url),
        page: Text::of(exchange.asker.page.as_deref().unwrap_or("none named")),
        digest: exchange.body.map_or_else(|| "not measured".to_owned(), |body| body.to_string()),
        count: *count,
        incident: exchange.incident.map(|incident| incident.to_string()),
    }
}

fn received(sighted: &Sighted) -> Received {
    Received {
        client: client(sighted.client, sighted.user.as_deref()),
        outcome: sighted.outcome.as_str(),
        reason: sighted.reason.map_or("", |reason| reason.code()),
        url: Text::of(&sighted.url),
        page: Text::of(sighted.page.as_deref().unwrap_or("none named")),
        count: sighted.count,
        first: minute(sighted.first),
        last: minute(sighted.last),
    }
}

fn client(address: std::net::IpAddr, user: Option<&str>) -> Text {
    match user {
        Some(user) => Text::of(&format!("{address} as {user}")),
        None => Text::from(address),
    }
}
