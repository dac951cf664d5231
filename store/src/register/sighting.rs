//! Sightings: what rechecks look at, and what they have seen there.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use pinfold_policy::cooldown::{Run, Watched};
use pinfold_policy::digest::BodyId;
use pinfold_policy::reason::Reason;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::{Change, Submission, in_turns};
use crate::columns::{Columns, hex, unreadable};
use crate::sighting::{
    Drift, IN_USE, InUse, MAX_ALL_VARIANTS, MAX_PARTY_VARIANTS, MAX_RUNS, MAX_VARIANTS, Sighted, Sighting,
    Standing, Untold, Variant, VariantId,
};
use crate::sqlite::{int, uint};

/// A client asked for a variant. Gives it unless there are too many.
pub(crate) struct Noted {
    pub(crate) variant: Variant,
    pub(crate) at: Timestamp,
}

impl Change for Noted {
    type Output = Option<InUse>;

    fn can_wait(&self) -> bool {
        true
    }

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<Option<InUse>, sqlx::Error> {
        let inserted = insert(&[self], BOUNDS, connection).await?;
        let row = match inserted.into_iter().next() {
            Some(row) => Some(row),
            // One for one, also where there are more than the bound: a vendor that took over another's has theirs too.
            None if self.make_room(connection).await? => {
                insert(&[self], UNBOUNDED, connection).await?.into_iter().next()
            }
            None => None,
        };
        Ok(row)
    }

    async fn apply_all(
        alike: Vec<Submission<'_, Self>>,
        connection: &mut SqliteConnection,
    ) -> Result<(), sqlx::Error> {
        for turn in in_turns(alike, |noted| noted.variant.subject.clone()) {
            note_all(turn, connection).await?;
        }
        Ok(())
    }
}

/// Notes variants that are each the only one of its subject among them.
async fn note_all(
    mut notes: Vec<Submission<'_, Noted>>,
    connection: &mut SqliteConnection,
) -> Result<(), sqlx::Error> {
    // All of them are held against what is there before the first: there must be a place for the last one then.
    let others = notes.len().saturating_sub(1) as u64;
    let [of_subject, of_party, of_all] = BOUNDS;
    let bounds = [of_subject, of_party.saturating_sub(others), of_all.saturating_sub(others)];
    let all: Vec<_> = notes.iter().map(|(noted, _)| &**noted).collect();
    let mut rows: HashMap<_, _> = insert(&all, bounds, connection)
        .await?
        .into_iter()
        .map(|in_use| ((in_use.variant.subject.clone(), in_use.variant.key), in_use))
        .collect();
    for (noted, output) in &mut notes {
        let Variant { subject, key, .. } = &noted.variant;
        **output = Some(match rows.remove(&(subject.clone(), *key)) {
            Some(in_use) => Some(in_use),
            None => noted.apply(connection).await?,
        });
    }
    Ok(())
}

/// Variants of a subject, of a party, and of all, below which there is a place for a new one.
type Bounds = [u64; 3];

const BOUNDS: Bounds = [MAX_VARIANTS, MAX_PARTY_VARIANTS, MAX_ALL_VARIANTS];
const UNBOUNDED: Bounds = [u64::MAX; 3];

/// Gives their rows, without those that are new and of which there are too many.
async fn insert(
    notes: &[&Noted],
    [of_subject, of_party, of_all]: Bounds,
    connection: &mut SqliteConnection,
) -> Result<Vec<InUse>, sqlx::Error> {
    let rows: Vec<_> = notes.iter().map(|noted| noted.row()).collect();
    let rows = sqlx::query(
        "WITH new AS MATERIALIZED (SELECT value->>0 AS subject, value->>1 AS party, value->>2 AS plain, unhex(value->>3) AS key,
             value->>4 AS url, value->>5 AS headers, value->>6 AS http_version, value->>7 AS asked FROM json_each(?1)),
         of_party AS MATERIALIZED (SELECT party, (SELECT count(*) FROM variant WHERE variant.party = new.party) AS variants
             FROM new GROUP BY party)
         INSERT INTO variant (subject, party, plain, key, url, headers, http_version, asked)
         SELECT new.* FROM new JOIN of_party USING (party)
         WHERE EXISTS (SELECT 1 FROM variant WHERE subject = new.subject AND key = new.key)
             OR ((SELECT count(*) FROM variant WHERE subject = new.subject) < ?2 AND of_party.variants < ?3
                 AND (SELECT count(*) FROM variant) < ?4)
         ON CONFLICT (subject, key) DO UPDATE SET asked = excluded.asked, party = excluded.party,
             plain = excluded.plain, url = excluded.url, headers = excluded.headers,
             http_version = excluded.http_version
         RETURNING *",
    )
    .bind(serde_json::Value::from(rows).to_string())
    .bind(int(of_subject))
    .bind(int(of_party))
    .bind(int(of_all))
    .fetch_all(connection)
    .await?;
    rows.iter().map(read_in_use).collect()
}

impl Noted {
    fn row(&self) -> serde_json::Value {
        let Variant { subject, party, plain, key, url, http_version, .. } = &self.variant;
        let headers = headers_text(&self.variant);
        serde_json::json!([
            subject,
            party,
            plain,
            hex(&key.0),
            url,
            headers,
            http_version,
            self.at.as_microsecond()
        ])
    }

    /// Whether something made room where there are too many: what nobody has asked for in a while does, and what a page can
    /// make up does for what is plain: in its subject, at its vendor, and everywhere.
    async fn make_room(&self, connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        let Variant { subject, party, plain, .. } = &self.variant;
        let (of_subject, of_party): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM variant WHERE subject = ?), (SELECT count(*) FROM variant WHERE party = ?)",
        )
        .bind(&**subject)
        .bind(&**party)
        .fetch_one(&mut *connection)
        .await?;
        let is_subject_full = uint(of_subject) >= MAX_VARIANTS;
        let is_party_full = uint(of_party) >= MAX_PARTY_VARIANTS;
        let oldest: Option<(i64, i64, String)> = sqlx::query_as(
            "SELECT id, asked, subject FROM variant WHERE (asked < ?1 OR (?2 AND NOT plain)) AND (?3 IS NULL OR subject = ?3)
                 AND (?4 IS NULL OR party = ?4) ORDER BY asked LIMIT 1",
        )
        .bind(in_use_since(self.at))
        .bind(*plain)
        .bind(is_subject_full.then_some(&**subject))
        .bind(is_party_full.then_some(&**party))
        .fetch_optional(&mut *connection)
        .await?;
        let Some((oldest, asked, of)) = oldest else {
            leave_out(connection, subject, self.at).await?;
            return Ok(false);
        };
        if asked >= in_use_since(self.at) {
            leave_out(connection, &of, self.at).await?;
        }
        sqlx::query("DELETE FROM run WHERE variant = ?").bind(oldest).execute(&mut *connection).await?;
        is_there(connection, VariantId(oldest)).await?;
        sqlx::query("DELETE FROM variant WHERE id = ?").bind(oldest).execute(connection).await?;
        Ok(true)
    }
}

/// Notes that rechecks do not look at all that is in use of the subject: nobody can say that it is the same everywhere.
async fn leave_out(
    connection: &mut SqliteConnection,
    subject: &str,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT OR REPLACE INTO crowded (subject, at) VALUES (?, ?)")
        .bind(subject)
        .bind(at.as_microsecond())
        .execute(connection)
        .await?;
    Ok(())
}

/// Something of a subject is in use that cannot be looked at.
pub(crate) struct LeftOut {
    pub(crate) subject: Box<str>,
    pub(crate) at: Timestamp,
}

impl Change for LeftOut {
    type Output = ();

    fn can_wait(&self) -> bool {
        true
    }

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        leave_out(connection, &self.subject, self.at).await
    }
}

/// A recheck found nothing.
pub(crate) struct NotSeen {
    pub(crate) id: VariantId,
    pub(crate) at: Timestamp,
    pub(crate) reason: Reason,
}

impl Change for NotSeen {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        self.count(connection).await?;
        is_there(connection, self.id).await
    }
}

impl NotSeen {
    /// Gives the subject, unless the variant has made room for another meanwhile.
    async fn count(&self, connection: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
        sqlx::query_scalar(
            "UPDATE variant SET checked = ?1, failing = coalesce(failing, ?1), failures = failures + 1, failure = ?2
             WHERE id = ?3 RETURNING subject",
        )
        .bind(self.at.as_microsecond())
        .bind(self.reason.code())
        .bind(self.id.0)
        .fetch_optional(connection)
        .await
    }
}

/// A recheck was told that it is gone. Gives whether all that is in use of the subject has been so for `patience`.
pub(crate) struct Gone {
    pub(crate) not_seen: NotSeen,
    pub(crate) patience: SignedDuration,
}

impl Change for Gone {
    type Output = bool;

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        let Self { not_seen, patience } = self;
        let Some(subject) = not_seen.count(connection).await? else { return Ok(false) };
        let now = not_seen.at.as_microsecond();
        // One in the future is of a clock that was set back.
        sqlx::query(
            "INSERT INTO gone (variant, since) VALUES (?, ?)
             ON CONFLICT (variant) DO UPDATE SET since = min(since, excluded.since)",
        )
        .bind(not_seen.id.0)
        .bind(now)
        .execute(&mut *connection)
        .await?;
        sqlx::query_scalar(
            "SELECT NOT EXISTS (SELECT 1 FROM variant v LEFT JOIN gone g ON g.variant = v.id
                     WHERE v.subject = ?1 AND v.asked >= ?2 AND (g.since IS NULL OR g.since > ?3))
                 AND NOT EXISTS (SELECT 1 FROM crowded WHERE subject = ?1 AND at >= ?2)",
        )
        .bind(subject)
        .bind(in_use_since(not_seen.at))
        .bind(now.saturating_sub(micros(*patience)))
        .fetch_one(connection)
        .await
    }
}

/// Nobody says any more that it is gone.
async fn is_there(connection: &mut SqliteConnection, id: VariantId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM gone WHERE variant = ?").bind(id.0).execute(connection).await?;
    Ok(())
}

/// A recheck found a body. Gives nothing where the variant has made room for another meanwhile.
pub(crate) struct Seen {
    pub(crate) sighting: Sighting,
    /// Drifts of one subject that have a record of their own.
    pub(crate) per_subject: u32,
}

impl Change for Seen {
    type Output = Option<Sighted>;

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<Option<Sighted>, sqlx::Error> {
        let Sighting { id, at, digest, is_drift, .. } = self.sighting;
        let subject: Option<String> = sqlx::query_scalar(
            "UPDATE variant SET checked = ?1, known = coalesce(known, ?1), failing = NULL, failures = 0, failure = NULL
             WHERE id = ?2 RETURNING subject",
        )
        .bind(at.as_microsecond())
        .bind(id.0)
        .fetch_optional(&mut *connection)
        .await?;
        let Some(subject) = subject else { return Ok(None) };
        is_there(connection, id).await?;
        self.continue_run(connection).await?;
        let drift = if is_drift {
            Some(self.drift(connection, &subject).await?)
        } else {
            settle(connection, &subject, digest).await?;
            None
        };
        Ok(Some(Sighted { variants: watched(connection, &subject, at).await?, drift }))
    }
}

impl Seen {
    async fn continue_run(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let Sighting { id, at, digest, is_drift, patience } = self.sighting;
        let row = sqlx::query("SELECT * FROM run WHERE variant = ? ORDER BY id DESC LIMIT 1")
            .bind(id.0)
            .fetch_optional(&mut *connection)
            .await?;
        let last = row.as_ref().map(|row| Ok::<_, sqlx::Error>((Columns(row).number("id")?, run(row, "")?)));
        let (replaced, run) = match last.transpose()? {
            Some((row, run)) if run.digest == digest => (Some(int(row)), run.again(at, patience)),
            Some(_) | None => (None, Run::begin(digest, at)),
        };
        sqlx::query(
            "INSERT OR REPLACE INTO run (id, variant, digest, is_drift, since, steady, last, sightings, longest_gap)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(replaced)
        .bind(id.0)
        .bind(&digest.0[..])
        .bind(is_drift)
        .bind(run.since.as_microsecond())
        .bind(run.steady.as_microsecond())
        .bind(run.last.as_microsecond())
        .bind(int(run.sightings))
        .bind(micros(run.longest_gap))
        .execute(&mut *connection)
        .await?;
        if replaced.is_none() {
            sqlx::query(
                "DELETE FROM run WHERE variant = ?1 AND id NOT IN
                     (SELECT id FROM run WHERE variant = ?1 ORDER BY id DESC LIMIT ?2)",
            )
            .bind(id.0)
            .bind(int(MAX_RUNS))
            .execute(connection)
            .await?;
        }
        Ok(())
    }

    /// Each body has one record, however often it comes and goes. What was decided or is expected by now leaves room for
    /// what comes next, as in the quarantine.
    async fn drift(&self, connection: &mut SqliteConnection, subject: &str) -> Result<Drift, sqlx::Error> {
        let Sighting { at, digest, .. } = self.sighting;
        let known: Option<(Vec<u8>, i64, bool)> = sqlx::query_as(
            "UPDATE drift SET last = max(last, ?1), sightings = sightings + 1, settled = 0
             WHERE subject = ?2 AND digest = ?3 RETURNING id, first, told",
        )
        .bind(at.as_microsecond())
        .bind(subject)
        .bind(&digest.0[..])
        .fetch_optional(&mut *connection)
        .await?;
        if let Some((id, first, told)) = known {
            return Ok(Drift::Recorded { untold: untold(&id, first, told)? });
        }
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM drift WHERE subject = ? AND NOT settled AND NOT EXISTS
                 (SELECT 1 FROM decision d WHERE d.digest = drift.digest
                  AND (d.subject = drift.subject OR d.what = 'revoked'))",
        )
        .bind(subject)
        .fetch_one(&mut *connection)
        .await?;
        if uint(open) >= u64::from(self.per_subject) {
            return self.count(connection, subject).await;
        }
        sqlx::query("DELETE FROM volatile WHERE subject = ?").bind(subject).execute(&mut *connection).await?;
        let id = Uuid::now_v7();
        sqlx::query(
            "INSERT INTO drift (id, subject, digest, first, last, sightings, settled, told)
             VALUES (?1, ?2, ?3, ?4, ?4, 1, 0, 0)",
        )
        .bind(&id.as_bytes()[..])
        .bind(subject)
        .bind(&digest.0[..])
        .bind(at.as_microsecond())
        .execute(connection)
        .await?;
        Ok(Drift::Recorded { untold: untold(id.as_bytes(), at.as_microsecond(), false)? })
    }

    async fn count(&self, connection: &mut SqliteConnection, subject: &str) -> Result<Drift, sqlx::Error> {
        let (id, since, told): (Vec<u8>, i64, bool) = sqlx::query_as(
            "INSERT INTO volatile (subject, id, since, sightings, told) VALUES (?, ?, ?, 1, 0)
             ON CONFLICT (subject) DO UPDATE SET sightings = sightings + 1 RETURNING id, since, told",
        )
        .bind(subject)
        .bind(&Uuid::now_v7().as_bytes()[..])
        .bind(self.sighting.at.as_microsecond())
        .fetch_one(connection)
        .await?;
        Ok(Drift::Counted { untold: untold(&id, since, told)? })
    }
}

fn untold(id: &[u8], at: i64, told: bool) -> Result<Option<Untold>, sqlx::Error> {
    let id = Uuid::from_slice(id).map_err(|_| unreadable("id", "not 16 bytes"))?;
    let at = Timestamp::from_microsecond(at).map_err(|_| unreadable("first", "time out of range"))?;
    Ok((!told).then_some(Untold { id, at }))
}

/// It is what is expected.
async fn settle(connection: &mut SqliteConnection, subject: &str, digest: BodyId) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE drift SET settled = 1 WHERE subject = ? AND digest = ?")
        .bind(subject)
        .bind(&digest.0[..])
        .execute(connection)
        .await?;
    Ok(())
}

/// The event of this name is on disk.
pub(crate) struct Told(pub(crate) Uuid);

impl Change for Told {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        for table in ["UPDATE drift SET told = 1 WHERE id = ?", "UPDATE volatile SET told = 1 WHERE id = ?"] {
            sqlx::query(table).bind(&self.0.as_bytes()[..]).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

/// All variants that a client asked for lately.
pub(crate) async fn in_use(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Vec<InUse>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM variant WHERE asked >= ? ORDER BY id")
        .bind(in_use_since(now))
        .fetch_all(connection)
        .await?;
    rows.iter().map(read_in_use).collect()
}

/// For each variant and body on the shelf, how the vendor served it there last, by variant.
pub(crate) async fn runs_of_shelved(
    connection: &mut SqliteConnection,
) -> Result<Vec<(Variant, Run)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT v.*, r.digest AS run_digest, r.since AS run_since, r.steady AS run_steady, r.last AS run_last,
             r.sightings AS run_sightings, r.longest_gap AS run_longest_gap
         FROM run r JOIN variant v ON v.id = r.variant
         WHERE r.digest IN (SELECT digest FROM shelf)
             AND r.id = (SELECT max(id) FROM run WHERE variant = r.variant AND digest = r.digest)
         ORDER BY v.id",
    )
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((read_in_use(row)?.variant, run(row, "run_")?))).collect()
}

/// All variants of a subject that are in use; one that nobody has seen for those that there was no place for.
async fn watched(
    connection: &mut SqliteConnection,
    subject: &str,
    now: Timestamp,
) -> Result<Vec<Watched>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT v.known, r.digest AS run_digest, r.since AS run_since, r.steady AS run_steady, r.last AS run_last,
             r.sightings AS run_sightings, r.longest_gap AS run_longest_gap
         FROM variant v LEFT JOIN run r ON r.id = (SELECT max(id) FROM run WHERE variant = v.id)
         WHERE v.subject = ? AND v.asked >= ?",
    )
    .bind(subject)
    .bind(in_use_since(now))
    .fetch_all(&mut *connection)
    .await?;
    let is_crowded: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM crowded WHERE subject = ? AND at >= ?)")
            .bind(subject)
            .bind(in_use_since(now))
            .fetch_one(connection)
            .await?;
    let unseen = is_crowded.then_some(Ok(Watched { known: None, run: None }));
    rows.iter()
        .map(|row| Ok(Watched { known: Columns(row).time_or_none("known")?, run: run_or_none(row)? }))
        .chain(unseen)
        .collect()
}

/// What vendors serve now, at one subject or at all of them.
pub(crate) async fn standing(
    connection: &mut SqliteConnection,
    subject: Option<&str>,
) -> Result<Vec<Standing>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT v.subject, v.url, v.asked, v.failing, v.failure, r.digest AS run_digest, r.since AS run_since,
             r.steady AS run_steady, r.last AS run_last, r.sightings AS run_sightings,
             r.longest_gap AS run_longest_gap, coalesce(r.is_drift, 0) AS is_drift, t.sightings AS volatile
         FROM variant v LEFT JOIN run r ON r.id = (SELECT max(id) FROM run WHERE variant = v.id)
             LEFT JOIN volatile t ON t.subject = v.subject
         WHERE ?1 IS NULL OR v.subject = ?1 ORDER BY v.subject, v.id",
    )
    .bind(subject)
    .fetch_all(connection)
    .await?;
    rows.iter().map(read_standing).collect()
}

fn read_standing(row: &SqliteRow) -> Result<Standing, sqlx::Error> {
    let columns = Columns(row);
    let failing = match columns.time_or_none("failing")? {
        Some(since) => Some((since, columns.parsed("failure")?)),
        None => None,
    };
    Ok(Standing {
        subject: columns.text("subject")?,
        url: columns.text("url")?,
        asked: columns.time("asked")?,
        run: run_or_none(row)?,
        is_drift: columns.number("is_drift")? != 0,
        failing,
        volatile: columns.number_or_none("volatile")?,
    })
}

fn read_in_use(row: &SqliteRow) -> Result<InUse, sqlx::Error> {
    let row = Columns(row);
    let headers = row.text("headers")?;
    Ok(InUse {
        id: VariantId(int(row.number("id")?)),
        variant: Variant {
            subject: row.text("subject")?,
            party: row.text("party")?,
            plain: row.number("plain")? != 0,
            key: row.body("key")?,
            url: row.text("url")?,
            headers: serde_json::from_str(&headers).map_err(|error| unreadable("headers", error))?,
            http_version: row.text("http_version")?,
        },
        asked: row.time("asked")?,
        checked: row.time_or_none("checked")?,
        failures: row.small("failures")?,
    })
}

fn run_or_none(row: &SqliteRow) -> Result<Option<Run>, sqlx::Error> {
    if Columns(row).body_or_none("run_digest")?.is_none() {
        return Ok(None);
    }
    run(row, "run_").map(Some)
}

fn run(row: &SqliteRow, prefix: &str) -> Result<Run, sqlx::Error> {
    let row = Columns(row);
    let column = |name: &str| format!("{prefix}{name}");
    Ok(Run {
        digest: row.body(&column("digest"))?,
        since: row.time(&column("since"))?,
        steady: row.time(&column("steady"))?,
        last: row.time(&column("last"))?,
        sightings: row.number(&column("sightings"))?,
        longest_gap: SignedDuration::from_micros(int(row.number(&column("longest_gap"))?)),
    })
}

fn headers_text(variant: &Variant) -> String {
    serde_json::json!(variant.headers).to_string()
}

fn in_use_since(now: Timestamp) -> i64 {
    now.as_microsecond().saturating_sub(micros(IN_USE))
}

fn micros(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
