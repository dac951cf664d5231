//! The fields of a verified body that goes out whole, made once for all who get it.
//!
//! Whether a body may go out, as what kind and on which grounds, is decided for each request before anybody looks here. What
//! is kept says only how those fields are spelled: nothing in them depends on who asks, but for the coding, or on when.
//! Parts, a 304, a substitute and what is provisional are made for each.
//!
//! They lie beside the vendor's head that they were made of, and go with it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderMap;
use pinfold_body::Coding;
use pinfold_policy::digest::BodyId;
use pinfold_policy::kind::Kind;
use pinfold_policy::verdict::Cleared;

use crate::encoded::Encoded;

/// What a map of fields takes, about, in bytes: by itself, and for each field beside its texts.
const MAP: u64 = 512;
const FIELD: u64 = 192;

/// Fields that are made, by coding.
#[derive(Debug, Default)]
pub(crate) struct Ready([OnceLock<Box<Fields>>; Coding::ALL.len()]);

/// What fields were made of, beside the vendor's head.
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

#[derive(Debug)]
struct Fields {
    about: About,
    headers: HeaderMap,
    /// What they take is given back with them.
    _taken: Taken,
}

impl Ready {
    /// The fields, if they were made of the very same.
    pub(crate) fn get(&self, about: &About) -> Option<&HeaderMap> {
        let fields = self.0.get(about.coding as usize)?.get()?;
        (fields.about == *about).then_some(&fields.headers)
    }

    /// Keeps fields that were just made, if there is room. Those that were made first stay: under other rules they are made for
    /// each answer until the vendor's head comes anew.
    pub(crate) fn keep(&self, about: About, headers: &HeaderMap, room: &Room) {
        let Some(place) = self.0.get(about.coding as usize).filter(|place| place.get().is_none()) else {
            return;
        };
        let texts = headers.iter().map(|(name, value)| name.as_str().len() as u64 + value.len() as u64);
        if let Some(taken) = room.take(MAP + texts.map(|len| len + FIELD).sum::<u64>()) {
            // Another may have been faster.
            drop(place.set(Box::new(Fields { about, headers: headers.clone(), _taken: taken })));
        }
    }
}

/// The memory that all of them may take, in bytes.
#[derive(Debug)]
pub(crate) struct Room {
    taken: Arc<AtomicU64>,
    most: u64,
}

/// A part of it, until this is dropped.
#[derive(Debug)]
struct Taken {
    of: Arc<AtomicU64>,
    bytes: u64,
}

impl Room {
    pub(crate) fn new(most: u64) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// Bytes that are taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: u64) -> Option<Taken> {
        let more = |taken: u64| taken.checked_add(bytes).filter(|taken| *taken <= self.most);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Taken { of: Arc::clone(&self.taken), bytes })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
