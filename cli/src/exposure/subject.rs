//! What one box of a search form holds: a URL, a host, a digest, a client, a user or an incident. Whoever types it need not say
//! which, and is told what it was taken for.

use std::net::IpAddr;

use pinfold_policy::host::Host;
use pinfold_store::incident::Incident;

use super::{ExposureOptions, digest};

/// What it was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Everything,
    Url,
    Host,
    Digest,
    Client,
    User,
    Incident(Incident),
}

impl Subject {
    /// In words, after `taken for`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Url => "a URL",
            Self::Host => "a host",
            Self::Digest => "a digest",
            Self::Client => "a client's address",
            Self::User => "a user",
            Self::Incident(_) => "an incident",
        }
    }
}

/// Tells what `text` is, and asks for it. `host:` or another word before it says so.
pub(crate) fn read(text: &str) -> (Subject, ExposureOptions) {
    let text = text.trim();
    let (subject, text) = match text.split_once(':').and_then(|(word, rest)| Some((named(word)?, rest))) {
        Some((subject, rest)) => (subject, rest.trim()),
        None => (guessed(text), text),
    };
    let (none, text) = (ExposureOptions::default(), Some(text.to_owned()));
    let options = match subject {
        Subject::Everything | Subject::Incident(_) => none,
        Subject::Url => ExposureOptions { url: text, ..none },
        Subject::Host => ExposureOptions { host: text, ..none },
        Subject::Digest => ExposureOptions { digest: text, ..none },
        Subject::Client => ExposureOptions { client: text, ..none },
        Subject::User => ExposureOptions { user: text, ..none },
    };
    (subject, options)
}

fn named(word: &str) -> Option<Subject> {
    let words = [
        ("url", Subject::Url),
        ("host", Subject::Host),
        ("digest", Subject::Digest),
        ("client", Subject::Client),
        ("user", Subject::User),
    ];
    words.into_iter().find(|(known, _)| *known == word).map(|(_, subject)| subject)
}

fn guessed(text: &str) -> Subject {
    if text.is_empty() {
        return Subject::Everything;
    }
    if let Ok(incident) = text.parse::<Incident>() {
        return Subject::Incident(incident);
    }
    // One that is cut short is no user.
    let looks_like_digest = ["sha256", "sha384", "sha512"].iter().any(|name| text.starts_with(name));
    if text.contains("://") {
        Subject::Url
    } else if looks_like_digest || digest(text).is_ok() {
        Subject::Digest
    } else if text.parse::<IpAddr>().is_ok() {
        Subject::Client
    } else if text == "localhost" || text.contains('.') && text.parse::<Host>().is_ok() {
        Subject::Host
    } else {
        Subject::User
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_taken_for_what_it_looks_like_or_for_what_it_is_said_to_be() {
        let hex = "ab".repeat(32);
        for (text, subject) in [
            ("", Subject::Everything),
            (" https://cdn.example/app.js ", Subject::Url),
            ("cdn.example", Subject::Host),
            ("localhost", Subject::Host),
            (&hex, Subject::Digest),
            ("sha256-cut", Subject::Digest),
            ("10.1.2.3", Subject::Client),
            ("fd00::1", Subject::Client),
            ("ada", Subject::User),
            ("user:ada.b", Subject::User),
            ("host:intranet", Subject::Host),
            ("host:10.1.2.3", Subject::Host),
        ] {
            assert_eq!(read(text).0, subject, "{text}");
        }
        let incident = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        assert!(matches!(read(incident).0, Subject::Incident(found) if found.to_string() == incident));
        assert_eq!(read("user:ada.b").1.user.as_deref(), Some("ada.b"));
    }
}
