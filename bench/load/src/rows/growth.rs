//! Whether a request costs more with more pins, and with more connections.

use futures_util::future::try_join_all;

use super::{Bench, fresh, median, per_1000, unless_late};
use crate::client::{Connection, Failure, Route};
use crate::load::{Connections, Load, put, put_on};
use crate::origin::name;
use crate::proxies::{Kind, Proxy, with_pins};
use crate::report::Report;
use crate::running::{Memory, cpu_seconds, memory, most_files};
use crate::scenario::scaled;

const CLIENTS: usize = 10;

/// With 10, 100,000, and in full runs 1,000,000 pins, side by side.
pub(crate) async fn pins(report: &mut Report, bench: &Bench<'_>) {
    if !bench.kinds.contains(&Kind::Pinfold) {
        return;
    }
    let counts: &[usize] = if bench.is_full { &[10, 100_000, 1_000_000] } else { &[10, 100_000] };
    let mut grown = Vec::new();
    for count in counts {
        let count = if *count == 10 { 10 } else { scaled(*count, bench.share.min(1.0), CLIENTS) };
        let proxy = with_pins(count, &bench.dir.join(format!("pins-{count}")), bench.origin).await;
        grown.push((count, proxy, Vec::new()));
    }
    for round in 0..=bench.rounds {
        for (_, proxy, costs) in &mut grown {
            let load = load(bench, proxy.kind);
            let pids = proxy.pids(bench.origin);
            let cpu = cpu_seconds(&pids);
            let done = put(&proxy.route(bench.origin), &load).await;
            done.unwrap_or_else(|failure| panic!("growth with pins: {failure}"));
            let cpu = cpu_seconds(&pids) - cpu;
            if round > 0 {
                costs.push(per_1000(cpu, load.requests));
            }
        }
    }
    for (count, proxy, costs) in grown {
        let mib = memory(&proxy.pids(bench.origin), Memory::All) as f64 / 1024.0;
        let table = "Growth with pins, 2 KiB";
        report.single(
            table,
            format!("CPU seconds per 1,000 requests, {count} pins"),
            proxy.kind,
            median(costs),
        );
        report.single(table, format!("MiB in all, {count} pins"), proxy.kind, mib);
        proxy.stop().await;
    }
    eprintln!("growth with pins");
}

/// Over 10 connections, and over 10,000 that take turns.
pub(crate) async fn connections(report: &mut Report, bench: &Bench<'_>) {
    // Two files for each in a proxy, and some for itself.
    let possible = (most_files().saturating_sub(400)) / 2;
    let wanted = scaled(10_000, bench.share.min(1.0), CLIENTS);
    let most = wanted.min(possible);
    if most < wanted {
        report.missing(format!(
            "growth with connections: {most} and not {wanted}, for want of open files (ulimit -n 65536)"
        ));
    }
    for kind in bench.kinds.iter().filter(|kind| kind.intercepts()) {
        let proxy = fresh(bench, "connections", *kind).await;
        for count in [10, most] {
            let row = format!("CPU seconds per 1,000 requests, {count} connections");
            let done = over(bench, &proxy, count).await;
            if let Some(cost) = unless_late(report, *kind, &row, done) {
                report.single("Growth with connections, 2 KiB", row, *kind, cost);
            }
        }
        proxy.stop().await;
        eprintln!("growth with connections: {}", kind.name());
    }
}

async fn over(bench: &Bench<'_>, proxy: &Proxy, count: usize) -> Result<f64, Failure> {
    let route = proxy.route(bench.origin);
    let mut connections = open(&route, count).await?;
    let mut load = load(bench, proxy.kind);
    // Each of them at least once.
    load.requests = load.requests.max(count);
    let pids = proxy.pids(bench.origin);
    let mut costs = Vec::new();
    for round in 0..=bench.rounds {
        let cpu = cpu_seconds(&pids);
        let sent = put_on(&route, &mut connections, &load).await?;
        let cpu = cpu_seconds(&pids) - cpu;
        if round > 0 {
            costs.push(per_1000(cpu, sent));
        }
    }
    Ok(median(costs))
}

async fn open(route: &Route, count: usize) -> Result<Vec<Connection>, Failure> {
    let mut opened = Vec::with_capacity(count);
    while opened.len() < count {
        let some = (count - opened.len()).min(CLIENTS);
        let host = name(0);
        opened.extend(try_join_all((0..some).map(|_| route.connect(&host))).await?);
    }
    Ok(opened)
}

fn load(bench: &Bench<'_>, kind: Kind) -> Load {
    let requests = scaled(20_000, bench.share * kind.share(), CLIENTS);
    let body = bench.origin.bodies[0].clone();
    Load { body, gzip: false, clients: CLIENTS, requests, connections: Connections::Kept }
}
