//! Old months of the ledger go: at the start, and once a day.

use jiff::SignedDuration;
use pinfold_proxy::Clock;
use pinfold_store::Store;
use tokio_util::sync::CancellationToken;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Drops what is older than `retention`, until it is told to stop. What cannot be dropped today is tried again tomorrow.
pub(crate) async fn run(
    store: Store,
    retention: SignedDuration,
    outputs: Vec<String>,
    clock: Clock,
    stop: CancellationToken,
) {
    loop {
        let now = clock.now();
        match store.drop_old(retention, &outputs, now).await {
            Ok(awaited) if awaited.is_empty() => {}
            Ok(awaited) => tracing::warn!(
                "the ledger of {} is older than ledger.retention, and kept until each [[siem]] output has its events",
                awaited.join(", ")
            ),
            Err(error) => {
                tracing::error!("cannot drop old months of the ledger: {error}; hint: {}", error.hint());
            }
        }
        let Ok(tomorrow) = now.checked_add(DAY) else { return };
        tokio::select! {
            () = clock.sleep_until(tomorrow) => {}
            () = stop.cancelled() => return,
        }
    }
}
