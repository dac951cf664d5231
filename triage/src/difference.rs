//! What is not the same in two formatted texts, line by line.

use std::time::{Duration, Instant};

use similar::{Algorithm, ChangeTag, TextDiff};

use crate::findings::{Diff, Hunk, Mark, SHOWN, bounded};
use crate::limits::Limits;

/// Unchanged lines that are shown around changed ones.
const AROUND: usize = 3;
/// Changed lines that are shown at most.
const MOST: usize = 2000;
/// A difference that takes longer is coarser than it could be.
const PATIENCE: Duration = Duration::from_millis(500);

/// Compares two formatted texts.
pub(crate) fn difference(old: &str, new: &str, limits: &Limits) -> Diff {
    let patience = Instant::now() + PATIENCE;
    let deadline = limits.deadline.map_or(patience, |deadline| deadline.min(patience));
    let compared = TextDiff::configure().algorithm(Algorithm::Myers).deadline(deadline).diff_lines(old, new);
    let mut diff = Diff::default();
    for group in compared.grouped_ops(AROUND) {
        let mut hunk = Hunk {
            old_start: group.first().map_or(0, |op| op.old_range().start) + 1,
            new_start: group.first().map_or(0, |op| op.new_range().start) + 1,
            lines: Vec::new(),
        };
        for change in group.iter().flat_map(|op| compared.iter_changes(op)) {
            let mark = match change.tag() {
                ChangeTag::Equal => Mark::Both,
                ChangeTag::Delete => {
                    diff.removed += 1;
                    Mark::Removed
                }
                ChangeTag::Insert => {
                    diff.added += 1;
                    Mark::Added
                }
            };
            if diff.added + diff.removed > MOST {
                diff.left_out += usize::from(mark != Mark::Both);
                continue;
            }
            // Tabs are the formatter's.
            let line = change.value().trim_end_matches(['\n', '\r']).replace('\t', "  ");
            hunk.lines.push((mark, bounded(&line, 2 * SHOWN)));
        }
        if !hunk.lines.is_empty() {
            diff.hunks.push(hunk);
        }
    }
    diff
}
