//! Events that are written together, and how far that has come.

use bytes::Bytes;

use crate::record::Record;

/// Records in order, of which the first ones need not be written again.
#[derive(Debug)]
pub(super) struct Batch {
    records: Vec<Record>,
    done: usize,
}

impl Batch {
    pub(super) fn of(records: Vec<Record>) -> Self {
        Self { records, done: 0 }
    }

    /// What is still to be written.
    pub(super) fn rest(&self) -> &[Record] {
        self.records.get(self.done..).unwrap_or_default()
    }

    /// The next `count` of the rest have been written.
    pub(super) fn advance(&mut self, count: usize) {
        self.done = self.records.len().min(self.done.saturating_add(count));
    }
}

/// Records as lines, each with its end.
pub(super) fn lines(records: &[Record]) -> Bytes {
    let mut lines = String::new();
    for record in records {
        lines.push_str(&record.line);
        lines.push('\n');
    }
    lines.into()
}
