//! What only shows when files are seen together: pins against each other, and against the gateway's rules.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use pinfold_policy::digest::Digest;
use pinfold_policy::kind::Kind;
use pinfold_policy::pin::{PinUrl, Place};
use pinfold_policy::pins::PinIndex;
use pinfold_policy::url::{ArtifactUrl, Scheme};
use pinfold_policy::vendor::{OtherTls, Vendors};

use crate::pins::{PinsFile, Placed};
use crate::settings::Egress;
use crate::source::{Mistake, SourceFile};

/// The gateway's rules that a pin can be at odds with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'r> {
    pub(crate) vendors: &'r Vendors,
    pub(crate) other_tls: OtherTls,
    pub(crate) egress: &'r Egress,
}

impl Surroundings<'_> {
    /// Reports a pin that is never looked at.
    pub(crate) fn check(self, file: &SourceFile, url: &PinUrl, place: Range<usize>) {
        let origin = match url {
            PinUrl::Exact(url) => Cow::Borrowed(url),
            PinUrl::Pattern(_) => match ArtifactUrl::parse(url.origin()) {
                Ok(origin) => Cow::Owned(origin),
                Err(_) => return,
            },
        };
        never_judged(file, &place, &origin, self.vendors, self.other_tls);
        never_reached(file, place, &origin, self.egress);
    }
}

/// Reports what pins files say against each other. `pins` holds the pins of all files, in their order.
pub(crate) fn check(files: &[PinsFile], pins: &PinIndex) {
    same_url(files, pins);
    revoked(files, pins);
}

/// The pins of all files, each with the file it stands in.
fn placed<'p>(
    files: &'p [PinsFile],
    pins: &'p PinIndex,
) -> impl Iterator<Item = (&'p SourceFile, Placed<'p>)> {
    let mut rest = pins.all();
    files.iter().flat_map(move |PinsFile { source, said }| {
        let (own, others) = rest.split_at_checked(said.places.len()).unwrap_or_default();
        rest = others;
        said.places.of(own).map(move |placed| (source, placed))
    })
}

/// Pins of one URL add up; but its bytes act as one kind.
fn same_url(files: &[PinsFile], pins: &PinIndex) {
    let repeated: HashSet<usize> = pins.repeated().collect();
    if repeated.is_empty() {
        return;
    }
    // By match key: the same URL can be spelled in other escapes.
    let mut kinds: HashMap<Arc<str>, (Kind, &Place)> = HashMap::new();
    let mut digests: HashMap<(Arc<str>, Digest), &Place> = HashMap::new();
    let placed = placed(files, pins).enumerate().filter(|(at, _)| repeated.contains(at));
    for (_, (file, placed)) in placed {
        let Placed { pin, kind, .. } = placed;
        let url: Arc<str> = pin.url.to_text().into();
        match kinds.entry(Arc::clone(&url)) {
            Entry::Vacant(entry) => {
                entry.insert((pin.kind, &pin.place));
            }
            Entry::Occupied(entry) if entry.get().0 != pin.kind => {
                let (other, place) = entry.get();
                let message = format!("the URL is pinned as {} here and as {other} at {place}", pin.kind);
                let hint = "one URL has one kind: make them agree";
                file.error(kind.into(), Mistake::new(message).hint(hint));
            }
            Entry::Occupied(_) => {}
        }
        for (digest, at) in placed.digests() {
            match digests.entry((Arc::clone(&url), *digest)) {
                Entry::Vacant(entry) => {
                    entry.insert(&pin.place);
                }
                Entry::Occupied(entry) if **entry.get() != pin.place => {
                    let message = format!("this digest is pinned for the URL at {} already", entry.get());
                    file.warn(at, Mistake::new(message));
                }
                // Within one pin the list itself was warned of.
                Entry::Occupied(_) => {}
            }
        }
    }
}

/// A revocation beats every pin.
fn revoked(files: &[PinsFile], pins: &PinIndex) {
    let mut revoked: HashMap<Digest, (Arc<str>, u32)> = HashMap::new();
    for PinsFile { source, said } in files {
        for digest in &said.revoked {
            let line = source.line(digest.span().start);
            if let Some((name, line)) = revoked.get(digest.get_ref()) {
                let mistake = Mistake::new(format!("this digest is revoked at {name}:{line} already"));
                source.warn(digest.span(), mistake);
            } else {
                revoked.insert(*digest.get_ref(), (Arc::clone(source.name()), line));
            }
        }
    }
    if revoked.is_empty() {
        return;
    }
    for (file, placed) in placed(files, pins) {
        for (digest, at) in placed.digests() {
            if let Some((name, line)) = revoked.get(digest) {
                let message = format!("this digest is revoked at {name}:{line} and will be refused");
                file.warn(at, Mistake::new(message).hint("remove the one that is wrong"));
            }
        }
    }
}

fn never_judged(
    file: &SourceFile,
    place: &Range<usize>,
    origin: &ArtifactUrl,
    vendors: &Vendors,
    other_tls: OtherTls,
) {
    let host = origin.host();
    match (origin.scheme(), other_tls) {
        (Scheme::Http, _) => {
            let hint = "anyone between here and the vendor can break it: pin the https URL if there is one";
            file.warn(place.clone(), Mistake::new("the URL is fetched in clear text").hint(hint));
        }
        (Scheme::Https, OtherTls::Tunnel) if vendors.of(host).is_none() => {
            let message = format!("no vendor claims {host} and it is tunnelled: this pin is never looked at");
            let hint = "add the host to a [[vendor]], or set other_hosts.tls = \"intercept\"";
            file.warn(place.clone(), Mistake::new(message).hint(hint));
        }
        (Scheme::Https, OtherTls::Tunnel | OtherTls::Intercept) => {}
    }
}

fn never_reached(file: &SourceFile, place: Range<usize>, origin: &ArtifactUrl, egress: &Egress) {
    let port = origin.authority().port;
    let (key, allowed) = match origin.scheme() {
        Scheme::Https => ("connect_ports", &egress.connect_ports),
        Scheme::Http => ("http_ports", &egress.http_ports),
    };
    if !allowed.contains(&port) {
        let message = format!("port {port} is not in egress.{key}: this pin is never looked at");
        file.warn(place, Mistake::new(message));
    }
}
