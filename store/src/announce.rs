//! Telling of decisions and of new items of the quarantine in the feed: each once, whoever made it, and also those made
//! while no gateway ran.
//!
//! A command has no ledger. The gateway sees its decision, writes a notice of it, and then how far it has come. A crash
//! between the two repeats the notice under the same id, which the ledger takes once. An item is told of before what is
//! decided of it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use pinfold_policy::decisions::{Basis, Decisions};
use pinfold_policy::digest::{BodyId, Digest};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::Inner;
use crate::entry::{Notice, What};
use crate::error::StoreError;
use crate::register::{Announced, ItemsTold, Made, NewItem, Ruling, made_after, untold_items};

/// How long until it is tried again, when it could not be written.
const AGAIN: Duration = Duration::from_secs(1);

/// Decisions that are read at one time.
const PAGE: u32 = 256;

/// Tells of both until the store is closed. `items` wakes it.
pub(crate) async fn run(
    store: Weak<Inner>,
    mut decisions: watch::Receiver<Arc<Decisions>>,
    items: Arc<Notify>,
) {
    // What was learned is not told, and need not be passed over again.
    let mut passed = 0;
    let mut failing = false;
    loop {
        let newest = decisions.borrow_and_update().version();
        let Some(inner) = store.upgrade() else { return };
        match announce(&inner, passed, newest).await {
            Ok(()) => (passed, failing) = (newest, false),
            Err(StoreError::Closed) => return,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!("cannot tell of decisions: {error}; hint: {}", error.hint());
                }
            }
        }
        drop(inner);
        tokio::select! {
            changed = decisions.changed() => if changed.is_err() { return },
            () = items.notified() => {}
            () = tokio::time::sleep(AGAIN), if failing => {}
        }
    }
}

/// Tells of every item, and of every decision up to `newest`, that was not told before, but for those up to `passed`.
async fn announce(store: &Inner, passed: u64, newest: u64) -> Result<(), StoreError> {
    announce_items(store, newest).await?;
    if newest == passed {
        return Ok(());
    }
    loop {
        let mut reader = store.register.reader().await?;
        let made =
            made_after(&mut reader.connection, (passed, newest), PAGE).await.map_err(reader.failed())?;
        let Some(last) = made.last().map(|made| made.version) else { return Ok(()) };
        for made in made {
            store.ledger()?.notice(notice(made)).await?;
        }
        store.register.change(Announced(last)).await?;
    }
}

async fn announce_items(store: &Inner, policy_version: u64) -> Result<(), StoreError> {
    loop {
        let mut reader = store.register.reader().await?;
        let new = untold_items(&mut reader.connection, PAGE).await.map_err(reader.failed())?;
        let Some(last) = new.last().map(|item| item.id) else { return Ok(()) };
        for item in new {
            store.ledger()?.notice(item_notice(item, policy_version)).await?;
        }
        store.register.change(ItemsTold(last)).await?;
    }
}

fn item_notice(item: NewItem, policy_version: u64) -> Notice {
    let text = format!("{} at {}", item.reason.code().replace('-', " "), item.url);
    Notice {
        // The incident is the exchange's own id, and an event has one of its own.
        id: event_id(item.first, BodyId::of(&[item.incident.0.as_bytes().to_vec().into()]).0),
        at: item.first,
        what: What::Quarantined,
        who: None,
        subject: Some(item.subject),
        digest: Some(item.digest),
        incident: Some(item.incident),
        text: text.into(),
        policy_version,
    }
}

/// The same each time.
fn event_id(at: Timestamp, hash: [u8; 32]) -> Uuid {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or_default();
    let [.., a, b, c, d, e, f, g, h, i, j] = hash;
    uuid::Builder::from_unix_timestamp_millis(millis, &[a, b, c, d, e, f, g, h, i, j]).into_uuid()
}

fn notice(made: Made) -> Notice {
    let Made { version, decision, hash, is_enough } = made;
    let id = event_id(decision.at, hash.0);
    let (digest, text) = match decision.digest {
        Digest::Sha256(bytes) => (Some(BodyId(bytes)), decision.reason),
        // The ledger has a place for a body's identity only.
        other @ (Digest::Sha384(_) | Digest::Sha512(_)) => {
            (None, format!("{other}: {}", decision.reason).into())
        }
    };
    let about = decision.about;
    Notice {
        id,
        at: decision.at,
        what: what(decision.ruling, is_enough),
        who: match decision.basis {
            Basis::Reviewed => Some(decision.who.into()),
            Basis::Cooldown | Basis::Learned => None,
        },
        incident: about.as_ref().and_then(|about| about.incident),
        subject: about.map(|about| about.subject),
        digest,
        text,
        policy_version: version,
    }
}

fn what(ruling: Ruling, is_enough: bool) -> What {
    match ruling {
        Ruling::Approve if is_enough => What::Approved,
        Ruling::Approve => What::ApprovalPending,
        Ruling::Reject => What::Rejected,
        Ruling::Revoke => What::Revoked,
        Ruling::Reinstate => What::Reinstated,
    }
}
