//! Where new text goes, and what it is.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use pinfold_policy::digest::Digest;
use pinfold_policy::kind::Kind;
use pinfold_policy::pin::PinUrl;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Change, EditError, NewPin, parsed};
use crate::source::SourceFile;

/// The text with one more pin.
pub(super) fn add(path: &Path, text: String, pin: &NewPin) -> Result<(String, Change), EditError> {
    let plan = parsed(path, &text, |file, table| plan(path, file, table, pin))??;
    let (change, edited) = match plan {
        Plan::Keep => return Ok((text, Change::Unchanged)),
        Plan::Append => (Change::Appended, appended(&text, &block(pin))),
        Plan::Edit(splices) => (Change::Extended, spliced(&text, splices)),
    };
    let form = |cause: String| EditError::Form { file: path.to_owned(), block: "[[pin]]", cause };
    let found = parsed(path, &edited, |file, table| line_of(file, table, pin));
    match found {
        Ok(Some(_)) => Ok((edited, change)),
        Ok(None) => Err(form("it would not be found there".to_owned())),
        Err(broken) => {
            Err(form(broken.errors().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ")))
        }
    }
}

enum Plan {
    Keep,
    Append,
    Edit(Splices),
}

/// What is replaced, and by what.
pub(super) type Splices = Vec<(Range<usize>, String)>;

fn plan(path: &Path, file: &SourceFile, table: &DeTable<'_>, pin: &NewPin) -> Result<Plan, EditError> {
    if line_of(file, table, pin).is_some() {
        return Ok(Plan::Keep);
    }
    let Some(block) = blocks(table).find(|block| block.is_about(pin)) else { return Ok(Plan::Append) };
    let line = file.position(block.place.start).line;
    if block.kind() != pin.kind.as_str() {
        return Err(EditError::Kind {
            file: path.to_owned(),
            line,
            url: pin.url.to_text(),
            written: block.kind().to_owned(),
            given: pin.kind,
        });
    }
    let Some((list, items)) = block.digests() else {
        let cause = format!("the digests of the block in line {line} are not a list");
        return Err(EditError::Form { file: path.to_owned(), block: "[[pin]]", cause });
    };
    let mut new: Vec<String> = pin
        .digests
        .iter()
        .filter(|digest| !block.lists(digest))
        .map(|digest| format!("\"{digest}\""))
        .collect();
    let mut splices = Vec::new();
    let malformed = items.iter().find(|item| digest_of(item).is_none());
    if let Some(malformed) = malformed.filter(|_| !new.is_empty()) {
        splices.push((malformed.span(), new.remove(0)));
    }
    if !new.is_empty() {
        splices.extend(extended(file.text(), &list, items, &new));
    }
    Ok(Plan::Edit(splices))
}

/// One `[[pin]]` block, whatever may be wrong with it.
pub(super) struct Block<'t> {
    pub(super) table: &'t DeTable<'t>,
    pub(super) place: Range<usize>,
}

pub(super) fn blocks<'t>(table: &'t DeTable<'t>) -> impl Iterator<Item = Block<'t>> {
    let items = table.get("pin").and_then(|pins| pins.get_ref().as_array());
    items
        .into_iter()
        .flat_map(|items| items.iter())
        .filter_map(|item| Some(Block { table: item.get_ref().as_table()?, place: item.span() }))
}

impl<'t> Block<'t> {
    fn text(&self, key: &str) -> Option<&'t str> {
        self.table.get(key)?.get_ref().as_str()
    }

    fn kind(&self) -> &'t str {
        self.text("kind").unwrap_or(Kind::Script.as_str())
    }

    fn is_about(&self, pin: &NewPin) -> bool {
        let same_release = pin.release.is_none() || self.text("release") == pin.release.as_deref();
        self.is_of(&pin.url) && same_release
    }

    /// By match key: the same URL can be spelled in other escapes.
    pub(super) fn is_of(&self, url: &PinUrl) -> bool {
        let own = self.text("url").and_then(|url| PinUrl::parse(url).ok());
        own.is_some_and(|own| own.to_text() == url.to_text())
    }

    pub(super) fn digests(&self) -> Option<(Range<usize>, &'t [Spanned<DeValue<'t>>])> {
        let value = self.table.get("digests")?;
        Some((value.span(), value.get_ref().as_array()?))
    }

    fn lists(&self, digest: &Digest) -> bool {
        let items = self.digests().map(|(_, items)| items).unwrap_or_default();
        items.iter().any(|item| digest_of(item).as_ref() == Some(digest))
    }
}

pub(super) fn digest_of(item: &Spanned<DeValue<'_>>) -> Option<Digest> {
    item.get_ref().as_str()?.parse().ok()
}

/// The line of the block that holds all of a pin's digests.
pub(super) fn line_of(file: &SourceFile, table: &DeTable<'_>, pin: &NewPin) -> Option<u32> {
    blocks(table)
        .find(|block| block.is_about(pin) && pin.digests.iter().all(|digest| block.lists(digest)))
        .map(|block| file.position(block.place.start).line)
}

/// New elements for a list: on its line, or each on its own line below the last, whose comment stays with it.
fn extended(text: &str, list: &Range<usize>, items: &[Spanned<DeValue<'_>>], new: &[String]) -> Splices {
    let at = |offset: usize| offset..offset;
    let Some(last) = items.last().map(Spanned::span) else {
        return vec![(at(list.start + 1), new.join(", "))];
    };
    let rest = text.get(last.end..list.end).unwrap_or_default();
    let Some(line_end) = rest.find('\n') else {
        return vec![(at(last.end), format!(", {}", new.join(", ")))];
    };
    let newline = newline(text);
    let line_start = text.get(..last.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let before = text.get(line_start..last.start).unwrap_or_default();
    let indent: String = before.chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
    let comma = has_comma(rest);
    let mut splices = Vec::new();
    if !comma {
        splices.push((at(last.end), ",".to_owned()));
    }
    let mut lines = new
        .iter()
        .map(|element| format!("{indent}{element}"))
        .collect::<Vec<_>>()
        .join(&format!(",{newline}"));
    lines.push_str(if comma { "," } else { "" });
    lines.push_str(newline);
    splices.push((at(last.end + line_end + 1), lines));
    splices
}

/// Whether a comma follows, outside comments.
fn has_comma(rest: &str) -> bool {
    rest.lines().any(|line| line.split('#').next().is_some_and(|code| code.contains(',')))
}

pub(super) fn spliced(text: &str, mut splices: Splices) -> String {
    splices.sort_by_key(|(range, _)| range.start);
    let mut edited = String::with_capacity(text.len() + 256);
    let mut from = 0;
    for (range, new) in splices {
        edited.push_str(text.get(from..range.start).unwrap_or_default());
        edited.push_str(&new);
        // Two blocks that go can both claim the empty lines between them.
        from = from.max(range.end);
    }
    edited.push_str(text.get(from..).unwrap_or_default());
    edited
}

/// The text with a block at its end, an empty line between.
pub(super) fn appended(text: &str, block: &str) -> String {
    let newline = newline(text);
    let mut edited = text.to_owned();
    if !text.is_empty() {
        edited.push_str(if text.ends_with('\n') { "" } else { newline });
        edited.push_str(newline);
    }
    for line in block.lines() {
        edited.push_str(line);
        edited.push_str(newline);
    }
    edited
}

/// The line end of the file's first line.
pub(super) fn newline(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text.get(..at).is_some_and(|line| line.ends_with('\r')) => "\r\n",
        Some(_) | None => "\n",
    }
}

pub(super) fn block(pin: &NewPin) -> String {
    let digests: Vec<_> = pin.digests.iter().map(|digest| format!("\"{digest}\"")).collect();
    let digests = match digests.as_slice() {
        [one] => format!("[{one}]"),
        several => format!("[\n    {},\n]", several.join(",\n    ")),
    };
    let text = |text: &Option<String>| text.as_deref().map(string);
    let day = |date: Option<jiff::civil::Date>| date.map(|date| date.to_string());
    let lines = [
        ("url", Some(string(&pin.url.to_text()))),
        ("digests", Some(digests)),
        ("kind", Some(string(pin.kind.as_str()))),
        ("release", text(&pin.release)),
        ("owner", text(&pin.owner)),
        ("reason", text(&pin.reason)),
        ("added", day(pin.added)),
        ("expires", day(pin.expires)),
    ];
    let mut block = "[[pin]]\n".to_owned();
    for (key, value) in lines {
        if let Some(value) = value {
            block.push_str(&format!("{key:<7} = {value}\n"));
        }
    }
    block
}

/// A TOML basic string (TOML 1.0, "String"). Besides what must be escaped, so is what would not be seen.
pub(super) fn string(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            char => push_visible(&mut quoted, char),
        }
    }
    quoted.push('"');
    quoted
}

/// The character, or its escape where it would end a line or not be seen.
pub(super) fn push_visible(text: &mut String, char: char) {
    match char {
        '\n' => text.push_str("\\n"),
        '\t' => text.push_str("\\t"),
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
            push_escape(text, char);
        }
        char if char.is_control() => push_escape(text, char),
        char => text.push(char),
    }
}

fn push_escape(quoted: &mut String, char: char) {
    // Writing to a String does not fail.
    let _infallible = write!(quoted, "\\u{:04X}", u32::from(char));
}
