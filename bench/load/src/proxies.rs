//! The proxies that are compared, each as somebody would set it up who wants scripts checked.

mod hudsucker;
mod mitmproxy;
mod own;
mod pinfold;
mod squid;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::process::Child;

use crate::client::{Failure, Reply, Route};
use crate::load;
use crate::origin::{Origin, WRONG, name};
use crate::running::{terminate, wait_for};

pub(crate) use self::own::{byte, delay, icap, libraries, minimal, relay, source};
pub(crate) use self::pinfold::with_pins;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// No proxy.
    Direct,
    /// Bytes there and back: no TLS, no check.
    Relay,
    /// TLS on both sides, SHA-256 over the body, then release: the least that a checking proxy can do.
    Minimal,
    /// The same with hyper on both sides, and connections to the origin that all clients share.
    Libraries,
    /// pinfold, verified bodies from its shelf.
    Pinfold,
    /// pinfold with `recheck = "always"`: fetched and verified every time.
    PinfoldAlways,
    /// Squid with SslBump, from its memory cache. Checks nothing.
    Squid,
    /// Squid with SslBump and a hash service over ICAP.
    SquidIcap,
    /// mitmproxy with an addon that hashes.
    Mitmproxy,
    /// hudsucker with a step that hashes.
    Hudsucker,
}

impl Kind {
    pub(crate) const ALL: [Self; 10] = [
        Self::Direct,
        Self::Relay,
        Self::Minimal,
        Self::Libraries,
        Self::Pinfold,
        Self::PinfoldAlways,
        Self::Squid,
        Self::SquidIcap,
        Self::Mitmproxy,
        Self::Hudsucker,
    ];

    /// As tables name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relay => "relay",
            Self::Minimal => "minimal",
            Self::Libraries => "libraries",
            Self::Pinfold => "pinfold",
            Self::PinfoldAlways => "pinfold-always",
            Self::Squid => "squid",
            Self::SquidIcap => "squid-icap",
            Self::Mitmproxy => "mitmproxy",
            Self::Hudsucker => "hudsucker",
        }
    }

    pub(crate) fn version(self) -> String {
        match self {
            Self::Direct => first_line("nginx", &["-v"]),
            Self::Relay | Self::Minimal | Self::Libraries => crate::machine::commit(),
            Self::Pinfold | Self::PinfoldAlways => {
                let program = pinfold::binary().display().to_string();
                format!("{}, {}", first_line(&program, &["--version"]), crate::machine::commit())
            }
            Self::Squid | Self::SquidIcap => first_line(squid::PROGRAM, &["-v"]),
            Self::Mitmproxy => first_line(&mitmproxy::program(), &["--version"]),
            Self::Hudsucker => first_line(&hudsucker::program(), &["--version"]),
        }
    }

    /// Something that people use between themselves and the network.
    pub(crate) fn is_other_proxy(self) -> bool {
        match self {
            Self::Squid | Self::SquidIcap | Self::Mitmproxy | Self::Hudsucker => true,
            Self::Direct
            | Self::Relay
            | Self::Minimal
            | Self::Libraries
            | Self::Pinfold
            | Self::PinfoldAlways => false,
        }
    }

    /// Whether a body that nobody has reviewed is refused.
    pub(crate) fn checks(self) -> bool {
        match self {
            Self::Direct | Self::Relay | Self::Squid => false,
            Self::Minimal
            | Self::Libraries
            | Self::Pinfold
            | Self::PinfoldAlways
            | Self::SquidIcap
            | Self::Mitmproxy
            | Self::Hudsucker => true,
        }
    }

    /// Whether it looks into TLS.
    pub(crate) fn intercepts(self) -> bool {
        match self {
            Self::Direct | Self::Relay => false,
            Self::Minimal
            | Self::Libraries
            | Self::Pinfold
            | Self::PinfoldAlways
            | Self::Squid
            | Self::SquidIcap
            | Self::Mitmproxy
            | Self::Hudsucker => true,
        }
    }

    /// Whether it passes on what it does not look into.
    pub(crate) fn tunnels(self) -> bool {
        !matches!(self, Self::Direct | Self::Minimal | Self::Libraries)
    }

    /// Whether it makes certificates.
    pub(crate) fn mints(self) -> bool {
        self.intercepts() && !matches!(self, Self::Minimal | Self::Libraries)
    }

    /// Whether it asks the origin only once for what it may keep.
    pub(crate) fn remembers(self) -> bool {
        self == Self::Pinfold || self == Self::Squid
    }

    /// The share of the requests that it is sent: as many as the others are would take the slow ones an hour.
    pub(crate) fn share(self) -> f64 {
        match self {
            Self::Mitmproxy => 0.05,
            Self::SquidIcap => 0.25,
            Self::Squid => 0.5,
            Self::Direct
            | Self::Relay
            | Self::Minimal
            | Self::Libraries
            | Self::Pinfold
            | Self::PinfoldAlways
            | Self::Hudsucker => 1.0,
        }
    }

    /// Starts it in a folder of its own, and sees that it does what it should.
    pub(crate) async fn start(self, dir: &Path, origin: &Origin) -> Proxy {
        let dir = dir.join(self.name());
        std::fs::create_dir_all(&dir).expect("a folder for a proxy");
        let proxy = match self {
            Self::Direct => {
                Proxy { kind: self, address: None, root: origin.root.clone(), processes: Vec::new() }
            }
            Self::Relay => own::start_relay(&dir, origin).await,
            Self::Minimal | Self::Libraries => own::start_loop(self, &dir, origin).await,
            Self::Pinfold => pinfold::start(self, &dir, origin, "15m").await,
            Self::PinfoldAlways => pinfold::start(self, &dir, origin, "always").await,
            Self::Squid => squid::start(self, &dir, origin, None).await,
            Self::SquidIcap => {
                let icap = own::start_icap(&dir, origin).await;
                squid::start(self, &dir, origin, Some(icap)).await
            }
            Self::Mitmproxy => mitmproxy::start(&dir, origin).await,
            Self::Hudsucker => hudsucker::start(&dir, origin).await,
        };
        proxy.check(origin).await;
        proxy
    }
}

/// A proxy that runs.
pub(crate) struct Proxy {
    pub(crate) kind: Kind,
    /// None: there is none.
    pub(crate) address: Option<SocketAddr>,
    /// What its clients trust.
    root: PathBuf,
    processes: Vec<Child>,
}

impl Proxy {
    async fn of(kind: Kind, address: SocketAddr, root: PathBuf, processes: Vec<Child>) -> Self {
        wait_for(address, kind.name()).await;
        Self { kind, address: Some(address), root, processes }
    }

    /// Its processes, without those that they started. Without a proxy, the origin.
    pub(crate) fn pids(&self, origin: &Origin) -> Vec<u32> {
        if self.address.is_none() {
            return vec![origin.pid()];
        }
        self.processes.iter().map(|process| process.id().expect("a proxy that runs")).collect()
    }

    /// To hosts that it looks into, if it does that.
    pub(crate) fn route(&self, origin: &Origin) -> Route {
        Route::new(self.kind.name(), origin, self.address, &self.root)
    }

    /// To hosts that it does not look into.
    pub(crate) fn tunnel(&self, origin: &Origin) -> Route {
        Route::new(self.kind.name(), origin, self.address, &origin.root)
    }

    /// Each body is the vendor's, in both codings, and what nobody has reviewed is refused by those who check.
    async fn check(&self, origin: &Origin) {
        let who = self.kind.name();
        for body in &origin.bodies {
            for gzip in [false, true] {
                match self.get(origin, &body.path(), gzip).await {
                    Ok(reply) => load::verify(who, body, reply).await,
                    Err(failure @ Failure::TimedOut(_)) if self.kind.is_other_proxy() => {
                        eprintln!("{who}, {}: {failure}", body.name);
                    }
                    Err(failure) => panic!("{who}, {}: {failure}", body.name),
                }
            }
        }
        match self.get(origin, WRONG, false).await {
            Ok(_) => assert!(!self.kind.checks(), "{who} releases what nobody has reviewed"),
            Err(Failure::Status(403 | 500..) | Failure::Broken(..)) => {
                assert!(self.kind.checks(), "{who} refuses though it checks nothing");
            }
            Err(failure) => panic!("{who}: {failure}"),
        }
    }

    async fn get(&self, origin: &Origin, path: &str, gzip: bool) -> Result<Reply, Failure> {
        self.route(origin).connect(&name(0)).await?.get(path, gzip, true).await
    }

    /// Ends it, and waits for its end.
    pub(crate) async fn stop(mut self) {
        for process in &mut self.processes {
            terminate(process).await;
        }
    }
}

/// Of what a program says of itself.
fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}

/// A program that the script which installs the proxies names, or one of the path.
fn program(variable: &str, otherwise: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| otherwise.to_owned())
}
