//! The shelf on disk: which verified bodies were served where, and under which head, so that they can be served again
//! without asking the vendor.
//!
//! A row promises nothing. The body is measured when it is read, and judged each time that it is served: what is here is
//! a memory of what was verified, and never a reason to release it.

use std::fmt;

use jiff::Timestamp;
use pinfold_policy::digest::{BodyId, Digests};
use pinfold_policy::kind::Kinds;

use crate::entry::DeliveryPath;

/// Which of a URL's answers: what a client asked with, as far as the vendor's answer depended on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Variant {
    /// The match key, with its query.
    pub url: Box<str>,
    /// `Origin`; empty where there was none.
    pub origin: Box<str>,
    /// The fields that the vendor's `Vary` named, in lower case, sorted, with commas between them.
    pub vary: Box<str>,
    /// A digest over the values of these fields: they are the client's, and nobody needs them.
    pub values: BodyId,
}

/// A body that was verified at a variant.
#[derive(Clone, PartialEq, Eq)]
pub struct Shelved {
    /// Where.
    pub variant: Variant,
    /// Its digests.
    pub digests: Digests,
    /// Its decoded length, in bytes.
    pub len: u64,
    /// The vendor's fields that a release depends on.
    pub head: Fields,
    /// What the answer could have acted as.
    pub kinds: Kinds,
    /// How the bytes came last.
    pub path: Option<DeliveryPath>,
    /// When the vendor served it last.
    pub seen: Timestamp,
    /// When a client asked for the variant last, as far as that was written down.
    pub asked: Timestamp,
    /// From when on the vendor served nothing else that was verified.
    pub first: Timestamp,
}

/// Header fields, in order.
pub type Fields = Vec<(Box<str>, Box<str>)>;

impl fmt::Debug for Shelved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelved")
            .field("variant", &self.variant)
            .field("digest", &self.digests.sha256)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}
