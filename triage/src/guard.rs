//! What keeps a script from doing harm: the guards that the field knows, and which of them are gone.

use std::collections::{BTreeMap, HashMap};

use crate::apart::Apart;
use crate::findings::Loss;
use crate::look::{Use, sites, without_equal};

/// One guard. The list is closed, and short: what is not on it may be gone without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guard {
    /// `event.origin === …`
    MessageOrigin,
    /// `event.source === …`
    MessageSource,
    /// `event.isTrusted`
    Trusted,
    /// A signature or a hash is verified.
    Signature,
    /// `integrity`, of what is loaded.
    Integrity,
    /// `DOMPurify.sanitize(…)` and its like, `escapeHtml(…)`.
    Cleaning,
    /// A Content Security Policy, a nonce, trusted types.
    ContentSecurityPolicy,
    /// `sandbox`, of a frame.
    Sandbox,
    /// `rel="noopener"`, `noreferrer`.
    Noopener,
    /// `Object.freeze` and its like.
    Frozen,
    /// `try { … } catch`
    Catch,
}

impl Guard {
    /// The stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.names().0
    }

    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::MessageOrigin => ("message-origin", "a check of a message's origin"),
            Self::MessageSource => ("message-source", "a check of a message's source"),
            Self::Trusted => ("trusted", "a check that a person caused an event"),
            Self::Signature => ("signature", "a check of a signature or a hash"),
            Self::Integrity => ("integrity", "the integrity of what is loaded"),
            Self::Cleaning => ("cleaning", "the cleaning of text that becomes HTML"),
            Self::ContentSecurityPolicy => {
                ("content-security-policy", "a Content Security Policy, a nonce or trusted types")
            }
            Self::Sandbox => ("sandbox", "the sandbox of a frame"),
            Self::Noopener => ("noopener", "noopener or noreferrer of a link"),
            Self::Frozen => ("frozen", "an object that nobody can change (Object.freeze)"),
            Self::Catch => ("catch", "a catch of errors"),
        }
    }

    /// Whether one that asks something else in place of another is a loss too.
    fn is_compared(self) -> bool {
        match self {
            Self::MessageOrigin | Self::MessageSource | Self::Trusted | Self::Signature | Self::Cleaning => {
                true
            }
            Self::Integrity
            | Self::ContentSecurityPolicy
            | Self::Sandbox
            | Self::Noopener
            | Self::Frozen
            | Self::Catch => false,
        }
    }
}

/// The guards of which there are fewer than before, or others.
pub(crate) fn losses(
    old: &HashMap<Guard, Vec<Use>>,
    new: &HashMap<Guard, Vec<Use>>,
    apart: &Apart<'_>,
) -> Vec<Loss> {
    let old: BTreeMap<_, _> = old.iter().collect();
    let loss = |(guard, before): (&Guard, &Vec<Use>)| {
        let now = new.get(guard).map(Vec::as_slice).unwrap_or_default();
        let (gone, others) = without_equal(before, now);
        let is_lost = now.len() < before.len() || (guard.is_compared() && !gone.is_empty());
        is_lost.then(|| {
            let (others, gone) = if guard.is_compared() {
                apart.look_alike(&gone, &others)
            } else {
                (Vec::new(), sites(&gone))
            };
            Loss { guard: *guard, reviewed: before.len(), new: now.len(), gone, others }
        })
    };
    old.into_iter().filter_map(loss).collect()
}
