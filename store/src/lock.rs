//! `pinfold.lock`: one gateway per data directory. The kernel frees it however the gateway ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::StoreError;

const NAME: &str = "pinfold.lock";
/// A command that looks whether a gateway runs holds the lock for an instant: that is no second gateway.
const ATTEMPTS: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(20);

/// Held as long as the gateway runs.
#[derive(Debug)]
pub(crate) struct GatewayLock {
    file: File,
}

impl GatewayLock {
    pub(crate) async fn take(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join(NAME);
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = open.map_err(StoreError::file("open", &path))?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => tokio::time::sleep(BETWEEN).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::InUse { path: data_dir.to_owned(), pid: pid_in(&mut file) });
                }
                Err(TryLockError::Error(cause)) => return Err(StoreError::file("lock", &path)(cause)),
            }
        }
        write_pid(&mut file).map_err(StoreError::file("write", &path))?;
        Ok(Self { file })
    }

    pub(crate) fn release(&self) {
        // Dropping the file would do the same; this only does it now.
        let _ = self.file.unlock();
    }
}

/// Whether a gateway runs on this directory.
pub(crate) fn is_held(data_dir: &Path) -> Result<bool, StoreError> {
    let path: PathBuf = data_dir.join(NAME);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(cause) => return Err(StoreError::file("open", &path)(cause)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(cause)) => Err(StoreError::file("lock", &path)(cause)),
    }
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}
