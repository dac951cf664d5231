//! Undoing the codings of a hostile body, strictly and in bounded memory.
//!
//! A coding is a small machine that takes some bytes and gives some ([`Codec`]); a stage drives one machine with its
//! own scratch memory; a [`Decoder`] chains at most two stages, so that no intermediate body is ever held. Whatever
//! comes in, the memory is the scratch of each stage (at most 64 KiB) and the window of its coding: 32 KiB for gzip and
//! deflate, 8 MiB for zstd, 16 MiB for br.
//!
//! What other decoders let pass is refused here: bytes after the end, a missing end, a checksum that does not fit,
//! dictionaries, oversized windows. Every error is final: a decoder that has failed says so for ever.

mod brotli;
mod deflate;
mod zstd;

use std::ops::Range;

use pinfold_policy::verdict::Unmeasurable;

use self::brotli::Brotli;
use self::deflate::{Deflate, Gzip};
use self::zstd::Zstd;
use crate::coding::{Coding, Codings};
use crate::sink::Sink;

const SCRATCH: usize = 64 * 1024;

/// Up to here no ratio is looked at. Small repetitive bodies shrink two-hundredfold honestly, and what decodes to
/// less than this cannot hurt. It is also large enough that the ratio, which is compared as bytes arrive, does not
/// come out differently for another cut of the same body into packets, unless the body is a bomb at its start.
pub const RATIO_FLOOR: u64 = 1024 * 1024;

/// What a decoder puts up with, besides the cap of the sink it writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Decoded bytes per wire byte, beyond the first [`RATIO_FLOOR`] bytes; with two codings, over both of them.
    pub max_ratio: u64,
    /// Bytes that may enter any one coding. The sink bounds what is decoded; this bounds a body that decodes to
    /// nothing, such as empty gzip members without end.
    pub max_encoded: u64,
}

/// Takes the wire bytes of one body as they arrive and gives the decoded bytes to a [`Sink`].
pub struct Decoder {
    /// Undone in this order: the last coding that the vendor applied comes first.
    outer: Option<Stage>,
    inner: Option<Stage>,
    limits: DecodeLimits,
    received: u64,
    failed: Option<Unmeasurable>,
}

impl Decoder {
    /// A decoder for one body in these codings.
    #[must_use]
    pub fn new(codings: Codings, limits: DecodeLimits) -> Self {
        Self::with_scratch(codings, limits, SCRATCH)
    }

    /// The same, that gives at most `scratch` bytes in one step.
    pub(crate) fn with_scratch(codings: Codings, limits: DecodeLimits, scratch: usize) -> Self {
        let stage = |coding| Codec::new(coding).map(|codec| Stage::new(codec, limits.max_encoded, scratch));
        Self { outer: stage(codings.outer), inner: stage(codings.inner), limits, received: 0, failed: None }
    }

    /// Decodes all of the next bytes of the wire.
    ///
    /// # Errors
    /// [`Unmeasurable::BadEncoding`] where the bytes are not what the codings allow, [`Unmeasurable::TooLarge`]
    /// beyond the limits, or what the sink says. The sink has seen some of the bytes then, and the same error
    /// follows on every further call.
    pub fn push(&mut self, mut wire: &[u8], out: &mut impl Sink) -> Result<(), Unmeasurable> {
        while let Some(Pulled { taken, bytes }) = self.pull(wire)? {
            let pushed = out.push(bytes);
            self.failed = pushed.err();
            pushed?;
            wire = wire.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Takes one step: decodes from the front of `wire` until there is something to give, or until the next step will
    /// take more memory ([`Decoder::memory`] has grown then). So a caller can find room before it goes on. `None` once
    /// all of `wire` is taken and nothing is owed.
    ///
    /// # Errors
    /// As [`Decoder::push`], which calls this until nothing comes.
    pub fn pull<'a>(&'a mut self, wire: &'a [u8]) -> Result<Option<Pulled<'a>>, Unmeasurable> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let offered = self.received.saturating_add(wire.len() as u64);
        let budget = offered.saturating_mul(self.limits.max_ratio).max(RATIO_FLOOR);
        let mut rest = wire;
        let given = match (&mut self.outer, &mut self.inner) {
            (None, None) => {
                let bytes = wire.get(..SCRATCH).unwrap_or(wire);
                self.received = self.received.saturating_add(bytes.len() as u64);
                return Ok((!bytes.is_empty()).then_some(Pulled { taken: bytes.len(), bytes }));
            }
            (Some(stage), None) | (None, Some(stage)) => stage.pull(&mut rest, budget),
            (Some(outer), Some(inner)) => pull_through(outer, inner, &mut rest, budget),
        };
        self.failed = given.err();
        let taken = wire.len() - rest.len();
        self.received = self.received.saturating_add(taken as u64);
        let Some(given) = given? else { return Ok(None) };
        let last = self.inner.as_ref().or(self.outer.as_ref());
        let bytes = last.and_then(|stage| stage.scratch.get(..given)).unwrap_or_default();
        Ok(Some(Pulled { taken, bytes }))
    }

    /// The memory that it takes, in bytes: scratch, and the windows that the body has announced so far.
    #[must_use]
    pub fn memory(&self) -> u64 {
        [&self.outer, &self.inner].into_iter().flatten().map(Stage::memory).sum()
    }

    /// Ends the body: the wire has no more bytes. A body of no wire bytes at all is the empty body in every coding,
    /// as in browsers: answers without content often keep their `Content-Encoding`.
    ///
    /// # Errors
    /// [`Unmeasurable::Truncated`] when a coding has not come to its end, or the error that came before.
    pub fn finish(&self) -> Result<(), Unmeasurable> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let mut stages = [&self.outer, &self.inner].into_iter().flatten();
        if self.received == 0 || stages.all(|stage| stage.codec.is_at_end()) {
            return Ok(());
        }
        Err(Unmeasurable::Truncated)
    }
}

/// What came of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulled<'a> {
    /// So many bytes were taken from the front of the wire.
    pub taken: usize,
    /// They, and what was taken before, gave these: at most 64 KiB.
    pub bytes: &'a [u8],
}

/// Decodes with the outer stage what the inner one then decodes, and says how much that has given.
fn pull_through(
    outer: &mut Stage,
    inner: &mut Stage,
    wire: &mut &[u8],
    budget: u64,
) -> Result<Option<usize>, Unmeasurable> {
    let ready = outer.scratch.get(outer.ready.clone()).unwrap_or_default();
    let mut rest = ready;
    let given = inner.pull(&mut rest, budget)?;
    outer.ready.start += ready.len() - rest.len();
    if given.is_some() {
        return Ok(given);
    }
    let next = outer.pull(wire, budget)?;
    outer.ready = 0..next.unwrap_or(0);
    Ok(next.map(|_| 0))
}

/// One coding, with the memory it writes to and what has gone through it.
struct Stage {
    codec: Codec,
    scratch: Box<[u8]>,
    /// What of the scratch another stage has not taken yet.
    ready: Range<usize>,
    /// A codec can owe output after it has taken all input, but only when it has filled the scratch.
    owing: bool,
    taken: u64,
    given: u64,
    max_taken: u64,
}

impl Stage {
    fn new(codec: Codec, max_taken: u64, scratch: usize) -> Self {
        let scratch = vec![0; scratch].into_boxed_slice();
        Self { codec, scratch, ready: 0..0, owing: false, taken: 0, given: 0, max_taken }
    }

    /// Decodes into the scratch until something is there, or more memory will be needed, and says how much is there.
    /// `None` once all of `input` is taken.
    fn pull(&mut self, input: &mut &[u8], budget: u64) -> Result<Option<usize>, Unmeasurable> {
        while self.owing || !input.is_empty() {
            let before = self.codec.memory();
            let step = self.codec.step(input, &mut self.scratch)?;
            let has_grown = self.codec.memory() > before;
            if step.taken == 0 && step.given == 0 && !has_grown && !input.is_empty() {
                return Err(Unmeasurable::BadEncoding);
            }
            *input = input.get(step.taken..).unwrap_or_default();
            self.owing = step.given == self.scratch.len();
            self.taken = self.taken.saturating_add(step.taken as u64);
            self.given = self.given.saturating_add(step.given as u64);
            if self.taken > self.max_taken || self.given > budget {
                return Err(Unmeasurable::TooLarge);
            }
            if step.given > 0 || has_grown {
                return Ok(Some(step.given));
            }
        }
        Ok(None)
    }

    fn memory(&self) -> u64 {
        self.scratch.len() as u64 + self.codec.memory()
    }
}

/// How far one call of a codec came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    taken: usize,
    given: usize,
}

/// How many members or frames a body has. To begin one costs a decoder microseconds, and within another coding it can
/// cost its sender next to nothing: a body of empty ones would keep a processor busy for minutes.
#[derive(Clone, Copy, Debug, Default)]
struct Pieces {
    ended: u64,
    given: u64,
}

impl Pieces {
    /// So many are fine whatever is in them; beyond it they must hold [`Pieces::CONTENT`] bytes each on average. Tools
    /// that write many members put some 64 KiB into each.
    const FREE: u64 = 1024;
    const CONTENT: u64 = 256;

    fn grow(&mut self, given: usize) {
        self.given += given as u64;
    }

    fn end_one(&mut self) -> Result<(), Unmeasurable> {
        self.ended += 1;
        if self.ended > Self::FREE + self.given / Self::CONTENT {
            Err(Unmeasurable::TooLarge)
        } else {
            Ok(())
        }
    }

    fn ended(self) -> u64 {
        self.ended
    }
}

enum Codec {
    Gzip(Gzip),
    Deflate(Deflate),
    Brotli(Box<Brotli>),
    Zstd(Zstd),
}

impl Codec {
    fn new(coding: Coding) -> Option<Self> {
        match coding {
            Coding::Identity => None,
            Coding::Gzip => Some(Self::Gzip(Gzip::new())),
            Coding::Deflate => Some(Self::Deflate(Deflate::new())),
            Coding::Brotli => Some(Self::Brotli(Box::new(Brotli::new()))),
            Coding::Zstd => Some(Self::Zstd(Zstd::new())),
        }
    }

    /// Takes from `input` and writes to `output`, which is not empty. An empty `input` asks for what is owed.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Unmeasurable> {
        match self {
            Self::Gzip(codec) => codec.step(input, output),
            Self::Deflate(codec) => codec.step(input, output),
            Self::Brotli(codec) => codec.step(input, output),
            Self::Zstd(codec) => codec.step(input, output),
        }
    }

    /// What the next step may take of memory, in bytes. It grows in a step that decodes nothing.
    fn memory(&self) -> u64 {
        match self {
            Self::Gzip(_) | Self::Deflate(_) => deflate::MEMORY,
            Self::Brotli(codec) => codec.memory(),
            Self::Zstd(codec) => codec.memory(),
        }
    }

    /// Whether the bytes so far are a whole body in this coding.
    fn is_at_end(&self) -> bool {
        match self {
            Self::Gzip(codec) => codec.is_at_end(),
            Self::Deflate(codec) => codec.is_at_end(),
            Self::Brotli(codec) => codec.is_at_end(),
            Self::Zstd(codec) => codec.is_at_end(),
        }
    }
}

#[cfg(test)]
mod tests;
