//! `pinfold quarantine export`: the bytes themselves.

use std::fs::OpenOptions;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::{Review, unknown};
use crate::failure::{Failure, cause};
use crate::terminal::Terminal;
use crate::words::counted;

/// Writes the decoded body to a new file, or to standard output.
pub(super) async fn run(review: &Review<'_>, id: &str, output: Option<&Path>) -> Result<(), Failure> {
    check_output(output)?;
    let incident = review.incident(id).await?;
    let Some((item, _)) = review.store.item(incident).await? else { return Err(unknown(id)) };
    let Some(body) = review.store.body_of(item.digest).await? else {
        return Err(Failure::could_not(format!("the body of {incident} was not kept")).hint(format!(
            "there was no room: see [quarantine] in pinfold.toml, and the space on the volume of data_dir; its digest is {}",
            item.digest
        )));
    };
    hand_out(&body, output, review.terminal)
}

/// What is in quarantine may be hostile, and is not written to a terminal.
pub(crate) fn check_output(output: Option<&Path>) -> Result<(), Failure> {
    if output.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::configuration(
            "what is in quarantine may be hostile, and is not written to a terminal",
        )
        .hint("name a file with --output FILE, or pipe it into a program"));
    }
    Ok(())
}

/// Writes the bytes where they are wanted.
pub(crate) fn hand_out(body: &[u8], output: Option<&Path>, terminal: &Terminal) -> Result<(), Failure> {
    let Some(path) = output else { return terminal.print_bytes(body) };
    write_new(path, body)?;
    terminal.note(&format!(
        "wrote {} to {}: hostile until proven otherwise, so do not run it here",
        counted(body.len(), "byte"),
        path.display()
    ));
    Ok(())
}

/// For its owner alone, and not executable.
fn write_new(path: &Path, body: &[u8]) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(body)).map_err(|error| {
        let failure = Failure::could_not(format!("{}: cannot be written: {}", path.display(), cause(&error)));
        match error.kind() {
            ErrorKind::AlreadyExists => failure.hint("name a file that is not there yet"),
            _ => failure,
        }
    })
}
