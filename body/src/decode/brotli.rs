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
    /// What the first byte says of the window, in bytes.
    window: Option<u64>,
}

/// Tables and context maps, beside the window.
const TABLES: u64 = 256 * 1024;

impl Brotli {
    pub(super) fn new() -> Self {
        // Strict: "large window brotli" is not the `br` of the registry, and its windows reach a gigabyte.
        let state = BrotliState::new_strict(
            StandardAlloc::default(),
            StandardAlloc::default(),
            StandardAlloc::default(),
        );
        Self { state, total: 0, ended: false, window: None }
    }

    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Unmeasurable> {
        let nothing = Step { taken: 0, given: 0 };
        if self.ended {
            return if input.is_empty() { Ok(nothing) } else { Err(Unmeasurable::BadEncoding) };
        }
        if let (None, Some(first)) = (self.window, input.first()) {
            self.window = Some(window(*first));
            return Ok(nothing);
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

    pub(super) fn memory(&self) -> u64 {
        self.window.map_or(0, |window| window + TABLES)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.ended
    }
}

/// The window that a stream announces in its first byte (RFC 7932 §9.1, WBITS). The reserved value announces the
/// largest there is: the library refuses it.
fn window(first: u8) -> u64 {
    let bits = match (first & 1, first >> 1 & 7, first >> 4 & 7) {
        (0, _, _) => 16,
        (_, 0, 0) => 17,
        (_, 0, 1) => 24,
        (_, 0, few) => 8 + few,
        (_, many, _) => 17 + many,
    };
    1 << bits
}

#[cfg(test)]
mod tests {
    use brotli::CompressorWriter;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_window_is_known_from_the_first_byte() {
        for bits in 10..=24 {
            let mut encoder = CompressorWriter::new(Vec::new(), 4096, 5, bits);
            encoder.write_all(&[7; 100]).unwrap();
            encoder.flush().unwrap();
            let wire = encoder.into_inner();
            assert_eq!(window(wire[0]), 1 << bits, "{bits}");
        }
    }
}
