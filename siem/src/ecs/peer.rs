//! Who spoke with whom: `source.*`, `client.*`, `destination.*`, `network.*`, `related.*`.

use std::net::IpAddr;

use pinfold_policy::host::{Authority, Host};
use pinfold_store::entry::Asker;
use url::Url;

use super::document::Document;
use crate::observer::Observer;

/// A DNS name and its parts by the public suffix list.
pub(super) struct Name<'a> {
    pub(super) full: &'a str,
    /// What its owner registered: `vendor.co.uk`.
    pub(super) registered: Option<&'a str>,
    /// The public suffix below which it was registered: `co.uk`.
    pub(super) suffix: Option<&'a str>,
    /// What stands before the registered domain: `cdn.eu`.
    pub(super) subdomain: Option<&'a str>,
}

impl<'a> Name<'a> {
    /// None for an address.
    pub(super) fn of(host: &'a Host) -> Option<Self> {
        let full = host.name()?;
        let registered = psl::domain_str(full);
        let subdomain =
            registered.and_then(|domain| full.strip_suffix(domain)).and_then(|front| front.strip_suffix('.'));
        Some(Self { full, registered, suffix: psl::suffix_str(full), subdomain })
    }
}

pub(super) fn write_asker(document: &mut Document, asker: &Asker) {
    let ip = asker.address.ip().to_canonical();
    let port = u64::from(asker.address.port());
    document.keyword("source.address", &*ip.to_string());
    document.ip("source.ip", ip);
    document.number("source.port", port);
    document.keyword("client.address", &*ip.to_string());
    document.ip("client.ip", ip);
    document.number("client.port", port);
    document.keyword("user.name", asker.user.as_deref());
    document.keyword("user_agent.original", asker.user_agent.as_deref());
    document.keyword("http.request.referrer", asker.page.as_deref());
}

/// `dialled` is the address that the host was resolved to, if it came to that.
pub(super) fn write_destination(document: &mut Document, authority: &Authority, dialled: Option<IpAddr>) {
    match Name::of(&authority.host) {
        Some(name) => {
            document.keyword("destination.address", name.full);
            document.keyword("destination.domain", name.full);
            document.keyword("destination.registered_domain", name.registered);
            document.keyword("destination.top_level_domain", name.suffix);
            document.keyword("destination.subdomain", name.subdomain);
        }
        None => {
            let ip = authority.host.ip().map(|ip| ip.to_string());
            document.keyword("destination.address", ip.as_deref());
        }
    }
    document.ip("destination.ip", dialled.or(authority.host.ip()));
}

pub(super) fn write_network(document: &mut Document, client: IpAddr, destination: Option<IpAddr>) {
    document.keyword("network.transport", "tcp");
    document.keyword("network.direction", "outbound");
    let version = match destination.unwrap_or(client).to_canonical() {
        IpAddr::V4(_) => "ipv4",
        IpAddr::V6(_) => "ipv6",
    };
    document.keyword("network.type", version);
}

/// What an analyst pivots on: every host and address of the event in one place.
pub(super) fn write_related(
    document: &mut Document,
    asker: &Asker,
    authority: Option<&Authority>,
    names: &[Option<&str>],
    dialled: Option<IpAddr>,
    observer: &Observer,
) {
    let host = authority.and_then(|authority| authority.host.name());
    let page = asker.page.as_deref().and_then(|page| Url::parse(page).ok());
    let page = page.as_ref().and_then(|page| page.host_str());
    let hosts = [host, page, Some(&*observer.hostname)].into_iter().chain(names.iter().copied()).flatten();
    document.keywords("related.hosts", hosts);

    document.keywords("related.user", asker.user.as_deref());
    let literal = authority.and_then(|authority| authority.host.ip());
    let ips: Vec<String> = [Some(asker.address.ip()), dialled, literal]
        .into_iter()
        .flatten()
        .map(|ip| ip.to_canonical().to_string())
        .collect();
    document.keywords("related.ip", ips.iter().map(String::as_str));
}
