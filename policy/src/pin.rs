//! Pins: a URL and the digests that may be served for it.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use thiserror::Error;

use crate::digest::Digest;
use crate::kind::Kind;
use crate::url::{ArtifactUrl, UrlError, push_canonical};

/// One entry of a reviewed list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Where it applies.
    pub url: PinUrl,
    /// Any one of these may be served.
    pub digests: Box<[Digest]>,
    /// What these bytes may act as.
    pub kind: Kind,
    /// URLs of one release belong together.
    pub release: Option<Arc<str>>,
    /// Who answers for it.
    pub owner: Option<Arc<str>>,
    /// The written justification.
    pub reason: Option<Arc<str>>,
    /// The day it was added.
    pub added: Option<Date>,
    /// The last day, UTC, on which it counts.
    pub expires: Option<Date>,
    /// The file and line it stands in.
    pub place: Place,
}

impl Pin {
    /// A pin that says where it applies and stands, and nothing else: a script of which no body is allowed.
    #[must_use]
    pub fn bare(url: PinUrl, place: Place) -> Self {
        Self {
            url,
            digests: Box::default(),
            kind: Kind::Script,
            release: None,
            owner: None,
            reason: None,
            added: None,
            expires: None,
            place,
        }
    }

    /// Whether it counts at `now`: up to the end of its last day in UTC.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|last| now.to_zoned(TimeZone::UTC).date() <= last)
    }
}

/// Where something was written: `pins.toml:14`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name as the configuration has it.
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: u32,
}

impl Place {
    /// The text of it, for who needs it with each request.
    #[must_use]
    pub fn to_text(&self) -> Arc<str> {
        [&self.file, ":", &self.line.to_string()].concat().into()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The URL of a pin: exact, or a path with stars.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PinUrl {
    /// One match key. Without a query it matches any query.
    Exact(ArtifactUrl),
    /// Any path that fits.
    Pattern(UrlPattern),
}

/// Why some text is not the URL of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PinUrlError {
    /// Not the URL of an artifact.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A star before the path or in the query.
    #[error("a star may stand in the path only; a literal star is written %2A")]
    StarOutsidePath,
    /// `a**`: two stars mean whole segments.
    #[error("'**' must be a whole path segment")]
    PartialDoubleStar,
    /// A pattern with a query: patterns are bound to paths.
    #[error("a URL with a star in its path has no query")]
    PatternWithQuery,
}

impl PinUrl {
    /// Parses an exact URL or a pattern.
    ///
    /// # Errors
    /// [`PinUrlError`], naming what a pin's URL cannot hold.
    pub fn parse(text: &str) -> Result<Self, PinUrlError> {
        if !text.contains('*') {
            return Ok(Self::Exact(ArtifactUrl::parse(text)?));
        }
        let before = text.get(..path_start(text).ok_or(UrlError::Invalid)?).unwrap_or_default();
        let fragment = text.split_once('#').map_or("", |(_, fragment)| fragment);
        if before.contains('*') || fragment.contains('*') {
            return Err(PinUrlError::StarOutsidePath);
        }
        // The request target is serialised as a URL that is asked for will be, and keeps stars as they were written.
        let url = ArtifactUrl::parse(text)?;
        let (path, query) = url.request_target().split_once('?').unwrap_or((url.request_target(), ""));
        if query.contains('*') {
            return Err(PinUrlError::StarOutsidePath);
        }
        if !query.is_empty() {
            return Err(PinUrlError::PatternWithQuery);
        }
        // A `..` took the segment before it along, and the star in it.
        if path.matches('*').count() != text.matches('*').count() {
            return Err(UrlError::Path.into());
        }
        let segments = path.split('/').skip(1).map(Segment::parse).collect::<Result<_, _>>()?;
        Ok(Self::Pattern(UrlPattern { origin: url.origin().into(), segments }))
    }

    /// The spelling that is stored and shown: the match key, stars as stars.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Exact(url) => url.key().to_owned(),
            Self::Pattern(pattern) => pattern.to_string(),
        }
    }

    /// Whether it is the pin of this one match key, and no pattern.
    #[must_use]
    pub fn is_exactly(&self, key: &str) -> bool {
        match self {
            Self::Exact(url) => url.key() == key,
            Self::Pattern(_) => false,
        }
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &str {
        match self {
            Self::Exact(url) => url.origin(),
            Self::Pattern(pattern) => &pattern.origin,
        }
    }
}

fn path_start(text: &str) -> Option<usize> {
    let authority = text.find("://")? + 3;
    Some(authority + text.get(authority..)?.find('/')?)
}

impl fmt::Display for PinUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// A path with stars, on one origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UrlPattern {
    pub(crate) origin: Box<str>,
    pub(crate) segments: Vec<Segment>,
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        for segment in &self.segments {
            write!(f, "/{segment}")?;
        }
        Ok(())
    }
}

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    /// No star.
    Literal(Box<str>),
    /// The texts between the stars, in order.
    Star(Box<[Box<str>]>),
    /// `**`: none, one or many segments.
    AnySegments,
}

impl Segment {
    fn parse(text: &str) -> Result<Self, PinUrlError> {
        if text == "**" {
            return Ok(Self::AnySegments);
        }
        if text.contains("**") {
            return Err(PinUrlError::PartialDoubleStar);
        }
        let canonical = |text: &str| {
            let mut out = String::with_capacity(text.len());
            push_canonical(&mut out, text);
            Box::<str>::from(out)
        };
        if !text.contains('*') {
            return Ok(Self::Literal(canonical(text)));
        }
        Ok(Self::Star(text.split('*').map(canonical).collect()))
    }

    /// Whether a path segment fits. `AnySegments` is for the index to unroll, and fits each.
    pub(crate) fn matches(&self, segment: &str) -> bool {
        match self {
            Self::Literal(literal) => **literal == *segment,
            Self::Star(parts) => star_matches(parts, segment),
            Self::AnySegments => true,
        }
    }
}

/// A segment that is a star alone does not match the empty segment: `a//b` is another URL than `a/x/b`.
fn star_matches(parts: &[Box<str>], segment: &str) -> bool {
    let [first, middle @ .., last] = parts else { return false };
    let Some(rest) = segment.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&**last)) else {
        return false;
    };
    let mut rest = rest;
    for part in middle {
        let Some(at) = rest.find(&**part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    !segment.is_empty()
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => f.write_str(text),
            Self::Star(parts) => f.write_str(&parts.join("*")),
            Self::AnySegments => f.write_str("**"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> PinUrlError {
        PinUrl::parse(text).unwrap_err()
    }

    #[test]
    fn stars_stand_in_the_path_and_nowhere_else() {
        assert_eq!(error("https://*.v.test/a.js"), PinUrlError::StarOutsidePath);
        assert_eq!(error("https://v.test:*/a.js"), PinUrlError::StarOutsidePath);
        assert_eq!(error("https://v.test/a.js?v=*"), PinUrlError::StarOutsidePath);
        assert_eq!(error("https://v.test/a**b"), PinUrlError::PartialDoubleStar);
        assert_eq!(error("https://v.test/*/a.js?v=1"), PinUrlError::PatternWithQuery);
        assert_eq!(error("https://v.test/*/../a.js"), PinUrlError::Url(UrlError::Path));
    }

    #[test]
    fn a_path_in_a_query_or_fragment_makes_no_pattern() {
        assert_eq!(error("https://v.test?next=/*"), PinUrlError::StarOutsidePath);
        assert_eq!(error("https://v.test/a#/*"), PinUrlError::StarOutsidePath);
        assert_eq!(error("https://v.test/*?a/b"), PinUrlError::PatternWithQuery);
    }

    #[test]
    fn a_pattern_is_spelled_as_the_url_that_it_matches() {
        for (written, matched) in [
            ("https://v.test/ü b/*", "https://v.test/%C3%BC%20b/*"),
            ("https://v.test/a\\*", "https://v.test/a/*"),
            ("https://v.test/a/./*/%2e", "https://v.test/a/*/"),
            (" https://v.test/\t*?#top", "https://v.test/*"),
        ] {
            assert_eq!(PinUrl::parse(written).unwrap().to_text(), matched, "{written:?}");
        }
    }

    #[test]
    fn a_pattern_is_shown_as_it_is_matched() {
        let pattern = PinUrl::parse("HTTPS://V.test:443/%61/*.min.js").unwrap();
        assert_eq!(pattern.to_text(), "https://v.test/a/*.min.js");
        assert_eq!(PinUrl::parse("https://v.test/a%2Ab").unwrap().to_text(), "https://v.test/a%2Ab");
    }

    #[test]
    fn a_pin_counts_until_the_end_of_its_last_day() {
        let url = PinUrl::parse("https://v.test/a.js").unwrap();
        let mut pin = Pin {
            expires: Some("2027-05-23".parse().unwrap()),
            ..Pin::bare(url, Place { file: "pins.toml".into(), line: 1 })
        };
        assert!(pin.is_active("2027-05-23T23:59:59Z".parse().unwrap()));
        assert!(!pin.is_active("2027-05-24T00:00:00Z".parse().unwrap()));
        pin.expires = None;
        assert!(pin.is_active(Timestamp::MAX));
    }
}
