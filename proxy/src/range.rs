//! Parts of a verified body (RFC 9110 §14): only of one that is not coded.
//!
//! What many ranges cost is bounded (RFC 9110 §17.15): the parts of one answer are few, no byte of the body is in two of
//! them, and together they are shorter than the body. Where that cannot be, the whole body is the answer.

use std::ops::Range;

use http::{HeaderMap, header};

use crate::headers::text;

/// Ranges of one request.
const RANGES: usize = 16;
/// What the head of one of several parts takes, about, in bytes.
const PART_HEAD: u64 = 160;

/// What a request's `Range` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The whole body: nothing was asked, or nothing that is served in parts.
    Whole,
    /// These bytes.
    Bytes(Range<u64>),
    /// These, two or more, none of them in two ranges, in the order in which they were asked for.
    Several(Vec<Range<u64>>),
    /// Bytes that are not there: 416.
    Unsatisfiable,
}

/// Whether a request asks for ranges of bytes, as few as are served.
pub(crate) fn is_asked_for(headers: &HeaderMap) -> bool {
    parse(headers).is_some()
}

/// The part of a body of `len` bytes that a request asks for. `etag` is the strong tag of the body: with an `If-Range`
/// that is another, the whole body is the answer (RFC 9110 §13.1.5).
pub(crate) fn part(headers: &HeaderMap, len: u64, etag: &str) -> Part {
    if headers.contains_key(header::IF_RANGE) && text(headers, header::IF_RANGE) != Some(etag) {
        return Part::Whole;
    }
    let Some(wanted) = parse(headers) else { return Part::Whole };
    let there = wanted.into_iter().map(|one| one.within(len)).filter(|range| !range.is_empty()).collect();
    let mut parts = coalesced(there);
    match (parts.pop(), parts.is_empty()) {
        (None, _) => Part::Unsatisfiable,
        (Some(only), true) => Part::Bytes(only),
        (Some(last), false) => {
            parts.push(last);
            let cost: u64 = parts.iter().map(|part| part.end - part.start + PART_HEAD).sum();
            if cost < len { Part::Several(parts) } else { Part::Whole }
        }
    }
}

/// Ranges that overlap or touch as one, which stands where the first of them stood (RFC 9110 §15.3.7.2).
fn coalesced(ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut sorted: Vec<_> = ranges.into_iter().enumerate().collect();
    sorted.sort_unstable_by_key(|(_, range)| range.start);
    let mut joined: Vec<(usize, Range<u64>)> = Vec::with_capacity(sorted.len());
    for (at, range) in sorted {
        match joined.last_mut() {
            Some((first, last)) if range.start <= last.end => {
                *first = at.min(*first);
                last.end = range.end.max(last.end);
            }
            Some(_) | None => joined.push((at, range)),
        }
    }
    joined.sort_unstable_by_key(|(first, _)| *first);
    joined.into_iter().map(|(_, range)| range).collect()
}

enum Wanted {
    From(u64),
    FromTo(u64, u64),
    Last(u64),
}

impl Wanted {
    fn within(self, len: u64) -> Range<u64> {
        match self {
            Self::From(first) => first..len,
            Self::FromTo(first, last) => first..len.min(last.saturating_add(1)),
            Self::Last(count) => len.saturating_sub(count)..len,
        }
    }
}

/// The ranges of one field. Of a field that says anything else, or says more than is served, nothing counts, as RFC 9110
/// §14.2 allows.
fn parse(headers: &HeaderMap) -> Option<Vec<Wanted>> {
    let mut fields = headers.get_all(header::RANGE).iter();
    let field = fields.next()?.to_str().ok()?;
    if fields.next().is_some() {
        return None;
    }
    let (unit, set) = field.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    // A list may have empty elements (RFC 9110 §5.6.1.2).
    let specs = set.split(',').map(str::trim).filter(|spec| !spec.is_empty());
    let wanted: Vec<_> = specs.take(RANGES + 1).map(range).collect::<Option<_>>()?;
    (1..=RANGES).contains(&wanted.len()).then_some(wanted)
}

fn range(spec: &str) -> Option<Wanted> {
    match spec.split_once('-')? {
        ("", last) => number(last).map(Wanted::Last),
        (first, "") => number(first).map(Wanted::From),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Wanted::FromTo(first, last))
        }
    }
}

fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // A number beyond u64 is beyond every body.
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const LEN: u64 = 1000;

    fn of(range: &str, if_range: Option<&str>) -> Part {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(range).unwrap());
        if let Some(tag) = if_range {
            headers.insert(header::IF_RANGE, HeaderValue::from_str(tag).unwrap());
        }
        part(&headers, LEN, "\"ours\"")
    }

    #[test]
    fn one_range_is_served() {
        assert_eq!(of("bytes=0-9", None), Part::Bytes(0..10));
        assert_eq!(of("Bytes=990-", None), Part::Bytes(990..1000));
        assert_eq!(of("bytes=990-10000", None), Part::Bytes(990..1000));
        assert_eq!(of("bytes=-10", None), Part::Bytes(990..1000));
        assert_eq!(of("bytes=-10000", None), Part::Bytes(0..1000));
        assert_eq!(of("bytes=0-99999999999999999999999", None), Part::Bytes(0..1000));
        assert_eq!(of("bytes=, 0-9 ,", None), Part::Bytes(0..10));
    }

    #[test]
    fn several_ranges_are_served_as_they_were_asked_for() {
        assert_eq!(of("bytes=0-3,10-13", None), Part::Several(vec![0..4, 10..14]));
        assert_eq!(of("bytes=-5,\t0-3 ,, 500-509", None), Part::Several(vec![995..1000, 0..4, 500..510]));
    }

    #[test]
    fn ranges_that_are_not_there_are_left_out() {
        assert_eq!(of("bytes=0-3,1000-,20-23,-0", None), Part::Several(vec![0..4, 20..24]));
        assert_eq!(of("bytes=1000-,0-3", None), Part::Bytes(0..4));
        for range in ["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=1000-,-0,2000-3000"] {
            assert_eq!(of(range, None), Part::Unsatisfiable, "{range}");
        }
    }

    #[test]
    fn no_byte_is_sent_twice_for_ranges_that_overlap() {
        assert_eq!(of("bytes=0-9,5-14,15-19", None), Part::Bytes(0..20));
        assert_eq!(of("bytes=100-109,0-9,105-119,0-0", None), Part::Several(vec![100..120, 0..10]));
        assert_eq!(of(&format!("bytes={}", ["0-"; 16].join(",")), None), Part::Bytes(0..1000));
    }

    #[test]
    fn ranges_that_cost_more_than_the_body_get_the_whole_body() {
        let few = (0..5).map(|at| format!("{}-{}", at * 10, at * 10)).collect::<Vec<_>>().join(",");
        assert!(matches!(of(&format!("bytes={few}"), None), Part::Several(parts) if parts.len() == 5));
        assert_eq!(of(&format!("bytes={few},100-300"), None), Part::Whole);
        assert_eq!(of("bytes=0-490,500-", None), Part::Whole);
        let many = ["0-0"; RANGES + 1].join(",");
        assert_eq!(of(&format!("bytes={many}"), None), Part::Whole);
    }

    #[test]
    fn what_is_no_range_gets_the_whole_body() {
        for range in [
            "bytes=9-1",
            "bytes=a-b",
            "bytes=-",
            "bytes=,",
            "bytes=0-1,9-1",
            "bytes=0-1;3-4",
            "lines=0-1",
            "bytes 0-1",
            "bytes=+1-2",
        ] {
            assert_eq!(of(range, None), Part::Whole, "{range}");
        }
    }

    #[test]
    fn a_part_of_another_body_is_not_served() {
        for range in ["bytes=0-9", "bytes=0-9,20-29"] {
            assert_ne!(of(range, Some("\"ours\"")), Part::Whole);
            assert_eq!(of(range, Some("\"theirs\"")), Part::Whole);
            assert_eq!(of(range, Some("W/\"ours\"")), Part::Whole);
            assert_eq!(of(range, Some("Wed, 21 Oct 2015 07:28:00 GMT")), Part::Whole);
        }
    }

    proptest! {
        #[test]
        fn what_is_served_is_what_was_asked_for_once(
            wanted in prop::collection::vec((0..1200_u64, prop::option::of(0..80_u64)), 1..20),
        ) {
            let spec = |(first, more): &(u64, Option<u64>)| match more {
                Some(more) => format!("{first}-{}", first + more),
                None => format!("-{first}"),
            };
            let field = format!("bytes={}", wanted.iter().map(spec).collect::<Vec<_>>().join(", "));
            let is_wanted = |at: u64| wanted.iter().any(|(first, more)| match more {
                Some(more) => (*first..=first + more).contains(&at),
                None => at + first >= LEN,
            });
            let (asked, parts) = ((0..LEN).filter(|at| is_wanted(*at)), match of(&field, None) {
                Part::Whole => return Ok(()),
                Part::Bytes(one) => vec![one],
                Part::Several(parts) => parts,
                Part::Unsatisfiable => Vec::new(),
            });
            let mut given: Vec<u64> = parts.iter().cloned().flatten().collect();
            given.sort_unstable();
            prop_assert_eq!(given, asked.collect::<Vec<_>>(), "{}", field);
        }
    }
}
