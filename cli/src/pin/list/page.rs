//! For a page of the console.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use pinfold_config::Config;
use pinfold_console::{PinFilter, PinRow, Pins, Source};
use pinfold_policy::decisions::{Approval, Basis};
use pinfold_policy::digest::BodyId;
use pinfold_policy::pin::{Pin, PinUrl};
use pinfold_policy::policy::Rulebook;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::item::{Approved, Assent};
use pinfold_store::{Store, StoreError};

use super::{Known, Seen, Waits, is_learned_alone, known};
use crate::barred::Bar;
use crate::pin::waits::in_short;
use crate::vendor_now;
use crate::words::minute;

/// Rows of one page. Whoever has more of them narrows the filter.
const ROWS: usize = 200;
/// What ends within so many days ends soon.
const SOON_DAYS: i64 = 30;

/// Those of these rules that are sought, with all that the command shows of them.
pub(crate) async fn page(
    (config, rules): (&Config, &Arc<Rulebook>),
    store: &Store,
    filter: &PinFilter,
) -> Result<Pins, StoreError> {
    let known = known((config, rules), store, false).await?;
    let yeses = yeses(store.approved().await?);
    let (seen, now) = (Seen::of(rules, &known.standings), Timestamp::now());
    let page = Page {
        rules,
        known: &known,
        seen: &seen,
        waits: &Waits::new(rules, &known.decisions, &known.on_shelf, now),
        yeses: &yeses,
        filter,
    };
    let mut rows = Vec::new();
    let (mut all, skipped) = (0, usize::try_from(filter.skip).unwrap_or(usize::MAX));
    for found in page.found().skip(skipped) {
        all += 1;
        if rows.len() < ROWS {
            rows.push(page.row(found));
        }
    }
    let warning =
        known.unread.as_ref().map(|error| format!("when pins were asked for is not known: {error}"));
    let vendors = rules.vendors.all().iter().map(|vendor| vendor.name.to_string());
    Ok(Pins { more: all - rows.len(), rows, vendors: vendors.collect(), warning })
}

type Yeses = HashMap<(Box<str>, BodyId), Vec<Assent>>;

/// Who stands behind each approval.
fn yeses(approved: Vec<Approved>) -> Yeses {
    let mut all = Yeses::new();
    for Approved { approval: Approval { subject, digest, .. }, by, .. } in approved {
        all.entry((subject, digest)).or_default().extend(by);
    }
    all
}

struct Page<'p> {
    rules: &'p Rulebook,
    known: &'p Known,
    seen: &'p Seen<'p>,
    waits: &'p Waits<'p>,
    yeses: &'p Yeses,
    filter: &'p PinFilter,
}

#[derive(Clone, Copy)]
enum Found<'p> {
    Pin(&'p Pin),
    Approval(&'p Approval),
}

impl<'p> Page<'p> {
    fn found(&self) -> impl Iterator<Item = Found<'p>> {
        let pins = self.rules.pins.all().iter().map(Found::Pin);
        pins.chain(self.known.approvals.iter().map(Found::Approval)).filter(|found| self.wants(*found))
    }

    fn wants(&self, found: Found<'_>) -> bool {
        let PinFilter { part, vendor, source, ends_soon, skip: _ } = self.filter;
        let is_of_source = match (source, found) {
            (None, _) => true,
            (Some(Source::Learned), Found::Approval(approval)) => is_learned_alone(approval, self.rules),
            (Some(source), _) => *source == found.source(),
        };
        let url = found.url();
        is_of_source
            && (part.is_empty() || url.contains(part))
            && (!ends_soon || found.ends_before(self.waits.now + SignedDuration::from_hours(24 * SOON_DAYS)))
            && (vendor.is_none() || self.vendor(found) == *vendor)
    }

    /// The vendor that claims the host.
    fn vendor(&self, found: Found<'_>) -> Option<String> {
        let at = match found {
            Found::Pin(pin) => match &pin.url {
                PinUrl::Exact(url) => Some(url.clone()),
                PinUrl::Pattern(_) => ArtifactUrl::parse(pin.url.origin()).ok(),
            },
            Found::Approval(approval) => ArtifactUrl::parse(&approval.subject).ok(),
        };
        at.and_then(|url| self.rules.vendors.of(url.host()).map(|vendor| vendor.name.to_string()))
    }

    fn row(&self, found: Found<'p>) -> PinRow {
        let vendor = self.vendor(found);
        match found {
            Found::Pin(pin) => self.pin(pin, vendor),
            Found::Approval(approval) => self.approval(approval, vendor),
        }
    }

    fn pin(&self, pin: &'p Pin, vendor: Option<String>) -> PinRow {
        let waits = self.waits.pin(pin).map_or(String::new(), |it| format!("; {}", in_short(&it)));
        let added = pin.added.map(|day| format!("added {day}")).into_iter();
        let said: Vec<_> = added.chain(pin.reason.as_deref().map(str::to_owned)).collect();
        PinRow {
            url: pin.url.to_text(),
            digests: pin.digests.iter().map(ToString::to_string).collect(),
            kind: pin.kind.as_str(),
            vendor,
            source: Source::File,
            learned: None,
            place: pin.place.to_string(),
            said: if said.is_empty() { said } else { vec![said.join(": ")] },
            release: pin.release.as_deref().map(str::to_owned),
            owner: pin.owner.as_deref().map(str::to_owned),
            expires: pin.expires.map_or("never".to_owned(), |day| day.to_string()),
            is_over: !pin.is_active(self.waits.now),
            last_asked: self.known.last_asked_text(|asked| asked.of_pin(pin)),
            now: vendor_now::in_short(self.seen.at(pin), self.waits.now) + &waits,
        }
    }

    fn approval(&self, approval: &Approval, vendor: Option<String>) -> PinRow {
        let said = self.yeses.get(&(approval.subject.clone(), approval.digest)).into_iter().flatten();
        let bars = self.known.bars(approval).into_iter().map(Bar::in_short);
        PinRow {
            url: approval.subject.to_string(),
            digests: vec![approval.digest.to_string()],
            kind: approval.kind.as_str(),
            vendor,
            source: source(approval.basis),
            learned: (approval.basis == Basis::Learned).then(|| approval.record.parse().ok()).flatten(),
            place: approval.rule().to_string(),
            said: said.map(|yes| said_by(approval.basis, yes)).chain(bars).collect(),
            release: None,
            owner: None,
            expires: approval.expires.map_or("never".to_owned(), minute),
            is_over: !approval.is_active(self.waits.now),
            last_asked: self.known.last_asked_text(|asked| asked.of_subject(&approval.subject)),
            now: self.waits.approval(approval).map_or("-".to_owned(), |waiting| in_short(&waiting)),
        }
    }
}

impl Found<'_> {
    fn url(self) -> String {
        match self {
            Self::Pin(pin) => pin.url.to_text(),
            Self::Approval(approval) => approval.subject.to_string(),
        }
    }

    fn source(self) -> Source {
        match self {
            Self::Pin(_) => Source::File,
            Self::Approval(approval) => source(approval.basis),
        }
    }

    fn ends_before(self, moment: Timestamp) -> bool {
        match self {
            Self::Pin(pin) => !pin.is_active(moment),
            Self::Approval(approval) => !approval.is_active(moment),
        }
    }
}

fn source(basis: Basis) -> Source {
    match basis {
        Basis::Reviewed | Basis::Cooldown => Source::Approval,
        Basis::Learned => Source::Learned,
    }
}

fn said_by(basis: Basis, yes: &Assent) -> String {
    let Assent { at, who, reason } = yes;
    let at = minute(*at);
    match basis {
        Basis::Reviewed => format!("{who}, {at} UTC: {reason}"),
        Basis::Cooldown => format!("the rule cooldown, {at} UTC: {reason}"),
        Basis::Learned => format!("learned {at} UTC; nobody has reviewed it"),
    }
}
