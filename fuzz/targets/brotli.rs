//! A body in `br`: see `pinfold_fuzz::wire`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pinfold_body::Coding;

fuzz_target!(|data: &[u8]| pinfold_fuzz::wire::check(&[Coding::Brotli], data));
