//! `pinfold pin export`: what was learned or approved at run time, as blocks that a person reviews and moves to pins.toml.

use std::collections::{BTreeMap, HashSet};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pinfold_config::Loaded;
use pinfold_config::edit::{NewPin, Proposal, proposed};
use pinfold_policy::decisions::{Approval, Basis};
use pinfold_policy::digest::Digest;
use pinfold_policy::kind::Kind;
use pinfold_policy::pin::PinUrl;
use pinfold_policy::pins::Deciding;
use pinfold_policy::policy::Rulebook;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::item::{Approved, Assent};
use pinfold_store::{Store, StoreError};
use serde_json::{Value, json};

use super::store;
use crate::configuration::{Configuration, today};
use crate::failure::{Failure, cause};
use crate::terminal::Terminal;
use crate::words::{counted, minute};

const NOTHING: &str = "nothing to export: the pins files say all that was learned or approved";

/// What to turn into blocks.
#[derive(Debug, Args)]
pub(crate) struct ExportOptions {
    /// What nobody has confirmed alone.
    #[arg(long, conflicts_with = "approved")]
    pub(crate) learned: bool,
    /// What was approved alone: by people, or by the rule `cooldown`.
    #[arg(long)]
    pub(crate) approved: bool,
    /// Write to this new file, and not to standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

impl ExportOptions {
    fn wants(&self, basis: Basis) -> bool {
        match basis {
            Basis::Learned => !self.approved,
            Basis::Reviewed | Basis::Cooldown => !self.learned,
        }
    }
}

/// Writes the blocks of what the pins files do not say yet.
pub(crate) async fn run(
    configuration: &Configuration,
    options: ExportOptions,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let Loaded { config, .. } = configuration.load()?;
    let blocks = match store(&config).await? {
        Some(store) => {
            let read = unsaid(&config.rulebook, &store, |basis| options.wants(basis)).await;
            store.close().await?;
            read?
        }
        None => Vec::new(),
    };
    tell(&blocks, options.output.as_deref(), terminal)
}

/// The same for somebody elsewhere, by the rules in force and the store of a gateway that runs.
pub(crate) async fn print(
    rules: &Rulebook,
    store: &Store,
    (learned, approved): (bool, bool),
    terminal: &Terminal,
) -> Result<(), Failure> {
    let options = ExportOptions { learned, approved, output: None };
    tell(&unsaid(rules, store, |basis| options.wants(basis)).await?, None, terminal)
}

fn tell(blocks: &[Block], output: Option<&Path>, terminal: &Terminal) -> Result<(), Failure> {
    if blocks.is_empty() {
        terminal.note(NOTHING);
    }
    let text = if terminal.json {
        format!("{:#}", blocks.iter().map(Block::to_json).collect::<Value>())
    } else {
        in_toml(blocks)
    };
    match output {
        None if terminal.json || !blocks.is_empty() => terminal.print(text.trim_end()),
        Some(file) if !blocks.is_empty() => {
            write_new(file, &text)?;
            terminal.note(&format!(
                "{}: {}\nhint: say who answers for each and why, then move them to pins.toml",
                file.display(),
                counted(blocks.len(), "pin"),
            ));
            Ok(())
        }
        None | Some(_) => Ok(()),
    }
}

/// The same of all of it, for a page of the console.
pub(crate) async fn whole(rules: &Rulebook, store: &Store) -> Result<String, StoreError> {
    let blocks = unsaid(rules, store, |_| true).await?;
    Ok(if blocks.is_empty() { format!("# {NOTHING}\n") } else { in_toml(&blocks) })
}

fn in_toml(blocks: &[Block]) -> String {
    let proposals: Vec<_> = blocks.iter().map(Block::proposal).collect();
    proposed(&proposals)
}

/// What was learned or approved, is wanted, and is not said by the files or revoked.
async fn unsaid(
    rules: &Rulebook,
    store: &Store,
    wants: impl Fn(Basis) -> bool,
) -> Result<Vec<Block>, StoreError> {
    let mut revoked: HashSet<Digest> = rules.revocations.iter().collect();
    revoked.extend(store.decisions().borrow().revocations().iter());
    let mut approved = store.approved().await?;
    approved.retain(|one| wants(one.approval.basis));
    approved.retain(|one| !revoked.contains(&one.approval.digest.into()));
    Ok(blocks(rules, approved))
}

/// The approvals of one URL that can share a pin.
struct Block {
    url: ArtifactUrl,
    kind: Kind,
    expires: Option<Date>,
    approvals: Vec<Approved>,
    /// Patterns that decide here as long as there is no exact pin.
    patterns: Vec<String>,
}

fn blocks(rules: &Rulebook, approved: Vec<Approved>) -> Vec<Block> {
    let now = Timestamp::now();
    let pins = &rules.pins;
    let mut blocks: BTreeMap<(Box<str>, Kind, Option<Date>), Block> = BTreeMap::new();
    for approved in approved {
        let Approval { subject, digest, kind, basis, expires, .. } = &approved.approval;
        let digest = Digest::from(*digest);
        // What the store holds as a subject was a URL when it was written.
        let Ok(url) = ArtifactUrl::parse(subject) else { continue };
        let deciding = pins.deciding(&url);
        let is_there = deciding.pins().iter().any(|pin| pin.digests.contains(&digest));
        // Where a file says anything, what was learned does not count.
        let is_outdone = *basis == Basis::Learned && !deciding.pins().is_empty();
        if is_there || is_outdone || !approved.approval.is_active(now) {
            continue;
        }
        let (kind, expires) = (*kind, expires.map(last_day));
        let block = blocks.entry((subject.clone(), kind, expires)).or_insert_with(|| {
            let patterns = match &deciding {
                Deciding::Exact(_) => Vec::new(),
                Deciding::Patterns(pins) => pins.iter().map(|pin| pin.url.to_text()).collect(),
            };
            Block { url, kind, expires, approvals: Vec::new(), patterns }
        });
        block.approvals.push(approved);
    }
    blocks.into_values().collect()
}

/// The last whole day before an approval ends: a pin must not outlive it.
fn last_day(end: Timestamp) -> Date {
    let day = end.to_zoned(TimeZone::UTC).date();
    day.yesterday().unwrap_or(day)
}

impl Block {
    fn proposal(&self) -> Proposal {
        let mut notes: Vec<_> = self.approvals.iter().flat_map(provenance).collect();
        for pattern in &self.patterns {
            notes.push(format!("beside an exact pin, {pattern} does not count here any more"));
        }
        let pin = NewPin {
            url: PinUrl::Exact(self.url.clone()),
            digests: self.approvals.iter().map(|one| one.approval.digest.into()).collect(),
            kind: self.kind,
            release: None,
            owner: None,
            reason: self.reason(),
            added: Some(today()),
            expires: self.expires,
        };
        Proposal { pin, notes }
    }

    /// What people wrote when they approved. Where no person did there is none, and `pinfold check` asks for one.
    fn reason(&self) -> Option<String> {
        let mut reasons = Vec::new();
        for approved in self.approvals.iter().filter(|one| one.approval.basis == Basis::Reviewed) {
            let written =
                approved.by.iter().map(|assent| &*assent.reason).filter(|reason| !reason.is_empty());
            reasons.extend(written.map(str::to_owned));
        }
        reasons.dedup();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    fn to_json(&self) -> Value {
        let approvals = self.approvals.iter().map(|Approved { approval, url, vendor, by }| {
            let by = by.iter().map(|Assent { at, who, reason }| {
                json!({ "at": at.to_string(), "who": &**who, "reason": &**reason })
            });
            json!({
                "digest": approval.digest.to_string(),
                "basis": approval.basis.as_str(),
                "record": &*approval.record,
                "seen_at": url.as_deref(),
                "vendor": vendor.as_deref(),
                "by": by.collect::<Value>(),
            })
        });
        json!({
            "url": self.url.key(),
            "kind": self.kind.as_str(),
            "expires": self.expires.map(|day| day.to_string()),
            "reason": self.reason(),
            "approvals": approvals.collect::<Value>(),
        })
    }
}

/// Where a digest comes from, a line for each who said yes.
fn provenance(approved: &Approved) -> Vec<String> {
    let Approved { approval, url, by, .. } = approved;
    let Approval { digest, basis, record, .. } = approval;
    let lines = by.iter().map(|Assent { at, who, reason }| {
        let at = minute(*at);
        match basis {
            Basis::Learned => {
                let from = url.as_deref().unwrap_or(&approval.subject);
                format!("{digest}: learned {at} UTC from {from} (record {record}); nobody has reviewed it")
            }
            Basis::Cooldown => {
                format!("{digest}: approved {at} UTC by the rule cooldown, incident {record}: {reason}")
            }
            Basis::Reviewed => {
                // What was learned and then confirmed was never refused: its record is a number, and no incident.
                let of = if record.parse::<u64>().is_ok() { "record" } else { "incident" };
                format!("{digest}: approved {at} UTC by {who}, {of} {record}: {reason}")
            }
        }
    });
    lines.collect()
}

pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
        let failure = Failure::could_not(format!("{}: cannot be written: {}", path.display(), cause(&error)));
        match error.kind() {
            ErrorKind::AlreadyExists => failure.hint("name a file that is not there yet"),
            _ => failure,
        }
    })
}
