//! br (RFC 7932): one stream, nothing after it.

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use pinfold_policy::verdict::Unmeasurable;

use super::Step;

pub(super) struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    /// The library counts its output here.
    total: usize,
    ended: bool,
}

impl Brotli {
    pub(super) fn new() -> Self {
        // Strict: "large window brotli" is not the `br` of the registry, and its windows reach a gigabyte.
        let state = BrotliState::new_strict(
            StandardAlloc::default(),
            StandardAlloc::default(),
            StandardAlloc::default(),
        );
        Self { state, total: 0, ended: false }
    }

    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Unmeasurable> {
        let nothing = Step { taken: 0, given: 0 };
        if self.ended {
            return if input.is_empty() { Ok(nothing) } else { Err(Unmeasurable::BadEncoding) };
        }
        let (mut left, mut room) = (input.len(), output.len());
        let mut step = nothing;
        let result = BrotliDecompressStream(
            &mut left,
            &mut step.taken,
            input,
            &mut room,
            &mut step.given,
            output,
            &mut self.total,
            &mut self.state,
        );
        match result {
            BrotliResult::ResultSuccess => self.ended = true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultFailure => return Err(Unmeasurable::BadEncoding),
        }
        Ok(step)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.ended
    }
}
