//! Taking pins out of pins.toml.
//!
//! A block goes from its header to its last key, and a digest with its comma, or with its line where it has one to
//! itself. What stands around a block stays, the comment above it too: a program cannot know whether that is about the
//! block, or about all that follow.

use std::ops::Range;
use std::path::Path;

use pinfold_policy::digest::Digest;
use pinfold_policy::pin::PinUrl;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::splice::{Block, Splices, blocks, digest_of, spliced};
use super::write::{self, Access};
use super::{EditError, invalid, parsed};
use crate::source::SourceFile;

/// What a block lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The line in which the block stood.
    pub line: u32,
    /// Whether it went as a whole, and not the one digest alone.
    pub whole: bool,
}

/// Removes the pins of these URLs from the file at `path`: every block of each, or one digest out of them. A block
/// that would be left without a digest goes as a whole. A file that is not there has no pins.
///
/// Gives, for each URL, the blocks that it lost.
///
/// # Errors
/// [`EditError`]; the file is then unchanged.
pub fn remove_pins(
    path: &Path,
    urls: &[PinUrl],
    digest: Option<&Digest>,
) -> Result<Vec<Vec<Removed>>, EditError> {
    let failed = |cause| EditError::Write { file: path.to_owned(), cause };
    let target = write::target(path).map_err(failed)?;
    let _locked = write::lock_directory(&target).map_err(failed)?;
    let Some((text, Plan { removed, splices, left })) = read(path, urls, digest)? else {
        return Ok(vec![Vec::new(); urls.len()]);
    };
    if splices.is_empty() {
        return Ok(removed);
    }
    let edited = spliced(&text, splices);
    // A list with a comma before each element, for one, is not the list without it any more.
    if !edited.parse::<toml::Table>().is_ok_and(|edited| say_the_same(&edited, &left)) {
        let line = removed.iter().flatten().map(|removed| removed.line).min().unwrap_or_default();
        let cause = "its list has commas in unusual places".to_owned();
        return Err(EditError::Stuck { file: path.to_owned(), line, cause });
    }
    write::replace(&target, edited.as_bytes(), Access::Shared).map_err(failed)?;
    Ok(removed)
}

/// What [`remove_pins`] would remove.
///
/// # Errors
/// [`EditError`].
pub fn find_pins(
    path: &Path,
    urls: &[PinUrl],
    digest: Option<&Digest>,
) -> Result<Vec<Vec<Removed>>, EditError> {
    let read = read(path, urls, digest)?;
    Ok(read.map_or_else(|| vec![Vec::new(); urls.len()], |(_, plan)| plan.removed))
}

struct Plan {
    removed: Vec<Vec<Removed>>,
    splices: Splices,
    /// What the edited file must say.
    left: toml::Table,
}

fn read(path: &Path, urls: &[PinUrl], digest: Option<&Digest>) -> Result<Option<(String, Plan)>, EditError> {
    let text = match SourceFile::read(path) {
        Ok(file) => file.text().to_owned(),
        Err(unreadable) if unreadable.is_missing() => return Ok(None),
        Err(unreadable) => return Err(invalid(unreadable, path).into()),
    };
    let plan = parsed(path, &text, |file, table| plan(path, file, table, urls, digest))??;
    Ok(Some((text, plan)))
}

fn plan(
    path: &Path,
    file: &SourceFile,
    table: &DeTable<'_>,
    urls: &[PinUrl],
    digest: Option<&Digest>,
) -> Result<Plan, EditError> {
    let mut removed = vec![Vec::new(); urls.len()];
    let mut splices = Vec::new();
    let mut left: toml::Table = file.text().parse().unwrap_or_default();
    // From the last, so that what is left of the list can be counted with the same numbers.
    for (at, block) in blocks(table).enumerate().collect::<Vec<_>>().into_iter().rev() {
        let Some(asked) = urls.iter().position(|url| block.is_of(url)) else { continue };
        let line = file.position(block.place.start).line;
        let (list, items) = block.digests().unwrap_or_default();
        let gone: Vec<bool> =
            items.iter().map(|item| digest.is_some() && digest_of(item).as_ref() == digest).collect();
        let whole = digest.is_none() || (!gone.is_empty() && gone.iter().all(|gone| *gone));
        if !whole && !gone.contains(&true) {
            continue;
        }
        if whole {
            if !file.text().get(block.place.start..).is_some_and(|from| from.starts_with("[[")) {
                let cause = "it is not written as a [[pin]] block".to_owned();
                return Err(EditError::Stuck { file: path.to_owned(), line, cause });
            }
            splices.push((lines_of(file.text(), &block), String::new()));
        } else {
            splices.extend(without(file.text(), &list, items, &gone));
        }
        forget(&mut left, at, (!whole).then_some(&*gone));
        if let Some(removed) = removed.get_mut(asked) {
            removed.insert(0, Removed { line, whole });
        }
    }
    Ok(Plan { removed, splices, left })
}

/// The same removal from the values: of a block, or of some of its digests.
fn forget(left: &mut toml::Table, block: usize, digests: Option<&[bool]>) {
    let Some(pins) = left.get_mut("pin").and_then(toml::Value::as_array_mut) else { return };
    match digests {
        None => {
            pins.remove(block);
            if pins.is_empty() {
                left.remove("pin");
            }
        }
        Some(gone) => {
            let list = pins.get_mut(block).and_then(|pin| pin.get_mut("digests")?.as_array_mut());
            let mut gone = gone.iter();
            if let Some(list) = list {
                list.retain(|_| gone.next() != Some(&true));
            }
        }
    }
}

/// Whether two tables say the same: what is no number equals itself here.
pub(super) fn say_the_same(one: &toml::Table, other: &toml::Table) -> bool {
    let has = |(key, value)| other.get(key).is_some_and(|other| is_same(value, other));
    one.len() == other.len() && one.iter().all(has)
}

fn is_same(one: &toml::Value, other: &toml::Value) -> bool {
    use toml::Value::{Array, Float, Table};
    match (one, other) {
        (Float(one), Float(other)) => one.total_cmp(other).is_eq(),
        (Array(one), Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Table(one), Table(other)) => say_the_same(one, other),
        _ => one == other,
    }
}

/// The lines of a block, and the empty ones that would be left over.
fn lines_of(text: &str, block: &Block<'_>) -> Range<usize> {
    lines_of_table(text, &block.place, block.table)
}

/// The same of a block by its header's place.
pub(super) fn lines_of_table(text: &str, place: &Range<usize>, table: &DeTable<'_>) -> Range<usize> {
    let last = end_of(table).max(place.end);
    let (mut from, mut to) = (line_start(text, place.start), line_end(text, last));
    let rest = text.get(to..).unwrap_or_default();
    if rest.trim().is_empty() {
        from = text.get(..from).unwrap_or_default().trim_end().len();
        from = if from == 0 { 0 } else { line_end(text, from) };
        to = text.len();
    } else if follows_empty_line(text, from) {
        let empty = rest.len() - rest.trim_start().len();
        to = line_start(text, to + empty);
    }
    from..to
}

fn end_of(table: &DeTable<'_>) -> usize {
    let ends = table.values().map(|value| match value.get_ref() {
        DeValue::Table(inner) => end_of(inner).max(value.span().end),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_) => value.span().end,
    });
    ends.max().unwrap_or_default()
}

fn follows_empty_line(text: &str, from: usize) -> bool {
    let before = text.get(..from).unwrap_or_default();
    let line = before.strip_suffix('\n').map(|before| before.rsplit('\n').next().unwrap_or_default());
    line.is_none_or(|line| line.trim().is_empty())
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

/// Where the line ends that `at` is in, its newline included.
fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| at + newline + 1)
}

/// Takes the digests out of their list that are `gone`, of which not all are.
fn without(text: &str, list: &Range<usize>, items: &[Spanned<DeValue<'_>>], gone: &[bool]) -> Splices {
    let mut splices = Vec::new();
    let mut kept_before: Option<Range<usize>> = None;
    for (at, (item, gone)) in items.iter().zip(gone).enumerate() {
        let place = item.span();
        if !gone {
            kept_before = Some(place);
            continue;
        }
        let next = items.get(at + 1).map(Spanned::span);
        let range = own_line(text, list, &place).unwrap_or_else(|| match (&next, &kept_before) {
            (Some(next), _) if is_one_line(text, place.start..next.start) => place.start..next.start,
            (None, Some(before)) if is_one_line(text, before.end..place.end) => before.end..place.end,
            _ => place.start..behind_comma(text, place.end, list.end),
        });
        splices.push((range, String::new()));
    }
    splices
}

/// The line of a digest that stands on one alone, but for its comma and a comment about it.
fn own_line(text: &str, list: &Range<usize>, place: &Range<usize>) -> Option<Range<usize>> {
    let (from, to) = (line_start(text, place.start), line_end(text, place.end));
    let after = text.get(place.end..to)?.trim();
    let after = after.strip_prefix(',').unwrap_or(after).trim_start();
    let alone =
        text.get(from..place.start)?.trim().is_empty() && (after.is_empty() || after.starts_with('#'));
    (alone && from > list.start && to <= list.end).then_some(from..to)
}

fn is_one_line(text: &str, range: Range<usize>) -> bool {
    text.get(range).is_some_and(|text| !text.contains('\n'))
}

fn behind_comma(text: &str, from: usize, end: usize) -> usize {
    let rest = text.get(from..end).unwrap_or_default();
    match rest.trim_start().strip_prefix(',') {
        Some(after) => from + rest.len() - after.len(),
        None => from,
    }
}
