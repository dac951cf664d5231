//! Refusing: the body and the row are on disk before the answer, and the vendor's rule may want something in its place.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::Either;
use http::StatusCode;
use pinfold_policy::digest::Digests;
use pinfold_policy::held::Held;
use pinfold_policy::kind::Kinds;
use pinfold_policy::policy::Expectation;
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::{Outcome, may_unregister};
use pinfold_store::entry::Exchange;
use pinfold_store::incident::Incident;
use pinfold_store::{Receipt, StoreError};

use crate::ask::Ask;
use crate::fetch::FetchError;
use crate::gateway::Shared;
use crate::policy_cell::Snapshot;
use crate::refusal::Refusal;
use crate::respond::Outbound;
use crate::row::{Measured, Seen, acts_as, row};
use crate::unregistering::Unregistering;

impl Shared {
    /// Refuses guarded content. The body, if it is kept, and the row are on disk before the answer.
    pub(super) async fn withhold(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        seen: &Seen<'_>,
        reason: Reason,
        measured: Option<Measured>,
        kept: Option<&Held>,
    ) -> Outbound {
        let expected = policy.expect(&ask.url);
        let outcome = if kept.is_some() { Outcome::Quarantined } else { Outcome::Blocked };
        let mut row = seen.row(ask, policy, outcome, Some(reason), measured);
        let mut refusal = refusal(ask, &expected, reason, outcome, seen.head.status);
        row.status = refusal.status().as_u16();
        if let Some(held) = kept {
            let kind = acts_as(&expected, seen.kinds);
            match self.store.quarantine(&row, expected.subject(), kind, held).await {
                Ok(incident) => refusal.incident = incident,
                Err(error) => return self.unrecorded(ask, policy, &error),
            }
        }
        self.give_refusal(ask, policy, refusal, row).await
    }

    /// Refuses a request that got no usable answer.
    pub(crate) async fn refuse(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        kinds: Kinds,
        cause: &FetchError,
    ) -> Outbound {
        let reason = cause.reason();
        tracing::debug!(url = ask.written(), %reason, %cause, "refused");
        let expected = policy.expect(&ask.url);
        let vendor_status = cause.vendor_status().unwrap_or(StatusCode::BAD_GATEWAY);
        let refusal = refusal(ask, &expected, reason, Outcome::Blocked, vendor_status);
        let mut row = row(ask, policy, Outcome::Blocked, Some(reason));
        row.kinds = kinds;
        row.status = refusal.status().as_u16();
        self.give_refusal(ask, policy, refusal, row).await
    }

    /// Records a refusal and gives it, or what the vendor's rule wants in its place.
    async fn give_refusal(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        refusal: Refusal,
        mut row: Exchange,
    ) -> Outbound {
        let (reason, incident) = (refusal.reason, refusal.incident);
        if let Some(substitute) = Box::pin(self.substitute(ask, policy, reason, incident)).await {
            return substitute;
        }
        let unregisters = self.unregisters(ask, policy, reason).await;
        row.incident = Some(incident);
        if unregisters {
            row.status = Unregistering::STATUS.as_u16();
        }
        match self.record(ask, row).await {
            Ok(_) if unregisters => Outbound::Unregistering(Unregistering::in_place_of(refusal)),
            Ok(_) => Outbound::Refusal(refusal),
            Err(error) => self.unrecorded(ask, policy, &error),
        }
    }

    /// Whether a browser is to lose the worker that it has. Which one that is nobody knows: one that ever went out at this URL,
    /// as far as that was written down, or that the lists name, counts whatever was served last, for that is for the vendor
    /// to decide.
    pub(super) async fn unregisters(&self, ask: &Ask, policy: &Snapshot, reason: Reason) -> bool {
        let expected = policy.expect(&ask.url);
        if !(ask.is_for_worker() && expected.rules().revoke_worker) {
            return false;
        }
        let given = self.store.workers_given(ask.url.key_without_query()).await;
        let newest = self.policy.newest();
        let revoked = newest.revocations();
        let is_of = |url: &str| newest.live.may_be(url, ask.url.key());
        let was_revoked = match given {
            Ok(given) => {
                given.iter().any(|one| revoked.include(&one.digests) && one.url.as_deref().is_none_or(is_of))
            }
            // It may be any.
            Err(_) => !revoked.is_empty(),
        };
        may_unregister(&expected, reason, || was_revoked || expected.names_one_of(revoked))
    }

    /// Records that content goes out, and before that, whatever the rule says now, that it does as a worker: what browsers have
    /// outlives pins, shelf, decisions and rules.
    pub(super) fn record_release(
        &self,
        ask: &Ask,
        row: Exchange,
        digests: &[Digests],
    ) -> impl Future<Output = Result<Receipt, StoreError>> {
        if !ask.is_for_worker() {
            return Either::Left(self.record(ask, row));
        }
        Either::Right(Box::pin(async move {
            let (path, url) = (ask.url.key_without_query(), ask.written());
            for digests in digests {
                self.store.worker_given(path, url, *digests, self.settings.clock.now()).await?;
            }
            self.record(ask, row).await
        }))
    }

    /// What cannot be recorded is not released.
    pub(super) fn unrecorded(&self, ask: &Ask, policy: &Snapshot, error: &StoreError) -> Outbound {
        self.counters.unrecorded();
        // The store says once that it cannot be written.
        tracing::debug!(%error, url = ask.written(), "cannot record an exchange: it is refused");
        let expected = policy.expect(&ask.url);
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Outbound::Refusal(refusal(ask, &expected, Reason::StoreUnavailable, Outcome::Blocked, status))
    }
}

fn refusal(
    ask: &Ask,
    expected: &Expectation<'_>,
    reason: Reason,
    outcome: Outcome,
    vendor_status: StatusCode,
) -> Refusal {
    Refusal {
        reason,
        outcome,
        incident: Incident(ask.id),
        vendor: expected.vendor().map(|vendor| Arc::clone(&vendor.name)),
        vendor_status: Some(vendor_status),
        reader: ask.reader.clone(),
    }
}
