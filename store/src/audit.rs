//! What an audit of the history of decisions finds.

use std::fmt;

use pinfold_policy::digest::BodyId;

/// The history, as far as it is intact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Decisions that were checked and found intact.
    pub decisions: u64,
    /// The number of the last decision or binding, as the store counts them.
    pub version: u64,
    /// The hash of the last decision that is intact: whoever keeps it elsewhere can tell later that it is still there.
    pub head: Option<BodyId>,
    /// The first place where it is not.
    pub broken: Option<Broken>,
}

/// Where the history is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The number of the decision.
    pub version: u64,
    /// What is wrong there.
    pub flaw: Flaw,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the history of decisions is broken at version {}: {}", self.version, self.flaw)
    }
}

/// What is wrong with a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Its hash is not that of its content and of the row before: one of the two was changed.
    Changed,
    /// It is not there.
    Missing,
    /// A binding has the same number.
    Doubled,
    /// The store has not counted so far.
    Beyond,
    /// Decisions are counted from 1.
    Below,
}

impl Flaw {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Doubled => "doubled",
            Self::Beyond => "beyond",
            Self::Below => "below",
        }
    }
}

impl fmt::Display for Flaw {
    /// In a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "this row, or the one before it, is not what was written",
            Self::Missing => "it was counted, and is not there",
            Self::Doubled => "a decision and a binding have this number",
            Self::Beyond => "it is there, and was never counted",
            Self::Below => "there is one before the first: decisions are counted from 1",
        })
    }
}
