//! Whether the gateway is well, and what it has done: what the console shows of it.

mod metrics;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use pinfold_console::{Check, Shown};
use pinfold_proxy::Gauge;
use pinfold_siem::Trying;
use pinfold_store::Store;

use self::metrics::Numbers;
use super::canary::Canary;
use super::reload::Outcomes;

/// Everything that can be asked.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) gauge: Gauge,
    pub(crate) store: Store,
    /// Under which name the store knows each output, and how it fares, in the order of the configuration.
    pub(crate) outputs: Arc<[(String, Trying)]>,
    pub(crate) reloads: Arc<Outcomes>,
    pub(crate) canary: Canary,
    pub(crate) started: SystemTime,
    /// Where clients reach it.
    pub(crate) listeners: Arc<[SocketAddr]>,
}

impl Health {
    /// The same, for the console.
    pub(crate) fn shown(self) -> Shown {
        let listeners = Arc::clone(&self.listeners);
        let (ready, metrics) = (self.clone(), self);
        Shown {
            listeners,
            ready: Arc::new(move || {
                let health = ready.clone();
                Box::pin(async move { health.checks().await })
            }),
            metrics: Arc::new(move || {
                let health = metrics.clone();
                Box::pin(async move { health.numbers().await.text() })
            }),
        }
    }

    async fn checks(&self) -> Vec<Check> {
        let drains = (!self.gauge.is_listening()).then(|| "it is draining".to_owned());
        let store = self.store.check_writable().await.err();
        let [_, issuer] = self.gauge.ca_ends();
        let expired = (issuer <= SystemTime::now()).then(|| "the issuing CA has expired".to_owned());
        vec![
            Check { name: "listening", trouble: drains },
            Check { name: "store", trouble: store.map(|error| format!("{error}; {}", error.hint())) },
            Check { name: "ca", trouble: expired },
            Check { name: "canary", trouble: self.canary.trouble() },
        ]
    }

    async fn numbers(&self) -> Numbers {
        let mut backlog = Vec::new();
        for (output, _) in &*self.outputs {
            backlog.push(self.store.backlog(output).await.ok());
        }
        Numbers {
            counts: self.gauge.counts(),
            reserved: self.gauge.reserved(),
            shelf_memory: self.gauge.shelf_memory(),
            policy_version: self.gauge.policy_version(),
            ca_ends: self.gauge.ca_ends(),
            ledger: self.store.numbers().unwrap_or_default(),
            undecided: self.store.undecided().await.ok(),
            backlog,
            in_vain: self.outputs.iter().map(|(_, trying)| trying.in_vain_for()).collect(),
            reloads: [&self.reloads.taken, &self.reloads.refused].map(|count| count.load(Ordering::Relaxed)),
            canary: self.canary.runs(),
            started: self.started,
        }
    }
}
