//! Bodies on disk, by digest: compressed, so that what lies there does not run, and stored once.
//!
//! A file is written beside its place, synced, and renamed into it, so that a name always stands for a whole body.
//! What is read is measured again: a file that has changed is never given to anyone.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pinfold_body::{Coding, Codings, DecodeLimits, Decoder};
use pinfold_policy::digest::BodyId;
use pinfold_policy::held::Hold;
use uuid::Uuid;

use crate::error::StoreError;

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
    pub(crate) fn write(&self, id: BodyId, segments: &[Bytes]) -> Result<u64, StoreError> {
        let place = self.place(id);
        let encoded = pinfold_body::encode(segments, Coding::Zstd)
            .map_err(|error| StoreError::file("write", &place)(io::Error::other(error)))?;
        let unfinished = self.unfinished.join(Uuid::now_v7().to_string());
        let written = write_synced(&unfinished, &encoded).map_err(StoreError::file("write", &unfinished));
        let placed = written.and_then(|()| self.put(&unfinished, &place));
        if placed.is_err() {
            // It takes space, and perhaps there is none: that it cannot be removed either changes nothing.
            let _ = std::fs::remove_file(&unfinished);
        }
        placed.map(|()| encoded.iter().map(|piece| piece.len() as u64).sum())
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

    /// Reads a body of `len` decoded bytes, and proves that it is that body. `None` if there is no file. Blocks.
    pub(crate) fn read(&self, id: BodyId, len: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.place(id);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(StoreError::file("open", &path)(cause)),
        };
        let hold = decode(&mut file, len)
            .map_err(StoreError::file("read", &path))?
            .ok_or_else(|| StoreError::damaged(&path, "it does not decode"))?;
        let held = hold.finish(|_| None);
        if held.id() != id {
            return Err(StoreError::damaged(&path, format!("its content is {}", held.id())));
        }
        Ok(Some(held.segments_for_quarantine().concat()))
    }

    fn place(&self, id: BodyId) -> PathBuf {
        let hex = id.to_hex();
        let shard: String = hex.chars().take(2).collect();
        self.by_digest.join(shard).join(format!("{hex}.zst"))
    }
}

fn decode(file: &mut File, len: u64) -> io::Result<Option<Hold>> {
    // We wrote the file, but anyone may have changed it since: the length bounds what it can become.
    let limits = DecodeLimits { max_ratio: u64::MAX, max_encoded: u64::MAX };
    let mut decoder = Decoder::new(Codings::from(Coding::Zstd), limits);
    let mut hold = Hold::new(len, Some(len));
    let mut buffer = vec![0; READ];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(wire) = buffer.get(..read).filter(|wire| !wire.is_empty()) else { break };
        if decoder.push(wire, &mut hold).is_err() {
            return Ok(None);
        }
    }
    Ok(decoder.finish().is_ok().then_some(hold))
}

fn write_synced(path: &Path, pieces: &[Bytes]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    pieces.iter().try_for_each(|piece| file.write_all(piece))?;
    file.sync_all()
}

/// Makes a directory that only its owner can enter, and those above it.
pub(crate) fn make_dir(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StoreError::file("create", path))
}

/// Makes names in a directory survive a power cut.
pub(crate) fn sync_dir(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(StoreError::file("sync", path))
}
