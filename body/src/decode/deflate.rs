//! gzip (RFC 1952) and deflate (RFC 1950, RFC 1951), by zlib.

use flate2::{Decompress, FlushDecompress, Status};
use pinfold_policy::verdict::Unmeasurable;

use super::{Pieces, Step};

/// The largest window there is in deflate, as a power of two.
const WINDOW_BITS: u8 = 15;

/// The window, and the tables beside it.
pub(super) const MEMORY: u64 = 64 * 1024;

/// The first byte of every gzip member.
const MAGIC: u8 = 0x1f;

/// gzip: one member after the other, all of them count. Some decoders stop after the first and ignore the rest, zero
/// padding included; others do not. So what follows a member is another member, or the body is refused. zlib reads
/// each header with its optional parts, and checks CRC-32 and length.
pub(super) struct Gzip {
    inflate: Decompress,
    between_members: bool,
    members: Pieces,
}

impl Gzip {
    pub(super) fn new() -> Self {
        Self {
            inflate: Decompress::new_gzip(WINDOW_BITS),
            between_members: false,
            members: Pieces::default(),
        }
    }

    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Unmeasurable> {
        if let (true, Some(first)) = (self.between_members, input.first()) {
            // zlib would wait for the second byte; padding is refused at its first.
            if *first != MAGIC {
                return Err(Unmeasurable::BadEncoding);
            }
            self.inflate = Decompress::new_gzip(WINDOW_BITS);
            self.between_members = false;
        }
        let (step, ended) = run(&mut self.inflate, input, output)?;
        self.members.grow(step.given);
        if ended {
            self.members.end_one()?;
            self.between_members = true;
        }
        Ok(step)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.between_members
    }
}

/// deflate: with the zlib wrapper, as the standard says, or without, as some servers send it. The first two bytes
/// decide: they are a zlib header, or they are not one. No encoder starts a raw stream with such a pair: it would be
/// a stored block with padding bits set.
pub(super) enum Deflate {
    Undecided(Option<u8>),
    Running(Box<Decompress>),
    Ended,
}

impl Deflate {
    pub(super) fn new() -> Self {
        Self::Undecided(None)
    }

    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Unmeasurable> {
        match self {
            Self::Undecided(None) => {
                *self = Self::Undecided(input.first().copied());
                Ok(Step { taken: input.len().min(1), given: 0 })
            }
            Self::Undecided(Some(first)) => {
                let Some(second) = input.first() else { return Ok(Step { taken: 0, given: 0 }) };
                let header = [*first, *second];
                let mut inflate = Box::new(Decompress::new(is_zlib_header(header)));
                let (step, ended) = run(&mut inflate, &header, output)?;
                if step.taken != header.len() {
                    return Err(Unmeasurable::BadEncoding);
                }
                *self = if ended { Self::Ended } else { Self::Running(inflate) };
                Ok(Step { taken: 1, given: step.given })
            }
            Self::Running(inflate) => {
                let (step, ended) = run(inflate, input, output)?;
                if ended {
                    *self = Self::Ended;
                }
                Ok(step)
            }
            Self::Ended if input.is_empty() => Ok(Step { taken: 0, given: 0 }),
            Self::Ended => Err(Unmeasurable::BadEncoding),
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        matches!(self, Self::Ended)
    }
}

/// RFC 1950 §2.2: method 8, a window of at most 32 KiB, and a check that makes the pair a multiple of 31.
fn is_zlib_header(header: [u8; 2]) -> bool {
    let [method_and_window, _] = header;
    method_and_window & 0x0f == 8
        && method_and_window >> 4 <= 7
        && u16::from_be_bytes(header).is_multiple_of(31)
}

/// One call of zlib, and whether the stream has ended with it. A preset dictionary is an error like any other.
fn run(inflate: &mut Decompress, input: &[u8], output: &mut [u8]) -> Result<(Step, bool), Unmeasurable> {
    let (taken, given) = (inflate.total_in(), inflate.total_out());
    let status = inflate.decompress(input, output, FlushDecompress::None);
    let ended = match status.map_err(|_| Unmeasurable::BadEncoding)? {
        Status::StreamEnd => true,
        Status::Ok | Status::BufError => false,
    };
    // Both differences are at most the length of a slice.
    let step =
        Step { taken: (inflate.total_in() - taken) as usize, given: (inflate.total_out() - given) as usize };
    Ok((step, ended))
}
