//! What holds for one digest at one subject: what follows from all that was ever decided of it there, in order.
//!
//! It follows from the rows alone, and from no clock and no setting of today: whoever reads the history comes to the same.

use std::sync::Arc;

use jiff::Timestamp;
use pinfold_policy::decisions::{Approval, Basis, Rejection};
use pinfold_policy::digest::{BodyId, Digest};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::history::{self, Decision, Ruling};
use crate::item::{Agreement, ItemState, LastDecision};
use crate::sqlite::int;

/// What holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    granted: Option<Granted>,
    rejected: Option<Said>,
    /// The people who approved since the last rejection, each with the last word.
    votes: Vec<Said>,
    /// How many of them must agree, by the last of them.
    needed: u32,
}

/// It may be served, by enough people or by a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Granted {
    version: u64,
    by: Decision,
    /// From when on too few of the people who agreed stand by it.
    expires: Option<Timestamp>,
}

/// A decision, and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    version: u64,
    decision: Decision,
}

impl Standing {
    /// Goes on with the next row.
    pub(super) fn add(&mut self, version: u64, decision: Decision) {
        match decision.ruling {
            Ruling::Approve => match decision.basis {
                Basis::Reviewed => self.agree(version, decision),
                Basis::Cooldown | Basis::Learned => {
                    self.granted = Some(Granted { version, expires: decision.expires, by: decision });
                }
            },
            // A revocation that began at an item is a rejection there too, and stays one when it is taken back.
            Ruling::Reject | Ruling::Revoke => {
                *self = Self { rejected: Some(Said { version, decision }), ..Self::default() };
            }
            Ruling::Reinstate => {}
        }
    }

    /// One more person. An earlier rejection holds, and an earlier approval too, until there are enough of them.
    fn agree(&mut self, version: u64, decision: Decision) {
        self.needed = decision.approvers;
        self.votes.retain(|vote| person(&vote.decision.who) != person(&decision.who));
        self.votes.push(Said { version, decision: decision.clone() });
        let mut ends: Vec<_> = self.votes_at(decision.at).map(|vote| vote.decision.expires).collect();
        // For ever comes first, then the latest: it holds as long as enough of them do.
        ends.sort_by_key(|end| (end.is_some(), std::cmp::Reverse(*end)));
        if let Some(expires) = (self.needed as usize).checked_sub(1).and_then(|last| ends.get(last)) {
            self.rejected = None;
            self.granted = Some(Granted { version, expires: *expires, by: decision });
        }
    }

    fn votes_at(&self, now: Timestamp) -> impl Iterator<Item = &Said> {
        self.votes.iter().filter(move |vote| counts(vote.decision.expires, now))
    }

    /// Whether nothing was ever decided.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether one decision more would change nothing but the history.
    pub(super) fn says_already(&self, decision: &Decision) -> bool {
        let mut after = self.clone();
        after.add(u64::MAX, decision.clone());
        after.essence(decision.at) == self.essence(decision.at)
    }

    /// What holds at `now`, apart from when and why it was said.
    fn essence(&self, now: Timestamp) -> impl PartialEq + use<> {
        let granted = self.granted.as_ref().map(|granted| (granted.by.basis, granted.expires));
        let rejected = self.rejected.as_ref().map(|rejected| rejected.decision.expires);
        let votes = self.votes_at(now).map(|vote| (vote.decision.who.clone(), vote.decision.expires));
        let votes: std::collections::BTreeSet<_> = votes.collect();
        (granted, rejected, votes, self.state(now))
    }

    /// What it makes of an item at `now`, unless the digest is revoked.
    pub(super) fn state(&self, now: Timestamp) -> ItemState {
        let is_granted = self.granted.as_ref().is_some_and(|granted| counts(granted.expires, now));
        let is_rejected =
            self.rejected.as_ref().is_some_and(|rejected| counts(rejected.decision.expires, now));
        match (is_granted, is_rejected) {
            (true, _) => ItemState::Approved,
            (false, true) => ItemState::Rejected,
            (false, false) => ItemState::Waiting,
        }
    }

    /// The decision that holds, or held until it ended.
    pub(super) fn last(&self) -> Option<LastDecision> {
        let granted = self.granted.as_ref().map(|granted| last(&granted.by, granted.expires));
        let rejected =
            || self.rejected.as_ref().map(|rejected| last(&rejected.decision, rejected.decision.expires));
        granted.or_else(rejected)
    }

    /// The people who agree at `now`, where there are not enough of them yet.
    pub(super) fn agreement(&self, now: Timestamp) -> Option<Agreement> {
        let by: Vec<_> = self.votes_at(now).map(|vote| vote.decision.who.clone()).collect();
        let is_pending = !by.is_empty() && by.len() < self.needed as usize;
        is_pending.then_some(Agreement { by, needed: self.needed })
    }

    /// As the policy wants it.
    pub(super) fn lay_into(&self, approvals: &mut Vec<Approval>, rejections: &mut Vec<Rejection>) {
        if let Some(Granted { version, by, expires }) = &self.granted {
            let Some((subject, digest)) = about(by) else { return };
            let Some(about) = &by.about else { return };
            let record: Arc<str> = match about.incident {
                Some(incident) => incident.to_string().into(),
                None => version.to_string().into(),
            };
            let (kind, basis, expires) = (about.kind, by.basis, *expires);
            approvals.push(Approval { subject, digest, kind, basis, expires, record });
        } else if let Some(Said { decision, .. }) = &self.rejected {
            let Some((subject, digest)) = about(decision) else { return };
            rejections.push(Rejection { subject, digest, expires: decision.expires });
        }
    }
}

/// What a decision at a subject is about. Bodies are known by their SHA-256 there.
fn about(decision: &Decision) -> Option<(Box<str>, BodyId)> {
    let subject = decision.about.as_ref()?.subject.clone();
    match decision.digest {
        Digest::Sha256(digest) => Some((subject, BodyId(digest))),
        Digest::Sha384(_) | Digest::Sha512(_) => None,
    }
}

/// A name without its machine, in whatever case a directory gives it: one person at two machines is one person. Two people of one
/// name count as one too, and that errs on the side of asking for a third.
pub(super) fn person(who: &str) -> String {
    who.split_once('@').map_or(who, |(name, _)| name).to_lowercase()
}

fn counts(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_none_or(|expires| now < expires)
}

fn last(decision: &Decision, expires: Option<Timestamp>) -> LastDecision {
    LastDecision {
        at: decision.at,
        who: decision.who.clone(),
        reason: decision.reason.clone(),
        basis: decision.basis,
        expires,
    }
}

/// What holds for a digest at a subject.
pub(super) async fn of(
    connection: &mut SqliteConnection,
    subject: &str,
    digest: BodyId,
) -> Result<Standing, sqlx::Error> {
    up_to(connection, subject, &digest.into(), u64::MAX).await
}

/// Whether an approval made what it is about be served: where several people must approve, the last of them does.
pub(super) async fn is_granted_by(
    connection: &mut SqliteConnection,
    version: u64,
    decision: &Decision,
) -> Result<bool, sqlx::Error> {
    let Some(about) = &decision.about else { return Ok(false) };
    let standing = up_to(connection, &about.subject, &decision.digest, version).await?;
    Ok(standing.granted.is_some_and(|granted| granted.version == version))
}

async fn up_to(
    connection: &mut SqliteConnection,
    subject: &str,
    digest: &Digest,
    version: u64,
) -> Result<Standing, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(history::select(
        "subject = ? AND digest = ? AND version <= ? ORDER BY version",
    )))
    .bind(subject)
    .bind(digest.bytes())
    .bind(int(version))
    .fetch_all(connection)
    .await?;
    let mut standing = Standing::default();
    for row in &rows {
        let (version, decision) = history::read(row)?;
        standing.add(version, decision);
    }
    Ok(standing)
}
