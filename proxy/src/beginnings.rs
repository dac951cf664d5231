//! What bodies begin with once they are decoded, for wire bytes that were decoded before. Making a decoder takes longer than
//! most of what a small answer needs.

use pinfold_body::Codings;
use pinfold_policy::kind::MAGIC_LEN;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

/// Wire bytes that are compared. An honest coding needs fewer to show the first bytes of a body.
pub(crate) const COMPARED: usize = 512;
/// Beginnings that are remembered.
const KNOWN: usize = 4096;

/// Decoded first bytes by codings and SHA-256 of the wire bytes that gave them.
pub(crate) struct Beginnings(Cache<Key, [u8; MAGIC_LEN]>);

type Key = (Codings, [u8; 32]);

impl Beginnings {
    pub(crate) fn new() -> Self {
        Self(Cache::new(KNOWN))
    }

    /// What a body in these codings begins with, if as much of its wire bytes was decoded before.
    pub(crate) fn decoded(&self, codings: Codings, wire: &[u8]) -> Option<Vec<u8>> {
        self.0.get(&key(codings, wire)?).map(Vec::from)
    }

    /// Remembers what was decoded of the first wire bytes alone. Fewer of them, or of what they gave, tell too little.
    pub(crate) fn learn(&self, codings: Codings, wire: &[u8], decoded: &[u8]) {
        if let (Some(key), Ok(decoded)) = (key(codings, wire), decoded.try_into()) {
            self.0.insert(key, decoded);
        }
    }
}

fn key(codings: Codings, wire: &[u8]) -> Option<Key> {
    let compared = wire.get(..COMPARED).filter(|_| !codings.is_identity())?;
    Some((codings, Sha256::digest(compared).into()))
}
