//! A part of a verified body (RFC 9110 §14): only of one that is not coded, and only one part.

use std::ops::Range;

use http::{HeaderMap, header};

use crate::headers::text;

/// What a request's `Range` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The whole body: nothing was asked, or nothing that is served in parts.
    Whole,
    /// These bytes.
    Bytes(Range<u64>),
    /// Bytes that are not there: 416.
    Unsatisfiable,
}

/// Whether a request asks for one range of bytes.
pub(crate) fn is_asked_for(headers: &HeaderMap) -> bool {
    parse(headers).is_some()
}

/// The part of a body of `len` bytes that a request asks for. `etag` is the strong tag of the body: with an `If-Range`
/// that is another, the whole body is the answer (RFC 9110 §13.1.5).
pub(crate) fn part(headers: &HeaderMap, len: u64, etag: &str) -> Part {
    if headers.contains_key(header::IF_RANGE) && text(headers, header::IF_RANGE) != Some(etag) {
        return Part::Whole;
    }
    match parse(headers) {
        None => Part::Whole,
        Some(Wanted::From(first)) => within(first..len),
        Some(Wanted::FromTo(first, last)) => within(first..len.min(last.saturating_add(1))),
        Some(Wanted::Last(count)) => within(len.saturating_sub(count)..len),
    }
}

fn within(range: Range<u64>) -> Part {
    if range.is_empty() { Part::Unsatisfiable } else { Part::Bytes(range) }
}

enum Wanted {
    From(u64),
    FromTo(u64, u64),
    Last(u64),
}

/// One range, in one field. Several ranges are answered with the whole body, as RFC 9110 §14.2 allows.
fn parse(headers: &HeaderMap) -> Option<Wanted> {
    let mut fields = headers.get_all(header::RANGE).iter();
    let field = fields.next()?.to_str().ok()?;
    if fields.next().is_some() {
        return None;
    }
    let (unit, range) = field.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    match range.trim().split_once('-')? {
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

    use super::*;

    fn of(range: &str, if_range: Option<&str>) -> Part {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(range).unwrap());
        if let Some(tag) = if_range {
            headers.insert(header::IF_RANGE, HeaderValue::from_str(tag).unwrap());
        }
        part(&headers, 100, "\"ours\"")
    }

    #[test]
    fn one_range_is_served() {
        assert_eq!(of("bytes=0-9", None), Part::Bytes(0..10));
        assert_eq!(of("Bytes=90-", None), Part::Bytes(90..100));
        assert_eq!(of("bytes=90-1000", None), Part::Bytes(90..100));
        assert_eq!(of("bytes=-10", None), Part::Bytes(90..100));
        assert_eq!(of("bytes=-1000", None), Part::Bytes(0..100));
        assert_eq!(of("bytes=0-99999999999999999999999", None), Part::Bytes(0..100));
    }

    #[test]
    fn a_range_that_is_not_there_is_told_so() {
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert_eq!(of(range, None), Part::Unsatisfiable, "{range}");
        }
    }

    #[test]
    fn what_is_no_single_range_gets_the_whole_body() {
        for range in
            ["bytes=0-1,3-4", "bytes=9-1", "bytes=a-b", "bytes=-", "lines=0-1", "bytes 0-1", "bytes=+1-2"]
        {
            assert_eq!(of(range, None), Part::Whole, "{range}");
        }
    }

    #[test]
    fn a_part_of_another_body_is_not_served() {
        assert_eq!(of("bytes=0-9", Some("\"ours\"")), Part::Bytes(0..10));
        assert_eq!(of("bytes=0-9", Some("\"theirs\"")), Part::Whole);
        assert_eq!(of("bytes=0-9", Some("W/\"ours\"")), Part::Whole);
        assert_eq!(of("bytes=0-9", Some("Wed, 21 Oct 2015 07:28:00 GMT")), Part::Whole);
    }
}
