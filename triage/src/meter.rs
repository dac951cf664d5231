//! What an analysis has left: counted over all members of all archives inside each other.

use std::io::Read;

use flate2::read::{DeflateDecoder, ZlibDecoder};

use crate::difference::DifferenceAsked;
use crate::findings::NotAnalysed;
use crate::limits::Limits;

/// So much may come of anything, however small.
const FREE: usize = 1 << 20;

/// What is left.
pub(crate) struct Meter {
    pub(crate) limits: Limits,
    /// What of each difference is told.
    pub(crate) asked: DifferenceAsked,
    unpacked: usize,
    members: usize,
    /// Why something was left out, the first time.
    pub(crate) short: Option<NotAnalysed>,
}

impl Meter {
    pub(crate) fn of(limits: Limits, asked: DifferenceAsked) -> Self {
        Self { limits, asked, unpacked: limits.unpacked, members: limits.members, short: None }
    }

    /// Takes one member. `false` where there are no more, or there is no time.
    pub(crate) fn member(&mut self) -> bool {
        let is_left = self.members > 0 && !self.limits.is_over();
        self.members = self.members.saturating_sub(1);
        if !is_left {
            self.note(if self.members == 0 { NotAnalysed::TooMuch } else { NotAnalysed::TimeOver });
        }
        is_left
    }

    pub(crate) fn note(&mut self, why: NotAnalysed) {
        self.short.get_or_insert(why);
    }

    /// Takes bytes that lie in memory anyhow.
    pub(crate) fn take(&mut self, len: usize) -> Result<(), NotAnalysed> {
        if len > self.limits.member {
            return Err(NotAnalysed::TooLarge { limit: self.limits.member });
        }
        if len > self.unpacked {
            self.note(NotAnalysed::TooMuch);
            return Err(NotAnalysed::TooMuch);
        }
        self.unpacked -= len;
        Ok(())
    }

    pub(crate) fn inflate(&mut self, packed: &[u8]) -> Result<Vec<u8>, NotAnalysed> {
        self.read(DeflateDecoder::new(packed), packed.len())
    }

    pub(crate) fn zlib(&mut self, packed: &[u8]) -> Result<Vec<u8>, NotAnalysed> {
        self.read(ZlibDecoder::new(packed), packed.len())
    }

    /// All that a reader gives, of `packed` bytes.
    // Capped after unpacking: what is packed says nothing of what comes of it.
    pub(crate) fn read(&mut self, mut from: impl Read, packed: usize) -> Result<Vec<u8>, NotAnalysed> {
        let limits = self.limits;
        let most = FREE.max(packed.saturating_mul(limits.ratio)).min(limits.member).min(self.unpacked);
        let mut bytes = Vec::new();
        let mut piece = vec![0; 64 << 10];
        loop {
            let len = match from.read(&mut piece) {
                Ok(0) => return Ok(bytes),
                Ok(len) => len,
                Err(said) => return Err(NotAnalysed::Malformed { said: said.to_string().into() }),
            };
            if bytes.len() + len > most {
                return Err(self.beyond(most));
            }
            if limits.is_over() {
                self.note(NotAnalysed::TimeOver);
                return Err(NotAnalysed::TimeOver);
            }
            self.unpacked -= len;
            bytes.extend_from_slice(piece.get(..len).unwrap_or_default());
        }
    }

    fn beyond(&mut self, most: usize) -> NotAnalysed {
        if most == self.limits.member {
            NotAnalysed::TooLarge { limit: most }
        } else if most < FREE {
            self.note(NotAnalysed::TooMuch);
            NotAnalysed::TooMuch
        } else {
            NotAnalysed::Ratio { limit: self.limits.ratio }
        }
    }
}
