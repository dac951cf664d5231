//! What the computers of an office got, under one regime.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use crate::demo::replay::scene::{Build, Phase};

/// Which of a vendor's URLs was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    /// The one that stays the same.
    Fixed,
    /// The one that the vendor's page links to at the time.
    Link,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// A build, as the vendor's.
    Build(Build),
    /// A build in place of a refusal.
    Substituted(Build),
    /// Nothing, for this reason.
    Refused(String),
}

/// Who got what.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Computers that got the changed bytes, and when first.
    pub(super) received: BTreeMap<usize, SignedDuration>,
    /// Computers that got the reviewed bytes while the changed ones were live, at the URL that stays the same.
    pub(super) kept: BTreeSet<usize>,
    /// Those of them that got them in place of a refusal.
    pub(super) substituted: BTreeSet<usize>,
    /// Why something was refused while the changed bytes were live.
    pub(super) refused: BTreeSet<(Asked, String)>,
    /// Computers that were refused something before anything was changed.
    pub(super) refused_before: BTreeSet<usize>,
    /// How long after the version that is in order appeared somebody got it at the URL that stays the same.
    pub(super) next: Option<SignedDuration>,
}

/// When somebody asked for something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) phase: Phase,
    /// Since the changed bytes went live.
    pub(super) at: SignedDuration,
    /// Since the version that is in order appeared.
    pub(super) since_next: SignedDuration,
}

impl Tally {
    /// Takes down what the computer `desk` got.
    pub(super) fn take(&mut self, desk: usize, moment: Moment, asked: Asked, got: Got) {
        let Moment { phase, at, since_next } = moment;
        if let Got::Substituted(_) = got
            && phase == Phase::Live
        {
            self.substituted.insert(desk);
        }
        match (got, phase) {
            (Got::Build(Build::Changed) | Got::Substituted(Build::Changed), _) => {
                self.received.entry(desk).or_insert(at);
            }
            (Got::Build(Build::Reviewed) | Got::Substituted(Build::Reviewed), Phase::Live) => {
                if asked == Asked::Fixed {
                    self.kept.insert(desk);
                }
            }
            (Got::Build(Build::Next) | Got::Substituted(Build::Next), _) => {
                if asked == Asked::Fixed {
                    self.next.get_or_insert(since_next);
                }
            }
            (Got::Refused(reason), Phase::Live) => {
                self.refused.insert((asked, reason));
            }
            (Got::Refused(_), Phase::Before) => {
                self.refused_before.insert(desk);
            }
            (Got::Build(Build::Reviewed) | Got::Substituted(Build::Reviewed) | Got::Refused(_), _) => {}
        }
    }

    /// When somebody got the changed bytes first.
    pub(super) fn first_received(&self) -> Option<SignedDuration> {
        self.received.values().min().copied()
    }
}
