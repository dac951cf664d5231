//! What an audit of the history of decisions finds.

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
