//! What only shows when all files are seen together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use pinfold_policy::digest::Digest;
use pinfold_policy::kind::Kind;
use pinfold_policy::pin::{PinUrl, Place};
use pinfold_policy::url::{ArtifactUrl, Scheme};
use pinfold_policy::vendor::{OtherTls, Vendors};

use crate::pins::{PinsFile, PlacedPin};
use crate::settings::Egress;
use crate::source::{Mistake, SourceFile};

/// Reports what pins files say against each other and against the gateway's rules.
pub(crate) fn check(files: &[PinsFile], vendors: &Vendors, other_tls: OtherTls, egress: &Egress) {
    same_url(files);
    revoked(files);
    for file in files {
        for placed in &file.pins {
            if let Some(origin) = origin(&placed.pin.url) {
                never_judged(&file.source, placed, &origin, vendors, other_tls);
                never_reached(&file.source, placed, &origin, egress);
            }
        }
    }
}

/// Pins of one URL add up; but its bytes act as one kind.
fn same_url(files: &[PinsFile]) {
    // By match key: the same URL can be spelled in other escapes.
    let mut kinds: HashMap<Arc<str>, (Kind, &Place)> = HashMap::new();
    let mut digests: HashMap<(Arc<str>, Digest), &Place> = HashMap::new();
    for file in files {
        for PlacedPin { pin, kind, digests: listed, .. } in &file.pins {
            let url: Arc<str> = pin.url.to_text().into();
            match kinds.entry(Arc::clone(&url)) {
                Entry::Vacant(entry) => {
                    entry.insert((pin.kind, &pin.place));
                }
                Entry::Occupied(entry) if entry.get().0 != pin.kind => {
                    let (other, place) = entry.get();
                    let message = format!("the URL is pinned as {} here and as {other} at {place}", pin.kind);
                    let hint = "one URL has one kind: make them agree";
                    file.source.error(kind.clone(), Mistake::new(message).hint(hint));
                }
                Entry::Occupied(_) => {}
            }
            for digest in listed {
                match digests.entry((Arc::clone(&url), *digest.get_ref())) {
                    Entry::Vacant(entry) => {
                        entry.insert(&pin.place);
                    }
                    Entry::Occupied(entry) if **entry.get() != pin.place => {
                        let message = format!("this digest is pinned for the URL at {} already", entry.get());
                        file.source.warn(digest.span(), Mistake::new(message));
                    }
                    // Within one pin the list itself was warned of.
                    Entry::Occupied(_) => {}
                }
            }
        }
    }
}

/// A revocation beats every pin.
fn revoked(files: &[PinsFile]) {
    let mut revoked: HashMap<Digest, (Arc<str>, u32)> = HashMap::new();
    for file in files {
        for digest in &file.revoked {
            let line = file.source.position(digest.span().start).line;
            if let Some((name, line)) = revoked.get(digest.get_ref()) {
                let mistake = Mistake::new(format!("this digest is revoked at {name}:{line} already"));
                file.source.warn(digest.span(), mistake);
            } else {
                revoked.insert(*digest.get_ref(), (Arc::clone(file.source.name()), line));
            }
        }
    }
    for file in files {
        for digest in file.pins.iter().flat_map(|placed| &placed.digests) {
            if let Some((name, line)) = revoked.get(digest.get_ref()) {
                let message = format!("this digest is revoked at {name}:{line} and will be refused");
                file.source.warn(digest.span(), Mistake::new(message).hint("remove the one that is wrong"));
            }
        }
    }
}

fn never_judged(
    file: &SourceFile,
    placed: &PlacedPin,
    origin: &ArtifactUrl,
    vendors: &Vendors,
    other_tls: OtherTls,
) {
    let host = origin.host();
    match (origin.scheme(), other_tls) {
        (Scheme::Http, _) => {
            let hint = "anyone between here and the vendor can break it: pin the https URL if there is one";
            file.warn(placed.url.clone(), Mistake::new("the URL is fetched in clear text").hint(hint));
        }
        (Scheme::Https, OtherTls::Tunnel) if vendors.of(host).is_none() => {
            let message = format!("no vendor claims {host} and it is tunnelled: this pin is never looked at");
            let hint = "add the host to a [[vendor]], or set other_hosts.tls = \"intercept\"";
            file.warn(placed.url.clone(), Mistake::new(message).hint(hint));
        }
        (Scheme::Https, OtherTls::Tunnel | OtherTls::Intercept) => {}
    }
}

fn never_reached(file: &SourceFile, placed: &PlacedPin, origin: &ArtifactUrl, egress: &Egress) {
    let port = origin.authority().port;
    let (key, allowed) = match origin.scheme() {
        Scheme::Https => ("connect_ports", &egress.connect_ports),
        Scheme::Http => ("http_ports", &egress.http_ports),
    };
    if !allowed.contains(&port) {
        let message = format!("port {port} is not in egress.{key}: this pin is never looked at");
        file.warn(placed.url.clone(), Mistake::new(message));
    }
}

fn origin(url: &PinUrl) -> Option<ArtifactUrl> {
    match url {
        PinUrl::Exact(url) => Some(url.clone()),
        PinUrl::Pattern(_) => ArtifactUrl::parse(url.origin()).ok(),
    }
}
