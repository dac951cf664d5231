//! The URL of an artifact, in its one spelling: the match key.
//!
//! Vendors' servers treat `/%61pp.js`, `/app.js` and `/x/../app.js` as one file. The match key does too, so that
//! a pin cannot be dodged by asking differently. What a server might tell apart (`%2F`, `//`) stays apart.

use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;
use url::{Position, Url};

use crate::host::{Authority, AuthorityError, Host, HostError};

/// The schemes that carry artifacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// Clear text.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The port that a URL of this scheme means when it names none.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// `http` or `https`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Where an artifact comes from, parsed once. Two are equal when their match keys are.
///
/// A list of pins holds a million of them: no text is kept twice.
#[derive(Clone)]
pub struct ArtifactUrl {
    authority: Arc<Authority>,
    /// The match key, query included.
    key: Arc<str>,
    /// Path and query for the request line where they are not those of the key: the WHATWG serialisation, escapes as
    /// the client wrote them.
    request_target: Option<Box<str>>,
    /// Where in `key` the path starts and where it ends (the `?` of the query, or the end).
    path: Range<u32>,
    scheme: Scheme,
}

/// Why some text is not the URL of an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// The WHATWG URL parser refuses it.
    #[error("not an absolute URL")]
    Invalid,
    /// Neither http nor https.
    #[error("scheme is not http or https")]
    Scheme,
    /// `https://user:password@host/`.
    #[error("holds user information")]
    UserInfo,
    /// The host is not one.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A request target that is not a path (RFC 9112 §3.2), or holds a fragment.
    #[error("not a path")]
    Path,
    /// Longer than [`ArtifactUrl::MAX_LEN`].
    #[error("longer than 16 KiB")]
    TooLong,
}

/// Room for an origin: most are shorter.
const ORIGIN: usize = 64;

impl ArtifactUrl {
    /// The longest URL that is looked at, in bytes.
    pub const MAX_LEN: usize = 16 * 1024;

    /// Parses an absolute URL. A fragment is dropped.
    ///
    /// # Errors
    /// [`UrlError`] when it is not an absolute http or https URL without user information.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > Self::MAX_LEN {
            return Err(UrlError::TooLong);
        }
        let url = Url::parse(text).map_err(|_| UrlError::Invalid)?;
        Self::from_url(&url)
    }

    /// The URL that a request means: the host and port it was sent to, and the path and query of its request line.
    ///
    /// # Errors
    /// [`UrlError::Path`] when `target` does not start with a slash or holds a fragment.
    pub fn of_request(scheme: Scheme, authority: &Authority, target: &str) -> Result<Self, UrlError> {
        if let Some(url) = Self::of_plain(scheme, authority, target) {
            return Ok(url);
        }
        if !target.starts_with('/') || target.contains('#') {
            return Err(UrlError::Path);
        }
        Self::parse(&format!("{}://{authority}{target}", scheme.as_str()))
    }

    /// The URL of a target in which every byte stands for itself to all parsers, as in most requests: it is its own key.
    fn of_plain(scheme: Scheme, authority: &Authority, target: &str) -> Option<Self> {
        let path = plain_path(target)?;
        let mut key = String::with_capacity(ORIGIN + target.len());
        push_origin(&mut key, scheme, authority);
        let start = key.len();
        key.push_str(target);
        let place = |at: usize| u32::try_from(at).ok();
        Some(Self {
            authority: authority.clone().into(),
            path: place(start)?..place(start + path.len())?,
            key: key.into(),
            request_target: None,
            scheme,
        })
    }

    /// Where a reference such as `Location` leads from here. `None` if that is no artifact's URL.
    #[must_use]
    pub fn join(&self, reference: &str) -> Option<Self> {
        let base = Url::parse(&format!("{}{}", self.origin(), self.request_target())).ok()?;
        let joined = base.join(reference).ok()?;
        if joined.as_str().len() > Self::MAX_LEN { None } else { Self::from_url(&joined).ok() }
    }

    fn from_url(url: &Url) -> Result<Self, UrlError> {
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return Err(UrlError::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::UserInfo);
        }
        let host = Host::from_url(url.host().ok_or(UrlError::Invalid)?)?;
        let authority = Authority { host, port: url.port().unwrap_or(scheme.default_port()) };
        let query = url.query().filter(|query| !query.is_empty());

        let mut key = String::with_capacity(url.as_str().len());
        push_origin(&mut key, scheme, &authority);
        let start = key.len();
        push_canonical(&mut key, url.path());
        let end = key.len();
        if let Some(query) = query {
            key.push('?');
            push_canonical(&mut key, query);
        }
        let request_target = &url[Position::BeforePath..Position::AfterQuery];
        let is_in_key = key.get(start..) == Some(request_target);
        let place = |at: usize| u32::try_from(at).map_err(|_| UrlError::TooLong);
        Ok(Self {
            authority: authority.into(),
            path: place(start)?..place(end)?,
            key: key.into(),
            request_target: (!is_in_key).then(|| request_target.into()),
            scheme,
        })
    }

    /// Keeps one authority for all URLs that name it: the pins of a list name few hosts.
    pub fn share_authority(&mut self, known: &mut HashSet<Arc<Authority>>) {
        match known.get(&self.authority) {
            Some(same) => self.authority = Arc::clone(same),
            None => {
                known.insert(Arc::clone(&self.authority));
            }
        }
    }

    /// Http or https.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host and port, the port made explicit.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.authority.host
    }

    /// The match key: scheme, host, port unless it is the scheme's, path, and query unless it is empty.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The match key, for whoever keeps it.
    #[must_use]
    pub fn shared_key(&self) -> Arc<str> {
        Arc::clone(&self.key)
    }

    /// The match key without its query.
    #[must_use]
    pub fn key_without_query(&self) -> &str {
        self.key.get(..self.path.end as usize).unwrap_or(&self.key)
    }

    /// The path of the match key, with its leading slash.
    #[must_use]
    pub fn path(&self) -> &str {
        self.key.get(self.path.start as usize..self.path.end as usize).unwrap_or("/")
    }

    /// The query of the match key, without the question mark.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.key.get(self.path.end as usize + 1..)
    }

    /// Scheme, host, and port unless it is the scheme's: `https://cdn.example:8443`.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.key.get(..self.path.start as usize).unwrap_or(&self.key)
    }

    /// Path and query as they go to the vendor: dot segments resolved, escapes as the client wrote them.
    #[must_use]
    pub fn request_target(&self) -> &str {
        let in_key = || self.key.get(self.path.start as usize..).unwrap_or("/");
        self.request_target.as_deref().unwrap_or_else(in_key)
    }

    /// The last segment of the path: a file's name, or nothing.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.path().rsplit('/').next().unwrap_or_default()
    }
}

/// The path of a request target in which there is nothing to resolve, to escape or to decode, and which is not long. What
/// is not plain may be any URL.
fn plain_path(target: &str) -> Option<&str> {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'~' | b'.');
    let (path, query) = target.split_once('?').unwrap_or((target, "-"));
    let is_path = path.starts_with('/') && path.bytes().all(is_plain) && !path.contains("/.");
    let is_query =
        !query.is_empty() && query.bytes().all(|byte| is_plain(byte) || matches!(byte, b'=' | b'&'));
    (is_path && is_query && target.len() <= ArtifactUrl::MAX_LEN / 2).then_some(path)
}

fn push_origin(out: &mut String, scheme: Scheme, authority: &Authority) {
    out.push_str(scheme.as_str());
    out.push_str("://");
    match &authority.host {
        Host::Name(name) => out.push_str(name),
        Host::Ip(_) => out.push_str(&authority.host.to_string()),
    }
    if authority.port != scheme.default_port() {
        // Writing to a text cannot fail.
        let _ = write!(out, ":{}", authority.port);
    }
}

/// Appends `text` with escaped unreserved characters (RFC 3986 §2.3) decoded, other escapes in upper case, and
/// a star or a percent sign that begins no escape written as one. Applied to its own output it changes nothing.
pub(crate) fn push_canonical(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'%' | b'*')) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let (char, after) = special.split_at(1);
        rest = match escape(after.as_bytes()) {
            Some(byte) if char == "%" => {
                push_escape(out, byte);
                after.get(2..).unwrap_or_default()
            }
            Some(_) | None => {
                out.push_str(if char == "%" { "%25" } else { "%2A" });
                after
            }
        };
    }
    out.push_str(rest);
}

/// The byte that two hex digits stand for, if they come first.
pub(crate) fn escape(rest: &[u8]) -> Option<u8> {
    let digits = rest.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn push_escape(out: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        out.push(char::from(byte));
    } else {
        out.push_str(&format!("%{byte:02X}"));
    }
}

impl PartialEq for ArtifactUrl {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ArtifactUrl {}

impl Hash for ArtifactUrl {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl FromStr for ArtifactUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl fmt::Display for ArtifactUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)
    }
}

impl fmt::Debug for ArtifactUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.key)
    }
}

impl From<AuthorityError> for UrlError {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Host(host) => Self::Host(host),
            AuthorityError::UserInfo => Self::UserInfo,
            AuthorityError::Port => Self::Invalid,
        }
    }
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "ASCII")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> String {
        ArtifactUrl::parse(text).unwrap().key().to_owned()
    }

    #[test]
    fn spellings_of_one_url_share_its_key() {
        for spelling in [
            "https://cdn.vendor.test/a/app.js",
            "HTTPS://CDN.VENDOR.TEST:443/a/app.js",
            "https://cdn.vendor.test./a/app.js",
            "https://cdn.vendor.test/a/%61pp%2Ejs",
            "https://cdn.vendor.test/a/b/../app.js",
            "https://cdn.vendor.test/a/b/%2e%2E/app.js",
            "https://cdn.vendor.test/a/b/.%2e/app.js",
            "https://cdn.vendor.test/a/b/%2E./app.js",
            "https://cdn.vendor.test/../../a/%2e/app.js",
            "https://cdn.vendor.test/a/b/..\\app.js",
            "https://cdn.vendor.test/a/b\\%2e%2e\\app.js",
            "https://cdn.vendor.test:0443/a/app.js",
            "https://cdn.vendor.test:/a/app.js",
            "https:\\\\cdn.vendor.test/a/app.js",
            "https:cdn.vendor.test/a/app.js",
            " https://cdn.vendor.test/a/a\tpp.js\n",
            "https://cdn%2Evendor%2etest/a/app.js",
            "https://\u{ff43}dn.ven\u{ad}dor.test/a/app.js",
            "https://cdn.vendor.test\\a\\app.js",
            "https://cdn.vendor.test/a/./app.js?",
            "https://cdn.vendor.test/a/app.js?#top",
            "https://cdn.vendor.test/a/app.js#top",
        ] {
            assert_eq!(key(spelling), "https://cdn.vendor.test/a/app.js", "{spelling}");
        }
    }

    #[test]
    fn what_a_server_may_tell_apart_stays_apart() {
        let plain = key("https://v.test/a/app.js");
        for other in [
            "https://v.test/a%2Fapp.js",
            "https://v.test/a//app.js",
            "https://v.test/a%5Capp.js",
            "https://v.test/A/app.js",
            "https://v.test/a/app.js/",
            "https://v.test/a/app.js;v=1",
            "https://v.test/a/app.js%00",
            "https://v.test/a/b/..%2Fapp.js",
            "https://v.test/a/%252e/app.js",
            "https://v.test:8443/a/app.js",
            "http://v.test/a/app.js",
        ] {
            assert_ne!(key(other), plain, "{other}");
        }
        assert_eq!(key("https://v.test/a%2fapp.js"), key("https://v.test/a%2Fapp.js"));
    }

    #[test]
    fn a_literal_star_has_one_spelling() {
        assert_eq!(key("https://v.test/a*b?c=*"), "https://v.test/a%2Ab?c=%2A");
        assert_eq!(key("https://v.test/a%2ab"), key("https://v.test/a*b"));
    }

    #[test]
    fn the_request_target_keeps_the_escapes_that_a_signature_may_cover() {
        let url = ArtifactUrl::parse("https://v.test/x/../a%7eb?sig=%61").unwrap();
        assert_eq!(url.request_target(), "/a%7eb?sig=%61");
        assert_eq!(url.key(), "https://v.test/a~b?sig=a");
    }

    #[test]
    fn what_is_sent_has_no_dot_segments_and_no_backslashes_in_any_spelling() {
        for (target, sent) in [
            ("/x/../app.js", "/app.js"),
            ("/x/%2e%2E/.%2e/%2e/app.js", "/app.js"),
            ("\\app.js", "/app.js"),
            ("/x\\..\\app.js?a\\b", "/app.js?a\\b"),
            ("/x/..%2Fapp.js", "/x/..%2Fapp.js"),
            ("/x/%2e%2e%5Capp.js", "/x/%2e%2e%5Capp.js"),
            ("//../app.js", "/app.js"),
        ] {
            let url = ArtifactUrl::parse(&format!("https://v.test{target}")).unwrap();
            assert_eq!(url.request_target(), sent, "{target}");
        }
    }

    #[test]
    fn parts_of_the_key() {
        let url = ArtifactUrl::parse("https://v.test:8443/d/f.js?q=1").unwrap();
        assert_eq!((url.origin(), url.path(), url.query()), ("https://v.test:8443", "/d/f.js", Some("q=1")));
        assert_eq!((url.key_without_query(), url.file_name()), ("https://v.test:8443/d/f.js", "f.js"));
        assert_eq!(ArtifactUrl::parse("https://v.test/d/").unwrap().query(), None);
    }

    #[test]
    fn a_request_target_cannot_name_another_host() {
        let authority = Authority::parse("v.test:443", None).unwrap();
        let of = |target: &str| ArtifactUrl::of_request(Scheme::Https, &authority, target);
        assert_eq!(of("//evil.test/x.js").unwrap().host(), &authority.host);
        assert_eq!(of("/@evil.test").unwrap().host(), &authority.host);
        assert_eq!(of("@evil.test/x.js"), Err(UrlError::Path));
        assert_eq!(of(".evil.test/x.js"), Err(UrlError::Path));
        assert_eq!(of("/x.js#frag"), Err(UrlError::Path));
        assert_eq!(of("*"), Err(UrlError::Path));
    }

    #[test]
    fn foreign_schemes_and_user_information_are_refused() {
        assert_eq!(ArtifactUrl::parse("ftp://v.test/x"), Err(UrlError::Scheme));
        assert_eq!(ArtifactUrl::parse("https://u:p@v.test/x"), Err(UrlError::UserInfo));
        assert_eq!(ArtifactUrl::parse("/x.js"), Err(UrlError::Invalid));
        assert_eq!(
            ArtifactUrl::parse(&format!("https://v.test/{}", "a".repeat(17_000))),
            Err(UrlError::TooLong)
        );
    }

    /// What targets are made of, and what parsers disagree on.
    const PIECES: [&str; 30] = [
        "a", "B", "7", "/", "//", ".", "..", "/.", "/..", "-", "_", "~", "?", "&", "=", "%2e", "%2E%2e",
        "%2F", "%41", "%", "%zz", "*", "\\", "@w.test", ":80", ";", "'", " ", "\t", "\u{e4}",
    ];

    /// Hosts as clients spell them.
    fn host() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "v.test",
            "V.TEST",
            "v.test.",
            "v%2Etest",
            "a_b.v.test",
            "192.0.2.1",
            "0xC0.0.513",
            "[2001:db8::1]",
            "[2001:DB8:0::0001]",
            "[::ffff:192.0.2.1]",
            "xn--bcher-kva.test",
            "B\u{fc}cher.test",
            "u@v.test",
            "u:p@v.test",
            "",
        ])
    }

    /// Whether a request to this host, as its client spells it, is read as the one text of both is parsed.
    fn is_read_as_it_is_parsed(host: &str, port: u16, target: &str) -> Result<(), TestCaseError> {
        let parts = |url: ArtifactUrl| {
            let (path, query) = (url.path().to_owned(), url.query().map(str::to_owned));
            let sent = (url.origin().to_owned(), url.request_target().to_owned());
            let without_query = url.key_without_query().to_owned();
            (url.key().to_owned(), without_query, path, query, sent, url.authority().clone(), url.scheme())
        };
        let spelled = format!("{host}:{port}");
        for scheme in [Scheme::Http, Scheme::Https] {
            let parsed = ArtifactUrl::parse(&format!("{}://{spelled}{target}", scheme.as_str()));
            match Authority::parse(&spelled, None) {
                Ok(authority) => {
                    let read = ArtifactUrl::of_request(scheme, &authority, target);
                    prop_assert_eq!(read.map(parts), parsed.map(parts));
                }
                Err(_) => prop_assert!(parsed.is_err()),
            }
        }
        Ok(())
    }

    #[test]
    fn a_target_is_plain_up_to_a_length_that_no_origin_makes_too_long() {
        for len in [ArtifactUrl::MAX_LEN / 2, ArtifactUrl::MAX_LEN / 2 + 1, ArtifactUrl::MAX_LEN] {
            let target = format!("/{}", "a".repeat(len - 1));
            assert_eq!(plain_path(&target).is_some(), len <= ArtifactUrl::MAX_LEN / 2);
            let longest = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
            is_read_as_it_is_parsed(&longest, 8443, &target).unwrap();
        }
    }

    proptest! {
        #[test]
        fn a_plain_target_is_what_the_parser_makes_of_it(
            target in "/[a-zA-Z0-9/._~?&=-]{0,24}[a-zA-Z0-9/._~?&=%*'-]{0,2}",
            host in host(),
            port in prop::sample::select(vec![80, 443, 8443]),
        ) {
            is_read_as_it_is_parsed(host, port, &target)?;
        }

        #[test]
        fn a_target_of_anything_is_what_the_parser_makes_of_it(
            pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..10),
            host in host(),
            port in prop::sample::select(vec![80, 443, 8443]),
        ) {
            is_read_as_it_is_parsed(host, port, &format!("/{}", pieces.concat()))?;
        }

        #[test]
        fn the_key_of_a_key_is_itself(tail in "[ -~]{0,40}") {
            if let Ok(url) = ArtifactUrl::parse(&format!("https://v.test/{tail}")) {
                let again = ArtifactUrl::parse(url.key()).unwrap();
                prop_assert_eq!(again.key(), url.key());
            }
        }

        #[test]
        fn escaping_any_unreserved_character_changes_no_key(path in "[a-zA-Z0-9_~-]{1,12}", at in any::<prop::sample::Index>(), upper in any::<bool>()) {
            let at = at.index(path.len());
            let byte = path.as_bytes()[at];
            let escaped = if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
            let other = format!("{}{escaped}{}", &path[..at], &path[at + 1..]);
            prop_assert_eq!(key(&format!("https://v.test/{path}")), key(&format!("https://v.test/{other}")));
        }

        #[test]
        fn the_request_target_means_the_same_key(tail in "[ -~]{0,40}") {
            if let Ok(url) = ArtifactUrl::parse(&format!("https://v.test/{tail}")) {
                let again = ArtifactUrl::of_request(Scheme::Https, url.authority(), url.request_target()).unwrap();
                prop_assert_eq!(again.key(), url.key());
            }
        }
    }
}
