//! What pictures are made of: numbers to draw, in the units of their `viewBox`. Beside each stand the same numbers as text.

use pinfold_policy::verdict::Outcome;

use super::Flow;
use crate::{Coverage, Unjudged};

/// How wide a bar of shares is.
const WIDE: u64 = 1000;
/// How high a column is at most.
const HIGH: u64 = 60;
/// What is there is seen, however little of the whole it is.
const LEAST: u64 = 6;

/// A part of a bar.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) word: &'static str,
    pub(super) count: u64,
    pub(super) x: u64,
    pub(super) width: u64,
}

/// Columns of a chart over time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) x: u64,
    pub(super) y: u64,
    pub(super) height: u64,
    pub(super) count: u64,
    pub(super) hours_ago: u64,
}

/// The outcomes as parts of one bar, always in the same order.
pub(super) fn of_flow(flow: &Flow) -> Vec<Part> {
    let order = [
        (Outcome::Verified, "verified"),
        (Outcome::Substituted, "substituted"),
        (Outcome::Observed, "observed"),
        (Outcome::Blocked, "blocked"),
        (Outcome::Quarantined, "quarantined"),
    ];
    let count_of =
        |outcome| flow.outcomes.iter().filter(|(is, _)| *is == outcome).map(|(_, count)| count).sum();
    parts(&order.map(|(outcome, word)| (word, count_of(outcome))))
}

/// What was judged and what was not, as parts of one bar, always in the same order.
pub(super) fn of_coverage(coverage: &Coverage) -> Vec<Part> {
    let order = [
        (Unjudged::Unguarded, "not guarded"),
        (Unjudged::Document, "documents"),
        (Unjudged::OtherHost, "other hosts"),
        (Unjudged::Tunnel, "tunnels"),
        (Unjudged::Websocket, "WebSockets"),
    ];
    let count_of = |why| coverage.unjudged.iter().filter(|(is, _)| *is == why).map(|(_, count)| count).sum();
    let unjudged = order.into_iter().map(|(why, word)| (word, count_of(why)));
    parts(&[("judged", coverage.judged)].into_iter().chain(unjudged).collect::<Vec<_>>())
}

fn parts(counts: &[(&'static str, u64)]) -> Vec<Part> {
    let sum: u64 = counts.iter().map(|(_, count)| count).sum();
    let there = counts.iter().filter(|(_, count)| *count > 0).fold(0, |there, _| there + 1);
    let shared = WIDE - LEAST * there;
    let mut x = 0;
    counts
        .iter()
        .map(|&(word, count)| {
            let share = u128::from(shared) * u128::from(count) / u128::from(sum.max(1));
            let width = if count == 0 { 0 } else { LEAST + u64::try_from(share).unwrap_or(shared) };
            let part = Part { word, count, x, width };
            x += width;
            part
        })
        .collect()
}

/// One column for each hour, the oldest first.
pub(super) fn columns(hours: &[u64; 24]) -> Vec<Column> {
    let most = hours.iter().max().copied().unwrap_or_default().max(1);
    let column = |(at, count): (u64, &u64)| {
        let scaled = u128::from(HIGH) * u128::from(*count) / u128::from(most);
        let height = u64::try_from(scaled).unwrap_or(HIGH).max(if *count == 0 { 1 } else { 3 });
        Column { x: at * 20, y: HIGH - height, height, count: *count, hours_ago: 23 - at }
    };
    (0..24).zip(hours).map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_wide_as_its_box_at_most_and_one_of_a_million_is_seen() {
        let flow = Flow { outcomes: vec![(Outcome::Verified, 1_000_000), (Outcome::Quarantined, 1)] };
        let parts = of_flow(&flow);
        assert!(parts.iter().map(|part| part.width).sum::<u64>() <= WIDE);
        assert_eq!(parts.last().map(|part| (part.count, part.width)), Some((1, LEAST)));
        assert!(of_flow(&Flow::default()).iter().all(|part| part.width == 0));
    }

    #[test]
    fn the_highest_hour_is_as_high_as_the_chart_and_none_is_higher() {
        let mut hours = [0; 24];
        (hours[0], hours[23]) = (u64::MAX, 1);
        let columns = columns(&hours);
        assert_eq!((columns[0].y, columns[0].height, columns[0].hours_ago), (0, HIGH, 23));
        assert_eq!((columns[23].height, columns[1].height), (3, 1));
    }
}
