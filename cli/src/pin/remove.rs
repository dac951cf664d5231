//! `pinfold pin remove`: takes pins, or one digest of them, out of the pins files, and says what is left for the URL.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use pinfold_config::edit::{Removed, find_pins, remove_pins};
use pinfold_config::{Config, Loaded};
use pinfold_policy::decisions::{Approval, Basis, Decisions};
use pinfold_policy::digest::Digest;
use pinfold_policy::pin::{Pin, PinUrl};
use pinfold_policy::policy::Policy;
use serde_json::{Value, json};

use super::{decisions, unwritten};
use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::printable::printable;
use crate::terminal::Terminal;

/// What to take out.
#[derive(Debug, Args)]
pub(crate) struct RemoveOptions {
    /// The URLs or patterns, as they stand in the pins files.
    #[arg(required = true, value_name = "URL", value_parser = pin_url)]
    urls: Vec<PinUrl>,
    /// Remove this digest alone, and the pin if it has no other.
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    digest: Option<Digest>,
}

fn pin_url(text: &str) -> Result<PinUrl, String> {
    PinUrl::parse(text).map_err(|error| error.to_string())
}

fn digest(text: &str) -> Result<Digest, String> {
    text.parse().map_err(|error: pinfold_policy::digest::DigestError| error.to_string())
}

/// Removes the pins of all URLs: all or, if one has none, nothing.
pub(crate) async fn run(
    configuration: &Configuration,
    options: RemoveOptions,
    terminal: &Terminal,
) -> Result<(), Failure> {
    // A mistake in a pins file must not keep anyone from mending it.
    let Loaded { config, .. } = configuration.load_without_pins()?;
    let RemoveOptions { urls, digest } = options;
    refuse_unknown(&config, &urls, digest.as_ref())?;
    let mut gone = vec![Vec::new(); urls.len()];
    for file in &config.pins_files {
        let removed = remove_pins(file, &urls, digest.as_ref()).map_err(unwritten)?;
        for (all, here) in gone.iter_mut().zip(removed) {
            all.extend(here.into_iter().map(|removed| (file.as_path(), removed)));
        }
    }
    // They are gone, whatever else may be wrong in the files or in the store.
    let left = left(configuration, &urls).await.ok();
    let left = |at: usize| left.as_ref().and_then(|left| left.get(at));
    if terminal.json {
        let all = urls.iter().zip(&gone).enumerate();
        return terminal.print_json(
            &all.map(|(at, (url, gone))| result_json(url, gone, digest.as_ref(), left(at))).collect(),
        );
    }
    for (at, (url, gone)) in urls.iter().zip(&gone).enumerate() {
        terminal.print(&outcome(url, gone, digest.as_ref(), left(at)))?;
    }
    terminal.note("a running gateway takes it up within seconds");
    Ok(())
}

fn refuse_unknown(config: &Config, urls: &[PinUrl], digest: Option<&Digest>) -> Result<(), Failure> {
    let mut known = vec![false; urls.len()];
    for file in &config.pins_files {
        let found = find_pins(file, urls, digest).map_err(unwritten)?;
        for (known, found) in known.iter_mut().zip(found) {
            *known |= !found.is_empty();
        }
    }
    let Some((url, _)) = urls.iter().zip(known).find(|(_, known)| !known) else { return Ok(()) };
    let what = digest.map(|digest| format!(" with {digest}")).unwrap_or_default();
    Err(Failure::could_not(format!("no pin of {}{what}; nothing was removed", url.to_text()))
        .hint("'pinfold pin list' shows what is pinned; an approval is taken back with 'pinfold quarantine reject ID'"))
}

/// What may still be served at each URL.
async fn left(configuration: &Configuration, urls: &[PinUrl]) -> Result<Vec<Vec<Allowed>>, Failure> {
    let Loaded { config, .. } = configuration.load()?;
    let decisions = decisions(&config).await?;
    let policy = Policy::new(Arc::new(config.rulebook), Arc::clone(&decisions));
    Ok(urls.iter().map(|url| allowed(&policy, &decisions, url)).collect())
}

/// A digest that may still be served, and what allows it.
struct Allowed {
    digest: Digest,
    by: String,
}

fn allowed(policy: &Policy, decisions: &Decisions, url: &PinUrl) -> Vec<Allowed> {
    let now = Timestamp::now();
    let of_pin = |pin: &Pin| {
        let by = if pin.url.to_text() == url.to_text() {
            pin.place.to_string()
        } else {
            format!("{}, {}", pin.place, pin.url.to_text())
        };
        pin.digests.iter().map(|digest| Allowed { digest: *digest, by: by.clone() }).collect::<Vec<_>>()
    };
    match url {
        PinUrl::Exact(url) => {
            let expected = policy.expect(url);
            let is_pinned = !expected.deciding().pins().is_empty();
            // What was learned does not count beside a pin.
            let counts = |approval: &Approval| {
                approval.is_active(now) && !(is_pinned && approval.basis == Basis::Learned)
            };
            let is_here =
                |approval: &Approval| expected.subjects().any(|subject| *approval.subject == *subject);
            let here = |approval: &&Approval| is_here(approval) && counts(approval);
            let approved = decisions.all_approvals().filter(here).map(|approval| Allowed {
                digest: Digest::from(approval.digest),
                by: approval.rule().to_string(),
            });
            expected
                .deciding()
                .pins()
                .iter()
                .filter(|pin| pin.is_active(now))
                .flat_map(|pin| of_pin(pin))
                .chain(approved)
                .collect()
        }
        PinUrl::Pattern(_) => {
            let pins = policy.rules().pins.all().iter();
            pins.filter(|pin| pin.url.to_text() == url.to_text() && pin.is_active(now))
                .flat_map(of_pin)
                .collect()
        }
    }
}

fn outcome(
    url: &PinUrl,
    gone: &[(&Path, Removed)],
    digest: Option<&Digest>,
    left: Option<&Vec<Allowed>>,
) -> String {
    let name = printable(&url.to_text()).into_owned();
    let mut text = String::new();
    for (file, Removed { line, whole }) in gone {
        let what = match (whole, digest) {
            (false, Some(digest)) => format!("{digest} from "),
            (true, _) | (false, None) => String::new(),
        };
        text.push_str(&format!("{}:{line}: removed {what}the pin of {name}\n", file.display()));
    }
    match left {
        None => text.push_str(
            "what is left for it cannot be told: 'pinfold check' and 'pinfold quarantine list' say why",
        ),
        Some(left) if left.is_empty() => text.push_str("nothing is allowed there any more"),
        Some(left) => {
            text.push_str("still allowed there:");
            for Allowed { digest, by } in left {
                text.push_str(&format!("\n  {digest}  ({})", printable(by)));
            }
        }
    }
    text
}

fn result_json(
    url: &PinUrl,
    gone: &[(&Path, Removed)],
    digest: Option<&Digest>,
    left: Option<&Vec<Allowed>>,
) -> Value {
    let removed = gone.iter().map(|(file, Removed { line, whole })| {
        json!({ "file": file.display().to_string(), "line": line, "whole": whole })
    });
    let left = left.map(|left| {
        let rows =
            left.iter().map(|Allowed { digest, by }| json!({ "digest": digest.to_string(), "by": by }));
        rows.collect::<Value>()
    });
    json!({
        "url": url.to_text(),
        "digest": digest.map(ToString::to_string),
        "removed": removed.collect::<Value>(),
        "allowed": left,
    })
}
