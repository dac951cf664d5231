//! The rim: lines to a file, or to standard output.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Whole lines could not all be written.
#[derive(Debug)]
pub(super) struct Unwritten {
    /// How many bytes, all of them whole lines, need not be written again.
    pub(super) done: usize,
    pub(super) cause: io::Error,
}

impl From<io::Error> for Unwritten {
    fn from(cause: io::Error) -> Self {
        Self { done: 0, cause }
    }
}

/// An open target.
pub(super) enum Lines {
    File(LineFile),
    Stdout,
}

impl Lines {
    pub(super) fn to_file(path: &Path) -> Self {
        Self::File(LineFile { path: path.to_owned(), open: None })
    }

    /// Writes whole lines; when this returns, they have left the process, and those of a file are on disk.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), Unwritten> {
        match self {
            Self::File(file) => file.append(lines),
            Self::Stdout => {
                // Locked for the whole batch, so that nothing else that is printed ends up within a line.
                let mut stdout = io::stdout().lock();
                stdout.write_all(lines)?;
                Ok(stdout.flush()?)
            }
        }
    }
}

/// A file that others may rotate, truncate or remove at any time.
pub(super) struct LineFile {
    path: PathBuf,
    open: Option<File>,
}

impl LineFile {
    fn append(&mut self, lines: &[u8]) -> Result<(), Unwritten> {
        let file = self.current()?;
        let before = file.metadata()?.len();
        let (written, outcome) = write_counted(file, lines);
        let outcome = match outcome {
            // Pages that a failed sync could not write are forgotten: all of the lines have to be written again.
            Ok(()) => file.sync_data().map_err(Unwritten::from),
            Err(cause) => Err(Unwritten { done: take_back(file, before, lines, written), cause }),
        };
        if outcome.is_err() {
            self.open = None;
        }
        outcome
    }

    /// The file that has the path now.
    fn current(&mut self) -> io::Result<&mut File> {
        let open = match self.open.take() {
            Some(file) if is_at(&file, &self.path) => file,
            Some(_) | None => open(&self.path)?,
        };
        Ok(self.open.insert(open))
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), path.metadata()) {
        (Ok(open), Ok(there)) => identity(open) == identity(there),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// Opens for appending. A last line that a crash tore is ended, so that it spoils no other.
fn open(path: &Path) -> io::Result<File> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    // To open a pipe that nobody reads from would wait for ever.
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    if let Some(last) = file.metadata()?.len().checked_sub(1) {
        let mut byte = [0];
        file.read_exact_at(&mut byte, last)?;
        if byte != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    // The name has to be on disk too, or a power cut would lose lines that are acknowledged.
    File::open(parent)?.sync_all()?;
    Ok(file)
}

/// As `write_all`, and says how far it came.
fn write_counted(to: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match to.write(rest) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// Takes the torn line after `written` bytes out of the file again. Gives the length of the whole lines before it.
///
/// A full disk would otherwise gather one torn line with each attempt. Nothing is taken when the file does not end
/// where it should: somebody else writes to it.
fn take_back(file: &File, before: u64, lines: &[u8], written: usize) -> usize {
    let written_lines = lines.get(..written).unwrap_or_default();
    let whole = written_lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let is_ours = file.metadata().is_ok_and(|now| now.len() == before + written as u64);
    if is_ours && whole < written {
        // What cannot be taken back is ended by a newline when the file is opened again.
        let _ = file.set_len(before + whole as u64);
    }
    whole
}

#[cfg(test)]
mod tests;
