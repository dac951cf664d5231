//! Which variant of a URL a client asked for: what rechecks have to send to be given the same.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use bytes::Bytes;
use http::header::GetAll;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use pinfold_policy::policy::Expectation;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::sighting::Variant;

use crate::ask::Ask;
use crate::headers::version_of;

/// A longer value is not kept.
const LONGEST_VALUE: usize = 1024;
/// A longer URL is not rechecked.
const LONGEST_URL: usize = 8192;

/// What tells variants of a subject apart, as text.
pub(super) fn facts(ask: &Ask, answer: &HeaderMap) -> Bytes {
    let mut text = Vec::new();
    tell_apart(ask, answer, |fact| text.extend_from_slice(fact));
    text.into()
}

/// The same as a number, which differs from that of any other variant as far as chance goes.
pub(super) fn tag(ask: &Ask, subject: &str, answer: &HeaderMap, chance: &RandomState) -> u64 {
    let mut hasher = chance.build_hasher();
    hasher.write(subject.as_bytes());
    hasher.write(b"\n");
    tell_apart(ask, answer, |fact| hasher.write(fact));
    hasher.finish()
}

/// The query and `Origin`, which may decide whatever `Vary` says, and what `Vary` names. Not the codings: what is compared
/// is decoded.
fn tell_apart(ask: &Ask, answer: &HeaderMap, mut fact: impl FnMut(&[u8])) {
    const CODINGS: &[u8] = b"accept-encoding";
    let lists = answer.get_all(header::VARY).iter().map(HeaderValue::as_bytes);
    // Most name the codings alone, or nothing.
    let lists = lists.filter(|list| !list.eq_ignore_ascii_case(CODINGS));
    let mut names: Vec<String> = lists
        .flat_map(|list| list.split(|byte| *byte == b','))
        .filter_map(|name| str::from_utf8(name).ok().map(str::trim))
        .filter(|name| !name.as_bytes().eq_ignore_ascii_case(CODINGS))
        .map(str::to_ascii_lowercase)
        .filter(|name| is_imitated(name))
        .collect();
    // No line feed stands in a URL.
    fact(ask.url.key().as_bytes());
    fact(b"\n");
    let mut sent = |name: &str, values: GetAll<'_, HeaderValue>| {
        for value in values {
            // Neither stands in a field.
            fact(name.as_bytes());
            fact(b"\n");
            fact(value.as_bytes());
            fact(b"\n");
        }
    };
    let origin = header::ORIGIN.as_str();
    if names.is_empty() {
        return sent(origin, ask.headers.get_all(header::ORIGIN));
    }
    names.push(origin.to_owned());
    names.sort_unstable();
    names.dedup();
    for name in names {
        sent(&name, ask.headers.get_all(&name));
    }
}

/// What to ask for, to be given what this client was given.
pub(super) fn of(ask: &Ask, expected: &Expectation<'_>, facts: Bytes) -> Option<Variant> {
    let url = format!("{}{}", ask.url.origin(), ask.url.request_target());
    let imitated = ask.headers.iter().filter_map(|(name, value)| Some((name.as_str(), sent(name, value)?)));
    (url.len() <= LONGEST_URL).then(|| Variant {
        subject: expected.subject().into(),
        party: (*expected.party()).into(),
        plain: ask.url.query().is_none() && !ask.headers.contains_key(header::ORIGIN),
        key: BodyId::of(&[facts]),
        url: url.into(),
        headers: imitated.map(|(name, value)| (name.into(), value.into())).collect(),
        http_version: ask.http_version.into(),
    })
}

/// Where it is. `None` if the store holds no URL.
pub(super) fn url(variant: &Variant) -> Option<ArtifactUrl> {
    ArtifactUrl::parse(&variant.url).ok()
}

/// The request that it is asked for with. `None` if the store holds nothing that could be asked for.
pub(crate) fn ask(variant: &Variant, at: Timestamp) -> Option<Ask> {
    let mut headers = HeaderMap::new();
    for (name, value) in &variant.headers {
        headers.append(HeaderName::try_from(&**name).ok()?, HeaderValue::try_from(&**value).ok()?);
    }
    Some(Ask::of_recheck(url(variant)?, headers, version_of(&variant.http_version), at))
}

/// Whether rechecks send a field as clients do.
pub(crate) fn imitates(name: &HeaderName, value: &HeaderValue) -> bool {
    sent(name, value).is_some()
}

fn sent<'v>(name: &HeaderName, value: &'v HeaderValue) -> Option<&'v str> {
    let text = value.to_str().ok()?;
    (is_imitated(name.as_str()) && text.len() <= LONGEST_VALUE).then_some(text)
}

/// What makes a request look like that of its client, and tells nothing of who it was: no cookie, no credential, no page.
fn is_imitated(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "device-memory",
        "downlink",
        "dpr",
        "ect",
        "origin",
        "rtt",
        "save-data",
        "user-agent",
        "viewport-width",
        "width",
    ];
    NAMES.contains(&name)
        || name == "accept"
        || name.starts_with("accept-")
        || name.starts_with("sec-ch-")
        || name.starts_with("sec-fetch-")
        || name == "service-worker"
}
