//! How far each output has come.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::{Change, Reader};
use crate::columns::Columns;
use crate::error::StoreError;
use crate::month::Month;
use crate::place::Place;

/// Where outputs stand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// This output's place in each month, if it has been there before.
    pub(crate) own: BTreeMap<Month, Place>,
    /// Whether any output has a place.
    pub(crate) any: bool,
}

pub(crate) async fn cursors(reader: &mut Reader, output: &str) -> Result<Standing, StoreError> {
    read(&mut reader.connection, output).await.map_err(reader.failed())
}

async fn read(connection: &mut SqliteConnection, output: &str) -> Result<Standing, sqlx::Error> {
    let any: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM cursor LIMIT 1").fetch_optional(&mut *connection).await?;
    let rows = sqlx::query("SELECT month, seq, event FROM cursor WHERE output = ?")
        .bind(output)
        .fetch_all(connection)
        .await?;
    let place = |row| -> Result<_, sqlx::Error> {
        let row: Columns<'_> = Columns(row);
        let place = Place { seq: sqlx::Row::try_get(row.0, "seq")?, event: row.uuid_or_none("event")? };
        Ok((row.parsed("month")?, place))
    };
    Ok(Standing { own: rows.iter().map(place).collect::<Result<_, _>>()?, any: any.is_some() })
}

/// An output has delivered up to here.
pub(crate) struct Advance {
    pub(crate) output: Box<str>,
    pub(crate) to: Vec<(Month, Place)>,
}

impl Change for Advance {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        for (month, place) in &self.to {
            sqlx::query("INSERT OR REPLACE INTO cursor (output, month, seq, event) VALUES (?, ?, ?, ?)")
                .bind(&*self.output)
                .bind(month.to_string())
                .bind(place.seq)
                .bind(place.event.as_ref().map(|event| &event.as_bytes()[..]))
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}
