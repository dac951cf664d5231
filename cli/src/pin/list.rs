//! `pinfold pin list`: what may be served.

use jiff::Timestamp;
use pinfold_config::Loaded;
use pinfold_policy::pin::Pin;
use serde_json::{Value, json};

use super::shortened;
use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::listing::{Column, Listing};
use crate::terminal::Terminal;

/// Prints the pins of all files, in their order.
pub(crate) fn run(configuration: &Configuration, terminal: &Terminal) -> Result<(), Failure> {
    let Loaded { config, .. } = configuration.load()?;
    let now = Timestamp::now();
    let pins = config.rulebook.pins.all();
    if terminal.json {
        return terminal.print_json(&pins.iter().map(|pin| pin_json(pin, now)).collect());
    }
    if pins.is_empty() {
        let files: Vec<_> = config.pins_files.iter().map(|path| path.display().to_string()).collect();
        terminal.note(&format!(
            "no pins in {}\nhint: 'pinfold pin add URL' fetches a script and pins it",
            files.join(", ")
        ));
        return Ok(());
    }
    let mut listing = Listing::new([
        Column::Text("PLACE"),
        Column::Text("KIND"),
        Column::Text("OWNER"),
        Column::Text("EXPIRES"),
        Column::Wide("URL"),
        Column::Wide("DIGESTS"),
    ]);
    for pin in pins {
        listing.row(cells(pin, now, terminal));
    }
    terminal.print(&listing.render(terminal))
}

fn cells(pin: &Pin, now: Timestamp, terminal: &Terminal) -> [String; 6] {
    let expires = match pin.expires {
        Some(day) if !pin.is_active(now) => format!("{day} expired"),
        Some(day) => day.to_string(),
        None => "never".to_owned(),
    };
    // Whole where they may be searched for.
    let digest = |digest| if terminal.width.is_some() { shortened(digest) } else { digest.to_string() };
    let digests: Vec<_> = pin.digests.iter().map(digest).collect();
    [
        pin.place.to_string(),
        pin.kind.to_string(),
        pin.owner.as_deref().unwrap_or("-").to_owned(),
        expires,
        pin.url.to_text(),
        digests.join(" "),
    ]
}

fn pin_json(pin: &Pin, now: Timestamp) -> Value {
    json!({
        "url": pin.url.to_text(),
        "digests": pin.digests.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "kind": pin.kind.as_str(),
        "release": pin.release.as_deref(),
        "owner": pin.owner.as_deref(),
        "reason": pin.reason.as_deref(),
        "added": pin.added.map(|day| day.to_string()),
        "expires": pin.expires.map(|day| day.to_string()),
        "expired": !pin.is_active(now),
        "file": &*pin.place.file,
        "line": pin.place.line,
    })
}
