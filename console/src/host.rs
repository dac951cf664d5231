//! Which `Host` a request may name. A page of any site can have a browser ask us, under a name that the site's owner lets point
//! to our address (DNS rebinding), and could then read the answer. An address and `localhost` are names that nobody can point;
//! others are ours where the files say so.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::extract::Request;
use axum::http::header;
use axum::http::uri::Authority;
use pinfold_policy::host::{self, Host};

/// Whether a request names its host, once, and by one of these `names` or one that cannot have been made to lead here.
pub(crate) fn is_ours(request: &Request, names: &[Host]) -> bool {
    field(request).is_some_and(cannot_be_rebound) || is_named(request, names)
}

/// Whether it names its host by one of these `names`.
pub(crate) fn is_named(request: &Request, names: &[Host]) -> bool {
    named(request).is_some_and(|host| names.contains(&host))
}

/// The host that a request names, whatever leads here by it: for what any page may know.
pub(crate) fn named(request: &Request) -> Option<Host> {
    Some(host::Authority::parse(field(request)?, Some(80)).ok()?.host)
}

/// `Host`, where there is one, and the request's target names no other (RFC 9112 §3.2.2).
fn field(request: &Request) -> Option<&str> {
    let mut fields = request.headers().get_all(header::HOST).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    let host = field.to_str().ok()?;
    let agrees = |authority: &Authority| authority.as_str().eq_ignore_ascii_case(host);
    request.uri().authority().is_none_or(agrees).then_some(host)
}

fn cannot_be_rebound(host: &str) -> bool {
    let Some((name, port)) = split(host) else { return false };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    is_port
        && match literal {
            Some(literal) => literal.parse::<Ipv6Addr>().is_ok(),
            None => name.parse::<Ipv4Addr>().is_ok() || name.eq_ignore_ascii_case("localhost"),
        }
}

/// The name, and the port behind it. A colon in brackets is part of an address.
fn split(host: &str) -> Option<(&str, Option<&str>)> {
    let end = host.find(']').unwrap_or_default();
    let rest = host.get(end..)?;
    match rest.split_once(':') {
        Some((before, port)) => Some((host.get(..end + before.len())?, Some(port))),
        None => Some((host, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_names_another_host_than_the_field_names_none() {
        let named = |target: &str| {
            let request = Request::builder().uri(target).header(header::HOST, "127.0.0.1:8081");
            is_ours(&request.body(axum::body::Body::empty()).unwrap(), &[])
        };
        assert!(named("/api/v1/overview") && named("http://127.0.0.1:8081/"));
        for other in ["http://evil.test/api/v1/overview", "http://127.0.0.1/", "http://x@127.0.0.1:8081/"] {
            assert!(!named(other), "{other}");
        }
    }

    #[test]
    fn an_address_and_localhost_cannot_be_rebound_and_every_other_name_can() {
        for host in
            ["127.0.0.1", "127.0.0.1:8081", "localhost", "LocalHost:9", "[::1]", "[::1]:8081", "10.1.2.3:80"]
        {
            assert!(cannot_be_rebound(host), "{host}");
        }
        for host in [
            "",
            ":8081",
            "evil.test",
            "evil.test:8081",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "127.0.0.1:x",
            "127.0.0.1:8081:8081",
            "127.1",
            "[::1",
            "::1",
            "[evil.test]",
            "[::1].evil.test",
            "localhost.",
        ] {
            assert!(!cannot_be_rebound(host), "{host}");
        }
    }
}
