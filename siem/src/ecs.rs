//! Ledger events in the Elastic Common Schema (ECS) 9.4, from which tables make the other formats.
//!
//! One event becomes one JSON object on one line. Fields that ECS does not have stand below `Pinfold`; a field without
//! a value is left out. A line depends on nothing but its event and the observer: delivered again, it is the same line.
//! `tls.*` and `destination.*` are the delivery path, between gateway and vendor; the client's own TLS connection,
//! which ends at the gateway, is `Pinfold.client.tls.*`.

mod action;
mod document;
mod exchange;
mod gap;
mod notice;
mod peer;
mod tunnel;

use jiff::{SignedDuration, Timestamp};
use pinfold_policy::reason::Reason;
use pinfold_store::entry::Event;
use uuid::Uuid;

use self::action::Action;
use self::document::Document;
use self::exchange::Row;
use crate::fields::Fields;
use crate::observer::Observer;

/// The fields of one event.
pub(crate) fn fields(event: &Event, observer: &Observer) -> Fields {
    let mut document = Document::default();
    document.keyword("ecs.version", "9.4.0");
    write_observer(&mut document, observer);
    match event {
        Event::Exchange { exchange, count, whole, last } => {
            let row = Row { exchange, count: *count, whole: *whole, last: *last };
            exchange::write(&mut document, &row, observer);
        }
        Event::Gap(gap) => gap::write(&mut document, gap, observer),
        Event::Notice(notice) => notice::write(&mut document, notice, observer),
        Event::Tunnel { tunnel, end } => tunnel::write(&mut document, tunnel, *end, observer),
    }
    document.finish()
}

fn write_observer(document: &mut Document, observer: &Observer) {
    document.keyword("observer.vendor", "pinfold project");
    document.keyword("observer.product", "pinfold");
    document.keyword("observer.type", "proxy");
    document.keyword("observer.version", &*observer.version);
    document.keyword("observer.name", &*observer.hostname);
    document.keyword("observer.hostname", &*observer.hostname);
}

/// What `event.*` says of all sorts of events.
struct Happening {
    id: Uuid,
    action: Action,
    reason: Option<Reason>,
    start: Timestamp,
    end: Timestamp,
    /// None where no policy decided.
    policy_version: Option<u64>,
}

impl Happening {
    fn write(&self, document: &mut Document, categories: &[&'static str]) {
        document.time("@timestamp", self.start);
        document.keyword("event.id", &*self.id.hyphenated().to_string());
        document.keyword("event.module", "pinfold");
        document.keyword("event.provider", "pinfold");
        // One dataset for all sorts: a collector ships one file to one data stream.
        for field in ["event.dataset", "data_stream.dataset"] {
            document.keyword(field, "pinfold.decision");
        }
        document.keyword("data_stream.type", "logs");
        document.keyword("data_stream.namespace", "default");

        document.keyword("event.kind", self.action.kind());
        document.keywords("event.category", categories.iter().copied());
        document.keywords("event.type", self.action.types().iter().copied());
        document.keyword("event.action", self.action.name());
        document.keyword("event.code", self.action.code());
        document.keyword("event.outcome", self.action.outcome());
        document.keyword("event.reason", self.reason.map(Reason::code));
        document.number("event.severity", action::severity(self.action, self.reason));

        document.time("event.start", self.start);
        document.time("event.end", self.end);
        // The clock of the delivery would make each delivery another event.
        document.time("event.created", self.end);
        let nanoseconds = self.end.duration_since(self.start).as_nanos();
        document.number("event.duration", u64::try_from(nanoseconds).unwrap_or_default());
        document.number("Pinfold.policy_version", self.policy_version);
    }
}

/// The reason in words.
fn in_words(reason: Option<Reason>) -> String {
    reason.map(|reason| format!(": {}", reason.code().replace('-', " "))).unwrap_or_default()
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(at)
}

#[cfg(test)]
pub(crate) mod tests;
