//! Tells of hosts that imitate those that are expected, whoever asks for them. The traffic goes on as it would.
//!
//! A host is told of once a day under the same files, so that a page that is open does not write the same line all day;
//! what asks for made-up hosts one after the other is told of one by one, as its tunnels are.

use std::convert::Infallible;

use jiff::Timestamp;
use pinfold_policy::host::Host;
use pinfold_policy::lookalike::{Lookalike, Lookalikes};
use pinfold_policy::policy::Rulebook;
use pinfold_store::entry::{Asker, Notice, What};
use quick_cache::sync::Cache;

use crate::ask::Ask;
use crate::gateway::Shared;
use crate::policy_cell::Snapshot;

/// Hosts that are known to be told of already. Beyond them one may be told of twice.
const TOLD: usize = 4096;
const DAY: i64 = 24 * 60 * 60;

/// What the files expect, and which imitations of it were told of.
pub(crate) struct Watch {
    lookalikes: Lookalikes,
    told: Cache<(Host, i64), ()>,
}

impl Watch {
    pub(crate) fn new(rules: &Rulebook) -> Self {
        Self { lookalikes: Lookalikes::of(rules), told: Cache::new(TOLD) }
    }

    /// What `host` imitates, if that is to be told at `now`.
    fn untold(&self, host: &Host, now: Timestamp) -> Option<Lookalike> {
        let lookalike = self.lookalikes.imitated(host)?;
        let mut is_first = false;
        let day = now.as_second().div_euclid(DAY);
        let Ok(()) = self.told.get_or_insert_with(&(host.clone(), day), || {
            is_first = true;
            Ok::<_, Infallible>(())
        });
        is_first.then_some(lookalike)
    }
}

impl Shared {
    /// Tells of the host of a request if it imitates another. What somebody has approved of there is expected.
    pub(crate) fn watch_for_lookalike_of(&self, ask: &Ask, policy: &Snapshot) {
        let host = ask.url.host();
        if policy.vendor(host).is_none() && !policy.expect(&ask.url).is_pinned() {
            self.watch_for_lookalikes(policy, host, (&ask.asker, ask.at), || {
                ask.url.key_without_query().to_owned()
            });
        }
    }

    /// Tells of `host` if it imitates another and that is new. `wanted` says in words what the client wanted of it.
    pub(crate) fn watch_for_lookalikes(
        &self,
        policy: &Snapshot,
        host: &Host,
        (asker, at): (&Asker, Timestamp),
        wanted: impl FnOnce() -> String,
    ) {
        let Some(Lookalike { imitates, how }) = policy.live.watch.untold(host, at) else { return };
        let client = asker.address.ip().to_canonical();
        let text = format!("{host} imitates {imitates}: {how}; client {client} wanted {}", wanted());
        let notice =
            Notice::of_gateway(What::LookalikeHost, at, text, policy.version()).about(host.to_string());
        let store = self.store.clone();
        // Nobody waits for it: what is told does not change what is done.
        self.tasks.spawn(async move {
            if let Err(error) = store.notice(notice.clone()).await {
                tracing::error!(%error, "cannot record a notice: {}", notice.text);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pinfold_policy::vendor::{Rules, Vendor, Vendors};

    use super::*;

    fn watch() -> Watch {
        let vendor = Vendor {
            name: Arc::from("chat"),
            hosts: vec!["*.vendor-chat.com".parse().unwrap()],
            rules: Rules::default(),
        };
        Watch::new(&Rulebook { vendors: Vendors::new(vec![vendor]), ..Rulebook::default() })
    }

    #[test]
    fn a_host_is_told_of_once_a_day() {
        let (watch, host) = (watch(), "vend0r-chat.com".parse().unwrap());
        let at = |text: &str| text.parse().unwrap();
        assert!(watch.untold(&host, at("2026-11-23T00:00:00Z")).is_some());
        assert!(watch.untold(&host, at("2026-11-23T23:59:59Z")).is_none());
        assert!(watch.untold(&host, at("2026-11-24T00:00:00Z")).is_some());
        assert!(watch.untold(&"www.vendor-chat.com".parse().unwrap(), at("2026-11-24T00:00:00Z")).is_none());
    }

    #[test]
    fn a_flood_of_hosts_takes_bounded_memory() {
        let watch = watch();
        for at in 0..4 * TOLD {
            let host = format!("a{at}.vend0r-chat.com").parse().unwrap();
            assert!(watch.untold(&host, Timestamp::UNIX_EPOCH).is_some());
        }
        assert!(watch.told.len() <= TOLD);
    }
}
