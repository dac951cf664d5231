//! Query parameters whose values are nobody's business: they are masked before a URL is written anywhere.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// What stands in place of a value.
pub const MASK: &str = "redacted";

/// What ends a parameter.
const SEPARATORS: [char; 4] = ['&', ';', '?', '#'];

/// Names of parameters, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction(Box<[Box<str>]>);

impl Redaction {
    /// Of these names, whatever their case.
    pub fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self(names.into_iter().map(|name| name.to_lowercase().into()).collect())
    }

    /// The URL with the values masked. Any text will do: what is no URL has no parameters behind its first question mark
    /// either that a value could hide in.
    #[must_use]
    pub fn mask<'u>(&self, url: &'u str) -> Cow<'u, str> {
        let Some((before, query)) = url.split_once('?').filter(|_| !self.0.is_empty()) else {
            return Cow::Borrowed(url);
        };
        let mut masked = String::with_capacity(url.len());
        masked.extend([before, "?"]);
        let mut is_masked = false;
        // Servers read a semicolon as an ampersand, or do not, and a URL can stand in a value.
        for part in query.split_inclusive(SEPARATORS) {
            let pair = part.trim_end_matches(SEPARATORS);
            match pair.split_once('=') {
                Some((name, value)) if !value.is_empty() && self.names(name) => {
                    is_masked = true;
                    masked.extend([name, "=", MASK]);
                }
                Some(_) | None => masked.push_str(pair),
            }
            masked.push_str(part.get(pair.len()..).unwrap_or_default());
        }
        if is_masked { Cow::Owned(masked) } else { Cow::Borrowed(url) }
    }

    /// However it is escaped, and also as the name of a list: `token[]`, `token[0]`.
    fn names(&self, name: &str) -> bool {
        let name = name.replace('+', " ");
        let name = percent_decode_str(&name).decode_utf8_lossy().to_lowercase();
        let name = name.split('[').next().unwrap_or_default().trim();
        self.0.iter().any(|named| **named == *name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(url: &str) -> String {
        Redaction::of(["token", "Sig"]).mask(url).into_owned()
    }

    #[test]
    fn values_of_the_names_are_masked_however_they_are_written() {
        for (url, expected) in [
            ("https://v.test/a.js?token=secret", "https://v.test/a.js?token=redacted"),
            ("https://v.test/a.js?v=1&sig=s%3D&x=2", "https://v.test/a.js?v=1&sig=redacted&x=2"),
            ("https://v.test/a.js?TOKEN=secret&Sig=x", "https://v.test/a.js?TOKEN=redacted&Sig=redacted"),
            ("https://v.test/a.js?%74ok%65n=secret", "https://v.test/a.js?%74ok%65n=redacted"),
            (
                "https://v.test/a.js?token%5B%5D=a&token[1]=b",
                "https://v.test/a.js?token%5B%5D=redacted&token[1]=redacted",
            ),
            ("https://v.test/a.js?v=1;token=secret", "https://v.test/a.js?v=1;token=redacted"),
            ("https://v.test/a.js?token=a=b&token=c", "https://v.test/a.js?token=redacted&token=redacted"),
            (
                "https://v.test/a.js?u=https://w.test/?token=secret",
                "https://v.test/a.js?u=https://w.test/?token=redacted",
            ),
            ("https://v.test/a.js?+token=secret", "https://v.test/a.js?+token=redacted"),
            ("https://v.test/token=secret", "https://v.test/token=secret"),
            (
                "https://v.test/a.js?tokens=1&atoken=2&token&token=",
                "https://v.test/a.js?tokens=1&atoken=2&token&token=",
            ),
        ] {
            assert_eq!(masked(url), expected);
        }
        assert_eq!(Redaction::default().mask("https://v.test/?token=x"), "https://v.test/?token=x");
    }

    proptest! {
        #[test]
        fn what_is_masked_once_stays_and_nothing_else_changes(url in "[a-z:/]{0,9}(\\?[a-z=&;?#%\\[]{0,20}(token=[a-z]{1,9})?[a-z=&;?#]{0,9})?") {
            let once = masked(&url);
            prop_assert_eq!(masked(&once), once.clone());
            if once == url {
                return Ok(());
            }
            let pieces = |url: &str| url.split(['&', ';', '?', '#']).map(|pair| pair.split('=').next().unwrap().to_owned()).collect::<Vec<_>>();
            prop_assert_eq!(pieces(&url), pieces(&once));
        }

        #[test]
        fn a_secret_never_shows(before in "[a-z]{0,5}", secret in "[0-9]{6,9}", after in "[a-z&=]{0,9}") {
            let url = format!("https://v.test/a.js?{before}=1&token={secret}&{after}");
            prop_assert!(!masked(&url).contains(&secret));
        }
    }
}
