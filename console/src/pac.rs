//! `/proxy.pac`: sends browsers to this gateway.
//!
//! It goes to machines that are to have no way around the gateway, so it names none: a proxy and nothing behind it. What it says
//! depends on nothing but where the gateway listens and the name that the file was asked for by, and that name is written only
//! as [`Host`] spells it, since it stands in a program.

use std::net::{IpAddr, SocketAddr};

use pinfold_policy::host::{Authority, Host};

/// The program for whoever asked by this name, or none where no listener can be reached by it.
pub(crate) fn program(listeners: &[SocketAddr], asked: &Host) -> Option<String> {
    let proxy = reached(listeners, asked)?;
    Some(format!(
        r#"// Sends this browser to pinfold. There is no "; DIRECT" behind the proxy, and none should be added: where the gateway
// does not answer, nothing is loaded, and nothing goes around it.
function FindProxyForURL(url, host) {{
  // This machine, and plain names of this network. An IPv6 address has no dot either, and a number may be an IPv4 address:
  // they are no plain names.
  var own = /^(127\.\d+\.\d+\.\d+|\[?::1\]?|(.+\.)?localhost|[a-z][a-z0-9_-]*)$/i;
  return own.test(host) ? "DIRECT" : "PROXY {proxy}";
}}
"#
    ))
}

/// Where clients who reach this machine by that name reach the proxy.
fn reached(listeners: &[SocketAddr], asked: &Host) -> Option<Authority> {
    let listener = |fits: &dyn Fn(IpAddr) -> bool| listeners.iter().find(|listener| fits(listener.ip()));
    let at = |listener: &SocketAddr| Authority { host: listener.ip().into(), port: listener.port() };
    // The very address; then all addresses of this machine, of which that name is one.
    let same = listener(&|ip| asked.ip() == Some(ip.to_canonical())).map(at);
    let any = listener(&|ip| {
        ip.is_unspecified() && (ip.is_ipv6() || !asked.ip().is_some_and(|asked| asked.is_ipv6()))
    });
    let named = any.map(|any| Authority { host: asked.clone(), port: any.port() });
    // A client elsewhere has nothing of our loopback.
    let here = listener(&|ip| is_loopback(ip) && is_this_machine(asked)).map(at);
    let elsewhere = listener(&|ip| !is_loopback(ip) && !ip.is_unspecified()).map(at);
    same.or(named).or(here).or(elsewhere)
}

fn is_this_machine(asked: &Host) -> bool {
    match asked {
        Host::Name(name) => &**name == "localhost",
        Host::Ip(ip) => is_loopback(*ip),
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(listeners: &[&str], asked: &str) -> Option<String> {
        let listeners: Vec<_> = listeners.iter().map(|listener| listener.parse().unwrap()).collect();
        reached(&listeners, &Host::parse(asked).unwrap()).map(|proxy| proxy.to_string())
    }

    #[test]
    fn the_proxy_is_named_as_whoever_asks_can_reach_it() {
        for (listeners, asked, named) in [
            (&["127.0.0.1:8080"][..], "127.0.0.1", Some("127.0.0.1:8080")),
            (&["127.0.0.1:8080"], "localhost", Some("127.0.0.1:8080")),
            (&["[::1]:8080"], "127.0.0.1", Some("[::1]:8080")),
            // All addresses: the name by which this one is known to whoever asks.
            (&["0.0.0.0:8080"], "gateway.corp.example", Some("gateway.corp.example:8080")),
            (&["0.0.0.0:8080"], "10.1.2.3", Some("10.1.2.3:8080")),
            (&["[::]:8080"], "10.1.2.3", Some("10.1.2.3:8080")),
            (&["[::]:8080"], "[fd00::1]", Some("[fd00::1]:8080")),
            (&["0.0.0.0:8080"], "[fd00::1]", None),
            (&["0.0.0.0:8080", "[fd00::2]:8080"], "[fd00::1]", Some("[fd00::2]:8080")),
            // One address of several.
            (&["10.1.2.3:8080"], "gateway.corp.example", Some("10.1.2.3:8080")),
            (&["10.1.2.3:8080", "192.168.1.1:3128"], "192.168.1.1", Some("192.168.1.1:3128")),
            (&["[::ffff:10.1.2.3]:8080"], "10.1.2.3", Some("10.1.2.3:8080")),
            (&["127.0.0.1:8080", "10.1.2.3:8080"], "gateway.corp.example", Some("10.1.2.3:8080")),
            (&["10.1.2.3:8080", "127.0.0.1:8080"], "localhost", Some("127.0.0.1:8080")),
            (&["10.1.2.3:8080"], "localhost", Some("10.1.2.3:8080")),
            // Loopback is somebody else's there.
            (&["127.0.0.1:8080"], "gateway.corp.example", None),
            (&["127.0.0.1:8080", "[::1]:8080"], "10.1.2.3", None),
            (&["127.0.0.1:8080"], "localhost.evil.test", None),
        ] {
            assert_eq!(proxy(listeners, asked).as_deref(), named, "{asked} of {listeners:?}");
        }
    }
}
