//! When clients asked last for what is pinned, as far as the ledger knows.

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pinfold_config::diagnostic::Diagnostic;
use pinfold_policy::pin::Pin;
use pinfold_policy::pins::PinIndex;
use pinfold_policy::redact::Redaction;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::{Store, StoreError};

/// A pin that nobody has asked for in so many days is one that nobody would miss.
const UNASKED_DAYS: i64 = 90;

/// A list that nobody uses is not told pin by pin.
const MOST_WARNINGS: usize = 20;

/// When each pin, and each approval, was asked for last.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// By where a pin stands.
    pins: HashMap<String, Timestamp>,
    /// By match key without its query, and with it.
    subjects: HashMap<Box<str>, Timestamp>,
}

impl Asked {
    /// Looks through the ledger from its newest month back, until each pin and each of `subjects` was found, or the month
    /// of `since` is done. Pins that differ in a masked value alone are asked for together.
    pub(crate) async fn read(
        store: &Store,
        (pins, redaction): (&PinIndex, &Redaction),
        subjects: impl IntoIterator<Item = &str>,
        since: Option<Timestamp>,
    ) -> Result<Self, StoreError> {
        let mut asked = Self::default();
        let wanted: HashSet<&str> = subjects.into_iter().collect();
        let masked = masked(pins, redaction);
        let mut months = store.asked_urls(since)?;
        loop {
            let mut month = Self::default();
            let go_on =
                months.next_month(|url, last| month.note(url, last, [pins, &masked], &wanted)).await?;
            asked.add_older(month);
            if !go_on || (asked.pins.len() == pins.all().len() && asked.subjects.len() == wanted.len()) {
                return Ok(asked);
            }
        }
    }

    fn note(&mut self, url: &str, last: Timestamp, pins: [&PinIndex; 2], wanted: &HashSet<&str>) {
        let Ok(url) = ArtifactUrl::parse(url) else { return };
        for pins in pins {
            for pin in pins.deciding(&url).pins() {
                let newest = self.pins.entry(pin.place.to_string()).or_insert(last);
                *newest = last.max(*newest);
            }
        }
        for key in [url.key(), url.key_without_query()] {
            if wanted.contains(key) {
                let newest = self.subjects.entry(key.into()).or_insert(last);
                *newest = last.max(*newest);
            }
        }
    }

    fn add_older(&mut self, month: Self) {
        for (place, last) in month.pins {
            self.pins.entry(place).or_insert(last);
        }
        for (subject, last) in month.subjects {
            self.subjects.entry(subject).or_insert(last);
        }
    }

    /// When this pin decided last.
    pub(crate) fn of_pin(&self, pin: &Pin) -> Option<Timestamp> {
        self.pins.get(&pin.place.to_string()).copied()
    }

    /// When a URL of this subject was asked for last.
    pub(crate) fn of_subject(&self, subject: &str) -> Option<Timestamp> {
        self.subjects.get(subject).copied()
    }
}

/// Pins whose URLs are recorded otherwise than they are written.
fn masked(pins: &PinIndex, redaction: &Redaction) -> PinIndex {
    let masked = |pin: &Pin| Some(Pin::bare(redaction.as_recorded(&pin.url)?, pin.place.clone()));
    PinIndex::new(pins.all().iter().filter_map(masked).collect())
}

/// Warns of the pins that nobody has asked for in 90 days. None where the ledger does not reach back so far.
pub(crate) async fn unasked(
    store: &Store,
    (pins, redaction): (&PinIndex, &Redaction),
    now: Timestamp,
) -> Result<Vec<Diagnostic>, StoreError> {
    let since = now - SignedDuration::from_hours(24 * UNASKED_DAYS);
    if store.recorded_since().await?.is_none_or(|first| first > since) {
        return Ok(Vec::new());
    }
    let asked = Asked::read(store, (pins, redaction), [], Some(since)).await?;
    let first_day = since.to_zoned(TimeZone::UTC).date();
    let is_unasked = |pin: &&Pin| {
        pin.added.is_none_or(|added| added < first_day) && asked.of_pin(pin).is_none_or(|last| last < since)
    };
    let unasked: Vec<_> = pins.all().iter().filter(is_unasked).collect();
    let hint = "'pinfold pin remove URL' takes it out; 'pinfold pin list' shows when each was asked for last";
    let mut warnings: Vec<_> = unasked
        .iter()
        .take(MOST_WARNINGS)
        .map(|pin| {
            let message = format!("nobody has asked for {} in {UNASKED_DAYS} days", pin.url.to_text());
            Diagnostic::warning(&pin.place, message, hint)
        })
        .collect();
    if let Some((first, rest)) = unasked.get(MOST_WARNINGS..).and_then(<[_]>::split_first) {
        let message = format!("nor for {} more pins from here on", rest.len() + 1);
        warnings.push(Diagnostic::warning(&first.place, message, hint));
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use pinfold_policy::kind::Kinds;
    use pinfold_policy::pin::{PinUrl, Place};
    use pinfold_policy::verdict::Outcome;
    use pinfold_store::StoreOptions;
    use pinfold_store::entry::{Asker, Exchange};
    use pinfold_store::incident::Incident;

    use super::*;

    fn noon() -> Timestamp {
        "2126-11-23T12:00:00Z".parse().unwrap()
    }

    fn days_ago(days: i64) -> Timestamp {
        noon() - SignedDuration::from_hours(24 * days)
    }

    fn asked_for(at: u8, url: &str, days: i64) -> Exchange {
        let id: Incident = format!("{at:026}").parse().unwrap();
        Exchange {
            id: id.0,
            at: days_ago(days),
            took_us: 1,
            asker: Asker { address: "10.0.0.1:1".parse().unwrap(), user: None, page: None, user_agent: None },
            method: "GET".into(),
            http_version: "2".into(),
            url: url.into(),
            vendor: None,
            kinds: Kinds::NONE,
            outcome: Outcome::Verified,
            reason: None,
            incident: None,
            body: None,
            body_len: None,
            media_type: None,
            vendor_status: None,
            status: 200,
            rule: None,
            policy_version: 1,
            path: None,
            client_tls: None,
            destination: None,
        }
    }

    fn pins() -> PinIndex {
        let pin = |(line, url): (u32, &&str)| Pin {
            added: (line == 5).then(|| "2126-11-01".parse().unwrap()),
            ..Pin::bare(PinUrl::parse(url).unwrap(), Place { file: "pins.toml".into(), line })
        };
        let urls = [
            "https://v.test/used.js",
            "https://v.test/lib/*",
            "https://v.test/old.js",
            "https://v.test/never.js",
            "https://v.test/new.js",
        ];
        PinIndex::new((1..).zip(&urls).map(pin).collect())
    }

    async fn store(dir: &tempfile::TempDir, exchanges: &[(&str, i64)]) -> Store {
        let options = StoreOptions {
            quarantine_max: 1 << 20,
            quarantine_per_url: 20,
            every_repeat_in_feed: false,
            counted_feed: false,
        };
        let store = Store::open_gateway(dir.path(), options).await.unwrap();
        for (at, (url, days)) in (1..).zip(exchanges) {
            let _ = store.record(asked_for(at, url, *days)).await.unwrap();
        }
        store.settle().await.unwrap();
        store
    }

    #[tokio::test]
    async fn pins_that_nobody_asked_for_are_told_and_new_ones_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let asked = [
            ("https://v.test/used.js?b", 100),
            ("https://v.test/old.js?a=1", 91),
            ("https://v.test/used.js?a", 89),
            ("https://v.test/lib/x.js", 1),
        ];
        let store = store(&dir, &asked).await;

        let warnings = unasked(&store, (&pins(), &Redaction::default()), noon()).await.unwrap();

        let told: Vec<_> = warnings.iter().map(|found| found.at.unwrap().line).collect();
        assert_eq!(told, [3, 4]);
        let read = Asked::read(&store, (&pins(), &Redaction::default()), ["https://v.test/old.js"], None)
            .await
            .unwrap();
        let of_pins: Vec<_> = pins().all().iter().map(|pin| read.of_pin(pin)).collect();
        assert_eq!(of_pins, [Some(days_ago(89)), Some(days_ago(1)), Some(days_ago(91)), None, None]);
        assert_eq!(read.of_subject("https://v.test/old.js"), Some(days_ago(91)));
    }

    #[tokio::test]
    async fn a_ledger_that_is_younger_knows_nothing_about_ninety_days() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir, &[("https://v.test/used.js", 89)]).await;
        assert!(unasked(&store, (&pins(), &Redaction::default()), noon()).await.unwrap().is_empty());
    }
}
