//! A body while it is held, and the proof that it was measured.
//!
//! [`Hold`] takes the decoded bytes and hashes the very memory that it keeps; only [`Hold::finish`] makes a
//! [`Held`]. Nothing outside this crate can pair bytes with a digest that they do not have, wherever they lie
//! meanwhile: see [`crate::kept`].

use std::any::Any;
use std::io;
use std::sync::Arc;

use sha2::{Digest as _, Sha384, Sha512};

use crate::digest::{BodyId, Digests};
use crate::kept::{Keep, Kept, Medium};
use crate::verdict::Unmeasurable;

/// A body that is still arriving.
#[derive(Debug)]
pub struct Hold {
    keep: Keep,
    max: u64,
}

impl Hold {
    /// Starts a hold of at most `max` decoded bytes. `expected` is what the vendor announced: a hint, never believed
    /// beyond one piece.
    #[must_use]
    pub fn new(max: u64, expected: Option<u64>) -> Self {
        Self { keep: Keep::new(expected), max }
    }

    /// Appends decoded bytes.
    ///
    /// # Errors
    /// [`Unmeasurable::TooLarge`] once the body is longer than allowed; none of `bytes` is kept then.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Unmeasurable> {
        if self.keep.len().saturating_add(bytes.len() as u64) > self.max {
            return Err(Unmeasurable::TooLarge);
        }
        self.keep.push(bytes);
        Ok(())
    }

    /// How many decoded bytes are held.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.keep.len()
    }

    /// Whether nothing has arrived yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keep.is_empty()
    }

    /// Where its bytes are, so that they can be moved onto a medium.
    #[must_use]
    pub fn keep(&self) -> &Keep {
        &self.keep
    }

    /// From now on [`Hold::flush`] puts what has arrived onto `medium`.
    pub fn spill_to(&mut self, medium: Box<dyn Medium>) {
        self.keep.spill_to(medium);
    }

    /// Moves what is complete from memory onto the medium. Blocks as long as the medium does.
    ///
    /// # Errors
    /// What the medium says: the body cannot be held.
    pub fn flush(&mut self) -> io::Result<()> {
        self.keep.flush()
    }

    /// The bytes so far, for a client, although nobody measured them. Observe mode alone calls this.
    #[must_use]
    pub fn into_unmeasured(self) -> Keep {
        self.keep
    }

    /// Ends the hold: the body is complete. `aliases` are the other digests of a body seen before; without them all of
    /// it is read again. Blocks where the body is spilled.
    ///
    /// # Errors
    /// What the medium says, or that it has other bytes than it was given.
    pub fn finish(self, aliases: impl FnOnce(BodyId) -> Option<Digests>) -> io::Result<Held> {
        let (kept, sha256) = self.keep.finish()?;
        let digests = match aliases(sha256).filter(|digests| digests.sha256 == sha256) {
            Some(known) => known,
            None => digests_of(&kept, sha256)?,
        };
        Ok(Held { kept, digests })
    }
}

/// All digests of bytes whose SHA-256 is known. Blocks where they are on a medium.
///
/// # Errors
/// What the medium says, or that it has other bytes than it was given.
pub fn digests_of(kept: &Kept, sha256: BodyId) -> io::Result<Digests> {
    let (mut sha384, mut sha512) = (Sha384::new(), Sha512::new());
    for piece in kept.pieces() {
        let piece = piece?;
        sha384.update(&piece);
        sha512.update(&piece);
    }
    Ok(Digests { sha256, sha384: sha384.finalize().into(), sha512: sha512.finalize().into() })
}

/// A complete, decoded, measured body. It is not cleared: only [`crate::verdict::judge`] can do that. Clones share the
/// bytes.
#[derive(Clone, Debug)]
pub struct Held {
    kept: Kept,
    digests: Digests,
}

impl Held {
    /// The same body, together with what must live as long as its bytes do.
    #[must_use]
    pub fn reserved_by(self, reservation: Arc<dyn Any + Send + Sync>) -> Self {
        Self { kept: self.kept.reserved_by(reservation), digests: self.digests }
    }

    /// The same body without what [`Held::reserved_by`] gave it: for who counts its bytes elsewhere.
    #[must_use]
    pub fn unreserved(&self) -> Self {
        Self { kept: self.kept.unreserved(), digests: self.digests }
    }

    /// Its length in bytes, decoded.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.kept.len()
    }

    /// Whether it is the empty body.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// All its digests.
    #[must_use]
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> BodyId {
        self.digests.sha256
    }

    /// The bytes, for keeping in quarantine. They do not go to a client.
    #[must_use]
    pub fn kept_for_quarantine(&self) -> &Kept {
        &self.kept
    }

    /// The bytes, for a client, although nobody verified them. Observe mode and `unpinned = "allow"` alone call this.
    #[must_use]
    pub fn into_unverified(self) -> Kept {
        self.kept
    }

    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::kept::tests::Shared;

    fn hold(pieces: &[Vec<u8>], max: u64, spills: bool) -> Result<Held, Unmeasurable> {
        let mut hold = Hold::new(max, None);
        if spills {
            hold.spill_to(Box::new(Shared::default()));
        }
        for piece in pieces {
            hold.push(piece)?;
        }
        Ok(hold.finish(|_| None).unwrap())
    }

    fn bytes(held: &Held) -> Vec<u8> {
        held.kept().pieces().collect::<io::Result<Vec<Bytes>>>().unwrap().concat()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn however_it_arrives_and_wherever_it_lies_it_is_measured_as_one_body(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40_000), 0..12),
            spills in any::<bool>(),
        ) {
            let whole = pieces.concat();
            let held = hold(&pieces, u64::MAX, spills).unwrap();
            prop_assert_eq!(held.digests(), &Digests::of(&whole));
            prop_assert_eq!(held.len(), whole.len() as u64);
            prop_assert_eq!(bytes(&held), whole);
        }
    }

    #[test]
    fn one_byte_too_many_is_refused_and_a_full_hold_is_not() {
        assert!(hold(&[vec![0; 10]], 10, false).is_ok());
        assert_eq!(hold(&[vec![0; 10], vec![0]], 10, false).unwrap_err(), Unmeasurable::TooLarge);
    }

    #[test]
    fn aliases_of_another_body_are_not_believed() {
        let mut hold = Hold::new(10, None);
        hold.push(b"abc").unwrap();
        let held = hold.finish(|_| Some(Digests::of(b"other"))).unwrap();
        assert_eq!(held.digests(), &Digests::of(b"abc"));
    }
}
