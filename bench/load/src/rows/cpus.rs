//! Whether twice the CPUs give twice the work.

use super::{Bench, median, unless_late};
use crate::client::Failure;
use crate::load::{Connections, Load, put};
use crate::proxies::Proxy;
use crate::report::Report;
use crate::running::{cpu_seconds, cpus as allowed, pin};
use crate::scenario::scaled;

const TABLE: &str = "One CPU and two, 2 KiB";
const CLIENTS: usize = 32;

/// The proxy on one CPU and on two, the origin and the clients wherever there is room.
pub(crate) async fn cpus(report: &mut Report, bench: &Bench<'_>, running: &[Proxy]) {
    let allowed = allowed();
    let Some(two) = allowed.get(..2) else {
        return report.missing(format!("{TABLE}: there is only one"));
    };
    for proxy in running.iter().filter(|proxy| proxy.address.is_some()) {
        let pids = proxy.pids(bench.origin);
        let mut found = [Vec::new(), Vec::new()];
        let mut works = [Vec::new(), Vec::new()];
        for _ in 0..bench.rounds {
            for (at, on) in [&two[..1], two].into_iter().enumerate() {
                pin(&pids, on);
                let done = one(bench, proxy, &pids).await;
                let Some((rate, work)) = unless_late(report, proxy.kind, TABLE, done) else { continue };
                found[at].push(rate);
                works[at].push(work);
            }
        }
        pin(&pids, &allowed);
        let [one, two] = found.map(median);
        let [work_of_one, work_of_two] = works.map(median);
        report.single(TABLE, "requests per second on one CPU", proxy.kind, one);
        report.single(TABLE, "requests per second on two CPUs", proxy.kind, two);
        report.single(TABLE, "two to one", proxy.kind, two / one);
        report.single(
            TABLE,
            "two to one, by a CPU second's work",
            proxy.kind,
            2.0 * work_of_two / work_of_one,
        );
    }
    eprintln!("one CPU and two");
}

/// Requests per second, and per CPU second.
async fn one(bench: &Bench<'_>, proxy: &Proxy, pids: &[u32]) -> Result<(f64, f64), Failure> {
    let body = bench.origin.bodies[0].clone();
    let requests = scaled(20_000, bench.share * proxy.kind.share(), CLIENTS);
    let load = Load { body, gzip: false, clients: CLIENTS, requests, connections: Connections::Kept };
    let cpu = cpu_seconds(pids);
    let taken = put(&proxy.route(bench.origin), &load).await?;
    let cpu = cpu_seconds(pids) - cpu;
    Ok((requests as f64 / taken.elapsed.as_secs_f64(), requests as f64 / cpu))
}
