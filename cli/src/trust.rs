//! What to type so that clients trust the root.

use std::path::Path;

use pinfold_certs::CertificateAuthority;

/// The ways of the common systems and clients, one command each.
pub(crate) fn instructions(ca: &CertificateAuthority) -> String {
    of_file(ca.root_path(), &fingerprint(ca))
}

/// What people compare before they trust the root.
pub(crate) fn fingerprint(ca: &CertificateAuthority) -> String {
    grouped(&ca.root_fingerprint_sha256())
}

/// The same for a copy of the root.
pub(crate) fn of_file(root: &Path, fingerprint: &str) -> String {
    let root = quoted(root);
    format!(
        "to trust it
  on Debian and Ubuntu:
    sudo cp {root} /usr/local/share/ca-certificates/pinfold.crt
    sudo update-ca-certificates
  on Fedora and RHEL:
    sudo trust anchor {root}
  on macOS:
    sudo security add-trusted-cert -d -k /Library/Keychains/System.keychain {root}
  on Windows, as administrator, with the file copied there:
    certutil -addstore Root root.pem
  in Chromium on Linux:
    certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n pinfold -i {root}
  in Firefox: Settings, Certificates, View, Authorities, Import
  in curl: --cacert {root}
first compare its SHA-256 fingerprint on both sides:
  {fingerprint}"
    )
}

/// `text` as one word of a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-+@:,".contains(char);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Hex in groups of eight, which two people can compare.
fn grouped(hex: &str) -> String {
    let digits: Vec<char> = hex.chars().collect();
    digits.chunks(8).map(String::from_iter).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_one_word_in_a_shell() {
        assert_eq!(quoted(Path::new("pinfold-data/ca/root.pem")), "pinfold-data/ca/root.pem");
        assert_eq!(quoted(Path::new("my data/root.pem")), "'my data/root.pem'");
        assert_eq!(quoted(Path::new("it's/$HOME")), "'it'\\''s/$HOME'");
    }
}
