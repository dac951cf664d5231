//! The store seen from outside: what it has written, what waits in it, and whether it can be written.

use sqlx::SqliteConnection;

use crate::Store;
use crate::error::StoreError;
use crate::item::ItemState;
use crate::register::{Change, cursors};

/// What a gateway's ledger has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Exchanges, tunnels and notices that are on disk, each repeat counted.
    pub recorded: u64,
    /// Exchanges and tunnels that could not be recorded. A gap says so, as soon as it can be written.
    pub missed: u64,
}

impl Store {
    /// What the ledger has done.
    ///
    /// # Errors
    /// [`StoreError::NotTheGateway`] beside one: only the gateway records.
    pub fn numbers(&self) -> Result<Numbers, StoreError> {
        Ok(self.inner.ledger()?.numbers())
    }

    /// Items of the quarantine that nobody has decided.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn undecided(&self) -> Result<u64, StoreError> {
        let items = self.quarantined().await?;
        let waits = |state| match state {
            ItemState::Waiting => true,
            ItemState::Approved | ItemState::Rejected | ItemState::Revoked => false,
        };
        Ok(items.iter().filter(|item| waits(item.state)).fold(0, |count, _| count + 1))
    }

    /// Rows of the feed that an output, by its name, has not acknowledged. Some of them may be for other outputs.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn backlog(&self, output: &str) -> Result<u64, StoreError> {
        let tips = self.inner.ledger()?.tips().borrow().clone();
        let acknowledged = cursors(&mut self.inner.register.reader().await?, output).await?.own;
        let behind = tips
            .seqs
            .iter()
            .map(|(month, tip)| acknowledged.get(month).copied().unwrap_or_default().rows_to(*tip));
        Ok(behind.map(|rows| u64::try_from(rows).unwrap_or(0)).sum())
    }

    /// Whether what must be on disk before an answer gets there: writes to the decisions' file without changing them, and
    /// asks how the ledger's last write went.
    ///
    /// # Errors
    /// [`StoreError`], saying what is wrong.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        self.inner.register.change(Touch).await?;
        self.inner.ledger()?.is_writable()
    }
}

/// Writes what is there already.
struct Touch;

impl Change for Touch {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE state SET version = version").execute(connection).await?;
        Ok(())
    }
}
