//! The URL of an artifact: every spelling of one URL lands on one match key, or is refused.
//!
//! The input is text: a URL, and after a NUL a reference (`Location`) or a second URL. The `url` crate, which follows
//! the WHATWG standard, is the second reader of hosts and references; the match key is made again here, from the words
//! of the contract.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pinfold_policy::host::Host;
use pinfold_policy::pin::{Pin, PinUrl, Place};
use pinfold_policy::pins::{Deciding, PinIndex};
use pinfold_policy::url::{ArtifactUrl, UrlError};
use url::Url;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (text, second) = text.split_once('\0').unwrap_or((&text, ""));
    pin_of(second, text);
    let plain = Url::parse(text).ok();
    match (ArtifactUrl::parse(text), plain) {
        (Ok(url), Some(plain)) => {
            one_spelling(&url);
            same_host(&url, &plain);
            assert_eq!(url.key(), key_by_contract(&url, &plain));
            spellings(&url, data);
            joined(&url, second);
            pinned(&url, text);
        }
        (Ok(url), None) => panic!("only pinfold takes {text:?} for a URL: {url}"),
        (Err(UrlError::Invalid), Some(plain)) => {
            assert!(plain.host().is_none(), "only pinfold refuses {text:?}")
        }
        (Err(UrlError::UserInfo), Some(plain)) => {
            assert!(!plain.username().is_empty() || plain.password().is_some(), "{text:?}");
        }
        (Err(UrlError::Scheme), Some(plain)) => {
            assert!(!matches!(plain.scheme(), "http" | "https"), "{text:?}")
        }
        (Err(UrlError::Host(_) | UrlError::TooLong | UrlError::Path), _) | (Err(_), None) => {}
    }
});

/// The key is a URL of its own, made of printable ASCII, and its own key; and so is what goes to the vendor.
fn one_spelling(url: &ArtifactUrl) {
    assert!(url.key().bytes().all(|byte| matches!(byte, 0x21..=0x7e)), "{url:?}");
    assert!(!url.key().contains('*'), "{url:?}");
    assert_eq!(url.key(), format!("{}{}", url.key_without_query(), query(url)));
    if url.key().len() > ArtifactUrl::MAX_LEN || url.request_target().len() > ArtifactUrl::MAX_LEN / 2 {
        return;
    }
    assert_eq!(key(url.key()), url.key(), "the key of the key");
    let asked = ArtifactUrl::of_request(url.scheme(), url.authority(), url.request_target());
    assert_eq!(asked.as_ref().map(ArtifactUrl::key), Ok(url.key()), "the key of the request target");
    assert_eq!(asked.map(|asked| asked.request_target().to_owned()).as_deref(), Ok(url.request_target()));
}

fn query(url: &ArtifactUrl) -> String {
    url.query().map(|query| format!("?{query}")).unwrap_or_default()
}

fn key(text: &str) -> String {
    ArtifactUrl::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}")).key().to_owned()
}

fn same_host(url: &ArtifactUrl, plain: &Url) {
    let expected = match plain.host() {
        Some(url::Host::Ipv4(ip)) => Host::Ip(ip.into()),
        Some(url::Host::Ipv6(ip)) => Host::Ip(ip.to_ipv4_mapped().map_or(ip.into(), Into::into)),
        Some(url::Host::Domain(name)) => Host::Name(name.trim_end_matches('.').into()),
        None => panic!("{plain} has no host"),
    };
    assert_eq!(*url.host(), expected);
    assert_eq!(Some(url.authority().port), plain.port_or_known_default());
}

/// "Its WHATWG serialisation with the host's trailing dot removed, percent-encoded unreserved characters decoded, other
/// escapes upper-case, an empty `?` and the fragment dropped", and a literal star is `%2A`.
fn key_by_contract(url: &ArtifactUrl, plain: &Url) -> String {
    let port = plain.port().map(|port| format!(":{port}")).unwrap_or_default();
    let query =
        plain.query().filter(|query| !query.is_empty()).map(|query| format!("?{query}")).unwrap_or_default();
    let tail = format!("{}{query}", plain.path());
    let mut key = format!("{}://{}{port}", plain.scheme(), url.host());
    let mut at = 0;
    while let Some(char) = tail[at..].chars().next() {
        let byte = tail.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let byte = byte.filter(|_| tail.as_bytes()[at + 1] != b'+');
        match (char, byte) {
            ('%', Some(byte)) => {
                let char = char::from(byte);
                let unreserved = char.is_ascii_alphanumeric() || "-._~".contains(char);
                key.push_str(&if unreserved { char.to_string() } else { format!("%{byte:02X}") });
                at += 3;
                continue;
            }
            ('%', None) => key.push_str("%25"),
            ('*', _) => key.push_str("%2A"),
            (other, _) => key.push(other),
        }
        at += char.len_utf8();
    }
    key
}

/// What a server takes for the same, spelled as `seed` says.
fn spellings(url: &ArtifactUrl, seed: &[u8]) {
    if url.key().len() > 4096 {
        return;
    }
    let (origin, path, query) = (url.origin(), url.path(), query(url));
    let at = seed.iter().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
    let port = url.authority().port;
    let host = url.host().to_string();
    let dotted = if url.host().name().is_some() { format!("{host}.") } else { host.clone() };
    let scheme = url.scheme().as_str();
    let mixed: String = host
        .chars()
        .map(|c| if (c as usize + at).is_multiple_of(2) { c.to_ascii_uppercase() } else { c })
        .collect();
    let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at + 1).collect();
    let slash = slashes[at % slashes.len()];
    let (front, back) = path.split_at(slash);
    let empty = if query.is_empty() { "?" } else { "" };
    for spelling in [
        format!("{}://{mixed}:{port}{path}{query}", scheme.to_ascii_uppercase()),
        format!("{scheme}:{dotted}:0{port}{path}{query}"),
        format!("{scheme}:\\\\{host}:{port}{path}{query}#{at}"),
        format!(" {origin}{path}{query}{empty}\t#frag?"),
        format!("{origin}{front}./{back}{query}"),
        format!("{origin}{front}x/../{back}{query}"),
        left_and_entered(front).map_or(url.key().to_owned(), |front| format!("{origin}{front}{back}{query}")),
        format!("{origin}{}{query}", escaped(path, at)),
        format!("{origin}{path}{}", escaped(&query, at)),
        format!("{origin}{}{query}", path.replace('/', "\\")),
    ] {
        assert_eq!(key(&spelling), url.key(), "{spelling:?}");
    }
}

/// The last folder of a path that ends in a slash, left by `..` and entered again. The `url` crate does not leave `c:`,
/// which the standard asks of `file:` alone; what goes to the vendor is then the same as what is matched.
fn left_and_entered(front: &str) -> Option<String> {
    let folders = front.strip_suffix('/').unwrap_or(front);
    let parent = folders.rfind('/').map_or("", |at| &front[at + 1..]);
    let is_drive = matches!(parent.as_bytes(), [letter, b':' | b'|', b'/'] if letter.is_ascii_alphabetic());
    (!is_drive).then(|| format!("{front}%2E%2e/{parent}"))
}

/// `text` with one unreserved character escaped. A character of an escape is not one.
fn escaped(text: &str, at: usize) -> String {
    let bytes = text.as_bytes();
    let plain = |at: &usize| {
        let in_escape = (1..=2).any(|back| at.checked_sub(back).is_some_and(|at| bytes[at] == b'%'));
        !in_escape && (bytes[*at].is_ascii_alphanumeric() || b"-._~".contains(&bytes[*at]))
    };
    let places: Vec<usize> = (0..bytes.len()).filter(plain).collect();
    let Some(at) = places.get(at % places.len().max(1)).copied() else { return text.to_owned() };
    format!("{}%{:02x}{}", &text[..at], bytes[at], &text[at + 1..])
}

/// A reference leads where a browser would go.
fn joined(url: &ArtifactUrl, reference: &str) {
    let base = Url::parse(&format!("{}{}", url.origin(), url.request_target())).expect("a URL");
    let expected = base.join(reference).ok().filter(|joined| joined.as_str().len() <= ArtifactUrl::MAX_LEN);
    let expected = expected.and_then(|joined| ArtifactUrl::parse(joined.as_str()).ok());
    assert_eq!(url.join(reference), expected);
}

/// A pin of a URL decides about that URL, and alone.
fn pinned(url: &ArtifactUrl, text: &str) {
    let Ok(PinUrl::Exact(pinned)) = PinUrl::parse(text) else { return };
    assert_eq!(pinned.key(), url.key());
    let index = index(PinUrl::Exact(pinned));
    assert!(matches!(index.deciding(url), Deciding::Exact(pins) if pins.len() == 1));
}

/// A pin's text says what it matches: its stars replaced, the URL is matched; and another URL only if a plain reading of
/// the pattern allows it.
fn pin_of(pattern: &str, text: &str) {
    let Ok(pin) = PinUrl::parse(pattern) else { return };
    let shown = pin.to_text();
    if shown.len() > ArtifactUrl::MAX_LEN / 2 {
        return;
    }
    assert_eq!(PinUrl::parse(&shown).as_ref(), Ok(&pin), "{pattern:?} is shown as {shown:?}");
    let PinUrl::Pattern(_) = &pin else { return };
    let index = index(pin);
    if let Ok(url) = ArtifactUrl::parse(&pattern.replace('*', "x")) {
        assert_eq!(index.deciding(&url).pins().len(), 1, "{pattern:?} does not match {url}");
    }
    let Ok(url) = ArtifactUrl::parse(text) else { return };
    // The plain matcher tries everything.
    if shown.matches('*').count() > 6 || url.path().len() > 64 {
        return;
    }
    let (origin, path) = shown.split_at(url.origin().len().min(shown.len()));
    let fits = origin == url.origin() && path.starts_with('/') && plainly(path, url.path());
    assert_eq!(index.deciding(&url).pins().len() == 1, fits, "{shown} and {url}");
}

fn index(url: PinUrl) -> PinIndex {
    let place = Place { file: "pins.toml".into(), line: 1 };
    let kind = pinfold_policy::kind::Kind::Script;
    let (digests, release, owner, reason) = (Box::default(), None, None, None);
    PinIndex::new(vec![Pin { url, digests, kind, release, owner, reason, added: None, expires: None, place }])
}

/// Pattern and path as the contract has it: `*` within a segment, `**` any segments.
fn plainly(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').skip(1).collect();
    let path: Vec<&str> = path.split('/').skip(1).collect();
    segments_fit(&pattern, &path)
}

fn segments_fit(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        (["**", rest @ ..], _) => (0..=path.len()).any(|skipped| segments_fit(rest, &path[skipped..])),
        ([first, rest @ ..], [segment, tail @ ..]) => {
            (first == segment || (first.contains('*') && !segment.is_empty() && stars_fit(first, segment)))
                && segments_fit(rest, tail)
        }
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

fn stars_fit(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((front, rest)) => text.strip_prefix(front).is_some_and(|text| {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| stars_fit(rest, &text[at..]))
        }),
    }
}
