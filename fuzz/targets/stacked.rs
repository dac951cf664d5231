//! A body in two codings: see `pinfold_fuzz::wire`. The first byte says which.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pinfold_body::Coding;

const CODINGS: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    let choice = usize::from(*choice);
    pinfold_fuzz::wire::check(&[CODINGS[choice % 4], CODINGS[choice / 4 % 4]], data);
});
