//! Query parameters whose values are nobody's business: they are masked before a URL is written anywhere.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::pin::PinUrl;
use crate::url::ArtifactUrl;

/// What stands in place of a value.
pub const MASK: &str = "redacted";

/// What ends a parameter, and a name. Servers read a semicolon as an ampersand, or do not, and a URL can stand in a value.
const SEPARATORS: [char; 5] = ['&', ';', '?', '#', '='];

/// How often a part is unescaped: a URL in a URL in a URL.
const UNESCAPED: usize = 4;

/// Names of parameters, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction(Box<[Box<str>]>);

impl Redaction {
    /// Of these names, whatever their case.
    pub fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self(names.into_iter().map(|name| name.to_lowercase().into()).collect())
    }

    /// The URL with the values masked, from the first equals sign on to the next ampersand: what reads a value's end
    /// elsewhere hides none of it. Any text will do: what is no URL has no parameters behind its first question mark
    /// either that a value could hide in.
    #[must_use]
    pub fn mask<'u>(&self, url: &'u str) -> Cow<'u, str> {
        let Some((before, query)) = url.split_once('?').filter(|_| !self.0.is_empty()) else {
            return Cow::Borrowed(url);
        };
        let mut masked = String::with_capacity(url.len());
        masked.extend([before, "?"]);
        let mut is_masked = false;
        for part in query.split_inclusive(['&', '#']) {
            let pair = part.trim_end_matches(['&', '#']);
            if self.is_in(pair) {
                is_masked = true;
                if let Some((name, _)) =
                    pair.split_once('=').filter(|(name, _)| !unescaped(name).contains('='))
                {
                    masked.extend([name, "="]);
                }
                masked.push_str(MASK);
            } else {
                masked.push_str(pair);
            }
            masked.push_str(part.get(pair.len()..).unwrap_or_default());
        }
        if is_masked { Cow::Owned(masked) } else { Cow::Borrowed(url) }
    }

    /// The URL as it is recorded, where it holds a value that is masked: whoever looks it up finds it under this one, among
    /// those that differ in that value alone.
    #[must_use]
    pub fn as_recorded(&self, url: &PinUrl) -> Option<PinUrl> {
        // A pattern has no query.
        let PinUrl::Exact(url) = url else { return None };
        let Cow::Owned(masked) = self.mask(url.key()) else { return None };
        ArtifactUrl::parse(&masked).ok().map(PinUrl::Exact)
    }

    /// Whether a URL may be the one that was written down as `recorded`: names may have been masked then that are not now, and
    /// the other way round.
    #[must_use]
    pub fn may_be(&self, recorded: &str, url: &str) -> bool {
        let (recorded, url) = (self.mask(recorded), self.mask(url));
        // A value may hold a question mark, which its mask does not.
        let parts = |url: &'_ str| {
            let (path, query) = url.split_once('?').unwrap_or((url, ""));
            std::iter::once(path).chain(query.split('&')).map(str::to_owned).collect::<Vec<_>>()
        };
        let (recorded, url) = (parts(&recorded), parts(&url));
        let may_be = |(recorded, part): (&String, &String)| {
            recorded == part || recorded.strip_suffix(MASK).is_some_and(|name| part.starts_with(name))
        };
        recorded.len() == url.len() && recorded.iter().zip(&url).all(may_be)
    }

    /// Whether one of the names has a value here, also as a parameter of a URL that is a value.
    fn is_in(&self, pair: &str) -> bool {
        let pair = unescaped(pair);
        let pair = pair.trim_end_matches('=');
        pair.split_inclusive(SEPARATORS)
            .any(|piece| piece.strip_suffix('=').is_some_and(|name| self.names(name)))
    }

    /// Also as the name of a list, or in one: `token[]`, `filter[token]`, `user.token`; and as servers read it that take such
    /// characters for an underscore: `access.token`.
    fn names(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let underscored = name.trim_matches(is_blank).replace(['.', ' ', '+', '['], "_");
        let pieces = name.split(['[', ']', '.']).map(|piece| piece.trim_matches(is_blank));
        let mut readings = pieces.chain([underscored.as_str()]);
        readings.any(|reading| self.0.iter().any(|named| **named == *reading))
    }
}

fn is_blank(character: char) -> bool {
    character == '+' || character.is_whitespace() || character.is_control()
}

fn unescaped(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..UNESCAPED {
        match percent_decode_str(&text).into() {
            Cow::Borrowed(_) => break,
            Cow::Owned(decoded) => text = Cow::Owned(String::from_utf8_lossy(&decoded).into_owned()),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(query: &str) -> String {
        let url = format!("https://v.test/a.js?{query}");
        Redaction::of(["token", "Sig", "access_token"])
            .mask(&url)
            .strip_prefix("https://v.test/a.js?")
            .unwrap()
            .to_owned()
    }

    #[test]
    fn values_of_the_names_are_masked_however_they_are_written() {
        for (query, expected) in [
            ("token=secret", "token=redacted"),
            ("v=1&sig=s%3D&x=2", "v=1&sig=redacted&x=2"),
            ("TOKEN=secret&Sig=x#top", "TOKEN=redacted&Sig=redacted#top"),
            ("%74ok%65n=secret&%2574oken=secret", "%74ok%65n=redacted&%2574oken=redacted"),
            ("token%5B%5D=a&token[1]=b", "token%5B%5D=redacted&token[1]=redacted"),
            ("filter[token]=secret&token%00=secret", "filter[token]=redacted&token%00=redacted"),
            ("user.token=secret", "user.token=redacted"),
            ("access.token=secret&access%20token=secret", "access.token=redacted&access%20token=redacted"),
            ("access+token=secret&access[token=secret", "access+token=redacted&access[token=redacted"),
            ("token=a=b&token=c", "token=redacted&token=redacted"),
            ("+token=secret", "+token=redacted"),
            // An ampersand alone ends a value.
            ("token=ab;secret&v=1", "token=redacted&v=1"),
            ("token=ab?secret", "token=redacted"),
            // What may be a parameter of its own, to one server or another.
            ("v=1;token=secret", "v=redacted"),
            ("a;token=secret", "a;token=redacted"),
            ("v=token=secret", "v=redacted"),
            ("v=1%26token=secret&w=2", "v=redacted&w=2"),
            ("token%3Dsecret;v=1", "redacted"),
            // A URL in a value.
            ("u=https://w.test/?token=secret&v=1", "u=redacted&v=1"),
            ("u=https%3A%2F%2Fw.test%2F%3Fv%3D1%26token%3Dsecret", "u=redacted"),
            ("u=https%253A%252F%252Fw.test%252F%253Ftoken%253Dsecret", "u=redacted"),
        ] {
            assert_eq!(masked(query), expected);
        }
        for query in ["tokens=1&atoken=2&token&token=", "v=token", "v=1;2&u=https%3A%2F%2Fw.test%2F%3Fv%3D1"]
        {
            assert_eq!(masked(query), query);
        }
        let redaction = Redaction::of(["token"]);
        assert_eq!(redaction.mask("https://v.test/token=x"), "https://v.test/token=x");
        assert_eq!(Redaction::default().mask("https://v.test/?token=x"), "https://v.test/?token=x");
    }

    #[test]
    fn a_url_with_a_masked_value_is_looked_up_as_it_is_recorded() {
        let redaction = Redaction::of(["token"]);
        let recorded =
            |url: &str| redaction.as_recorded(&PinUrl::parse(url).unwrap()).map(|url| url.to_text());
        let masked = Some("https://v.test/a.js?token=redacted".to_owned());
        assert_eq!(recorded("https://v.test/a.js?token=s3cr3t"), masked);
        assert_eq!(recorded("https://v.test/a.js?token=redacted"), masked, "it stands for any value");
        for url in ["https://v.test/a.js", "https://v.test/a.js?v=1", "https://v.test/*.js"] {
            assert_eq!(recorded(url), None);
        }
    }

    #[test]
    fn what_was_written_down_may_be_any_that_differs_in_masked_values_alone() {
        let redaction = Redaction::of(["token"]);
        let may_be = |recorded: &str, url: &str| {
            let [recorded, url] = [recorded, url].map(|query| format!("https://v.test/sw.js{query}"));
            redaction.may_be(&recorded, &url)
        };
        for (recorded, url) in [
            ("", ""),
            ("?v=1", "?v=1"),
            ("?v=1&token=redacted", "?v=1&token=any"),
            // It was written down before the name was masked.
            ("?v=1&token=a", "?v=1&token=b"),
            // It was masked before, and is not now.
            ("?v=1&sig=redacted", "?v=1&sig=b"),
            ("?redacted", "?sig%3Db"),
            ("?sig=redacted", "?sig=a?b"),
        ] {
            assert!(may_be(recorded, url), "{recorded} {url}");
        }
        for (recorded, url) in [
            ("", "?v=1"),
            ("?v=1", ""),
            ("?v=1&token=redacted", "?v=2&token=any"),
            ("?v=1&token=redacted", "?v=1"),
            ("?v=1&sig=redacted", "?v=1&other=b"),
        ] {
            assert!(!may_be(recorded, url), "{recorded} {url}");
        }
    }

    /// Pieces of queries, those that mean something more often.
    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z&=;?#%+\\[\\]]{0,9}",
            prop::sample::select(vec!["&", "%26", "=", "%3D", "token", "%2574oken", "sig%5B", "?", ";", "%"])
                .prop_map(str::to_owned),
        ]
    }

    proptest! {
        #[test]
        fn what_is_masked_once_stays_and_other_parameters_are_as_they_were(pieces in prop::collection::vec(piece(), 0..9)) {
            let query = pieces.concat();
            let once = masked(&query);
            prop_assert_eq!(masked(&once), once.clone());
            let parts = |query: &str| query.split(['&', '#']).map(str::to_owned).collect::<Vec<_>>();
            let (before, after) = (parts(&query), parts(&once));
            prop_assert_eq!(before.len(), after.len());
            for (before, after) in before.iter().zip(&after) {
                prop_assert!(before == after || after.ends_with(MASK), "{before} {after}");
            }
        }

        #[test]
        fn a_secret_never_shows(
            before in "([a-z;?=%+]{0,9}&)?",
            name in "(\\[|%5b|\\+|%00|[a-z]{1,3}[;?=]|[a-z]{1,3}=[a-z/]{0,3}(\\?|%3f|%253F|%26))?(token|ToKen|%74oken|%2574oken|sig)(\\[\\]|%5D)?(=|%3D|%253d)",
            inner in "[a-z;?=/%+]{0,5}",
            secret in "[0-9]{6,9}",
            after in "[a-z&=;?#%]{0,9}",
        ) {
            let query = format!("{before}{name}{inner}{secret}{after}");
            prop_assert!(!masked(&query).contains(&secret), "{}: {}", query, masked(&query));
        }
    }
}
