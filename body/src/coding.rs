//! Content codings (RFC 9110 §8.4.1): the ones that pinfold speaks, and what a response says of itself.

use std::fmt;

use pinfold_policy::verdict::Unmeasurable;

/// A content coding that pinfold can undo and make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coding {
    /// No coding: the bytes are what they are.
    Identity,
    /// `gzip`, RFC 1952.
    Gzip,
    /// `deflate`: zlib, RFC 1950. Read also without its wrapper (RFC 1951), never written so.
    Deflate,
    /// `br`, RFC 7932.
    Brotli,
    /// `zstd`, RFC 8878 within the window of RFC 9659.
    Zstd,
}

impl Coding {
    /// Every coding.
    pub const ALL: [Self; 5] = [Self::Identity, Self::Gzip, Self::Deflate, Self::Brotli, Self::Zstd];

    /// Its name in `Content-Encoding` and `Accept-Encoding`.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The coding of that name, in any case; `x-gzip` is `gzip` (RFC 9110 §8.4.1.3).
    pub(crate) fn named(token: &[u8]) -> Option<Self> {
        if token.eq_ignore_ascii_case(b"x-gzip") {
            return Some(Self::Gzip);
        }
        Self::ALL.into_iter().find(|coding| token.eq_ignore_ascii_case(coding.token().as_bytes()))
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.token())
    }
}

/// The elements of a list field over all its lines (RFC 9110 §5.6.1): trimmed, empty ones dropped. A quoted string
/// has no place in the two fields read here, so a comma always separates.
pub(crate) fn elements<'a>(values: impl Iterator<Item = &'a [u8]>) -> impl Iterator<Item = &'a [u8]> {
    values.flat_map(|value| value.split(|byte| *byte == b',')).map(trim).filter(|element| !element.is_empty())
}

/// Removes optional whitespace (RFC 9110 §5.6.3: space and tab, nothing else) from both ends.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The codings of one response body: at most two, as the vendor applied them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Codings {
    /// Applied first, undone last.
    pub(crate) inner: Coding,
    /// Applied last, undone first. `Identity` where there is only one.
    pub(crate) outer: Coding,
}

impl Codings {
    /// A body without any coding.
    pub const IDENTITY: Self = Self { inner: Coding::Identity, outer: Coding::Identity };

    /// Reads all `Content-Encoding` field values of a response, in order. `identity` does not belong there, changes
    /// nothing, and is passed over, as browsers do.
    ///
    /// # Errors
    /// [`Unmeasurable::BadEncoding`] for a third coding, for one that pinfold does not speak (`compress`, `dcb`,
    /// `dcz`, `aes128gcm`, …), and for anything that is not a list of tokens.
    pub fn parse<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Self, Unmeasurable> {
        let mut codings = Self::IDENTITY;
        for token in elements(values) {
            let coding = Coding::named(token).ok_or(Unmeasurable::BadEncoding)?;
            match (coding, codings.inner, codings.outer) {
                (Coding::Identity, _, _) => {}
                (_, Coding::Identity, _) => codings.inner = coding,
                (_, _, Coding::Identity) => codings.outer = coding,
                (_, _, _) => return Err(Unmeasurable::BadEncoding),
            }
        }
        Ok(codings)
    }

    /// Whether some client could undo a coding that is named, pinfold or not: then the wire bytes say nothing of what it would
    /// see. A name that nobody knows (`utf-8`, `none`) is passed over by browsers: by some with all that is named beside it, by
    /// others alone, and these end a name at a space too. Node's `fetch` trims every space that Unicode has.
    #[must_use]
    pub fn could_be_undone<'a>(values: impl Iterator<Item = &'a [u8]>) -> bool {
        const ELSEWHERE: [&[u8]; 9] = [
            b"compress",
            b"x-compress",
            b"x-deflate",
            b"dcb",
            b"dcz",
            b"bzip2",
            b"exi",
            b"pack200-gzip",
            b"aes128gcm",
        ];
        let ends = |byte: &u8| b", \t;".contains(byte) || !byte.is_ascii();
        let mut names = values.flat_map(|value| value.split(ends));
        names.any(|name| {
            Coding::named(name).is_some_and(|coding| coding != Coding::Identity)
                || ELSEWHERE.iter().any(|known| name.eq_ignore_ascii_case(known))
        })
    }

    /// Whether a client that undoes one of two codings alone could see something else than coded bytes. Some take br over TLS
    /// only, some undo the last coding and no other. gzip and zstd begin with a magic of their own; what is in br or deflate can
    /// begin like a program.
    #[must_use]
    pub fn could_be_half_undone(self) -> bool {
        let begins_with_anything = |coding| matches!(coding, Coding::Brotli | Coding::Deflate);
        self.outer != Coding::Identity && [self.inner, self.outer].into_iter().any(begins_with_anything)
    }

    /// Whether the wire bytes are the body.
    #[must_use]
    pub fn is_identity(self) -> bool {
        self == Self::IDENTITY
    }
}

impl From<Coding> for Codings {
    fn from(coding: Coding) -> Self {
        Self { inner: coding, outer: Coding::Identity }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Result<(Coding, Coding), Unmeasurable> {
        Codings::parse(lines.iter().map(|line| line.as_bytes())).map(|codings| (codings.inner, codings.outer))
    }

    #[test]
    fn what_a_vendor_may_say_is_read() {
        use Coding::{Brotli, Deflate, Gzip, Identity, Zstd};
        let table: &[(&[&str], (Coding, Coding))] = &[
            (&[], (Identity, Identity)),
            (&[""], (Identity, Identity)),
            (&["identity"], (Identity, Identity)),
            (&["gzip"], (Gzip, Identity)),
            (&["GZip"], (Gzip, Identity)),
            (&["x-gzip"], (Gzip, Identity)),
            (&["X-GZIP"], (Gzip, Identity)),
            (&["deflate"], (Deflate, Identity)),
            (&["br"], (Brotli, Identity)),
            (&["zstd"], (Zstd, Identity)),
            (&[" \tbr\t "], (Brotli, Identity)),
            (&[",, gzip ,,"], (Gzip, Identity)),
            (&["gzip, br"], (Gzip, Brotli)),
            (&["gzip", "br"], (Gzip, Brotli)),
            (&["gzip,gzip"], (Gzip, Gzip)),
            (&["identity, br, identity"], (Brotli, Identity)),
            (&["identity, br, identity, zstd"], (Brotli, Zstd)),
        ];
        for (lines, codings) in table {
            assert_eq!(parse(lines), Ok(*codings), "{lines:?}");
        }
    }

    #[test]
    fn a_coding_that_is_unknown_or_one_too_many_is_refused() {
        let table: &[&[&str]] = &[
            &["compress"],
            &["x-compress"],
            &["dcb"],
            &["dcz"],
            &["aes128gcm"],
            &["exi"],
            &["gzip2"],
            &["gzi"],
            &["gzip br"],
            &["gzip;q=1"],
            &["gzip; br"],
            &["\"gzip\""],
            &["gzip\u{b}"],
            &["\u{a0}gzip"],
            &["gzip\0"],
            &["*"],
            &["gzip, br, zstd"],
            &["gzip", "gzip", "gzip"],
            &["gzip, unheard-of"],
        ];
        for lines in table {
            assert_eq!(parse(lines), Err(Unmeasurable::BadEncoding), "{lines:?}");
        }
    }

    #[test]
    fn what_some_client_could_undo_is_told_from_what_is_passed_as_it_is() {
        let could = |line: &str| Codings::could_be_undone([line.as_bytes()].into_iter());
        for line in ["gzip, gzip, gzip", "DCB", "dcz", "compress", "br, dcb", "x-deflate"] {
            assert!(could(line), "{line}");
        }
        // Firefox undoes what it knows and passes over the rest.
        for line in
            ["gzip, unheard-of", "utf-8,gzip", "identity, unheard-of, br", "unheard-of gzip", "gzip;q=1"]
        {
            assert!(could(line), "{line}");
        }
        for line in ["utf-8", "none", "", "identity, utf-8", "\"gzip\"", "gzip2"] {
            assert!(!could(line), "{line}");
        }
    }

    #[test]
    fn a_name_beside_a_space_that_is_no_ascii_could_be_undone() {
        for line in [&b"gzip\xa0"[..], b"\xe3\x80\x80br, utf-8", b"utf-8, zstd\xef\xbb\xbf"] {
            assert!(Codings::could_be_undone([line].into_iter()), "{}", line.escape_ascii());
        }
        assert!(!Codings::could_be_undone([&b"g\xa0zip"[..]].into_iter()));
    }

    #[test]
    fn what_is_in_two_codings_could_begin_with_anything_between_them_unless_both_have_a_magic() {
        use Coding::{Brotli, Deflate, Gzip, Identity, Zstd};
        for inner in [Gzip, Deflate, Brotli, Zstd] {
            assert!(!Codings::from(inner).could_be_half_undone());
            for outer in [Gzip, Deflate, Brotli, Zstd] {
                let has_magic = |coding| [Gzip, Zstd].contains(&coding);
                let codings = Codings { inner, outer };
                assert_eq!(
                    codings.could_be_half_undone(),
                    !(has_magic(inner) && has_magic(outer)),
                    "{codings:?}"
                );
            }
        }
        assert!(!Codings { inner: Identity, outer: Identity }.could_be_half_undone());
    }
}
