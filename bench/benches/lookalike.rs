//! Whether a host imitates one that is expected: asked for each request and tunnel to a host that no vendor claims.

#![expect(clippy::expect_used, reason = "a bench stops where it cannot measure")]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pinfold_policy::host::{Host, HostPattern};
use pinfold_policy::lookalike::Lookalikes;

fn lookalike(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookalike");
    group.measurement_time(Duration::from_secs(2));
    for vendors in [10, 1_000] {
        let known = Lookalikes::new((0..vendors).map(vendor));
        for (name, host) in [
            ("none", "intranet.shop-of-a-friend.example"),
            ("none, of many labels", "a.b.c.d.e.f.g.region-1.service.internal-company-name.co.uk"),
            ("none, of other letters", "xn--mnchen-3ya.xn--p1ai"),
            ("well known", "www.googletagmanager.com"),
            ("expected", "cdn.widgets-7.com"),
            ("one letter away", "cdn.widgetss-7.com"),
        ] {
            let host: Host = host.parse().expect("a host");
            group.bench_function(BenchmarkId::new(name, vendors), |bencher| {
                bencher.iter(|| known.imitated(&host));
            });
        }
    }
    group.finish();
}

/// Each claims a domain of its own and all below it.
fn vendor(number: usize) -> HostPattern {
    format!("*.widgets-{number}.com").parse().expect("a pattern")
}

criterion_group!(benches, lookalike);
criterion_main!(benches);
