//! `pinfold pin list`: what may be served, by files and by what was decided at run time.

pub(crate) mod page;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use pinfold_config::{Config, Loaded};
use pinfold_policy::decisions::{Approval, Basis, Decisions};
use pinfold_policy::digest::{BodyId, Digest};
use pinfold_policy::pin::Pin;
use pinfold_policy::policy::Rulebook;
use pinfold_policy::url::ArtifactUrl;
use pinfold_proxy::MOST_LEARNED;
use pinfold_store::item::Item;
use pinfold_store::sighting::Standing;
use pinfold_store::{Changed, Store, StoreError};
use serde_json::{Value, json};

use super::asked::Asked;
use super::waits::{OnShelf, Waits, in_short};
use super::{shortened, waits};
use crate::barred::{Bar, bars};
use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::listing::{Column, Listing};
use crate::terminal::Terminal;
use crate::vendor_now;
use crate::words::minute;

/// For so long back, changes are looked for.
const CHANGED_DAYS: i64 = 90;

/// What to list.
#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    /// What was learned and nobody has confirmed alone, and what came in its place since.
    #[arg(long)]
    pub(crate) learned: bool,
}

/// What the store knows beside the files.
#[derive(Default)]
struct Known {
    /// What rechecks have seen so far.
    standings: Vec<Standing>,
    /// What the vendor served of what is allowed.
    on_shelf: OnShelf,
    decisions: Arc<Decisions>,
    approvals: Vec<Approval>,
    /// None where no gateway ever ran, or its ledger cannot be read.
    asked: Option<Asked>,
    /// Why not, where its ledger cannot be read.
    unread: Option<StoreError>,
    /// By subject: other bodies than the expected, and when one came last.
    changes: HashMap<Box<str>, (BTreeSet<BodyId>, Timestamp)>,
    /// Among them those whose rejection refuses what is approved under another query.
    items: Vec<Item>,
}

/// Prints the pins of all files in their order, then the approvals by URL.
pub(crate) async fn run(
    configuration: &Configuration,
    options: ListOptions,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let Loaded { mut config, .. } = configuration.load()?;
    let rules = Arc::new(std::mem::take(&mut config.rulebook));
    let known = match Store::open_beside(&config.data_dir).await {
        Ok(store) => {
            let known = known((&config, &rules), &store, options.learned).await;
            store.close().await?;
            known?
        }
        // No gateway of this version ever ran.
        Err(StoreError::Absent { .. } | StoreError::DecisionsGone { .. } | StoreError::TooOld { .. }) => {
            Known::default()
        }
        Err(error) => return Err(error.into()),
    };
    tell((&config, &rules), &known, &options, terminal)
}

/// The same for somebody elsewhere, by the store of a gateway that runs.
pub(crate) async fn print(
    (config, rules): (&Config, &Arc<Rulebook>),
    store: &Store,
    learned: bool,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let known = known((config, rules), store, learned).await?;
    tell((config, rules), &known, &ListOptions { learned }, terminal)
}

fn tell(
    (config, rules): (&Config, &Arc<Rulebook>),
    known: &Known,
    options: &ListOptions,
    terminal: &Terminal,
) -> Result<(), Failure> {
    if let Some(error) = &known.unread {
        terminal.warn(&format!("when pins were asked for is not known: {error}"), error.hint());
    }
    let seen = Seen::of(rules, &known.standings);
    let pins = if options.learned { &[] } else { rules.pins.all() };
    let now = Timestamp::now();
    let waits = Waits::new(rules, &known.decisions, &known.on_shelf, now);
    if terminal.json {
        let pins = pins.iter().map(|pin| pin_json(pin, known, seen.at(pin), &waits));
        let approvals = known.approvals.iter().map(|approval| approval_json(approval, known, &waits));
        return terminal.print_json(&pins.chain(approvals).collect());
    }
    if pins.is_empty() && known.approvals.is_empty() {
        terminal.note(&nothing(config, options));
        return Ok(());
    }
    let mut listing = Listing::new([
        Column::Text("PLACE"),
        Column::Text("KIND"),
        // Nobody owns what was learned.
        Column::Text(if options.learned { "CHANGED, UTC" } else { "OWNER" }),
        Column::Text("EXPIRES"),
        Column::Text("LAST ASKED, UTC"),
        Column::Text("VENDOR NOW"),
        Column::Wide("URL"),
        Column::Wide("DIGESTS"),
    ]);
    for pin in pins {
        listing.row(pin_cells(pin, known, seen.at(pin), (&waits, terminal)));
    }
    for approval in &known.approvals {
        listing.row(approval_cells(approval, known, &waits, terminal));
    }
    terminal.print(&listing.render(terminal))?;
    warn_of_fully_learned(rules, &known.approvals, terminal);
    Ok(())
}

/// A vendor of which no more is learned: either it is in use more than can be reviewed URL by URL, or somebody makes up
/// URLs.
fn warn_of_fully_learned(rules: &Rulebook, approvals: &[Approval], terminal: &Terminal) {
    let mut learned: BTreeMap<&str, u32> = BTreeMap::new();
    for approval in approvals.iter().filter(|approval| approval.basis == Basis::Learned) {
        let Ok(url) = ArtifactUrl::parse(&approval.subject) else { continue };
        if let Some(vendor) = rules.vendors.of(url.host()) {
            *learned.entry(&vendor.name).or_default() += 1;
        }
    }
    for (vendor, _) in learned.into_iter().filter(|(_, learned)| *learned >= MOST_LEARNED) {
        terminal.warn(
            &format!("{MOST_LEARNED} URLs of {vendor} are learned, and no more will be"),
            "'pinfold pin export' gives blocks to review: pin what is in use, with patterns where that fits",
        );
    }
}

fn nothing(config: &Config, options: &ListOptions) -> String {
    if options.learned {
        return "nothing learned that is not confirmed\nhint: unpinned = \"learn\" lets a vendor's URLs be learned"
            .to_owned();
    }
    let files: Vec<_> = config.pins_files.iter().map(|path| path.display().to_string()).collect();
    format!("no pins in {}\nhint: 'pinfold pin add URL' fetches a script and pins it", files.join(", "))
}

/// Reads the store. Where the ledger cannot be read the pins are shown without it.
async fn known(
    (config, rules): (&Config, &Rulebook),
    store: &Store,
    learned_alone: bool,
) -> Result<Known, StoreError> {
    let (standings, items) = (store.standing(None).await?, store.quarantined().await?);
    let decisions: Arc<Decisions> = Arc::clone(&store.decisions().borrow());
    let mut approvals: Vec<_> = decisions
        .all_approvals()
        .filter(|approval| !learned_alone || is_learned_alone(approval, rules))
        .cloned()
        .collect();
    approvals.sort_by(|a, b| (&a.subject, a.digest.0).cmp(&(&b.subject, b.digest.0)));
    let subjects = approvals.iter().map(|approval| &*approval.subject);
    let read = async {
        let asked = Asked::read(store, (&rules.pins, &config.ledger.redact), subjects, None).await?;
        let since = Timestamp::now() - SignedDuration::from_hours(24 * CHANGED_DAYS);
        let changes = if learned_alone { by_subject(store.changed(since).await?) } else { HashMap::new() };
        Ok::<_, StoreError>((asked, changes))
    };
    let (asked, changes, unread) = match read.await {
        Ok((asked, changes)) => (Some(asked), changes, None),
        Err(error) => (None, HashMap::new(), Some(error)),
    };
    Ok(Known {
        standings,
        on_shelf: OnShelf::read(store).await?,
        decisions,
        approvals,
        asked,
        unread,
        changes,
        items,
    })
}

/// What was learned does not count where a file says anything.
pub(crate) fn is_learned_alone(approval: &Approval, rules: &Rulebook) -> bool {
    let is_pinned = |url: ArtifactUrl| !rules.pins.deciding(&url).pins().is_empty();
    approval.basis == Basis::Learned && !ArtifactUrl::parse(&approval.subject).is_ok_and(is_pinned)
}

fn by_subject(changed: Vec<Changed>) -> HashMap<Box<str>, (BTreeSet<BodyId>, Timestamp)> {
    let mut changes: HashMap<Box<str>, (BTreeSet<BodyId>, Timestamp)> = HashMap::new();
    for Changed { url, digest, last } in changed {
        let Ok(url) = ArtifactUrl::parse(&url) else { continue };
        let (digests, newest) =
            changes.entry(url.key_without_query().into()).or_insert_with(|| (BTreeSet::new(), last));
        digests.insert(digest);
        *newest = last.max(*newest);
    }
    changes
}

impl Known {
    fn last_asked(&self, of: impl FnOnce(&Asked) -> Option<Timestamp>) -> Option<Timestamp> {
        self.asked.as_ref().and_then(of)
    }

    fn last_asked_text(&self, of: impl FnOnce(&Asked) -> Option<Timestamp>) -> String {
        match &self.asked {
            None => "-".to_owned(),
            Some(asked) => of(asked).map_or("never".to_owned(), minute),
        }
    }

    fn bars(&self, approval: &Approval) -> Vec<Bar<'_>> {
        bars(&self.items, &approval.subject, approval.digest)
    }

    fn changed_text(&self, approval: &Approval) -> String {
        let change = self.changes.get(&approval.subject);
        change.map_or("-".to_owned(), |(bodies, last)| format!("{} ({})", minute(*last), bodies.len()))
    }
}

/// What was seen at the URLs of each pin, by the pin's place.
struct Seen<'s>(HashMap<(&'s str, u32), Vec<&'s Standing>>);

impl<'s> Seen<'s> {
    fn of(rules: &'s Rulebook, standings: &'s [Standing]) -> Self {
        let mut seen: HashMap<_, Vec<_>> = HashMap::new();
        for there in standings {
            let Ok(url) = ArtifactUrl::parse(&there.url) else { continue };
            for Pin { place, .. } in rules.pins.deciding(&url).pins() {
                seen.entry((&*place.file, place.line)).or_default().push(there);
            }
        }
        Self(seen)
    }

    fn at(&self, pin: &'s Pin) -> &[&'s Standing] {
        self.0.get(&(&*pin.place.file, pin.place.line)).map(Vec::as_slice).unwrap_or_default()
    }
}

fn pin_cells(
    pin: &Pin,
    known: &Known,
    seen: &[&Standing],
    (waits, terminal): (&Waits<'_>, &Terminal),
) -> [String; 8] {
    let now = waits.now;
    let expires = match pin.expires {
        Some(day) if !pin.is_active(now) => format!("{day} expired"),
        Some(day) => day.to_string(),
        None => "never".to_owned(),
    };
    let digests: Vec<_> = pin.digests.iter().map(|digest| digest_text(digest, terminal)).collect();
    [
        pin.place.to_string(),
        pin.kind.to_string(),
        pin.owner.as_deref().unwrap_or("-").to_owned(),
        expires,
        known.last_asked_text(|asked| asked.of_pin(pin)),
        vendor_now::in_short(seen, now)
            + &waits.pin(pin).map_or(String::new(), |it| format!("; {}", in_short(&it))),
        pin.url.to_text(),
        digests.join(" "),
    ]
}

fn approval_cells(approval: &Approval, known: &Known, waits: &Waits<'_>, terminal: &Terminal) -> [String; 8] {
    let expires = match approval.expires {
        Some(end) if !approval.is_active(waits.now) => format!("{} expired", minute(end)),
        Some(end) => minute(end),
        None => "never".to_owned(),
    };
    let bars = known.bars(approval).into_iter().map(Bar::in_short);
    let digest = std::iter::once(digest_text(&approval.digest.into(), terminal)).chain(bars);
    [
        approval.rule().to_string(),
        approval.kind.to_string(),
        known.changed_text(approval),
        expires,
        known.last_asked_text(|asked| asked.of_subject(&approval.subject)),
        waits.approval(approval).map_or("-".to_owned(), |waiting| in_short(&waiting)),
        approval.subject.to_string(),
        digest.collect::<Vec<_>>().join(" "),
    ]
}

/// Whole where it may be searched for.
fn digest_text(digest: &Digest, terminal: &Terminal) -> String {
    if terminal.width.is_some() { shortened(digest) } else { digest.to_string() }
}

fn pin_json(pin: &Pin, known: &Known, seen: &[&Standing], waits: &Waits<'_>) -> Value {
    json!({
        "url": pin.url.to_text(),
        "digests": pin.digests.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "kind": pin.kind.as_str(),
        "release": pin.release.as_deref(),
        "owner": pin.owner.as_deref(),
        "reason": pin.reason.as_deref(),
        "added": pin.added.map(|day| day.to_string()),
        "expires": pin.expires.map(|day| day.to_string()),
        "expired": !pin.is_active(waits.now),
        "basis": "file",
        "file": &*pin.place.file,
        "line": pin.place.line,
        "last_asked": known.last_asked(|asked| asked.of_pin(pin)).map(|last| last.to_string()),
        "vendor_now": seen.iter().map(|there| vendor_now::as_json(there)).collect::<Vec<_>>(),
        "waits_for": waits.pin(pin).as_ref().map(waits::as_json),
    })
}

fn approval_json(approval: &Approval, known: &Known, waits: &Waits<'_>) -> Value {
    let change = known.changes.get(&approval.subject);
    json!({
        "url": &*approval.subject,
        "digests": [approval.digest.to_string()],
        "kind": approval.kind.as_str(),
        "expires": approval.expires.map(|end| end.to_string()),
        "expired": !approval.is_active(waits.now),
        "basis": approval.basis.as_str(),
        "record": &*approval.record,
        "barred_by": known.bars(approval).into_iter().map(Bar::as_json).collect::<Vec<_>>(),
        "last_asked": known.last_asked(|asked| asked.of_subject(&approval.subject)).map(|last| last.to_string()),
        "changed": change.map(|(bodies, last)| {
            let digests = bodies.iter().map(ToString::to_string).collect::<Vec<_>>();
            json!({ "last": last.to_string(), "digests": digests })
        }),
        "waits_for": waits.approval(approval).as_ref().map(waits::as_json),
    })
}
