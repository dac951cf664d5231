//! What an issuing CA may sign for: the name constraints of RFC 5280 §4.2.1.10.
//!
//! A `dNSName` constraint `x` permits `x` and every name below it: X.509 can say neither "only `x`" nor "only
//! below `x`". So an exact vendor host lets the issuing CA sign for its subdomains too, and `*.x` for `x`.
//!
//! Permitting some names of one form says nothing of another form, so addresses are excluded outright
//! unless a vendor host is one. Directory names, though a name in the CN is one, stay unconstrained:
//! Go and webpki reject every chain with such a constraint. OpenSSL and Java apply the DNS constraints to the CN.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use pinfold_policy::host::{Host, HostPattern};
use rcgen::{CidrSubnet, GeneralSubtree, NameConstraints};
use x509_parser::extensions::{self, GeneralName};

/// Without any permitted name all names would be permitted. This one cannot be resolved (RFC 6761 §6.4).
const NOWHERE: &str = "nowhere.invalid";

/// The names an issuing CA may sign for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All of them.
    Anything,
    /// These.
    Only(Permitted),
}

/// Subtrees of names, and single addresses. Empty permits nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Permitted {
    names: BTreeSet<Arc<str>>,
    addresses: BTreeSet<IpAddr>,
}

impl Scope {
    /// Reads the constraints of a certificate. Constraints that we would not have written permit nothing.
    pub(crate) fn read(constraints: Option<&extensions::NameConstraints<'_>>) -> Self {
        constraints.map_or(Self::Anything, |constraints| {
            Self::Only(Permitted::read(constraints).unwrap_or_default())
        })
    }

    /// Whether a leaf for `host` would be accepted.
    pub(crate) fn permits(&self, host: &Host) -> bool {
        match self {
            Self::Anything => true,
            Self::Only(permitted) => permitted.permits(host),
        }
    }

    /// The extension to write; none for [`Scope::Anything`].
    pub(crate) fn extension(&self) -> Option<NameConstraints> {
        match self {
            Self::Anything => None,
            Self::Only(permitted) => Some(permitted.extension()),
        }
    }
}

impl Permitted {
    pub(crate) fn vendors(hosts: &[HostPattern]) -> Self {
        let mut permitted = Self::default();
        for pattern in hosts {
            match pattern {
                HostPattern::Exact(Host::Name(name)) | HostPattern::Below(name) => {
                    permitted.names.insert(Arc::clone(name));
                }
                HostPattern::Exact(Host::Ip(ip)) => {
                    permitted.addresses.insert(*ip);
                }
            }
        }
        let all = permitted.names.clone();
        permitted.names.retain(|name| !all.iter().any(|upper| upper != name && is_within(name, upper)));
        permitted
    }

    fn permits(&self, host: &Host) -> bool {
        match host {
            Host::Name(name) => self.permits_below(name),
            Host::Ip(ip) => self.addresses.contains(ip),
        }
    }

    /// Whether `name` and all that is below it are permitted.
    fn permits_below(&self, name: &str) -> bool {
        self.names.iter().any(|upper| is_within(name, upper))
    }

    /// Those of `hosts` that are not permitted.
    pub(crate) fn lacking(&self, hosts: &[HostPattern]) -> Vec<HostPattern> {
        let permits = |pattern: &HostPattern| match pattern {
            HostPattern::Exact(host) => self.permits(host),
            HostPattern::Below(name) => self.permits_below(name),
        };
        hosts.iter().filter(|pattern| !permits(pattern)).cloned().collect()
    }

    fn extension(&self) -> NameConstraints {
        let names: Vec<&str> = if self.names.is_empty() {
            vec![NOWHERE]
        } else {
            self.names.iter().map(|name| &**name).collect()
        };
        let names = names.into_iter().map(|name| GeneralSubtree::DnsName(name.to_owned()));
        let addresses = self.addresses.iter().map(|ip| {
            let whole = if ip.is_ipv4() { 32 } else { 128 };
            GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(*ip, whole))
        });
        let excluded = self.excluded().into_iter();
        NameConstraints {
            permitted_subtrees: names.chain(addresses).collect(),
            excluded_subtrees: excluded
                .map(|ip| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(ip, 0)))
                .collect(),
        }
    }

    /// The address families, each by its zero, if no address is permitted.
    ///
    /// One permitted address shuts out all others, of both families. To exclude the other family as well would do
    /// harm: Java (17) compares an address with a range of the other family, and then refuses the permitted one.
    fn excluded(&self) -> BTreeSet<IpAddr> {
        if !self.addresses.is_empty() {
            return BTreeSet::new();
        }
        BTreeSet::from([Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()])
    }

    fn read(constraints: &extensions::NameConstraints<'_>) -> Option<Self> {
        let mut permitted = Self::default();
        for subtree in constraints.permitted_subtrees.iter().flatten() {
            match &subtree.base {
                GeneralName::DNSName(NOWHERE) => {}
                GeneralName::DNSName(name) => {
                    permitted.names.insert((*name).into());
                }
                GeneralName::IPAddress(range) => {
                    permitted.addresses.insert(masked(range, u8::MAX)?);
                }
                _ => return None,
            }
        }
        let excluded = constraints.excluded_subtrees.iter().flatten().map(|subtree| match &subtree.base {
            GeneralName::IPAddress(range) => masked(range, 0),
            _ => None,
        });
        // The set says less than it seems to if addresses are left open: then it is not ours.
        (excluded.collect::<Option<BTreeSet<_>>>()? == permitted.excluded()).then_some(permitted)
    }
}

fn is_within(name: &str, upper: &str) -> bool {
    name.strip_suffix(upper).is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

/// The address of an address range whose mask has `bits` in every byte.
fn masked(range: &[u8], bits: u8) -> Option<IpAddr> {
    let (address, mask) = range.split_at_checked(range.len() / 2)?;
    if mask.iter().any(|byte| *byte != bits) {
        return None;
    }
    match mask.len() {
        4 => <[u8; 4]>::try_from(address).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(address).ok().map(IpAddr::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(hosts: &[&str]) -> Permitted {
        Permitted::vendors(&patterns(hosts))
    }

    fn patterns(hosts: &[&str]) -> Vec<HostPattern> {
        hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect()
    }

    fn permits(permitted: &Permitted, host: &str) -> bool {
        permitted.permits(&Host::parse(host).unwrap())
    }

    #[test]
    fn a_name_permits_itself_and_what_is_below_it() {
        let vendor = permitted(&["cdn.vendor.test", "*.vendor.example"]);
        assert!(permits(&vendor, "cdn.vendor.test") && permits(&vendor, "a.cdn.vendor.test"));
        assert!(permits(&vendor, "vendor.example") && permits(&vendor, "a.b.vendor.example"));
        for outside in
            ["vendor.test", "evilcdn.vendor.test", "test", "cdn.vendor.test.evil", "127.0.0.1", "[::1]"]
        {
            assert!(!permits(&vendor, outside), "{outside}");
        }
    }

    #[test]
    fn a_name_below_a_permitted_one_adds_nothing() {
        assert_eq!(
            permitted(&["*.vendor.test", "a.vendor.test", "vendor.test"]),
            permitted(&["vendor.test"])
        );
        assert_ne!(permitted(&["evilvendor.test", "vendor.test"]), permitted(&["vendor.test"]));
    }

    #[test]
    fn an_address_permits_itself_only() {
        let vendor = permitted(&["192.0.2.1"]);
        assert!(permits(&vendor, "192.0.2.1"));
        for outside in ["192.0.2.2", "[::1]", "a.test"] {
            assert!(!permits(&vendor, outside), "{outside}");
        }
        assert!(vendor.excluded().is_empty());
        assert_eq!(permitted(&["a.test"]).excluded().len(), 2);
    }

    #[test]
    fn no_vendor_permits_nothing_and_says_so_in_both_forms() {
        let nobody = permitted(&[]);
        assert!(!permits(&nobody, "a.test"));
        let extension = nobody.extension();
        assert_eq!(extension.permitted_subtrees, [GeneralSubtree::DnsName(NOWHERE.into())]);
        assert_eq!(extension.excluded_subtrees.len(), 2);
    }

    #[test]
    fn what_is_lacking_is_named() {
        let vendor = permitted(&["a.test", "192.0.2.1"]);
        let wanted = patterns(&["a.test", "*.a.test", "b.test", "*.test", "192.0.2.1", "192.0.2.2"]);
        assert_eq!(vendor.lacking(&wanted), patterns(&["b.test", "*.test", "192.0.2.2"]));
    }
}
