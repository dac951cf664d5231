//! The delivery path of a host, as far as a change of it means something: who vouches for the host, and in whose network
//! it is. Bytes that match their pin have been reviewed whatever way they came; a way that nobody has seen before is the
//! first sign that somebody else answers.
//!
//! Certificates are renewed all the time, and addresses of a CDN rotate: so what counts is the organisation that issues, and
//! the block of addresses, and not the certificate and the address. A host may have several of each.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// So many fetches of a host teach what is usual there. What comes new later is a change.
pub const LEARNING_FETCHES: u32 = 32;

/// What is remembered of a delivery path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// The organisation that issued the host's certificate, or all of the issuer's name where it names none.
    Issuer(Box<str>),
    /// The block of addresses that the host was reached in.
    Range(Range),
}

impl Mark {
    /// The marks of a path: `issuer` is the name of the certificate's issuer as `C=US, O=Let's Encrypt, CN=R3`, none in
    /// clear text.
    pub fn of(issuer: Option<&str>, address: IpAddr) -> impl Iterator<Item = Self> {
        let issuer = issuer.map(|name| Self::Issuer(organisation(name).into()));
        issuer.into_iter().chain([Self::Range(Range::of(address))])
    }

    /// What it is a mark of, in a word.
    #[must_use]
    pub fn aspect(&self) -> &'static str {
        match self {
            Self::Issuer(_) => "issuer",
            Self::Range(_) => "range",
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer(name) => f.write_str(name),
            Self::Range(range) => range.fmt(f),
        }
    }
}

/// A block of addresses that is mostly one operator's: an IPv4 /16, an IPv6 /32, which is what registries give to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Range(IpAddr);

impl Range {
    /// The block that an address is in.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() & !0 << 16).into(),
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !0 << 96).into(),
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.0.is_ipv4() { 16 } else { 32 };
        write!(f, "{}/{prefix}", self.0)
    }
}

/// The organisation of a name, up to the attribute behind it; the whole name where there is none.
fn organisation(name: &str) -> &str {
    let starts = |at: usize| name.get(..at).is_some_and(|before| before.is_empty() || before.ends_with(", "));
    let Some(at) = name.match_indices("O=").map(|(at, _)| at).find(|at| starts(*at)) else { return name };
    let rest = name.get(at + 2..).unwrap_or_default();
    // "DigiCert, Inc." goes on behind its comma.
    let end = rest.match_indices(", ").map(|(at, _)| at).find(|at| begins_attribute(rest.get(at + 2..)));
    rest.get(..end.unwrap_or(rest.len())).unwrap_or(rest)
}

fn begins_attribute(text: Option<&str>) -> bool {
    text.and_then(|text| text.split_once('=')).is_some_and(|(kind, _)| {
        !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
    })
}

/// How a path looks beside what is known of its host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrival {
    /// As usual, or nobody can know yet.
    #[default]
    AsKnown,
    /// By an issuer, or from a range, that was never seen before and that nobody has approved of.
    Changed,
}

/// What to make of a mark that is not known of its host, after so many fetches there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// It is how this host is reached.
    Usual,
    /// The host was known without it.
    Change,
}

impl Novelty {
    /// By the fetches before this one. A kind of mark of which the host has none yet is no change of it.
    #[must_use]
    pub fn after(fetches: u32, has_any: bool) -> Self {
        if fetches < LEARNING_FETCHES || !has_any { Self::Usual } else { Self::Change }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marks(issuer: Option<&str>, address: &str) -> Vec<String> {
        Mark::of(issuer, address.parse().unwrap()).map(|mark| format!("{} {mark}", mark.aspect())).collect()
    }

    #[test]
    fn a_renewed_certificate_and_a_neighbouring_address_change_nothing() {
        let first = marks(Some("C=US, O=Let's Encrypt, CN=R3"), "203.0.113.7");
        assert_eq!(first, ["issuer Let's Encrypt", "range 203.0.0.0/16"]);
        assert_eq!(first, marks(Some("C=US, O=Let's Encrypt, CN=R11"), "203.0.4.1"));
        assert_ne!(first, marks(Some("C=US, O=DigiCert Inc, CN=R3"), "203.1.113.7"));
    }

    #[test]
    fn an_organisation_is_read_out_of_a_name_whatever_stands_around_it() {
        for (name, organisation) in [
            ("O=Let's Encrypt", "Let's Encrypt"),
            ("CN=R3, O=Let's Encrypt, C=US", "Let's Encrypt"),
            ("C=US, O=DigiCert, Inc., OU=www.digicert.com, CN=x", "DigiCert, Inc."),
            ("CN=The vendors' test root", "CN=The vendors' test root"),
            ("CN=FOO=bar, C=US", "CN=FOO=bar, C=US"),
            ("C=US, O=", ""),
            ("", ""),
        ] {
            assert_eq!(super::organisation(name), organisation, "{name}");
        }
    }

    #[test]
    fn a_range_is_a_block_of_one_operator() {
        for (address, range) in [
            ("127.0.0.1", "127.0.0.0/16"),
            ("127.1.0.1", "127.1.0.0/16"),
            ("::ffff:203.0.113.7", "203.0.0.0/16"),
            ("2001:db8:1::1", "2001:db8::/32"),
            ("255.255.255.255", "255.255.0.0/16"),
        ] {
            assert_eq!(Range::of(address.parse().unwrap()).to_string(), range);
        }
    }

    #[test]
    fn what_comes_new_after_the_first_fetches_is_a_change() {
        assert_eq!(Novelty::after(0, false), Novelty::Usual);
        assert_eq!(Novelty::after(LEARNING_FETCHES - 1, true), Novelty::Usual);
        assert_eq!(Novelty::after(LEARNING_FETCHES, true), Novelty::Change);
        // A host that was in clear text so far has had no issuer.
        assert_eq!(Novelty::after(LEARNING_FETCHES, false), Novelty::Usual);
    }

    proptest! {
        #[test]
        fn any_name_has_an_organisation_that_is_a_part_of_it(name in ".*") {
            prop_assert!(name.contains(super::organisation(&name)));
        }

        #[test]
        fn addresses_of_one_range_share_its_prefix(a in any::<u32>(), b in any::<u32>()) {
            let range = |bits: u32| Range::of(Ipv4Addr::from_bits(bits).into());
            prop_assert_eq!(range(a) == range(b), a >> 16 == b >> 16);
        }
    }
}
