//! The fields of one record, each by its dotted path.
//!
//! Whatever bytes a client or a vendor put into a value, the record is one line of ASCII: JSON escapes what is not
//! ASCII, so no line separator, control character or bidirectional override reaches a terminal or a collector as itself.

use std::io;

use serde::Serialize as _;
use serde_json::ser::Formatter;
use serde_json::{Map, Serializer, Value};

/// A JSON object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Sets what stands at a path. No path is another's parent: paths are literals, and tests walk all of them.
    pub(crate) fn put(&mut self, path: &str, value: impl Into<Value>) {
        let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut fields = &mut self.0;
        for parent in parents.split('.').filter(|parent| !parent.is_empty()) {
            let inner = fields.entry(parent).or_insert_with(|| Map::new().into());
            let Value::Object(inner) = inner else { return };
            fields = inner;
        }
        fields.insert(name.to_owned(), value.into());
    }

    /// What stands at a path.
    pub(crate) fn get(&self, path: &str) -> Option<&Value> {
        let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
        let parents = parents.split('.').filter(|parent| !parent.is_empty());
        let mut fields = &self.0;
        for parent in parents {
            fields = fields.get(parent)?.as_object()?;
        }
        fields.get(name)
    }

    /// The text at a path.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.get(path)?.as_str()
    }

    /// The number at a path.
    pub(crate) fn number(&self, path: &str) -> Option<u64> {
        self.get(path)?.as_u64()
    }

    /// The record, without a line's end.
    pub(crate) fn line(&self) -> String {
        let mut line = Vec::with_capacity(4096);
        // A Vec takes all that is written to it, and a Map's keys are strings: there is nothing to fail.
        let written = self.0.serialize(&mut Serializer::with_formatter(&mut line, Ascii));
        debug_assert!(written.is_ok());
        String::from_utf8_lossy(&line).into_owned()
    }
}

impl From<Fields> for Value {
    fn from(fields: Fields) -> Self {
        Self::Object(fields.0)
    }
}

/// Compact JSON (RFC 8259) in ASCII: what is not, and DEL, is escaped by its UTF-16 code units.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        if fragment.chars().all(is_plain) {
            return writer.write_all(fragment.as_bytes());
        }
        for char in fragment.chars() {
            if is_plain(char) {
                write!(writer, "{char}")?;
                continue;
            }
            for unit in char.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

fn is_plain(char: char) -> bool {
    char.is_ascii() && char != '\x7f'
}
