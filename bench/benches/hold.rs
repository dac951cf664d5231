//! Holding a body: the copy, the hashing, and what a body costs that was never seen before.

#![expect(clippy::expect_used, reason = "a bench stops where it cannot measure")]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pinfold_bench::script;
use pinfold_policy::digest::Digests;
use pinfold_policy::held::{Held, Hold};

/// As much as a TLS record brings at a time.
const FRAME: usize = 16 * 1024;

fn holding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hold");
    group.measurement_time(Duration::from_secs(2)).sample_size(30);
    for len in [16 * 1024, 256 * 1024, 4 * 1024 * 1024] {
        group.throughput(Throughput::Bytes(len as u64));
        let body = script(len);
        let digests = Digests::of(&body);
        group.bench_function(BenchmarkId::new("seen before", len), |bencher| {
            bencher.iter(|| held(&body, Some(digests)));
        });
        group.bench_function(BenchmarkId::new("new", len), |bencher| bencher.iter(|| held(&body, None)));
    }
    group.finish();
}

fn held(body: &[u8], known: Option<Digests>) -> Held {
    let mut hold = Hold::new(body.len() as u64, Some(body.len() as u64));
    for frame in body.chunks(FRAME) {
        hold.push(frame).expect("room");
    }
    hold.finish(|_| known).expect("memory")
}

criterion_group!(benches, holding);
criterion_main!(benches);
