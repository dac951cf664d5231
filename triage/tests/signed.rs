//! Programs that were signed, and what was done to them afterwards. The keys are made for each run, and kept nowhere.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what went wrong by panicking")]

mod made;

use std::path::Path;
use std::process::Command;

use pinfold_triage::{Findings, Limits, Signature, SignerChange, Signing, compare};

use made::{Pe, Zip, le};

/// Signs programs, in a folder that ends with it.
struct Signer {
    folder: tempfile::TempDir,
}

impl Signer {
    fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let subject = format!("/O={name}/CN={name} Code Signing");
        let wanted = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", &subject];
        run(folder.path(), "openssl", &[&wanted[..], &["-keyout", "key.pem", "-out", "cert.pem"]].concat());
        Self { folder }
    }

    fn sign(&self, program: &[u8]) -> Vec<u8> {
        let folder = self.folder.path();
        let (from, to) = (folder.join("in.exe"), folder.join("out.exe"));
        std::fs::write(from, program).unwrap();
        let _ = std::fs::remove_file(&to);
        let wanted = [
            "sign", "-h", "sha256", "-certs", "cert.pem", "-key", "key.pem", "-in", "in.exe", "-out",
            "out.exe",
        ];
        run(folder, "osslsigncode", &wanted);
        std::fs::read(to).unwrap()
    }
}

fn run(folder: &Path, command: &str, arguments: &[&str]) {
    let output = Command::new(command).args(arguments).current_dir(folder).output().unwrap();
    assert!(
        output.status.success(),
        "{command}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn program(code: &[u8]) -> Vec<u8> {
    Pe::new().section(".text", 0x6000_0020, code).import("KERNEL32.dll", &["ExitProcess"]).bytes()
}

fn signing(findings: &Findings) -> &Signing {
    findings.contents.as_ref().unwrap().signing.as_ref().unwrap()
}

fn changed(old: &[u8], new: &[u8]) -> Signing {
    signing(&compare(Some(old), new, Limits::default(), &|_| None)).clone()
}

fn held(signature: &Signature) -> (Option<bool>, Option<bool>) {
    (signature.of_these_bytes, signature.by_that_key)
}

#[test]
fn signers_are_compared_and_what_they_signed_is_checked() {
    let (vendor, other) = (Signer::new("Vendor"), Signer::new("Other"));
    let (old, new) = (vendor.sign(&program(b"one")), vendor.sign(&program(b"two")));

    let same = changed(&old, &new);
    assert_eq!(same.change, SignerChange::SameSigner);
    let signature = &same.new[0];
    assert!(signature.signer.contains("CN=Vendor Code Signing"), "{}", signature.signer);
    assert_eq!((signature.thumbprint.len(), signature.serial.is_empty()), (64, false));
    assert_eq!(held(signature), (Some(true), Some(true)));

    assert_eq!(changed(&old, &other.sign(&program(b"two"))).change, SignerChange::OtherSigner);
    assert_eq!(changed(&old, &program(b"two")).change, SignerChange::Gone);
    assert_eq!(changed(&program(b"two"), &old).change, SignerChange::Appeared);
}

#[test]
fn a_signature_of_other_bytes_is_told() {
    let old = Signer::new("Vendor").sign(&program(b"one"));
    let mut new = old.clone();
    let at = new.windows(3).position(|window| window == b"one").unwrap();
    new[at..at + 3].copy_from_slice(b"bad");

    let found = changed(&old, &new);

    assert_eq!((found.change, held(&found.new[0])), (SignerChange::SameSigner, (Some(false), Some(true))));
}

#[test]
fn a_name_without_its_key_is_told() {
    // The digest in the signature is made to be that of other bytes: the certificate stays, and its key signed something else.
    let vendor = Signer::new("Vendor");
    let old = vendor.sign(&program(b"one"));
    let (real, donor) = (vendor.sign(&program(b"bad")), old.clone());
    let found = changed(&old, &real);
    assert_eq!(held(&found.new[0]), (Some(true), Some(true)));
    let forged = with_digest_of(&donor, &real);

    let found = changed(&old, &forged);

    assert_eq!(found.change, SignerChange::SameSigner, "the certificate is the vendor's");
    assert_eq!(held(&found.new[0]), (Some(true), Some(false)));
}

/// The bytes of one program under the signature of another one, in which nothing is changed but the digest of the bytes.
fn with_digest_of(donor: &[u8], real: &[u8]) -> Vec<u8> {
    let table = |bytes: &[u8]| {
        let at = 0x80 + 24 + 112 + 32;
        let field = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        (field(at), field(at + 4))
    };
    let ((donor_at, donor_len), (real_at, real_len)) = (table(donor), table(real));
    assert_eq!(donor_len, real_len);
    // `DigestInfo` of SHA-256: the digest follows this.
    let mark = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];
    let digest_at =
        |bytes: &[u8]| bytes.windows(mark.len()).position(|window| window == mark).unwrap() + mark.len();
    let mut signature = donor[donor_at..donor_at + donor_len].to_vec();
    let (to, from) = (digest_at(&signature), real_at + digest_at(&real[real_at..]));
    signature[to..to + 32].copy_from_slice(&real[from..from + 32]);
    let mut forged = real.to_vec();
    forged[real_at..real_at + real_len].copy_from_slice(&signature);
    forged
}

#[test]
fn bytes_behind_a_signature_are_not_signed() {
    let old = Signer::new("Vendor").sign(&program(b"one"));
    let found = changed(&old, &[old.as_slice(), b"appended"].concat());
    assert_eq!(held(&found.new[0]), (Some(false), Some(true)));
}

#[test]
fn a_signature_that_cannot_be_read_is_said_to_be_one() {
    let old = Signer::new("Vendor").sign(&program(b"one"));
    let mut new = program(b"one");
    let at = new.len() as u32;
    new[0x80 + 24 + 112 + 32..][..8].copy_from_slice(&[le(at), le(24)].concat());
    new.extend([le(24).as_slice(), &[0, 2, 2, 0], &[0xff; 16]].concat());
    let found = changed(&old, &new);
    assert!(found.new[0].unreadable && found.change == SignerChange::OtherSigner, "{found:?}");
}

/// What 3CX was shipped with, and others since: Windows leaves the table of certificates out of what is signed.
#[test]
fn bytes_in_the_table_of_a_signature_are_told() {
    let old = Signer::new("Vendor").sign(&program(b"one"));
    let stowed = Zip::new().stored("evil.js", b"fetch('https://evil.test/')").bytes();
    let place = 0x80 + 24 + 112 + 32;
    let number = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (at, len) = (number(&old, place) as usize, number(&old, place + 4) as usize);
    let mut stowed = stowed;
    stowed.resize(stowed.len().next_multiple_of(8), 0);
    // Behind the signature in its entry, in an entry of another type, and behind the last entry.
    let in_entry = |bytes: &mut Vec<u8>| {
        let said = number(bytes, at) + stowed.len() as u32;
        bytes[at..at + 4].copy_from_slice(&le(said));
        bytes.extend(&stowed);
    };
    let as_entry = |bytes: &mut Vec<u8>| {
        bytes.extend([le(stowed.len() as u32 + 8).as_slice(), &[0, 2, 9, 0], &stowed].concat());
    };
    let as_rest = |bytes: &mut Vec<u8>| bytes.extend([&[0; 8], stowed.as_slice()].concat());
    for way in 0..3 {
        let mut new = old.clone();
        match way {
            0 => in_entry(&mut new),
            1 => as_entry(&mut new),
            _ => as_rest(&mut new),
        }
        let added = (new.len() - old.len()) as u32;
        new[place + 4..place + 8].copy_from_slice(&le(len as u32 + added));

        let findings = compare(Some(&old), &new, Limits::default(), &|_| None);

        assert_eq!(held(&signing(&findings).new[0]), (Some(true), Some(true)));
        let properties = &findings.contents.as_ref().unwrap().properties;
        let beside = properties.iter().find(|property| property.what.starts_with("data beside")).unwrap();
        assert_eq!(beside.reviewed.as_deref(), Some("none"));
        assert!(beside.new.as_deref().is_some_and(|new| new.contains("bytes")), "{beside:?}");
    }
    let mut new = old.clone();
    in_entry(&mut new);
    new[place + 4..place + 8].copy_from_slice(&le((len + stowed.len()) as u32));
    let findings = compare(Some(&old), &new, Limits::default(), &|_| None);
    let members = &findings.contents.as_ref().unwrap().members;
    assert_eq!(members.iter().map(|member| &*member.name).collect::<Vec<_>>(), ["(beside its signatures)"]);
}

#[test]
fn of_two_signatures_that_cannot_be_read_nobody_says_that_they_are_of_one_signer() {
    let with = |filler: u8| {
        let mut bytes = program(b"one");
        let at = bytes.len() as u32;
        bytes[0x80 + 24 + 112 + 32..][..8].copy_from_slice(&[le(at), le(24)].concat());
        bytes.extend([le(24).as_slice(), &[0, 2, 2, 0], &[filler; 16]].concat());
        bytes
    };
    assert_eq!(changed(&with(0xff), &with(0xfe)).change, SignerChange::Unknown);
}

/// The table is said to begin where the sections end, so that nothing would stand behind these.
#[test]
fn bytes_behind_a_table_of_certificates_stand_behind_the_end() {
    let mut new = program(b"one");
    let at = new.len() as u32;
    new[0x80 + 24 + 112 + 32..][..8].copy_from_slice(&[le(at), le(24)].concat());
    new.extend([le(24).as_slice(), &[0, 2, 2, 0], &[0xff; 16]].concat());
    new.extend(Zip::new().stored("evil.js", b"1").bytes());
    let findings = compare(Some(&program(b"one")), &new, Limits::default(), &|_| None);
    let members = &findings.contents.as_ref().unwrap().members;
    assert_eq!(members.iter().map(|member| &*member.name).collect::<Vec<_>>(), ["(behind its end)"]);
}
