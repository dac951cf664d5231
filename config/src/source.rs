//! One file: its text, and what was found wrong in it.

use std::cell::{Cell, OnceCell, RefCell};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::diagnostic::{Diagnostic, Excerpt, Position, Severity};

/// The largest file that is read, in bytes, unless it is a list of pins.
const MAX_LEN: u64 = 64 * 1024 * 1024;

/// The largest list of pins that is read, in bytes: some three million pins.
pub const MAX_LIST_LEN: u64 = 1024 * 1024 * 1024;

/// A list that went wrong in each of its entries is not told a million times.
const MOST_FINDINGS: u32 = 1000;

/// What is wrong, and what to do about it: a diagnostic before its place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    message: String,
    hint: Option<String>,
}

impl Mistake {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same, with what it is about in front.
    pub(crate) fn about(self, what: &str) -> Self {
        Self { message: format!("{what} {}", self.message), ..self }
    }

    pub(crate) fn hint_if_any(self, hint: Option<impl Into<String>>) -> Self {
        Self { hint: hint.map(Into::into), ..self }
    }
}

/// A file's text, and the findings in it so far.
#[derive(Debug)]
pub(crate) struct SourceFile {
    name: Arc<str>,
    text: Box<str>,
    line_starts: OnceCell<Vec<usize>>,
    findings: Findings,
    /// Findings point at its lines, and show none of them.
    is_secret: bool,
    /// Its permissions; none for a text that is no file.
    mode: Option<u32>,
}

/// What was found in a text, by its byte.
#[derive(Debug, Default)]
struct Findings {
    kept: RefCell<Vec<(usize, Diagnostic)>>,
    errors: Cell<u32>,
    warnings: Cell<u32>,
}

/// What was found in a part of a text that was read as a file of its own.
#[derive(Debug, Default)]
pub(crate) struct Found {
    findings: Findings,
    lines: u32,
}

impl Found {
    /// How many lines end in the part.
    pub(crate) fn lines(&self) -> u32 {
        self.lines
    }

    /// Adds what was found in the part behind, whose places count from byte `offset`.
    pub(crate) fn append(&mut self, behind: Self, offset: usize) {
        self.findings.absorb(behind.findings, offset, self.lines);
        self.lines = self.lines.saturating_add(behind.lines);
    }
}

/// Opens a file, and nothing that would keep who opens it waiting: it is read again and again.
fn open_regular(path: &Path) -> io::Result<File> {
    let at_once = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(at_once).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() || metadata.is_dir() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe or a device, and no file"))
}

impl SourceFile {
    pub(crate) fn new(name: &str, text: impl Into<Box<str>>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            line_starts: OnceCell::new(),
            findings: Findings::default(),
            is_secret: false,
            mode: None,
        }
    }

    /// The same file, none of whose text is ever shown.
    pub(crate) fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// Reads the file that names the others. It may come through a pipe.
    pub(crate) fn read(path: &Path) -> Result<Self, Unreadable> {
        Self::read_to(MAX_LEN, path, File::open(path)?)
    }

    /// Reads a file that it names.
    pub(crate) fn read_named(path: &Path) -> Result<Self, Unreadable> {
        Self::read_to(MAX_LEN, path, open_regular(path)?)
    }

    /// Reads a list of pins, which may be longer than other files.
    pub(crate) fn read_list(path: &Path) -> Result<Self, Unreadable> {
        Self::read_to(MAX_LIST_LEN, path, open_regular(path)?)
    }

    fn read_to(max: u64, path: &Path, file: File) -> Result<Self, Unreadable> {
        // The open file is asked, not the path: what was checked is what is read.
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        if metadata.len() > max {
            return Err(Unreadable::TooLarge { max });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
        file.take(max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max {
            return Err(Unreadable::TooLarge { max });
        }
        let name = path.display().to_string();
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { mode: Some(metadata.mode() & 0o7777), ..Self::new(&name, text) }),
            Err(error) => Err(Unreadable::NotUtf8(Box::new(not_utf8(&name, error.as_bytes())))),
        }
    }

    /// The path, as messages show it.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its permissions, if it is a file.
    pub(crate) fn mode(&self) -> Option<u32> {
        self.mode
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn error(&self, span: Range<usize>, mistake: Mistake) {
        self.find(Severity::Error, span, mistake);
    }

    pub(crate) fn warn(&self, span: Range<usize>, mistake: Mistake) {
        self.find(Severity::Warning, span, mistake);
    }

    fn find(&self, severity: Severity, span: Range<usize>, Mistake { message, hint }: Mistake) {
        if !self.findings.has_room(severity) {
            self.findings.count(severity, 1);
            return;
        }
        let excerpt = (!self.is_secret).then(|| self.excerpt(&span));
        let mut found = Diagnostic::of_file(severity, Arc::clone(&self.name), message)
            .placed(self.position(span.start), excerpt);
        found.hint = hint;
        self.findings.keep(span.start, found);
    }

    /// Leaves what was found in it, as in a part of a longer text.
    pub(crate) fn into_found(self) -> Found {
        let lines = u32::try_from(self.line_starts().len() - 1).unwrap_or(u32::MAX);
        Found { findings: self.findings, lines }
    }

    /// Takes over what was found in its parts.
    pub(crate) fn absorb(&self, parts: Found) {
        self.findings.absorb(parts.findings, 0, 0);
    }

    /// All findings, in the order of the text.
    pub(crate) fn into_findings(self) -> Vec<Diagnostic> {
        let left_out = [Severity::Error, Severity::Warning].map(|it| (it, self.findings.left_out(it)));
        let mut found = self.findings.kept.into_inner();
        found.sort_by_key(|(at, _)| *at);
        let mut found: Vec<_> = found.into_iter().map(|(_, diagnostic)| diagnostic).collect();
        for (severity, more) in left_out.into_iter().filter(|(_, more)| *more > 0) {
            let message = format!("{more} more {}s are not shown", severity.as_str());
            found.push(Diagnostic::of_file(severity, Arc::clone(&self.name), message));
        }
        found
    }

    /// The line and column of a byte. A byte order mark takes no column.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let line = self.line_at(offset);
        let before = self.text.get(self.line_range(line).start..offset).unwrap_or_default();
        let column = before.chars().filter(|char| *char != '\u{feff}').count() + 1;
        Position { line: number(line), column: number(column) }
    }

    /// The line of a byte.
    pub(crate) fn line(&self, offset: usize) -> u32 {
        number(self.line_at(offset))
    }

    fn line_at(&self, offset: usize) -> usize {
        self.line_starts().partition_point(|start| *start <= offset).max(1)
    }

    fn line_range(&self, line: usize) -> Range<usize> {
        let start = self.line_starts().get(line - 1).copied().unwrap_or_default();
        let end = self.line_starts().get(line).copied().unwrap_or(self.text.len());
        start..end
    }

    /// They are looked for when the first place is asked for: in most long texts nobody asks.
    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            std::iter::once(0).chain(self.text.match_indices('\n').map(|(at, _)| at + 1)).collect()
        })
    }

    /// What is underlined ends with its line: of a block that lacks a key, its header is shown. A byte order mark is not.
    fn excerpt(&self, span: &Range<usize>) -> Excerpt {
        // A line can be the whole file: no more of it than a terminal shows.
        const BEFORE: usize = 300;
        const AFTER: usize = 600;
        let line = self.line_at(span.start);
        let mut whole = self.line_range(line);
        if self.text.get(whole.clone()).is_some_and(|line| line.starts_with('\u{feff}')) {
            whole.start += '\u{feff}'.len_utf8();
        }
        let start = self.text.ceil_char_boundary(whole.start.max(span.start.saturating_sub(BEFORE)));
        let end = self.text.floor_char_boundary(whole.end.min(span.start.saturating_add(AFTER)));
        let line = self.text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r']);
        let within = |at: usize| line.floor_char_boundary(at.saturating_sub(start).min(line.len()));
        Excerpt { underline: within(span.start)..within(span.end.max(span.start)), line: line.into() }
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Findings {
    fn absorb(&self, others: Self, offset: usize, lines: u32) {
        let left_out = [Severity::Error, Severity::Warning].map(|it| (it, others.left_out(it)));
        for (at, mut found) in others.kept.into_inner() {
            if let Some(place) = &mut found.at {
                place.line = place.line.saturating_add(lines);
            }
            self.keep(at + offset, found);
        }
        for (severity, more) in left_out {
            self.count(severity, more);
        }
    }

    fn keep(&self, at: usize, found: Diagnostic) {
        let has_room = self.has_room(found.severity);
        self.count(found.severity, 1);
        if has_room {
            self.kept.borrow_mut().push((at, found));
        }
    }

    fn has_room(&self, severity: Severity) -> bool {
        self.counter(severity).get() < MOST_FINDINGS
    }

    fn count(&self, severity: Severity, more: u32) {
        let counter = self.counter(severity);
        counter.set(counter.get().saturating_add(more));
    }

    fn counter(&self, severity: Severity) -> &Cell<u32> {
        match severity {
            Severity::Error => &self.errors,
            Severity::Warning => &self.warnings,
        }
    }

    /// How many are counted and not kept.
    fn left_out(&self, severity: Severity) -> u32 {
        self.counter(severity).get().saturating_sub(MOST_FINDINGS)
    }
}

/// Why a file has no text to look at.
#[derive(Debug)]
pub(crate) enum Unreadable {
    Io(io::Error),
    TooLarge { max: u64 },
    NotUtf8(Box<Diagnostic>),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Unreadable {
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// What is wrong with the file, where nothing in it can be pointed at.
    pub(crate) fn mistake(&self) -> Mistake {
        match self {
            Self::Io(error) => Mistake::new(format!("cannot be read: {}", cause(error))),
            Self::TooLarge { max } => Mistake::new(format!("is larger than {} MiB", max / 1024 / 1024)),
            Self::NotUtf8(found) => Mistake::new(found.message.clone()).hint_if_any(found.hint.clone()),
        }
    }

    /// The same as a diagnostic of the file at `path`.
    pub(crate) fn into_diagnostic(self, path: &Path) -> Diagnostic {
        let Mistake { message, hint } = self.mistake();
        match self {
            Self::NotUtf8(found) => *found,
            Self::Io(_) | Self::TooLarge { .. } => {
                let file = path.display().to_string().into();
                let mut found = Diagnostic::of_file(Severity::Error, file, message);
                found.hint = hint;
                found
            }
        }
    }
}

/// The system's words for an error, in our voice: lower case, without its number.
pub(crate) fn cause(error: &io::Error) -> String {
    let text = error.to_string().to_lowercase();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn not_utf8(name: &str, bytes: &[u8]) -> Diagnostic {
    let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let byte = bytes.get(valid.len()).copied().unwrap_or_default();
    // The first line that is broken, as far as it can be read.
    let shown = String::from_utf8_lossy(bytes.get(..bytes.len().min(valid.len() + 64)).unwrap_or_default());
    let file = SourceFile::new(name, shown);
    let hint = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the file is UTF-16: save it as UTF-8",
        _ => "save the file as UTF-8",
    };
    file.error(
        valid.len()..valid.len() + 1,
        Mistake::new(format!("byte 0x{byte:02x} is not UTF-8")).hint(hint),
    );
    let fallback = || Diagnostic::of_file(Severity::Error, name.into(), "is not UTF-8".to_owned());
    file.into_findings().pop().unwrap_or_else(fallback)
}
