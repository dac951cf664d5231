//! One line of the event feed.

use serde_json::Value;

/// One event, as a SIEM reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event(Value);

impl Event {
    /// Reads one line; a line that is no JSON object, or holds anything but printable ASCII, fails the test.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "not printable ASCII: {line:?}");
        let value: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"));
        assert!(value.is_object(), "an event is an object: {line}");
        Self(value)
    }

    /// The whole object.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// What stands at a dotted path such as `event.reason`.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&self.0, |value, name| value.get(name))
    }

    /// The text at a dotted path.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.at(path).and_then(Value::as_str)
    }

    /// `verified`, `observed`, `blocked`, `quarantined` …
    #[must_use]
    pub fn verdict(&self) -> Option<&str> {
        self.text("Pinfold.verdict")
    }

    /// One token of the reason table.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.text("event.reason")
    }

    /// What a refused client was told to quote.
    #[must_use]
    pub fn incident(&self) -> Option<&str> {
        self.text("Pinfold.incident")
    }

    /// The URL that was asked for.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.text("url.full")
    }

    /// SHA-256 of the decoded body, in hex.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.text("file.hash.sha256")
    }

    /// How many exchanges it stands for.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        self.at("Pinfold.count").and_then(Value::as_u64)
    }
}
