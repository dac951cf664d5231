//! Which months are older than what is kept: whole files go, and no row of one that stays.

use std::path::Path;

use jiff::Timestamp;

use super::{SCHEMA, dir_in, file_of, files};
use crate::error::StoreError;
use crate::month::Month;
use crate::sqlite;

/// What goes with a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Rows of exchanges.
    pub(crate) exchanges: i64,
    /// Rows of tunnels.
    pub(crate) tunnels: i64,
    /// Something in it has not ended, and will be written yet.
    pub(crate) is_open: bool,
}

/// The months whose last moment is before `oldest`, but never the one of `now`.
pub(crate) fn ended_before(
    data_dir: &Path,
    oldest: Timestamp,
    now: Timestamp,
) -> Result<Vec<Month>, StoreError> {
    let is_over =
        |month: &Month| *month < Month::of(now) && month.next().start().is_some_and(|next| next <= oldest);
    Ok(files(&dir_in(data_dir))?.into_keys().filter(is_over).collect())
}

pub(crate) async fn contents(data_dir: &Path, month: Month) -> Result<Contents, StoreError> {
    let path = file_of(&dir_in(data_dir), month);
    let mut connection = sqlite::open(&path, &SCHEMA).await?;
    let counts: Result<(i64, i64, bool), _> = sqlx::query_as(
        "SELECT (SELECT count(*) FROM exchange WHERE shares IS NULL), (SELECT count(*) FROM tunnel),
            EXISTS (SELECT 1 FROM tunnel WHERE open) OR EXISTS (SELECT 1 FROM exchange WHERE open)",
    )
    .fetch_one(&mut connection)
    .await;
    let (exchanges, tunnels, is_open) = counts.map_err(StoreError::database(&path))?;
    Ok(Contents { exchanges, tunnels, is_open })
}
