//! Bytes through a tunnel that nobody looks into.

use std::time::Instant;

use super::{Bench, median};
use crate::client::Failure;
use crate::origin::{LARGE, TUNNELLED};
use crate::proxies::Proxy;
use crate::report::Report;
use crate::running::cpu_seconds;

const TABLE: &str = "A tunnel";

/// One large answer for each round.
pub(crate) async fn tunnel(report: &mut Report, bench: &Bench<'_>, running: &[Proxy]) {
    let origin = bench.origin;
    let gib = origin.large as f64 / f64::from(1 << 30);
    let running: Vec<_> = running.iter().filter(|proxy| proxy.kind.tunnels()).collect();
    let mut found = vec![(Vec::new(), Vec::new()); running.len()];
    for _ in 0..bench.rounds {
        for (proxy, (costs, rates)) in running.iter().zip(&mut found) {
            let pids = proxy.pids(origin);
            let (cpu, started) = (cpu_seconds(&pids), Instant::now());
            if let Err(failure) = fetch(proxy, bench).await {
                panic!("{}, a tunnel: {failure}", proxy.kind.name());
            }
            costs.push((cpu_seconds(&pids) - cpu) / gib);
            rates.push(gib / started.elapsed().as_secs_f64());
        }
    }
    for (proxy, (costs, rates)) in running.into_iter().zip(found) {
        report.single(TABLE, "CPU seconds per GiB", proxy.kind, median(costs));
        report.single(TABLE, "GiB per second", proxy.kind, median(rates));
    }
}

async fn fetch(proxy: &Proxy, bench: &Bench<'_>) -> Result<(), Failure> {
    let mut connection = proxy.tunnel(bench.origin).connect(TUNNELLED).await?;
    connection.get(LARGE, false, false).await.map(|_| ())
}
