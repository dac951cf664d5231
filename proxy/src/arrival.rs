//! By which paths pinned hosts answer: each answer is held against what is known of its host, by the store.
//!
//! Bytes that match are reviewed bytes whatever way they came. A way that was never seen before is told all the same: it is
//! what a hijacked name or a certificate of somebody else looks like while the bytes are still the old ones.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use pinfold_policy::path::{Arrival, Mark};
use pinfold_policy::policy::Expectation;
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::vendor::OnPathChange;
use pinfold_store::StoreError;
use pinfold_store::entry::{DeliveryPath, Notice, What};
use pinfold_store::path::{Arrived, MAX_MARKS, News};
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use crate::ask::Ask;
use crate::gateway::Shared;
use crate::policy_cell::Snapshot;

/// Marks of hosts that are known not to be new. Beyond them the store is asked.
const KNOWN: usize = 16_384;
/// The store is told that a mark is still in use once in this time.
const NOTE_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// Arrivals that the store is told of while their clients are answered. Beyond them clients wait for it.
const UNDER_WAY: usize = 1024;

/// What the store said before.
pub(crate) struct Arrivals {
    usual: Cache<Usual, Timestamp>,
    under_way: Arc<Semaphore>,
}

/// A mark that a host is known to have, under a rule that holds what is new or does not.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Usual {
    host: Box<str>,
    mark: Mark,
    holds: bool,
}

impl Usual {
    fn each(host: &str, marks: &[Mark], holds: bool) -> impl Iterator<Item = Self> {
        marks.iter().map(move |mark| Self { host: host.into(), mark: mark.clone(), holds })
    }
}

impl Arrivals {
    pub(crate) fn new() -> Self {
        Self { usual: Cache::new(KNOWN), under_way: Arc::new(Semaphore::new(UNDER_WAY)) }
    }

    fn has_seen_lately(&self, usual: &Usual, now: Timestamp) -> bool {
        self.usual.get(usual).is_some_and(|at| now.duration_since(at).abs() < NOTE_EVERY)
    }
}

/// An answer that came by a path of which something may be new.
struct Coming {
    url: ArtifactUrl,
    host: String,
    marks: Vec<Mark>,
    path: DeliveryPath,
    holds: bool,
    at: Timestamp,
    /// Who saw it, and where.
    seen: String,
    policy_version: u64,
}

impl Shared {
    /// How the path of an answer looks, and tells what is new of it. Where a change would not be held, nothing depends on
    /// whether it can be found out, and nobody waits for that.
    ///
    /// # Errors
    /// Where a change would be held and the store cannot say whether it is one.
    pub(crate) async fn arrive(
        self: &Arc<Self>,
        ask: &Ask,
        policy: &Snapshot,
        path: Option<&DeliveryPath>,
    ) -> Result<Arrival, StoreError> {
        let expected = policy.expect(&ask.url);
        // The canary's origin has no way that could change.
        let Some(path) = path.filter(|_| expected.is_pinned() && !ask.is_canary) else {
            return Ok(Arrival::AsKnown);
        };
        let (host, at) = (ask.url.host().to_string(), self.settings.clock.now());
        let holds = holds(&expected);
        let marks: Vec<Mark> = Mark::of(path.issuer.as_deref(), path.address.ip()).collect();
        if Usual::each(&host, &marks, holds).all(|usual| self.arrivals.has_seen_lately(&usual, at)) {
            return Ok(Arrival::AsKnown);
        }
        let (url, path, seen) = (ask.url.clone(), path.clone(), seen(ask));
        let coming = Coming { url, host, marks, path, holds, at, seen, policy_version: policy.version() };
        let noting = Arc::clone(self).note_arrival(coming);
        if holds {
            return noting.await;
        }
        let noting = async {
            if let Err(error) = noting.await {
                tracing::debug!(%error, "cannot find out whether a path is new");
            }
        };
        match Arc::clone(&self.arrivals.under_way).try_acquire_owned() {
            Ok(place) => {
                self.tasks.spawn(async move {
                    noting.await;
                    drop(place);
                });
            }
            Err(_) => noting.await,
        }
        Ok(Arrival::AsKnown)
    }

    async fn note_arrival(self: Arc<Self>, mut coming: Coming) -> Result<Arrival, StoreError> {
        // Telling must not make it known where a reload has just said otherwise.
        let newest = self.policy.newest();
        coming.holds |= holds(&newest.expect(&coming.url));
        let Coming { host, marks, holds, at, .. } = &coming;
        let Arrived { arrival, is_learning, news } =
            self.store.arrived(host, marks.clone(), *holds, *at).await?;
        // While the host is learned each arrival counts.
        if arrival == Arrival::AsKnown && !is_learning {
            Usual::each(host, marks, *holds).for_each(|usual| self.arrivals.usual.insert(usual, *at));
        }
        for news in &news {
            self.tell_of_path(coming.notice(news));
        }
        Ok(arrival)
    }

    /// Once, also over a crash: the event has the name of the record. Nobody waits for it.
    fn tell_of_path(&self, notice: Notice) {
        let store = self.store.clone();
        self.tasks.spawn(async move {
            let told = match store.notice(notice.clone()).await {
                Ok(()) => store.path_change_told(notice.id).await,
                Err(error) => Err(error),
            };
            if let Err(error) = told {
                tracing::error!(%error, "cannot record a notice: {}", notice.text);
            }
        });
    }
}

/// Whether what comes by a changed path is held, and not only told.
fn holds(expected: &Expectation<'_>) -> bool {
    match expected.rules().on_path_change {
        OnPathChange::Report => false,
        OnPathChange::Quarantine => true,
    }
}

fn seen(ask: &Ask) -> String {
    let url = ask.url.key_without_query();
    if ask.is_recheck() {
        return format!("a recheck at {url}");
    }
    format!("client {} at {url}", ask.asker.address.ip().to_canonical())
}

impl Coming {
    fn notice(&self, news: &News) -> Notice {
        Notice {
            id: news.untold.id,
            at: news.untold.at,
            what: What::PathChanged,
            who: None,
            subject: Some(self.host.as_str().into()),
            digest: None,
            incident: None,
            text: self.evidence(news).into(),
            policy_version: self.policy_version,
        }
    }

    fn evidence(&self, news: &News) -> String {
        let Self { path, seen, .. } = self;
        let (aspect, mark) = (news.mark.aspect(), &news.mark);
        let issuer = path.issuer.as_deref().unwrap_or("none: clear text");
        let fingerprint = path.fingerprint.as_deref().unwrap_or("none");
        let follows =
            if self.holds { "; what comes that way is held until somebody approves of it" } else { "" };
        let last = if news.is_last {
            format!("; it has {MAX_MARKS} by now, further ones are not told")
        } else {
            String::new()
        };
        format!(
            "{aspect} {mark} was never seen there before: address {}, issuer {issuer}, fingerprint {fingerprint}, \
             seen by {seen}{follows}{last}",
            path.address,
        )
    }
}
