//! What may be served: the pins of the files, and what was approved or learned at run time.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::answer::{declined, file, page, problem, to, trouble};
use super::routes::Room;
use crate::text::Text;

/// The longest text that is sought, in bytes.
const LONGEST: usize = 8 * 1024;

/// Which pins are sought. All that is said must be met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PinFilter {
    /// A part of the URL.
    pub part: String,
    /// The vendor that claims the host.
    pub vendor: Option<String>,
    /// Where they come from.
    pub source: Option<Source>,
    /// Only what ends within 30 days, or has ended.
    pub ends_soon: bool,
    /// How many of those to leave out: they were shown before.
    pub skip: u32,
}

/// Where a pin comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A reviewed file.
    File,
    /// A decision at run time, of people or by the rule cooldown.
    Approval,
    /// Nobody: it was the first that was served.
    Learned,
}

/// The pins that were sought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// The first of them: those of the files in their order, then the approvals by URL.
    pub rows: Vec<PinRow>,
    /// How many more there are.
    pub more: usize,
    /// The vendors of the files in force.
    pub vendors: Vec<String>,
    /// What is not known of them, and why.
    pub warning: Option<String>,
}

/// One pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinRow {
    /// Where it applies.
    pub url: String,
    /// What may be served.
    pub digests: Vec<String>,
    /// What that may act as.
    pub kind: &'static str,
    /// The vendor that claims the host.
    pub vendor: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// The record of what was learned and nobody has confirmed.
    pub learned: Option<u64>,
    /// File and line, or what was reviewed.
    pub place: String,
    /// Who said yes, when and why, a line each.
    pub said: Vec<String>,
    /// What belongs together with it.
    pub release: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Its end, or `never`.
    pub expires: String,
    /// Whether it counts no more.
    pub is_over: bool,
    /// When clients asked for it last.
    pub last_asked: String,
    /// What the vendor serves now, and what it waits for.
    pub now: String,
}

impl Source {
    const ALL: [Self; 3] = [Self::File, Self::Approval, Self::Learned];

    /// The one of this word.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.word() == word)
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Approval => "approved",
            Self::Learned => "learned",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::File => "in a file",
            Self::Approval => "approved",
            Self::Learned => "learned",
        }
    }
}

/// The filter, as the URL says it, so that a view can be shared.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    vendor: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    ends: String,
}

impl Asked {
    fn filter(&self) -> PinFilter {
        PinFilter {
            part: self.q.trim().to_owned(),
            vendor: Some(self.vendor.clone()).filter(|name| !name.is_empty()),
            source: Source::named(&self.from),
            ends_soon: self.ends == "soon",
            skip: 0,
        }
    }
}

#[derive(Template)]
#[template(path = "pins.html")]
struct PinsPage {
    user: Text,
    form: String,
    q: Text,
    vendors: Vec<(Text, bool)>,
    sources: [(&'static str, &'static str, bool); 3],
    ends_soon: bool,
    warning: Option<Text>,
    rows: Vec<Row>,
    more: usize,
    has_learned: bool,
}

struct Row {
    url: Text,
    digests: Vec<Text>,
    kind: &'static str,
    vendor: Text,
    source: &'static str,
    is_learned: bool,
    learned: Option<u64>,
    place: Text,
    said: Vec<Text>,
    release: Option<Text>,
    owner: Option<Text>,
    expires: Text,
    is_over: bool,
    last_asked: Text,
    now: Text,
}

pub(super) async fn show(
    State(room): State<Room>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let Some(visitor) = room.visitor(&headers) else { return to("/sign-in") };
    if asked.q.len() > LONGEST {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "This is longer than any URL that is pinned.");
    }
    let pins = match (room.review.pins)(asked.filter()).await {
        Ok(pins) => pins,
        Err(why) => return declined(&why),
    };
    let shown = PinsPage {
        user: Text::of(&visitor.session.user.name),
        form: room.forms.token(Some(&visitor.token)),
        q: Text::of(&asked.q),
        vendors: pins.vendors.iter().map(|name| (Text::of(name), *name == asked.vendor)).collect(),
        sources: Source::ALL.map(|source| (source.word(), source.name(), source.word() == asked.from)),
        ends_soon: asked.ends == "soon",
        warning: pins.warning.as_deref().map(Text::of),
        has_learned: pins.rows.iter().any(|row| row.source == Source::Learned),
        rows: pins.rows.iter().map(Row::of).collect(),
        more: pins.more,
    };
    page(StatusCode::OK, &shown)
}

/// What the files do not say yet, as blocks to review.
pub(super) async fn export(State(room): State<Room>, headers: HeaderMap) -> Response {
    if room.visitor(&headers).is_none() {
        return to("/sign-in");
    }
    match (room.review.pins_toml)(()).await {
        Ok(toml) => file("pins.toml", "application/toml", toml),
        Err(why) => trouble(&why),
    }
}

impl Row {
    fn of(row: &PinRow) -> Self {
        let texts = |all: &[String]| all.iter().map(|text| Text::of(text)).collect();
        Self {
            url: Text::of(&row.url),
            digests: texts(&row.digests),
            kind: row.kind,
            vendor: Text::of(row.vendor.as_deref().unwrap_or("none")),
            source: row.source.name(),
            is_learned: row.source == Source::Learned,
            learned: row.learned,
            place: Text::of(&row.place),
            said: texts(&row.said),
            release: row.release.as_deref().map(Text::of),
            owner: row.owner.as_deref().map(Text::of),
            expires: Text::of(&row.expires),
            is_over: row.is_over,
            last_asked: Text::of(&row.last_asked),
            now: Text::of(&row.now),
        }
    }
}
