//! What the gateway says of itself when it is ready.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use pinfold_config::Config;
use pinfold_policy::host::{Host, HostPattern};
use pinfold_policy::pin::PinUrl;
use pinfold_policy::policy::Rulebook;
use pinfold_policy::url::{ArtifactUrl, Scheme};
use pinfold_policy::vendor::{Mode, OtherScripts, OtherTls, Vendor};

use super::Root;
use crate::log::Format;
use crate::terminal::{Terminal, Tone};
use crate::trust::quoted;
use crate::words::counted;

/// Hosts that are named before the rest is counted.
const HOSTS_SHOWN: usize = 6;

const NO_VENDOR: &str = "no [[vendor]] in pinfold.toml: nobody's scripts are checked";

/// Something to fetch with the built-in configuration.
const QUICKSTART_URL: &str = "https://cdn.jsdelivr.net/npm/jquery@3.7.1/dist/jquery.min.js";

/// What is enforced, and for whom.
#[derive(Debug)]
pub(crate) struct Greeting {
    is_built_in: bool,
    vendors: Vec<String>,
    others: &'static str,
    clients: String,
    try_url: Option<String>,
}

impl Greeting {
    pub(crate) fn of(config: &Config) -> Self {
        let rules = &config.rulebook;
        let clients: Vec<_> = config.clients.iter().map(ToString::to_string).collect();
        let is_built_in = config.file.is_none();
        Self {
            is_built_in,
            vendors: vendor_lines(rules),
            others: others(rules),
            clients: clients.join(", "),
            try_url: if is_built_in { Some(QUICKSTART_URL.to_owned()) } else { try_url(rules) },
        }
    }

    pub(crate) fn say(&self, addresses: &[SocketAddr], root: &Root, terminal: &Terminal, format: Format) {
        for warning in self.warnings() {
            tracing::warn!("{warning}");
        }
        for line in self.lines(addresses) {
            tracing::info!("{line}");
        }
        if root.made && format == Format::Text {
            terminal.note(&self.first_steps(addresses, root, terminal));
        }
    }

    fn warnings(&self) -> impl Iterator<Item = &'static str> {
        let built_in = "no pinfold.toml here: built-in settings, which record and refuse nothing; 'pinfold init' writes one";
        let built_in = self.is_built_in.then_some(built_in);
        built_in.into_iter().chain(self.vendors.is_empty().then_some(NO_VENDOR))
    }

    fn lines(&self, addresses: &[SocketAddr]) -> impl Iterator<Item = String> {
        let others = std::iter::once(other_hosts_line(self.others));
        let listening = addresses
            .iter()
            .map(|address| format!("listening on {address} for clients from {}", self.clients));
        self.vendors.iter().cloned().chain(others).chain(listening)
    }

    /// For whoever runs it the first time: nobody trusts the CA yet.
    fn first_steps(&self, addresses: &[SocketAddr], root: &Root, terminal: &Terminal) -> String {
        let title = "first run: made a certificate authority that nobody trusts yet";
        let mut text = format!("\n{}\n", terminal.paint_err(Tone::Strong, title));
        if let (Some(url), Some(proxy)) = (&self.try_url, addresses.first()) {
            let root = quoted(&root.file);
            let proxy = reachable(*proxy);
            text.push_str(&format!(
                "to see it at work, in another terminal:\n  \
                 curl --proxy http://{proxy} --cacert {root} -sSo /dev/null -D - {url}\n"
            ));
        }
        text.push_str(&root.instructions);
        text.push('\n');
        text
    }
}

/// Once, and where a person reads it: it is a key.
pub(crate) fn say_first_link(link: &str, terminal: &Terminal, format: Format) {
    match format {
        Format::Text => terminal.note(&format!(
            "nobody may sign in at the console yet; this link makes its first user, once and within an hour:\n  {link}"
        )),
        Format::Json => {}
    }
}

/// An address that a client on this machine can use.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    address
}

/// What these rules enforce, a line for each vendor and one for all others.
pub(super) fn enforced(rules: &Rulebook) -> Vec<String> {
    let mut lines = vendor_lines(rules);
    if lines.is_empty() {
        lines.push(NO_VENDOR.to_owned());
    }
    lines.push(other_hosts_line(others(rules)));
    lines
}

fn other_hosts_line(others: &str) -> String {
    format!("all other hosts: {others}")
}

fn vendor_lines(rules: &Rulebook) -> Vec<String> {
    let pins = pins_by_vendor(rules);
    let line =
        |vendor: &Arc<Vendor>| vendor_line(vendor, pins.get(&*vendor.name).copied().unwrap_or_default());
    rules.vendors.all().iter().map(line).collect()
}

/// Counted in one pass for all vendors: a list has a million pins, and there can be a hundred vendors.
fn pins_by_vendor(rules: &Rulebook) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for pin in rules.pins.all() {
        let vendor = match &pin.url {
            PinUrl::Exact(url) => rules.vendors.of(url.host()),
            PinUrl::Pattern(_) => {
                let origin = ArtifactUrl::parse(pin.url.origin()).ok();
                origin.and_then(|origin| rules.vendors.of(origin.host()))
            }
        };
        if let Some(vendor) = vendor {
            *counts.entry(&*vendor.name).or_default() += 1;
        }
    }
    counts
}

fn vendor_line(vendor: &Vendor, pins: usize) -> String {
    let hosts: Vec<_> = vendor.hosts.iter().take(HOSTS_SHOWN).map(ToString::to_string).collect();
    let more = vendor.hosts.len().saturating_sub(hosts.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let mode = match vendor.rules.mode {
        Mode::Enforce => "enforce",
        Mode::Observe => "observe, refuse nothing but what is revoked",
    };
    format!("vendor {}: {mode}; {}; {}{more}", vendor.name, counted(pins, "pin"), hosts.join(", "))
}

fn others(rules: &Rulebook) -> &'static str {
    match (rules.other_tls, rules.other_scripts) {
        (OtherTls::Tunnel, _) => "tunnelled without a look inside",
        (OtherTls::Intercept, OtherScripts::Allow) => "decrypted; only pinned URLs are judged",
        (OtherTls::Intercept, OtherScripts::Observe) => "decrypted; scripts pass and are recorded",
        (OtherTls::Intercept, OtherScripts::Block) => "decrypted; scripts are blocked",
        (OtherTls::Intercept, OtherScripts::Quarantine) => "decrypted; scripts are quarantined",
    }
}

/// A URL that shows something: one that is pinned, else a vendor's front page.
fn try_url(rules: &Rulebook) -> Option<String> {
    let pinned = rules.pins.all().iter().find_map(|pin| match &pin.url {
        PinUrl::Exact(url) if url.scheme() == Scheme::Https => Some(url.to_string()),
        PinUrl::Exact(_) | PinUrl::Pattern(_) => None,
    });
    let hosts = || rules.vendors.all().iter().flat_map(|vendor| &vendor.hosts);
    pinned.or_else(|| {
        hosts().find_map(|host| match host {
            HostPattern::Exact(host @ Host::Name(_)) => Some(format!("https://{host}/")),
            HostPattern::Exact(Host::Ip(_)) | HostPattern::Below(_) => None,
        })
    })
}
