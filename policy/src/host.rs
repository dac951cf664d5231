//! Hosts, parsed once into one spelling.
//!
//! Two spellings of one host that compare unequal are a way around every rule that names the host. So a
//! host is parsed where it enters, by the [WHATWG host parser], and only the result is ever compared.
//!
//! [WHATWG host parser]: https://url.spec.whatwg.org/#host-parsing

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// A host in its one spelling: a lower-case ASCII (punycode) name without a trailing dot, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A DNS name.
    Name(Arc<str>),
    /// An address literal. An IPv4-mapped IPv6 address is the IPv4 address it maps.
    Ip(IpAddr),
}

/// Why some text is not a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HostError {
    /// The WHATWG host parser refuses it, or nothing is left of it.
    #[error("not a host name or address")]
    Invalid,
    /// Longer than DNS allows (RFC 1035 §2.3.4): a name of 253 bytes, a label of 63.
    #[error("host name or label is too long")]
    TooLong,
}

impl Host {
    /// Parses a host as it stands in a URL: IPv6 in brackets, percent-encoding and IDN allowed.
    ///
    /// # Errors
    /// [`HostError`] if no URL could name this host.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        match url::Host::parse(text).map_err(|_| HostError::Invalid)? {
            url::Host::Ipv4(ip) => Ok(Self::Ip(ip.into())),
            url::Host::Ipv6(ip) => Ok(Self::Ip(unmapped(ip))),
            url::Host::Domain(name) => Self::from_domain(&name),
        }
    }

    /// The host of `url::Url`, which has been through the same parser.
    pub(crate) fn from_url(host: url::Host<&str>) -> Result<Self, HostError> {
        match host {
            url::Host::Ipv4(ip) => Ok(Self::Ip(ip.into())),
            url::Host::Ipv6(ip) => Ok(Self::Ip(unmapped(ip))),
            url::Host::Domain(name) => Self::from_domain(name),
        }
    }

    fn from_domain(name: &str) -> Result<Self, HostError> {
        let name = name.strip_suffix('.').unwrap_or(name);
        // A URL allows `,` `;` `*` and more in a host. No name in DNS that serves HTTP has them, and a list of two hosts
        // must not be one to a parser behind this one.
        let is_readable = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !is_readable || name.split('.').any(str::is_empty) {
            return Err(HostError::Invalid);
        }
        if name.len() > 253 || name.split('.').any(|label| label.len() > 63) {
            return Err(HostError::TooLong);
        }
        // "1.2.3.4." is an address to the resolver although it ends in a dot.
        if let Ok(ip) = name.parse::<IpAddr>() {
            return Ok(Self::Ip(ip));
        }
        Ok(Self::Name(name.to_ascii_lowercase().into()))
    }

    /// The DNS name, if this is not an address.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Ip(_) => None,
        }
    }

    /// The address, if this is not a name.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::Ip(ip) => Some(*ip),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip.to_canonical())
    }
}

fn unmapped(ip: Ipv6Addr) -> IpAddr {
    IpAddr::V6(ip).to_canonical()
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        Self::parse(text)
    }
}

impl fmt::Display for Host {
    /// As in a URL: IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// A host and a port: what `CONNECT` names (RFC 9110 §9.3.6) and what a tunnel leads to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Authority {
    /// Where to.
    pub host: Host,
    /// TCP port.
    pub port: u16,
}

/// Why some text is not an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuthorityError {
    /// The part before the port is not a host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// There is no port where one is needed, or it is not 1 to 65535.
    #[error("no valid port")]
    Port,
    /// It holds user information (`user@host`), which no authority in a request may.
    #[error("holds user information")]
    UserInfo,
}

impl Authority {
    /// Whether `text` is this authority as it is usually spelled: then it need not be parsed. Where it is not, it may be the
    /// same all the same.
    #[must_use]
    pub fn is_spelled(&self, text: &str, default_port: u16) -> bool {
        let Host::Name(name) = &self.host else { return false };
        match text.strip_prefix(&**name) {
            Some("") => self.port == default_port,
            Some(rest) => rest.strip_prefix(':').is_some_and(|port| is_decimal(port, self.port)),
            None => false,
        }
    }

    /// Parses `host:port` with the port required, or, given `default_port`, optional.
    ///
    /// # Errors
    /// [`AuthorityError`] when host or port cannot be what they say, or user information is present.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self, AuthorityError> {
        // `/`, `?` and `#` would end the authority in a URL: a host parser that saw them would be a second opinion.
        if text.contains(['@', '/', '\\', '?', '#']) {
            return Err(if text.contains('@') {
                AuthorityError::UserInfo
            } else {
                HostError::Invalid.into()
            });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let port = match port {
            None | Some("") => default_port.ok_or(AuthorityError::Port)?,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port != 0).ok_or(AuthorityError::Port)?
            }
            Some(_) => return Err(AuthorityError::Port),
        };
        Ok(Self { host: Host::parse(host)?, port })
    }
}

/// Whether `text` is `number` as it is usually written: without a sign or zeros before it.
fn is_decimal(text: &str, number: u16) -> bool {
    let is_usual = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    is_usual && text.parse() == Ok(number)
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Hosts that a vendor claims: one host, or `*.` and a suffix for one or more labels before it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// Exactly this host.
    Exact(Host),
    /// Any name that ends in a dot and this suffix. The suffix itself is not matched.
    Below(Arc<str>),
}

impl HostPattern {
    /// Parses `cdn.example.com` or `*.example.com`.
    ///
    /// # Errors
    /// [`HostError`] for anything else, a star in another place and `*.` before an address included.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let Some(suffix) = text.strip_prefix("*.") else {
            return Host::parse(text).map(Self::Exact);
        };
        match Host::parse(suffix)? {
            Host::Name(name) => Ok(Self::Below(name)),
            Host::Ip(_) => Err(HostError::Invalid),
        }
    }

    /// Whether this pattern claims `host`.
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match self {
            Self::Exact(exact) => exact == host,
            Self::Below(suffix) => host.name().is_some_and(|name| {
                name.strip_suffix(&**suffix).is_some_and(|front| front.len() > 1 && front.ends_with('.'))
            }),
        }
    }
}

impl FromStr for HostPattern {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        Self::parse(text)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => host.fmt(f),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        Host::parse(text).unwrap()
    }

    #[test]
    fn every_spelling_of_a_name_is_one_host() {
        for spelling in [
            "cdn.vendor.test",
            "CDN.Vendor.Test",
            "cdn.vendor.test.",
            "cdn%2Evendor.test",
            "cdn。vendor.test",
            "cdn．vendor｡test",
            "cdn%EF%BC%8Evendor.test",
            "%63%64%6e.vendor.test",
            "\u{ff43}\u{ff44}\u{ff4e}.vendor.test",
            "\u{24d2}dn.vendor.test",
            "cdn.ven\u{ad}dor.test",
            "cdn.ven\u{200b}dor.test",
            "cdn.vendor.te\u{17f}t",
        ] {
            assert_eq!(host(spelling), host("cdn.vendor.test"), "{spelling}");
        }
        for spelling in
            ["bücher.test", "BÜCHER.test", "bu\u{308}cher.test", "XN--BCHER-KVA.test.", "b%C3%BCcher.test"]
        {
            assert_eq!(host(spelling), host("xn--bcher-kva.test"), "{spelling}");
        }
        // Letters that look alike are others all the same: what is shown is punycode.
        assert_eq!(host("\u{441}dn.vendor.test").to_string(), "xn--dn-nmc.vendor.test");
    }

    #[test]
    fn what_is_spelled_as_usual_need_not_be_parsed_and_means_the_same() {
        let near = |text: &str| Authority::parse(text, Some(443)).ok();
        for (spelled, text) in [
            (true, "v.test"),
            (true, "v.test:443"),
            (false, "v.test:8443"),
            (false, "v.test:0443"),
            (false, "v.test:+443"),
            (false, "v.test:"),
            (false, "v.test.:443"),
            (false, "V.test"),
            (false, "v.test.evil.test"),
            (false, "v.test@evil.test"),
            (false, "w.test"),
            (false, ""),
        ] {
            let authority = near("v.test").unwrap();
            assert_eq!(authority.is_spelled(text, 443), spelled, "{text}");
            assert!(!spelled || near(text) == Some(authority), "{text}");
        }
        assert!(!near("v.test:8443").unwrap().is_spelled("v.test", 443));
        assert!(near("v.test:8443").unwrap().is_spelled("v.test:8443", 443));
        assert!(!near("[::1]").unwrap().is_spelled("[::1]", 443));
    }

    #[test]
    fn every_notation_of_an_address_is_one_host() {
        for spelling in [
            "127.0.0.1",
            "0x7f.1",
            "2130706433",
            "0177.0.0.1",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::FFFF:127.0.0.1]",
            "[0:0:0:0:0:ffff:7f00:0001]",
            "127.0.0.1.",
            "127.1",
            "127.0.1",
            "0x7f000001",
            "0X7F.0.0.0x1",
            "017700000001",
            "0x7f.1.",
            "127%2e0.0.1",
            "\u{ff11}27.0.0.1",
            "127。0。0。1",
        ] {
            assert_eq!(host(spelling).ip(), Some("127.0.0.1".parse().unwrap()), "{spelling}");
        }
    }

    #[test]
    fn what_no_url_could_name_is_refused() {
        for text in [
            "", ".", "a..b", "a..", ".a", "a b", "a/b", "a\\b", "a@b", "a#b", "a?b", "a:1", "a\0b", "a%00b",
            "a%2fb",
        ] {
            assert!(Host::parse(text).is_err(), "{text:?}");
        }
        for text in
            ["::1", "[::1", "[a.test]", "[fe80::1%eth0]", "[fe80::1%25eth0]", "[::ffff:1.2.3]", "999.1.1.1.1"]
        {
            assert!(Host::parse(text).is_err(), "{text:?}");
        }
        for text in
            ["256.0.0.1", "1.2.3.4.5", "0x100000000", "a.1", "a,b.test", "a;b", "a*", "a%25b", "a\u{a0}b"]
        {
            assert!(Host::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Host::parse(&"a".repeat(64)), Err(HostError::TooLong));
    }

    #[test]
    fn a_host_spelled_like_a_pattern_is_refused() {
        for text in ["*.vendor.test", "%2A.vendor.test", "%2a.vendor.test", "＊.vendor.test", "a*b.test"] {
            assert_eq!(Host::parse(text), Err(HostError::Invalid), "{text}");
            assert!(Authority::parse(&format!("{text}:443"), None).is_err(), "{text}");
        }
        assert!(HostPattern::parse("%2A.vendor.test").is_err());
        assert!(HostPattern::parse("*.%2A.test").is_err());
    }

    #[test]
    fn an_authority_needs_a_port_unless_one_is_implied() {
        assert_eq!(Authority::parse("a.test:443", None).unwrap().to_string(), "a.test:443");
        assert_eq!(Authority::parse("[::1]:8443", None).unwrap().to_string(), "[::1]:8443");
        assert_eq!(Authority::parse("[::1]", Some(443)).unwrap().port, 443);
        for spelling in ["a.test", "a.test:", "a.test:443", "a.test:0443", "A.test.:000443"] {
            assert_eq!(
                Authority::parse(spelling, Some(443)).unwrap().to_string(),
                "a.test:443",
                "{spelling}"
            );
        }
        assert_eq!(Authority::parse("a.test", None), Err(AuthorityError::Port));
        for bad in [
            "a.test:0",
            "a.test:65536",
            "a.test:+443",
            "a.test:-1",
            "a.test:4 43",
            "a.test:x",
            "a.test:４４３",
        ] {
            assert_eq!(Authority::parse(bad, Some(443)), Err(AuthorityError::Port), "{bad}");
        }
        assert_eq!(Authority::parse("u@a.test:443", None), Err(AuthorityError::UserInfo));
        for bad in
            ["a.test/x:443", "a.test\\x:443", "a.test?x:443", "a.test#x:443", "[::1:443", "::1:443", ":443"]
        {
            assert!(Authority::parse(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_star_matches_one_or_more_labels_and_never_none() {
        let pattern = HostPattern::parse("*.vendor.test").unwrap();
        assert!(pattern.matches(&host("a.vendor.test")));
        assert!(pattern.matches(&host("a.b.VENDOR.test.")));
        assert!(!pattern.matches(&host("vendor.test")));
        assert!(!pattern.matches(&host("evilvendor.test")));
        assert!(HostPattern::parse("a.*.test").is_err());
        assert!(HostPattern::parse("*.1.2.3.4").is_err());
    }
}
