//! A long list, read in pieces side by side.
//!
//! A file is cut before lines that begin with `[[pin]]` or `[[revoke]]`, and each piece is parsed on its own, by the
//! parser that would parse the whole. What the pieces say, one after another, is then what the whole says:
//!
//! - Such a line can also stand inside a text of several lines. Then the piece before it ends within that text and is no
//!   TOML. A piece that ends with a line end and is TOML leaves the parser where a new block can begin.
//! - Only the last block of a list can be added to, and it is in the same piece. A piece that begins with a header has
//!   no keys of its own outside its blocks, and the text before the first header must not have any.
//! - A `[pin]` or `[pin.x]` that would meet a list from another piece is a table in its own, not a list.
//!
//! Where one of these fails, nothing of the pieces counts, and the file is read as a whole. The parser takes ten times
//! the memory of a text, so of a file that is too long for that, the pieces that failed are reported.

use std::ops::Range;
use std::panic::resume_unwind;
use std::thread;

use crate::pins::{Said, Shared};
use crate::source::{Found, Mistake, SourceFile};

/// How long pieces and wholes are, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    /// From here on a piece ends before the next header.
    pub(super) piece: usize,
    /// The longest file that is read as a whole.
    pub(super) whole: usize,
}

/// A piece is a hundred pins: what a parser makes of them stays within a processor's cache.
pub(super) const LENGTHS: Lengths = Lengths { piece: 32 * 1024, whole: 64 * 1024 * 1024 };

const HEADERS: [&str; 2] = ["[[pin]]", "[[revoke]]"];

/// Whether the text begins with a block of a list.
pub(super) fn begins_with_header(text: &str) -> bool {
    HEADERS.iter().any(|header| text.starts_with(header))
}

/// Reads the pieces of a file with `read`, which gives `None` of one that cannot be read on its own. `None`, and no
/// findings, where the file is to be read as a whole.
pub(super) fn read(
    source: &SourceFile,
    lengths: Lengths,
    read: impl Fn(&SourceFile, &mut Shared) -> Option<Said> + Sync,
) -> Option<Said> {
    let (name, text) = (&**source.name(), source.text());
    let pieces = cut(text, lengths.piece);
    let can_be_whole = text.len() <= lengths.whole;
    if can_be_whole && pieces.len() < 3 {
        return None;
    }
    let mut shares = side_by_side(&pieces, |pieces| Share::read(name, text, pieces, &read)).into_iter();
    let mut whole = shares.next().unwrap_or_default();
    for share in shares {
        whole.append(share, 0);
    }
    if can_be_whole && !whole.stands {
        return None;
    }
    source.absorb(whole.found);
    Some(whole.said)
}

/// The text before the first header, then pieces that begin with one.
fn cut(text: &str, len: usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let (mut start, mut from) = (0, 0);
    while let Some(header) = next_header(text, from) {
        pieces.push(start..header);
        (start, from) = (header, header.saturating_add(len));
    }
    pieces.push(start..text.len());
    pieces
}

/// The first line at or behind `from` that begins with a header.
fn next_header(text: &str, from: usize) -> Option<usize> {
    let unmarked = text.strip_prefix('\u{feff}').unwrap_or(text);
    if from == 0 && begins_with_header(unmarked) {
        return Some(text.len() - unmarked.len());
    }
    let mut at = text.ceil_char_boundary(from);
    loop {
        at += text.get(at..)?.find("\n[[")? + 1;
        if begins_with_header(text.get(at..)?) {
            return Some(at);
        }
    }
}

/// What pieces that follow each other say, and what was found in them.
struct Share {
    said: Said,
    found: Found,
    /// Whether each of them could be read on its own.
    stands: bool,
}

impl Default for Share {
    fn default() -> Self {
        Self { said: Said::default(), found: Found::default(), stands: true }
    }
}

impl Share {
    fn read(
        name: &str,
        text: &str,
        pieces: &[Range<usize>],
        read: impl Fn(&SourceFile, &mut Shared) -> Option<Said>,
    ) -> Self {
        let (mut share, mut shared) = (Self::default(), Shared::default());
        for range in pieces {
            let piece = SourceFile::new(name, text.get(range.clone()).unwrap_or_default());
            let said = read(&piece, &mut shared);
            let stands = said.is_some();
            if !stands {
                let mistake = Mistake::new("what begins here cannot be read on its own");
                piece.error(0..0, mistake.hint(LONG));
            }
            // Now, and not in the end: the memory of this piece is then there for the next.
            let found = piece.into_found();
            share.append(Self { said: said.unwrap_or_default(), found, stands }, range.start);
        }
        share
    }

    /// Adds what stands behind: its places count from byte `offset`, its lines from those here.
    fn append(&mut self, behind: Self, offset: usize) {
        self.said.append(behind.said, offset, self.found.lines());
        self.found.append(behind.found, offset);
        self.stands &= behind.stands;
    }
}

const LONG: &str =
    "a list of more than 64 MiB is [[pin]] and [[revoke]] blocks alone, each header at the start of a line";

/// Gives each thread its share of the pieces, and what they made of them in the order of the text.
fn side_by_side<T: Send>(pieces: &[Range<usize>], work: impl Fn(&[Range<usize>]) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let work = &work;
    thread::scope(|scope| {
        let shares = pieces.chunks(pieces.len().div_ceil(threads).max(1));
        let running: Vec<_> = shares.map(|share| scope.spawn(move || work(share))).collect();
        running.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

#[cfg(test)]
mod tests;
