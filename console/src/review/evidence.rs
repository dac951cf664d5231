//! What is known of one item.

use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use pinfold_policy::verdict::Outcome;
use pinfold_store::entry::DeliveryPath;
use pinfold_store::incident::Incident;
use pinfold_store::item::{AskedBy, Item};
use pinfold_store::path::RefusedMark;

use super::Day;

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
    /// How the body came that was released here last.
    pub path_then: Option<(DeliveryPath, Timestamp)>,
    /// Every body of this URL that is known, the newest first.
    pub history: Vec<Served>,
    /// When this is from.
    pub now: Timestamp,
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
