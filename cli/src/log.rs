//! The log of a gateway's life, on standard error: standard output belongs to the ready line and to events.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::terminal::Terminal;

const VARIABLE: &str = "PINFOLD_LOG";

/// Starts logging at the level that `$PINFOLD_LOG` names, else `info`.
pub(crate) fn start(terminal: &Terminal) -> Result<(), Failure> {
    let wanted = std::env::var(VARIABLE).ok().filter(|wanted| !wanted.is_empty());
    let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or("info")).map_err(|error| {
        Failure::configuration(format!("${VARIABLE} is not understood: {error}"))
            .hint("name a level such as 'debug', or levels of crates: 'info,pinfold_proxy=debug'")
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(terminal.color_err)
        .with_target(false);
    subscriber.try_init().map_err(|error| Failure::could_not(format!("cannot start logging: {error}")))
}
