//! Header fields: what concerns one hop only, and what a response says of itself.

use std::borrow::Cow;
use std::fmt;
use std::io::{Cursor, Write as _};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};

/// What a browser wants it for ([Fetch metadata](https://w3c.github.io/webappsec-fetch-metadata/)).
pub(crate) const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
pub(crate) const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// It wants it as the script of a service worker.
pub(crate) const SERVICE_WORKER: HeaderName = HeaderName::from_static("service-worker");

/// Fields that concern one connection (RFC 9110 §7.6.1), and those that older software treats so.
const HOP_BY_HOP: [HeaderName; 11] = [
    header::CONNECTION,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("proxy-authentication-info"),
];

/// Removes what concerns only the hop that it came over, including what `Connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let mut left = headers.keys().filter(|name| is_hop_by_hop(name.as_str())).count();
    if left == 0 {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        // Byte by byte: a name that is no text does not keep the others.
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| str::from_utf8(name.trim_ascii()).ok())
        .filter(|name| headers.contains_key(*name))
        .filter_map(|name| name.parse().ok())
        // A field that frames or routes the message is not the sender's to remove from it.
        .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
        .collect();
    for name in named {
        left -= usize::from(headers.remove(&name).is_some() && is_hop_by_hop(name.as_str()));
    }
    for name in &HOP_BY_HOP {
        if left == 0 {
            return;
        }
        left -= usize::from(headers.remove(name).is_some());
    }
}

/// Whether it is one of [`HOP_BY_HOP`]. Each field is asked this, and mostly there is none.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "proxy-authentication-info"
    )
}

/// Fields that frame, route, authenticate or describe a message, and so mean nothing behind it (RFC 9110 §6.5.1): a
/// client that merged one of them into the head would read the message another way than we did.
const NEVER_TRAILERS: [&str; 22] = [
    "age",
    "alt-svc",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "cookie",
    "etag",
    "expires",
    "host",
    "location",
    "pinfold-verdict",
    "set-cookie",
    "vary",
    "via",
    "www-authenticate",
    "x-content-type-options",
];

/// The trailer fields that may go on to a client.
pub(crate) fn passable_trailers(mut trailers: HeaderMap) -> HeaderMap {
    strip_hop_by_hop(&mut trailers);
    for name in NEVER_TRAILERS {
        trailers.remove(name);
    }
    trailers
}

/// Whether the sender takes trailers (RFC 9110 §10.1.4).
pub(crate) fn takes_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::TE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case("trailers"))
}

/// Removes an entity tag that looks like one of pinfold's. A client that has kept other bytes under it would be told
/// later, by a 304, that they are the verified ones.
pub(crate) fn drop_forged_etag(headers: &mut HeaderMap) {
    let looks_like_ours =
        |value: &HeaderValue| value.as_bytes().windows(7).any(|window| window == b"sha256-");
    if headers.get_all(header::ETAG).iter().any(looks_like_ours) {
        headers.remove(header::ETAG);
    }
}

/// Several `Cookie` fields, as HTTP/2 has them, become one (RFC 9113 §8.2.3).
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<_> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

/// `Content-Type` of a response with exactly one that is text.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<&str> {
    one_text(headers, header::CONTENT_TYPE)
}

/// The value of a field that stands there once, if it is text.
pub(crate) fn one_text(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let one = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(one)
}

/// Every value of a field, unreadable bytes replaced.
pub(crate) fn texts(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Vec<Cow<'_, str>> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect()
}

/// Every value of a field as it came.
pub(crate) fn values(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Vec<&[u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
}

/// A field's text, if it is text.
pub(crate) fn text(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// `1.0`, `1.1`, `2`, as SIEM fields have it.
pub(crate) fn version_name(version: Version) -> &'static str {
    if version == Version::HTTP_2 {
        "2"
    } else if version == Version::HTTP_10 {
        "1.0"
    } else {
        "1.1"
    }
}

/// The value of a field, of what is written into it; nothing where that cannot stand in a field.
///
/// Most are short, and written where no memory is asked for first.
pub(crate) fn value(text: fmt::Arguments<'_>) -> Option<HeaderValue> {
    const SHORT: usize = 256;
    let mut short = Cursor::new([0; SHORT]);
    if short.write_fmt(text).is_err() {
        return HeaderValue::try_from(text.to_string()).ok();
    }
    let len = usize::try_from(short.position()).unwrap_or(SHORT);
    HeaderValue::from_bytes(short.get_ref().get(..len)?).ok()
}

/// The same of what it is put together from.
pub(crate) fn joined(parts: &[&str]) -> Option<HeaderValue> {
    parts.concat().try_into().ok()
}

/// The method's name. Those that most requests have take no memory.
pub(crate) fn method_name(method: &Method) -> Cow<'static, str> {
    match *method {
        Method::GET => "GET".into(),
        Method::HEAD => "HEAD".into(),
        Method::POST => "POST".into(),
        Method::OPTIONS => "OPTIONS".into(),
        _ => method.as_str().to_owned().into(),
    }
}

/// The version of a name; 1.1 for what is none.
pub(crate) fn version_of(name: &str) -> Version {
    let versions = [Version::HTTP_10, Version::HTTP_2];
    versions.into_iter().find(|version| version_name(*version) == name).unwrap_or(Version::HTTP_11)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[test]
    fn a_value_is_what_was_written_however_long_it_is() {
        for len in [0, 1, 255, 256, 257, 5000] {
            let text = "x".repeat(len);
            assert_eq!(value(format_args!("{text}")).unwrap(), *text, "{len}");
        }
        assert_eq!(value(format_args!("a\r\nb: c")), None);
        assert_eq!(value(format_args!("{}\n", "x".repeat(300))), None);
    }

    #[test]
    fn what_concerns_one_hop_goes_whichever_of_it_there_is() {
        for name in &HOP_BY_HOP {
            assert!(is_hop_by_hop(name.as_str()), "{name}");
            for other in &HOP_BY_HOP {
                let mut headers = HeaderMap::new();
                headers.append(name, HeaderValue::from_static("a"));
                headers.append("x-kept", HeaderValue::from_static("b"));
                headers.append(other, HeaderValue::from_static("Keep-Alive, trailer"));
                headers.append(name, HeaderValue::from_static("c"));
                strip_hop_by_hop(&mut headers);
                assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-kept"], "{name}, {other}");
            }
        }
    }

    #[test]
    fn what_connection_names_goes_and_framing_stays() {
        let mut headers = HeaderMap::new();
        headers.insert("connection", HeaderValue::from_static("x-hop, Host , content-length"));
        headers.insert("x-hop", HeaderValue::from_static("1"));
        headers.insert("host", HeaderValue::from_static("v.test"));
        headers.insert("content-length", HeaderValue::from_static("3"));
        headers.insert("te", HeaderValue::from_static("trailers"));
        headers.insert("accept", HeaderValue::from_static("*/*"));
        strip_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "content-length", "host"]);
    }

    /// What lists are put together from, where `_` is a space, and fields that may be there.
    const LISTED: &str = ", , , _ ,_ _, \t, connection Connection close keep-alive te TE x-hop X-HOP x-hop;q=1 \"x-hop\" x_hop \
                          host Content-Length upgrade \u{e9} via trailer";
    const PRESENT: &str = "keep-alive te x-hop host content-length via upgrade trailer proxy-connection \
                           proxy-authorization transfer-encoding http2-settings accept";

    fn spelled(list: &[&str]) -> String {
        list.concat().replace('_', " ")
    }

    proptest! {
        #[test]
        fn no_spelling_of_connection_keeps_a_field_of_one_hop_or_takes_another_along(
            lists in vec(vec(select(LISTED.split(' ').collect::<Vec<_>>()), 0..6), 0..4),
            present in vec((select(PRESENT.split(' ').collect::<Vec<_>>()), 1..3_usize), 0..12),
        ) {
            let mut headers = HeaderMap::new();
            for (name, times) in present {
                for _ in 0..times {
                    headers.append(name, HeaderValue::from_static("a"));
                }
            }
            for list in &lists {
                headers.append(header::CONNECTION, spelled(list).try_into().unwrap());
            }
            let is_named = |name: &HeaderName| {
                let mut named = lists.iter().map(|list| spelled(list));
                named.any(|list| list.split(',').any(|one| one.trim().eq_ignore_ascii_case(name.as_str())))
            };
            let frames_or_routes = |name: &HeaderName| [header::HOST, header::CONTENT_LENGTH].contains(name);
            let mut expected = headers.clone();
            for name in headers.keys() {
                if HOP_BY_HOP.contains(name) || (is_named(name) && !frames_or_routes(name)) {
                    expected.remove(name);
                }
            }
            strip_hop_by_hop(&mut headers);
            prop_assert_eq!(headers, expected);
        }
    }
}
