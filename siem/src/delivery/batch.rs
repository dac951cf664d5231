//! Events that are written together, and how far that has come.

use bytes::Bytes;

use crate::record::Record;

/// The most that one request takes, in bytes of its records: half of what nginx lets pass unless it is told otherwise.
const MOST_BYTES: usize = 512 * 1024;

/// Records in order, of which the first ones need not be written again.
#[derive(Debug)]
pub(super) struct Batch {
    records: Vec<Record>,
    done: usize,
    /// How many records one request takes.
    most: usize,
}

impl Batch {
    pub(super) fn of(records: Vec<Record>) -> Self {
        Self { records, done: 0, most: usize::MAX }
    }

    /// What is still to be written.
    pub(super) fn rest(&self) -> &[Record] {
        self.records.get(self.done..).unwrap_or_default()
    }

    /// What one request takes of that: one record at least, however long it is.
    pub(super) fn piece(&self) -> &[Record] {
        let mut bytes = 0_usize;
        let fits = |record: &&Record| {
            bytes = bytes.saturating_add(record.line.len() + 1);
            bytes <= MOST_BYTES
        };
        let count = self.rest().iter().take(self.most).take_while(fits).count().max(1);
        self.rest().get(..count).unwrap_or_default()
    }

    /// A piece was refused: the next one ends before the record `at` that is at fault, or is half as long. `false` where the
    /// piece was one record.
    pub(super) fn lessen(&mut self, at: Option<usize>) -> bool {
        let refused = self.piece().len();
        if refused <= 1 {
            return false;
        }
        self.most = at.unwrap_or(refused / 2).clamp(1, refused - 1);
        true
    }

    /// The next `count` of the rest have been written, or are not written any more.
    pub(super) fn advance(&mut self, count: usize) {
        self.done = self.records.len().min(self.done.saturating_add(count));
        self.most = self.most.saturating_mul(2);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(lens: &[usize]) -> Batch {
        let record = |len: &usize| Record {
            id: String::new(),
            line: "x".repeat(*len),
            at: jiff::Timestamp::UNIX_EPOCH,
            code: String::new(),
            severity: 0,
        };
        Batch::of(lens.iter().map(record).collect())
    }

    #[test]
    fn a_piece_is_bounded_in_bytes_and_never_empty() {
        let mut batch = batch(&[MOST_BYTES / 2 - 1, MOST_BYTES / 2 - 1, 1, MOST_BYTES, 1]);
        for expected in [2, 1, 1, 1, 0] {
            assert_eq!(batch.piece().len(), expected);
            batch.advance(expected);
        }
    }

    #[test]
    fn what_is_at_fault_is_found_by_halving_or_at_once_where_the_receiver_says_it() {
        let mut batch = batch(&[1; 9]);
        assert!(batch.lessen(None) && batch.piece().len() == 4);
        assert!(batch.lessen(None) && batch.lessen(None) && batch.piece().len() == 1);
        assert!(!batch.lessen(None));
        batch.advance(1);
        assert_eq!(batch.piece().len(), 2);
        batch.advance(2);
        assert_eq!(batch.piece().len(), 4);
        for (said, next) in [(Some(3), 3), (Some(0), 1)] {
            assert!(batch.lessen(said));
            assert_eq!(batch.piece().len(), next);
        }
        let mut batch = self::batch(&[1; 4]);
        assert!(batch.lessen(Some(usize::MAX)) && batch.piece().len() == 3);
    }
}
