//! Reading the quarantine.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::decide::Ruling;
use crate::columns::Columns;
use crate::incident::Incident;
use crate::item::{AskedBy, Item, ItemState, LastDecision};

/// What was decided: a revocation of the digest anywhere, or else the last word on it at this subject.
const SELECT: &str = "
    SELECT item.*,
        EXISTS (SELECT 1 FROM body WHERE body.digest = item.digest AND kept) AS body_kept,
        d.what AS ruling, d.at AS ruled_at, d.who AS ruled_by, d.reason AS ruled_because
    FROM item LEFT JOIN decision d ON d.version = coalesce(
        (SELECT max(version) FROM decision r WHERE r.what = 'revoked' AND r.digest = item.digest),
        (SELECT max(version) FROM decision r WHERE r.subject = item.subject AND r.digest = item.digest))";

/// All items, the one asked for last first.
pub(crate) async fn items(connection: &mut SqliteConnection) -> Result<Vec<Item>, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(format!("{SELECT} ORDER BY item.last DESC, item.id DESC")))
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

/// One item, and who asked for it, the last first.
pub(crate) async fn item(
    connection: &mut SqliteConnection,
    incident: Incident,
) -> Result<Option<(Item, Vec<AskedBy>)>, sqlx::Error> {
    let Some(item) = find(connection, incident).await? else { return Ok(None) };
    let rows = sqlx::query(
        "SELECT * FROM asker WHERE item = (SELECT id FROM item WHERE incident = ?) ORDER BY last DESC, rowid DESC",
    )
    .bind(&item.incident.0.as_bytes()[..])
    .fetch_all(connection)
    .await?;
    let askers = rows.iter().map(read_asker).collect::<Result<_, _>>()?;
    Ok(Some((item, askers)))
}

pub(super) async fn find(
    connection: &mut SqliteConnection,
    incident: Incident,
) -> Result<Option<Item>, sqlx::Error> {
    let row = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE item.incident = ?")))
        .bind(&incident.0.as_bytes()[..])
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &SqliteRow) -> Result<Item, sqlx::Error> {
    let row = Columns(row);
    let state = match row.parsed_or_none("ruling")? {
        None => ItemState::Waiting,
        Some(Ruling::Approve) => ItemState::Approved,
        Some(Ruling::Reject) => ItemState::Rejected,
        Some(Ruling::Revoke) => ItemState::Revoked,
    };
    let decided = match state {
        ItemState::Waiting => None,
        ItemState::Approved | ItemState::Rejected | ItemState::Revoked => Some(LastDecision {
            at: row.time("ruled_at")?,
            who: row.text("ruled_by")?,
            reason: row.text("ruled_because")?,
        }),
    };
    Ok(Item {
        decided,
        incident: Incident(row.uuid("incident")?),
        subject: row.text("subject")?,
        url: row.text("url")?,
        vendor: row.text_or_none("vendor")?.map(Into::into),
        digest: row.body("digest")?,
        len: row.number("len")?,
        kind: row.parsed("kind")?,
        media_type: row.text_or_none("media_type")?,
        reason: row.parsed("reason")?,
        first: row.time("first")?,
        last: row.time("last")?,
        asked: row.number("asked")?,
        clients: row.number("clients")?,
        state,
        body_kept: row.number("body_kept")? != 0,
        path: row.path("path")?,
    })
}

fn read_asker(row: &SqliteRow) -> Result<AskedBy, sqlx::Error> {
    let row = Columns(row);
    Ok(AskedBy {
        address: row.parsed("address")?,
        user: row.text_or_none("user")?,
        page: row.text_or_none("page")?,
        user_agent: row.text_or_none("user_agent")?,
        first: row.time("first")?,
        last: row.time("last")?,
        count: row.number("count")?,
        path: row.path("path")?,
    })
}
