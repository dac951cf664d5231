//! `pinfold check`: whether the files are right, without any network.

use std::time::SystemTime;

use jiff::Timestamp;
use pinfold_config::Config;
use pinfold_config::Loaded;
use pinfold_config::diagnostic::Diagnostic;
use pinfold_config::settings::SiemTarget;
use pinfold_policy::vendor::{Mode, OtherTls};
use pinfold_store::StoreError;
use serde_json::{Value, json};

use crate::Found;
use crate::configuration::Configuration;
use crate::console_identity;
use crate::failure::{Complaint, Failure};
use crate::pin::{self, asked};
use crate::run::vouching;
use crate::terminal::{Terminal, Tone};
use crate::wiring;
use crate::words::counted;

/// Shows every finding, and what the configuration comes to. Warnings count as findings if `strict`.
pub(crate) async fn run(
    configuration: &Configuration,
    strict: bool,
    terminal: &Terminal,
) -> Result<Found, Failure> {
    let checked = configuration.load().and_then(|mut loaded| {
        wiring::extra_roots(&loaded.config)?;
        wiring::outputs(&loaded.config)?;
        if let Some(oidc) = loaded.config.console.as_ref().and_then(|console| console.oidc.as_ref()) {
            vouching::settings(oidc)?;
        }
        loaded.warnings.extend(console_identity::findings(&loaded.config, SystemTime::now())?);
        Ok(loaded)
    });
    let Loaded { config, mut warnings } = match checked {
        Ok(loaded) => loaded,
        Err(failure) => {
            if terminal.json {
                terminal.print_json(&failure_json(&failure))?;
            }
            return Err(failure);
        }
    };
    match unasked(&config).await {
        Ok(unasked) => warnings.extend(unasked),
        // The files are right, whatever the store is.
        Err(error) => terminal.note(&format!("which pins nobody asks for is not known: {error}\n")),
    }
    if terminal.json {
        terminal.print_json(&warnings.iter().map(finding_json).collect())?;
    } else {
        terminal.show_warnings(&warnings);
        terminal.print(&summary(configuration, &config, warnings.len(), terminal))?;
    }
    Ok(if strict && !warnings.is_empty() { Found::Something } else { Found::Nothing })
}

/// The pins that nobody has asked for, where a gateway has run for long enough to know.
async fn unasked(config: &Config) -> Result<Vec<Diagnostic>, StoreError> {
    let Some(store) = pin::store(config).await? else { return Ok(Vec::new()) };
    let unasked =
        asked::unasked(&store, (&config.rulebook.pins, &config.ledger.redact), Timestamp::now()).await;
    store.close().await?;
    unasked
}

fn finding_json(found: &Diagnostic) -> Value {
    json!({
        "severity": found.severity.as_str(),
        "file": &*found.file,
        "line": found.at.map(|at| at.line),
        "column": found.at.map(|at| at.column),
        "message": found.message,
        "hint": found.hint,
    })
}

fn failure_json(failure: &Failure) -> Value {
    match failure {
        Failure::Files(found) => found.iter().map(finding_json).collect(),
        Failure::Configuration(Complaint { message, hint })
        | Failure::CouldNot(Complaint { message, hint }) => {
            let nowhere = Value::Null;
            json!([{
                "severity": "error", "file": nowhere, "line": nowhere, "column": nowhere,
                "message": message, "hint": hint,
            }])
        }
        Failure::ReaderGone => json!([]),
    }
}

fn summary(configuration: &Configuration, config: &Config, warnings: usize, terminal: &Terminal) -> String {
    let rules = &config.rulebook;
    let vendors = rules.vendors.all();
    let observing = vendors.iter().filter(|vendor| vendor.rules.mode == Mode::Observe).count();
    let mode = match observing {
        0 => "enforced".to_owned(),
        all if all == vendors.len() => "observed only".to_owned(),
        some => format!("{some} of them observed only"),
    };
    let hosts: usize = vendors.iter().map(|vendor| vendor.hosts.len()).sum();
    let judged = match (vendors.len(), rules.other_tls) {
        (0, OtherTls::Tunnel) => "no vendors: every host is tunnelled and nothing is checked".to_owned(),
        (0, OtherTls::Intercept) => "no vendors; every host is decrypted".to_owned(),
        (count, other) => {
            let others = match other {
                OtherTls::Tunnel => "other hosts tunnelled",
                OtherTls::Intercept => "other hosts decrypted",
            };
            format!("{} with {}, {mode}; {others}", counted(count, "vendor"), counted(hosts, "host pattern"))
        }
    };
    let pins = format!(
        "{} and {}",
        counted(rules.pins.all().len(), "pin"),
        counted(rules.revocations.len(), "revocation")
    );
    let listen: Vec<_> = config.listen.iter().map(ToString::to_string).collect();
    let console = match &config.console {
        Some(console) => {
            let how = if console.tls.is_some() { ", over TLS" } else { "" };
            format!("{}{how}: pages for review, /livez, /readyz, /metrics, /proxy.pac", console.listen)
        }
        None => "none".to_owned(),
    };
    let events: Vec<_> = config.siem.iter().map(|output| target(&output.to)).collect();
    let events = if events.is_empty() { "nowhere".to_owned() } else { events.join(", ") };
    let verdict = match warnings {
        0 => terminal.paint(Tone::Good, "ok"),
        some => terminal.paint(Tone::Warning, &format!("usable, with {}", counted(some, "warning"))),
    };
    format!(
        "{}: {verdict}\n  judges   {judged}\n  pins     {pins}\n  listens  {}\n  console  {console}\n  data     {}\n  events   {events}",
        configuration.name(),
        listen.join(", "),
        config.data_dir.display(),
    )
}

fn target(to: &SiemTarget) -> String {
    match to {
        SiemTarget::File(path) => path.display().to_string(),
        SiemTarget::Stdout => "standard output".to_owned(),
        SiemTarget::Syslog(_, host, port) => format!("syslog at {host}:{port}"),
        SiemTarget::Https(url) => url.clone(),
        SiemTarget::Splunk(url) => format!("Splunk at {url}"),
    }
}
