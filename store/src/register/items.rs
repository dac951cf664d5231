//! Reading the quarantine.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use pinfold_policy::decisions::Basis;
use pinfold_policy::digest::{BodyId, Digest, Digests};
use pinfold_policy::reason::Reason;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::standing::{self, Standing};
use super::{Change, history};
use crate::columns::Columns;
use crate::incident::Incident;
use crate::item::{AskedBy, Item, ItemState, LastDecision};
use crate::sqlite::int;

/// An item, and a revocation of its body in any notation, if there is one.
const SELECT: &str = "
    SELECT item.*,
        EXISTS (SELECT 1 FROM body WHERE body.digest = item.digest AND kept) AS body_kept,
        EXISTS (SELECT 1 FROM refused_mark WHERE refused_mark.incident = item.incident) AS path_waits,
        d.at AS revoked_at, d.who AS revoked_by, d.reason AS revoked_because
    FROM item LEFT JOIN alias ON alias.digest = item.digest LEFT JOIN decision d ON d.version =
        (SELECT max(version) FROM revocation r WHERE r.digest IN (item.digest, alias.sha384, alias.sha512))";

/// All items as they are at `now`, the one asked for last first.
pub(crate) async fn items(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Vec<Item>, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(format!("{SELECT} ORDER BY item.last DESC, item.id DESC")))
        .fetch_all(&mut *connection)
        .await?;
    let decided = sqlx::query(AssertSqlSafe(history::select("subject IS NOT NULL ORDER BY version")))
        .fetch_all(connection)
        .await?;
    let mut standing: HashMap<(Box<str>, Digest), Standing> = HashMap::new();
    for row in &decided {
        let (version, decision) = history::read(row)?;
        let Some(about) = &decision.about else { continue };
        standing.entry((about.subject.clone(), decision.digest)).or_default().add(version, decision);
    }
    let nothing = Standing::default();
    let read = |row: &SqliteRow| {
        let (subject, digest) = about(row)?;
        read(row, standing.get(&(subject, digest.into())).unwrap_or(&nothing), now)
    };
    rows.iter().map(read).collect()
}

/// One item, and who asked for it, the last first.
pub(crate) async fn item(
    connection: &mut SqliteConnection,
    incident: Incident,
    now: Timestamp,
) -> Result<Option<(Item, Vec<AskedBy>)>, sqlx::Error> {
    let Some(item) = find(connection, incident, now).await? else { return Ok(None) };
    let rows = sqlx::query(
        "SELECT * FROM asker WHERE item = (SELECT id FROM item WHERE incident = ?) ORDER BY last DESC, rowid DESC",
    )
    .bind(&item.incident.0.as_bytes()[..])
    .fetch_all(connection)
    .await?;
    let askers = rows.iter().map(read_asker).collect::<Result<_, _>>()?;
    Ok(Some((item, askers)))
}

pub(crate) async fn state_of(
    connection: &mut SqliteConnection,
    incident: Incident,
    now: Timestamp,
) -> Result<Option<ItemState>, sqlx::Error> {
    Ok(find(connection, incident, now).await?.map(|item| item.state))
}

pub(super) async fn find(
    connection: &mut SqliteConnection,
    incident: Incident,
    now: Timestamp,
) -> Result<Option<Item>, sqlx::Error> {
    let row = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE item.incident = ?")))
        .bind(&incident.0.as_bytes()[..])
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let (subject, digest) = about(&row)?;
    let standing = standing::of(connection, &subject, digest).await?;
    read(&row, &standing, now).map(Some)
}

/// The items of one subject, and those of some bodies, each once; of the subject first.
pub(crate) async fn items_of(
    connection: &mut SqliteConnection,
    subject: &str,
    bodies: &[BodyId],
    now: Timestamp,
) -> Result<Vec<Item>, sqlx::Error> {
    let order = "ORDER BY item.last DESC, item.id DESC";
    let mut rows = sqlx::query(AssertSqlSafe(format!("{SELECT} WHERE item.subject = ? {order}")))
        .bind(subject)
        .fetch_all(&mut *connection)
        .await?;
    for body in bodies {
        let of_body = format!("{SELECT} WHERE item.digest = ? AND item.subject <> ? {order}");
        let of_body = sqlx::query(AssertSqlSafe(of_body)).bind(&body.0[..]).bind(subject);
        rows.extend(of_body.fetch_all(&mut *connection).await?);
    }
    let (mut seen, mut items) = (HashSet::new(), Vec::new());
    for row in &rows {
        let (subject, digest) = about(row)?;
        if seen.insert((subject.clone(), digest)) {
            let standing = standing::of(connection, &subject, digest).await?;
            items.push(read(row, &standing, now)?);
        }
    }
    Ok(items)
}

/// The incidents of the items of one body.
pub(crate) async fn incidents_of(
    connection: &mut SqliteConnection,
    id: BodyId,
) -> Result<Vec<Incident>, sqlx::Error> {
    let rows = sqlx::query("SELECT incident FROM item WHERE digest = ?")
        .bind(&id.0[..])
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Columns(row).uuid("incident").map(Incident)).collect()
}

/// All digests of the body that has `digest` as one of them, where it is that of an item or on the shelf.
pub(crate) async fn digests_of(
    connection: &mut SqliteConnection,
    digest: &Digest,
) -> Result<Option<Digests>, sqlx::Error> {
    let known = "SELECT digest, sha384, sha512 FROM alias WHERE ?1 IN (digest, sha384, sha512)
         UNION SELECT digest, sha384, sha512 FROM shelf WHERE ?1 IN (digest, sha384, sha512) LIMIT 1";
    let row = sqlx::query(known).bind(digest.bytes()).fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(None) };
    let row = Columns(&row);
    let (sha384, sha512) = (row.digest("sha384")?, row.digest("sha512")?);
    let (Digest::Sha384(sha384), Digest::Sha512(sha512)) = (sha384, sha512) else { return Ok(None) };
    Ok(Some(Digests { sha256: row.body("digest")?, sha384, sha512 }))
}

/// Whether a body is kept for an item, or on the shelf.
pub(crate) async fn keeps(connection: &mut SqliteConnection, id: BodyId) -> Result<bool, sqlx::Error> {
    let kept = "SELECT EXISTS (SELECT 1 FROM shelf WHERE digest = ?1)
         OR EXISTS (SELECT 1 FROM body WHERE digest = ?1 AND kept)";
    sqlx::query_scalar(kept).bind(&id.0[..]).fetch_one(connection).await
}

/// The URLs at which a body is on the shelf.
pub(crate) async fn shelved_at(
    connection: &mut SqliteConnection,
    id: BodyId,
) -> Result<Vec<Box<str>>, sqlx::Error> {
    let urls: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT url FROM shelf WHERE digest = ? ORDER BY url")
            .bind(&id.0[..])
            .fetch_all(connection)
            .await?;
    Ok(urls.into_iter().map(Into::into).collect())
}

fn about(row: &SqliteRow) -> Result<(Box<str>, BodyId), sqlx::Error> {
    Ok((Columns(row).text("subject")?, Columns(row).body("digest")?))
}

fn read(row: &SqliteRow, standing: &Standing, now: Timestamp) -> Result<Item, sqlx::Error> {
    let row = Columns(row);
    let path_waits = row.number("path_waits")? != 0;
    let (state, decided) = match row.text_or_none("revoked_by")? {
        None => {
            let state = standing.state(now);
            // The body was approved; the way that it comes by was not.
            let is_waiting = path_waits && state == ItemState::Approved;
            (if is_waiting { ItemState::Waiting } else { state }, standing.last())
        }
        Some(who) => {
            let (at, reason) = (row.time("revoked_at")?, row.text("revoked_because")?);
            let revoked = LastDecision { at, who, reason, basis: Basis::Reviewed, expires: None };
            (ItemState::Revoked, Some(revoked))
        }
    };
    let agreement = standing.agreement(now).filter(|_| state != ItemState::Revoked);
    Ok(Item {
        decided,
        agreement,
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
        path_waits,
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

/// An item that the feed was not told of.
pub(crate) struct NewItem {
    pub(crate) id: u64,
    pub(crate) incident: Incident,
    pub(crate) subject: Box<str>,
    pub(crate) url: Box<str>,
    pub(crate) digest: BodyId,
    pub(crate) reason: Reason,
    pub(crate) first: Timestamp,
}

/// The first `limit` of them.
pub(crate) async fn untold_items(
    connection: &mut SqliteConnection,
    limit: u32,
) -> Result<Vec<NewItem>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM item WHERE id > (SELECT item FROM announced) ORDER BY id LIMIT ?")
        .bind(limit)
        .fetch_all(connection)
        .await?;
    let new = |row: &SqliteRow| {
        let row = Columns(row);
        Ok(NewItem {
            id: row.number("id")?,
            incident: Incident(row.uuid("incident")?),
            subject: row.text("subject")?,
            url: row.text("url")?,
            digest: row.body("digest")?,
            reason: row.parsed("reason")?,
            first: row.time("first")?,
        })
    };
    rows.iter().map(new).collect()
}

/// Every item up to this one was told.
pub(crate) struct ItemsTold(pub(crate) u64);

impl Change for ItemsTold {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE announced SET item = ?").bind(int(self.0)).execute(connection).await?;
        Ok(())
    }
}
