//! What a request costs through pinfold and through other proxies that people use, side by side on this machine.
//!
//! An origin (nginx), the proxies and a load client run at the same time. Each row goes through one proxy after the other,
//! round after round, so that whatever else this machine does meets all of them. CPU seconds of a proxy's processes are
//! what counts: they hardly move with the machine's load. Wrong bytes, a wrong status, and a body that is released though
//! nobody has reviewed it stop the bench.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench stops where something is not as it should be, and prints what it found"
)]

mod body;
mod client;
mod keys;
mod load;
mod machine;
mod origin;
mod proxies;
mod report;
mod rows;
mod running;
mod scenario;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::machine::Machine;
use crate::origin::Origin;
use crate::proxies::Kind;
use crate::report::Report;
use crate::rows::Bench;
use crate::scenario::scenarios;

/// Measures proxies at the same work, side by side.
#[derive(Debug, Parser)]
#[command(name = "pinfold-load")]
struct Arguments {
    /// Which proxies; all of them if none is named.
    #[arg(long, value_delimiter = ',')]
    proxies: Vec<Kind>,
    /// Which parts; all of them if none is named.
    #[arg(long, value_delimiter = ',')]
    parts: Vec<Part>,
    /// Of the requests only rows whose name holds this text.
    #[arg(long)]
    row: Option<String>,
    /// How often each row is measured with each proxy, after a round that does not count. The medians are shown.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The share of the requests and connections of a whole run; 0.01 is enough to see that everything works.
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Measures growth up to a million pins too.
    #[arg(long)]
    full: bool,
    /// Writes the report into this folder, as Markdown and as JSON.
    #[arg(long, value_name = "FOLDER")]
    results: Option<PathBuf>,
    #[command(flatten)]
    own: Own,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// CPU, throughput and latency of requests.
    Requests,
    /// CPU and throughput of a tunnel.
    Tunnel,
    /// One CPU and two.
    Cpus,
    /// Memory of connections on which nothing happens.
    Idle,
    /// From 10 to many pins.
    Pins,
    /// From 10 to many connections.
    Connections,
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
    Libraries,
    Icap,
    Delay,
    Source,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    match arguments.own.role {
        Some(role) => act(role, &arguments.own).await,
        // What was started ends with what is dropped.
        None => tokio::select! {
            () = measure(&arguments) => {}
            () = stopped() => panic!("stopped by a signal"),
        },
    }
}

async fn stopped() {
    let mut terminated = signal(SignalKind::terminate()).expect("a signal");
    tokio::select! {
        _ = terminated.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

async fn act(role: Role, own: &Own) {
    let listener = TcpListener::bind(own.listen.expect("an address")).expect("a free address");
    let path = |at: usize| Path::new(&own.given[at]);
    match role {
        Role::Delay => return proxies::delay(&listener, own.given[0].parse().expect("an address")),
        Role::Source => return proxies::source(&listener),
        Role::Relay | Role::Minimal | Role::Libraries | Role::Icap => {}
    }
    listener.set_nonblocking(true).expect("a listener that does not block");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    match role {
        Role::Relay => proxies::relay(listener, path(0)).await,
        Role::Minimal => proxies::minimal(listener, path(0), path(1), path(2)).await,
        Role::Libraries => proxies::libraries(listener, path(0), path(1), path(2)).await,
        Role::Icap => proxies::icap(listener, path(0)).await,
        Role::Delay | Role::Source => {}
    }
}

async fn measure(arguments: &Arguments) {
    let machine = Machine::here();
    let dir = tempfile::Builder::new().prefix("pinfold-load-").tempdir().expect("a folder");
    // Squid gives up root.
    keys::run(dir.path(), "chmod", &["755", "."]);
    let is_chosen = |kind: &Kind| arguments.proxies.is_empty() || arguments.proxies.contains(kind);
    let kinds: Vec<_> = Kind::ALL.into_iter().filter(is_chosen).collect();
    let command: Vec<String> = std::env::args().collect();
    let mut report = Report::new(command.join(" "), machine, kinds.clone());
    let origin = Origin::start(dir.path(), large(arguments.share)).await;
    let bench = Bench {
        dir: dir.path(),
        origin: &origin,
        kinds: &kinds,
        rounds: arguments.rounds,
        share: arguments.share,
        is_full: arguments.full,
    };
    measure_side_by_side(&mut report, &bench, arguments).await;
    if arguments.wants(Part::Requests) && arguments.wants_row(rows::KNOWN_NAMES) {
        rows::known_names(&mut report, &bench).await;
    }
    if arguments.wants(Part::Idle) {
        rows::idle(&mut report, &bench).await;
    }
    if arguments.wants(Part::Pins) {
        rows::pins(&mut report, &bench).await;
    }
    if arguments.wants(Part::Connections) {
        rows::connections(&mut report, &bench).await;
    }
    println!("{}", report.markdown());
    if let Some(dir) = &arguments.results {
        report.write(dir).expect("a report that can be written");
    }
    origin.stop().await;
}

/// What is measured while all proxies run.
async fn measure_side_by_side(report: &mut Report, bench: &Bench<'_>, arguments: &Arguments) {
    let mut running = Vec::new();
    for kind in bench.kinds {
        running.push(kind.start(bench.dir, bench.origin).await);
        eprintln!("{} does what it should", kind.name());
    }
    if arguments.wants(Part::Requests) {
        for scenario in scenarios(&bench.origin.bodies, arguments.share) {
            if arguments.wants_row(scenario.name) {
                rows::requests(report, bench, &scenario, &running).await;
            }
        }
    }
    if arguments.wants(Part::Tunnel) {
        rows::tunnel(report, bench, &running).await;
    }
    if arguments.wants(Part::Requests) {
        rows::resident(report, bench, &running);
    }
    if arguments.wants(Part::Cpus) {
        rows::cpus(report, bench, &running).await;
    }
    for proxy in running {
        proxy.stop().await;
    }
}

impl Arguments {
    fn wants(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    fn wants_row(&self, name: &str) -> bool {
        self.row.as_ref().is_none_or(|part| name.contains(&**part))
    }
}

/// Bytes that go through a tunnel: a GiB, or less in a smaller run.
fn large(share: f64) -> u64 {
    let gib = f64::from(1_u32 << 30);
    (gib * share.clamp(1.0 / 64.0, 1.0)) as u64
}
