//! What a use is given, as it is written down: as it is compared, and without the names of members that a build may choose anew.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::capability::{of_member, of_text};

/// Names of members that minifiers give.
const SHORT: usize = 2;
/// Names of members of one use that are kept: beyond, it is compared with them alone.
const NAMES: usize = 16;

pub(crate) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// A use without the names of members, and what stands for these, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unnamed {
    pub(crate) given: u64,
    pub(crate) names: Box<[u64]>,
}

/// What is written down.
#[derive(Default)]
pub(super) struct Written {
    /// As it is compared.
    pub(super) exact: String,
    /// Without names of members.
    unnamed: String,
    names: Vec<u64>,
}

impl Written {
    pub(super) fn push(&mut self, text: &str) {
        self.exact.push_str(text);
        self.unnamed.push_str(text);
    }

    pub(super) fn member(&mut self, name: &str) {
        self.exact.push_str(if name.len() > SHORT { name } else { "_" });
        if of_member(name).is_some() || of_text(name).is_some() {
            // A browser's or a page's name is no build's to choose.
            self.unnamed.push_str(name);
        } else {
            self.unnamed.push('_');
            self.names.push(hash(name));
        }
    }

    /// None where there are no such names, or too many.
    pub(super) fn unnamed(&self) -> Option<Unnamed> {
        (1..=NAMES)
            .contains(&self.names.len())
            .then(|| Unnamed { given: hash(&self.unnamed), names: self.names.as_slice().into() })
    }

    pub(super) fn add_all(&mut self, pieces: &Pieces, behind: &str) {
        for ((unnamed, exact), names) in &pieces.0 {
            self.exact.push_str(exact);
            self.unnamed.push_str(unnamed);
            self.names.extend(names);
            self.push(behind);
        }
    }
}

/// Each piece once, in an order that names of members have no part in as far as that can be.
#[derive(Default)]
pub(super) struct Pieces(pub(super) BTreeMap<(String, String), Vec<u64>>);

impl Pieces {
    pub(super) fn add(&mut self, piece: Written) {
        if !piece.exact.is_empty() {
            self.0.insert((piece.unnamed, piece.exact), piece.names);
        }
    }
}
