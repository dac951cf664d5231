//! `[[pin]]` blocks as 'pinfold pin add' writes them, read without tables in between: a list has a million of them.
//!
//! The parser is the one below the `toml` crate, so there is one reading of the text. Here its events become pins at once.
//! What is written in any other way, and whatever there would be to say about, is left to the reader that says it.

use std::ops::Range;
use std::str::FromStr;

use jiff::civil::Date;
use pinfold_policy::digest::Digest;
use pinfold_policy::pin::PinUrl;
use toml::Spanned;
use toml_parser::decoder::Encoding;
use toml_parser::parser::{EventReceiver, ValidateWhitespace, parse_document};
use toml_parser::{ErrorSink, ParseError, Source, Span};

use super::{Entry, about_dates, repeated};

/// The blocks of a text that is nothing but such blocks; `None` where a finding could be about one of them.
pub(super) fn entries(text: &str, today: Date) -> Option<Vec<Entry<'_>>> {
    let source = Source::new(text);
    let tokens = source.lex().into_vec();
    let mut reading = Reading { text, blocks: Vec::new(), expects: Expects::Header, is_plain: true };
    let mut error: Option<ParseError> = None;
    parse_document(&tokens, &mut ValidateWhitespace::new(&mut reading, source), &mut error);
    if !reading.is_plain || error.is_some() {
        return None;
    }
    reading.blocks.into_iter().map(|block| block.entry(today)).collect()
}

/// A text between quotes that says what it means, and where it stands with its quotes.
type Text<'t> = Spanned<&'t str>;

#[derive(Default)]
struct Block<'t> {
    place: Range<usize>,
    url: Option<Text<'t>>,
    digests: Option<Vec<Spanned<Digest>>>,
    kind: Option<Text<'t>>,
    release: Option<Text<'t>>,
    owner: Option<Text<'t>>,
    reason: Option<Text<'t>>,
    added: Option<Date>,
    expires: Option<Date>,
}

impl<'t> Block<'t> {
    fn entry(self, today: Date) -> Option<Entry<'t>> {
        let Self { place, url, digests, kind, release, owner, reason, added, expires } = self;
        let digests = digests?;
        if digests.is_empty() || repeated(&digests).next().is_some() {
            return None;
        }
        let plain = |text: Text<'t>| text.into_inner();
        let entry = Entry {
            place,
            url: Spanned::new(url.as_ref()?.span(), PinUrl::parse(url?.get_ref()).ok()?),
            digests,
            kind: match kind {
                Some(kind) => Some(parsed(&kind)?),
                None => None,
            },
            release: release.map(plain),
            owner: owner.map(plain).filter(|owner| !owner.is_empty()),
            reason: reason.map(plain).filter(|reason| !reason.is_empty()),
            added,
            expires,
        };
        let is_justified = entry.owner.is_some() && entry.reason.is_some();
        (is_justified && about_dates(added, expires, today).is_none()).then_some(entry)
    }
}

fn parsed<T: FromStr>(text: &Text<'_>) -> Option<Spanned<T>> {
    Some(Spanned::new(text.span(), text.get_ref().parse().ok()?))
}

/// What comes next in a text that is still plain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expects {
    Header,
    Name,
    Key,
    Value(Key),
    Digest,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Url,
    Digests,
    Kind,
    Release,
    Owner,
    Reason,
    Added,
    Expires,
}

impl Key {
    fn of(word: &str) -> Option<Self> {
        match word {
            "url" => Some(Self::Url),
            "digests" => Some(Self::Digests),
            "kind" => Some(Self::Kind),
            "release" => Some(Self::Release),
            "owner" => Some(Self::Owner),
            "reason" => Some(Self::Reason),
            "added" => Some(Self::Added),
            "expires" => Some(Self::Expires),
            _ => None,
        }
    }
}

struct Reading<'t> {
    text: &'t str,
    blocks: Vec<Block<'t>>,
    expects: Expects,
    is_plain: bool,
}

impl<'t> Reading<'t> {
    /// Takes a step, which there is none of in a text that is not plain.
    fn step(&mut self, step: impl FnOnce(&mut Self) -> Option<Expects>) -> bool {
        match step(self).filter(|_| self.is_plain) {
            Some(next) => self.expects = next,
            None => self.is_plain = false,
        }
        self.is_plain
    }

    fn raw(&self, span: Span) -> Option<&'t str> {
        self.text.get(span.start()..span.end())
    }

    /// A string of one line that means what it says.
    fn string(&self, span: Span, encoding: Option<Encoding>) -> Option<Text<'t>> {
        let quoted = self.raw(span).filter(|_| encoding == Some(Encoding::BasicString))?;
        let text = quoted.strip_prefix('"')?.strip_suffix('"')?;
        // All of it is looked at, whatever was found: many bytes at a time.
        let is_odd = |byte: u8| byte.is_ascii_control() | (byte == b'\\');
        let is_literal = !text.bytes().fold(false, |any, byte| any | is_odd(byte));
        is_literal.then(|| Spanned::new(span.start()..span.end(), text))
    }

    fn date(&self, span: Span, encoding: Option<Encoding>) -> Option<Date> {
        let written = self.raw(span).filter(|_| encoding.is_none())?;
        let (year, month, day) = (written.get(..4)?, written.get(4..7)?, written.get(7..)?);
        let number = |digits: &str| {
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<i16>().ok().filter(|_| is_number)
        };
        let two = |part: &str| i8::try_from(number(part.strip_prefix('-').filter(|it| it.len() == 2)?)?).ok();
        Date::new(number(year)?, two(month)?, two(day)?).ok()
    }

    fn value(&mut self, key: Key, span: Span, encoding: Option<Encoding>) -> Option<Expects> {
        let (string, date) = (self.string(span, encoding), self.date(span, encoding));
        let block = self.blocks.last_mut()?;
        let is_first = match key {
            Key::Url => block.url.replace(string?).is_none(),
            Key::Digests => false,
            Key::Kind => block.kind.replace(string?).is_none(),
            Key::Release => block.release.replace(string?).is_none(),
            Key::Owner => block.owner.replace(string?).is_none(),
            Key::Reason => block.reason.replace(string?).is_none(),
            Key::Added => block.added.replace(date?).is_none(),
            Key::Expires => block.expires.replace(date?).is_none(),
        };
        is_first.then_some(Expects::Key)
    }
}

impl EventReceiver for Reading<'_> {
    fn array_table_open(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.step(|this| {
            let is_due = [Expects::Header, Expects::Key].contains(&this.expects);
            this.blocks.push(Block { place: span.start()..span.end(), ..Block::default() });
            is_due.then_some(Expects::Name)
        });
    }

    fn array_table_close(&mut self, span: Span, _: &mut dyn ErrorSink) {
        self.step(|this| {
            this.blocks.last_mut()?.place.end = span.end();
            (this.expects == Expects::Key).then_some(Expects::Key)
        });
    }

    fn simple_key(&mut self, span: Span, encoding: Option<Encoding>, _: &mut dyn ErrorSink) {
        self.step(|this| {
            let word = this.raw(span).filter(|_| encoding.is_none())?;
            match this.expects {
                Expects::Name => (word == "pin").then_some(Expects::Key),
                Expects::Key => Key::of(word).map(Expects::Value),
                Expects::Header | Expects::Value(_) | Expects::Digest => None,
            }
        });
    }

    fn scalar(&mut self, span: Span, encoding: Option<Encoding>, _: &mut dyn ErrorSink) {
        self.step(|this| match this.expects {
            Expects::Value(key) => this.value(key, span, encoding),
            Expects::Digest => {
                let digest = parsed(&this.string(span, encoding)?)?;
                this.blocks.last_mut()?.digests.as_mut()?.push(digest);
                Some(Expects::Digest)
            }
            Expects::Header | Expects::Name | Expects::Key => None,
        });
    }

    fn array_open(&mut self, _: Span, _: &mut dyn ErrorSink) -> bool {
        self.step(|this| {
            let is_first = this.blocks.last_mut()?.digests.replace(Vec::with_capacity(1)).is_none();
            (is_first && this.expects == Expects::Value(Key::Digests)).then_some(Expects::Digest)
        })
    }

    fn array_close(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.step(|this| (this.expects == Expects::Digest).then_some(Expects::Key));
    }

    fn inline_table_open(&mut self, _: Span, _: &mut dyn ErrorSink) -> bool {
        self.step(|_| None)
    }

    fn std_table_open(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.step(|_| None);
    }

    fn key_sep(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.step(|_| None);
    }

    fn error(&mut self, _: Span, _: &mut dyn ErrorSink) {
        self.step(|_| None);
    }
}
