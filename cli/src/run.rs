//! `pinfold run`: the gateway, from its files to its last recorded row.

mod authority;
mod canary;
mod console_tls;
mod greeting;
mod health;
mod reload;
mod retention;
mod review;
mod signals;
mod start_only;
pub(crate) mod vouching;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::SignedDuration;
use pinfold_certs::Opened;
use pinfold_config::Loaded;
use pinfold_console::{Console, FirstLink, Reach, Review};
use pinfold_proxy::{BindError, Clock, Gateway};
use pinfold_siem::{Observer, Output, deliver};
use pinfold_store::Store;
use pinfold_store::entry::{Notice, What};
use tokio::runtime::Handle;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use self::authority::Authority;
use self::canary::Canary;
use self::console_tls::ConsoleTlsInForce;
use self::greeting::Greeting;
use self::health::Health;
use self::reload::{Guards, Reloading, Standing};
use self::review::{InForce, Reviewing, Trusted};
use self::signals::{HangUps, Signals};
use self::start_only::StartOnly;
use self::watch::{Read, Seen};
use crate::configuration::Configuration;
use crate::failure::{Failure, cause};
use crate::terminal::Terminal;
use crate::{log, wiring};

/// How long exchanges that are under way may take after the first signal.
const GRACE: Duration = Duration::from_secs(20);

/// Runs the gateway until a signal ends it: the first one drains, a second one ends at once. One that comes before it is ready
/// ends it at once too.
pub(crate) async fn run(configuration: &Configuration, terminal: &Terminal) -> Result<(), Failure> {
    let format = log::start(terminal)?;
    // Before anything is ready, so that a signal that comes early is not lost.
    let (mut signals, hang_ups) = (Signals::listen()?, HangUps::listen()?);
    let files = Files::read(configuration)?;
    terminal.show_warnings(&files.loaded.warnings);
    let greeting = Greeting::of(&files.loaded.config);
    let running = tokio::select! {
        running = Running::start(configuration, files) => running?,
        // Nothing was accepted yet. What a file of an older format still lacks is made up for at the next start.
        signal = signals.next() => {
            tracing::info!("{signal}: stopped before it was ready");
            return Ok(());
        }
    };
    greeting.say(running.gateway.addresses(), &running.root, terminal, format);
    if let Some(link) = running.first_link() {
        greeting::say_first_link(&link, terminal, format);
    }
    terminal.print(&running.ready_line()).or_else(unread)?;
    running.serve(&mut signals, hang_ups).await
}

/// What the gateway starts with.
struct Files {
    loaded: Loaded,
    seen: Seen,
}

impl Files {
    fn read(configuration: &Configuration) -> Result<Self, Failure> {
        if watch::comes_once(configuration) {
            return Ok(Self { loaded: configuration.load()?, seen: Seen::nothing() });
        }
        match watch::read(configuration, &[]) {
            Some(Read { loaded, seen }) => Ok(Self { loaded: loaded?, seen }),
            None => {
                let loaded = configuration.load()?;
                let seen = Seen::unsettled(&loaded.config);
                Ok(Self { loaded, seen })
            }
        }
    }
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
    console: Option<Console>,
    /// How browsers come to the console.
    reach: Reach,
    console_tls: ConsoleTlsInForce,
    configuration: Configuration,
    review: Review,
    /// The way into the console while nobody may sign in.
    first_link: Option<FirstLink>,
    store: Store,
    outputs: Vec<Output>,
    root: Root,
    reloading: Reloading,
    health: Health,
    authority: Authority,
    /// How long the ledger goes back, and by which clock.
    keeping: (SignedDuration, Clock),
}

/// What clients are to trust.
struct Root {
    file: PathBuf,
    instructions: String,
    made: bool,
}

impl Running {
    async fn start(configuration: &Configuration, files: Files) -> Result<Self, Failure> {
        let Files { loaded: Loaded { config, .. }, seen } = files;
        let settings = wiring::settings(&config)?;
        let outputs = wiring::outputs(&config)?;
        let Opened { ca, made_root, made_issuer } = wiring::open_ca(&config)?;
        if made_issuer && !made_root {
            tracing::info!("made a new issuing CA for the vendors' hosts; clients trust it through the root");
        }
        // Behind the CA, whose root may have to sign for it.
        let console_tls = ConsoleTlsInForce::start(&config)?;
        let reach = config.console.as_ref().map(|console| console_tls.reach(console)).transpose()?;
        let oidc = config.console.as_ref().and_then(|console| console.oidc.as_ref());
        let provider = oidc.map(vouching::provider).transpose()?;
        let (keeps, clock) = (config.ledger.retention, settings.clock.clone());
        let store = Store::open_gateway(&config.data_dir, wiring::store_options(&config)).await?;
        // The files may be others than those of the last run.
        let version = store.number_other_files(config.approvers).await?;
        tracing::info!("policy {version}: {}", seen.in_words());
        let (ca_dir, ca_options) = (wiring::ca_dir(&config), wiring::ca_options(&config));
        let (start_only, guards) = (StartOnly::of(&config), Guards::of(&config));
        let rulebook = Arc::new(config.rulebook);
        let in_force = InForce::new(config.console_users, Arc::clone(&rulebook), config.approvers);
        let root = ca.root_fingerprint_sha256();
        let standing = Standing {
            seen,
            start_only,
            ca_dir,
            ca_options,
            root,
            guards,
            in_force: in_force.clone(),
            console_tls: console_tls.clone(),
        };
        let root = Root {
            file: ca.root_path().to_owned(),
            instructions: crate::trust::instructions(&ca),
            made: made_root,
        };
        let (authority, trusted) = (Authority::of(&ca), Trusted::of(&ca));
        let (canary, listen) = (Canary::new(config.canary), config.console.map(|console| console.listen));
        let bound = Gateway::bind(settings, rulebook, Arc::new(ca), store.clone()).await;
        let bound = match bound {
            Ok(gateway) => listen_for_console(listen).await.map(|console| (gateway, console)),
            Err(error) => Err(cannot_bind(&error)),
        };
        let (gateway, console) = match bound {
            Ok(bound) => bound,
            Err(failure) => {
                store.close().await?;
                return Err(failure);
            }
        };
        let reloading = Reloading::new(configuration.clone(), gateway.reloader(), store.clone(), standing);
        let health = Health {
            gauge: gateway.gauge(),
            store: store.clone(),
            outputs: outputs.iter().map(|output| (output.name(), output.trying.clone())).collect(),
            reloads: reloading.outcomes(),
            canary,
            started: SystemTime::now(),
            listeners: gateway.addresses().into(),
        };
        let configuration = configuration.clone();
        let reviewing =
            Reviewing::new(configuration.clone(), store.clone(), in_force, clock.clone(), trusted);
        let is_vouched = provider.is_some();
        let first_link =
            console.as_ref().and_then(|console| reviewing.first_link(console.address(), is_vouched));
        let keeping = (SignedDuration::try_from(keeps).unwrap_or(SignedDuration::MAX), clock);
        let review = reviewing.review(first_link.clone(), provider);
        Ok(Self {
            gateway,
            console,
            reach: reach.unwrap_or_default(),
            console_tls,
            configuration,
            review,
            first_link,
            store,
            outputs,
            root,
            reloading,
            health,
            authority,
            keeping,
        })
    }

    /// Where whoever has started it makes the first user of the console.
    fn first_link(&self) -> Option<String> {
        let (console, link) = self.console.as_ref().zip(self.first_link.as_ref())?;
        let scheme = if self.reach.tls.is_some() { "https" } else { "http" };
        Some(format!("{scheme}://{}{}", console.address(), link.path()))
    }

    fn ready_line(&self) -> String {
        let addresses: Vec<_> = self.gateway.addresses().iter().map(ToString::to_string).collect();
        // Absolute, so that whoever started it needs not know its working directory.
        let file = std::path::absolute(&self.root.file).unwrap_or_else(|_| self.root.file.clone());
        let console = self.console.as_ref().map(|console| console.address().to_string());
        let console = console.as_deref().unwrap_or("none");
        format!("pinfold ready proxy={} console={console} ca={}", addresses.join(","), file.display())
    }

    async fn serve(self, signals: &mut Signals, hang_ups: HangUps) -> Result<(), Failure> {
        let Self { gateway, console, reach, review, store, outputs, reloading, health, authority, .. } = self;
        let (keeps, clock) = self.keeping;
        let names = outputs.iter().map(Output::name).collect();
        let deliveries = Deliveries::start(outputs, &store);
        let stop = CancellationToken::new();
        let dropping = tokio::spawn(retention::run(store.clone(), keeps, names, clock.clone(), stop.clone()));
        // A gateway that is about to stop is none to test.
        let (canary, gauge) = (gateway.canary(), gateway.gauge());
        tell(&store, What::Started, &clock).await;
        let testing = tokio::spawn(health.canary.clone().run(canary, gauge, store.clone(), stop.clone()));
        // It tells also while the gateway drains.
        let closed = CancellationToken::new();
        let showing =
            console.map(|console| tokio::spawn(console.run(health.shown(), review, reach, closed.clone())));
        let keeping = tokio::spawn(self.console_tls.keep(self.configuration, stop.clone()));
        let serving = tokio::spawn(gateway.run(stop.clone(), GRACE));
        authority.tell(&store, &clock).await;
        // One thread: it blocks while it reads, and an allocator that keeps memory by thread would keep the pins of each
        // thread that ever read them.
        let (runtime, stopping) = (Handle::current(), stop.clone());
        let reloading = spawn_blocking(move || runtime.block_on(reloading.run(hang_ups, stopping)));
        let signal = signals.next().await;
        tracing::info!("{signal}: finishing what is under way; a second signal ends it at once");
        stop.cancel();
        let ending = async {
            let served =
                serving.await.and(reloading.await).and(testing.await).and(dropping.await).and(keeping.await);
            closed.cancel();
            let shown = match showing {
                Some(showing) => showing.await,
                None => Ok(()),
            };
            let served = served.and(shown);
            tell(&store, What::Stopped, &clock).await;
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

/// Whoever reads the ledger later knows when no gateway ran.
async fn tell(store: &Store, what: What, clock: &Clock) {
    let text = concat!("pinfold ", env!("CARGO_PKG_VERSION"));
    let version = store.decisions().borrow().version();
    let notice = Notice::of_gateway(what, clock.now(), text, version);
    if let Err(error) = store.notice(notice).await {
        tracing::warn!("'{}' cannot be recorded: {error}; hint: {}", what.as_str(), error.hint());
    }
}

async fn listen_for_console(address: Option<SocketAddr>) -> Result<Option<Console>, Failure> {
    let Some(address) = address else { return Ok(None) };
    match Console::bind(address).await {
        Ok(console) => Ok(Some(console)),
        Err(error) => Err(cannot_listen(address, &error, "console.listen")),
    }
}

fn cannot_listen(address: SocketAddr, source: &io::Error, key: &str) -> Failure {
    let failure = Failure::could_not(format!("cannot listen on {address}: {}", cause(source)));
    failure.hint(match source.kind() {
        io::ErrorKind::AddrInUse => {
            format!("another program listens there: end it, or name another port in '{key}'")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("no interface of this machine has that address: correct '{key}'")
        }
        io::ErrorKind::PermissionDenied => {
            format!("ports below 1024 are for root: name another port in '{key}'")
        }
        _ => format!("correct '{key}' in pinfold.toml"),
    })
}

fn cannot_bind(error: &BindError) -> Failure {
    match error {
        BindError::Listen { address, source } => cannot_listen(*address, source, "listen"),
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
