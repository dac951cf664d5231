//! What can go wrong with what is on disk, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pinfold_policy::digest::BodyId;
use thiserror::Error;

use crate::incident::Incident;
use crate::item::ItemState;

/// Something could not be read from or written to the data directory. Cheap to clone: one failed transaction answers
/// everyone who was in it.
#[derive(Clone, Debug, Error)]
pub enum StoreError {
    /// The operating system refused a file or directory.
    #[error("cannot {doing} {}: {cause}", path.display())]
    File {
        /// What was tried: `create`, `read`, …
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        cause: Arc<io::Error>,
    },
    /// SQLite refused.
    #[error("{}: {}", path.display(), said(cause))]
    Database {
        /// The database file.
        path: PathBuf,
        /// What it said.
        cause: Arc<sqlx::Error>,
    },
    /// A file holds something that this program never wrote.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        what: Box<str>,
    },
    /// A database of a newer version of the program.
    #[error("{} has format {found}, and this version of pinfold knows formats up to {known}", path.display())]
    TooNew {
        /// The database file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// A database was there when the gateway started, and is not any more, or another file is in its place.
    #[error("{} was removed or replaced while the gateway ran", path.display())]
    Gone {
        /// The database file.
        path: PathBuf,
    },
    /// A database of an older version of the program, which only a gateway brings up to date.
    #[error("{} has format {found}, and this version of pinfold works with format {known}", path.display())]
    TooOld {
        /// The database file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The one that is known.
        known: i64,
    },
    /// Another gateway runs on this directory.
    #[error("{} is in use by another gateway{}", path.display(), with_pid(*pid))]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// The other's process.
        pid: Option<u32>,
    },
    /// There is no store there yet.
    #[error("no pinfold.db in {}", path.display())]
    Absent {
        /// The data directory.
        path: PathBuf,
    },
    /// There is a ledger, and what people decided is not beside it.
    #[error("no pinfold.db in {}, and there is a ledger", path.display())]
    DecisionsGone {
        /// The data directory.
        path: PathBuf,
    },
    /// Only the gateway records and feeds.
    #[error("this handle was opened beside the gateway, and only the gateway records")]
    NotTheGateway,
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// What to do about it, in one line.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::File { cause, .. } => match cause.kind() {
                io::ErrorKind::PermissionDenied => "run as the user who owns the data directory",
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FREE_SPACE,
                io::ErrorKind::ReadOnlyFilesystem => "mount the volume of the data directory writable",
                _ => "check 'data_dir' in pinfold.toml and the volume that it is on",
            },
            Self::Database { cause, .. } => match primary_code(cause) {
                Some(SQLITE_FULL) => FREE_SPACE,
                Some(SQLITE_READONLY | SQLITE_PERM | SQLITE_CANTOPEN) => {
                    "run as the user who owns the data directory, on a volume that is mounted writable"
                }
                Some(SQLITE_BUSY | SQLITE_LOCKED) => {
                    "another program holds the database: end it and try again"
                }
                Some(SQLITE_CORRUPT | SQLITE_NOTADB) => RESTORE,
                // Also for want of space, where SQLite cannot tell.
                Some(SQLITE_IOERR) => {
                    "check the volume of the data directory: it has no space left, or it fails"
                }
                None if matches!(**cause, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => {
                    RESTORE
                }
                _ => "check the volume of the data directory",
            },
            Self::Damaged { .. } => RESTORE,
            Self::TooNew { .. } => "run the newer version of pinfold that wrote it",
            Self::Gone { .. } => {
                "put the file back where it was, or restore it from a backup and start the gateway again"
            }
            Self::TooOld { .. } => {
                "start the gateway of this version, 'pinfold run': it brings its files up to date"
            }
            Self::InUse { .. } => "stop the other gateway, or give this one its own 'data_dir'",
            Self::Absent { .. } => "start the gateway with 'pinfold run', or name its file with --config",
            Self::DecisionsGone { .. } => {
                "put pinfold.db back from a backup: without it the ledger is not read, and a gateway that starts knows no \
                 decision"
            }
            Self::NotTheGateway => "run this in the gateway",
            Self::Closed => "start the gateway again",
        }
    }

    pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::File { doing, path: path.to_owned(), cause: Arc::new(cause) }
    }

    pub(crate) fn database(path: &Path) -> impl FnOnce(sqlx::Error) -> Self {
        move |cause| Self::Database { path: path.to_owned(), cause: Arc::new(cause) }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<Box<str>>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }
}

const FREE_SPACE: &str = "free space on the volume of the data directory; what was acknowledged is not lost";
const RESTORE: &str = "stop pinfold, move the file away with its -wal and -shm, and restore it from a backup";

// https://www.sqlite.org/rescode.html#primary_result_code_list
const SQLITE_PERM: u32 = 3;
const SQLITE_BUSY: u32 = 5;
const SQLITE_LOCKED: u32 = 6;
const SQLITE_READONLY: u32 = 8;
const SQLITE_IOERR: u32 = 10;
const SQLITE_CORRUPT: u32 = 11;
const SQLITE_FULL: u32 = 13;
const SQLITE_CANTOPEN: u32 = 14;
const SQLITE_NOTADB: u32 = 26;

fn primary_code(cause: &sqlx::Error) -> Option<u32> {
    // sqlx gives the extended code, whose low byte is the primary one.
    let extended: u32 = cause.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

fn said(cause: &sqlx::Error) -> String {
    match cause.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => cause.to_string(),
    }
}

fn with_pid(pid: Option<u32>) -> String {
    pid.map(|pid| format!(", pid {pid}")).unwrap_or_default()
}

/// Why an item could not be decided.
#[derive(Clone, Debug, Error)]
pub enum DecideError {
    /// There is no such item in quarantine.
    #[error("no item {0} in quarantine")]
    Unknown(Incident),
    /// Nothing was learned by this record.
    #[error("nothing was learned by record {0}")]
    NotLearned(u64),
    /// The digest is revoked, and a revocation beats every approval.
    #[error("{digest} is revoked, and a revoked digest is never released again")]
    Revoked {
        /// The digest of the item.
        digest: BodyId,
    },
    /// A rule decides only what nobody has decided.
    #[error("it is {0} already, and a rule changes no decision")]
    Decided(ItemState),
    /// A rule approves nothing that nobody can look at.
    #[error("its bytes were not kept, and a rule approves nothing that nobody can look at")]
    NotKept,
    /// Approving it would admit other paths than whoever decides was shown.
    #[error("it came another way meanwhile: look at how it came, and decide again")]
    OtherPaths,
    /// The decision could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
