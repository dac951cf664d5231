//! Places in the feed of a month.

use uuid::Uuid;

/// Behind which event of a month's feed something has come. Its number alone does not say it: a month that was dropped and
/// begins anew, or was put back from an older copy, has other events under the same numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// 0 before the first.
    pub(crate) seq: i64,
    /// None before the first, and where a version noted it that knew numbers only.
    pub(crate) event: Option<Uuid>,
}

impl Place {
    pub(crate) fn of(seq: i64, event: Uuid) -> Self {
        Self { seq, event: Some(event) }
    }

    /// How many rows there are from here to the last one of a feed, as far as the two say it: all of them where this is no
    /// place of that feed.
    pub(crate) fn rows_to(self, last: Self) -> i64 {
        let is_there = self.event.is_none() || self.event == last.event;
        match last.seq - self.seq {
            0 if is_there => 0,
            rows @ 1.. => rows,
            _ => last.seq,
        }
    }
}
