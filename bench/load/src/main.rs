//! What a request costs through pinfold and through other proxies that people use, side by side on this machine.
//!
//! An origin (nginx), the proxies and a load client run at the same time. Each scenario goes through one proxy after the
//! other, round after round, so that whatever else this machine does meets all of them. CPU seconds of a proxy's processes are
//! what counts: they hardly move with the machine's load.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench stops where something is not as it should be, and prints what it found"
)]

mod body;
mod client;
mod keys;
mod origin;
mod proxies;
mod report;
mod running;
mod scenario;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Parser;
use tokio::net::TcpListener;

use crate::client::{Names, Route, Taken};
use crate::origin::{LARGE, Origin, TUNNELLED};
use crate::proxies::{Kind, NAMES, Proxy};
use crate::report::{Figures, Report};
use crate::running::{cpu_seconds, memory};
use crate::scenario::{Scenario, scenarios};

/// Measures proxies at the same work, side by side.
#[derive(Debug, Parser)]
#[command(name = "pinfold-load")]
struct Arguments {
    /// Which proxies; all of them if none is named.
    #[arg(long, value_delimiter = ',')]
    proxies: Vec<Kind>,
    /// Rows of the table whose name holds this text; all of them if none is given.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How often each row is measured with each proxy. The medians are shown.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The share of the requests of a full run; 0.01 is enough to see that everything works.
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Writes the report here too, as JSON.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    own: Own,
}

/// For the processes that this program starts of itself.
#[derive(Debug, clap::Args)]
struct Own {
    #[arg(long = "as", hide = true)]
    role: Option<Role>,
    #[arg(long, hide = true)]
    listen: Option<SocketAddr>,
    #[arg(hide = true)]
    given: Vec<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Role {
    Relay,
    Minimal,
    Icap,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    match arguments.own.role {
        Some(role) => act(role, &arguments.own).await,
        None => measure(&arguments).await,
    }
}

async fn act(role: Role, own: &Own) {
    let listener = TcpListener::bind(own.listen.expect("an address")).await.expect("a free address");
    let origin = || own.given[0].parse().expect("an address");
    match role {
        Role::Relay => proxies::relay(listener, origin()).await,
        Role::Minimal => proxies::minimal(listener, origin(), Path::new(&own.given[1])).await,
        Role::Icap => proxies::icap(listener, own.given.clone()).await,
    }
}

async fn measure(arguments: &Arguments) {
    let dir = tempfile::Builder::new().prefix("pinfold-load-").tempdir().expect("a folder");
    // Squid gives up root.
    keys::run(dir.path(), "chmod", &["755", "."]);
    eprintln!("starting the origin");
    let origin = Origin::start(dir.path()).await;
    let mut running = Vec::new();
    for kind in
        Kind::ALL.into_iter().filter(|kind| arguments.proxies.is_empty() || arguments.proxies.contains(kind))
    {
        eprintln!("starting {}", kind.name());
        running.push(kind.start(dir.path(), &origin).await);
    }
    let mut report = Report::new(running.iter().map(|proxy| proxy.kind.name()));
    let wanted =
        |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|part| name.contains(&**part));
    for scenario in scenarios(&origin.bodies, arguments.share) {
        if wanted(scenario.name) {
            requests(&mut report, &scenario, &running, &origin, arguments.rounds).await;
        }
    }
    if wanted("KiB per idle connection") {
        idle(&mut report, &running, &origin).await;
    }
    if wanted("1 GiB through a tunnel") {
        tunnel(&mut report, &running, &origin, arguments.share).await;
    }
    println!("{}", report.tables());
    if let Some(path) = &arguments.out {
        let command: Vec<String> = std::env::args().collect();
        std::fs::write(path, report.json(&command.join(" "))).expect("a report");
    }
    for proxy in running {
        proxy.stop().await;
    }
    origin.stop().await;
}

/// CPU of the proxy's processes, or without a proxy of the origin's.
fn pids(proxy: &Proxy, origin: &Origin) -> Vec<u32> {
    if proxy.address.is_some() { proxy.pids() } else { vec![origin.pid()] }
}

async fn requests(
    report: &mut Report,
    scenario: &Scenario,
    running: &[Proxy],
    origin: &Origin,
    rounds: usize,
) {
    for round in 0..=rounds {
        for proxy in running {
            if scenario.load.names != Names::Kept && !proxy.kind.intercepts() && proxy.address.is_some() {
                continue;
            }
            let route = Route::new(origin.address, proxy.address, &proxy.root);
            let mut load = scenario.load.clone();
            if let Names::FreshName(_) = load.names {
                // The first round of it is as good as any: there is nothing to warm up.
                load.names = Names::FreshName(1 + round * load.requests);
                assert!(load.requests * (round + 1) < NAMES, "more names than were made");
            }
            let before = cpu_seconds(&pids(proxy, origin));
            let taken = client::put(&route, &load).await;
            let cpu = cpu_seconds(&pids(proxy, origin)) - before;
            // The first round fills caches and connection pools.
            if round > 0 {
                report.add(scenario.name, proxy.kind.name(), figures(&taken, cpu));
            }
        }
        eprintln!("{}: round {round} of {rounds}", scenario.name);
    }
}

fn figures(taken: &Taken, cpu: f64) -> Figures {
    let requests = taken.latencies.len();
    let at = |share: f64| {
        let at = ((requests as f64 * share) as usize).min(requests.saturating_sub(1));
        f64::from(taken.latencies[at]) / 1000.0
    };
    Figures {
        cpu: cpu * 1000.0 / requests as f64,
        rate: requests as f64 / taken.elapsed.as_secs_f64(),
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
    }
}

/// What a connection costs on which nothing happens: one that is looked into, and a tunnel.
async fn idle(report: &mut Report, running: &[Proxy], origin: &Origin) {
    const CONNECTIONS: usize = 500;
    for proxy in running.iter().filter(|proxy| proxy.address.is_some()) {
        let intercepted = Route::new(origin.address, proxy.address, &proxy.root);
        let tunnelled = Route::new(origin.address, proxy.address, &origin.root);
        for (row, route, host) in [
            ("KiB per idle connection", &intercepted, client::name(0)),
            ("KiB per idle tunnel", &tunnelled, TUNNELLED.to_owned()),
        ] {
            let is_relay = !proxy.kind.intercepts();
            if proxy.kind == Kind::Minimal && host == TUNNELLED || is_relay && host != TUNNELLED {
                continue;
            }
            let before = memory(&proxy.pids());
            let mut kept = Vec::new();
            for _ in 0..CONNECTIONS {
                let mut connection = route.connect(&host).await;
                assert_eq!(connection.get("/2k.js", false, false).await.status, 200);
                kept.push(connection);
            }
            let after = memory(&proxy.pids());
            report.single(row, proxy.kind.name(), after.saturating_sub(before) as f64 / CONNECTIONS as f64);
        }
    }
    for proxy in running.iter().filter(|proxy| proxy.address.is_some()) {
        report.single("MiB in all", proxy.kind.name(), memory(&proxy.pids()) as f64 / 1024.0);
    }
}

/// Bytes through a tunnel that nobody looks into.
async fn tunnel(report: &mut Report, running: &[Proxy], origin: &Origin, share: f64) {
    let times = if share < 1.0 { 1 } else { 3 };
    for proxy in running.iter().filter(|proxy| proxy.kind != Kind::Minimal && proxy.address.is_some()) {
        let route = Route::new(origin.address, proxy.address, &origin.root);
        let mut costs = Vec::new();
        for _ in 0..times {
            let before = cpu_seconds(&proxy.pids());
            let mut connection = route.connect(TUNNELLED).await;
            assert_eq!(connection.get("/large.bin", false, false).await.status, 200);
            costs.push(cpu_seconds(&proxy.pids()) - before);
        }
        costs.sort_by(f64::total_cmp);
        let gib = LARGE as f64 / f64::from(1 << 30);
        report.single(
            "CPU seconds per GiB through a tunnel",
            proxy.kind.name(),
            costs[costs.len() / 2] / gib,
        );
    }
}
