//! Real verifiers, and a thief of the issuing key.
//!
//! The thief's leaves are well-made but for their name, and each is shown to a client that asks for that name. That
//! it is the constraints that stop them is shown by the same leaves from an issuer without any.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::thread;
use std::time::SystemTime;

use pinfold_certs::{CaOptions, CertificateAuthority};
use rcgen::SanType;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::fixture::{Folder, der, dns, host, unconstrained, vendors};

/// A certificate, and the host of which the client believes to be asking for it.
struct Shown {
    asked_for: &'static str,
    leaf: Arc<CertifiedKey>,
}

impl Shown {
    fn good(ca: &CertificateAuthority, name: &'static str) -> Self {
        let leaf = ca.leaf(&host(name), SystemTime::now()).unwrap();
        Self { asked_for: name.trim_matches(['[', ']']), leaf }
    }

    fn stolen(
        folder: &Folder,
        asked_for: &'static str,
        names: &[SanType],
        common_name: Option<&str>,
    ) -> Self {
        Self { asked_for, leaf: folder.steal(names, common_name) }
    }
}

fn address(text: &str) -> SanType {
    SanType::IpAddress(text.parse::<IpAddr>().unwrap())
}

/// What the issuing key of `folder` can be made to sign for hosts that are no vendor's.
fn thefts(folder: &Folder) -> Vec<Shown> {
    vec![
        Shown::stolen(folder, "bank.test", &[dns("bank.test")], None),
        Shown::stolen(folder, "bank.test", &[dns("cdn.vendor.test"), dns("bank.test")], None),
        Shown::stolen(folder, "www.bank.test", &[dns("*.bank.test")], None),
        Shown::stolen(folder, "evilvendor.test", &[dns("evilvendor.test")], None),
        Shown::stolen(folder, "192.0.2.7", &[address("192.0.2.7")], None),
        Shown::stolen(folder, "2001:db8::7", &[address("2001:db8::7")], None),
        Shown::stolen(folder, "bank.test", &[], Some("bank.test")),
    ]
}

/// A vendor host that is an address, and addresses of both families that are not it.
const ADDRESS_VENDORS: [(&str, [&str; 3]); 2] = [
    ("192.0.2.1", ["192.0.2.7", "2001:db8::7", "0.0.0.0"]),
    ("[2001:db8::1]", ["2001:db8::7", "192.0.2.7", "::"]),
];

fn opened(options: &CaOptions) -> (Folder, CertificateAuthority) {
    let folder = Folder::new();
    let ca = folder.open(options, SystemTime::now()).unwrap().ca;
    (folder, ca)
}

fn our_vendors() -> CaOptions {
    vendors(&["cdn.vendor.test", "*.vendor.example"])
}

#[test]
fn openssl_accepts_our_leaves_and_refuses_the_thiefs() {
    let (folder, ca) = opened(&our_vendors());
    for name in ["cdn.vendor.test", "a.b.vendor.example"] {
        accepted(&openssl(&folder, &Shown::good(&ca, name)));
    }
    for shown in thefts(&folder) {
        let output = openssl(&folder, &shown);
        let text = format!("{}: {}", shown.asked_for, String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "accepted: {text}");
        assert!(
            text.contains("permitted subtree violation") || text.contains("excluded subtree violation"),
            "{text}"
        );
    }
    let (open, _) = opened(&unconstrained());
    for shown in thefts(&open) {
        accepted(&openssl(&open, &shown));
    }
}

#[test]
fn openssl_accepts_a_vendor_that_is_an_address_and_no_other_address() {
    for (vendor, others) in ADDRESS_VENDORS {
        let (folder, ca) = opened(&vendors(&[vendor]));
        accepted(&openssl(&folder, &Shown::good(&ca, vendor)));
        for other in others {
            let output = openssl(&folder, &Shown::stolen(&folder, other, &[address(other)], None));
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(text.contains("permitted subtree violation"), "{vendor}: {other}: {text}");
        }
        let output = openssl(&folder, &Shown::stolen(&folder, "bank.test", &[dns("bank.test")], None));
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("permitted subtree violation"),
            "{output:?}"
        );
    }
}

#[test]
fn openssl_accepts_nothing_where_there_is_no_vendor() {
    let (folder, _) = opened(&vendors(&[]));
    for shown in thefts(&folder) {
        let output = openssl(&folder, &shown);
        assert!(String::from_utf8_lossy(&output.stderr).contains("subtree violation"), "{output:?}");
    }
}

fn openssl(folder: &Folder, shown: &Shown) -> Output {
    let leaf = folder.ca.join("leaf.der");
    fs::write(&leaf, shown.leaf.cert.first().unwrap()).unwrap();
    let verify = if shown.asked_for.parse::<IpAddr>().is_ok() { "-verify_ip" } else { "-verify_hostname" };
    Command::new("openssl")
        .args(["verify", "-x509_strict", "-purpose", "sslserver", verify, shown.asked_for, "-no-CApath"])
        .arg("-CAfile")
        .arg(folder.file("root.pem"))
        .arg("-untrusted")
        .arg(folder.file("issuer.pem"))
        .arg(leaf)
        .output()
        .expect("openssl is needed for this test (Debian: openssl)")
}

fn accepted(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn java_accepts_our_leaves_and_refuses_the_thiefs() {
    let (folder, ca) = opened(&our_vendors());
    let good = ["cdn.vendor.test", "a.b.vendor.example"];
    let mut shown: Vec<_> = good.iter().map(|name| Shown::good(&ca, name)).collect();
    shown.extend(thefts(&folder));
    let said = java(&folder.file("root.pem"), shown);
    let (ours, thiefs) = said.split_at(good.len());
    assert!(ours.iter().all(|line| line.ends_with(" accepted")), "{said:#?}");
    assert!(
        thiefs.iter().all(|line| line.contains(" refused: ") && line.contains("name constraints")),
        "{said:#?}"
    );

    let (open, _) = opened(&unconstrained());
    let said = java(&open.file("root.pem"), thefts(&open));
    assert!(said.iter().all(|line| line.ends_with(" accepted")), "{said:#?}");
}

#[test]
fn java_accepts_a_vendor_that_is_an_address_and_no_other_address() {
    for (vendor, others) in ADDRESS_VENDORS {
        let (folder, ca) = opened(&vendors(&[vendor]));
        let mut shown = vec![Shown::good(&ca, vendor)];
        shown.extend(others.map(|other| Shown::stolen(&folder, other, &[address(other)], None)));
        shown.push(Shown::stolen(&folder, "bank.test", &[dns("bank.test")], None));
        let said = java(&folder.file("root.pem"), shown);
        let (ours, thiefs) = said.split_first().unwrap();
        assert!(ours.ends_with(" accepted"), "{said:#?}");
        assert!(thiefs.iter().all(|line| line.contains("name constraints")), "{said:#?}");
    }
}

/// Has Java make a TLS connection for each, by default rules with host names checked as for HTTPS. One line each.
fn java(root: &Path, shown: Vec<Shown>) -> Vec<String> {
    let servers: Vec<_> = shown
        .into_iter()
        .map(|shown| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let asked = format!("{}@{}", shown.asked_for, listener.local_addr().unwrap().port());
            (asked, thread::spawn(move || greet(&listener, shown.leaf)))
        })
        .collect();
    let output = Command::new("java")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certs/Handshake.java"))
        .arg(root)
        .args(servers.iter().map(|(asked, _)| asked))
        .output()
        .expect("java 17 is needed for this test (Debian: default-jdk-headless)");
    accepted(&output);
    let lines: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), servers.len(), "{lines:#?}");
    for (_, server) in servers {
        server.join().unwrap();
    }
    lines
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Serves one connection: a handshake, and a byte for the one that the client sends if it is content.
fn greet(listener: &TcpListener, leaf: Arc<CertifiedKey>) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(leaf)));
    let (mut socket, _) = listener.accept().unwrap();
    let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
    let mut stream = Stream::new(&mut tls, &mut socket);
    let mut byte = [0];
    // A client that refuses ends the connection with an alert, and that is an error here.
    if stream.read_exact(&mut byte).is_ok() {
        stream.write_all(&byte).unwrap();
        stream.flush().unwrap();
    }
}

#[test]
fn webpki_accepts_our_leaves_and_refuses_the_thiefs() {
    let (folder, ca) = opened(&our_vendors());
    for name in ["cdn.vendor.test", "a.b.vendor.example"] {
        assert_eq!(webpki(&folder, &Shown::good(&ca, name)), Ok(()));
    }
    for shown in thefts(&folder) {
        // webpki knows no names in a CN at all: it finds none, and refuses for that.
        let refusal = webpki(&folder, &shown).unwrap_err();
        let expected = ["NameConstraintViolation", "CertNotValidForName"];
        assert!(expected.iter().any(|name| refusal.starts_with(name)), "{}: {refusal}", shown.asked_for);
    }
    for (vendor, others) in ADDRESS_VENDORS {
        let (folder, ca) = opened(&vendors(&[vendor]));
        assert_eq!(webpki(&folder, &Shown::good(&ca, vendor)), Ok(()));
        for other in others {
            let refusal = webpki(&folder, &Shown::stolen(&folder, other, &[address(other)], None));
            assert_eq!(refusal, Err("NameConstraintViolation".to_owned()), "{vendor}: {other}");
        }
    }
}

fn webpki(folder: &Folder, shown: &Shown) -> Result<(), String> {
    let root = der(&folder.read("root.pem"));
    let anchor = webpki::anchor_from_trusted_cert(&root).unwrap();
    let (leaf, issuer) = shown.leaf.cert.split_first().unwrap();
    let leaf = webpki::EndEntityCert::try_from(leaf).unwrap();
    let usage = webpki::KeyUsage::server_auth();
    leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &[anchor],
        issuer,
        UnixTime::now(),
        usage,
        None,
        None,
    )
    .map_err(|refusal| format!("{refusal:?}"))?;
    let name = ServerName::try_from(shown.asked_for).unwrap();
    leaf.verify_is_valid_for_subject_name(&name).map_err(|refusal| format!("{refusal:?}"))
}

#[test]
fn what_the_thief_may_still_sign_for_is_what_the_constraints_say() {
    let (folder, _) = opened(&our_vendors());
    // X.509 cannot say "this name and none below it": written down in the docs, pinned here.
    for name in ["cdn.vendor.test", "below.cdn.vendor.test", "vendor.example"] {
        accepted(&openssl(&folder, &Shown::stolen(&folder, name, &[dns(name)], None)));
    }
}
