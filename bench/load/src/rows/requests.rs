//! One request after another, of each size and kind.

use super::{Bench, fresh, per_1000, unless_late};
use crate::client::Failure;
use crate::load::{Connections, Load, Taken, put};
use crate::origin::NAMES;
use crate::proxies::{Kind, Proxy};
use crate::report::{Figures, Report};
use crate::running::cpu_seconds;
use crate::scenario::{Scenario, scaled};

/// Requests of 1,000 that may reach the origin though the proxy keeps what they ask for: it looks now and then.
const LOOKS: f64 = 20.0;
pub(crate) const KNOWN_NAMES: &str = "new connection, new name, on the shelf";

/// Each round goes through all proxies, so that whatever else this machine does meets all of them.
pub(crate) async fn requests(report: &mut Report, bench: &Bench<'_>, scenario: &Scenario, running: &[Proxy]) {
    let mut running: Vec<_> = running.iter().filter(|proxy| fits(scenario, proxy)).collect();
    for round in 0..=bench.rounds {
        let mut late = Vec::new();
        for proxy in &running {
            let done = measured(bench, scenario, round, proxy).await;
            let Some(figures) = unless_late(report, proxy.kind, scenario.name, done) else {
                late.push(proxy.kind);
                continue;
            };
            // The first round fills caches and pools of connections.
            if round > 0 {
                assert_from_memory(scenario, proxy, &figures);
                report.add(scenario.name, proxy.kind, figures);
            }
        }
        running.retain(|proxy| !late.contains(&proxy.kind));
        eprintln!("{}: round {round} of {}", scenario.name, bench.rounds);
    }
}

/// Who makes no certificates has nothing to do for a new name.
fn fits(scenario: &Scenario, proxy: &Proxy) -> bool {
    match scenario.load.connections {
        Connections::FreshName(_) => proxy.kind.mints() || !proxy.kind.intercepts(),
        Connections::Kept | Connections::KeptFar | Connections::Fresh | Connections::Returning => true,
    }
}

async fn measured(
    bench: &Bench<'_>,
    scenario: &Scenario,
    round: usize,
    proxy: &Proxy,
) -> Result<Figures, Failure> {
    let mut load = scenario.load.clone();
    if let Connections::FreshName(_) = load.connections {
        load.connections = Connections::FreshName(1 + round * load.requests);
        assert!(
            load.requests * (round + 1) < NAMES,
            "more names than there are: fewer rounds, or a smaller share"
        );
    }
    load.requests = scaled(load.requests, proxy.kind.share(), load.clients);
    run(bench, &load, proxy).await
}

/// New connections, each to another name whose script is on the shelf: the gateway was stopped since it was put there.
pub(crate) async fn known_names(report: &mut Report, bench: &Bench<'_>) {
    let kind = Kind::Pinfold;
    if !bench.kinds.contains(&kind) {
        return;
    }
    let requests = scaled(1_000, bench.share.min(1.0), 4);
    let body = bench.origin.bodies[0].clone();
    let load = Load { body, gzip: false, clients: 4, requests, connections: Connections::FreshName(1) };
    for round in 0..=bench.rounds {
        let proxy = fresh(bench, "names", kind).await;
        let figures = run(bench, &load, &proxy).await;
        let figures = figures.unwrap_or_else(|failure| panic!("{KNOWN_NAMES}: {failure}"));
        // The first round puts them on the shelf.
        if round > 0 {
            // Of few requests one that looks would be many of 1,000.
            let is_from_shelf = requests < 100 || figures.origin <= LOOKS;
            assert!(is_from_shelf, "{KNOWN_NAMES}: {} of 1,000 reached the origin", figures.origin);
            report.add(KNOWN_NAMES, kind, figures);
        }
        proxy.stop().await;
        eprintln!("{KNOWN_NAMES}: round {round} of {}", bench.rounds);
    }
}

async fn run(bench: &Bench<'_>, load: &Load, proxy: &Proxy) -> Result<Figures, Failure> {
    let pids = proxy.pids(bench.origin);
    let (cpu, answered) = (cpu_seconds(&pids), bench.origin.answered().await);
    let taken = put(&proxy.route(bench.origin), load).await?;
    let (cpu, answered) = (cpu_seconds(&pids) - cpu, bench.origin.answered().await - answered - 1);
    Ok(figures(&taken, cpu, answered))
}

fn figures(taken: &Taken, cpu: f64, answered: u64) -> Figures {
    let requests = taken.latencies.len();
    let at = |share: f64| {
        let at = ((requests as f64 * share) as usize).min(requests.saturating_sub(1));
        f64::from(taken.latencies[at]) / 1000.0
    };
    Figures {
        cpu: per_1000(cpu, requests),
        rate: requests as f64 / taken.elapsed.as_secs_f64(),
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        origin: answered as f64 * 1000.0 / requests as f64,
        resumed: taken.resumed as f64 * 100.0 / requests as f64,
    }
}

/// A cache that is asked and does not have it would be measured as something else than it is.
fn assert_from_memory(scenario: &Scenario, proxy: &Proxy, figures: &Figures) {
    let is_known = !matches!(scenario.load.connections, Connections::FreshName(_));
    if !proxy.kind.remembers() || !is_known || scenario.load.requests < 1000 {
        return;
    }
    assert!(
        figures.origin <= LOOKS,
        "{}, {}: {} of 1,000 requests reached the origin, so that it did not answer from memory",
        scenario.name,
        proxy.kind.name(),
        figures.origin
    );
}
