//! What is on disk: who may read it, and what happens when it is not as it should be.

use std::collections::HashSet;
use std::fs;
use std::process::Command;
use std::sync::Barrier;
use std::thread;

use pinfold_certs::{CaError, CertificateAuthority};
use rcgen::{KeyPair, PublicKeyData};

use crate::fixture::{DAY, Folder, der, mode, noon, set_mode, vendors};

const FILES: [&str; 4] = ["issuer.key", "issuer.pem", "root.key", "root.pem"];

#[test]
fn keys_are_for_their_owner_only() {
    let folder = Folder::new();
    let opened = folder.open(&vendors(&["a.test"]), noon()).unwrap();
    assert!(opened.made_root && opened.made_issuer);
    assert_eq!(folder.names(), FILES);
    assert_eq!(mode(&folder.ca), 0o700);
    assert_eq!(mode(&folder.file("root.key")), 0o600);
    assert_eq!(mode(&folder.file("issuer.key")), 0o600);
    assert_eq!(opened.ca.root_pem(), folder.read("root.pem"));
    assert_eq!(opened.ca.root_path(), folder.file("root.pem"));
    assert!(!format!("{opened:?}").contains("PRIVATE"));
}

#[test]
fn a_second_open_changes_nothing() {
    let folder = Folder::new();
    let first = folder.open(&vendors(&["a.test"]), noon()).unwrap();
    let before = FILES.map(|name| folder.read(name));
    let second = folder.open(&vendors(&["a.test"]), noon() + DAY * 30).unwrap();
    assert!(!second.made_root && !second.made_issuer);
    assert_eq!(FILES.map(|name| folder.read(name)), before);
    assert_eq!(first.ca.root_fingerprint_sha256(), second.ca.root_fingerprint_sha256());
    assert_eq!(first.ca.root_fingerprint_sha256().len(), 64);
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    for name in ["root.key", "issuer.key"] {
        let folder = Folder::new();
        folder.open(&vendors(&["a.test"]), noon()).unwrap();
        set_mode(&folder.file(name), 0o640);
        let error = folder.open(&vendors(&["a.test"]), noon()).unwrap_err();
        let path = folder.file(name).display().to_string();
        assert_eq!(
            error.to_string(),
            format!("{path}: others may read this private key: mode is 0640, expected 0600")
        );
        assert!(error.hint().unwrap().starts_with(&format!("run 'chmod 600 {path}'")));
        set_mode(&folder.file(name), 0o600);
        folder.open(&vendors(&["a.test"]), noon()).unwrap();
    }
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    set_mode(&folder.ca, 0o770);
    let error = folder.open(&vendors(&["a.test"]), noon()).unwrap_err();
    assert!(matches!(error, CaError::LooseDirectory { mode: 0o770, .. }), "{error}");
}

#[test]
fn a_key_that_is_not_its_certificates_is_refused() {
    for name in ["root.key", "issuer.key"] {
        let folder = Folder::new();
        folder.open(&vendors(&["a.test"]), noon()).unwrap();
        fs::write(folder.file(name), KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let error = folder.open(&vendors(&["a.test"]), noon()).unwrap_err();
        assert!(matches!(&error, CaError::KeyMismatch { key, .. } if *key == folder.file(name)), "{error}");
    }
}

#[test]
fn a_file_that_is_no_key_or_no_certificate_is_refused_without_quoting_it() {
    for name in FILES {
        let folder = Folder::new();
        folder.open(&vendors(&["a.test"]), noon()).unwrap();
        fs::write(folder.file(name), b"-----BEGIN SECRET").unwrap();
        let error = folder.open(&vendors(&["a.test"]), noon()).unwrap_err();
        assert!(matches!(error, CaError::BadKey { .. } | CaError::BadCertificate { .. }), "{error}");
        assert!(error.to_string().contains(name) && !format!("{error:?}").contains("SECRET"), "{error:?}");
        assert!(error.hint().unwrap().contains(name));
    }
}

#[test]
fn a_leaf_is_no_ca() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    let leaf = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    fs::write(folder.file("root.pem"), leaf.cert.pem()).unwrap();
    let error = folder.open(&vendors(&["a.test"]), noon()).unwrap_err();
    assert!(
        error.to_string().ends_with("root.pem: not a CA certificate in PEM: it may not sign certificates")
    );
}

#[test]
fn a_file_where_the_directory_should_be_is_named() {
    let folder = Folder::new();
    fs::write(folder.ca.parent().unwrap(), b"").unwrap();
    let error = folder.open(&vendors(&["a.test"]), noon()).unwrap_err();
    let path = folder.ca.parent().unwrap().display().to_string();
    assert_eq!(error.to_string(), format!("{path}: is not a directory"));
    assert!(error.hint().unwrap().contains(&path));
}

#[test]
fn a_directory_where_a_file_should_be_is_named() {
    for name in FILES {
        let folder = Folder::new();
        fs::create_dir_all(folder.file(name)).unwrap();
        set_mode(&folder.file(name), 0o700);
        set_mode(&folder.ca, 0o700);
        let error = folder.open(&vendors(&["a.test"]), noon()).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn an_unwritable_place_is_named() {
    // Not even root can make a directory in /proc.
    let error =
        CertificateAuthority::open("/proc/pinfold/ca".as_ref(), &vendors(&["a.test"]), noon()).unwrap_err();
    assert!(error.to_string().starts_with("/proc/pinfold/ca: cannot create the directory: "), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn killed_after_the_roots_key_the_next_open_uses_it() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    let key = folder.read("root.key");
    for name in ["root.pem", "issuer.pem", "issuer.key"] {
        fs::remove_file(folder.file(name)).unwrap();
    }
    let opened = folder.open(&vendors(&["a.test"]), noon()).unwrap();
    assert!(opened.made_root);
    assert_eq!(folder.read("root.key"), key);
    assert_matching_pairs(&folder);
}

#[test]
fn killed_before_the_new_issuers_certificate_the_old_issuer_stands() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    let before = FILES.map(|name| folder.read(name));
    let next = folder.file("issuer.key.next");
    fs::write(&next, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    set_mode(&next, 0o600);
    assert!(!folder.open(&vendors(&["a.test"]), noon()).unwrap().made_issuer);
    assert_eq!(FILES.map(|name| folder.read(name)), before);
    assert_eq!(folder.names(), FILES);
}

#[test]
fn killed_after_the_new_issuers_certificate_the_new_issuer_stands() {
    let folder = Folder::new();
    folder.open(&vendors(&["a.test"]), noon()).unwrap();
    let old_key = folder.read("issuer.key");
    folder.open(&vendors(&["b.test"]), noon()).unwrap();
    fs::rename(folder.file("issuer.key"), folder.file("issuer.key.next")).unwrap();
    fs::write(folder.file("issuer.key"), old_key).unwrap();
    set_mode(&folder.file("issuer.key"), 0o600);
    assert!(!folder.open(&vendors(&["b.test"]), noon()).unwrap().made_issuer);
    assert_eq!(folder.names(), FILES);
    assert_matching_pairs(&folder);
}

#[test]
fn of_many_that_open_at_once_one_makes_everything() {
    let folder = Folder::new();
    let start = Barrier::new(8);
    let opened: Vec<_> = thread::scope(|scope| {
        let open = || {
            start.wait();
            folder.open(&vendors(&["a.test"]), noon()).unwrap()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(opened.iter().filter(|opened| opened.made_root).count(), 1);
    assert_eq!(opened.iter().filter(|opened| opened.made_issuer).count(), 1);
    let roots: HashSet<_> = opened.iter().map(|opened| opened.ca.root_fingerprint_sha256()).collect();
    assert_eq!(roots.len(), 1);
    assert_matching_pairs(&folder);
}

/// Runs itself again where no file can grow, as on a full disk.
#[test]
fn a_full_disk_leaves_nothing_half_written() {
    const PLACE: &str = "PINFOLD_TEST_FULL_DISK";
    if let Some(place) = std::env::var_os(PLACE) {
        let error = CertificateAuthority::open(place.as_ref(), &vendors(&["a.test"]), noon()).unwrap_err();
        assert!(error.to_string().contains("root.key: cannot write: "), "{error}");
        assert!(error.hint().unwrap().contains("space"), "{error}");
        return;
    }
    let folder = Folder::new();
    let this = std::env::current_exe().unwrap();
    let name = "directory::a_full_disk_leaves_nothing_half_written";
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" --exact \"$1\""])
        .arg(this)
        .arg(name)
        .env(PLACE, &folder.ca)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert!(folder.names().is_empty(), "{:?}", folder.names());
    assert!(folder.open(&vendors(&["a.test"]), noon()).unwrap().made_root);
}

fn assert_matching_pairs(folder: &Folder) {
    for name in ["root", "issuer"] {
        let key = KeyPair::from_pem(&folder.read(&format!("{name}.key"))).unwrap();
        let certificate = der(&folder.read(&format!("{name}.pem")));
        let (_, x509) = x509_parser::parse_x509_certificate(&certificate).unwrap();
        assert_eq!(x509.public_key().raw, key.subject_public_key_info(), "{name}");
    }
}
