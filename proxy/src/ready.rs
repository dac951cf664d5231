//! The fields of verified bodies that go out whole, made once for all who get them.
//!
//! Whether a body may go out, as what kind and on which grounds, is decided for each request before anybody looks here. What
//! is kept says only how those fields are spelled: nothing in them depends on who asks, but for the coding, or on when.
//! Parts, a 304, a substitute, what is provisional and what lies on disk are made for each.
//!
//! They are found by all that they are made of, whether that lay on the shelf or just came from the vendor.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use pinfold_body::Coding;
use pinfold_policy::digest::BodyId;
use pinfold_policy::kind::Kind;
use pinfold_policy::verdict::Cleared;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::encoded::Encoded;
use crate::release::{shaping, shaping_alone};
use crate::weighed;

/// What a map of fields takes, about, in bytes: by itself, and for each field beside its texts.
const MAP: u64 = 512;
const FIELD: u64 = 192;
/// What most take, in bytes.
const USUAL: u64 = 4096;

/// What fields are made of, beside the vendor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct About {
    coding: Coding,
    body: BodyId,
    /// As it goes out.
    encoded: BodyId,
    len: u64,
    kind: Kind,
    max_age: Duration,
}

impl About {
    pub(crate) fn of(cleared: &Cleared, encoded: &Encoded, max_age: Duration) -> Self {
        Self {
            coding: encoded.coding,
            body: cleared.digests().sha256,
            encoded: encoded.id,
            len: encoded.kept.len(),
            kind: cleared.kind(),
            max_age,
        }
    }
}

/// Fields that are made.
pub(crate) struct Ready {
    /// By a hash of what tells most of them apart: of those that share one, the last stays.
    made: Cache<u64, Arc<Fields>, Weight>,
    hasher: RandomState,
}

struct Fields {
    about: About,
    /// Those of the vendor's that they are made of.
    vendor: HeaderMap,
    headers: HeaderMap,
}

#[derive(Clone)]
struct Weight;

impl Weighter<u64, Arc<Fields>> for Weight {
    fn weight(&self, _: &u64, fields: &Arc<Fields>) -> u64 {
        let maps = [&fields.vendor, &fields.headers];
        let texts = maps.into_iter().flatten().map(|(name, value)| name.as_str().len() + value.len());
        2 * MAP + texts.map(|len| len as u64 + FIELD).sum::<u64>()
    }
}

impl Ready {
    /// Takes at most `memory` bytes.
    pub(crate) fn new(memory: u64) -> Self {
        Self { made: weighed::cache(memory, USUAL, Weight), hasher: RandomState::new() }
    }

    /// The fields of an answer, if they were made of the very same before; else as `make` makes them, of those of the
    /// vendor's fields that it is given.
    pub(crate) fn fields(
        &self,
        vendor: &HeaderMap,
        about: About,
        make: impl FnOnce(&HeaderMap) -> HeaderMap,
    ) -> HeaderMap {
        let key = self.key(vendor, &about);
        if let Some(fields) = self.made.get(&key)
            && fields.about == about
            && fields.vendor.iter().eq(shaping(vendor))
        {
            return fields.headers.clone();
        }
        let theirs: HeaderMap = shaping_alone(vendor).collect();
        let headers = make(&theirs);
        let fields = Fields { about, vendor: theirs, headers: headers.clone() };
        self.made.insert(key, Arc::new(fields));
        headers
    }

    /// Bytes that they take.
    pub(crate) fn memory(&self) -> u64 {
        self.made.weight()
    }

    fn key(&self, vendor: &HeaderMap, about: &About) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(&about.body.0);
        hasher.write_u8(about.coding as u8);
        for (_, value) in shaping(vendor) {
            hasher.write(value.as_bytes());
        }
        hasher.finish()
    }
}
