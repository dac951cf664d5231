//! Hosts, authorities and host patterns: one host has one spelling, an address is an address in every notation, and a
//! pattern claims by whole labels.
//!
//! The input is text: a host or an authority, and after a NUL the pattern of a vendor.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use libfuzzer_sys::fuzz_target;
use pinfold_policy::host::{Authority, Host, HostPattern};
use pinfold_policy::lookalike::Lookalikes;
use pinfold_policy::vendor::{Rules, Vendor, Vendors};
use url::Url;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (text, pattern) = text.split_once('\0').unwrap_or((&text, ""));
    if let Ok(host) = Host::parse(text) {
        one_spelling(&host);
        claimed(&host, pattern);
        imitated(&host, pattern);
    }
    authority(text);
    if let Some((address, notation)) = data.split_first_chunk::<4>() {
        address_in_any_notation(Ipv4Addr::from(*address), notation);
    }
});

fn one_spelling(host: &Host) {
    let shown = host.to_string();
    assert_eq!(Host::parse(&shown).as_ref(), Ok(host), "{shown:?} is another host than it shows");
    match host {
        Host::Ip(ip) => assert_eq!(*ip, ip.to_canonical(), "{ip} has another spelling"),
        Host::Name(name) => {
            assert!(name.is_ascii() && !name.bytes().any(|byte| byte.is_ascii_uppercase()), "{name:?}");
            assert!(
                !name.contains(['/', '\\', '@', '?', '#', ':', '%', '[', ']', '*', ' ', '\r', '\n', '\t']),
                "{name:?}"
            );
            assert!(
                name.split('.').all(|label| (1..=63).contains(&label.len())) && name.len() <= 253,
                "{name:?}"
            );
            let last = name.rsplit('.').next().unwrap_or_default();
            let hex = last.strip_prefix("0x");
            let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
                || hex.is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert!(!is_number, "a resolver would take {name:?} for an address");
        }
    }
}

/// What `CONNECT` names is what a URL with that authority names.
fn authority(text: &str) {
    let strict = Authority::parse(text, None);
    let lenient = Authority::parse(text, Some(443));
    if let Ok(authority) = &strict {
        assert_eq!(lenient.as_ref(), Ok(authority), "a port that is written does not count");
    }
    let Ok(authority) = lenient else { return };
    assert_eq!(Authority::parse(&authority.to_string(), None).as_ref(), Ok(&authority));
    let url = Url::parse(&format!("https://{text}/")).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let host = Host::parse(url.host_str().unwrap_or_default());
    assert_eq!((host, url.port_or_known_default()), (Ok(authority.host), Some(authority.port)));
}

/// What is expected imitates nothing, and nothing imitates a domain that it is in.
fn imitated(host: &Host, pattern: &str) {
    let pattern = HostPattern::parse(pattern);
    let own = Lookalikes::new(pattern.clone().into_iter().chain([HostPattern::Exact(host.clone())]));
    assert_eq!(own.imitated(host), None, "{host} is expected");
    let other = Lookalikes::new(pattern);
    if let (Some(found), Host::Name(name)) = (other.imitated(host), host) {
        let front = name.strip_suffix(&*found.imitates);
        let is_in_it = front.is_some_and(|front| front.is_empty() || front.ends_with('.'));
        assert!(!is_in_it, "{name} imitates {}", found.imitates);
    }
}

/// A pattern against a host, label by label; and the vendor of the longest pattern has the host.
fn claimed(host: &Host, pattern: &str) {
    let Ok(pattern) = HostPattern::parse(pattern) else { return };
    assert_eq!(HostPattern::parse(&pattern.to_string()).as_ref(), Ok(&pattern));
    let fits = |pattern: &str| match (pattern.strip_prefix("*."), host) {
        (None, _) => pattern == host.to_string(),
        (Some(_), Host::Ip(_)) => false,
        (Some(suffix), Host::Name(name)) => {
            let (labels, suffix): (Vec<_>, Vec<_>) = (name.split('.').collect(), suffix.split('.').collect());
            labels.len() > suffix.len() && labels.ends_with(&suffix)
        }
    };
    assert_eq!(pattern.matches(host), fits(&pattern.to_string()), "{pattern} and {host}");
    let mut shorter = pattern.to_string();
    let mut claims = vec![pattern];
    while let Some((_, rest)) = shorter.trim_start_matches("*.").split_once('.') {
        shorter = format!("*.{rest}");
        claims.extend(HostPattern::parse(&shorter));
    }
    let expected = claims.iter().find(|claim| claim.matches(host)).map(HostPattern::to_string);
    let vendor = |claim: &HostPattern| Vendor {
        name: claim.to_string().into(),
        hosts: vec![claim.clone()],
        rules: Rules::default(),
    };
    let vendors = Vendors::new(claims.iter().rev().map(vendor).collect());
    assert_eq!(vendors.of(host).map(|vendor| vendor.name.to_string()), expected);
}

/// Every way to write an IPv4 address that a URL parser takes.
fn address_in_any_notation(address: Ipv4Addr, notation: &[u8]) {
    let how = |at: usize| notation.get(at).copied().unwrap_or_default();
    let number = |value: u32, how: u8| match how % 4 {
        0 => value.to_string(),
        1 => format!("0x{value:x}"),
        2 => format!("0X{value:08X}"),
        _ => format!("00{value:o}"),
    };
    let octets = address.octets().map(u32::from);
    let parts = usize::from(how(0) % 4);
    let last = octets.iter().skip(parts).fold(0, |sum, octet| sum << 8 | octet);
    let mut text: Vec<String> =
        octets.iter().take(parts).zip(1..).map(|(octet, at)| number(*octet, how(at))).collect();
    text.push(number(last, how(5)));
    let dot = ["。", ".", "%2e", "．", "｡", "%E3%80%82"][usize::from(how(6) % 6)];
    let end = if how(7) & 1 == 0 { "" } else { "." };
    let spelling = wide(&text.join(dot), how(8)) + end;
    let [a, b, c, d] = address.octets();
    let mapped = format!("[::FFFF:{:x}:{:x}]", u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    for spelling in [spelling, mapped, format!("[0:0::ffff:{address}]"), format!("{address}.")] {
        assert_eq!(Host::parse(&spelling), Ok(Host::Ip(IpAddr::V4(address))), "{spelling:?}");
        let tunnel = Authority::parse(&format!("{spelling}:443"), None);
        assert_eq!(tunnel.map(|tunnel| tunnel.host), Ok(Host::Ip(IpAddr::V4(address))), "{spelling:?}");
    }
}

/// The same digits in full width, or escaped.
fn wide(text: &str, how: u8) -> String {
    let each = |(at, char): (usize, char)| match (how >> (at % 8) & 1, how & 1) {
        (1, 1) if char.is_ascii_digit() => {
            char::from_u32(u32::from(char) - 0x30 + 0xff10).unwrap_or(char).to_string()
        }
        (1, 0) if char.is_ascii_digit() => format!("%{:02x}", u32::from(char)),
        _ => char.to_string(),
    };
    let in_escape = text.contains('%');
    if in_escape { text.to_owned() } else { text.chars().enumerate().map(each).collect() }
}
