//! The gateway of the story: wired as `pinfold run` wires it, and ended by the story in place of a signal.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pinfold_config::Config;
use pinfold_proxy::{Clock, Gateway, Settings};
use pinfold_store::Store;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::demo::Doing as _;
use crate::failure::Failure;
use crate::wiring;

/// How long connections may take to end: those of the story have nothing under way.
const GRACE: Duration = Duration::from_secs(2);

/// A gateway that runs.
pub(crate) struct Running {
    /// Where it listens.
    pub(crate) proxy: SocketAddr,
    /// What clients are to trust.
    pub(crate) root_pem: String,
    pub(crate) data_dir: PathBuf,
    store: Store,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

/// Starts a gateway that goes by `clock`.
pub(crate) async fn start(config: Config, clock: Clock) -> Result<Running, Failure> {
    let settings = Settings { clock, ..wiring::settings(&config)? };
    let ca = wiring::open_ca(&config)?.ca;
    let root_pem = ca.root_pem().to_owned();
    let store = Store::open_gateway(&config.data_dir, wiring::store_options(&config)).await?;
    let bound = Gateway::bind(settings, Arc::new(config.rulebook), Arc::new(ca), store.clone()).await;
    if bound.is_err() {
        store.close().await?;
    }
    let gateway = bound.doing("start the gateway")?;
    let proxy = gateway.addresses().first().copied().ok_or("it listens nowhere").doing("use the gateway")?;
    let stop = CancellationToken::new();
    let serving = tokio::spawn(gateway.run(stop.clone(), GRACE));
    Ok(Running { proxy, root_pem, data_dir: config.data_dir, store, stop, serving })
}

impl Running {
    /// Its store.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Lets it finish, and closes its files.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        self.stop.cancel();
        let served = self.serving.await;
        self.store.close().await?;
        served.doing("stop the gateway")
    }
}
