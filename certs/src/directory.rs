//! The CA's directory: one process at a time makes things in it, and what it makes is whole or not there.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::CaError;
use crate::key::random;

/// Of private keys.
pub(crate) const PRIVATE: u32 = 0o600;
/// Of certificates.
pub(crate) const PUBLIC: u32 = 0o644;

const STAGED: &str = ".tmp-";

/// An existing directory, locked against other processes until dropped.
pub(crate) struct Directory {
    path: PathBuf,
    /// The lock is on the directory itself, so that no file is needed for it.
    _lock: File,
}

impl Directory {
    /// Opens `path`, making it and what is above it where missing, and waits for its lock.
    pub(crate) fn open(path: &Path) -> Result<Self, CaError> {
        make(path)?;
        let lock = File::open(path).map_err(CaError::io("open", path))?;
        let mode = lock.metadata().map_err(CaError::io("read", path))?.mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(CaError::LooseDirectory { path: path.into(), mode });
        }
        lock.lock().map_err(CaError::io("lock", path))?;
        let directory = Self { path: path.into(), _lock: lock };
        directory.sweep()?;
        Ok(directory)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes what a process that was killed while writing left behind. The lock says that it is dead.
    fn sweep(&self) -> Result<(), CaError> {
        for entry in fs::read_dir(&self.path).map_err(CaError::io("list", &self.path))? {
            let entry = entry.map_err(CaError::io("list", &self.path))?;
            if entry.file_name().to_string_lossy().contains(STAGED) {
                fs::remove_file(entry.path()).map_err(CaError::io("remove", entry.path()))?;
            }
        }
        Ok(())
    }
}

fn make(path: &Path) -> Result<(), CaError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(path) = path.ancestors().find(|above| above.exists()).filter(|above| !above.is_dir()) {
        return Err(CaError::NotADirectory { path: path.into() });
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(CaError::io("create the directory", path))?;
    sync(parent(path))
}

/// Writes a new file; an existing one stays, and is an error.
pub(crate) fn create(path: &Path, contents: &[u8], mode: u32) -> Result<(), CaError> {
    let staged = Staged::write(path, contents, mode)?;
    // A link, unlike a rename, never replaces.
    fs::hard_link(&staged.0, path).map_err(CaError::io("create", path))?;
    drop(staged);
    sync(parent(path))
}

/// Writes a file; a reader sees the old one or the new one, whole.
pub(crate) fn replace(path: &Path, contents: &[u8], mode: u32) -> Result<(), CaError> {
    let staged = Staged::write(path, contents, mode)?;
    rename(&staged.0, path)
}

/// Moves a file over another in the same directory, durably.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), CaError> {
    fs::rename(from, to).map_err(CaError::io("replace", to))?;
    sync(parent(to))
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), CaError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CaError::io("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A file on its way in, removed when it does not get there.
struct Staged(PathBuf);

impl Staged {
    fn write(path: &Path, contents: &[u8], mode: u32) -> Result<Self, CaError> {
        let mut name = OsString::from(path);
        name.push(format!("{STAGED}{:016x}", u64::from_ne_bytes(random()?)));
        let staged = PathBuf::from(name);
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&staged)
            .map_err(CaError::io("create", path))?;
        let staged = Self(staged);
        file.write_all(contents).and_then(|()| file.sync_all()).map_err(CaError::io("write", path))?;
        Ok(staged)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename there is nothing to remove, and nothing can be said about a failure here.
        let _ = fs::remove_file(&self.0);
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    }
}

fn sync(directory: &Path) -> Result<(), CaError> {
    File::open(directory).and_then(|handle| handle.sync_all()).map_err(CaError::io("sync", directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_never_replaces_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        create(&path, b"first", PRIVATE).unwrap();
        let error = create(&path, b"second", PRIVATE).unwrap_err();
        assert!(matches!(error, CaError::Io { action: "create", .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_process_left_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("root.key.tmp-00"), b"half").unwrap();
        drop(Directory::open(folder.path()).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
