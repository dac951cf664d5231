//! A body while it is held, and the proof that it was measured.
//!
//! [`Hold`] takes the decoded bytes and hashes the very memory that it keeps; only [`Hold::finish`] makes a
//! [`Held`]. Nothing outside this crate can pair bytes with a digest that they do not have.

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::digest::{BodyId, Digests};
use crate::verdict::Unmeasurable;

/// Small bodies take one segment of their own size; large ones grow by this, so that nothing is ever moved.
const SEGMENT: usize = 256 * 1024;
const FIRST_SEGMENT: usize = 16 * 1024;

/// A body that is still arriving. It is a list of segments: growing one copies nothing that is there already.
#[derive(Debug)]
pub struct Hold {
    full: Vec<Bytes>,
    current: BytesMut,
    len: u64,
    max: u64,
    sha256: Sha256,
}

impl Hold {
    /// Starts a hold of at most `max` decoded bytes. `expected` is what the vendor announced: a hint, never believed
    /// beyond one segment.
    #[must_use]
    pub fn new(max: u64, expected: Option<u64>) -> Self {
        let first =
            expected.and_then(|len| usize::try_from(len).ok()).unwrap_or(FIRST_SEGMENT).clamp(1, SEGMENT);
        Self { full: Vec::new(), current: BytesMut::with_capacity(first), len: 0, max, sha256: Sha256::new() }
    }

    /// Appends decoded bytes.
    ///
    /// # Errors
    /// [`Unmeasurable::TooLarge`] once the body is longer than allowed; none of `bytes` is kept then.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), Unmeasurable> {
        let len = self.len.saturating_add(bytes.len() as u64);
        if len > self.max {
            return Err(Unmeasurable::TooLarge);
        }
        self.len = len;
        self.sha256.update(bytes);
        while !bytes.is_empty() {
            let room = self.current.capacity() - self.current.len();
            if room == 0 {
                let next = BytesMut::with_capacity(SEGMENT);
                self.full.push(std::mem::replace(&mut self.current, next).freeze());
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.current.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// How many decoded bytes are held.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing has arrived yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Ends the hold: the body is complete. `aliases` are the other digests of a body seen before.
    #[must_use]
    pub fn finish(mut self, aliases: impl FnOnce(BodyId) -> Option<Digests>) -> Held {
        self.full.push(self.current.freeze());
        let sha256 = BodyId(self.sha256.finalize().into());
        let known = aliases(sha256).filter(|digests| digests.sha256 == sha256);
        let digests = known.unwrap_or_else(|| Digests {
            sha256,
            sha384: over::<Sha384, 48>(&self.full),
            sha512: over::<Sha512, 64>(&self.full),
        });
        Held { segments: self.full, len: self.len, digests }
    }
}

fn over<H: sha2::Digest, const N: usize>(segments: &[Bytes]) -> [u8; N]
where
    sha2::digest::Output<H>: Into<[u8; N]>,
{
    let mut hasher = H::new();
    for segment in segments {
        hasher.update(segment);
    }
    hasher.finalize().into()
}

/// A complete, decoded, measured body. It is not cleared: only [`crate::verdict::judge`] can do that.
#[derive(Debug)]
pub struct Held {
    segments: Vec<Bytes>,
    len: u64,
    digests: Digests,
}

impl Held {
    /// Its length in bytes, decoded.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it is the empty body.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
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
    pub fn segments_for_quarantine(&self) -> &[Bytes] {
        &self.segments
    }

    /// The bytes, for a client, although nobody verified them. Observe mode and `unpinned = "allow"` alone call this.
    #[must_use]
    pub fn into_unverified_segments(self) -> Vec<Bytes> {
        self.segments
    }

    pub(crate) fn segments(&self) -> &[Bytes] {
        &self.segments
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hold(pieces: &[Vec<u8>], max: u64) -> Result<Held, Unmeasurable> {
        let mut hold = Hold::new(max, None);
        for piece in pieces {
            hold.push(piece)?;
        }
        Ok(hold.finish(|_| None))
    }

    proptest! {
        #[test]
        fn however_it_arrives_it_is_measured_as_one_body(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40_000), 0..12)) {
            let whole = pieces.concat();
            let held = hold(&pieces, u64::MAX).unwrap();
            prop_assert_eq!(held.digests(), &Digests::of(&whole));
            prop_assert_eq!(held.len(), whole.len() as u64);
            prop_assert_eq!(held.segments().concat(), whole);
        }
    }

    #[test]
    fn one_byte_too_many_is_refused_and_a_full_hold_is_not() {
        assert!(hold(&[vec![0; 10]], 10).is_ok());
        assert_eq!(hold(&[vec![0; 10], vec![0]], 10).unwrap_err(), Unmeasurable::TooLarge);
    }

    #[test]
    fn an_announced_length_reserves_no_more_than_a_segment() {
        let hold = Hold::new(u64::MAX, Some(u64::MAX));
        assert!(hold.current.capacity() <= 2 * SEGMENT);
    }

    #[test]
    fn aliases_of_another_body_are_not_believed() {
        let mut hold = Hold::new(10, None);
        hold.push(b"abc").unwrap();
        let held = hold.finish(|_| Some(Digests::of(b"other")));
        assert_eq!(held.digests(), &Digests::of(b"abc"));
    }
}
