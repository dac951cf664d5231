//! The console's certificate while the gateway runs: taken on where its files change, made anew before it ends.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pinfold_certs::ServerIdentity;
use pinfold_config::Config;
use pinfold_config::settings::{Console, ConsoleTls};
use pinfold_console::{Reach, Tls};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::reload::told;
use crate::configuration::Configuration;
use crate::console_identity::{self, end};
use crate::failure::Failure;

/// How often it is looked at whether a leaf of the local root has to be made anew.
const EVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// What the console shows, and may show another one of.
#[derive(Clone)]
pub(crate) struct ConsoleTlsInForce(Option<Arc<watch::Sender<Arc<CertifiedKey>>>>);

impl ConsoleTlsInForce {
    /// What the files say at the start. One that has expired is no reason not to protect anyone.
    pub(crate) fn start(config: &Config) -> Result<Self, Failure> {
        let now = SystemTime::now();
        let identity = console_identity::identity(config, now)?;
        if let Some((message, hint)) = identity.as_ref().and_then(|identity| end(identity, now)) {
            tracing::warn!("{message}; hint: {hint}");
        }
        Ok(Self(identity.map(|identity| Arc::new(watch::Sender::new(identity.certified)))))
    }

    /// How browsers come to the console.
    pub(crate) fn reach(&self, console: &Console) -> Result<Reach, Failure> {
        let tls = self.0.as_ref().map(|shown| Tls::new(shown.subscribe())).transpose();
        let tls =
            tls.map_err(|error| Failure::could_not(format!("the console cannot speak TLS: {error}")))?;
        Ok(Reach { names: console.names.clone().into(), tls })
    }

    /// What other files say; none where nothing changes. With TLS or without is for a start.
    ///
    /// # Errors
    /// [`Failure`] where they cannot be used, or what is new does not count now.
    pub(crate) fn staged(&self, config: &Config) -> Result<Option<ServerIdentity>, Failure> {
        let Some(shown) = &self.0 else {
            // It must be right all the same.
            return console_identity::readable(config).map(|_| None);
        };
        let now = SystemTime::now();
        let Some(identity) = console_identity::identity(config, now)? else { return Ok(None) };
        if identity.certified.cert == shown.borrow().cert {
            return Ok(None);
        }
        if identity.until <= now || identity.from > now {
            let (message, hint) = end(&identity, now).unwrap_or_default();
            return Err(Failure::configuration(message).hint(hint));
        }
        Ok(Some(identity))
    }

    /// From the next connection on.
    pub(crate) fn take(&self, staged: Option<ServerIdentity>) {
        if let Some((shown, identity)) = self.0.as_ref().zip(staged) {
            shown.send_replace(identity.certified);
            tracing::info!("the console shows another certificate from now on");
        }
    }

    /// Keeps a leaf of the local root from ending, until `stop`, and tells where it cannot.
    pub(crate) async fn keep(self, configuration: Configuration, stop: CancellationToken) {
        let mut looks = interval(EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first is at once, and the start has looked.
        looks.tick().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => {}
            }
            // Files that are being changed are the reload's.
            if let Ok(loaded) = configuration.load_without_pins() {
                self.look_after(&loaded.config);
            }
        }
    }

    fn look_after(&self, config: &Config) {
        let now = SystemTime::now();
        let tls = config.console.as_ref().and_then(|console| console.tls.as_ref());
        match console_identity::identity(config, now) {
            Ok(Some(identity)) => {
                if let Some((message, hint)) = end(&identity, now) {
                    tracing::warn!("{message}; hint: {hint}");
                }
                let shown = self.0.as_ref().map(|shown| shown.borrow().cert.clone());
                if tls == Some(&ConsoleTls::LocalCa)
                    && shown.is_some_and(|shown| shown != identity.certified.cert)
                {
                    self.take(Some(identity));
                }
            }
            Ok(None) => {}
            Err(failure) => {
                tracing::warn!("the console's certificate cannot be looked after: {}", told(&failure).0);
            }
        }
    }
}
