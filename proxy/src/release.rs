//! Releasing what was cleared: the bytes that were hashed, encoded anew, under headers of our own (CONTRACT "release").

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use jiff::Timestamp;
use pinfold_body::Coding;
use pinfold_policy::digest::{BodyId, Sri};
use pinfold_policy::kept::Kept;
use pinfold_policy::kind::{INSTALLER_TYPES, Kind, by_media_type, essence};
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::{Cleared, Outcome};
use pinfold_store::Receipt;
use pinfold_store::incident::Incident;

use crate::byteranges::{byteranges, content_range};
use crate::delivery::{Deliveries, Segment};
use crate::encoded::Encoded;
use crate::headers::{joined, media_type, one_text, texts, value};
use crate::range::{self, Part};
use crate::ready::{About, Ready};
use crate::respond::{ClientBody, no_body};

/// Fields of the vendor's that pass on a release. `Access-Control-*` and `Cross-Origin-*-Policy` pass too.
const PASSING: [&str; 6] = [
    "timing-allow-origin",
    "sourcemap",
    "service-worker-allowed",
    "content-disposition",
    "content-language",
    "vary",
];

/// A release has seldom more: then none is looked for another place.
const MOST_FIELDS: usize = 16;

const PINFOLD_VERDICT: HeaderName = HeaderName::from_static("pinfold-verdict");
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// A cleared body in the coding that the client asked for.
pub(crate) struct Release {
    response: Response<ClientBody>,
}

/// Why a cleared body goes out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Grounds {
    /// It was asked for.
    Verified,
    /// Something else was refused.
    InPlaceOf { reason: Reason, incident: Incident },
}

impl Grounds {
    /// What the ledger says of it.
    pub(crate) fn recorded(self) -> (Outcome, Option<Reason>, Option<Incident>) {
        match self {
            Self::Verified => (Outcome::Verified, None, None),
            Self::InPlaceOf { reason, incident } => (Outcome::Substituted, Some(reason), Some(incident)),
        }
    }

    /// `Pinfold-Verdict` (CONTRACT "what the client sees").
    fn verdict(self, cleared: &Cleared, id: &Sri) -> Option<HeaderValue> {
        let id = id.as_str();
        // Bare, it always means that a person or a reviewed file said so.
        let provisional = if cleared.is_provisional() { "; provisional" } else { "" };
        match self {
            Self::Verified => joined(&["verified", provisional, "; digest=\"", id, "\""]),
            Self::InPlaceOf { reason, incident } => value(format_args!(
                "substituted{provisional}; reason={}; incident=\"{incident}\"; digest=\"{id}\"",
                reason.code()
            )),
        }
    }

    /// Whether it says of this body the same to everyone, until somebody decides about it.
    fn are_plain(self, cleared: &Cleared) -> bool {
        match self {
            Self::Verified => !cleared.is_provisional(),
            Self::InPlaceOf { .. } => false,
        }
    }
}

/// What a client asked for, as far as a release depends on it.
pub(crate) struct Wanted<'a> {
    /// Its fields, where they say what of a body it wants.
    headers: Option<&'a HeaderMap>,
    /// HEAD: the head alone.
    head_only: bool,
    /// Parts may be the answer: then it is one of the body without a coding.
    is_for_part: bool,
}

/// What a client gets of a cleared body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// All of it, or parts.
    Body(Part),
    /// It has the body already (RFC 9110 §13.1.2).
    NotModified,
}

impl<'a> Wanted<'a> {
    /// What the fields of a request say, if there are any that count.
    pub(crate) fn by(headers: Option<&'a HeaderMap>, head_only: bool) -> Self {
        let is_for_part = !head_only && headers.is_some_and(range::is_asked_for);
        Self { headers, head_only, is_for_part }
    }

    /// Whether parts may be the answer.
    pub(crate) fn is_for_part(&self) -> bool {
        self.is_for_part
    }

    /// What follows for `encoded`, whose decoded identity is `id`.
    pub(crate) fn of(&self, id: BodyId, encoded: &Encoded) -> Given {
        let Some(headers) = self.headers else { return Given::Body(Part::Whole) };
        if headers.get_all(header::IF_NONE_MATCH).iter().any(|tags| names(tags, id)) {
            return Given::NotModified;
        }
        if encoded.coding != Coding::Identity || !self.is_for_part {
            return Given::Body(Part::Whole);
        }
        Given::Body(range::part(headers, encoded.kept.len(), &etag(&id.sri(), Coding::Identity)))
    }
}

impl Given {
    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Body(Part::Whole) => StatusCode::OK,
            Self::Body(Part::Bytes(_) | Part::Several(_)) => StatusCode::PARTIAL_CONTENT,
            Self::Body(Part::Unsatisfiable) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::NotModified => StatusCode::NOT_MODIFIED,
        }
    }
}

impl Release {
    /// Releases `given` of `cleared`; `encoded` are its bytes as they go out. Fields that are `ready` are not made again.
    pub(crate) fn new(
        (vendor, ready): (&HeaderMap, &Ready),
        cleared: &Cleared,
        encoded: Encoded,
        (wanted, given): (&Wanted<'_>, Given),
        (receipt, deliveries): (Receipt, &Deliveries),
        (grounds, max_age): (Grounds, Duration),
    ) -> Self {
        let status = given.status();
        let is_plain = given == Given::Body(Part::Whole) && grounds.are_plain(cleared);
        let make = |vendor: &HeaderMap| made(vendor, cleared, &encoded, given, (grounds, max_age));
        // What lies on disk is looked at each time: when it could not be read, nobody knew its charset.
        let is_as_before = !has_older_fields(vendor) && !cleared.kept().is_spilled();
        let (headers, segments) = if is_plain && is_as_before {
            let about = About::of(cleared, &encoded, max_age);
            (ready.fields(vendor, about, |vendor| make(vendor).0), whole(&encoded))
        } else {
            make(vendor)
        };
        // Nothing of the body is delivered with a part that lies beyond its end.
        let receipt = (status != StatusCode::RANGE_NOT_SATISFIABLE).then_some(receipt);
        let delivery = deliveries.begin(encoded.kept, segments, receipt);
        let mut response = Response::new(if wanted.head_only { no_body() } else { delivery.boxed() });
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Self { response }
    }

    pub(crate) fn into_response(self) -> Response<ClientBody> {
        self.response
    }
}

fn whole(encoded: &Encoded) -> Vec<Segment> {
    vec![Segment::Part(0..encoded.kept.len())]
}

/// The fields of a release, and what its body is put together from.
fn made(
    vendor: &HeaderMap,
    cleared: &Cleared,
    encoded: &Encoded,
    given: Given,
    (grounds, max_age): (Grounds, Duration),
) -> (HeaderMap, Vec<Segment>) {
    let id = cleared.digests().sha256.sri();
    let mut headers = headers(vendor, cleared, encoded, &id, max_age);
    put(&mut headers, PINFOLD_VERDICT, grounds.verdict(cleared, &id));
    let len = encoded.kept.len();
    let is_modified = given != Given::NotModified;
    let segments = match given {
        Given::Body(Part::Whole) => whole(encoded),
        Given::Body(Part::Bytes(part)) => {
            put(&mut headers, header::CONTENT_RANGE, value(format_args!("{}", content_range(&part, len))));
            vec![Segment::Part(part)]
        }
        Given::Body(Part::Several(parts)) => {
            let (media_type, segments) = byteranges(&parts, len, headers.get(header::CONTENT_TYPE));
            put(&mut headers, header::CONTENT_TYPE, value(format_args!("{media_type}")));
            segments
        }
        Given::Body(Part::Unsatisfiable) => {
            put(&mut headers, header::CONTENT_RANGE, value(format_args!("bytes */{len}")));
            Vec::new()
        }
        Given::NotModified => {
            for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING, REPR_DIGEST] {
                headers.remove(name);
            }
            Vec::new()
        }
    };
    if is_modified {
        let len: u64 = segments.iter().map(Segment::len).sum();
        headers.insert(header::CONTENT_LENGTH, len.into());
    }
    (headers, segments)
}

fn headers(
    vendor: &HeaderMap,
    cleared: &Cleared,
    encoded: &Encoded,
    id: &Sri,
    max_age: Duration,
) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(MOST_FIELDS);
    headers.extend(
        vendor.iter().filter(|(name, _)| passes(name)).map(|(name, value)| (name.clone(), value.clone())),
    );
    let coding = encoded.coding;
    put(&mut headers, header::CONTENT_TYPE, content_type(cleared.kind(), vendor, || is_utf8(cleared.kept())));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    put(&mut headers, header::ETAG, etag(id, coding).try_into().ok());
    put(&mut headers, REPR_DIGEST, repr_digest(encoded.id));
    if coding == Coding::Identity {
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    } else {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
    }
    headers.insert(header::CACHE_CONTROL, cache_control(vendor, max_age, max_age));
    headers.insert(header::VARY, vary(vendor));
    headers
}

/// What the vendor's answer depends on, and the coding, in one field.
fn vary(vendor: &HeaderMap) -> HeaderValue {
    const CODING_ALONE: HeaderValue = HeaderValue::from_static("Accept-Encoding");
    if !vendor.contains_key(header::VARY) {
        return CODING_ALONE;
    }
    if one_text(vendor, header::VARY).is_some_and(|one| one.eq_ignore_ascii_case("accept-encoding")) {
        return CODING_ALONE;
    }
    let theirs = texts(vendor, header::VARY);
    let names = theirs.iter().flat_map(|value| value.split(',')).map(str::trim);
    // A name that is no text is none: nothing can depend on it.
    let named = names.filter(|name| !name.is_empty() && name.is_ascii());
    let others = named.filter(|name| !name.eq_ignore_ascii_case("accept-encoding"));
    let all: Vec<&str> = others.chain(["Accept-Encoding"]).collect();
    HeaderValue::from_str(&all.join(", ")).unwrap_or(CODING_ALONE)
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value);
    }
}

/// The fields of the vendor's that a release depends on, those of HTTP/1.0 aside.
pub(crate) fn shaping(vendor: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    let shapes = |name| passes(name) || name == header::CONTENT_TYPE || name == header::CACHE_CONTROL;
    vendor.iter().filter(move |(name, _)| shapes(name))
}

/// The same, to be kept: a value as it came is a part of all that was read along with it, and keeps that in memory.
pub(crate) fn shaping_alone(vendor: &HeaderMap) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let alone =
        |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
    shaping(vendor).map(move |(name, value)| (name.clone(), alone(value)))
}

fn passes(name: &HeaderName) -> bool {
    let name = name.as_str();
    PASSING.contains(&name)
        || name.starts_with("access-control-")
        || (name.starts_with("cross-origin-") && name.ends_with("-policy"))
}

const UTF_8: Cow<'static, str> = Cow::Borrowed("utf-8");

/// The media type that a kind goes out with, whatever the vendor called it.
fn content_type(kind: Kind, vendor: &HeaderMap, is_utf8: impl Fn() -> bool) -> Option<HeaderValue> {
    // Clients differ on which of several types counts, in two fields or in one: then none does.
    let theirs = media_type(vendor).filter(|one| !one.contains(',')).unwrap_or_default();
    let charset = || -> Cow<'static, str> {
        // What is UTF-8 was reviewed as that: another reading could take the backslash before a quote for half a letter.
        charset(theirs).filter(|label| !may_end_in_ascii(label) || !is_utf8()).unwrap_or(UTF_8)
    };
    let of_text = |essence: &str| joined(&[essence, "; charset=", &charset()]);
    match kind {
        Kind::Script => of_text("text/javascript"),
        Kind::Style => of_text("text/css"),
        Kind::Wasm => Some(HeaderValue::from_static("application/wasm")),
        Kind::Document if by_media_type(&essence(theirs)) != Some(Kind::Document) => {
            Some(HeaderValue::from_static("text/html; charset=utf-8"))
        }
        Kind::Document if theirs.to_ascii_lowercase().contains("charset") => of_text(&essence(theirs)),
        // A document can say itself which charset it is in.
        Kind::Document => value(format_args!("{theirs}")),
        Kind::Installer if INSTALLER_TYPES.contains(&&*essence(theirs)) => {
            value(format_args!("{}", essence(theirs)))
        }
        Kind::Installer => Some(HeaderValue::from_static("application/octet-stream")),
    }
}

/// The first `charset` parameter of a media type (MIME Sniffing §4.4: of a parameter named twice the first counts), if
/// it is one in which ASCII means ASCII. In others (UTF-16, UTF-7, ISO 2022, EBCDIC, or what nobody knows) the bytes that
/// a person has read stand for another text, and which one, the vendor would choose.
fn charset(content_type: &str) -> Option<Cow<'static, str>> {
    let value = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })?;
    if value.eq_ignore_ascii_case(&UTF_8) {
        return Some(UTF_8);
    }
    is_ascii_based(value).then(|| value.to_ascii_lowercase().into())
}

/// Labels of the [Encoding standard](https://encoding.spec.whatwg.org/#names-and-labels) in which a script's own letters
/// are the bytes of ASCII.
fn is_ascii_based(label: &str) -> bool {
    const LABELS: [&str; 15] = [
        "ascii",
        "big5",
        "euc-jp",
        "euc-kr",
        "gb18030",
        "gb2312",
        "gbk",
        "koi8-r",
        "koi8-u",
        "latin1",
        "macintosh",
        "shift_jis",
        "us-ascii",
        "utf-8",
        "utf8",
    ];
    let label = label.to_ascii_lowercase();
    let page = label.strip_prefix("iso-8859-").or_else(|| label.strip_prefix("windows-"));
    let is_numbered =
        page.is_some_and(|page| (1..=4).contains(&page.len()) && page.bytes().all(|b| b.is_ascii_digit()));
    LABELS.contains(&label.as_str()) || is_numbered
}

/// Whether letters of this charset can end in a byte that is a letter of ASCII by itself: then what comes before a
/// backslash or a quote decides whether it is one.
fn may_end_in_ascii(label: &str) -> bool {
    ["big5", "euc-kr", "gb18030", "gb2312", "gbk", "shift_jis"].contains(&label) || label == "windows-949"
}

/// Whether all of a body is UTF-8, as far as it can be read.
fn is_utf8(kept: &Kept) -> bool {
    let mut begun = Vec::new();
    for piece in kept.pieces() {
        // It does not go out whole then, and what the client keeps of it may not leave the charset to the vendor.
        let Ok(piece) = piece else { return true };
        begun.extend_from_slice(&piece);
        match std::str::from_utf8(&begun) {
            Ok(_) => begun.clear(),
            // A letter that goes on in the next piece.
            Err(error) if error.error_len().is_none() => drop(begun.drain(..error.valid_up_to())),
            Err(_) => return false,
        }
    }
    begun.is_empty()
}

fn etag(id: &Sri, coding: Coding) -> String {
    let id = id.as_str();
    match coding {
        Coding::Identity => ["\"", id, "\""].concat(),
        Coding::Gzip | Coding::Deflate | Coding::Brotli | Coding::Zstd => {
            ["\"", id, "-", coding.token(), "\""].concat()
        }
    }
}

/// `Repr-Digest` (RFC 9530 §3) of the bytes as encoded.
fn repr_digest(id: BodyId) -> Option<HeaderValue> {
    joined(&["sha-256=:", id.sri().base64(), ":"])
}

/// Whether `If-None-Match` (RFC 9110 §13.1.2) names this body, in whatever coding.
fn names(tags: &HeaderValue, id: BodyId) -> bool {
    let Ok(tags) = tags.to_str() else { return false };
    let id = id.sri();
    let is_coding = |of: &str| {
        let codings = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];
        of.strip_prefix('-').is_some_and(|token| codings.iter().any(|coding| coding.token() == token))
    };
    tags.trim() == "*"
        || tags.split(',').any(|tag| {
            let tag = tag.trim().trim_start_matches("W/").trim_matches('"');
            tag.strip_prefix(id.as_str()).is_some_and(|of| of.is_empty() || is_coding(of))
        })
}

/// Bounds how long a client may keep what goes out with the vendor's fields, and never lets it keep it for longer than
/// the vendor does: a client guesses only by `Last-Modified` (RFC 9111 §4.2.2).
pub(crate) fn clamp_cache(headers: &mut HeaderMap, max_age: Duration) {
    let guessed = if headers.contains_key(header::LAST_MODIFIED) { max_age } else { Duration::ZERO };
    let clamped = cache_control(headers, max_age, guessed);
    for name in [header::EXPIRES, header::AGE, header::PRAGMA] {
        headers.remove(name);
    }
    headers.insert(header::CACHE_CONTROL, clamped);
}

const NO_STORE: &str = "no-store";

/// Directives of the vendor's that only narrow what a client does.
const KEPT: [&str; 5] = [NO_STORE, "no-cache", "private", "must-revalidate", "no-transform"];

/// How long a client may keep a response, so that a revocation bites: as long as the vendor says, `unsaid` where it does
/// not, and at most `max_age`, without `immutable` and the stale extensions.
fn cache_control(vendor: &HeaderMap, max_age: Duration, unsaid: Duration) -> HeaderValue {
    let (mut text, mut wanted, mut may_be_stored) = (String::new(), None, true);
    let add = |text: &mut String, directive: &str| {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(directive);
    };
    let theirs = texts(vendor, header::CACHE_CONTROL);
    for directive in directives(&theirs) {
        wanted = wanted.or_else(|| after(directive, "max-age=").map(seconds));
        if let Some(kept) = KEPT.iter().find(|kept| kept.eq_ignore_ascii_case(directive)) {
            add(&mut text, kept);
            may_be_stored &= *kept != NO_STORE;
        }
    }
    if may_be_stored {
        let wanted = wanted.or_else(|| by_older_fields(vendor)).unwrap_or(unsaid.as_secs());
        add(&mut text, "max-age=");
        text.push_str(&wanted.min(max_age.as_secs()).to_string());
    }
    verdict_header(&text)
}

/// Those of all values of `Cache-Control`: letters in one of them that are no ASCII do not hide the others.
fn directives<'t>(values: &'t [Cow<'_, str>]) -> impl Iterator<Item = &'t str> {
    values.iter().flat_map(|value| value.split(',')).map(str::trim)
}

/// What stands behind `name`, in whatever case that is written.
fn after<'d>(directive: &'d str, name: &str) -> Option<&'d str> {
    let (begin, rest) = directive.split_at_checked(name.len())?;
    begin.eq_ignore_ascii_case(name).then_some(rest)
}

/// The argument of `max-age`; of what is no number, a client may think that it is over (RFC 9111 §4.2.1).
fn seconds(argument: &str) -> u64 {
    let is_number = !argument.is_empty() && argument.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { argument.parse().unwrap_or(u64::MAX) } else { 0 }
}

/// How long a response is fresh that says so in the fields of HTTP/1.0 alone, as a directive that means the same later on.
pub(crate) fn in_newer_words(vendor: &HeaderMap) -> Option<HeaderValue> {
    if directives(&texts(vendor, header::CACHE_CONTROL))
        .any(|directive| after(directive, "max-age=").is_some())
    {
        return None;
    }
    Some(verdict_header(&format!("max-age={}", by_older_fields(vendor)?)))
}

/// How long a response is fresh, in seconds, by the fields of HTTP/1.0: `Expires`, of which what is no date means now
/// (RFC 9111 §5.3), and `Pragma: no-cache`.
fn by_older_fields(vendor: &HeaderMap) -> Option<u64> {
    if let Some(expires) = vendor.get(header::EXPIRES) {
        let left = expires.to_str().ok().and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        let left = left.map_or(0, |date| date.timestamp().as_second() - Timestamp::now().as_second());
        return Some(u64::try_from(left).unwrap_or(0));
    }
    let is_uncached =
        texts(vendor, header::PRAGMA).iter().any(|pragma| pragma.eq_ignore_ascii_case("no-cache"));
    (is_uncached && !vendor.contains_key(header::CACHE_CONTROL)).then_some(0)
}

/// Whether there is something that [`by_older_fields`] looks at. What it says changes with time.
fn has_older_fields(vendor: &HeaderMap) -> bool {
    vendor.contains_key(header::EXPIRES) || vendor.contains_key(header::PRAGMA)
}

/// A header value of text that this crate wrote.
pub(crate) fn verdict_header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("internal"))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};

    use bytes::Bytes;
    use pinfold_policy::decisions::{Approval, Basis, Decisions, Revocations};
    use pinfold_policy::digest::Digests;
    use pinfold_policy::held::{Held, Hold};
    use pinfold_policy::kept::{Keep, Medium};
    use pinfold_policy::pin::{Pin, PinUrl, Place};
    use pinfold_policy::pins::PinIndex;
    use pinfold_policy::policy::{Policy, Rulebook};
    use pinfold_policy::url::ArtifactUrl;
    use pinfold_policy::verdict::{Verdict, judge};

    use super::*;

    fn clamped(theirs: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert("cache-control", HeaderValue::from_str(theirs).unwrap());
        clamp_cache(&mut headers, Duration::from_secs(600));
        headers["cache-control"].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_directive_that_ends_like_max_age_does_not_hide_when_a_response_expires() {
        let newer = |control: &'static str| {
            let fields = [(header::CACHE_CONTROL, control), (header::EXPIRES, "0")];
            in_newer_words(
                &fields.map(|(name, value)| (name, HeaderValue::from_static(value))).into_iter().collect(),
            )
        };
        assert_eq!(newer("public").unwrap(), "max-age=0");
        assert_eq!(newer("x-max-age=600, s-maxage=600").unwrap(), "max-age=0");
        assert_eq!(newer("public, Max-Age=600"), None);
    }

    #[test]
    fn no_client_keeps_a_release_beyond_the_bound() {
        assert_eq!(clamped("public, max-age=31536000, immutable"), "max-age=600");
        assert_eq!(clamped("max-age=60, stale-while-revalidate=86400"), "max-age=60");
        assert_eq!(clamped("private, no-cache"), "private, no-cache, max-age=0");
        assert_eq!(clamped("no-store"), "no-store");
        assert_eq!(clamped("max-age=99999999999999999999999"), "max-age=600");
    }

    #[test]
    fn no_client_keeps_an_answer_for_longer_than_its_vendor_says() {
        for (fields, expected) in [
            (&[("expires", "-1")][..], "max-age=0"),
            (&[("expires", "Wed, 21 Oct 2015 07:28:00 GMT")], "max-age=0"),
            (&[("expires", "Wed, 21 Oct 2099 07:28:00 GMT")], "max-age=600"),
            (&[("expires", "0"), ("cache-control", "max-age=60")], "max-age=60"),
            (
                &[("expires", "-1"), ("cache-control", "private"), ("pragma", "no-cache")],
                "private, max-age=0",
            ),
            (&[("pragma", "no-cache")], "max-age=0"),
            (&[("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT")], "max-age=600"),
            (&[], "max-age=0"),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            clamp_cache(&mut headers, Duration::from_secs(600));
            assert_eq!(headers["cache-control"], expected, "{fields:?}");
        }
    }

    #[test]
    fn a_tag_in_any_coding_names_the_body() {
        let id = Digests::of(b"x").sha256;
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        for coding in Coding::ALL {
            assert!(names(&value(&format!("\"a\", {}", etag(&id.sri(), coding))), id), "{coding}");
            assert!(names(&value(&format!("W/{}", etag(&id.sri(), coding))), id), "{coding}");
        }
        assert!(names(&value(" *"), id));
        for other in
            ["a", "sha256-", &id.to_hex(), &format!("{id}-"), &format!("{id}x"), &format!("{id}-identity")]
        {
            assert!(!names(&value(&format!("\"{other}\"")), id), "{other}");
        }
    }

    #[test]
    fn a_charset_that_changes_what_a_script_says_is_not_passed_on() {
        for (content_type, expected) in [
            ("text/javascript; charset=ISO-8859-1", Some("iso-8859-1")),
            ("text/javascript;charset=\"windows-1252\"", Some("windows-1252")),
            ("text/javascript; charset=Shift_JIS", Some("shift_jis")),
            ("text/javascript; charset=utf-8; charset=utf-16", Some("utf-8")),
            ("text/javascript; charset=utf-16; charset=utf-8", None),
            ("text/javascript; charset=utf-7", None),
            ("text/javascript; charset=iso-2022-jp", None),
            ("text/javascript; charset=hz-gb-2312", None),
            ("text/javascript; charset=x-user-defined", None),
            ("text/javascript; charset=windows-1252x", None),
            ("text/javascript; charset=\"x y\"", None),
            ("text/javascript; charset=", None),
            ("text/javascript", None),
        ] {
            assert_eq!(charset(content_type).as_deref(), expected, "{content_type}");
        }
    }

    #[test]
    fn what_is_utf8_is_not_read_as_a_charset_that_swallows_a_backslash() {
        let kept = |pieces: &[&[u8]]| {
            let mut keep = Keep::new(Some(1));
            pieces.iter().for_each(|piece| keep.push(piece));
            keep.finish().unwrap().0
        };
        let (utf8, gbk) = (kept(&[b"let a = '\xe4", b"\xb8\xad\\'"]), kept(&[b"let a = '\xd6\xd0\\'"]));
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("text/javascript; charset=GBK"));
        let typed = |body: &Kept| content_type(Kind::Script, &headers, || is_utf8(body)).unwrap();
        assert_eq!(typed(&utf8), "text/javascript; charset=utf-8");
        assert_eq!(typed(&gbk), "text/javascript; charset=gbk");
        assert!(!is_utf8(&kept(&[b"\xe4\xb8"])));
    }

    #[test]
    fn a_disk_that_cannot_be_read_does_not_leave_the_charset_to_the_vendor() {
        #[derive(Debug)]
        struct Unreadable;

        impl Medium for Unreadable {
            fn append(&mut self, _: &[u8]) -> io::Result<()> {
                Ok(())
            }

            fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
                Err(io::ErrorKind::Other.into())
            }
        }

        let mut keep = Keep::new(None);
        keep.spill_to(Box::new(Unreadable));
        keep.push(b"let a = '\xe4\xb8\xad\\'");
        let (kept, _) = keep.finish().unwrap();
        let vendor = vendor(&[("content-type", "text/javascript; charset=GBK")]);
        let typed = content_type(Kind::Script, &vendor, || is_utf8(&kept)).unwrap();
        assert_eq!(typed, "text/javascript; charset=utf-8");
    }

    #[test]
    fn a_name_that_is_no_text_takes_no_other_out_of_vary() {
        let mut headers = HeaderMap::new();
        headers.append("vary", HeaderValue::from_bytes(b"Origin, \xe4, X").unwrap());
        headers.append("vary", HeaderValue::from_static("accept-encoding,"));
        assert_eq!(vary(&headers), "Origin, X, Accept-Encoding");
    }

    #[test]
    fn a_type_that_names_several_is_none() {
        let typed = |kind, theirs: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static(theirs));
            content_type(kind, &headers, || false).unwrap()
        };
        assert_eq!(typed(Kind::Document, "image/svg+xml"), "image/svg+xml");
        assert_eq!(typed(Kind::Document, "text/html, text/javascript"), "text/html; charset=utf-8");
        assert_eq!(typed(Kind::Document, "text/html; charset=utf-7"), "text/html; charset=utf-8");
        assert_eq!(typed(Kind::Document, "text/html; Charset=Latin1"), "text/html; charset=latin1");
        assert_eq!(typed(Kind::Installer, "application/x-msi; x=y"), "application/x-msi");
        assert_eq!(typed(Kind::Installer, "application/x-msi, text/html"), "application/octet-stream");
        assert_eq!(typed(Kind::Installer, "text/html"), "application/octet-stream");
    }

    /// A cleared body at a URL that is pinned as `kind`, or approved by a rule.
    fn cleared(body: &[u8], kind: Kind, basis: Option<Basis>) -> Cleared {
        let mut hold = Hold::new(1000, None);
        hold.push(body).unwrap();
        judged(hold.finish(|_| None).unwrap(), kind, basis)
    }

    fn judged(held: Held, kind: Kind, basis: Option<Basis>) -> Cleared {
        let url = ArtifactUrl::parse("https://v.test/a.js").unwrap();
        let place = Place { file: "pins.toml".into(), line: 1 };
        let pin =
            Pin { digests: [held.id().into()].into(), kind, ..Pin::bare(PinUrl::Exact(url.clone()), place) };
        let approval = basis.map(|basis| Approval {
            subject: url.key().into(),
            digest: held.id(),
            kind,
            basis,
            expires: None,
            record: "1".into(),
        });
        let pins = if basis.is_none() { vec![pin] } else { Vec::new() };
        let rules = Rulebook { pins: PinIndex::new(pins), ..Rulebook::default() };
        let decisions = Decisions::new(1, approval, [], Revocations::default(), []);
        let policy = Policy::new(rules.into(), decisions.into());
        let verdict = judge(&policy.expect(&url), Ok(held), Timestamp::UNIX_EPOCH, policy.revocations());
        let Verdict::Allow(cleared) = verdict else { panic!("it is pinned") };
        cleared
    }

    fn vendor(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value);
        }
        headers
    }

    /// One answer, as far as it can differ from another about the same URL.
    struct Asking<'a> {
        vendor: &'a HeaderMap,
        cleared: Cleared,
        coding: Coding,
        client: HeaderMap,
        head_only: bool,
        grounds: Grounds,
        max_age: u64,
    }

    impl<'a> Asking<'a> {
        fn plainly(vendor: &'a HeaderMap) -> Self {
            Self {
                vendor,
                cleared: cleared(BODY, Kind::Script, None),
                coding: Coding::Identity,
                client: HeaderMap::new(),
                head_only: false,
                grounds: Grounds::Verified,
                max_age: 600,
            }
        }

        /// Status and fields, in their order.
        fn answer(&self, ready: &Ready) -> (StatusCode, Vec<(String, String)>) {
            let (kept, digests) = (self.cleared.kept(), self.cleared.digests());
            let mut encoded = Encoded::plain(kept, digests);
            if self.coding != Coding::Identity {
                // What it is encoded to does not matter here, only that it is something else.
                let other = cleared(self.coding.token().as_bytes(), Kind::Script, None);
                encoded = Encoded { coding: self.coding, ..Encoded::plain(other.kept(), other.digests()) };
            }
            let wanted = Wanted::by(Some(&self.client), self.head_only);
            let given = wanted.of(digests.sha256, &encoded);
            let release = Release::new(
                (self.vendor, ready),
                &self.cleared,
                encoded,
                (&wanted, given),
                (Receipt::of_canary(), &Deliveries::default()),
                (self.grounds, Duration::from_secs(self.max_age)),
            );
            let (head, _) = release.into_response().into_parts();
            let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
            let fields = head.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
            (head.status, fields.collect())
        }
    }

    const BODY: &[u8] = b"let a = 1; // and some more";

    /// What a vendor says that shapes a release.
    const VENDOR: [(&str, &str); 6] = [
        ("access-control-allow-origin", "https://shop.test"),
        ("vary", "Origin, X-Kind"),
        ("content-type", "application/javascript; charset=Shift_JIS"),
        ("server", "v"),
        ("cache-control", "public, no-transform, max-age=9000, immutable"),
        ("cross-origin-resource-policy", "cross-origin"),
    ];

    #[test]
    fn the_fields_of_a_release_in_their_order() {
        let vendor = vendor(&VENDOR);
        let (status, fields) = Asking::plainly(&vendor).answer(&Ready::new(0));
        assert_eq!(status, StatusCode::OK);
        let id = Digests::of(BODY).sha256.to_string();
        let digest = id.strip_prefix("sha256-").unwrap();
        let expected = [
            ("access-control-allow-origin", "https://shop.test"),
            ("vary", "Origin, X-Kind, Accept-Encoding"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("content-type", "text/javascript; charset=utf-8"),
            ("x-content-type-options", "nosniff"),
            ("etag", &format!("\"{id}\"")),
            ("repr-digest", &format!("sha-256=:{digest}:")),
            ("accept-ranges", "bytes"),
            ("cache-control", "no-transform, max-age=600"),
            ("pinfold-verdict", &format!("verified; digest=\"{id}\"")),
            ("content-length", "27"),
        ];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(fields, expected);

        let coded = Asking { coding: Coding::Brotli, ..Asking::plainly(&vendor) };
        let (_, fields) = coded.answer(&Ready::new(0));
        let other = format!("sha-256=:{}:", Digests::of(b"br").sha256.sri().base64());
        for (name, expected) in [
            ("etag", format!("\"{id}-br\"")),
            ("repr-digest", other),
            ("content-encoding", "br".to_owned()),
            ("content-length", "2".to_owned()),
        ] {
            assert!(
                fields.contains(&(name.to_owned(), expected.clone())),
                "{name}: {expected} in {fields:?}"
            );
        }
        assert!(fields.iter().all(|(name, _)| name != "accept-ranges"));
    }

    /// All that one URL may be asked for, under whatever rules.
    fn all_askings(vendor: &HeaderMap) -> Vec<Asking<'_>> {
        let plain = || Asking::plainly(vendor);
        let asks = |name: &'static str, value: &str| {
            let mut client = HeaderMap::new();
            client.insert(name, HeaderValue::from_str(value).unwrap());
            Asking { client, ..plain() }
        };
        let tag = etag(&Digests::of(BODY).sha256.sri(), Coding::Identity);
        let incident = Incident(uuid::Uuid::nil());
        let mut all: Vec<_> = Coding::ALL.map(|coding| Asking { coding, ..plain() }).into();
        all.extend([
            asks("range", "bytes=0-3"),
            asks("range", "bytes=0-0,9-9"),
            asks("range", "bytes=900-"),
            asks("if-none-match", &tag),
            asks("if-none-match", "*"),
            asks("accept", "text/javascript"),
            Asking { head_only: true, ..plain() },
            Asking { head_only: true, ..asks("range", "bytes=0-3") },
            Asking { grounds: Grounds::InPlaceOf { reason: Reason::Rejected, incident }, ..plain() },
            Asking { cleared: cleared(BODY, Kind::Style, None), ..plain() },
            Asking { cleared: cleared(BODY, Kind::Script, Some(Basis::Cooldown)), ..plain() },
            Asking { cleared: cleared(BODY, Kind::Script, Some(Basis::Reviewed)), ..plain() },
            Asking { cleared: cleared(b"another body", Kind::Script, None), ..plain() },
            Asking { max_age: 60, ..plain() },
        ]);
        all
    }

    #[test]
    fn what_is_ready_shows_no_field_of_another_client_another_kind_or_other_rules() {
        let vendor = vendor(&VENDOR);
        let all = all_askings(&vendor);
        for first in &all {
            let ready = Ready::new(1 << 20);
            first.answer(&ready);
            for next in &all {
                let made = next.answer(&Ready::new(0));
                for time in 1..=2 {
                    assert_eq!(next.answer(&ready), made, "time {time}: {:?}", next.client);
                }
            }
        }
    }

    #[test]
    fn only_a_whole_body_that_was_verified_leaves_fields_ready() {
        let vendor = vendor(&VENDOR);
        for asking in all_askings(&vendor) {
            let ready = Ready::new(1 << 20);
            let (status, fields) = asking.answer(&ready);
            let is_plain = status == StatusCode::OK
                && fields.iter().any(|(_, value)| value.starts_with("verified; digest="));
            assert_eq!(ready.memory() > 0, is_plain, "{status} {fields:?}");
        }
    }

    #[test]
    fn an_answer_that_expires_at_some_time_has_no_fields_of_an_earlier_one() {
        for vendor in [
            vendor(&[("expires", "Wed, 21 Oct 2099 07:28:00 GMT")]),
            vendor(&[("expires", "Wed, 21 Oct 2099 07:28:00 GMT"), ("cache-control", "private")]),
            vendor(&[("expires", "0")]),
        ] {
            let ready = Ready::new(1 << 20);
            Asking::plainly(&vendor).answer(&ready);
            assert_eq!(ready.memory(), 0, "{vendor:?}");
        }
    }

    #[test]
    fn what_is_ready_shows_no_field_of_another_answer_of_the_vendor() {
        let first = vendor(&VENDOR);
        let mut all = vec![first.clone(), HeaderMap::new()];
        for (name, value) in &first {
            let mut without = first.clone();
            without.remove(name);
            let (mut twice, mut other) = (first.clone(), first.clone());
            twice.append(name, value.clone());
            other.insert(name, HeaderValue::from_static("*"));
            // The same values in the same order, under another name.
            let renamed = first.iter().map(|(own, value)| {
                let own = if own == name { HeaderName::from_static("x-other") } else { own.clone() };
                (own, value.clone())
            });
            all.extend([without, twice, other, renamed.collect()]);
        }
        all.push(vendor(&[("vary", "a"), ("content-language", "b")]));
        all.push(vendor(&[("content-language", "a"), ("vary", "b")]));
        all.push(vendor(&[("vary", "ab")]));
        let made: Vec<_> = all.iter().map(|vendor| Asking::plainly(vendor).answer(&Ready::new(0))).collect();
        let ready = Ready::new(1 << 20);
        for time in 1..=2 {
            for (vendor, made) in all.iter().zip(&made) {
                assert_eq!(Asking::plainly(vendor).answer(&ready), *made, "time {time}: {vendor:?}");
            }
        }
    }

    #[test]
    fn what_is_ready_keeps_nothing_in_memory_that_came_beside_its_fields() {
        let read = Bytes::from(b"Content-Language: fr\r\nX-Large: and so on".to_vec());
        let mut vendor = HeaderMap::new();
        vendor.insert("content-language", HeaderValue::from_maybe_shared(read.slice(18..20)).unwrap());
        let ready = Ready::new(1 << 20);
        let (_, fields) = Asking::plainly(&vendor).answer(&ready);
        assert_eq!(fields[0], ("content-language".to_owned(), "fr".to_owned()));

        drop(vendor);
        assert!(ready.memory() > 0 && read.is_unique());
    }

    #[test]
    fn a_disk_that_could_not_be_read_once_says_nothing_of_the_charset_later() {
        const GBK: &[u8] = b"let a = '\xd6\xd0\\'";

        #[derive(Debug)]
        struct FailsOnce(AtomicBool);

        impl Medium for FailsOnce {
            fn append(&mut self, _: &[u8]) -> io::Result<()> {
                Ok(())
            }

            fn read_at(&self, _: u64, into: &mut [u8]) -> io::Result<()> {
                if !self.0.swap(true, Ordering::Relaxed) {
                    return Err(io::ErrorKind::Other.into());
                }
                into.copy_from_slice(GBK);
                Ok(())
            }
        }

        let mut hold = Hold::new(1000, None);
        hold.spill_to(Box::new(FailsOnce(AtomicBool::new(false))));
        hold.push(GBK).unwrap();
        let held = hold.finish(|_| Some(Digests::of(GBK))).unwrap();
        let vendor = vendor(&[("content-type", "text/javascript; charset=GBK")]);
        let asking = Asking { cleared: judged(held, Kind::Script, None), ..Asking::plainly(&vendor) };
        let ready = Ready::new(1 << 20);
        for charset in ["utf-8", "gbk"] {
            let (_, fields) = asking.answer(&ready);
            assert_eq!(fields[0], ("content-type".to_owned(), format!("text/javascript; charset={charset}")));
        }
    }

    #[test]
    fn fields_take_no_more_memory_than_they_may() {
        let vendor = vendor(&VENDOR);
        let ready = Ready::new(64 << 10);
        for number in 0..100_u8 {
            let cleared = cleared(&[number], Kind::Script, None);
            Asking { cleared, ..Asking::plainly(&vendor) }.answer(&ready);
            assert!((1..=64 << 10).contains(&ready.memory()), "{}", ready.memory());
        }
    }
}
