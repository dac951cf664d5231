//! Editing pins.toml and users.toml: what a person wrote there stays as it is, byte for byte.
//!
//! The parser says where things stand, and new text goes in between. Nothing is written back that was only read,
//! so comments, order, spacing and line ends need no care. The edited text is parsed again before it replaces
//! the file, in one rename.

mod propose;
mod remove;
mod splice;
mod users;
mod write;

use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use pinfold_policy::digest::Digest;
use pinfold_policy::kind::Kind;
use pinfold_policy::pin::PinUrl;
use thiserror::Error;

pub use self::propose::{Proposal, proposed};
pub use self::remove::{Removed, find_pins, remove_pins};
pub use self::users::{NewUser, UserChange, add_token, remove_token, set_user};
use self::write::Access;
use crate::diagnostic::Diagnostics;
use crate::source::{SourceFile, Unreadable};
use crate::{document, template};

/// A pin to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPin {
    /// Where it applies.
    pub url: PinUrl,
    /// What may be served, the preferred notation first.
    pub digests: Vec<Digest>,
    /// What the bytes may act as.
    pub kind: Kind,
    /// URLs of one release belong together.
    pub release: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The written justification.
    pub reason: Option<String>,
    /// The day it is added.
    pub added: Option<Date>,
    /// The last day on which it counts.
    pub expires: Option<Date>,
}

/// What became of one [`NewPin`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new block at the end.
    Appended,
    /// Its digests were added to the block of the same URL. What else that block says was kept.
    Extended,
    /// All of its digests were there.
    Unchanged,
}

/// What [`add_pins`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// For each pin, in the order given, and the line of its block in the file as it is now.
    pub changes: Vec<(Change, u32)>,
}

/// Why nothing was written. The file is as it was.
#[derive(Debug, Error)]
pub enum EditError {
    /// It cannot be read, or is no TOML.
    #[error(transparent)]
    Invalid(#[from] Diagnostics),
    /// The URL is pinned as something else.
    #[error("{}:{line}: {url} is pinned as {written}, not {given}", .file.display())]
    Kind {
        /// The pins file.
        file: PathBuf,
        /// The line of the block.
        line: u32,
        /// The URL.
        url: String,
        /// The block's kind.
        written: String,
        /// The new pin's.
        given: Kind,
    },
    /// What is there stands in a form that nothing can be added to, such as `pin = []`.
    #[error("{}: cannot write the {block} block: {cause}", .file.display())]
    Form {
        /// The file.
        file: PathBuf,
        /// `[[pin]]`, `[[user]]` or `[[token]]`.
        block: &'static str,
        /// What does not fit.
        cause: String,
    },
    /// What is there stands in a form that it cannot be taken out of.
    #[error("{}:{line}: cannot remove the pin: {cause}", .file.display())]
    Stuck {
        /// The pins file.
        file: PathBuf,
        /// The line of the block.
        line: u32,
        /// What does not fit.
        cause: String,
    },
    /// Writing failed.
    #[error("{}: cannot be written: {}", .file.display(), crate::source::cause(.cause))]
    Write {
        /// The file.
        file: PathBuf,
        /// The system's answer.
        #[source]
        cause: io::Error,
    },
}

/// Writes pins into the file at `path`, and makes the file where there is none.
///
/// A URL that has a block already (of the same release, where the new pin names one) gets its digests there; a
/// malformed digest in that block makes room for the first new one. Others get a block at the end. The file is
/// replaced in one step, keeps its permissions, and is written where a symbolic link leads.
///
/// # Errors
/// [`EditError`]; the file is then unchanged.
pub fn add_pins(path: &Path, pins: &[NewPin]) -> Result<Added, EditError> {
    let failed = |cause| EditError::Write { file: path.to_owned(), cause };
    let target = write::target(path).map_err(failed)?;
    let _locked = write::lock_directory(&target).map_err(failed)?;
    let (mut text, existed) = match SourceFile::read(path) {
        Ok(file) => (file.text().to_owned(), true),
        Err(unreadable) if unreadable.is_missing() => (template::PINS_TOML.to_owned(), false),
        Err(unreadable) => return Err(invalid(unreadable, path).into()),
    };
    let mut changes = Vec::with_capacity(pins.len());
    for pin in pins {
        let (edited, change) = splice::add(path, text, pin)?;
        text = edited;
        changes.push(change);
    }
    if changes.iter().any(|change| *change != Change::Unchanged) || !existed {
        write::replace(&target, text.as_bytes(), Access::Shared).map_err(failed)?;
    }
    // Only now: a later pin can push the block of an earlier one down.
    let lines = parsed(path, &text, |file, table| {
        pins.iter().map(|pin| splice::line_of(file, table, pin).unwrap_or_default()).collect::<Vec<_>>()
    })?;
    Ok(Added { changes: changes.into_iter().zip(lines).collect() })
}

fn invalid(unreadable: Unreadable, path: &Path) -> Diagnostics {
    Diagnostics(vec![unreadable.into_diagnostic(path)])
}

/// The text as a file whose tables can be looked at, or where it is broken.
fn parsed<T>(
    path: &Path,
    text: &str,
    look: impl FnOnce(&SourceFile, &toml::de::DeTable<'_>) -> T,
) -> Result<T, Diagnostics> {
    parsed_file(SourceFile::new(&path.display().to_string(), text), look)
}

fn parsed_file<T>(
    file: SourceFile,
    look: impl FnOnce(&SourceFile, &toml::de::DeTable<'_>) -> T,
) -> Result<T, Diagnostics> {
    let looked = document::parse(&file).map(|table| look(&file, table.get_ref()));
    looked.ok_or_else(|| Diagnostics(file.into_findings()))
}
