//! Finding the pins of a URL. A million must cost what ten cost, up to what the processor's caches do not hold.

#![expect(clippy::expect_used, reason = "a bench stops where it cannot measure")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pinfold_bench::{pins, url};
use pinfold_policy::pins::PinIndex;
use pinfold_policy::url::ArtifactUrl;

fn lookup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookup");
    group.measurement_time(Duration::from_secs(2));
    for count in [10, 1_000, 1_000_000] {
        let index = PinIndex::new(pins(count).expect("right URLs"));
        // All over the list: asking for one URL again and again would measure the cache.
        let places = (0..1_000.min(count)).map(|step| step * (count / 1_000.min(count)));
        let hits: Vec<_> = places.clone().map(|at| parsed(&url(at))).collect();
        let queries: Vec<_> = places.map(|at| parsed(&format!("{}?v=1", url(at)))).collect();
        let misses: Vec<_> = (0..1_000).map(|at| parsed(&url(count + at))).collect();
        let patterns: Vec<_> = (0..1_000).map(|at| parsed(&font(at))).collect();
        for (name, urls) in
            [("exact", hits), ("exact, any query", queries), ("none", misses), ("pattern", patterns)]
        {
            let mut next = urls.iter().cycle();
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| next.next().map(|url| black_box(index.deciding(url)).pins().len()));
            });
        }
    }
    group.finish();
}

fn font(at: usize) -> String {
    format!("https://cdn{}.vendor.test/fonts/family-{at}/latin/bold/font.js", at % 10)
}

fn parsed(url: &str) -> ArtifactUrl {
    ArtifactUrl::parse(url).expect("a right URL")
}

criterion_group!(benches, lookup);
criterion_main!(benches);
