//! Undoing each coding of a script, strictly and into a hold, and making it anew. `decode` counts decoded bytes.

#![expect(clippy::expect_used, reason = "a bench stops where it cannot measure")]

use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pinfold_bench::script;
use pinfold_body::{Coding, Codings, DecodeLimits, Decoder, encode};
use pinfold_policy::held::Hold;

const LEN: usize = 256 * 1024;
const FRAME: usize = 16 * 1024;
const LIMITS: DecodeLimits = DecodeLimits { max_ratio: 200, max_encoded: 64 * 1024 * 1024 };

fn codings(criterion: &mut Criterion) {
    let body = Bytes::from(script(LEN));
    for (name, is_encode) in [("decode", false), ("encode", true)] {
        let mut group = criterion.benchmark_group(name);
        group
            .measurement_time(Duration::from_secs(2))
            .sample_size(30)
            .throughput(Throughput::Bytes(LEN as u64));
        for coding in Coding::ALL {
            let wire = encoded(&body, coding);
            group.bench_function(coding.token(), |bencher| {
                if is_encode {
                    bencher.iter(|| encoded(&body, coding));
                } else {
                    bencher.iter(|| decoded(&wire, coding));
                }
            });
        }
        group.finish();
    }
}

fn encoded(body: &Bytes, coding: Coding) -> Vec<u8> {
    encode([Ok(body.clone())], LEN as u64, coding, Vec::new()).expect("memory")
}

fn decoded(wire: &[u8], coding: Coding) -> u64 {
    let mut decoder = Decoder::new(Codings::from(coding), LIMITS);
    let mut hold = Hold::new(LEN as u64, None);
    for frame in wire.chunks(FRAME) {
        decoder.push(frame, &mut hold).expect("a right body");
    }
    decoder.finish().expect("a whole body");
    hold.len()
}

criterion_group!(benches, codings);
criterion_main!(benches);
