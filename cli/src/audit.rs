//! `pinfold audit`: whether the history of decisions is what it was.

use clap::Subcommand;
use pinfold_config::Loaded;
use pinfold_store::Store;
use pinfold_store::audit::Audit;
use serde_json::{Value, json};

use crate::Found;
use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::terminal::{Terminal, Tone};
use crate::words::counted;

/// What to check.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Check the hash chain of decisions from its beginning, and print the hash of its head.
    Verify,
}

/// Carries out one action.
pub(crate) async fn run(
    action: Action,
    configuration: &Configuration,
    terminal: &Terminal,
) -> Result<Found, Failure> {
    let Loaded { config, .. } = configuration.load_without_pins()?;
    match action {
        Action::Verify => verify(&Store::audit(&config.data_dir).await?, terminal),
    }
}

fn verify(audit: &Audit, terminal: &Terminal) -> Result<Found, Failure> {
    let found = if audit.broken.is_none() { Found::Nothing } else { Found::Something };
    if terminal.json {
        terminal.print_json(&audit_json(audit))?;
        return Ok(found);
    }
    let intact = counted(audit.decisions, "decision");
    let head = audit.head.map_or_else(|| "none: nothing was decided yet".to_owned(), |head| head.to_hex());
    let Some(broken) = audit.broken else {
        let said = terminal.paint(Tone::Good, "intact");
        terminal.print(&format!("{said}: {intact}, up to version {}\nhead {head}", audit.version))?;
        if terminal.width.is_some() {
            terminal.note(
                "hint: keep the head elsewhere: a history whose end was cut off with all its counters is intact \
                 without it",
            );
        }
        return Ok(found);
    };
    let said = terminal.paint(Tone::Bad, &format!("broken at version {}", broken.version));
    terminal.print(&format!("{said}: {}\nintact before it: {intact}, head {head}", broken.flaw))?;
    terminal
        .note("hint: no gateway starts on it: stop the one that runs, and restore pinfold.db from a backup");
    Ok(found)
}

fn audit_json(audit: &Audit) -> Value {
    json!({
        "intact": audit.broken.is_none(),
        "decisions": audit.decisions,
        "version": audit.version,
        "head": audit.head.map(|head| head.to_hex()),
        "broken": audit.broken.map(|broken| json!({
            "version": broken.version,
            "flaw": broken.flaw.as_str(),
        })),
    })
}
