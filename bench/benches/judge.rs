//! The judgement of a held body, and what comes before it: what its URL expects.

#![expect(clippy::expect_used, reason = "a bench stops where it cannot measure")]

use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use pinfold_bench::{pins, script, url};
use pinfold_policy::decisions::Decisions;
use pinfold_policy::digest::{Digest, Digests};
use pinfold_policy::held::{Held, Hold};
use pinfold_policy::pins::PinIndex;
use pinfold_policy::policy::{Policy, Rulebook};
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::verdict::judge;

fn judging(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("judge");
    group.measurement_time(Duration::from_secs(2));
    let body = script(1_000);
    let digests = Digests::of(&body);
    let mut pins = pins(1_000).expect("right URLs");
    pins.first_mut().expect("a pin").digests = [Digest::Sha384(digests.sha384)].into();
    let rules = Rulebook { pins: PinIndex::new(pins), ..Rulebook::default() };
    let policy = Policy::new(Arc::new(rules), Arc::new(Decisions::default()));
    let urls = [("verified", 0), ("digest-mismatch", 1), ("unlisted-host", 1_000)];
    for (name, at) in urls {
        let url = ArtifactUrl::parse(&url(at)).expect("a right URL");
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || held(&body, digests),
                |held| judge(&policy.expect(&url), Ok(held), Timestamp::UNIX_EPOCH, policy.revocations()),
                BatchSize::SmallInput,
            );
        });
    }
    group.bench_function("parse the URL", |bencher| {
        let url = url(0);
        bencher.iter(|| ArtifactUrl::parse(&url));
    });
    group.finish();
}

fn held(body: &[u8], digests: Digests) -> Held {
    let mut hold = Hold::new(1_000_000, None);
    hold.push(body).expect("room");
    hold.finish(|_| Some(digests)).expect("memory")
}

criterion_group!(benches, judging);
criterion_main!(benches);
