//! Room on the volume of the data directory. Its last tenth is for decisions and the ledger: a vendor that serves
//! enough refused bytes must not be able to keep anyone from recording and deciding.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long one look at the volume holds. What is granted meanwhile is taken off it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is said that there is no room.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// The volume that the data directory is on.
#[derive(Debug)]
pub(crate) struct Volume {
    dir: PathBuf,
    looked: Mutex<Looked>,
}

#[derive(Debug, Default)]
struct Looked {
    at: Option<Instant>,
    /// Bytes that bodies may take.
    room: u64,
    /// When it was last said that there is none: a vendor must not write the log by sending bodies that just do not fit.
    said: Option<Instant>,
}

impl Volume {
    pub(crate) fn of(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), looked: Mutex::default() }
    }

    /// Whether a body of `bytes` may be written, and if so that it will be.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.at.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            // A volume that cannot be asked is one to be careful with.
            looked.room = look(&self.dir).unwrap_or(0);
            looked.at = Some(Instant::now());
        }
        if let Some(left) = looked.room.checked_sub(bytes) {
            looked.room = left;
            return true;
        }
        if looked.said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            looked.said = Some(Instant::now());
            tracing::warn!(
                dir = %self.dir.display(),
                "bodies are not kept: the last tenth of the volume is for decisions and the ledger"
            );
        }
        false
    }
}

/// What is free beyond the last tenth, in bytes. The whole is what is used and what is available, as in df(1): blocks
/// that the file system keeps from us are neither.
fn look(dir: &Path) -> rustix::io::Result<u64> {
    let volume = rustix::fs::statvfs(dir)?;
    let used = volume.f_blocks.saturating_sub(volume.f_bfree);
    let whole = used.saturating_add(volume.f_bavail);
    Ok(volume.f_bavail.saturating_sub(whole.div_ceil(10)).saturating_mul(volume.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_granted_between_two_looks_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let volume = Volume::of(dir.path());
        assert!(volume.has_room(0));
        let room = volume.looked.lock().unwrap().room;
        *volume.looked.lock().unwrap() =
            Looked { at: Some(Instant::now()), room: room.min(1000), said: None };
        assert!(volume.has_room(600));
        assert!(!volume.has_room(600));
        assert!(volume.has_room(400));
    }

    #[test]
    fn a_volume_that_cannot_be_asked_has_no_room() {
        assert!(!Volume::of(Path::new("/nowhere/at/all")).has_room(1));
    }
}
