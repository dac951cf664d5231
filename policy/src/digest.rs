//! Digests in Subresource Integrity notation, over the decoded body.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

/// The hash functions of [SRI](https://www.w3.org/TR/SRI/#hash-functions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, the identity of a body.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// `sha256`, `sha384` or `sha512`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// The length of a digest, in bytes.
    #[must_use]
    pub fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// A SHA-256 of a decoded body: what identifies it everywhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BodyId(pub [u8; 32]);

impl BodyId {
    /// The SHA-256 of bytes that lie in pieces.
    #[must_use]
    pub fn of(segments: &[bytes::Bytes]) -> Self {
        use sha2::Digest as _;
        let mut hasher = sha2::Sha256::new();
        for segment in segments {
            hasher.update(segment);
        }
        Self(hasher.finalize().into())
    }

    /// 64 lower-case hex digits, as file names and SIEM fields have it.
    #[must_use]
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads 64 hex digits of either case.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl BodyId {
    /// `sha256-…`, in SRI notation, without asking for memory.
    #[must_use]
    pub fn sri(&self) -> Sri {
        let mut letters = [b'='; SRI_LEN];
        let (name, base64) = letters.split_at_mut(SRI_NAME.len());
        name.copy_from_slice(SRI_NAME.as_bytes());
        // It fits: 32 bytes are 44 letters.
        let _ = STANDARD.encode_slice(self.0, base64);
        Sri(letters)
    }
}

const SRI_NAME: &str = "sha256-";
const SRI_LEN: usize = SRI_NAME.len() + 44;

/// The text of a [`BodyId`].
#[derive(Clone, Copy)]
pub struct Sri([u8; SRI_LEN]);

impl Sri {
    /// `sha256-…`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The digest alone, in base64.
    #[must_use]
    pub fn base64(&self) -> &str {
        self.as_str().strip_prefix(SRI_NAME).unwrap_or_default()
    }
}

impl fmt::Display for BodyId {
    /// `sha256-…`, in SRI notation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sri().as_str())
    }
}

impl fmt::Debug for BodyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One digest of a body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digest {
    /// 32 bytes.
    Sha256([u8; 32]),
    /// 48 bytes.
    Sha384([u8; 48]),
    /// 64 bytes.
    Sha512([u8; 64]),
}

/// Why some text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DigestError {
    /// No `algorithm-` in front.
    #[error("digest has no algorithm, expected 'sha256-', 'sha384-' or 'sha512-' and base64")]
    NoAlgorithm,
    /// MD5 or SHA-1: an attacker can make two files with one such digest.
    #[error("{0} digests can be forged, expected sha256, sha384 or sha512")]
    Forgeable(&'static str),
    /// A name that SRI does not know.
    #[error("unknown digest algorithm '{}', expected sha256, sha384 or sha512", .0.escape_debug())]
    UnknownAlgorithm(String),
    /// Hex where base64 belongs; names the notation that would be right.
    #[error("digest is in hex, expected base64: {0}")]
    Hex(Box<str>),
    /// Hex of another length than the algorithm's.
    #[error("digest is {got} hex digits, expected {expected}")]
    HexLength {
        /// Digits found.
        got: usize,
        /// Digits of a digest of this algorithm.
        expected: usize,
    },
    /// Not canonical standard base64 (RFC 4648 §4) with padding.
    #[error("digest is not base64: {0}")]
    Base64(Box<str>),
    /// Base64 of another length than the algorithm's.
    #[error("digest is {got} bytes, expected {expected}")]
    Length {
        /// Bytes found.
        got: usize,
        /// Bytes of a digest of this algorithm.
        expected: usize,
    },
}

impl Digest {
    /// Which hash function made it.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha384(_) => Algorithm::Sha384,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The digest's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) => bytes,
            Self::Sha384(bytes) => bytes,
            Self::Sha512(bytes) => bytes,
        }
    }

    /// A digest from its bytes.
    ///
    /// # Errors
    /// [`DigestError::Length`] when there are too few or too many for `algorithm`.
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, DigestError> {
        let wrong = |_| DigestError::Length { got: bytes.len(), expected: algorithm.digest_len() };
        match algorithm {
            Algorithm::Sha256 => bytes.try_into().map(Self::Sha256).map_err(wrong),
            Algorithm::Sha384 => bytes.try_into().map(Self::Sha384).map_err(wrong),
            Algorithm::Sha512 => bytes.try_into().map(Self::Sha512).map_err(wrong),
        }
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    /// Reads SRI notation, strictly: an error names what would be right.
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (name, value) = text.split_once('-').ok_or(DigestError::NoAlgorithm)?;
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let Some(algorithm) = Algorithm::ALL.into_iter().find(|known| is(known.as_str())) else {
            return Err(if is("md5") {
                DigestError::Forgeable("MD5")
            } else if is("sha1") || is("sha") {
                DigestError::Forgeable("SHA-1")
            } else {
                DigestError::UnknownAlgorithm(name.to_owned())
            });
        };
        // A list has a million digests: none of them asks for memory. What is longer is none.
        let mut bytes = [0; LONGEST];
        let decoded = STANDARD.decode_slice(value, &mut bytes).ok().and_then(|len| bytes.get(..len));
        match decoded.filter(|bytes| bytes.len() == algorithm.digest_len()) {
            Some(bytes) => Self::from_bytes(algorithm, bytes),
            None => Err(explain(algorithm, value)),
        }
    }
}

/// Room for a SHA-512 as its base64 is decoded, in groups of three bytes.
const LONGEST: usize = 66;

fn explain(algorithm: Algorithm, value: &str) -> DigestError {
    let expected = algorithm.digest_len() * 2;
    // Nobody writes base64 of 20 and more characters without one letter past f: this was meant as hex.
    if value.len() >= 20 && value.bytes().all(|b| b.is_ascii_hexdigit()) {
        if value.len() != expected {
            return DigestError::HexLength { got: value.len(), expected };
        }
        let bytes: Vec<u8> = (0..expected)
            .step_by(2)
            .filter_map(|at| value.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect();
        return DigestError::Hex(format!("{}-{}", algorithm.as_str(), STANDARD.encode(bytes)).into());
    }
    match STANDARD.decode(value) {
        Ok(bytes) => DigestError::Length { got: bytes.len(), expected: algorithm.digest_len() },
        Err(error) => DigestError::Base64(error.to_string().to_lowercase().into()),
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.algorithm().as_str(), Base64Display::new(self.bytes(), &STANDARD))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<BodyId> for Digest {
    fn from(id: BodyId) -> Self {
        Self::Sha256(id.0)
    }
}

/// All digests of one body. Pins and revocations in any notation resolve through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests {
    /// The identity.
    pub sha256: BodyId,
    /// Alias.
    pub sha384: [u8; 48],
    /// Alias.
    pub sha512: [u8; 64],
}

impl Digests {
    /// The digests of a body that is in memory.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        use sha2::Digest as _;
        Self {
            sha256: BodyId(sha2::Sha256::digest(body).into()),
            sha384: sha2::Sha384::digest(body).into(),
            sha512: sha2::Sha512::digest(body).into(),
        }
    }

    /// Whether `digest` is one of these.
    #[must_use]
    pub fn include(&self, digest: &Digest) -> bool {
        match digest {
            Digest::Sha256(bytes) => *bytes == self.sha256.0,
            Digest::Sha384(bytes) => *bytes == self.sha384,
            Digest::Sha512(bytes) => *bytes == self.sha512,
        }
    }

    /// Each of them, the identity first.
    #[must_use]
    pub fn all(&self) -> [Digest; 3] {
        [Digest::Sha256(self.sha256.0), Digest::Sha384(self.sha384), Digest::Sha512(self.sha512)]
    }
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "ASCII")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> DigestError {
        text.parse::<Digest>().unwrap_err()
    }

    #[test]
    fn a_known_body_has_the_known_digests() {
        // FIPS 180-2 appendix B.1 and C.1: the message "abc".
        let digests = Digests::of(b"abc");
        assert_eq!(
            digests.sha256.to_hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            digests.all()[1].to_string(),
            "sha384-ywB1P0WjXou1oD1pmsZQBycsMqsO3tFjGotgWkP/W+2AhgcroefMI1i67KE0yCWn"
        );
        assert!(digests.all().iter().all(|digest| digests.include(digest)));
        assert!(!digests.include(&Digests::of(b"abd").all()[2]));
    }

    #[test]
    fn weak_short_and_malformed_digests_say_what_would_be_right() {
        assert_eq!(error("md5-1B2M2Y8AsgTpgAmY7PhCfg=="), DigestError::Forgeable("MD5"));
        assert_eq!(error("SHA1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="), DigestError::Forgeable("SHA-1"));
        assert_eq!(error("blake3-AAAA"), DigestError::UnknownAlgorithm("blake3".into()));
        let control = error("\tsha256\u{1b}-AAAA").to_string();
        assert!(control.contains(r"'\tsha256\u{1b}'"), "{control}");
        assert_eq!(error("abcdef"), DigestError::NoAlgorithm);
        assert_eq!(
            error(&format!("sha256-{}", "a".repeat(63))),
            DigestError::HexLength { got: 63, expected: 64 }
        );
        assert_eq!(error("sha256-AAAA"), DigestError::Length { got: 3, expected: 32 });
        assert!(matches!(error("sha256-!!!!"), DigestError::Base64(_)));
        // Unpadded, and with bits set behind the last byte: two texts for one digest.
        assert!(matches!(error(&format!("sha256-{}", "G".repeat(43))), DigestError::Base64(_)));
        assert!(matches!(error(&format!("sha256-{}H=", "G".repeat(42))), DigestError::Base64(_)));
    }

    #[test]
    fn hex_is_answered_with_the_notation_to_write() {
        let digests = Digests::of(b"abc");
        let DigestError::Hex(right) = error(&format!("sha256-{}", digests.sha256.to_hex())) else { panic!() };
        assert_eq!(*right, *digests.sha256.to_string());
    }

    proptest! {
        #[test]
        fn notation_and_digest_are_each_others_inverse(body in any::<Vec<u8>>()) {
            for digest in Digests::of(&body).all() {
                prop_assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
            }
            let id = Digests::of(&body).sha256;
            prop_assert_eq!(BodyId::from_hex(&id.to_hex()), Some(id));
            let sri = id.sri();
            prop_assert_eq!(sri.as_str(), Digest::from(id).to_string());
            prop_assert_eq!(format!("sha256-{}", sri.base64()), id.to_string());
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,100}") {
            let _ = text.parse::<Digest>();
            let _ = format!("sha256-{text}").parse::<Digest>();
        }

        #[test]
        fn one_changed_character_is_another_digest_or_an_error(body in any::<Vec<u8>>(), at in 7usize..50, to in "[A-Za-z0-9+/=]") {
            let text = Digests::of(&body).sha256.to_string();
            let changed = format!("{}{to}{}", &text[..at], &text[at + 1..]);
            if changed != text {
                prop_assert_ne!(changed.parse::<Digest>().ok(), Some(text.parse::<Digest>().unwrap()));
            }
        }
    }
}
