//! The certificate that the console shows: read from files, or had from the local root.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use pinfold_certs::{GivenError, KeptError, ServerIdentity};
use pinfold_config::Config;
use pinfold_config::diagnostic::Diagnostic;
use pinfold_config::settings::{Console, ConsoleTls};
use pinfold_policy::host::Host;
use pinfold_siem::read_secret;

use crate::failure::Failure;
use crate::wiring;

/// An end is told this long before it comes.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What the console is to show; none where it speaks no TLS. One of the local root is made where it has to be.
pub(crate) fn identity(config: &Config, now: SystemTime) -> Result<Option<ServerIdentity>, Failure> {
    let Some(console) = &config.console else { return Ok(None) };
    match &console.tls {
        None => Ok(None),
        Some(ConsoleTls::Files { certificate, key }) => given(certificate, key).map(Some),
        Some(ConsoleTls::LocalCa) => {
            let root_key = config.certs.root_key.as_deref();
            let identity =
                ServerIdentity::of_console(&wiring::ca_dir(config), root_key, &own_names(console), now);
            Ok(Some(identity?))
        }
    }
}

/// The same, where it takes nothing but reading files: for a look that changes nothing.
pub(crate) fn readable(config: &Config) -> Result<Option<ServerIdentity>, Failure> {
    match config.console.as_ref().and_then(|console| console.tls.as_ref()) {
        Some(ConsoleTls::Files { certificate, key }) => given(certificate, key).map(Some),
        Some(ConsoleTls::LocalCa) | None => Ok(None),
    }
}

fn given(certificate: &Path, key: &Path) -> Result<ServerIdentity, Failure> {
    let pem =
        read_secret(key).map_err(|error| Failure::configuration(error.to_string()).hint(error.hint()))?;
    ServerIdentity::given(certificate, (key, &pem)).map_err(|error| {
        let hint = match error {
            GivenError::Read { .. } => "console.certificate names a file that pinfold must be able to read",
            GivenError::Chain { .. } => {
                "console.certificate names a file of certificates in PEM, the console's own first and its issuers behind it"
            }
            GivenError::Key { .. } => "console.key names a file with a private key in PEM, '-----BEGIN PRIVATE KEY-----'",
            GivenError::NotThePair { .. } => {
                "name the key that the certificate was made for, or write both files anew; the console's own certificate comes first"
            }
        };
        Failure::configuration(error.to_string()).hint(hint)
    })
}

/// By what browsers can ask for it.
fn own_names(console: &Console) -> Vec<Host> {
    let listen = console.listen.ip().to_canonical();
    let mut names = console.names.clone();
    if listen.is_loopback() || listen.is_unspecified() {
        names.push(Host::Name("localhost".into()));
        names.extend([Host::Ip(Ipv4Addr::LOCALHOST.into()), Host::Ip(Ipv6Addr::LOCALHOST.into())]);
    }
    if !listen.is_unspecified() {
        names.push(Host::Ip(listen));
    }
    names.sort();
    names.dedup();
    names
}

/// What is questionable about what the console would show, without changing anything.
pub(crate) fn findings(config: &Config, now: SystemTime) -> Result<Vec<Diagnostic>, Failure> {
    let identity = match readable(config)? {
        Some(given) => given,
        None => match kept(config) {
            Ok(Some(kept)) => kept,
            Ok(None) => return Ok(Vec::new()),
            Err(KeptError::Unread(error)) => return Err(error.into()),
            Err(KeptError::Unfit(why)) => {
                let message = format!("this is not used for the console: {why}");
                let hint = "the next start makes another, where the root's key is at hand";
                let file = wiring::ca_dir(config).join("console.key");
                return Ok(vec![Diagnostic::warning_of(&file.display().to_string(), message, hint)]);
            }
        },
    };
    Ok(questionable(config, &identity, now))
}

/// The leaf of the local root, where the console is to have one and has one already.
fn kept(config: &Config) -> Result<Option<ServerIdentity>, KeptError> {
    match config.console.as_ref().map(|console| (console, &console.tls)) {
        Some((console, Some(ConsoleTls::LocalCa))) => {
            ServerIdentity::kept_for_console(&wiring::ca_dir(config), &own_names(console))
        }
        Some((_, Some(ConsoleTls::Files { .. }) | None)) | None => Ok(None),
    }
}

/// What is questionable about what the console shows: its end, and names that it does not have.
fn questionable(config: &Config, identity: &ServerIdentity, now: SystemTime) -> Vec<Diagnostic> {
    let Some(console) = &config.console else { return Vec::new() };
    let file = match &console.tls {
        Some(ConsoleTls::Files { certificate, .. }) => certificate.clone(),
        Some(ConsoleTls::LocalCa) | None => wiring::ca_dir(config).join("console.key"),
    };
    let warning =
        |message: String, hint: &str| Diagnostic::warning_of(&file.display().to_string(), message, hint);
    let lacking = console.names.iter().filter(|name| !identity.is_for(name)).map(|name| {
        warning(
            format!("this certificate is not for {name}, which console.names names"),
            "browsers refuse it there: have one made for all of console.names",
        )
    });
    end(identity, now).map(|(message, hint)| warning(message, hint)).into_iter().chain(lacking).collect()
}

/// That it does not count now, or soon will not.
pub(crate) fn end(identity: &ServerIdentity, now: SystemTime) -> Option<(String, &'static str)> {
    let at = |time| Timestamp::try_from(time).map(|time| format!("{time:.0}")).unwrap_or_default();
    let another = "put another one there, which a running gateway takes on by itself; one of the local CA is made anew where the \
                   root's key is at hand";
    if identity.until <= now {
        return Some((format!("the console's certificate expired on {}", at(identity.until)), another));
    }
    if identity.from > now {
        let message = format!("the console's certificate is not valid before {}", at(identity.from));
        return Some((message, "check this machine's clock"));
    }
    let is_soon = identity.until.duration_since(now).is_ok_and(|left| left < SOON);
    is_soon.then(|| (format!("the console's certificate ends on {}", at(identity.until)), another))
}
