//! Replacing a file in one step.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// The file that is meant: where a symbolic link leads, so that the link stays one.
pub(super) fn target(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Ok(target) => Ok(target),
        // A link to nothing: made here, the file would replace the link.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => Ok(path.to_owned()),
        Err(error) => Err(error),
    }
}

fn directory(target: &Path) -> &Path {
    match target.parent() {
        None => Path::new("."),
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    }
}

/// Held while a file in the directory is edited, so that of two edits at one time none is lost. The file itself
/// could not be locked: it is another one after the rename.
pub(super) fn lock_directory(target: &Path) -> io::Result<File> {
    let directory = File::open(directory(target))?;
    match directory.lock() {
        // Some network file systems have no locks: there the last edit wins.
        Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error),
        Ok(()) | Err(_) => Ok(directory),
    }
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Whoever could before; everybody, if it is new.
    Shared,
    /// Its owner alone, whatever was before.
    Private,
}

/// After a crash there is the old file or the new one, whole.
pub(super) fn replace(target: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let existing = match fs::metadata(target) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let directory = directory(target);
    let new = fs::Permissions::from_mode(match access {
        Access::Shared => 0o644,
        Access::Private => 0o600,
    });
    let mut file = tempfile::Builder::new().prefix(".pinfold.").permissions(new).tempfile_in(directory)?;
    file.write_all(bytes)?;
    if let Some(existing) = existing {
        // Run by root for someone, the file stays theirs. Nobody else may give files away, nor needs to.
        let _not_permitted = fchown(file.as_file(), Some(existing.uid()), Some(existing.gid()));
        match access {
            Access::Shared => file.as_file().set_permissions(existing.permissions())?,
            Access::Private => {}
        }
    }
    file.as_file().sync_all()?;
    file.persist(target)?;
    File::open(directory)?.sync_all()
}
