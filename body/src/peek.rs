//! The first bytes of a body, decoded, before anyone has decided what to do with it.

use pinfold_policy::verdict::Unmeasurable;

use crate::coding::Codings;
use crate::decode::{DecodeLimits, Decoder};
use crate::sink::Sink;

/// Decodes no more of a body than it takes to recognise its magic. The wire bytes stay the caller's: a body that
/// turns out to be guarded is decoded again from its first byte, into a hold.
pub struct Peek {
    decoder: Decoder,
    prefix: Prefix,
}

impl Peek {
    /// Looks at the first `max` decoded bytes.
    #[must_use]
    pub fn new(codings: Codings, max: usize) -> Self {
        // The prefix is the limit: nothing is decoded beyond it, and the caller bounds what it holds of the wire.
        let limits = DecodeLimits { max_ratio: u64::MAX, max_encoded: u64::MAX };
        Self {
            decoder: Decoder::new(codings, limits),
            prefix: Prefix { bytes: Vec::with_capacity(max), max },
        }
    }

    /// Takes the next bytes of the wire; those that come after the prefix is full are not looked at.
    ///
    /// # Errors
    /// [`Unmeasurable::BadEncoding`] where the bytes cannot be decoded.
    pub fn push(&mut self, wire: &[u8]) -> Result<(), Unmeasurable> {
        if self.is_full() {
            return Ok(());
        }
        match self.decoder.push(wire, &mut self.prefix) {
            Err(_) if self.is_full() => Ok(()),
            result => result,
        }
    }

    /// Whether there is nothing more to look at.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.prefix.bytes.len() == self.prefix.max
    }

    /// The decoded bytes so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.prefix.bytes
    }
}

/// Keeps what fits and stops the decoder at the first byte that does not.
struct Prefix {
    bytes: Vec<u8>,
    max: usize,
}

impl Sink for Prefix {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Unmeasurable> {
        let room = self.max - self.bytes.len();
        let (kept, beyond) = bytes.split_at(room.min(bytes.len()));
        self.bytes.extend_from_slice(kept);
        if beyond.is_empty() { Ok(()) } else { Err(Unmeasurable::TooLarge) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coding::Coding;
    use crate::encode::tests::encoded as encode;

    const WASM: &[u8] = b"\0asm\x01\0\0\0 and then a long tail that nobody needs to look at";

    fn encoded(coding: Coding) -> Vec<u8> {
        encode(WASM, coding)
    }

    #[test]
    fn a_magic_is_seen_through_every_coding_however_it_arrives() {
        for coding in Coding::ALL {
            let wire = encoded(coding);
            for size in [1, 3, wire.len()] {
                let mut peek = Peek::new(coding.into(), 8);
                for piece in wire.chunks(size) {
                    peek.push(piece).unwrap();
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
            peek.push(&wire).unwrap();
            peek.push(&wire).unwrap();
            assert_eq!(peek.bytes(), [0; 512], "{coding}");
        }
    }

    #[test]
    fn what_is_not_in_its_coding_has_no_prefix() {
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            let mut peek = Peek::new(coding.into(), 512);
            assert_eq!(
                peek.push(b"\xff\xfe not a body in any coding at all"),
                Err(Unmeasurable::BadEncoding),
                "{coding}"
            );
        }
    }
}
