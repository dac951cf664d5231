//! Opening SQLite files the one way that all of them are opened, and writing to them all or nothing.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::OpenOptions;
use std::future::Future;
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::time::{Instant, interval_at};

use crate::bodies::sync_dir;
use crate::error::StoreError;

/// Pages of a log that are moved into the file at the latest: what logs take of a small volume is not there for the row
/// of a refusal. A page has 4 KiB.
const LOG_PAGES: &str = "128";

/// Pages that a connection keeps, in KiB below zero: the inner ones of the indexes of millions of rows.
const CACHE: &str = "-8192";

/// Rows that are read ahead of whoever takes them: each time there is none, two threads wait for each other.
const ROWS_ON_THEIR_WAY: usize = 1024;

/// How often it is said that a file is still being brought up to date.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// How long a write waits for another process, such as a review command, to end its own.
const BUSY: Duration = Duration::from_secs(5);

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Schema {
    /// `PRAGMA user_version`; counts up with each change of format.
    pub(crate) version: i64,
    /// The statements that make an empty file one of this version.
    pub(crate) create: &'static str,
    /// What makes a file of version 1 one of version 2, and so on.
    pub(crate) upgrades: &'static [Upgrade],
}

/// What makes a file of one version one of the next.
#[derive(Debug)]
pub(crate) struct Upgrade {
    pub(crate) statements: &'static str,
    /// What follows, in the same transaction, where statements do not suffice.
    pub(crate) then: Option<Then>,
}

impl Upgrade {
    pub(crate) const fn by(statements: &'static str) -> Self {
        Self { statements, then: None }
    }
}

pub(crate) type Then = for<'c> fn(
    &'c mut SqliteConnection,
) -> Pin<Box<dyn Future<Output = Result<(), sqlx::Error>> + Send + 'c>>;

/// A database file that is written to by one task.
#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    schema: &'static Schema,
    /// It has been there: an empty one in its place would be a lie.
    must_exist: bool,
    open: Option<Open>,
}

/// A connection, and the file that it is to.
#[derive(Debug)]
struct Open {
    transaction: Transaction,
    file: Option<(u64, u64)>,
}

impl Database {
    /// The file is opened when it is first written to, and created then unless it must exist.
    pub(crate) fn new(path: PathBuf, schema: &'static Schema, must_exist: bool) -> Self {
        Self { path, schema, must_exist, open: None }
    }

    /// A transaction, after opening the file if need be. [`Database::finish`] ends it.
    pub(crate) async fn begin(&mut self) -> Result<&mut Transaction, StoreError> {
        let now = identity(&self.path);
        // SQLite goes on writing to a file that was removed or replaced, and nobody ever reads that.
        if self.open.as_ref().is_some_and(|open| open.file != now) || (self.must_exist && now.is_none()) {
            self.close().await;
            self.must_exist = true;
            return Err(StoreError::Gone { path: self.path.clone() });
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let connection = create(&self.path, self.schema).await?;
                let transaction = Transaction { connection, has_begun: false };
                Open { transaction, file: identity(&self.path) }
            }
        };
        Ok(&mut self.open.insert(open).transaction)
    }

    /// Commits if all went well. If anything went wrong nothing of the transaction stays, and the next one starts on
    /// a new connection: SQLite may or may not have rolled back by itself, and what it holds in memory is doubtful.
    pub(crate) async fn finish<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        let result = match (result, &mut self.open) {
            (Ok(value), Some(open)) => open.transaction.commit().await.map(|()| value),
            (Ok(_), None) => Err(sqlx::Error::WorkerCrashed),
            (Err(error), _) => Err(error),
        };
        if result.is_err() {
            self.close().await;
        }
        result.map_err(StoreError::database(&self.path))
    }

    /// Closes the connection, rolling back what is not committed. The last one to a file also checkpoints it.
    pub(crate) async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            // Nothing depends on how it closes: what was committed is in the file or in its log.
            let _ = open.transaction.connection.close().await;
        }
    }
}

// Immediate: a transaction that reads first and writes then could not be waited for.
const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";

/// A connection on which a transaction begins with its first command. Whoever gives a command and SQLite's thread wake each other,
/// which costs more than most commands do: what begins a transaction, and what commits it, can go along with others.
#[derive(Debug)]
pub(crate) struct Transaction {
    connection: SqliteConnection,
    has_begun: bool,
}

/// What comes after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Commit,
    GoOn,
}

impl Transaction {
    /// The connection, once the transaction has begun.
    pub(crate) async fn begun(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        if !self.has_begun {
            sqlx::query(BEGIN).execute(&mut self.connection).await?;
            self.has_begun = true;
        }
        Ok(&mut self.connection)
    }

    /// The connection, and one command for it: these statements, what begins the transaction before them if nothing has, and what
    /// commits it behind them where they are the last.
    pub(crate) fn command(
        &mut self,
        statements: &'static str,
        after: After,
    ) -> (&mut SqliteConnection, AssertSqlSafe<String>) {
        let begin = if self.has_begun { "" } else { BEGIN };
        let commit = match after {
            After::Commit => COMMIT,
            After::GoOn => "",
        };
        self.has_begun = after == After::GoOn;
        (&mut self.connection, AssertSqlSafe(format!("{begin};{statements};{commit}")))
    }

    async fn commit(&mut self) -> Result<(), sqlx::Error> {
        if std::mem::take(&mut self.has_begun) {
            sqlx::query(COMMIT).execute(&mut self.connection).await?;
        }
        Ok(())
    }
}

/// Which file is at `path`, if one is.
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = path.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Opens a file, and makes it one of `schema` if it is absent, empty, or of an older version.
pub(crate) async fn create(path: &Path, schema: &Schema) -> Result<SqliteConnection, StoreError> {
    // A link that leads nowhere is there: it leads to a volume that is not, and an empty file in its place would be a lie.
    if let Err(cause) = path.symlink_metadata()
        && cause.kind() == io::ErrorKind::NotFound
    {
        make(path, schema).await?;
    }
    let mut connection = connect(path).await?;
    match version(&mut connection, path).await? {
        found if found >= schema.version => {}
        0 => bring_to(&mut connection, schema).await.map_err(StoreError::database(path))?,
        found => upgrade(&mut connection, path, schema, found).await?,
    }
    check(connection, path, schema).await
}

/// Makes a file under another name, and gives it its own with its tables in it: whoever looks for it finds all of it or none.
/// Only the gateway that holds the directory does.
async fn make(path: &Path, schema: &Schema) -> Result<(), StoreError> {
    let [new, log, index, journal] = [".new", ".new-wal", ".new-shm", ".new-journal"].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    });
    for left in [&log, &index, &journal, &new] {
        match std::fs::remove_file(left) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::file("remove", left)(cause));
            }
            Ok(()) | Err(_) => {}
        }
    }
    // SQLite gives its log and its index the mode of the file, but makes the file itself readable for all.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new);
    drop(file.map_err(StoreError::file("create", path))?);
    let mut connection = connect(&new).await?;
    bring_to(&mut connection, schema).await.map_err(StoreError::database(path))?;
    let moved = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await;
    moved.map_err(StoreError::database(path))?;
    connection.close().await.map_err(StoreError::database(path))?;
    // What is still in the log would stay behind under the other name.
    if log.metadata().is_ok_and(|log| log.len() > 0) {
        return Err(StoreError::file("create", path)(io::ErrorKind::ResourceBusy.into()));
    }
    std::fs::rename(&new, path).map_err(StoreError::file("create", path))?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Opens a file that exists. One of an older version stays what it is: the gateway of that version may be running on it.
pub(crate) async fn open(path: &Path, schema: &Schema) -> Result<SqliteConnection, StoreError> {
    let connection = connect(path).await?;
    check(connection, path, schema).await
}

async fn connect(path: &Path) -> Result<SqliteConnection, StoreError> {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", LOG_PAGES)
        .pragma("cache_size", CACHE)
        .row_buffer_size(ROWS_ON_THEIR_WAY)
        .busy_timeout(BUSY)
        .disable_statement_logging()
        .connect()
        .await
        .map_err(StoreError::database(path))
}

async fn check(
    mut connection: SqliteConnection,
    path: &Path,
    schema: &Schema,
) -> Result<SqliteConnection, StoreError> {
    match version(&mut connection, path).await? {
        found if found > schema.version => {
            Err(StoreError::TooNew { path: path.to_owned(), found, known: schema.version })
        }
        0 => Err(StoreError::damaged(path, "it holds no tables of pinfold")),
        found if found < schema.version => {
            Err(StoreError::TooOld { path: path.to_owned(), found, known: schema.version })
        }
        _ => Ok(connection),
    }
}

/// That the views and triggers of a file are those of its schema, and no others: a view says what holds, and a trigger
/// changes what is written before anybody sees it.
pub(crate) async fn check_views_and_triggers(
    connection: &mut SqliteConnection,
    path: &Path,
    schema: &Schema,
) -> Result<(), StoreError> {
    let mut expected = SqliteConnectOptions::new()
        .in_memory(true)
        .disable_statement_logging()
        .connect()
        .await
        .map_err(StoreError::database(path))?;
    sqlx::raw_sql(schema.create).execute(&mut expected).await.map_err(StoreError::database(path))?;
    let expected = views_and_triggers(&mut expected).await.map_err(StoreError::database(path))?;
    let found = views_and_triggers(connection).await.map_err(StoreError::database(path))?;
    let differing = found.iter().chain(&expected).find(|(name, text)| {
        found.get(*name).is_none_or(|found| found != *text)
            || expected.get(*name).is_none_or(|expected| expected != *text)
    });
    match differing {
        None => Ok(()),
        Some((name, _)) => Err(StoreError::damaged(path, format!("{name} is not as pinfold made it"))),
    }
}

/// That the indexes of a table hold its rows, and the rows what the table permits: an index may be made by one rule and
/// be said to be made by another, and who looks a row up by it does not find what the table has.
pub(crate) async fn check_indexes(
    connection: &mut SqliteConnection,
    path: &Path,
    table: &'static str,
) -> Result<(), StoreError> {
    let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("PRAGMA integrity_check({table})")))
        .fetch_all(connection)
        .await
        .map_err(StoreError::database(path))?;
    match found.iter().find(|found| *found != "ok") {
        None => Ok(()),
        Some(found) => Err(StoreError::damaged(path, format!("the table '{table}': {found}"))),
    }
}

/// By type and name, the statement that made it, without its line breaks.
async fn views_and_triggers(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT type, name, sql FROM sqlite_schema WHERE type IN ('view', 'trigger')")
            .fetch_all(connection)
            .await?;
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(rows.into_iter().map(|(kind, name, text)| (format!("the {kind} '{name}'"), words(text))).collect())
}

async fn version(connection: &mut SqliteConnection, path: &Path) -> Result<i64, StoreError> {
    sqlx::query_scalar("PRAGMA user_version").fetch_one(connection).await.map_err(StoreError::database(path))
}

/// Brings a file up to date and says so meanwhile: a month of millions of rows takes minutes. Whoever ends it in the middle,
/// by dropping this or by a crash, has lost the work on this file and on no other: it begins anew at the next start.
async fn upgrade(
    connection: &mut SqliteConnection,
    path: &Path,
    schema: &Schema,
    found: i64,
) -> Result<(), StoreError> {
    let (file, version, began) = (path.display(), schema.version, Instant::now());
    tracing::info!("{file}: {} MiB to bring from format {found} to {version}", mebibytes(path));
    let upgraded = tokio::select! {
        upgraded = bring_to(connection, schema) => upgraded,
        never = say_how_far_it_is(path, began) => match never {},
    };
    upgraded.map_err(StoreError::database(path))?;
    tracing::info!("{file}: brought to format {version} in {} s", began.elapsed().as_secs());
    Ok(())
}

async fn say_how_far_it_is(path: &Path, began: Instant) -> Infallible {
    let mut saying = interval_at(began + SAY_EVERY, SAY_EVERY);
    loop {
        let seconds = saying.tick().await.duration_since(began).as_secs();
        let (file, log) = (path.display(), mebibytes(&log_of(path)));
        tracing::info!("{file}: still being brought up to date, for {seconds} s; {log} MiB are written");
    }
}

/// The log of a database, in which a change is until it is moved into the file.
fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

fn mebibytes(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len() >> 20)
}

/// All of it or nothing: after a crash in the middle the file is what it was.
async fn bring_to(connection: &mut SqliteConnection, schema: &Schema) -> Result<(), sqlx::Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    // Another process may have been faster.
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    if version == 0 {
        sqlx::raw_sql(schema.create).execute(&mut *connection).await?;
    } else {
        let done = usize::try_from(version - 1).unwrap_or(usize::MAX);
        for upgrade in schema.upgrades.iter().skip(done) {
            sqlx::raw_sql(upgrade.statements).execute(&mut *connection).await?;
            if let Some(then) = upgrade.then {
                then(connection).await?;
            }
        }
    }
    sqlx::query("COMMIT").execute(connection).await?;
    Ok(())
}

/// Numbers in SQLite are signed. What does not fit is not a number that anything here counts up to.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The other way round.
pub(crate) fn uint(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
