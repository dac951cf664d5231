//! The proxies that are compared, each as somebody would set it up who wants scripts checked.

mod mitmproxy;
mod own;
mod pinfold;
mod squid;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::origin::Origin;
use crate::running::{terminate, wait_for};

pub(crate) use self::own::{icap, minimal, relay};

/// Names of the vendor that are used: files list them, for no resolver knows them.
pub(crate) const NAMES: usize = 4_000;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// No proxy.
    Direct,
    /// Bytes there and back: no TLS, no check.
    Relay,
    /// TLS on both sides, SHA-256 over the body, then release: the least that a checking proxy can do.
    Minimal,
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
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Direct,
        Self::Relay,
        Self::Minimal,
        Self::Pinfold,
        Self::PinfoldAlways,
        Self::Squid,
        Self::SquidIcap,
        Self::Mitmproxy,
    ];

    /// As tables name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relay => "relay",
            Self::Minimal => "minimal",
            Self::Pinfold => "pinfold",
            Self::PinfoldAlways => "pinfold, always",
            Self::Squid => "squid",
            Self::SquidIcap => "squid+icap",
            Self::Mitmproxy => "mitmproxy",
        }
    }

    /// Whether it looks into TLS.
    pub(crate) fn intercepts(self) -> bool {
        !matches!(self, Self::Direct | Self::Relay)
    }

    /// Starts it in a folder of its own.
    pub(crate) async fn start(self, dir: &Path, origin: &Origin) -> Proxy {
        let dir = dir.join(self.name().replace([' ', ',', '+'], "-"));
        std::fs::create_dir_all(&dir).expect("a folder for a proxy");
        match self {
            Self::Direct => {
                Proxy { kind: self, address: None, root: origin.root.clone(), processes: Vec::new() }
            }
            Self::Relay | Self::Minimal => own::start(self, &dir, origin).await,
            Self::Pinfold => pinfold::start(self, &dir, origin, "15m").await,
            Self::PinfoldAlways => pinfold::start(self, &dir, origin, "always").await,
            Self::Squid => squid::start(self, &dir, origin, None).await,
            Self::SquidIcap => {
                let icap = own::start_icap(&dir, origin).await;
                squid::start(self, &dir, origin, Some(icap)).await
            }
            Self::Mitmproxy => mitmproxy::start(self, &dir, origin).await,
        }
    }
}

/// A proxy that runs.
pub(crate) struct Proxy {
    pub(crate) kind: Kind,
    /// None: there is none.
    pub(crate) address: Option<SocketAddr>,
    /// What its clients trust.
    pub(crate) root: PathBuf,
    processes: Vec<Child>,
}

impl Proxy {
    async fn of(kind: Kind, address: SocketAddr, root: PathBuf, processes: Vec<Child>) -> Self {
        wait_for(address).await;
        Self { kind, address: Some(address), root, processes }
    }

    /// Its processes, without those that they started.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(|process| process.id().expect("a proxy that runs")).collect()
    }

    /// Ends it, and waits for its end.
    pub(crate) async fn stop(mut self) {
        for process in &mut self.processes {
            terminate(process).await;
        }
    }
}

/// A program whose output goes to a file of its folder.
fn spawn(program: &Path, arguments: &[&str], dir: &Path) -> Child {
    let log = std::fs::File::create(dir.join("log")).expect("a log");
    Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}
