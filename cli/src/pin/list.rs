//! `pinfold pin list`: what may be served.

use std::collections::HashMap;

use jiff::Timestamp;
use pinfold_config::{Config, Loaded};
use pinfold_policy::pin::Pin;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::sighting::Standing;
use pinfold_store::{Store, StoreError};
use serde_json::{Value, json};

use super::shortened;
use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::listing::{Column, Listing};
use crate::terminal::Terminal;
use crate::vendor_now;

/// Prints the pins of all files, in their order, and what their vendors serve now.
pub(crate) async fn run(configuration: &Configuration, terminal: &Terminal) -> Result<(), Failure> {
    let Loaded { config, .. } = configuration.load()?;
    let now = Timestamp::now();
    let pins = config.rulebook.pins.all();
    let standings = standings(&config).await?;
    let seen = Seen::of(&config, &standings);
    if terminal.json {
        return terminal.print_json(&pins.iter().map(|pin| pin_json(pin, seen.at(pin), now)).collect());
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
        Column::Text("VENDOR NOW"),
        Column::Wide("URL"),
        Column::Wide("DIGESTS"),
    ]);
    for pin in pins {
        listing.row(cells(pin, seen.at(pin), now, terminal));
    }
    terminal.print(&listing.render(terminal))
}

/// What rechecks have seen so far; nothing where no gateway of this version ever ran.
async fn standings(config: &Config) -> Result<Vec<Standing>, Failure> {
    let store = match Store::open_beside(&config.data_dir).await {
        Ok(store) => store,
        Err(StoreError::Absent { .. } | StoreError::TooOld { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let standings = store.standing(None).await;
    store.close().await?;
    Ok(standings?)
}

/// What was seen at the URLs of each pin, by the pin's place.
struct Seen<'s>(HashMap<(&'s str, u32), Vec<&'s Standing>>);

impl<'s> Seen<'s> {
    fn of(config: &'s Config, standings: &'s [Standing]) -> Self {
        let mut seen: HashMap<_, Vec<_>> = HashMap::new();
        for there in standings {
            let Ok(url) = ArtifactUrl::parse(&there.url) else { continue };
            for Pin { place, .. } in config.rulebook.pins.deciding(&url).pins() {
                seen.entry((&*place.file, place.line)).or_default().push(there);
            }
        }
        Self(seen)
    }

    fn at(&self, pin: &'s Pin) -> &[&'s Standing] {
        self.0.get(&(&*pin.place.file, pin.place.line)).map(Vec::as_slice).unwrap_or_default()
    }
}

fn cells(pin: &Pin, seen: &[&Standing], now: Timestamp, terminal: &Terminal) -> [String; 7] {
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
        vendor_now::in_short(seen, now),
        pin.url.to_text(),
        digests.join(" "),
    ]
}

fn pin_json(pin: &Pin, seen: &[&Standing], now: Timestamp) -> Value {
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
        "vendor_now": seen.iter().map(|there| vendor_now::as_json(there)).collect::<Vec<_>>(),
    })
}
