//! Leaves: what stands in them, how often they are made, for whom they are refused.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use pinfold_certs::{CaError, CaOptions};
use pinfold_policy::host::Host;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::fixture::{DAY, Folder, host, noon, vendors};

#[test]
fn a_leaf_carries_one_name_and_what_strict_clients_ask_for() {
    let folder = Folder::new();
    let ca = folder.open(&vendors(&["a.test", "192.0.2.1", "[2001:db8::1]"]), noon()).unwrap().ca;
    let expected: [(&str, GeneralName<'_>); 3] = [
        ("a.test", GeneralName::DNSName("a.test")),
        ("192.0.2.1", GeneralName::IPAddress(&[192, 0, 2, 1])),
        ("[2001:db8::1]", GeneralName::IPAddress(&[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
    ];
    for (name, san) in expected {
        let leaf = ca.leaf(&host(name), noon()).unwrap();
        assert_eq!(leaf.cert.len(), 2, "leaf and issuing CA, not the root");
        assert_eq!(leaf.cert[1], crate::fixture::der(&folder.read("issuer.pem")));
        leaf.keys_match().unwrap();
        let (_, x509) = X509Certificate::from_der(&leaf.cert[0]).unwrap();
        let names = x509.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.value.general_names, [san]);
        assert!(names.critical && x509.subject().iter().next().is_none());
        assert!(x509.key_usage().unwrap().unwrap().value.digital_signature());
        assert!(x509.extended_key_usage().unwrap().unwrap().value.server_auth);
        assert!(!x509.basic_constraints().unwrap().unwrap().value.ca);
        assert_eq!(x509.raw_serial().len(), 16);
        for oid in ["2.5.29.14", "2.5.29.35"] {
            assert!(x509.extensions().iter().any(|extension| extension.oid.to_id_string() == oid), "{oid}");
        }
    }
}

#[test]
fn a_leaf_has_not_the_cas_key() {
    let folder = Folder::new();
    let ca = folder.open(&vendors(&["a.test"]), noon()).unwrap().ca;
    let leaf = ca.leaf(&host("a.test"), noon()).unwrap();
    let keys =
        leaf.cert.iter().map(|der| X509Certificate::from_der(der).unwrap().1.public_key().raw.to_vec());
    let keys: Vec<_> = keys.collect();
    assert_ne!(keys[0], keys[1]);
    let again = folder.open(&vendors(&["a.test"]), noon()).unwrap().ca.leaf(&host("a.test"), noon()).unwrap();
    assert_ne!(again.key.public_key(), leaf.key.public_key(), "new at every start");
}

#[test]
fn however_many_ask_at_once_one_leaf_is_made() {
    let folder = Folder::new();
    let ca = folder.open(&vendors(&["*.test"]), noon()).unwrap().ca;
    for round in 0..20 {
        let name = host(&format!("a{round}.test"));
        let start = Barrier::new(16);
        let leaves: Vec<_> = thread::scope(|scope| {
            let ask = || {
                start.wait();
                ca.leaf(&name, noon()).unwrap()
            };
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(leaves.iter().all(|leaf| Arc::ptr_eq(leaf, &leaves[0])));
    }
}

#[test]
fn a_leaf_is_replaced_after_two_thirds_of_its_life() {
    let folder = Folder::new();
    let ca = folder.open(&CaOptions { leaf_lifetime: DAY * 3, ..vendors(&["a.test"]) }, noon()).unwrap().ca;
    let name = host("a.test");
    let first = ca.leaf(&name, noon()).unwrap();
    assert!(Arc::ptr_eq(&first, &ca.leaf(&name, noon() + DAY * 2 - Duration::from_secs(1)).unwrap()));
    let second = ca.leaf(&name, noon() + DAY * 2).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    assert!(Arc::ptr_eq(&second, &ca.leaf(&name, noon() + DAY * 2).unwrap()));
}

#[test]
fn no_leaf_outlives_or_precedes_its_issuer() {
    let folder = Folder::new();
    let ca = folder.open(&CaOptions { leaf_lifetime: DAY * 500, ..vendors(&["a.test"]) }, noon()).unwrap().ca;
    let leaf = ca.leaf(&host("a.test"), noon() - DAY).unwrap();
    let validity = |index: usize| X509Certificate::from_der(&leaf.cert[index]).unwrap().1.validity().clone();
    assert_eq!(validity(0), validity(1));
    assert!(matches!(ca.leaf(&host("a.test"), noon() - DAY * 20), Err(CaError::NotYetValid { .. })));
}

#[test]
fn a_leaf_outside_the_constraints_is_refused_and_not_remembered() {
    let folder = Folder::new();
    let ca = folder.open(&vendors(&["a.test", "*.b.test"]), noon()).unwrap().ca;
    for name in ["bank.test", "test", "192.0.2.1", "[::1]", "evila.test"] {
        for _ in 0..2 {
            let error = ca.leaf(&host(name), noon()).unwrap_err();
            assert!(matches!(error, CaError::Outside { .. }), "{error}");
        }
    }
}

#[test]
fn a_wildcard_that_a_client_names_is_not_signed() {
    let folder = Folder::new();
    let ca = folder.open(&vendors(&["*.b.test"]), noon()).unwrap().ca;
    // It is no host to begin with.
    Host::parse("*.b.test").unwrap_err();
    ca.leaf(&host("x_y.b.test"), noon()).unwrap();
}

#[test]
fn without_vendors_nothing_is_signed() {
    let folder = Folder::new();
    let ca = folder.open(&vendors(&[]), noon()).unwrap().ca;
    for name in ["a.test", "localhost", "127.0.0.1", "[::1]"] {
        assert!(matches!(ca.leaf(&host(name), noon()), Err(CaError::Outside { .. })), "{name}");
    }
}

#[test]
fn a_lifetime_too_short_to_use_is_refused() {
    let folder = Folder::new();
    let options = CaOptions { leaf_lifetime: Duration::from_secs(59), ..vendors(&["a.test"]) };
    let error = folder.open(&options, noon()).unwrap_err();
    assert_eq!(error.to_string(), "leaf_lifetime is 59 s, expected at least 60 s");
}
