//! Lines of a text, and what is shown of them.

use oxc_span::Span;

use crate::findings::{SHOWN, bounded};

/// A line with fewer bytes says little by itself: that a list begins, which has its elements below each other.
const LITTLE: usize = 16;

/// Where the lines of a text begin.
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// What stands at a place.
    pub(crate) fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The line, from 1, that a byte is in.
    pub(crate) fn line(&self, at: u32) -> usize {
        self.starts.partition_point(|start| *start <= at as usize)
    }

    /// What stands around a word on a line, or else from where the line begins: on the next ones too where it says little.
    pub(crate) fn around(&self, line: usize, word: &str) -> Box<str> {
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let rest = self.text.get(start..).unwrap_or_default();
        let text = rest.lines().next().unwrap_or_default();
        let at = text.find(word);
        if at.is_none() && text.trim().len() < LITTLE {
            return bounded(&joined(rest), SHOWN);
        }
        let indent = text.len() - text.trim_start().len();
        self.excerpt(u32::try_from(start + at.unwrap_or(indent)).unwrap_or(u32::MAX))
    }

    /// What stands around a byte on its line: all of it, where that is short.
    pub(crate) fn excerpt(&self, at: u32) -> Box<str> {
        let line = self.around_byte(at);
        let (start, from, end) = (line.start, line.from, line.end);
        let whole = self.text.get(start..end).unwrap_or_default();
        if whole.trim().chars().nth(SHOWN).is_none() {
            return whole.trim().into();
        }
        let before = if self.text.get(start..from).is_some_and(|before| !before.trim().is_empty()) {
            "…"
        } else {
            ""
        };
        let shown = bounded(self.text.get(from..end).unwrap_or_default().trim(), SHOWN - 2);
        format!("{before}{shown}").into()
    }

    /// What follows a byte.
    pub(crate) fn behind(&self, at: u32) -> &str {
        self.text.get(at as usize..).unwrap_or_default()
    }

    /// What of the text is shown as what stands around a byte, but for the marks where it is cut.
    pub(crate) fn shown(&self, at: u32) -> Span {
        let AroundByte { start, from, end } = self.around_byte(at);
        let whole = self.text.get(start..end).unwrap_or_default();
        if whole.trim().chars().nth(SHOWN).is_none() {
            return Span::new(start as u32, end as u32);
        }
        let rest = self.text.get(from..end).unwrap_or_default();
        let until = rest.char_indices().nth(SHOWN - 2).map_or(end, |(at, _)| from + at);
        Span::new(from as u32, until as u32)
    }

    fn around_byte(&self, at: u32) -> AroundByte {
        let line = self.line(at);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let end = self.starts.get(line).map_or(self.text.len(), |next| next - 1);
        let mut from = (at as usize).saturating_sub(SHOWN / 4).max(start);
        while !self.text.is_char_boundary(from) {
            from -= 1;
        }
        AroundByte { start, from, end }
    }
}

/// The line of a byte.
struct AroundByte {
    start: usize,
    /// From where it is shown, if it is too long to be shown whole.
    from: usize,
    end: usize,
}

/// The first lines one behind the other, as far as is shown.
fn joined(text: &str) -> String {
    let mut joined = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if joined.len() > SHOWN {
            break;
        }
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(line);
    }
    joined
}
