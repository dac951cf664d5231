//! Diagnostics: what is wrong in a file, where, and what would be right.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use pinfold_policy::pin::Place;

/// One finding in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the file can be used nevertheless.
    pub severity: Severity,
    /// The file's path, relative where the configuration's is.
    pub file: Arc<str>,
    /// Where in the file; `None` when the file as a whole is meant.
    pub at: Option<Position>,
    /// What is wrong, without the place.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    excerpt: Option<Excerpt>,
}

/// Whether a finding stops pinfold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file is not usable.
    Error,
    /// It is, and probably not as meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A place in a text, both counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The character in it.
    pub column: u32,
}

/// The line that is meant, and what to underline in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    pub(crate) line: Box<str>,
    pub(crate) underline: Range<usize>,
}

impl Diagnostic {
    pub(crate) fn of_file(severity: Severity, file: Arc<str>, message: String) -> Self {
        Self { severity, file, at: None, message, hint: None, excerpt: None }
    }

    /// A warning about something that was read from a file without a mistake.
    #[must_use]
    pub fn warning(place: &Place, message: String, hint: &str) -> Self {
        let at = Position { line: place.line, column: 1 };
        Self::of_file(Severity::Warning, Arc::clone(&place.file), message).placed(at, None).hint(hint)
    }

    /// A warning about a file as a whole.
    #[must_use]
    pub fn warning_of(file: &str, message: String, hint: &str) -> Self {
        Self::of_file(Severity::Warning, file.into(), message).hint(hint)
    }

    pub(crate) fn placed(mut self, at: Position, excerpt: Option<Excerpt>) -> Self {
        self.at = Some(at);
        self.excerpt = excerpt;
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The finding for people: its line, the source line with the place underlined, and the hint. No final newline.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR.with_name("pinfold: error"),
            Severity::Warning => Level::WARNING.with_name("pinfold: warning"),
        };
        let mut found = Group::with_title(level.primary_title(self.title()));
        if let (Some(at), Some(excerpt)) = (self.at, &self.excerpt) {
            found = found.element(
                Snippet::source(&*excerpt.line)
                    .line_start(usize::try_from(at.line).unwrap_or(usize::MAX))
                    .annotation(AnnotationKind::Primary.span(excerpt.underline.clone())),
            );
        }
        let hint = self
            .hint
            .as_deref()
            .map(|hint| Group::with_title(Level::HELP.with_name("hint").secondary_title(hint)));
        let report: Vec<_> = std::iter::once(found).chain(hint).collect();
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&report)
    }

    fn title(&self) -> String {
        match self.at {
            Some(Position { line, column }) => format!("{}:{line}:{column}: {}", self.file, self.message),
            None => format!("{}: {}", self.file, self.message),
        }
    }
}

impl fmt::Display for Diagnostic {
    /// One line, without the hint: `pinfold: error: pins.toml:14:12: digest is 63 hex digits, expected 64`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pinfold: {}: {}", self.severity.as_str(), self.title())
    }
}

/// Everything that was found, by file and place. It holds at least one error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub(crate) Vec<Diagnostic>);

impl Diagnostics {
    /// Errors and warnings, by file and place.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }

    /// The errors alone.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter().filter(|found| found.severity == Severity::Error)
    }

    /// All of them for people, an empty line between two. No final newline.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let rendered: Vec<_> = self.0.iter().map(|found| found.render(color)).collect();
        rendered.join("\n\n")
    }
}

impl fmt::Display for Diagnostics {
    /// A line for each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, found) in self.0.iter().enumerate() {
            write!(f, "{}{found}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// A value of a file as a message quotes it: escaped, and not longer than a line.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("\"{}\"", shown.replace("\\'", "'"))
}
