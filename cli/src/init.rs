//! `pinfold init`: the files of a new gateway, and its CA.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use pinfold_config::{Loaded, built_in, template};
use serde_json::json;

use crate::configuration::today;
use crate::failure::{Failure, cause};
use crate::terminal::Terminal;
use crate::{trust, wiring};

/// Writes `pinfold.toml`, `pins.toml` and the CA into `dir`. Nothing that is there is written over.
pub(crate) fn run(dir: &Path, terminal: &Terminal) -> Result<(), Failure> {
    // 'pinfold.toml' reads better than './pinfold.toml'.
    let dir = dir.strip_prefix(".").unwrap_or(dir);
    let files = [
        (dir.join("pins.toml"), template::PINS_TOML),
        // Last: it is the one that says that all of it is there.
        (dir.join("pinfold.toml"), template::PINFOLD_TOML),
    ];
    if let Some((path, _)) = files.iter().rev().find(|(path, _)| path.symlink_metadata().is_ok()) {
        return Err(Failure::configuration(format!(
            "{}: exists already, and stays as it is",
            path.display()
        ))
        .hint("name another directory, or move the file away; 'pinfold check' says whether it is right"));
    }
    std::fs::create_dir_all(dir).map_err(|error| {
        Failure::could_not(format!("{}: cannot be created: {}", dir.display(), cause(&error)))
    })?;
    let Loaded { config, .. } = built_in(template::PINFOLD_TOML, dir, today())?;
    let opened = wiring::open_ca(&config)?;
    for (path, text) in &files {
        write_new(path, text)?;
    }
    let ca = &opened.ca;
    let [pins, main] = files.map(|(path, _)| path);
    if terminal.json {
        return terminal.print_json(&json!({
            "pinfold.toml": main,
            "pins.toml": pins,
            "ca": ca.root_path(),
            "ca_made": opened.made_root,
            "ca_sha256": ca.root_fingerprint_sha256(),
        }));
    }
    let root = if opened.made_root { "what clients are to trust" } else { "the root that was there" };
    let named =
        [(&main, "how the gateway runs"), (&pins, "what may be served"), (&ca.root_path().into(), root)];
    let widest =
        named.iter().map(|(path, _)| path.display().to_string().chars().count()).max().unwrap_or_default();
    let lines: Vec<_> = named
        .iter()
        .map(|(path, what)| format!("  {:widest$}  {what}", path.display().to_string()))
        .collect();
    terminal.print(&format!(
        "wrote\n{}\n\n{}\n\n{}",
        lines.join("\n"),
        trust::instructions(ca),
        next_steps(dir)
    ))
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| {
        Failure::could_not(format!("{}: cannot be written: {}", path.display(), cause(&error)))
            .hint("check the permissions of its directory and the space on its volume")
    })
}

fn next_steps(dir: &Path) -> String {
    let enter = if dir == Path::new("") { String::new() } else { format!("  cd {}\n", trust::quoted(dir)) };
    format!(
        "next:
{enter}  name your vendors and their hosts in pinfold.toml, a [[vendor]] block each
  pinfold pin add URL    for each script that you use: fetches it, shows it, pins it
  pinfold check          says whether the files are right
  pinfold run            runs the gateway"
    )
}
