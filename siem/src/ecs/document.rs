//! One ECS event, built field by field. Every value is cut to what its type can hold.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;

use crate::fields::Fields;

/// The longest keyword, in bytes. ECS indexes declare `ignore_above: 1024`: a longer value could not be searched.
const KEYWORD: usize = 1024;
/// The longest URL, in bytes. ECS types whole URLs and paths as wildcard, which is indexed in any length.
const WILDCARD: usize = 16 * 1024;

/// An event under construction. Fields are named by their dotted path; empty and absent values leave no field.
#[derive(Default)]
pub(super) struct Document {
    fields: Fields,
    cut: Vec<&'static str>,
}

impl Document {
    /// Text of ECS type keyword or match_only_text.
    pub(super) fn keyword<'a>(&mut self, path: &'static str, text: impl Into<Option<&'a str>>) {
        if let Some(text) = text.into() {
            self.text(path, text, KEYWORD);
        }
    }

    /// Text of ECS type wildcard.
    pub(super) fn wildcard(&mut self, path: &'static str, text: &str) {
        self.text(path, text, WILDCARD);
    }

    /// A number of ECS type long, which ends where `i64` does.
    pub(super) fn number(&mut self, path: &'static str, number: impl Into<Option<u64>>) {
        if let Some(number) = number.into() {
            self.put(path, number.min(i64::MAX.unsigned_abs()).into());
        }
    }

    /// A truth.
    pub(super) fn flag(&mut self, path: &'static str, flag: bool) {
        self.put(path, flag.into());
    }

    /// A time in UTC, to the microsecond.
    pub(super) fn time(&mut self, path: &'static str, at: Timestamp) {
        self.put(path, format!("{at:.6}").into());
    }

    /// An address. An IPv4-mapped IPv6 address is the IPv4 address it maps.
    pub(super) fn ip(&mut self, path: &'static str, ip: impl Into<Option<IpAddr>>) {
        if let Some(ip) = ip.into() {
            self.put(path, ip.to_canonical().to_string().into());
        }
    }

    /// Keywords, each once, in the order given.
    pub(super) fn keywords<'a>(&mut self, path: &'static str, texts: impl IntoIterator<Item = &'a str>) {
        let mut values: Vec<Value> = Vec::new();
        for text in texts {
            let value = self.within(path, text, KEYWORD).into();
            if !text.is_empty() && !values.contains(&value) {
                values.push(value);
            }
        }
        if !values.is_empty() {
            self.put(path, values.into());
        }
    }

    /// The event. Fields that had to be cut are named in it.
    pub(super) fn finish(mut self) -> Fields {
        let cut = std::mem::take(&mut self.cut);
        self.keywords("Pinfold.truncated", cut);
        self.fields
    }

    fn text(&mut self, path: &'static str, text: &str, longest: usize) {
        if !text.is_empty() {
            let text = self.within(path, text, longest);
            self.put(path, text.into());
        }
    }

    /// The start of `text` that is short enough; notes that something was cut.
    fn within<'a>(&mut self, path: &'static str, text: &'a str, longest: usize) -> &'a str {
        let start = text.get(..text.floor_char_boundary(longest)).unwrap_or_default();
        if start.len() < text.len() {
            self.cut.push(path);
        }
        start
    }

    fn put(&mut self, path: &'static str, value: Value) {
        self.fields.put(path, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        let mut document = Document::default();
        document.keyword("a.b", text);
        document.finish().line()
    }

    #[test]
    fn whatever_a_value_holds_the_line_is_printable_ascii_and_reads_back_the_same() {
        let every_char: Vec<char> = ('\0'..=char::MAX).step_by(7).chain('\0'..'\u{3000}').collect();
        for chars in every_char.chunks(200) {
            let text: String = chars.iter().collect();
            let line = line(&text);
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
            let back: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(back["a"]["b"], text.as_str());
        }
        assert_eq!(
            line("\u{2028}a\u{1f600}\x7fb\u{202e}"),
            r#"{"a":{"b":"\u2028a\ud83d\ude00\u007fb\u202e"}}"#
        );
    }

    #[test]
    fn a_long_value_is_cut_between_characters_and_said_to_be() {
        let line = line(&"é".repeat(600));
        let back: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(back["a"]["b"], "é".repeat(512));
        assert_eq!(back["Pinfold"]["truncated"], serde_json::json!(["a.b"]));
    }

    #[test]
    fn nothing_leaves_no_field() {
        let mut document = Document::default();
        document.keyword("a.empty", "");
        document.keyword("a.none", None);
        document.number("a.number", None);
        document.keywords("a.list", ["", ""]);
        assert_eq!(document.finish().line(), "{}");
    }

    #[test]
    fn a_number_stays_within_the_type_that_the_index_gives_it() {
        let mut document = Document::default();
        document.number("n", u64::MAX);
        assert_eq!(document.finish().line(), r#"{"n":9223372036854775807}"#);
    }
}
