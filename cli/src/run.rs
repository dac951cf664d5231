//! `pinfold run`: the gateway, from its files to its last recorded row.

mod greeting;
mod signals;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pinfold_certs::Opened;
use pinfold_config::{Config, Loaded};
use pinfold_proxy::{BindError, Gateway};
use pinfold_siem::{Observer, Output, deliver};
use pinfold_store::Store;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::greeting::Greeting;
use self::signals::Signals;
use crate::configuration::Configuration;
use crate::failure::{Failure, cause};
use crate::terminal::Terminal;
use crate::{log, wiring};

/// How long exchanges that are under way may take after the first signal.
const GRACE: Duration = Duration::from_secs(20);

/// Runs the gateway until a signal ends it: the first one drains, a second one ends at once.
pub(crate) async fn run(configuration: &Configuration, terminal: &Terminal) -> Result<(), Failure> {
    log::start(terminal)?;
    let Loaded { config, warnings } = configuration.load()?;
    terminal.show_warnings(&warnings);
    // Before anything is ready, so that a signal that comes early is not lost.
    let mut signals = Signals::listen()?;
    let greeting = Greeting::of(&config);
    let running = Running::start(config).await?;
    greeting.say(running.gateway.addresses(), &running.root, terminal);
    terminal.print(&running.ready_line()).or_else(unread)?;
    running.serve(&mut signals).await
}

/// Nobody reads standard output. That is no reason not to protect anyone.
fn unread(failure: Failure) -> Result<(), Failure> {
    match failure {
        Failure::ReaderGone => Ok(()),
        Failure::CouldNot(complaint) => {
            tracing::warn!("{}", complaint.message);
            Ok(())
        }
        Failure::Configuration(_) | Failure::Files(_) => Err(failure),
    }
}

/// A gateway that listens and accepts nothing yet.
struct Running {
    gateway: Gateway,
    store: Store,
    outputs: Vec<Output>,
    root: Root,
}

/// What clients are to trust.
struct Root {
    file: PathBuf,
    instructions: String,
    made: bool,
}

impl Running {
    async fn start(config: Config) -> Result<Self, Failure> {
        let settings = wiring::settings(&config)?;
        let Opened { ca, made_root, made_issuer } = wiring::open_ca(&config)?;
        if made_issuer && !made_root {
            tracing::info!("made a new issuing CA for the vendors' hosts; clients trust it through the root");
        }
        let store = Store::open_gateway(&config.data_dir, wiring::store_options(&config)).await?;
        let root = Root {
            file: ca.root_path().to_owned(),
            instructions: crate::trust::instructions(&ca),
            made: made_root,
        };
        let outputs = config.siem.iter().map(wiring::output).collect();
        let bound = Gateway::bind(settings, Arc::new(config.rulebook), Arc::new(ca), store.clone()).await;
        match bound {
            Ok(gateway) => Ok(Self { gateway, store, outputs, root }),
            Err(error) => {
                store.close().await?;
                Err(cannot_bind(&error))
            }
        }
    }

    fn ready_line(&self) -> String {
        let addresses: Vec<_> = self.gateway.addresses().iter().map(ToString::to_string).collect();
        // Absolute, so that whoever started it needs not know its working directory.
        let file = std::path::absolute(&self.root.file).unwrap_or_else(|_| self.root.file.clone());
        format!("pinfold ready proxy={} console=none ca={}", addresses.join(","), file.display())
    }

    async fn serve(self, signals: &mut Signals) -> Result<(), Failure> {
        let Self { gateway, store, outputs, .. } = self;
        let deliveries = Deliveries::start(outputs, &store);
        let stop = CancellationToken::new();
        let serving = tokio::spawn(gateway.run(stop.clone(), GRACE));
        let signal = signals.next().await;
        tracing::info!("{signal}: finishing what is under way; a second signal ends it at once");
        stop.cancel();
        let ending = async {
            let served = serving.await;
            // Everything is recorded now: the outputs can have the rest, then the files can close.
            let settled = store.settle().await;
            deliveries.finish().await;
            let closed = store.close().await;
            settled.and(closed)?;
            served.map_err(|error| Failure::could_not(format!("the gateway failed: {error}")))
        };
        tokio::select! {
            ended = ending => {
                ended?;
                tracing::info!("stopped");
                Ok(())
            }
            signal = signals.next() => {
                Err(Failure::could_not(format!("{signal}: ended before all exchanges and events were finished")))
            }
        }
    }
}

fn cannot_bind(error: &BindError) -> Failure {
    match error {
        BindError::Listen { address, source } => {
            let failure = Failure::could_not(format!("cannot listen on {address}: {}", cause(source)));
            let hint = match source.kind() {
                io::ErrorKind::AddrInUse => {
                    "another program listens there: end it, or name another port in 'listen'"
                }
                io::ErrorKind::AddrNotAvailable => {
                    "no interface of this machine has that address: correct 'listen'"
                }
                io::ErrorKind::PermissionDenied => {
                    "ports below 1024 are for root: name another port in 'listen'"
                }
                _ => "correct 'listen' in pinfold.toml",
            };
            failure.hint(hint)
        }
        BindError::Tls(_) => Failure::could_not(error.to_string())
            .hint("install the system's roots ('ca-certificates'), or name some in upstream_tls.extra_roots"),
        BindError::Store(error) => Failure::from(error.clone()),
    }
}

/// The outputs, each fed by a task of its own.
struct Deliveries {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Deliveries {
    fn start(outputs: Vec<Output>, store: &Store) -> Self {
        let mut tasks = JoinSet::new();
        let stop = CancellationToken::new();
        let observer = Observer::on_this_machine(env!("CARGO_PKG_VERSION"));
        for output in outputs {
            let delivery = deliver(output, store.clone(), observer.clone(), stop.clone());
            tasks.spawn(async {
                // The events wait on disk; the gateway goes on.
                if let Err(error) = delivery.await {
                    tracing::error!("{error}");
                }
            });
        }
        Self { tasks, stop }
    }

    /// Delivers what is there, and waits for nothing more.
    async fn finish(self) {
        self.stop.cancel();
        self.tasks.join_all().await;
    }
}
