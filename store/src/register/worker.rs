//! Service workers that went out.

use jiff::Timestamp;
use pinfold_policy::digest::{BodyId, Digests};
use sqlx::SqliteConnection;

use super::{Change, Reader};
use crate::columns::unreadable;
use crate::error::StoreError;

/// One is about to go out.
pub(crate) struct WorkerGiven {
    pub(crate) url: Box<str>,
    pub(crate) digests: Digests,
    pub(crate) at: Timestamp,
}

impl Change for WorkerGiven {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT OR IGNORE INTO worker (url, digest, sha384, sha512, first) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(&*self.url)
        .bind(&self.digests.sha256.0[..])
        .bind(&self.digests.sha384[..])
        .bind(&self.digests.sha512[..])
        .bind(self.at.as_microsecond())
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// All that went out at a URL.
pub(crate) async fn workers_given(reader: &mut Reader, url: &str) -> Result<Vec<Digests>, StoreError> {
    read(&mut reader.connection, url).await.map_err(reader.failed())
}

async fn read(connection: &mut SqliteConnection, url: &str) -> Result<Vec<Digests>, sqlx::Error> {
    let rows: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> =
        sqlx::query_as("SELECT digest, sha384, sha512 FROM worker WHERE url = ?")
            .bind(url)
            .fetch_all(connection)
            .await?;
    let digests = |(sha256, sha384, sha512): (Vec<u8>, Vec<u8>, Vec<u8>)| {
        Ok(Digests {
            sha256: BodyId(of_length("digest", sha256)?),
            sha384: of_length("sha384", sha384)?,
            sha512: of_length("sha512", sha512)?,
        })
    };
    rows.into_iter().map(digests).collect()
}

fn of_length<const N: usize>(column: &str, bytes: Vec<u8>) -> Result<[u8; N], sqlx::Error> {
    bytes.try_into().map_err(|_| unreadable(column, "not as long as a digest"))
}
