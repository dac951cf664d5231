//! Writing to the quarantine: an item and who asked for it, then, once its file is there, that its body is kept.

use jiff::Timestamp;
use pinfold_policy::digest::{BodyId, Digests};
use pinfold_policy::kind::Kind;
use pinfold_policy::path::Mark;
use pinfold_policy::reason::Reason;
use sqlx::SqliteConnection;

use super::{Change, Reader, mark};
use crate::columns::path_text;
use crate::entry::Exchange;
use crate::error::StoreError;
use crate::incident::Incident;
use crate::item::{MAX_CLIENTS, MAX_ROWS_PER_CLIENT};
use crate::sqlite::{int, uint};

/// What a quarantine may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Bytes on disk.
    pub(crate) bytes: u64,
    /// Bodies of one subject.
    pub(crate) per_subject: u32,
}

/// A body that is refused: someone asked for it, or a recheck saw it before anyone did.
pub(crate) struct Asked {
    pub(crate) incident: Incident,
    pub(crate) subject: Box<str>,
    pub(crate) digests: Digests,
    pub(crate) len: u64,
    pub(crate) url: Box<str>,
    pub(crate) vendor: Option<Box<str>>,
    pub(crate) kind: Kind,
    pub(crate) media_type: Option<Box<str>>,
    pub(crate) reason: Option<Reason>,
    pub(crate) at: Timestamp,
    pub(crate) address: String,
    pub(crate) user: Option<std::sync::Arc<str>>,
    pub(crate) page: Option<Box<str>>,
    pub(crate) user_agent: Option<Box<str>>,
    pub(crate) path: Option<String>,
    /// The host and the marks that it was refused for, if it was for its path.
    pub(crate) marks: Option<(Box<str>, Vec<Mark>)>,
    pub(crate) room: Room,
    pub(crate) by: By,
}

/// Who came upon a refused body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A client, who is counted.
    Client,
    /// The gateway itself, by a recheck.
    Recheck,
}

/// What follows for one who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quarantined {
    /// The incident of the first refusal.
    pub(crate) incident: Incident,
    /// The body is not on disk, and there is room for it: write it.
    pub(crate) body_wanted: bool,
}

impl Asked {
    pub(crate) fn new(
        refusal: &Exchange,
        subject: &str,
        kind: Kind,
        (digests, len): (&Digests, u64),
        room: Room,
    ) -> Self {
        Self {
            incident: Incident(refusal.id),
            subject: subject.into(),
            digests: *digests,
            len,
            url: refusal.url.as_ref().into(),
            vendor: refusal.vendor.as_deref().map(Into::into),
            kind,
            media_type: refusal.media_type.clone(),
            reason: refusal.reason,
            at: refusal.at,
            address: refusal.asker.address.ip().to_canonical().to_string(),
            user: refusal.asker.user.clone(),
            page: refusal.asker.page.as_deref().map(Into::into),
            user_agent: refusal.asker.user_agent.as_deref().map(Into::into),
            path: refusal.path.as_ref().map(path_text),
            marks: mark::marks_of(refusal).filter(|_| refusal.reason == Some(Reason::PathChanged)),
            room,
            by: By::Client,
        }
    }

    /// The same, seen by a recheck.
    pub(crate) fn by_recheck(self) -> Self {
        Self { by: By::Recheck, ..self }
    }

    async fn count_item(&self, connection: &mut SqliteConnection) -> Result<(i64, Incident), sqlx::Error> {
        let at = self.at.as_microsecond();
        let (id, incident): (i64, Vec<u8>) = sqlx::query_as(
            "INSERT INTO item (incident, subject, digest, url, vendor, len, kind, media_type, reason, first, last,
                 asked, clients, path) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)
             ON CONFLICT (subject, digest) DO UPDATE
                 SET asked = asked + excluded.asked, last = max(last, excluded.last), first = min(first, excluded.first),
                     reason = iif(?14, excluded.reason, reason), path = iif(?14, excluded.path, path)
             RETURNING id, incident",
        )
        .bind(&self.incident.0.as_bytes()[..])
        .bind(&*self.subject)
        .bind(&self.digests.sha256.0[..])
        .bind(&*self.url)
        .bind(self.vendor.as_deref())
        .bind(int(self.len))
        .bind(self.kind.as_str())
        .bind(self.media_type.as_deref())
        .bind(self.reason.unwrap_or(Reason::Unpinned).code())
        .bind(at)
        .bind(at)
        .bind(i64::from(self.by == By::Client))
        .bind(self.path.as_deref())
        // What was decided about the body before says nothing about its path: that is what there is to review now.
        .bind(self.marks.is_some())
        .fetch_one(connection)
        .await?;
        let incident =
            uuid::Uuid::from_slice(&incident).map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok((id, Incident(incident)))
    }

    async fn count_asker(&self, connection: &mut SqliteConnection, item: i64) -> Result<(), sqlx::Error> {
        let known = sqlx::query(
            "UPDATE asker SET count = count + 1, last = max(last, ?5)
             WHERE item = ?1 AND address = ?2 AND page IS ?3 AND user_agent IS ?4 AND user IS ?6",
        );
        if self.bind_asker(known, item).execute(&mut *connection).await?.rows_affected() > 0 {
            return Ok(());
        }
        let (rows, clients): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM asker WHERE asker.item = ?1 AND address = ?2), clients
             FROM item WHERE id = ?1",
        )
        .bind(item)
        .bind(&*self.address)
        .fetch_one(&mut *connection)
        .await?;
        let statement = match (uint(rows), uint(clients)) {
            (0, clients) if clients >= MAX_CLIENTS => return Ok(()),
            (rows, _) if rows >= MAX_ROWS_PER_CLIENT => LAST_ROW_OF_CLIENT,
            (0, _) => {
                let one_more = "UPDATE item SET clients = clients + 1 WHERE id = ?";
                sqlx::query(one_more).bind(item).execute(&mut *connection).await?;
                NEW_ROW
            }
            _ => NEW_ROW,
        };
        self.bind_asker(sqlx::query(statement), item).bind(self.path.as_deref()).execute(connection).await?;
        Ok(())
    }

    fn bind_asker<'q>(&'q self, query: Query<'q>, item: i64) -> Query<'q> {
        query
            .bind(item)
            .bind(&*self.address)
            .bind(self.page.as_deref())
            .bind(self.user_agent.as_deref())
            .bind(self.at.as_microsecond())
            .bind(self.user.as_deref())
    }

    /// So that a revocation in another notation is seen to be one of this item.
    async fn keep_alias(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT OR IGNORE INTO alias (digest, sha384, sha512) VALUES (?, ?, ?)")
            .bind(&self.digests.sha256.0[..])
            .bind(&self.digests.sha384[..])
            .bind(&self.digests.sha512[..])
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Reserves space for the body if it has none and there is some. What was decided does not count towards a URL's
    /// share: a script that changes every week must stay reviewable. Its decoded length is more than it will take.
    async fn reserve(&self, connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        let kept: Option<bool> = sqlx::query_scalar("SELECT kept FROM body WHERE digest = ?")
            .bind(&self.digests.sha256.0[..])
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(kept) = kept {
            // One that is being written may fail: whoever else has the bytes writes them too.
            return Ok(!kept);
        }
        let (bodies, bytes): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM item JOIN body USING (digest) WHERE subject = ? AND NOT EXISTS
                        (SELECT 1 FROM decision d WHERE d.digest = item.digest
                         AND (d.subject = item.subject OR d.what = 'revoked'))),
                    (SELECT coalesce(sum(size), 0) FROM body)",
        )
        .bind(&*self.subject)
        .fetch_one(&mut *connection)
        .await?;
        let full = uint(bodies) >= u64::from(self.room.per_subject)
            || uint(bytes).saturating_add(self.len) > self.room.bytes;
        if full {
            return Ok(false);
        }
        sqlx::query("INSERT INTO body (digest, len, size, kept) VALUES (?, ?, ?, 0)")
            .bind(&self.digests.sha256.0[..])
            .bind(int(self.len))
            .bind(int(self.len))
            .execute(connection)
            .await?;
        Ok(true)
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

const NEW_ROW: &str = "INSERT INTO asker (item, address, page, user_agent, first, last, count, user, path)
     VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1, ?6, ?7)";
const LAST_ROW_OF_CLIENT: &str = "UPDATE asker SET count = count + 1, last = max(last, ?5) WHERE rowid =
     (SELECT rowid FROM asker WHERE item = ?1 AND address = ?2 ORDER BY last DESC, rowid DESC LIMIT 1)";

impl Change for Asked {
    type Output = Quarantined;

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<Quarantined, sqlx::Error> {
        let (item, incident) = self.count_item(connection).await?;
        match self.by {
            By::Client => self.count_asker(connection, item).await?,
            By::Recheck => {}
        }
        if let Some(marks) = &self.marks {
            mark::refuse(connection, &incident.0.as_bytes()[..], marks).await?;
        }
        self.keep_alias(connection).await?;
        Ok(Quarantined { incident, body_wanted: self.reserve(connection).await? })
    }
}

/// The body is on disk, in this size.
pub(crate) struct Kept {
    pub(crate) digest: BodyId,
    pub(crate) len: u64,
    pub(crate) size: u64,
}

impl Change for Kept {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT OR REPLACE INTO body (digest, len, size, kept) VALUES (?, ?, ?, 1)")
            .bind(&self.digest.0[..])
            .bind(int(self.len))
            .bind(int(self.size))
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// The body could not be written: its space is free again, unless someone else has written it.
pub(crate) struct NotKept(pub(crate) BodyId);

impl Change for NotKept {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM body WHERE digest = ? AND NOT kept")
            .bind(&self.0.0[..])
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// After a crash nobody writes any of them any more.
pub(super) struct ForgetUnfinished;

impl Change for ForgetUnfinished {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM body WHERE NOT kept").execute(connection).await?;
        Ok(())
    }
}

/// The decoded length of a body that is kept.
pub(crate) async fn body_len(reader: &mut Reader, id: BodyId) -> Result<Option<u64>, StoreError> {
    let len: Result<Option<i64>, _> = sqlx::query_scalar("SELECT len FROM body WHERE digest = ? AND kept")
        .bind(&id.0[..])
        .fetch_optional(&mut reader.connection)
        .await;
    Ok(len.map_err(reader.failed())?.map(uint))
}
