//! Bytes through a tunnel that nobody looks into.

use std::time::Instant;

use super::{Bench, median};
use crate::client::Failure;
use crate::origin::{LARGE, TUNNELLED};
use crate::proxies::{Kind, Proxy};
use crate::report::Report;
use crate::running::cpu_seconds;

const TABLE: &str = "A tunnel";

/// What a tunnel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carried {
    /// An answer of nginx, in TLS, which it and the client make and undo.
    Tls,
    /// Bytes on which neither end spends more than it must: what bounds their rate is the proxy.
    Bytes,
}

impl Carried {
    const ALL: [Self; 2] = [Self::Tls, Self::Bytes];

    fn name(self) -> &'static str {
        match self {
            Self::Tls => "TLS",
            Self::Bytes => "bare bytes",
        }
    }

    /// Without a proxy, bytes tell what the two ends can do.
    fn is_offered(self, kind: Kind) -> bool {
        kind.tunnels() || self == Self::Bytes && kind == Kind::Direct
    }

    fn pids(self, proxy: &Proxy, bench: &Bench<'_>) -> Vec<u32> {
        if self == Self::Bytes && proxy.kind == Kind::Direct {
            return vec![bench.origin.source_pid()];
        }
        proxy.pids(bench.origin)
    }

    async fn pass(self, proxy: &Proxy, bench: &Bench<'_>) -> Result<(), Failure> {
        let route = proxy.tunnel(bench.origin);
        match self {
            Self::Tls => route.connect(TUNNELLED).await?.get(LARGE, false, false).await.map(|_| ()),
            Self::Bytes => route.take(bench.origin.large).await,
        }
    }
}

/// As many bytes for each round.
pub(crate) async fn tunnel(report: &mut Report, bench: &Bench<'_>, running: &[Proxy]) {
    for carried in Carried::ALL {
        each(report, bench, carried, running).await;
    }
}

async fn each(report: &mut Report, bench: &Bench<'_>, carried: Carried, running: &[Proxy]) {
    let gib = bench.origin.large as f64 / f64::from(1 << 30);
    let running: Vec<_> = running.iter().filter(|proxy| carried.is_offered(proxy.kind)).collect();
    let mut found = vec![(Vec::new(), Vec::new()); running.len()];
    for round in 1..=bench.rounds {
        for (proxy, (costs, rates)) in running.iter().zip(&mut found) {
            let pids = carried.pids(proxy, bench);
            let (cpu, started) = (cpu_seconds(&pids), Instant::now());
            if let Err(failure) = carried.pass(proxy, bench).await {
                panic!("{}, a tunnel, {}: {failure}", proxy.kind.name(), carried.name());
            }
            costs.push((cpu_seconds(&pids) - cpu) / gib);
            rates.push(gib / started.elapsed().as_secs_f64());
        }
        let rates = running
            .iter()
            .zip(&found)
            .filter_map(|(proxy, (_, rates))| Some(format!("{} {:.2}", proxy.kind.name(), rates.last()?)));
        let rates = rates.collect::<Vec<_>>().join(", ");
        eprintln!("a tunnel, {}: round {round} of {}, GiB per second: {rates}", carried.name(), bench.rounds);
    }
    for (proxy, (costs, rates)) in running.into_iter().zip(found) {
        let row = |what: &str| format!("{what}, {}", carried.name());
        report.single(TABLE, row("CPU seconds per GiB"), proxy.kind, median(costs));
        report.single(TABLE, row("GiB per second"), proxy.kind, median(rates));
    }
}
