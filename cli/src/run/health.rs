//! Whether the gateway is well, and what it has done: what the console shows of it.

mod metrics;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use jiff::Timestamp;
use pinfold_console::{Check, Coverage, Shown};
use pinfold_proxy::{Gauge, Unjudged};
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
        let (ready, metrics, covering) = (self.clone(), self.clone(), self);
        Shown {
            listeners,
            ready: Arc::new(move || {
                let health = ready.clone();
                Box::pin(async move { health.checks().await })
            }),
            coverage: Arc::new(move || covering.coverage()),
            metrics: Arc::new(move || {
                let health = metrics.clone();
                Box::pin(async move { health.numbers().await.text() })
            }),
        }
    }

    fn coverage(&self) -> Coverage {
        let counts = self.gauge.counts();
        let judged = counts.judged.values().map(|sum| sum.exchanges).sum();
        let unjudged = counts.unjudged.iter().map(|(why, sum)| (as_shown(*why), sum.exchanges));
        let since = Timestamp::try_from(self.started).unwrap_or(Timestamp::UNIX_EPOCH);
        Coverage { since, judged, unjudged: unjudged.collect() }
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

/// As the console calls it.
fn as_shown(why: Unjudged) -> pinfold_console::Unjudged {
    match why {
        Unjudged::Unguarded => pinfold_console::Unjudged::Unguarded,
        Unjudged::Document => pinfold_console::Unjudged::Document,
        Unjudged::OtherHost => pinfold_console::Unjudged::OtherHost,
        Unjudged::Tunnel => pinfold_console::Unjudged::Tunnel,
        Unjudged::Websocket => pinfold_console::Unjudged::Websocket,
    }
}
