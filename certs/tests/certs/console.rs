//! The console's own leaf: who signs it, what its key may do, and when it is made anew.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pinfold_certs::{CaError, LeafUnfit, ServerIdentity};
use pinfold_policy::host::Host;
use x509_parser::certificate::X509Certificate;

use crate::fixture::{DAY, Folder, host, noon, vendors};

fn of(folder: &Folder, names: &[&str], days: u32) -> Result<ServerIdentity, CaError> {
    let names: Vec<Host> = names.iter().map(|name| host(name)).collect();
    ServerIdentity::of_console(&folder.ca, None, &names, noon() + DAY * days)
}

#[test]
fn the_root_signs_it_and_its_key_signs_no_certificate() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test"]), noon()).unwrap();

    let identity = of(&folder, &["pinfold.test", "127.0.0.1"], 0).unwrap();

    let der = identity.certified.cert[0].clone();
    let (_, leaf): (_, X509Certificate<'_>) = x509_parser::parse_x509_certificate(&der).unwrap();
    let root = folder.read("root.pem");
    let (_, root) = x509_parser::pem::parse_x509_pem(root.as_ref()).unwrap();
    leaf.verify_signature(Some(root.parse_x509().unwrap().public_key())).unwrap();
    assert_eq!(identity.certified.cert.len(), 1, "the constrained issuing CA has no part in it");
    assert!(!leaf.is_ca());
    let usage = leaf.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign() && !usage.crl_sign());
    assert!(identity.is_for(&host("pinfold.test")) && identity.is_for(&host("127.0.0.1")));
    assert!(!identity.is_for(&host("a.test")) && !identity.is_for(&host("x.pinfold.test")));
    let mode = fs::metadata(folder.file("console.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn it_is_kept_until_its_last_third_and_for_as_long_as_it_is_there_without_the_roots_key() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    let der = |identity: ServerIdentity| identity.certified.cert[0].to_vec();
    let first = der(of(&folder, &["a.test"], 0).unwrap());
    assert_eq!(der(of(&folder, &["a.test"], 200).unwrap()), first);
    let kept = folder.read("root.key");
    fs::remove_file(folder.file("root.key")).unwrap();
    // Expired too: that is for whoever looks at it to see, and no reason not to run.
    for days in [300, 400] {
        assert_eq!(der(of(&folder, &["a.test"], days).unwrap()), first);
    }
    fs::write(folder.file("root.key"), kept).unwrap();
    fs::set_permissions(folder.file("root.key"), fs::Permissions::from_mode(0o600)).unwrap();

    let second = of(&folder, &["a.test"], 300).unwrap();

    assert!(second.until > noon() + DAY * 600);
    assert_ne!(der(second), first);
}

#[test]
fn another_name_without_the_roots_key_is_told_with_the_next_step() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    of(&folder, &["a.test"], 0).unwrap();
    fs::remove_file(folder.file("root.key")).unwrap();

    let error = of(&folder, &["a.test", "b.test"], 0).unwrap_err();

    let lacking = vec![host("b.test")];
    assert!(
        matches!(&error, CaError::NoConsoleLeaf { why: LeafUnfit::NotFor(names), .. } if *names == lacking)
    );
    assert!(error.to_string().contains("is not for b.test"), "{error}");
    assert!(error.hint().unwrap().contains("console.certificate"));
}

#[test]
fn a_key_of_the_console_that_others_can_read_is_not_used() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    of(&folder, &["a.test"], 0).unwrap();
    fs::set_permissions(folder.file("console.key"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(of(&folder, &["a.test"], 0), Err(CaError::LooseKey { .. })));
}
