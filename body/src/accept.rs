//! `Accept-Encoding` (RFC 9110 §12.5.3): what a client takes, narrowed to what pinfold speaks.
//!
//! The vendor is offered the client's own list and no more, so that a body which passes untouched is one that the
//! client can read; and pinfold's own encoding keeps to the same list. An element that cannot be read is treated as
//! absent: the answer is then larger, never unreadable.

use std::fmt::Write as _;

use crate::coding::{Coding, elements, trim};

/// A weight in thousandths, 0 to 1000.
type Weight = u16;

const FULL: Weight = 1000;

/// At equal weight the first of these is made. zstd costs the gateway the least for what it saves; deflate is last
/// because it is gzip with a worse history.
const PREFERENCE: [Coding; 4] = [Coding::Zstd, Coding::Brotli, Coding::Gzip, Coding::Deflate];

/// The codings that a client accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// In the client's order, each coding once, those with weight 0 included.
    named: Vec<(Coding, Weight)>,
    /// The weight of `*`: of each coding that is not named.
    rest: Option<Weight>,
}

impl Accepted {
    /// Reads all `Accept-Encoding` field values of a request. Of a coding named twice the first counts.
    #[must_use]
    pub fn parse<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut accepted = Self { named: Vec::new(), rest: None };
        for element in elements(values) {
            let Some((token, weight)) = weighed(element) else { continue };
            if token == b"*" {
                accepted.rest = accepted.rest.or(Some(weight));
                continue;
            }
            let Some(coding) = Coding::named(token) else { continue };
            if accepted.named.iter().all(|(known, _)| *known != coding) {
                accepted.named.push((coding, weight));
            }
        }
        accepted
    }

    /// What the vendor is asked for: the client's list in its order, restricted to gzip, deflate, br and zstd, with
    /// the weights kept and `*` spelled out, since the vendor may know codings that pinfold does not. `identity`
    /// where nothing remains: without the field a vendor may send any coding at all.
    #[must_use]
    pub fn upstream_header(&self) -> String {
        let unnamed = PREFERENCE.iter().filter(|coding| self.named.iter().all(|(known, _)| known != *coding));
        let rest = unnamed.filter_map(|coding| self.rest.map(|weight| (*coding, weight)));
        let mut header = String::new();
        for (coding, weight) in self.named.iter().copied().chain(rest) {
            if coding == Coding::Identity || weight == 0 {
                continue;
            }
            let separator = if header.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(header, "{separator}{coding}");
            if weight < FULL {
                let digits = format!("{weight:03}");
                let _ = write!(header, ";q=0.{}", digits.trim_end_matches('0'));
            }
        }
        if header.is_empty() { Coding::Identity.token().to_owned() } else { header }
    }

    /// The coding in which pinfold answers. `Identity` when the client prefers that by name or takes nothing else,
    /// and also when it takes nothing at all: RFC 9110 lets an origin answer so, and a refusal would help nobody.
    #[must_use]
    pub fn best(&self) -> Coding {
        // Identity that is not named is acceptable, but any coding that is wanted goes before it.
        let plain = self.explicit(Coding::Identity).or(self.rest).unwrap_or(0);
        let mut best = (Coding::Identity, 0);
        for coding in PREFERENCE {
            let weight = self.explicit(coding).or(self.rest).unwrap_or(0);
            if weight > best.1 {
                best = (coding, weight);
            }
        }
        if plain > best.1 { Coding::Identity } else { best.0 }
    }

    fn explicit(&self, coding: Coding) -> Option<Weight> {
        self.named.iter().find(|(known, _)| *known == coding).map(|(_, weight)| *weight)
    }
}

/// Splits `token;q=0.5`. Nothing where there is a parameter other than one well-formed weight.
fn weighed(element: &[u8]) -> Option<(&[u8], Weight)> {
    let mut parts = element.split(|byte| *byte == b';').map(trim);
    let token = parts.next()?;
    let weight = match parts.next() {
        None => FULL,
        Some([b'q' | b'Q', b'=', value @ ..]) => weight(value)?,
        Some(_) => return None,
    };
    parts.next().is_none().then_some((token, weight))
}

/// RFC 9110 §12.4.2: `0` or `1`, and at most three decimals; not above 1.
fn weight(value: &[u8]) -> Option<Weight> {
    let (whole, decimals) = match value {
        [whole] | [whole, b'.'] => (whole, [].as_slice()),
        [whole, b'.', decimals @ ..] => (whole, decimals),
        _ => return None,
    };
    if decimals.len() > 3 || !matches!(whole, b'0' | b'1') || !decimals.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let decimals = decimals.iter().copied().chain([b'0'; 3]).take(3);
    let thousandths = decimals.fold(0, |sum, digit| sum * 10 + Weight::from(digit - b'0'));
    let weight = Weight::from(*whole - b'0') * FULL + thousandths;
    (weight <= FULL).then_some(weight)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepted(lines: &[&str]) -> Accepted {
        Accepted::parse(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn a_client_gets_what_it_asks_for() {
        use Coding::{Brotli, Deflate, Gzip, Identity, Zstd};
        let table: &[(&[&str], &str, Coding)] = &[
            (&[], "identity", Identity),
            (&[""], "identity", Identity),
            (&["gzip"], "gzip", Gzip),
            (&["gzip, deflate, br, zstd"], "gzip, deflate, br, zstd", Zstd),
            (&["gzip, deflate, br"], "gzip, deflate, br", Brotli),
            (&["gzip, deflate"], "gzip, deflate", Gzip),
            (&["deflate"], "deflate", Deflate),
            (&["GZIP", "Br;Q=0.9"], "gzip, br;q=0.9", Gzip),
            (&["x-gzip"], "gzip", Gzip),
            (&["gzip;q=0"], "identity", Identity),
            (&["gzip;q=0.000, br"], "br", Brotli),
            (&["*;q=0"], "identity", Identity),
            (&["identity;q=0"], "identity", Identity),
            (&["identity;q=0, gzip;q=0.001"], "gzip;q=0.001", Gzip),
            (&["*"], "zstd, br, gzip, deflate", Zstd),
            (&["gzip;q=0, *;q=0.5"], "zstd;q=0.5, br;q=0.5, deflate;q=0.5", Zstd),
            (&["br;q=1.0, gzip;q=0.8, *;q=0.1"], "br, gzip;q=0.8, zstd;q=0.1, deflate;q=0.1", Brotli),
            (&["identity, gzip;q=0.5"], "gzip;q=0.5", Identity),
            (&["identity, gzip"], "gzip", Gzip),
            (&["identity;q=0.2, gzip;q=0.5"], "gzip;q=0.5", Gzip),
            (&["gzip;q=0.2, *;q=0.5, identity;q=0"], "gzip;q=0.2, zstd;q=0.5, br;q=0.5, deflate;q=0.5", Zstd),
            (&["gzip;q=0.25 , br ; q=0.5"], "gzip;q=0.25, br;q=0.5", Brotli),
            (&["gzip;q=0.5, gzip"], "gzip;q=0.5", Gzip),
            (&["gzip;q=1., br;q=0."], "gzip", Gzip),
        ];
        for (lines, upstream, best) in table {
            assert_eq!(accepted(lines).upstream_header(), *upstream, "{lines:?}");
            assert_eq!(accepted(lines).best(), *best, "{lines:?}");
        }
    }

    #[test]
    fn codings_that_pinfold_does_not_speak_are_never_asked_for() {
        for lines in ["dcb, dcz", "compress", "aes128gcm;q=1", "exi, pack200-gzip", "gzip2"] {
            assert_eq!(accepted(&[lines]).upstream_header(), "identity", "{lines}");
        }
        assert_eq!(accepted(&["dcb, gzip, br, zstd, dcz"]).upstream_header(), "gzip, br, zstd");
    }

    #[test]
    fn an_element_that_cannot_be_read_is_not_accepted() {
        for element in [
            "gzip;q=2",
            "gzip;q=1.001",
            "gzip;q=0.1234",
            "gzip;q=-1",
            "gzip;q=+1",
            "gzip;q=",
            "gzip;q",
            "gzip;",
            "gzip;level=9",
            "gzip;q=1;q=1",
            "gzip;q=.5",
            "gzip;q=0,5x",
            "gzip; q = 1",
            "gzip q=1",
            "\"gzip\"",
            "gzip\0",
        ] {
            assert_eq!(accepted(&[element]).best(), Coding::Identity, "{element}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_client_sends_the_vendor_gets_a_list_that_reads_the_same(line in prop::collection::vec(any::<u8>(), 0..60)) {
            let once = Accepted::parse([line.as_slice()].into_iter()).upstream_header();
            let twice = Accepted::parse([once.as_bytes()].into_iter()).upstream_header();
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn every_weight_survives(weight in 1u16..=1000) {
            let whole = weight / 1000;
            let line = format!("gzip;q={whole}.{:03}", weight % 1000);
            let accepted = accepted(&[&line]);
            prop_assert_eq!(accepted.explicit(Coding::Gzip), Some(weight));
            let again = Accepted::parse([accepted.upstream_header().as_bytes()].into_iter());
            prop_assert_eq!(again.explicit(Coding::Gzip), Some(weight));
        }
    }
}
