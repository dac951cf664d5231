//! One event as an output takes it.

use jiff::Timestamp;
use pinfold_store::entry::Event;

use crate::observer::Observer;
use crate::{cef, ecs, ocsf};

/// How events are written. All formats are made from the ECS fields of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Elastic Common Schema 9.4: a JSON object.
    Ecs,
    /// Open Cybersecurity Schema Framework 1.8: a JSON object.
    Ocsf,
    /// Common Event Format: a line of text.
    Cef,
}

impl Format {
    /// Its name in `pinfold.toml`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Ocsf => "ocsf",
            Self::Cef => "cef",
        }
    }
}

/// An event in its format, and what transports say of it besides.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// `event.id`.
    pub(crate) id: String,
    /// One line, without its end.
    pub(crate) line: String,
    /// When it happened.
    pub(crate) at: Timestamp,
    /// `PF-1001`.
    pub(crate) code: String,
    /// On the scale of `event.severity`.
    pub(crate) severity: u64,
}

impl Record {
    pub(crate) fn of(event: &Event, format: Format, observer: &Observer) -> Self {
        let fields = ecs::fields(event, observer);
        let line = match format {
            Format::Ecs => fields.line(),
            Format::Ocsf => ocsf::fields(event, &fields).line(),
            Format::Cef => cef::line(&fields),
        };
        Self {
            id: fields.text("event.id").unwrap_or_default().to_owned(),
            line,
            at: fields.text("@timestamp").and_then(|text| text.parse().ok()).unwrap_or_default(),
            code: fields.text("event.code").unwrap_or_default().to_owned(),
            severity: fields.number("event.severity").unwrap_or_default(),
        }
    }
}
