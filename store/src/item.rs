//! What a reviewer sees of the quarantine.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use pinfold_policy::decisions::{Approval, Basis};
use pinfold_policy::digest::BodyId;
use pinfold_policy::kind::Kind;
use pinfold_policy::reason::Reason;

use crate::entry::DeliveryPath;
use crate::incident::Incident;
use crate::path::RefusedMark;

/// One body that was refused at one subject, however often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name: the incident of the first refusal.
    pub incident: Incident,
    /// What a decision is about: the match key, without its query unless the deciding pin has one.
    pub subject: Box<str>,
    /// The match key of the first refusal.
    pub url: Box<str>,
    /// The vendor that claimed the host.
    pub vendor: Option<Arc<str>>,
    /// The decoded body.
    pub digest: BodyId,
    /// Its decoded length, in bytes.
    pub len: u64,
    /// What an approval makes of it.
    pub kind: Kind,
    /// The media type that the vendor gave.
    pub media_type: Option<Box<str>>,
    /// Why it was refused first, or [`Reason::PathChanged`] if it ever was for that.
    pub reason: Reason,
    /// The first refusal.
    pub first: Timestamp,
    /// The last refusal.
    pub last: Timestamp,
    /// How many refusals.
    pub asked: u64,
    /// How many client addresses; beyond [`MAX_CLIENTS`] they are not told apart any more.
    pub clients: u64,
    /// What was decided.
    pub state: ItemState,
    /// By whom, when and why.
    pub decided: Option<LastDecision>,
    /// Who approves of it, where more people must.
    pub agreement: Option<Agreement>,
    /// Whether the body is on disk. Beyond the bounds of the quarantine it is not.
    pub body_kept: bool,
    /// Whether it was refused for its path, and nobody has approved of that yet.
    pub path_waits: bool,
    /// How the bytes came first, or when they were refused for that last: one of the ways, and not all that an approval
    /// admits ([`crate::Store::refused_marks`]).
    pub path: Option<DeliveryPath>,
}

/// The decision that holds for an item, or held until it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastDecision {
    /// When.
    pub at: Timestamp,
    /// Who, as the command that decided it knew them.
    pub who: Box<str>,
    /// The written reason; empty in some of those that are older than the rule that there is one.
    pub reason: Box<str>,
    /// Who stands behind it.
    pub basis: Basis,
    /// From when on it does not count any more.
    pub expires: Option<Timestamp>,
}

/// People who approve of an item, fewer than must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Who they are.
    pub by: Vec<Box<str>>,
    /// How many it takes.
    pub needed: u32,
}

/// What a person says of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opinion<'a> {
    /// Who.
    pub who: &'a str,
    /// Why, in words.
    pub reason: &'a str,
    /// When.
    pub at: Timestamp,
    /// From when on it does not count any more.
    pub expires: Option<Timestamp>,
}

/// A digest was revoked or reinstated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The version of the decisions that holds it: [`crate::Store::in_force`] waits for it.
    pub version: u64,
    /// Whether it was so before, and nothing was written.
    pub already: bool,
}

/// Client addresses that are told apart per item. The ledger knows all of them.
pub const MAX_CLIENTS: u64 = 1000;

/// Rows per client address and item: one for each page and user agent.
pub(crate) const MAX_ROWS_PER_CLIENT: u64 = 10;

/// What was decided about an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemState {
    /// Nothing yet.
    Waiting,
    /// It may be served at its subject.
    Approved,
    /// It is not released at its subject.
    Rejected,
    /// It is never released again, anywhere.
    Revoked,
}

impl ItemState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for ItemState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A client that asked for a quarantined item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedBy {
    /// Its address.
    pub address: IpAddr,
    /// The user's name, where the gateway asks for one.
    pub user: Option<Box<str>>,
    /// The page that wanted it.
    pub page: Option<Box<str>>,
    /// `User-Agent`.
    pub user_agent: Option<Box<str>>,
    /// The first time.
    pub first: Timestamp,
    /// The last time.
    pub last: Timestamp,
    /// How often.
    pub count: u64,
    /// How the bytes came the first time.
    pub path: Option<DeliveryPath>,
}

/// A decision that is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The version of the decisions that holds it: [`crate::Store::in_force`] waits for it.
    pub version: u64,
    /// The item as it is now.
    pub item: Item,
    /// Whether it had been decided so before, and nothing was written.
    pub already: bool,
    /// The marks of its paths that this admitted, for all URLs of their host.
    pub admitted: Vec<RefusedMark>,
    /// Those that nobody, or not enough people, have approved of.
    pub refused_marks: Vec<RefusedMark>,
}

/// A body that a URL served, and that nobody has reviewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// The match key, without its query unless the deciding pin has one.
    pub subject: Box<str>,
    /// The match key at which it was seen.
    pub url: Box<str>,
    /// What it may act as.
    pub kind: Kind,
    /// The decoded body.
    pub digest: BodyId,
    /// Its decoded length, in bytes.
    pub len: u64,
    /// The vendor that claims the host.
    pub vendor: Arc<str>,
}

/// What became of a [`Lesson`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// It is approved now: nothing had been decided there.
    Now,
    /// It was approved there before, by whoever was faster or by people.
    Same,
    /// Something else was decided there, or it is revoked: nothing is learned.
    Other,
    /// As much of the vendor as may be learned is learned.
    Full,
}

/// What was learned at one URL, and what people have said of it since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnedPin {
    /// The record of it, as [`Approval::record`] names it while nobody has said anything.
    pub record: u64,
    /// When it was learned.
    pub at: Timestamp,
    /// What a decision is about: the match key, without its query unless the deciding pin has one.
    pub subject: Box<str>,
    /// The match key at which it was seen.
    pub url: Box<str>,
    /// The vendor that claimed the host.
    pub vendor: Option<Arc<str>>,
    /// What it may act as.
    pub kind: Kind,
    /// The decoded body.
    pub digest: BodyId,
    /// Its decoded length, in bytes.
    pub len: u64,
    /// What holds now: approved also where nobody has said so.
    pub state: ItemState,
    /// By whom, when and why: by nobody as long as it is learned alone.
    pub decided: Option<LastDecision>,
    /// Who approves of it, where more people must.
    pub agreement: Option<Agreement>,
}

impl LearnedPin {
    /// Whether it is served, and no person has said that it may be.
    #[must_use]
    pub fn is_learned_alone(&self) -> bool {
        self.state == ItemState::Approved
            && self.decided.as_ref().is_some_and(|decided| decided.basis == Basis::Learned)
    }
}

/// What was decided about something that was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The version of the decisions that holds it: [`crate::Store::in_force`] waits for it.
    pub version: u64,
    /// What was learned, as it is now.
    pub pin: LearnedPin,
    /// Whether it had been decided so before, and nothing was written.
    pub already: bool,
}

/// An approval that holds, or held until it ended, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// What the gateway judges by.
    pub approval: Approval,
    /// The match key at which the body was seen. Not known of approvals that are older than this column.
    pub url: Option<Box<str>>,
    /// The vendor that claimed the host then.
    pub vendor: Option<Box<str>>,
    /// Who said yes and stands by it to its end, each once, the first first.
    pub by: Vec<Assent>,
}

/// One yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assent {
    /// When.
    pub at: Timestamp,
    /// Who, as the command that decided it knew them; pinfold itself where no person did.
    pub who: Box<str>,
    /// The written reason.
    pub reason: Box<str>,
}

/// Whether a decision is in force in the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InForce {
    /// No gateway runs on this data directory; the decision counts when one starts.
    NoGateway,
    /// The running gateway judges by it.
    Yes,
    /// The running gateway does not say so yet.
    NotYet,
}
