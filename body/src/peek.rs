//! The first bytes of a body, decoded, before anyone has decided what to do with it.

use pinfold_policy::verdict::Unmeasurable;

use crate::coding::Codings;
use crate::decode::{DecodeLimits, Decoder, Pulled};

/// Bytes that are decoded at one time: what comes behind the prefix is decoded for nothing.
const SCRATCH: usize = 32;

/// Bytes that may enter a coding. An honest one shows its first bytes after some hundred; a header can go on for ever, and
/// inside another coding that costs its sender nothing.
const MOST: u64 = 512 * 1024;

/// Decodes no more of a body than it takes to recognise its magic. The wire bytes stay the caller's: a body that
/// turns out to be guarded is decoded again from its first byte, into a hold.
pub struct Peek {
    decoder: Decoder,
    bytes: Vec<u8>,
    max: usize,
}

impl Peek {
    /// Looks at the first `max` decoded bytes.
    #[must_use]
    pub fn new(codings: Codings, max: usize) -> Self {
        // The prefix bounds what is given, whatever the ratio.
        let limits = DecodeLimits { max_ratio: u64::MAX, max_encoded: MOST };
        Self { decoder: Decoder::with_scratch(codings, limits, SCRATCH), bytes: Vec::with_capacity(max), max }
    }

    /// Takes one step with the next bytes of the wire, and says how many it took: `None` once it needs no more of them.
    /// Before the next step [`Peek::memory`] says what that may take.
    ///
    /// # Errors
    /// [`Unmeasurable::BadEncoding`] where the bytes cannot be decoded, [`Unmeasurable::TooLarge`] where too many of them
    /// show nothing.
    pub fn step(&mut self, wire: &[u8]) -> Result<Option<usize>, Unmeasurable> {
        if self.is_full() {
            return Ok(None);
        }
        let Some(Pulled { taken, bytes }) = self.decoder.pull(wire)? else { return Ok(None) };
        let room = self.max - self.bytes.len();
        self.bytes.extend(bytes.iter().take(room));
        Ok(Some(taken))
    }

    /// The memory that it takes, in bytes.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.decoder.memory()
    }

    /// Whether there is nothing more to look at.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes.len() == self.max
    }

    /// The decoded bytes so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coding::Coding;
    use crate::encode::tests::encoded as encode;

    fn push(peek: &mut Peek, mut wire: &[u8]) -> Result<(), Unmeasurable> {
        while let Some(taken) = peek.step(wire)? {
            wire = &wire[taken..];
        }
        Ok(())
    }

    const WASM: &[u8] = b"\0asm\x01\0\0\0 and then a long tail that nobody needs to look at";

    fn encoded(coding: Coding) -> Vec<u8> {
        encode(WASM, coding)
    }

    #[test]
    fn a_body_that_breaks_behind_its_magic_does_not_hide_it() {
        let mut script = WASM.to_vec();
        // What no coding makes short.
        script.extend((0..10_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()));
        // The others decode whole blocks.
        for coding in [Coding::Gzip, Coding::Deflate] {
            let mut wire = encode(&script, coding);
            let len = wire.len();
            wire[len / 2..].fill(0xff);
            let mut peek = Peek::new(coding.into(), 8);
            push(&mut peek, &wire).unwrap();
            assert_eq!(peek.bytes(), &WASM[..8], "{coding}");
        }
    }

    #[test]
    fn a_magic_is_seen_through_every_coding_however_it_arrives() {
        for coding in Coding::ALL {
            let wire = encoded(coding);
            for size in [1, 3, wire.len()] {
                let mut peek = Peek::new(coding.into(), 8);
                for piece in wire.chunks(size) {
                    push(&mut peek, piece).unwrap();
                }
                assert!(peek.is_full(), "{coding}");
                assert_eq!(peek.bytes(), &WASM[..8], "{coding}");
            }
        }
    }

    #[test]
    fn a_bomb_is_not_decoded_beyond_the_prefix() {
        for coding in Coding::ALL {
            let wire = encode(&vec![0; 10 << 20], coding);
            let mut peek = Peek::new(coding.into(), 512);
            push(&mut peek, &wire).unwrap();
            push(&mut peek, &wire).unwrap();
            assert_eq!(peek.bytes(), [0; 512], "{coding}");
        }
    }

    #[test]
    fn a_header_without_end_that_another_coding_blows_up_is_given_up() {
        // A member with a comment (RFC 1952 §2.3), which nothing ends.
        let mut member = b"\x1f\x8b\x08\x10\0\0\0\0\0\xff".to_vec();
        member.resize(8 << 20, b'a');
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            let wire = encode(&member, coding);
            assert!(wire.len() < 64 << 10, "{coding}");
            let mut peek = Peek::new(Codings { inner: Coding::Gzip, outer: coding }, 8);
            assert_eq!(push(&mut peek, &wire), Err(Unmeasurable::TooLarge), "{coding}");
        }
    }

    #[test]
    fn what_is_not_in_its_coding_has_no_prefix() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            let mut peek = Peek::new(coding.into(), 512);
            assert_eq!(
                push(&mut peek, b"\xff\xfe not a body in any coding at all"),
                Err(Unmeasurable::BadEncoding),
                "{coding}"
            );
        }
    }
}
