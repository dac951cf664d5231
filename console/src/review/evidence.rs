//! What is known of one item.

use std::sync::Arc;

use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use pinfold_policy::verdict::Outcome;
use pinfold_store::entry::DeliveryPath;
use pinfold_store::incident::Incident;
use pinfold_store::item::{AskedBy, Item};
use pinfold_store::path::RefusedMark;
use pinfold_triage::{Change, Findings};

use super::{Day, Glance};

/// All of it.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The item.
    pub item: Item,
    /// Who asked for it, the last first.
    pub asked_by: Vec<AskedBy>,
    /// What the files pin at its URL, and where, in words; none where they cannot be read.
    pub pinned: Option<Vec<String>>,
    /// What the vendor serves now, as rechecks know it, in words.
    pub vendor_now: Vec<String>,
    /// Marks of its paths that an approval admits, for all URLs of their hosts.
    pub marks: Vec<RefusedMark>,
    /// Rejections and approvals under another query that stand against a decision, in words.
    pub conflicts: Vec<String>,
    /// Who must agree before it is released, by number.
    pub approvers: u32,
    /// What was asked for lately.
    pub day: Day,
    /// Clients that got these very bytes in the last week.
    pub got: u64,
    /// How the body came that was released here last.
    pub path_then: Option<(DeliveryPath, Timestamp)>,
    /// Every body of this URL that is known, the newest first.
    pub history: Vec<Served>,
    /// What its body newly does.
    pub triage: Triage,
    /// When this is from.
    pub now: Timestamp,
}

/// What a body newly does, as far as that is known by now.
#[derive(Clone, Debug)]
pub enum Triage {
    /// It was looked at.
    Done {
        /// What it was compared with; none where no verified body is kept.
        verified: Option<Verified>,
        /// What was found.
        findings: Arc<Findings>,
    },
    /// It is being looked at. Whoever asks again gets to know; this much is known already, where the queue has it.
    Running(Option<Glance>),
    /// It is not looked at, and why not, in words.
    NotDone(String),
}

/// Whether it does anything that it did not do, or lacks a guard.
pub(super) fn is_news(findings: &Findings) -> bool {
    !(findings.hosts.is_empty() && findings.facts.is_empty() && findings.losses.is_empty())
}

impl Triage {
    /// What a reviewer does next. It says nothing of how that ends.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::Done { findings, .. } if findings.not_analysed.is_some() => {
                "ask the vendor what it is: not all of it could be analysed"
            }
            Self::Done { findings, .. } if is_news(findings) => {
                "look at the lines above; approve what somebody can explain, and reject what nobody can"
            }
            Self::Done { findings, .. } if findings.change == Change::Trivia => {
                "read both texts as they came, by the link below: the code is the same, and what stands beside it is not"
            }
            Self::Done { .. } => "read what changed, below; then decide",
            Self::Running(Some(_)) => "wait a moment for the lines: they are being compared",
            Self::Running(None) => "wait a moment: it is being analysed",
            Self::NotDone(_) => "ask the vendor what it is: it is not analysed",
        }
    }
}

/// A body that was verified at an item's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Which.
    pub digest: BodyId,
    /// In bytes, decoded.
    pub len: u64,
    /// When it was verified or approved last.
    pub at: Timestamp,
    /// Whether it was only learned, and nobody has confirmed it.
    pub learned: bool,
}

/// A body that the URL served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Which.
    pub digest: BodyId,
    /// What became of it last.
    pub outcome: Outcome,
    /// The item that it is, where it is one.
    pub incident: Option<Incident>,
    /// When it was first asked for.
    pub first: Timestamp,
    /// When it was last asked for.
    pub last: Timestamp,
    /// How often.
    pub count: u64,
}
