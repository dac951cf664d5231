//! Reading lists of pins, from the text on disk to the index; per pin. The million of them is in `million`.

#![expect(clippy::expect_used, reason = "a bench stops where it cannot measure")]

use std::fs;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::civil::date;
use pinfold_bench::{GATEWAY_TOML, pins, pins_toml};
use pinfold_config::load;
use pinfold_policy::pins::PinIndex;

fn loading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    group.measurement_time(Duration::from_secs(3)).sample_size(10);
    for count in [10_usize, 1_000, 10_000] {
        group.throughput(Throughput::Elements(count as u64));
        let dir = tempfile::tempdir().expect("a folder");
        let gateway = dir.path().join("pinfold.toml");
        fs::write(&gateway, GATEWAY_TOML).expect("disk");
        fs::write(dir.path().join("pins.toml"), pins_toml(count)).expect("disk");
        group.bench_function(BenchmarkId::new("files", count), |bencher| {
            bencher.iter(|| load(&gateway, date(2026, 11, 27)).expect("a right list"));
        });
        let pins = pins(count).expect("right URLs");
        group.bench_function(BenchmarkId::new("index alone", count), |bencher| {
            bencher.iter_batched(|| pins.clone(), PinIndex::new, criterion::BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, loading);
criterion_main!(benches);
