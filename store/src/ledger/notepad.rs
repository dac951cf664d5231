//! A gap that is not in the ledger yet, kept over a restart.
//!
//! While a disk is full nothing new fits on it, but what has its place there can be written over: a small file, made
//! when the gateway starts and of the same length ever after, holds the count. On a file system that never writes in
//! place it may fail too; then a restart loses the count, and the log alone says that there was a gap.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;

use crate::entry::Gap;
use crate::error::StoreError;

/// More than any gap takes as text.
const LEN: usize = 512;

/// The file.
#[derive(Debug)]
pub(super) struct Notepad {
    path: PathBuf,
    file: File,
    noted: Option<Gap>,
}

impl Notepad {
    /// Opens the notepad in the ledger's directory, and takes its place on the disk.
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join("gap");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(StoreError::file("open", &path))?;
        let mut notepad = Self { noted: read(&file), path, file };
        let placed = notepad.write(notepad.noted).and_then(|()| notepad.file.sync_all());
        placed.map_err(StoreError::file("write", &notepad.path))?;
        Ok(notepad)
    }

    /// What stood on it.
    pub(super) fn noted(&self) -> Option<Gap> {
        self.noted
    }

    /// Notes the gap as it is now, or that there is none.
    pub(super) fn note(&mut self, gap: Option<Gap>) {
        if gap == self.noted {
            return;
        }
        if let Err(error) = self.write(gap) {
            tracing::debug!(%error, path = %self.path.display(), "cannot note a gap: a restart would lose it");
        }
    }

    /// Not synced: a restart of the program finds it, and a power cut is not what fills disks.
    fn write(&mut self, gap: Option<Gap>) -> io::Result<()> {
        let mut text = gap.map(text).unwrap_or_default().into_bytes();
        text.resize(LEN, b' ');
        self.file.write_all_at(&text, 0)?;
        self.noted = gap;
        Ok(())
    }
}

/// What stands on the notepad of a gateway that may be running.
pub(super) fn noted_in(dir: &Path) -> Option<Gap> {
    read(&File::open(dir.join("gap")).ok()?)
}

fn text(gap: Gap) -> String {
    let Gap { id, since, until, exchanges, tunnels } = gap;
    let (since, until) = (since.as_microsecond(), until.as_microsecond());
    serde_json::json!([id.to_string(), since, until, exchanges, tunnels]).to_string()
}

/// None of a new file, and of one that a power cut has torn.
fn read(file: &File) -> Option<Gap> {
    let mut text = vec![0; LEN];
    file.read_exact_at(&mut text, 0).ok()?;
    let (id, since, until, exchanges, tunnels): (String, i64, i64, u64, u64) =
        serde_json::from_slice(&text).ok()?;
    Some(Gap {
        id: Uuid::parse_str(&id).ok()?,
        since: Timestamp::from_microsecond(since).ok()?,
        until: Timestamp::from_microsecond(until).ok()?,
        exchanges,
        tunnels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_noted_in_a_file_that_never_grows() {
        let dir = tempfile::tempdir().unwrap();
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let gap = Gap { id: Uuid::now_v7(), since: at, until: at, exchanges: u64::MAX, tunnels: u64::MAX };
        let len = || dir.path().join("gap").metadata().unwrap().len();

        let mut notepad = Notepad::open(dir.path()).unwrap();
        assert_eq!((notepad.noted(), len()), (None, LEN as u64));
        notepad.note(Some(gap));
        let mut again = Notepad::open(dir.path()).unwrap();
        assert_eq!((again.noted(), len()), (Some(gap), LEN as u64));
        again.note(None);
        assert_eq!(Notepad::open(dir.path()).unwrap().noted(), None);

        std::fs::write(dir.path().join("gap"), "[\"torn").unwrap();
        assert_eq!(Notepad::open(dir.path()).unwrap().noted(), None);
    }
}
