//! Standard output and standard error: the only place that prints.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Stdin, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use comfy_table::Table;
use pinfold_config::diagnostic::Diagnostic;
use pinfold_store::Store;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::Value;

use crate::failure::{Failure, cause};
use crate::printable::{is_deceptive, printable};

/// Where a command prints, and how.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    /// Results are wanted as JSON.
    pub(crate) json: bool,
    /// Standard output is one that understands colours.
    pub(crate) color: bool,
    /// The same of standard error.
    pub(crate) color_err: bool,
    /// Columns of standard output; none if nobody looks at it.
    pub(crate) width: Option<usize>,
    /// Nobody is there: what is printed is kept for somebody elsewhere.
    kept: Option<Arc<Mutex<Kept>>>,
}

/// What was printed for somebody elsewhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

/// What a piece of text is, for the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Strong,
    Faint,
    Good,
    Warning,
    Bad,
    /// What is gone from a line, and what is new in it.
    Gone,
    Fresh,
}

impl Tone {
    pub(crate) const ALL: [Self; 7] =
        [Self::Strong, Self::Faint, Self::Good, Self::Warning, Self::Bad, Self::Gone, Self::Fresh];

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "31",
            Self::Gone => "1;4;31",
            Self::Fresh => "1;4;32",
        }
    }
}

impl Terminal {
    pub(crate) fn new(json: bool) -> Self {
        let color = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self {
            json,
            color: color && io::stdout().is_terminal(),
            color_err: color && io::stderr().is_terminal(),
            width: Table::new().width().map(usize::from),
            kept: None,
        }
    }

    /// One of somebody elsewhere: nothing of what is printed on it is seen here.
    pub(crate) fn elsewhere(json: bool, color: bool, width: Option<usize>) -> Self {
        Self { json, color, color_err: color, width, kept: Some(Arc::default()) }
    }

    /// What was printed for somebody elsewhere so far.
    pub(crate) fn kept(&self) -> Kept {
        self.kept.as_deref().map(|kept| hold(kept).clone()).unwrap_or_default()
    }

    /// Asks for a user's password, twice and without showing it. Where standard input is no terminal, it is its next line.
    pub(crate) fn password(&self, user: &str) -> Result<String, Failure> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return line(&stdin);
        }
        let hidden = Hidden::on(stdin)?;
        let ask = |prompt: &str| {
            self.prompt(&format!("{prompt} for {user}: "));
            let answer = line(&hidden.stdin);
            self.note("");
            answer
        };
        let password = ask("password")?;
        if ask("once more, the password")? != password {
            return Err(
                Failure::configuration("the two passwords differ").hint("nothing was written: try again")
            );
        }
        Ok(password)
    }

    fn prompt(&self, text: &str) {
        let mut err = io::stderr().lock();
        // If nobody can be asked, nobody will answer.
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }

    /// Prints a line, or several, on standard output.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        self.print_bytes(format!("{text}\n").as_bytes())
    }

    /// Prints bytes as they are on standard output.
    pub(crate) fn print_bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        if let Some(kept) = &self.kept {
            hold(kept).out.extend_from_slice(bytes);
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(unwritable)
    }

    /// Prints a value as JSON on standard output. What would deceive the eye is written as an escape.
    pub(crate) fn print_json(&self, value: &Value) -> Result<(), Failure> {
        let mut text = String::new();
        for char in format!("{value:#}").chars() {
            if char == '\n' || !is_deceptive(char) {
                text.push(char);
                continue;
            }
            for unit in char.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
        self.print(&text)
    }

    /// Says something beside the result, on standard error.
    pub(crate) fn note(&self, text: &str) {
        if let Some(kept) = &self.kept {
            hold(kept).err.push_str(&format!("{text}\n"));
            return;
        }
        let mut err = io::stderr().lock();
        // If nobody can be told, nobody can be told that either.
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.write_all(b"\n"));
    }

    /// Warns, in one line and a hint.
    pub(crate) fn warn(&self, message: &str, hint: &str) {
        let warning = paint(self.color_err, Tone::Warning, "pinfold: warning:");
        self.note(&format!("{warning} {}\nhint: {}", printable(message), printable(hint)));
    }

    /// Warns of decisions that are not to be trusted.
    pub(crate) fn warn_of_damage(&self, store: &Store) {
        if let Some(damage) = store.damage() {
            self.warn(&format!("{damage}; what people decided is not to be trusted"), damage.hint());
        }
    }

    /// Shows what a usable configuration is warned of, parted from what follows.
    pub(crate) fn show_warnings(&self, warnings: &[Diagnostic]) {
        self.show(warnings);
        if !warnings.is_empty() {
            self.note("");
        }
    }

    /// Shows what was found in configuration files, with an empty line between two.
    fn show<'a>(&self, found: impl IntoIterator<Item = &'a Diagnostic>) {
        for (at, diagnostic) in found.into_iter().enumerate() {
            if at > 0 {
                self.note("");
            }
            self.note(&diagnostic.render(self.color_err));
        }
    }

    /// Says why a command did not do it.
    pub(crate) fn complain(&self, failure: &Failure) {
        match failure {
            Failure::Files(found) => self.show(found.iter()),
            Failure::Configuration(complaint) | Failure::CouldNot(complaint) => {
                let error = paint(self.color_err, Tone::Bad, "pinfold: error:");
                self.note(&format!("{error} {}", printable(&complaint.message)));
                if let Some(hint) = &complaint.hint {
                    self.note(&format!("hint: {}", printable(hint)));
                }
            }
            Failure::ReaderGone => {}
        }
    }

    /// Text for standard output in a tone.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.color, tone, text)
    }

    /// Text for standard error in a tone.
    pub(crate) fn paint_err(&self, tone: Tone, text: &str) -> String {
        paint(self.color_err, tone, text)
    }
}

fn hold(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

fn paint(color: bool, tone: Tone, text: &str) -> String {
    if color { format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code()) } else { text.to_owned() }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden {
    stdin: Stdin,
    before: Termios,
}

impl Hidden {
    fn on(stdin: Stdin) -> Result<Self, Failure> {
        let hide = || {
            let before = tcgetattr(&stdin)?;
            let mut hiding = before.clone();
            hiding.local_modes.remove(LocalModes::ECHO);
            tcsetattr(&stdin, OptionalActions::Flush, &hiding)?;
            Ok(before)
        };
        let before = hide().map_err(|error: rustix::io::Errno| {
            Failure::could_not(format!("cannot hide what is typed: {}", cause(&error.into())))
                .hint("give the password as one line of standard input")
        })?;
        Ok(Self { stdin, before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // The terminal may be gone.
        let _ = tcsetattr(&self.stdin, OptionalActions::Flush, &self.before);
    }
}

/// The next line of standard input, without its end.
fn line(stdin: &Stdin) -> Result<String, Failure> {
    const LONGEST: u64 = 4096;
    let mut line = String::new();
    let read = stdin.lock().take(LONGEST).read_line(&mut line);
    read.map_err(|error| Failure::could_not(format!("cannot read standard input: {}", cause(&error))))?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}

fn unwritable(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::could_not(format!("cannot write to standard output: {}", cause(&error))),
    }
}
