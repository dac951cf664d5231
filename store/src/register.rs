//! `pinfold.db`: what people decided, what waits for them, and how far the outputs have come.
//!
//! One task writes. It takes all changes that wait, makes one transaction of them, and answers them when it is on
//! disk; the decisions that it changed are published before that. For what no client waits for it stays open a little,
//! and writes at once when something comes that a client waits for. The order is that in which they came; of what can wait, those
//! of one type go together.

mod approvals;
mod audit;
mod confirm;
mod decide;
mod feed_cursor;
mod history;
mod items;
mod learn;
mod load;
mod mark;
mod quarantine;
mod shelf;
mod sighting;
mod standing;
mod watch_file;
mod worker;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pinfold_policy::decisions::{Amendment, Decisions};
use pinfold_policy::verdict::Binding;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

pub(crate) use self::approvals::approvals;
pub(crate) use self::audit::audit;
pub(crate) use self::confirm::{Confirm, learned_pin};
pub(crate) use self::decide::{Decide, Refusal, Revoke};
pub(crate) use self::feed_cursor::{Advance, cursors};
pub(crate) use self::history::{Announced, Made, Ruling, made_after};
pub(crate) use self::items::{
    ItemsTold, NewItem, digests_of, incidents_of, item, items, items_of, keeps, shelved_at, state_of,
    untold_items,
};
pub(crate) use self::learn::{Learn, NOBODY};
pub(crate) use self::mark::{Arrive, MarkTold, refused_marks};
pub(crate) use self::quarantine::{Asked, By, Kept, NotKept, Room, body_len};
pub(crate) use self::shelf::{ForgetUnasked, Shelve, Unshelve, needed, shelved, shelved_of};
pub(crate) use self::sighting::{
    Gone, LeftOut, NotSeen, Noted, Seen, Told, in_use, runs_of_shelved, standing,
};
use self::watch_file::Watcher;
pub(crate) use self::worker::{WorkerGiven, workers_given};
use crate::error::StoreError;
use crate::sqlite::{self, Database, Schema, Upgrade, int};

pub(crate) static SCHEMA: Schema = Schema {
    version: 5,
    create: concat!(
        include_str!("register/schema.sql"),
        include_str!("register/sighting.sql"),
        include_str!("register/mark.sql"),
        include_str!("register/worker.sql"),
        include_str!("register/agreement.sql"),
        include_str!("register/gone.sql")
    ),
    upgrades: &[
        Upgrade::by(include_str!("register/upgrade-2.sql")),
        Upgrade {
            statements: concat!(
                include_str!("register/upgrade-3.sql"),
                include_str!("register/sighting.sql")
            ),
            then: Some(|connection| Box::pin(history::seal_all(connection))),
        },
        Upgrade::by(concat!(
            include_str!("register/upgrade-4.sql"),
            include_str!("register/mark.sql"),
            include_str!("register/agreement.sql")
        )),
        Upgrade::by(concat!(
            include_str!("register/worker.sql"),
            include_str!("register/gone.sql"),
            include_str!("register/upgrade-5.sql")
        )),
    ],
};

/// Changes that share a transaction, at most.
const GROUP: usize = 256;
/// Changes that wait, before those who bring more wait themselves.
const QUEUE: usize = 1024;
/// So long changes that can wait do, for others to share their transaction.
const SHARED_WITHIN: Duration = Duration::from_millis(100);

/// Something to write. It must not have written anything when it answers that it will not.
pub(crate) trait Change: Send + 'static {
    type Output: Send;

    /// Whether no client waits for it, and nothing depends on whether it comes before others that can wait, unless they are of its
    /// type. A transaction of its own would cost many times what it does itself.
    fn can_wait(&self) -> bool {
        false
    }

    fn apply(
        &mut self,
        connection: &mut SqliteConnection,
    ) -> impl Future<Output = Result<Self::Output, sqlx::Error>> + Send;

    /// Applies several that can wait, as if they came one after the other. Each command costs more than what it does: where many
    /// come, they can share it.
    fn apply_all(
        alike: Vec<Submission<'_, Self>>,
        connection: &mut SqliteConnection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send
    where
        Self: Sized,
    {
        async {
            for (change, output) in alike {
                *output = Some(change.apply(connection).await?);
            }
            Ok(())
        }
    }
}

/// A change, and the place of what it gives.
pub(crate) type Submission<'c, C> = (&'c mut C, &'c mut Option<<C as Change>::Output>);

/// The first of each key, then the second of each, and so on: what one gives may depend on those of its key before it.
fn in_turns<C: Change, K: Eq + Hash>(
    alike: Vec<Submission<'_, C>>,
    key: impl Fn(&C) -> K,
) -> Vec<Vec<Submission<'_, C>>> {
    let (mut turns, mut before) = (Vec::<Vec<_>>::new(), HashMap::<K, usize>::new());
    for submission in alike {
        let turn = before.entry(key(submission.0)).or_default();
        match turns.get_mut(*turn) {
            Some(same) => same.push(submission),
            None => turns.push(vec![submission]),
        }
        *turn += 1;
    }
    turns
}

#[derive(Debug)]
pub(crate) struct Register {
    path: PathBuf,
    changes: mpsc::Sender<Box<dyn Waiting>>,
    decisions: watch::Sender<Arc<Decisions>>,
    /// Why nothing is written.
    damage: Option<StoreError>,
    writer: Mutex<Option<Running>>,
    watcher: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    fn start<F: Future<Output = ()> + Send + 'static>(
        run: impl FnOnce(oneshot::Receiver<()>) -> F,
    ) -> Mutex<Option<Self>> {
        let (stop, stopped) = oneshot::channel();
        Mutex::new(Some(Self { stop, task: tokio::spawn(run(stopped)) }))
    }

    async fn stop(running: &Mutex<Option<Self>>) {
        let running = running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Self { stop, task }) = running {
            // A task that has failed has told those who waited for it.
            let _ = stop.send(());
            let _ = task.await;
        }
    }

    fn abort(running: &mut Mutex<Option<Self>>) {
        if let Some(running) = running.get_mut().unwrap_or_else(PoisonError::into_inner) {
            running.task.abort();
        }
    }
}

impl Register {
    pub(crate) fn path_in(data_dir: &Path) -> PathBuf {
        data_dir.join("pinfold.db")
    }

    /// Opens the file, creating it if need be, publishes its decisions and follows what others write to it.
    pub(crate) async fn open_gateway(path: PathBuf) -> Result<Self, StoreError> {
        let mut connection = sqlite::create(&path, &SCHEMA).await?;
        let decisions = inspect(&mut connection, &path).await?;
        let mut register = Self::start(connection, path, decisions, None).await?;
        register.change(quarantine::ForgetUnfinished).await?;
        let version = register.decisions.borrow().version();
        register.change(InForceNow { version }).await?;
        let watcher = Watcher::new(&register, version);
        register.watcher = Running::start(|stopped| watcher.run(stopped));
        Ok(register)
    }

    /// Opens the file of a gateway that may be running.
    /// Where it is damaged there are no decisions, and nothing can be written.
    pub(crate) async fn open_beside(path: PathBuf) -> Result<Self, StoreError> {
        let mut connection = sqlite::open(&path, &SCHEMA).await?;
        match inspect(&mut connection, &path).await {
            Ok(decisions) => Self::start(connection, path, decisions, None).await,
            Err(damage) => Self::start(connection, path, Decisions::default(), Some(damage)).await,
        }
    }

    async fn start(
        connection: SqliteConnection,
        path: PathBuf,
        decisions: Decisions,
        damage: Option<StoreError>,
    ) -> Result<Self, StoreError> {
        connection.close().await.map_err(StoreError::database(&path))?;
        let decisions = watch::Sender::new(Arc::new(decisions));
        let (changes, waiting) = mpsc::channel(QUEUE);
        let database = Database::new(path.clone(), &SCHEMA, true);
        let writer = Writer { database, waiting, publish: decisions.clone() };
        let writer = Running::start(|stopped| writer.run(stopped));
        Ok(Self { path, changes, decisions, damage, writer, watcher: Mutex::new(None) })
    }

    pub(crate) fn damage(&self) -> Option<&StoreError> {
        self.damage.as_ref()
    }

    pub(crate) fn decisions(&self) -> watch::Receiver<Arc<Decisions>> {
        self.decisions.subscribe()
    }

    /// Writes, and returns when it is on disk and in force.
    pub(crate) async fn change<C: Change>(&self, change: C) -> Result<C::Output, StoreError> {
        if let Some(damage) = &self.damage {
            return Err(damage.clone());
        }
        submit(&self.changes, change).await
    }

    /// A connection of one's own, for reading beside the writer.
    pub(crate) async fn reader(&self) -> Result<Reader, StoreError> {
        Ok(Reader { connection: sqlite::open(&self.path, &SCHEMA).await?, path: self.path.clone() })
    }

    /// Writes what waits, and closes the file.
    pub(crate) async fn close(&self) {
        Running::stop(&self.watcher).await;
        Running::stop(&self.writer).await;
    }
}

/// The decisions of a file in which nothing is other than pinfold made it.
async fn inspect(connection: &mut SqliteConnection, path: &Path) -> Result<Decisions, StoreError> {
    sqlite::check_views_and_triggers(connection, path, &SCHEMA).await?;
    let mut gathered = load::Gathered::default();
    let audit = audit::follow(connection, path, |row| gathered.add(row)).await?;
    if let Some(broken) = audit.broken {
        return Err(StoreError::damaged(path, broken.to_string()));
    }
    load::decisions(connection, gathered, audit.version).await.map_err(StoreError::database(path))
}

impl Drop for Register {
    fn drop(&mut self) {
        Running::abort(&mut self.watcher);
        Running::abort(&mut self.writer);
    }
}

/// For reading beside the writer.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) connection: SqliteConnection,
    path: PathBuf,
}

impl Reader {
    pub(crate) fn failed(&self) -> impl FnOnce(sqlx::Error) -> StoreError {
        StoreError::database(&self.path)
    }

    /// The version that the gateway judges by, as it says itself.
    pub(crate) async fn version_in_force(&mut self) -> Result<u64, StoreError> {
        let version: Option<i64> = sqlx::query_scalar("SELECT version FROM gateway")
            .fetch_optional(&mut self.connection)
            .await
            .map_err(StoreError::database(&self.path))?;
        Ok(version.map_or(0, sqlite::uint))
    }
}

async fn submit<C: Change>(
    changes: &mpsc::Sender<Box<dyn Waiting>>,
    change: C,
) -> Result<C::Output, StoreError> {
    let (reply, answer) = oneshot::channel();
    let waiting = Box::new(Submitted { change, output: None, reply });
    changes.send(waiting).await.map_err(|_| StoreError::Closed)?;
    answer.await.map_err(|_| StoreError::Closed)?
}

/// A change whatever its type, and who waits for it.
trait Waiting: Any + Send + std::fmt::Debug {
    fn can_wait(&self) -> bool;

    /// Of which type the change is.
    fn kind(&self) -> TypeId;

    /// Applies it, and those after it that are of its type.
    fn apply<'a>(
        &'a mut self,
        alike: &'a mut [Box<dyn Waiting>],
        connection: &'a mut SqliteConnection,
    ) -> Pin<Box<dyn Future<Output = Result<(), sqlx::Error>> + Send + 'a>>;

    fn answer(self: Box<Self>, written: Result<(), StoreError>);
}

struct Submitted<C: Change> {
    change: C,
    output: Option<C::Output>,
    reply: oneshot::Sender<Result<C::Output, StoreError>>,
}

impl<C: Change> std::fmt::Debug for Submitted<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::any::type_name::<C>())
    }
}

impl<C: Change> Waiting for Submitted<C> {
    fn can_wait(&self) -> bool {
        self.change.can_wait()
    }

    fn kind(&self) -> TypeId {
        TypeId::of::<C>()
    }

    fn apply<'a>(
        &'a mut self,
        alike: &'a mut [Box<dyn Waiting>],
        connection: &'a mut SqliteConnection,
    ) -> Pin<Box<dyn Future<Output = Result<(), sqlx::Error>> + Send + 'a>> {
        let others = alike.iter_mut().filter_map(|waiting| {
            let waiting: &mut dyn Any = &mut **waiting;
            waiting.downcast_mut::<Self>()
        });
        let all = std::iter::once(self).chain(others);
        let all = all.map(|submitted| (&mut submitted.change, &mut submitted.output)).collect();
        Box::pin(C::apply_all(all, connection))
    }

    fn answer(self: Box<Self>, written: Result<(), StoreError>) {
        let Self { output, reply, .. } = *self;
        // Whoever asked may be gone; it is written all the same.
        let _ = reply.send(written.and_then(|()| output.ok_or(StoreError::Closed)));
    }
}

struct Writer {
    database: Database,
    waiting: mpsc::Receiver<Box<dyn Waiting>>,
    publish: watch::Sender<Arc<Decisions>>,
}

impl Writer {
    async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut group = Vec::new();
        while self.gather(&mut group, &mut stop).await {
            let written = self.write(&mut group).await;
            for waiting in group.drain(..) {
                waiting.answer(written.clone());
            }
        }
        self.database.close().await;
    }

    /// Waits for what shares the next transaction. Gives `false` when there will be none.
    async fn gather(&mut self, group: &mut Vec<Box<dyn Waiting>>, stop: &mut oneshot::Receiver<()>) -> bool {
        let mut until = Instant::now();
        while group.len() < GROUP && group.iter().all(|change| change.can_wait()) {
            let (is_first, room) = (group.is_empty(), GROUP - group.len());
            tokio::select! {
                biased;
                taken = self.waiting.recv_many(group, room) => if taken == 0 { break },
                _ = &mut *stop, if !self.waiting.is_closed() => self.waiting.close(),
                () = sleep_until(until), if !is_first => break,
            }
            if is_first {
                until = Instant::now() + SHARED_WITHIN;
            }
        }
        !group.is_empty()
    }

    async fn write(&mut self, group: &mut [Box<dyn Waiting>]) -> Result<(), StoreError> {
        let published = self.publish.borrow().version();
        let transaction = self.database.begin().await?;
        let result = match transaction.begun().await {
            Ok(connection) => apply(connection, group, published).await,
            Err(error) => Err(error),
        };
        if let Some(amendment) = self.database.finish(result).await? {
            publish(&self.publish, amendment);
        }
        Ok(())
    }
}

async fn apply(
    connection: &mut SqliteConnection,
    group: &mut [Box<dyn Waiting>],
    published: u64,
) -> Result<Option<Amendment>, sqlx::Error> {
    load::version_since(connection, published).await?;
    for in_a_row in group.chunk_by_mut(|one, next| one.can_wait() && next.can_wait()) {
        in_a_row.sort_by_key(|waiting| waiting.kind());
        for alike in in_a_row.chunk_by_mut(|one, next| one.kind() == next.kind()) {
            if let Some((first, others)) = alike.split_first_mut() {
                first.apply(others, connection).await?;
            }
        }
    }
    load::amendment(connection, published).await
}

/// Two tasks publish, the writer and the watcher. What is amended says all that holds of what it names, so it may come
/// upon decisions that know some of it already.
fn publish(to: &watch::Sender<Arc<Decisions>>, amendment: Amendment) {
    to.send_if_modified(|current| {
        let newer = amendment.version > current.version();
        if newer {
            *current = Arc::new(current.amended(amendment));
        }
        newer
    });
}

/// Counts the version up, and returns the new one.
async fn next_version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("UPDATE state SET version = version + 1 RETURNING version").fetch_one(connection).await
}

/// The first URL of a pattern's digest. A later one changes nothing.
pub(crate) struct Bind(pub(crate) Binding);

impl Change for Bind {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let Binding { pattern, digest, key } = &self.0;
        let bound: Option<i64> = sqlx::query_scalar("SELECT 1 FROM binding WHERE pattern = ? AND digest = ?")
            .bind(&**pattern)
            .bind(&digest.0[..])
            .fetch_optional(&mut *connection)
            .await?;
        if bound.is_some() {
            return Ok(());
        }
        let version = next_version(connection).await?;
        sqlx::query("INSERT INTO binding (pattern, digest, url, version) VALUES (?, ?, ?, ?)")
            .bind(&**pattern)
            .bind(&digest.0[..])
            .bind(&**key)
            .bind(version)
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// Other files are in force. They share the numbers of decisions: one number is one policy, also after a restart.
pub(crate) struct OtherFiles {
    /// So many people must agree by them, whatever the files of those who decide say.
    pub(crate) approvers: u32,
}

impl Change for OtherFiles {
    type Output = u64;

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
        let version = next_version(connection).await?;
        sqlx::query("UPDATE agreement SET approvers = ?")
            .bind(i64::from(self.approvers))
            .execute(&mut *connection)
            .await?;
        sqlx::query("INSERT INTO files (version) VALUES (?)").bind(version).execute(connection).await?;
        Ok(sqlite::uint(version))
    }
}

/// The gateway says by which version it judges.
struct InForceNow {
    version: u64,
}

impl Change for InForceNow {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT OR REPLACE INTO gateway (one, pid, version) VALUES (1, ?, ?)")
            .bind(i64::from(std::process::id()))
            .bind(int(self.version))
            .execute(connection)
            .await?;
        Ok(())
    }
}
