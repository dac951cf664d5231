//! Several parts of a verified body in one answer: `multipart/byteranges` (RFC 9110 §14.6, RFC 2046 §5.1.1).
//!
//! What tells one part from the next is chosen for each answer, and by chance. The body was fixed before that, so it has
//! the line in it only if 122 random bits were guessed: nobody who writes a body can make a client see parts in it that
//! pinfold did not send.

use std::ops::Range;

use bytes::Bytes;
use http::HeaderValue;
use uuid::Uuid;

use crate::delivery::Segment;

/// The media type of an answer with these parts of a body of `len` bytes, and what it is put together from. Each part says
/// that it is of `content_type`.
pub(crate) fn byteranges(
    parts: &[Range<u64>],
    len: u64,
    content_type: Option<&HeaderValue>,
) -> (String, Vec<Segment>) {
    let boundary = Uuid::new_v4().simple().to_string();
    let head = |part: &Range<u64>| {
        let mut head =
            format!("\r\n--{boundary}\r\nContent-Range: {}\r\n", content_range(part, len)).into_bytes();
        if let Some(content_type) = content_type {
            head.extend_from_slice(b"Content-Type: ");
            head.extend_from_slice(content_type.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        Segment::Text(head.into())
    };
    let parts = parts.iter().flat_map(|part| [head(part), Segment::Part(part.clone())]);
    let end = Segment::Text(Bytes::from(format!("\r\n--{boundary}--\r\n")));
    (format!("multipart/byteranges; boundary={boundary}"), parts.chain([end]).collect())
}

/// `Content-Range` of a part that is not empty (RFC 9110 §14.4).
pub(crate) fn content_range(part: &Range<u64>, len: u64) -> String {
    format!("bytes {}-{}/{len}", part.start, part.end.saturating_sub(1))
}
