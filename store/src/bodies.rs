//! Bodies on disk, by digest: compressed, so that what lies there does not run, and stored once.
//!
//! A file is written beside its place, synced, and renamed into it, so that a name always stands for a whole body.
//! What is read is measured again: a file that has changed is never given to anyone.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, IntoInnerError, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pinfold_body::{Coding, Codings, DecodeLimits, Decoder};
use pinfold_policy::digest::BodyId;
use pinfold_policy::held::{Held, Hold};
use pinfold_policy::kept::{Kept, Medium};
use uuid::Uuid;

use crate::error::StoreError;
use crate::volume::Volume;

/// Wire bytes that are read and decoded at a time.
const READ: usize = 64 * 1024;

/// The directory `bodies`.
#[derive(Clone, Debug)]
pub(crate) struct Bodies {
    by_digest: PathBuf,
    unfinished: PathBuf,
}

impl Bodies {
    pub(crate) fn at(data_dir: &Path) -> Self {
        let root = data_dir.join("bodies");
        Self { by_digest: root.join("sha256"), unfinished: root.join("unfinished") }
    }

    /// Makes the directories and removes what a crash has left half written.
    pub(crate) fn prepare(&self) -> Result<(), StoreError> {
        make_dir(&self.by_digest)?;
        make_dir(&self.unfinished)?;
        if let Some(root) = self.by_digest.parent() {
            sync_dir(root)?;
        }
        let read = |cause| StoreError::file("read", &self.unfinished)(cause);
        for entry in self.unfinished.read_dir().map_err(read)? {
            let path = entry.map_err(read)?.path();
            std::fs::remove_file(&path).map_err(StoreError::file("remove", &path))?;
        }
        Ok(())
    }

    /// Writes a body so that it survives a power cut, and returns its size on disk. Blocks.
    pub(crate) fn write(&self, id: BodyId, kept: &Kept) -> Result<u64, StoreError> {
        let place = self.place(id);
        let unfinished = self.unfinished.join(Uuid::now_v7().to_string());
        let written = write_synced(&unfinished, kept).map_err(StoreError::file("write", &unfinished));
        let placed = written.and_then(|size| self.put(&unfinished, &place).map(|()| size));
        if placed.is_err() {
            // It takes space, and perhaps there is none: that it cannot be removed either changes nothing.
            let _ = std::fs::remove_file(&unfinished);
        }
        placed
    }

    /// A file without a name, for a body that is held. It takes nothing of the last tenth of `volume`.
    pub(crate) fn spill(&self, volume: Arc<Volume>) -> Result<Box<dyn Medium>, StoreError> {
        spill_in(&self.unfinished, Some(volume))
    }

    fn put(&self, unfinished: &Path, place: &Path) -> Result<(), StoreError> {
        let dir = place.parent().unwrap_or(&self.by_digest);
        if !dir.exists() {
            make_dir(dir)?;
            sync_dir(&self.by_digest)?;
        }
        std::fs::rename(unfinished, place).map_err(StoreError::file("create", place))?;
        sync_dir(dir)
    }

    /// Reads a body of `len` decoded bytes, and proves that it is that body; onto `spill` where one is given. `None` if
    /// there is no file. Blocks.
    pub(crate) fn read(
        &self,
        id: BodyId,
        len: u64,
        spill: Option<Box<dyn Medium>>,
    ) -> Result<Option<Held>, StoreError> {
        let path = self.place(id);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(StoreError::file("open", &path)(cause)),
        };
        let hold = decode(&mut file, len, spill)
            .map_err(StoreError::file("read", &path))?
            .ok_or_else(|| StoreError::damaged(&path, "it does not decode"))?;
        let held = hold.finish(|_| None).map_err(StoreError::file("read", &path))?;
        if held.id() == id {
            Ok(Some(held))
        } else {
            Err(StoreError::damaged(&path, format!("its content is {}", held.id())))
        }
    }

    /// Whether there is a file for a body. Blocks.
    pub(crate) fn has(&self, id: BodyId) -> bool {
        self.place(id).is_file()
    }

    /// Removes the files of bodies that nobody needs, and says how many. Blocks.
    pub(crate) fn sweep(&self, is_needed: impl Fn(BodyId) -> bool) -> Result<usize, StoreError> {
        let mut removed = 0;
        let shards = self.by_digest.read_dir().map_err(StoreError::file("read", &self.by_digest))?;
        for shard in shards.flatten() {
            for file in shard.path().read_dir().into_iter().flatten().flatten() {
                let path = file.path();
                let id = path.file_stem().and_then(|hex| BodyId::from_hex(hex.to_str()?));
                if id.is_some_and(|id| !is_needed(id)) {
                    std::fs::remove_file(&path).map_err(StoreError::file("remove", &path))?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    fn place(&self, id: BodyId) -> PathBuf {
        let hex = id.to_hex();
        let shard: String = hex.chars().take(2).collect();
        self.by_digest.join(shard).join(format!("{hex}.zst"))
    }
}

fn decode(file: &mut File, len: u64, spill: Option<Box<dyn Medium>>) -> io::Result<Option<Hold>> {
    // We wrote the file, but anyone may have changed it since: the length bounds what it can become.
    let limits = DecodeLimits { max_ratio: u64::MAX, max_encoded: u64::MAX };
    let mut decoder = Decoder::new(Codings::from(Coding::Zstd), limits);
    let mut hold = Hold::new(len, Some(len));
    if let Some(medium) = spill {
        hold.spill_to(medium);
    }
    let mut buffer = vec![0; READ];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(wire) = buffer.get(..read).filter(|wire| !wire.is_empty()) else { break };
        if decoder.push(wire, &mut hold).is_err() {
            return Ok(None);
        }
        hold.flush()?;
    }
    Ok(decoder.finish().is_ok().then_some(hold))
}

/// Writes a body, compressed, and says how long the file is.
fn write_synced(path: &Path, kept: &Kept) -> io::Result<u64> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let file = BufWriter::with_capacity(READ, file);
    let file =
        pinfold_body::encode(kept.pieces(), kept.len(), Coding::Zstd, file).map_err(io::Error::other)?;
    let file = file.into_inner().map_err(IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

pub(crate) fn spill_in(dir: &Path, volume: Option<Arc<Volume>>) -> Result<Box<dyn Medium>, StoreError> {
    let file = tempfile::tempfile_in(dir).map_err(StoreError::file("create a file in", dir))?;
    Ok(Box::new(SpillFile { file, len: 0, volume }))
}

/// Where a held body lies that is too large for memory: a file that has no name, so that nobody else can open it and
/// nothing of it is left when the gateway ends.
#[derive(Debug)]
struct SpillFile {
    file: File,
    len: u64,
    /// Whose last tenth is not for bodies.
    volume: Option<Arc<Volume>>,
}

impl Medium for SpillFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.volume.as_ref().is_some_and(|volume| !volume.has_room(bytes.len() as u64)) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all_at(bytes, self.len)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(into, offset)
    }
}

/// Makes a directory that only its owner can enter, and those above it.
pub(crate) fn make_dir(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StoreError::file("create", path))
}

/// Makes names in a directory survive a power cut.
pub(crate) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(StoreError::file("sync", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_body_does_not_spill_into_the_last_tenth_of_the_volume() {
        let dir = tempfile::tempdir().unwrap();
        let bodies = Bodies::at(dir.path());
        bodies.prepare().unwrap();
        // A volume that cannot be asked has no room.
        let full = Arc::new(Volume::of(Path::new("/nowhere/at/all")));
        let error = bodies.spill(full).unwrap().append(b"body").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
