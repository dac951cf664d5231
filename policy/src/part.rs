//! Whether a part of a body may pass unjudged (RFC 9110 §15.3.7).
//!
//! A part that does not begin at the beginning shows no magic. Where its type does not say that it is harmless either,
//! a client could put a program together from parts of which nobody saw the first.

use crate::image::says_nothing;
use crate::kind::{by_media_type, essence};

/// Whether a 206 must be refused: its `Content-Range` is missing, malformed or there twice, or it does not start at
/// byte 0 and its type is missing, may be anything, or is of something that runs. Takes all values of both fields, as
/// they came.
#[must_use]
pub fn is_blind_part(content_ranges: &[&[u8]], content_types: &[&str]) -> bool {
    let [range] = content_ranges else { return true };
    match first_byte(range) {
        Some(0) => false,
        Some(_) => could_be_anything(content_types),
        None => true,
    }
}

fn could_be_anything(content_types: &[&str]) -> bool {
    let [content_type] = content_types else { return true };
    // What download tools take for "anything": names in use for downloads, and several types in one.
    let names_many = content_type.contains(',');
    let essence = essence(content_type);
    let is_download = ["octet-stream", "download", "binary"].iter().any(|word| essence.contains(word));
    let is_text = essence == "text/plain";
    says_nothing(&essence) || names_many || is_text || is_download || by_media_type(&essence).is_some()
}

/// The first byte of `bytes 10-19/70` (RFC 9110 §14.4), if it says so exactly: a range that two clients read differently
/// is none.
fn first_byte(range: &[u8]) -> Option<u64> {
    let (unit, rest) = std::str::from_utf8(range).ok()?.split_once(' ')?;
    let (span, whole) = rest.split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let is_within = whole == "*" || number(whole)? > last;
    (unit.eq_ignore_ascii_case("bytes") && first <= last && is_within).then_some(first)
}

/// Digits alone: Rust's own parser would take a plus sign too.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blind(range: &str, content_type: &str) -> bool {
        is_blind_part(&[range.as_bytes()], &[content_type])
    }

    #[test]
    fn a_part_that_starts_at_the_start_shows_its_magic() {
        for content_type in ["application/octet-stream", "text/plain", "application/x-msdownload"] {
            assert!(!blind("bytes 0-19/70", content_type), "{content_type}");
            assert!(!blind("Bytes 0-19/*", content_type), "{content_type}");
            assert!(blind("bytes 1-19/70", content_type), "{content_type}");
        }
    }

    #[test]
    fn a_later_part_passes_where_its_type_is_harmless() {
        for content_type in
            ["video/mp4", "image/png", "audio/mpeg", "application/pdf", "application/zip", "font/woff2"]
        {
            assert!(!blind("bytes 10-19/70", content_type), "{content_type}");
        }
        for content_type in [
            "",
            "video",
            "text/plain",
            "*/*",
            "binary/octet-stream",
            "application/force-download",
            "application/wasm",
            "text/html",
            "text/javascript",
            "video/mp4, text/javascript",
        ] {
            assert!(blind("bytes 10-19/70", content_type), "{content_type}");
        }
        assert!(is_blind_part(&[b"bytes 10-19/70"], &[]));
        assert!(is_blind_part(&[b"bytes 10-19/70"], &["video/mp4", "video/mp4"]));
    }

    #[test]
    fn a_range_that_can_be_read_in_two_ways_is_refused_whatever_the_type() {
        for range in [
            "",
            "bytes",
            "bytes 0-",
            "bytes -5/70",
            "bytes 0-19",
            "bytes +0-19/70",
            "bytes 0-19/19",
            "bytes 19-0/70",
            "bytes 0-19/70, bytes 30-40/70",
            "bytes */70",
            "bytes  0-19/70",
            "lines 0-19/70",
            "bytes=0-19/70",
            "bytes 0-99999999999999999999/*",
        ] {
            assert!(blind(range, "video/mp4"), "{range}");
        }
        assert!(is_blind_part(&[], &["video/mp4"]));
        assert!(is_blind_part(&[b"bytes 0-1/9", b"bytes 0-1/9"], &["video/mp4"]));
        assert!(is_blind_part(&[b"bytes 0-1/9\xff"], &["video/mp4"]));
    }
}
