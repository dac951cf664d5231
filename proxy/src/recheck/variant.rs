//! Which variant of a URL a client asked for: what rechecks have to send to be given the same.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use pinfold_policy::policy::Expectation;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::sighting::Variant;

use crate::ask::Ask;
use crate::headers::{texts, version_of};

/// A longer value is not kept.
const LONGEST_VALUE: usize = 1024;
/// A longer URL is not rechecked.
const LONGEST_URL: usize = 8192;

/// What tells variants of a subject apart: the query and `Origin`, which may decide whatever `Vary` says, and what `Vary`
/// names. Not the codings: what is compared is decoded.
pub(super) fn facts(ask: &Ask, answer: &HeaderMap) -> Bytes {
    let mut names: Vec<String> = texts(answer, header::VARY)
        .iter()
        .flat_map(|list| list.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| is_imitated(name) && name != "accept-encoding")
        .chain(["origin".to_owned()])
        .collect();
    names.sort_unstable();
    names.dedup();
    // No line feed stands in a URL.
    let mut text = format!("{}\n", ask.url.key()).into_bytes();
    for name in names {
        for value in ask.headers.get_all(&name) {
            // Neither stands in a field.
            text.extend_from_slice(name.as_bytes());
            text.push(b'\n');
            text.extend_from_slice(value.as_bytes());
            text.push(b'\n');
        }
    }
    text.into()
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
