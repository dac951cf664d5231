//! What is recorded of a guarded exchange is also what is counted of it.

use std::future::{Future, ready};

use futures_util::FutureExt as _;
use futures_util::future::Either;
use pinfold_policy::verdict::Outcome;
use pinfold_store::entry::{Exchange, Visit};
use pinfold_store::{Receipt, StoreError};

use crate::ask::Ask;
use crate::counters::Unjudged;
use crate::gateway::Shared;

impl Shared {
    /// Records a guarded exchange, and counts it. The canary's is neither. Not `async`: that would have room for the row twice.
    ///
    /// # Errors
    /// [`StoreError`] when it is not recorded: then nothing guarded may be released.
    pub(super) fn record(
        &self,
        ask: &Ask,
        row: Exchange,
    ) -> impl Future<Output = Result<Receipt, StoreError>> {
        if ask.is_canary {
            // Nobody received it, and nobody was refused.
            return Either::Left(ready(Ok(Receipt::of_canary())));
        }
        let (outcome, reason, took_us) = (row.outcome, row.reason, row.took_us);
        let bytes = row.body_len.unwrap_or_default();
        let is_pinned_unmeasured = outcome == Outcome::Observed && row.rule.is_some();
        Either::Right(self.store.record(row).map(move |recorded| {
            if recorded.is_ok() {
                if is_pinned_unmeasured {
                    self.counters.pinned_unmeasured();
                }
                self.counters.judged(outcome, reason, bytes, took_us);
            }
            recorded
        }))
    }

    /// Counts a request whose answer nobody looks at, where its host is no concern: the ledger then knows who talked to whom.
    /// What a judged host sends besides is told apart from scripts, and is no script to any client.
    pub(super) fn note_visit(&self, ask: &Ask, why: Unjudged) {
        match why {
            Unjudged::OtherHost => self.store.visited(Visit {
                at: ask.at,
                client: ask.asker.address.ip(),
                user: ask.asker.user.clone(),
                authority: ask.url.authority().clone(),
            }),
            Unjudged::Unguarded | Unjudged::Document | Unjudged::Tunnel | Unjudged::Websocket => {}
        }
    }
}
