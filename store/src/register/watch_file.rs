//! Seeing what others write: an approval on the command line takes effect in the running gateway.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pinfold_policy::decisions::{Amendment, Decisions};
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::{InForceNow, Register, SCHEMA, Waiting, load, publish, submit};
use crate::error::StoreError;
use crate::sqlite;

const EVERY: Duration = Duration::from_millis(100);

pub(super) struct Watcher {
    path: PathBuf,
    /// The connection, and what it said at the last look.
    seen: Option<(SqliteConnection, i64)>,
    to: watch::Sender<Arc<Decisions>>,
    changes: mpsc::Sender<Box<dyn Waiting>>,
    /// The version that the row of the gateway says.
    announced: u64,
    failing: bool,
}

impl Watcher {
    /// Follows the file of `register`, in which the row of the gateway says `announced`.
    pub(super) fn new(register: &Register, announced: u64) -> Self {
        Self {
            path: register.path.clone(),
            seen: None,
            to: register.decisions.clone(),
            changes: register.changes.clone(),
            announced,
            failing: false,
        }
    }

    pub(super) async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                _ = tick.tick() => {}
            }
            match self.look().await {
                Ok(()) => self.failing = false,
                Err(StoreError::Closed) => break,
                Err(error) => self.failed(&error),
            }
        }
        if let Some((connection, _)) = self.seen {
            // It has only read.
            let _ = connection.close().await;
        }
    }

    fn failed(&mut self, error: &StoreError) {
        self.seen = None;
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!("cannot see new decisions: {error}; hint: {}", error.hint());
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        let (mut connection, before) = match self.seen.take() {
            Some((connection, before)) => (connection, Some(before)),
            None => (sqlite::open(&self.path, &SCHEMA).await?, None),
        };
        let published = self.to.borrow().version();
        let look = look(&mut connection, before, published).await;
        let (now, newer) = look.map_err(StoreError::database(&self.path))?;
        self.seen = Some((connection, now));
        if let Some(amendment) = newer {
            publish(&self.to, amendment);
        }
        self.announce().await
    }

    async fn announce(&mut self) -> Result<(), StoreError> {
        let version = self.to.borrow().version();
        if version != self.announced {
            submit(&self.changes, InForceNow { version }).await?;
            self.announced = version;
        }
        Ok(())
    }
}

/// Reads only if another connection has written since `before`: <https://www.sqlite.org/pragma.html#pragma_data_version>.
async fn look(
    connection: &mut SqliteConnection,
    before: Option<i64>,
    published: u64,
) -> Result<(i64, Option<Amendment>), sqlx::Error> {
    let now: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut *connection).await?;
    if before == Some(now) {
        return Ok((now, None));
    }
    Ok((now, load::amendment(connection, published).await?))
}
