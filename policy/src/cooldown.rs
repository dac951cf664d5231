//! Cooldown: content that a vendor has served unchanged for long enough, with rechecks looking on all the while, is
//! approved by rule where a vendor's `cooldown` says so.
//!
//! Attacks by way of a vendor's script are found within days, mostly by others; a release that nobody took back in that time
//! is no proof of anything, and is better than what an unreviewed approval on a busy morning would be. So the rule counts
//! only what was seen: it begins anew where rechecks stopped, where the content differed even once, and where the clock
//! cannot be believed.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::digest::BodyId;
use crate::reason::Reason;
use crate::vendor::{Recheck, Rules};

/// Sightings that it takes, at least.
pub const SIGHTINGS: u32 = 24;
/// The longest gap between two sightings, in rechecks: in a longer one anything could have been served.
const GAP: u32 = 4;

/// What a vendor serves without a change, as rechecks of one variant of a URL have seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The body.
    pub digest: BodyId,
    /// When it was seen first.
    pub since: Timestamp,
    /// Since when it was seen without a gap that is too long to count.
    pub steady: Timestamp,
    /// When it was seen last.
    pub last: Timestamp,
    /// Sightings without such a gap.
    pub sightings: u64,
    /// The longest time between two of those.
    pub longest_gap: SignedDuration,
}

impl Run {
    /// The first sighting.
    #[must_use]
    pub fn begin(digest: BodyId, at: Timestamp) -> Self {
        Self { digest, since: at, steady: at, last: at, sightings: 1, longest_gap: SignedDuration::ZERO }
    }

    /// One more sighting of the same body. After a gap of more than `patience`, and where the clock was set back, only this
    /// one counts.
    #[must_use]
    pub fn again(self, at: Timestamp, patience: SignedDuration) -> Self {
        let gap = at.duration_since(self.last);
        if gap.is_negative() || gap > patience {
            return Self { since: self.since.min(at), ..Self::begin(self.digest, at) };
        }
        Self {
            last: at,
            sightings: self.sightings.saturating_add(1),
            longest_gap: self.longest_gap.max(gap),
            ..self
        }
    }

    /// Whether a recheck has seen it lately, and the clock has not been set back behind that.
    fn goes_on(&self, now: Timestamp, patience: SignedDuration) -> bool {
        let gap = now.duration_since(self.last);
        !gap.is_negative() && gap <= patience
    }
}

/// One variant of a URL that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// When a recheck saw it first, whatever it was then.
    pub known: Option<Timestamp>,
    /// What it is now.
    pub run: Option<Run>,
}

/// How long a gap between two sightings may be.
#[must_use]
pub fn patience(recheck: Recheck) -> Option<SignedDuration> {
    match recheck {
        Recheck::Always => None,
        Recheck::Every(interval) => SignedDuration::try_from(interval.saturating_mul(GAP)).ok(),
    }
}

/// What the rule goes by.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Why the body is not released now.
    pub reason: Reason,
    /// The body.
    pub digest: BodyId,
    /// The vendor's rules.
    pub rules: &'a Rules,
    /// Whether a reviewed pin of the URL is active: where nobody ever reviewed anything, time alone approves nothing.
    pub has_reviewed_pin: bool,
    /// All variants of the URL that are in use.
    pub variants: &'a [Watched],
    /// The time.
    pub now: Timestamp,
}

/// Why the rule does not approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unripe {
    /// No cooldown, or no rechecks that could see it through.
    Off,
    /// It is not for the rule to decide: rejected, revoked, or pinned by a pin that has expired.
    Settled,
    /// No reviewed pin of the URL is active.
    NoPin,
    /// A variant that is in use has something else, or has not been seen yet.
    Differs,
    /// The last sighting of a variant is too long ago, or in the future.
    Interrupted,
    /// It has not been there for long enough, or not all the time.
    Young,
    /// It has not been seen often enough.
    Seldom,
}

/// What the rule saw before it approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ripe {
    /// Since when the content was served, without a gap.
    pub since: Timestamp,
    /// How often it was seen.
    pub sightings: u64,
    /// The longest time between two sightings.
    pub longest_gap: SignedDuration,
    /// In how many variants of the URL.
    pub variants: usize,
}

/// The record of an approval.
impl fmt::Display for Ripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { since, sightings, longest_gap, variants } = self;
        let since = Timestamp::from_second(since.as_second()).unwrap_or(*since);
        write!(f, "served unchanged since {since}: {sightings} sightings, ")?;
        write!(f, "none more than {} s apart", longest_gap.as_secs().saturating_add(1))?;
        if *variants > 1 {
            write!(f, ", and the same in all {variants} variants")?;
        }
        Ok(())
    }
}

/// Whether a body is approved by rule.
///
/// # Errors
/// [`Unripe`], why not.
pub fn ripe(facts: &Facts<'_>) -> Result<Ripe, Unripe> {
    let (Some(cooldown), Some(patience)) = (facts.rules.cooldown, patience(facts.rules.recheck)) else {
        return Err(Unripe::Off);
    };
    if facts.reason != Reason::DigestMismatch {
        return Err(Unripe::Settled);
    }
    if !facts.has_reviewed_pin {
        return Err(Unripe::NoPin);
    }
    let mut runs = Vec::new();
    for variant in facts.variants {
        let run = variant.run.filter(|run| run.digest == facts.digest).ok_or(Unripe::Differs)?;
        if !run.goes_on(facts.now, patience) {
            return Err(Unripe::Interrupted);
        }
        // One that came into use lately counts, if it was never anything else.
        if !has_lasted(&run, cooldown, facts.now) && variant.known != Some(run.steady) {
            return Err(Unripe::Young);
        }
        runs.push(run);
    }
    runs.retain(|run| has_lasted(run, cooldown, facts.now));
    let longest = runs.iter().max_by_key(|run| run.sightings).ok_or(Unripe::Young)?;
    if longest.sightings < u64::from(SIGHTINGS) {
        return Err(Unripe::Seldom);
    }
    Ok(Ripe {
        since: longest.steady,
        sightings: longest.sightings,
        longest_gap: longest.longest_gap,
        variants: facts.variants.len(),
    })
}

fn has_lasted(run: &Run, cooldown: Duration, now: Timestamp) -> bool {
    Duration::try_from(now.duration_since(run.steady)).is_ok_and(|lasted| lasted >= cooldown)
}

#[cfg(test)]
mod tests;
