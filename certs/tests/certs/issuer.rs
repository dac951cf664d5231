//! When the issuing CA is replaced, and what happens without the root's key.

use std::fs;

use pinfold_certs::{CaError, CaOptions, CertificateAuthority, Unfit};
use pinfold_policy::host::HostPattern;

use crate::fixture::{DAY, Folder, der, host, noon, unconstrained, vendors};

fn take_root_key_away(folder: &Folder) {
    fs::remove_file(folder.file("root.key")).unwrap();
}

#[test]
fn a_new_vendor_host_makes_a_new_issuer_under_the_same_root() {
    let folder = Folder::new();
    let first = folder.open(&vendors(&["a.test"]), noon()).unwrap();
    let (issuer, key) = (folder.read("issuer.pem"), folder.read("issuer.key"));
    assert!(first.ca.leaf(&host("b.test"), noon()).is_err());

    let second = folder.open(&vendors(&["a.test", "b.test"]), noon()).unwrap();

    assert!(second.made_issuer && !second.made_root);
    assert_eq!(second.ca.root_fingerprint_sha256(), first.ca.root_fingerprint_sha256());
    assert_ne!(folder.read("issuer.pem"), issuer);
    assert_ne!(folder.read("issuer.key"), key);
    second.ca.leaf(&host("b.test"), noon()).unwrap();
    // The one still running is not disturbed.
    first.ca.leaf(&host("a.test"), noon()).unwrap();
}

#[test]
fn a_new_vendor_host_without_the_roots_key_is_named() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    take_root_key_away(&folder);
    let before = folder.read("issuer.pem");

    let error = folder.open(&vendors(&["a.test", "b.test", "*.c.test"]), noon()).unwrap_err();

    let missing = ["b.test", "*.c.test"].map(|host| HostPattern::parse(host).unwrap()).to_vec();
    assert!(matches!(&error, CaError::RootKeyMissing { why: Unfit::NotFor(hosts), .. } if *hosts == missing));
    let key = folder.file("root.key").display().to_string();
    assert_eq!(
        error.to_string(),
        format!(
            "{key}: no root key here to sign a new issuing CA, and the issuing CA may not sign for b.test, *.c.test"
        )
    );
    assert!(error.hint().unwrap().contains(&key));
    assert_eq!(folder.read("issuer.pem"), before);
}

#[test]
fn without_the_roots_key_an_issuer_that_will_do_is_kept() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test", "b.test"]), noon()).unwrap();
    take_root_key_away(&folder);
    for (hosts, day) in [(&["a.test", "b.test"][..], 1), (&["a.test", "www.b.test"], 1), (&["a.test"], 300)] {
        let opened = folder.open(&vendors(hosts), noon() + DAY * day).unwrap();
        assert!(!opened.made_issuer, "{hosts:?}");
    }
}

#[test]
fn a_vendor_that_is_gone_is_no_longer_permitted() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test", "b.test"]), noon()).unwrap();
    let opened = folder.open(&vendors(&["a.test"]), noon()).unwrap();
    assert!(opened.made_issuer);
    assert!(matches!(opened.ca.leaf(&host("b.test"), noon()), Err(CaError::Outside { .. })));
}

#[test]
fn an_issuer_is_renewed_in_the_last_third_of_its_life() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    assert!(!folder.open(&vendors(&["a.test"]), noon() + DAY * 242).unwrap().made_issuer);
    let opened = folder.open(&vendors(&["a.test"]), noon() + DAY * 244).unwrap();
    assert!(opened.made_issuer && !opened.made_root);
    assert!(!folder.open(&vendors(&["a.test"]), noon() + DAY * 244).unwrap().made_issuer);
}

#[test]
fn an_expired_issuer_is_replaced_or_refused() {
    let folder = Folder::new();
    let ca = folder.open(&vendors(&["a.test"]), noon()).unwrap().ca;
    let late = noon() + DAY * 366;
    assert!(matches!(ca.leaf(&host("a.test"), late), Err(CaError::IssuerExpired { .. })));
    let key = folder.read("root.key");
    take_root_key_away(&folder);
    let error = folder.open(&vendors(&["a.test"]), late).unwrap_err();
    assert!(matches!(error, CaError::RootKeyMissing { why: Unfit::Expired(_), .. }), "{error}");
    crate::fixture::write_key(&folder.file("root.key"), &key);
    assert!(folder.open(&vendors(&["a.test"]), late).unwrap().made_issuer);
}

#[test]
fn an_expired_root_is_refused_and_an_ending_one_does_not_churn() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    let ending = noon() + DAY * 3600;
    assert!(folder.open(&vendors(&["a.test"]), ending).unwrap().made_issuer);
    assert!(!folder.open(&vendors(&["a.test"]), ending + DAY * 50).unwrap().made_issuer);
    let error = folder.open(&vendors(&["a.test"]), noon() + DAY * 3653).unwrap_err();
    assert!(matches!(error, CaError::RootExpired { .. }), "{error}");
    assert!(
        error.to_string().ends_with("root.pem: the root certificate expired on 2036-11-22T00:00:00Z"),
        "{error}"
    );
}

#[test]
fn a_clock_before_the_root_is_said() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    let error = folder.open(&vendors(&["a.test"]), noon() - DAY * 2).unwrap_err();
    assert!(matches!(error, CaError::NotYetValid { .. }), "{error}");
    assert!(error.hint().unwrap().contains("clock"));
}

#[test]
fn name_constraints_are_on_or_off_as_configured() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    let open = folder.open(&unconstrained(), noon()).unwrap();
    assert!(open.made_issuer);
    for name in ["anything.test", "192.0.2.1", "[::1]"] {
        open.ca.leaf(&host(name), noon()).unwrap();
    }
    let key = folder.read("root.key");
    take_root_key_away(&folder);
    let error = folder.open(&vendors(&["a.test"]), noon()).unwrap_err();
    assert!(matches!(error, CaError::RootKeyMissing { why: Unfit::Unconstrained, .. }), "{error}");
    crate::fixture::write_key(&folder.file("root.key"), &key);
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    take_root_key_away(&folder);
    let error = folder.open(&unconstrained(), noon()).unwrap_err();
    assert!(matches!(error, CaError::RootKeyMissing { why: Unfit::Constrained, .. }), "{error}");
}

#[test]
fn the_roots_key_can_be_kept_elsewhere() {
    let folder = Folder::new();
    let safe = tempfile::tempdir().unwrap();
    let key = safe.path().join("root.key");
    let options = |hosts| CaOptions { root_key: Some(key.clone()), ..vendors(hosts) };
    folder.open(&options(&["a.test"]), noon()).unwrap();
    assert_eq!(folder.names(), ["issuer.key", "issuer.pem", "root.pem"]);
    assert!(folder.open(&options(&["b.test"]), noon()).unwrap().made_issuer);
    fs::rename(&key, safe.path().join("away")).unwrap();
    assert!(!folder.open(&options(&["b.test"]), noon()).unwrap().made_issuer);
    let error = folder.open(&options(&["c.test"]), noon()).unwrap_err();
    assert!(error.to_string().starts_with(&key.display().to_string()), "{error}");
}

#[test]
fn a_host_of_our_own_is_signed_for_where_that_can_be_had_and_is_no_reason_to_refuse_an_issuer() {
    let folder = Folder::new();
    let own: HostPattern = "own.invalid".parse().unwrap();
    let with_own = CaOptions { own_hosts: vec![own], ..vendors(&["a.test"]) };
    let signs = |ca: &CertificateAuthority| ca.leaf(&host("own.invalid"), noon()).is_ok();
    assert!(!signs(&folder.open(&vendors(&["a.test"]), noon()).unwrap().ca));
    let key = folder.read("root.key");
    take_root_key_away(&folder);
    let kept = folder.open(&with_own, noon()).unwrap();
    assert!(!kept.made_issuer && !signs(&kept.ca));

    crate::fixture::write_key(&folder.file("root.key"), &key);
    let made = folder.open(&with_own, noon()).unwrap();
    assert!(made.made_issuer && signs(&made.ca));
    assert!(made.ca.leaf(&host("a.test"), noon()).is_ok());
    assert!(!folder.open(&with_own, noon()).unwrap().made_issuer);
    let [root, issuer] = made.ca.ends();
    assert!(noon() < issuer && issuer <= root);
}

#[test]
fn an_issuer_of_another_root_is_replaced_or_refused() {
    let (folder, other) = (Folder::new(), Folder::new());
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    other.open(&vendors(&["a.test"]), noon()).unwrap();
    for name in ["root.pem", "root.key"] {
        fs::copy(other.file(name), folder.file(name)).unwrap();
    }
    let key = folder.read("root.key");
    take_root_key_away(&folder);
    let error = folder.open(&vendors(&["a.test"]), noon()).unwrap_err();
    assert!(matches!(error, CaError::RootKeyMissing { why: Unfit::OtherRoot, .. }), "{error}");
    crate::fixture::write_key(&folder.file("root.key"), &key);
    assert!(folder.open(&vendors(&["a.test"]), noon()).unwrap().made_issuer);
}

#[test]
fn two_installations_have_two_names() {
    let subjects = [Folder::new(), Folder::new()].map(|folder| {
        folder.open(&vendors(&["a.test"]), noon()).unwrap();
        ["root.pem", "issuer.pem"].map(|name| {
            let certificate = der(&folder.read(name));
            x509_parser::parse_x509_certificate(&certificate).unwrap().1.subject().to_string()
        })
    });
    let [[root, issuer], [other_root, other_issuer]] = subjects;
    assert!(root.starts_with("O=pinfold, CN=pinfold root "), "{root}");
    assert_ne!(root, other_root);
    assert_ne!(issuer, other_issuer);
}
