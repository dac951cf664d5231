//! Putting a decision into effect: a new policy over the same files, however many pins and revocations they have.

#![expect(clippy::expect_used, reason = "a bench stops where it cannot measure")]

use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use pinfold_bench::{digest, pins, url};
use pinfold_policy::decisions::{Approval, Basis, Decisions, Revocations};
use pinfold_policy::digest::Digests;
use pinfold_policy::kind::Kind;
use pinfold_policy::pins::PinIndex;
use pinfold_policy::policy::{Policy, Rulebook};

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decisions");
    group.measurement_time(Duration::from_secs(2));
    for (pinned, revoked) in [(10, 10), (1_000_000, 100_000)] {
        let rules = Rulebook {
            pins: PinIndex::new(pins(pinned).expect("right URLs")),
            revocations: (0..revoked).map(|at| digest(pinned + at)).collect(),
            ..Rulebook::default()
        };
        let policy = Policy::new(Arc::new(rules), Arc::new(Decisions::default()));
        let decided = [
            ("approve", Decisions::new(1, [approval()], [], Revocations::default(), [])),
            ("revoke", Decisions::new(1, [], [], [digest(0)].into_iter().collect(), [])),
        ];
        for (name, decisions) in decided {
            let decisions = Arc::new(decisions);
            group.bench_function(BenchmarkId::new(name, pinned), |bencher| {
                bencher.iter_batched(
                    || Arc::clone(&decisions),
                    |decisions| policy.with(decisions),
                    BatchSize::SmallInput,
                );
            });
        }
        let digests = Digests::of(b"not revoked");
        group.bench_function(BenchmarkId::new("look a revocation up", revoked), |bencher| {
            bencher.iter(|| policy.revocations().include(&digests));
        });
    }
    group.finish();
}

fn approval() -> Approval {
    Approval {
        subject: url(0).into(),
        digest: Digests::of(b"approved").sha256,
        kind: Kind::Script,
        basis: Basis::Reviewed,
        expires: None,
        record: "01KBBENCH".into(),
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
