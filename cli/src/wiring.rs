//! A configuration as each crate wants to have it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use pinfold_certs::{CaOptions, CertificateAuthority, Opened};
use pinfold_config::Config;
use pinfold_config::settings::{Repeats, SiemFormat, SiemOutput, SiemTarget, Syslog};
use pinfold_proxy::{Clock, Egress, Limits, Settings, Spill, canary_hosts};
use pinfold_siem::{
    Format, Output, SecretError, SecretFile, Target, Transport, TrustError, TrustFiles, Trying,
};
use pinfold_store::{StoreOptions, spill_to_temporary_file};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use crate::failure::{Failure, cause};

/// What the network needs to know.
pub(crate) fn settings(config: &Config) -> Result<Settings, Failure> {
    let limits = &config.limits;
    Ok(Settings {
        listen: config.listen.clone(),
        clients: config.clients.clone(),
        users: config.users.clone().map(Arc::new),
        egress: Egress {
            connect_ports: config.egress.connect_ports.clone(),
            http_ports: config.egress.http_ports.clone(),
            allow_private: config.egress.allow_private.clone(),
            resolve: config.egress.resolve.clone(),
        },
        redaction: config.ledger.redact.clone(),
        extra_roots: extra_roots(config)?,
        limits: Limits {
            max_body: limits.max_body,
            max_installer: limits.max_installer,
            memory_body: limits.memory_body,
            held_memory: limits.held_memory,
            held_disk: limits.held_disk,
            max_hold: limits.max_hold,
            patience: limits.patience,
            max_ratio: u64::from(limits.max_ratio),
            header_timeout: limits.header_timeout,
            upstream_timeout: limits.upstream_timeout,
            idle_timeout: limits.idle_timeout,
            max_connections: limits.max_connections,
        },
        shelf_memory: config.cache.memory,
        client_max_age: config.cache.client_max_age,
        clock: Clock::system(),
    })
}

/// The roots of `upstream_tls.extra_roots`. A file without one, or with one that nothing could be verified by, is a
/// mistake in the configuration.
pub(crate) fn extra_roots(config: &Config) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let mut roots = Vec::new();
    for path in &config.extra_roots {
        let before = roots.len();
        let bytes = std::fs::read(path).map_err(|error| unusable(path, &cause(&error)))?;
        for root in CertificateDer::pem_slice_iter(&bytes) {
            let root = root.map_err(|error| unusable(path, &not_pem(&error)))?;
            // A store of its own: whether this one can be a root does not depend on the others.
            let fits = RootCertStore::empty().add(root.clone());
            fits.map_err(|_| unusable(path, "a certificate in it cannot be read"))?;
            roots.push(root);
        }
        if roots.len() == before {
            return Err(unusable(path, "no certificate in it"));
        }
    }
    Ok(roots)
}

fn unusable(path: &Path, cause: &str) -> Failure {
    Failure::configuration(format!("{}: cannot be used as a root: {cause}", path.display()))
        .hint("upstream_tls.extra_roots names files of certificates in PEM, '-----BEGIN CERTIFICATE-----'")
}

fn not_pem(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a certificate in it has no end".to_owned(),
        pem::Error::Base64Decode(_) => "a certificate in it is not base64".to_owned(),
        other => format!("it is not PEM: {other:?}").to_lowercase(),
    }
}

/// Opens the CA in the data directory, and makes what is missing of it.
pub(crate) fn open_ca(config: &Config) -> Result<Opened, Failure> {
    Ok(CertificateAuthority::open(&ca_dir(config), &ca_options(config), SystemTime::now())?)
}

/// Where the CA is.
pub(crate) fn ca_dir(config: &Config) -> PathBuf {
    config.data_dir.join("ca")
}

/// What the issuing CA is for.
pub(crate) fn ca_options(config: &Config) -> CaOptions {
    let vendors = config.rulebook.vendors.all();
    CaOptions {
        vendor_hosts: vendors.iter().flat_map(|vendor| vendor.hosts.iter().cloned()).collect(),
        own_hosts: canary_hosts(),
        name_constraints: config.certs.name_constraints,
        leaf_lifetime: config.certs.leaf_lifetime,
        root_key: config.certs.root_key.clone(),
    }
}

/// Room on disk for what a command holds: it has no store.
pub(crate) fn temporary() -> Spill {
    Arc::new(|| spill_to_temporary_file().map_err(io::Error::other))
}

/// What the gateway wants of its store.
pub(crate) fn store_options(config: &Config) -> StoreOptions {
    let wanted = |repeats| config.siem.iter().any(|output| output.repeats == repeats);
    StoreOptions {
        quarantine_max: config.quarantine.max,
        quarantine_per_url: config.quarantine.per_url,
        every_repeat_in_feed: wanted(Repeats::All),
        counted_feed: wanted(Repeats::Counted),
    }
}

/// The `[[siem]]` blocks, with what their files hold.
pub(crate) fn outputs(config: &Config) -> Result<Vec<Output>, Failure> {
    config.siem.iter().map(output).collect()
}

fn output(siem: &SiemOutput) -> Result<Output, Failure> {
    let target = match &siem.to {
        SiemTarget::File(path) => Target::File(path.clone()),
        SiemTarget::Stdout => Target::Stdout,
        SiemTarget::Syslog(transport, host, port) => {
            let transport = match transport {
                Syslog::Udp => Transport::Udp,
                Syslog::Tcp => Transport::Tcp,
                Syslog::Tls => Transport::Tls,
            };
            Target::Syslog { transport, host: host.as_str().into(), port: *port }
        }
        SiemTarget::Https(url) => Target::Https(parsed(url)?),
        SiemTarget::Splunk(url) => Target::Splunk(parsed(url)?),
    };
    let format = match siem.format {
        SiemFormat::Ecs => Format::Ecs,
        SiemFormat::Ocsf => Format::Ocsf,
        SiemFormat::Cef => Format::Cef,
    };
    let repeats = match siem.repeats {
        Repeats::Counted => pinfold_store::Repeats::Counted,
        Repeats::All => pinfold_store::Repeats::Each,
    };
    let tls = match target {
        Target::File(_)
        | Target::Stdout
        | Target::Syslog { transport: Transport::Udp | Transport::Tcp, .. } => None,
        Target::Syslog { transport: Transport::Tls, .. } | Target::Https(_) | Target::Splunk(_) => {
            Some(siem_trust(siem)?)
        }
    };
    let token = siem.token_file.clone().map(SecretFile::checked).transpose();
    let token = token.map_err(|error| secret(&error))?;
    Ok(Output {
        format,
        target,
        repeats,
        tls,
        max_backlog: siem.max_backlog,
        token,
        trying: Trying::default(),
    })
}

fn parsed(url: &str) -> Result<Url, Failure> {
    Url::parse(url).map_err(|error| Failure::configuration(format!("siem output {url}: {error}")))
}

fn siem_trust(siem: &SiemOutput) -> Result<Arc<ClientConfig>, Failure> {
    let client = siem.client_cert.as_deref().zip(siem.client_key.as_deref());
    pinfold_siem::trust(TrustFiles { ca: siem.ca.as_deref(), client }).map_err(|error| match error {
        TrustError::Key(error) => secret(&error),
        TrustError::Certificates { .. } => Failure::configuration(error.to_string())
            .hint("ca and client_cert of a [[siem]] name files of certificates in PEM"),
        TrustError::Unusable(_) => Failure::configuration(format!("a [[siem]] output cannot speak TLS: {error}"))
            .hint("see that client_key belongs to client_cert, and that 'ca-certificates' is installed or ca is set"),
    })
}

fn secret(error: &SecretError) -> Failure {
    Failure::configuration(error.to_string()).hint(error.hint())
}
