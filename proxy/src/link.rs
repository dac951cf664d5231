//! A client's connection, as far as its requests depend on it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{Version, header};
use pinfold_policy::host::Authority;
use pinfold_policy::reason::Reason;
use pinfold_policy::url::{ArtifactUrl, Scheme, UrlError};
use pinfold_store::entry::ClientTls;
use tokio::sync::OwnedSemaphorePermit;

use crate::settings::Egress;

/// Where a connection came from and leads.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) client: SocketAddr,
    /// The name that the client gave with the right password: for this request, or for the tunnel that it is in.
    pub(crate) user: Option<Arc<str>>,
    pub(crate) leads: Leads,
    pub(crate) tls: Option<ClientTls>,
    pub(crate) place: Place,
    /// Whether the gateway tests itself over it.
    pub(crate) is_canary: bool,
}

/// A connection's place among `limits.max_connections`: taken for as long as anything goes on over the connection, in
/// whatever it was turned into.
pub(crate) type Place = Arc<OwnedSemaphorePermit>;

/// Where the requests of a connection go.
#[derive(Clone, Debug)]
pub(crate) enum Leads {
    /// Wherever each says: absolute-form requests to the proxy itself.
    Anywhere,
    /// To the tunnel's host. Each must name it.
    To(Scheme, Authority),
    /// The tunnel names an address: each request's `Host` says which host is meant.
    ToNamedHost(u16),
}

impl Link {
    /// The host and port that a request is about, as far as can be said without believing it.
    pub(crate) fn authority(&self, head: &Parts) -> Option<Authority> {
        match &self.leads {
            Leads::To(_, authority) => Some(authority.clone()),
            Leads::Anywhere | Leads::ToNamedHost(_) => {
                let named = head.uri.authority().map(http::uri::Authority::as_str);
                let named = named.or_else(|| crate::headers::text(&head.headers, header::HOST))?;
                Authority::parse(named, Some(80)).ok()
            }
        }
    }

    /// The URL that a request means.
    ///
    /// # Errors
    /// The reason to refuse it: it names nothing, two things, or another host than its connection.
    pub(crate) fn url(&self, head: &Parts, egress: &Egress) -> Result<ArtifactUrl, Reason> {
        let named = named_host(head)?;
        match &self.leads {
            Leads::Anywhere => absolute_form(head, named, egress),
            Leads::To(scheme, authority) => {
                if let Some(named) = named
                    && !authority.is_spelled(named, scheme.default_port())
                    && parse(named, *scheme)? != *authority
                {
                    return Err(Reason::HostMismatch);
                }
                in_tunnel(head, *scheme, authority)
            }
            Leads::ToNamedHost(port) => {
                let named = named.ok_or(Reason::MalformedRequest)?;
                // The port of the tunnel is where the client is; that of `Host` may be left out.
                let authority = Authority::parse(named, Some(*port)).map_err(|_| Reason::MalformedRequest)?;
                if authority.port != *port {
                    return Err(Reason::HostMismatch);
                }
                in_tunnel(head, Scheme::Http, &authority)
            }
        }
    }
}

fn parse(host: &str, scheme: Scheme) -> Result<Authority, Reason> {
    Authority::parse(host, Some(scheme.default_port())).map_err(|_| Reason::MalformedRequest)
}

/// The one host that a request names: `Host`, or `:authority`, or both when they agree (RFC 9113 §8.3.1).
fn named_host(head: &Parts) -> Result<Option<&str>, Reason> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = hosts.next().map(|host| host.to_str().map_err(|_| Reason::MalformedRequest)).transpose()?;
    if hosts.next().is_some() {
        return Err(Reason::MalformedRequest);
    }
    // HTTP/1.0 alone may leave it open (RFC 9112 §3.2, RFC 9113 §8.3.1).
    let names_none = host.is_none() && (head.version < Version::HTTP_2 || head.uri.authority().is_none());
    if names_none && head.version != Version::HTTP_10 {
        return Err(Reason::MalformedRequest);
    }
    if head.version < Version::HTTP_2 {
        return Ok(host);
    }
    match (host, head.uri.authority().map(http::uri::Authority::as_str)) {
        (Some(host), Some(authority)) if host != authority => Err(Reason::HostMismatch),
        (host, authority) => Ok(authority.or(host)),
    }
}

/// `GET http://host/path`, to the proxy itself. Other schemes in absolute form are refused: `https:` would ask the proxy
/// to speak for the client.
fn absolute_form(head: &Parts, named: Option<&str>, egress: &Egress) -> Result<ArtifactUrl, Reason> {
    let uri = &head.uri;
    if uri.scheme() != Some(&http::uri::Scheme::HTTP) {
        return Err(Reason::MalformedRequest);
    }
    let authority = uri.authority().ok_or(Reason::MalformedRequest)?;
    let authority = parse(authority.as_str(), Scheme::Http)?;
    if let Some(named) = named
        && parse(named, Scheme::Http)? != authority
    {
        return Err(Reason::MalformedRequest);
    }
    if !egress.http_ports.contains(&authority.port) {
        return Err(Reason::PortNotAllowed);
    }
    let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    of_request(Scheme::Http, &authority, target)
}

fn in_tunnel(head: &Parts, scheme: Scheme, authority: &Authority) -> Result<ArtifactUrl, Reason> {
    let is_h2 = head.version >= Version::HTTP_2;
    // Absolute form to an origin names a host a second time; HTTP/2 always does, and was compared above.
    if !is_h2 && head.uri.authority().is_some() {
        let named = head.uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let same_scheme = head.uri.scheme_str().is_none_or(|text| text.eq_ignore_ascii_case(scheme.as_str()));
        if !same_scheme || parse(named, scheme)? != *authority {
            return Err(Reason::HostMismatch);
        }
    }
    if is_h2 && head.uri.scheme_str().is_some_and(|text| text != scheme.as_str()) {
        return Err(Reason::HostMismatch);
    }
    let target = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    // `OPTIONS *` asks about the server as a whole; no artifact is there.
    of_request(scheme, authority, if target == "*" { "/" } else { target })
}

fn of_request(scheme: Scheme, authority: &Authority, target: &str) -> Result<ArtifactUrl, Reason> {
    let target: Cow<'_, str> =
        if target.starts_with('?') { format!("/{target}").into() } else { target.into() };
    ArtifactUrl::of_request(scheme, authority, &target).map_err(|error| match error {
        UrlError::TooLong => Reason::HeadersTooLarge,
        UrlError::Invalid | UrlError::Scheme | UrlError::UserInfo | UrlError::Host(_) | UrlError::Path => {
            Reason::MalformedRequest
        }
    })
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;
    use tokio::sync::Semaphore;

    use super::*;

    fn url(leads: Leads, uri: &str, version: Version, hosts: &[&str]) -> Result<String, Reason> {
        let mut request = Request::get(uri).version(version);
        for host in hosts {
            request = request.header("host", *host);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let egress = Egress { http_ports: vec![80], ..Egress::default() };
        let place = Arc::new(Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap());
        let link = Link {
            client: "127.0.0.1:1".parse().unwrap(),
            user: None,
            leads,
            tls: None,
            place,
            is_canary: false,
        };
        link.url(&head, &egress).map(|url| url.to_string())
    }

    fn tunnel() -> Leads {
        Leads::To(Scheme::Https, Authority::parse("v.test:443", None).unwrap())
    }

    #[test]
    fn a_request_in_a_tunnel_names_the_tunnels_host_or_is_misdirected() {
        let h1 = Version::HTTP_11;
        assert_eq!(url(tunnel(), "/a.js", h1, &["v.test"]).unwrap(), "https://v.test/a.js");
        assert_eq!(url(tunnel(), "/a.js", h1, &["V.TEST.:443"]).unwrap(), "https://v.test/a.js");
        assert_eq!(url(tunnel(), "/a.js", h1, &["w.test"]), Err(Reason::HostMismatch));
        assert_eq!(url(tunnel(), "/a.js", h1, &["v.test:8443"]), Err(Reason::HostMismatch));
        assert_eq!(url(tunnel(), "/a.js", h1, &["v.test", "v.test"]), Err(Reason::MalformedRequest));
        assert_eq!(url(tunnel(), "/a.js", h1, &[]), Err(Reason::MalformedRequest));
        assert_eq!(url(tunnel(), "https://w.test/a.js", h1, &["v.test"]), Err(Reason::HostMismatch));
        assert_eq!(url(tunnel(), "http://v.test/a.js", h1, &["v.test"]), Err(Reason::HostMismatch));
        assert_eq!(url(tunnel(), "//w.test/a.js", h1, &["v.test"]).unwrap(), "https://v.test//w.test/a.js");
    }

    #[test]
    fn host_and_authority_of_http2_agree() {
        let h2 = Version::HTTP_2;
        assert_eq!(url(tunnel(), "https://v.test/a.js", h2, &[]).unwrap(), "https://v.test/a.js");
        assert_eq!(url(tunnel(), "https://v.test/a.js", h2, &["w.test"]), Err(Reason::HostMismatch));
        assert_eq!(url(tunnel(), "https://w.test/a.js", h2, &[]), Err(Reason::HostMismatch));
        assert_eq!(url(tunnel(), "http://v.test/a.js", h2, &[]), Err(Reason::HostMismatch));
        assert_eq!(url(tunnel(), "/a.js", h2, &["v.test"]).unwrap(), "https://v.test/a.js");
        assert_eq!(url(tunnel(), "/a.js", h2, &[]), Err(Reason::MalformedRequest));
    }

    #[test]
    fn the_proxy_itself_takes_absolute_http_requests_only() {
        let h1 = Version::HTTP_11;
        assert_eq!(
            url(Leads::Anywhere, "http://v.test/a.js", h1, &["v.test"]).unwrap(),
            "http://v.test/a.js"
        );
        assert_eq!(url(Leads::Anywhere, "http://v.test?x", h1, &["v.test"]).unwrap(), "http://v.test/?x");
        assert_eq!(
            url(Leads::Anywhere, "http://v.test/a.js", h1, &["w.test"]),
            Err(Reason::MalformedRequest)
        );
        assert_eq!(
            url(Leads::Anywhere, "https://v.test/a.js", h1, &["v.test"]),
            Err(Reason::MalformedRequest)
        );
        assert_eq!(url(Leads::Anywhere, "ftp://v.test/a.js", h1, &["v.test"]), Err(Reason::MalformedRequest));
        assert_eq!(url(Leads::Anywhere, "/a.js", h1, &["v.test"]), Err(Reason::MalformedRequest));
        assert_eq!(
            url(Leads::Anywhere, "http://u:p@v.test/a.js", h1, &["v.test"]),
            Err(Reason::MalformedRequest)
        );
        assert_eq!(
            url(Leads::Anywhere, "http://v.test:81/a.js", h1, &["v.test:81"]),
            Err(Reason::PortNotAllowed)
        );
    }

    #[test]
    fn in_a_tunnel_to_an_address_the_host_field_says_whose_it_is() {
        let h1 = Version::HTTP_11;
        assert_eq!(url(Leads::ToNamedHost(443), "/a.js", h1, &["v.test"]).unwrap(), "http://v.test:443/a.js");
        assert_eq!(url(Leads::ToNamedHost(443), "/a.js", h1, &["[::2]"]).unwrap(), "http://[::2]:443/a.js");
        assert_eq!(url(Leads::ToNamedHost(443), "/a.js", h1, &["v.test:80"]), Err(Reason::HostMismatch));
    }

    /// Hosts as clients spell them, `v.test` and others.
    const HOSTS: [&str; 16] = [
        "v.test",
        "V.test",
        "v.test.",
        "v%2etest",
        "v.test:",
        "v.test:443",
        "v.test:0443",
        "v.test:80",
        "v.test:8443",
        "v.test,w.test",
        "v.test@w.test",
        "u@v.test",
        "w.test",
        "v.test.w.test",
        "[::1]",
        "",
    ];

    /// What targets are made of.
    const PIECES: [&str; 16] = [
        "a", "/", "//", "..", "/.", "?", "#", "%2e", "%2F", "%", "*", "@w.test", "//w.test", ":80", "\\", ";",
    ];

    proptest! {
        /// A URL comes of a request that names one host alone, and it is the one that a browser would make of both texts.
        #[test]
        fn whatever_a_request_names_its_url_is_that_of_host_and_target(
            hosts in (prop::sample::select(&HOSTS[..]), prop::sample::select(&HOSTS[..])),
            pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..6),
            form in prop::sample::select(vec!["", "http://", "https://"]),
            is_tunnel in any::<bool>(),
        ) {
            let (host, in_target) = hosts;
            let path = format!("/{}", pieces.concat());
            let target = if form.is_empty() { path.clone() } else { format!("{form}{in_target}{path}") };
            if target.parse::<http::Uri>().is_err() {
                return Ok(());
            }
            let (leads, scheme) = if is_tunnel { (tunnel(), "https") } else { (Leads::Anywhere, "http") };
            let found = url(leads, &target, Version::HTTP_11, &[host]);
            let means = |host: &str| {
                let authority = Authority::parse(host, Some(if is_tunnel { 443 } else { 80 })).ok()?;
                (is_tunnel || authority.port == 80).then_some(authority)
            };
            let expected = Some(host).and_then(means).filter(|named| {
                let is_named_in_target = || form == format!("{scheme}://") && means(in_target).as_ref() == Some(named);
                let leads_there = !is_tunnel || named.to_string() == "v.test:443";
                leads_there && if form.is_empty() { is_tunnel } else { is_named_in_target() }
            });
            let path = path.split('#').next().unwrap_or_default();
            let expected = expected.map(|named| ArtifactUrl::parse(&format!("{scheme}://{named}{path}")).unwrap());
            prop_assert_eq!(found.ok(), expected.map(|url| url.to_string()));
        }
    }
}
