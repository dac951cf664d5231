//! Header fields: what concerns one hop only, and what a response says of itself.

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

/// Fields that concern one connection (RFC 9110 §7.6.1), and those that older software treats so.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-authentication-info",
];

/// Removes what concerns only the hop that it came over, including what `Connection` names.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // A field that frames or routes the message is not the sender's to remove from it.
        .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
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
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let one = types.next()?.to_str().ok()?;
    types.next().is_none().then(|| one.to_owned())
}

/// Every `Content-Type` value, unreadable bytes replaced.
pub(crate) fn content_types(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::CONTENT_TYPE).iter();
    values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

/// The file name that `Content-Disposition` gives (RFC 6266): `filename*` before `filename`.
pub(crate) fn file_name(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(header::CONTENT_DISPOSITION)?.as_bytes()).into_owned();
    let mut plain = None;
    for parameter in split_outside_quotes(&text) {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        match name.trim().to_ascii_lowercase().as_str() {
            "filename*" => {
                let encoded = value.trim().trim_matches('"').rsplit('\'').next().unwrap_or_default();
                return Some(percent_decoded(encoded));
            }
            "filename" => plain = plain.or_else(|| Some(unquoted(value.trim()))),
            _ => {}
        }
    }
    plain
}

fn split_outside_quotes(text: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|char| {
        let is_separator = char == ';' && !quoted;
        if char == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = char == '\\' && !escaped;
        is_separator
    })
    .collect()
}

fn unquoted(value: &str) -> String {
    value.trim_matches('"').replace('\\', "")
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        let escape =
            tail.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (byte, escape) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_name_that_a_browser_would_save_under() {
        for (value, expected) in [
            ("attachment; filename=\"setup.exe\"", "setup.exe"),
            ("attachment; filename=setup.exe", "setup.exe"),
            ("attachment; FileName=\"a;b.exe\"", "a;b.exe"),
            ("attachment; filename=\"x.txt\"; filename*=UTF-8''setup%2Eexe", "setup.exe"),
            ("attachment; filename=\"a\\\"b.exe\"", "a\"b.exe"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("content-disposition", HeaderValue::from_str(value).unwrap());
            assert_eq!(file_name(&headers).as_deref(), Some(expected), "{value}");
        }
    }
}
