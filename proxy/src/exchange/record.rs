//! What is recorded of a guarded exchange is also what is counted of it.

use pinfold_store::entry::Exchange;
use pinfold_store::{Receipt, StoreError};

use crate::gateway::Shared;

impl Shared {
    /// Records a guarded exchange, and counts it.
    ///
    /// # Errors
    /// [`StoreError`] when it is not recorded: then nothing guarded may be released.
    pub(super) async fn record(&self, row: Exchange) -> Result<Receipt, StoreError> {
        let (outcome, reason, bytes) = (row.outcome, row.reason, row.body_len.unwrap_or_default());
        let recorded = self.store.record(row).await;
        if recorded.is_ok() {
            self.counters.judged(outcome, reason, bytes);
        }
        recorded
    }
}
