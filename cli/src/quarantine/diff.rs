//! `pinfold quarantine diff`: what an item newly does, against what was verified at its URL last.

mod contents_json;
mod contents_text;
mod json;
mod text;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pinfold_policy::lookalike::Lookalikes;
use pinfold_store::item::Item;
use pinfold_triage::{DifferenceAsked, Findings};

pub(crate) use self::json::findings_json;
use super::{Review, unknown};
use crate::comparison::{Known, found};
use crate::failure::Failure;
use crate::terminal::Terminal;

/// A person waits that long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Prints facts first, then hosts, capabilities with their lines, and the difference of both versions in one format.
pub(super) async fn run(review: &Review<'_>, id: &str, asked: DifferenceAsked) -> Result<(), Failure> {
    let incident = review.incident(id).await?;
    let Some((item, _)) = review.store.item(incident).await? else { return Err(unknown(id)) };
    let Some(new) = review.store.body_of(item.digest).await? else {
        return Err(Failure::could_not(format!("the body of {incident} was not kept"))
            .hint("there was no room: it is kept when it is refused again and there is; see [quarantine] in pinfold.toml"));
    };
    let all = Known::all(review.store, &item).await?;
    let (verified, bytes) = Known::first_there(&all, review.store).await?.unzip();
    let findings = found(asked, bytes.as_deref(), &new, Instant::now() + PATIENCE, &lookalikes(review));
    Compared { item, verified, findings: Arc::new(findings) }.tell(review.terminal)
}

/// An item, what it was compared with, and what was found.
pub(crate) struct Compared {
    pub(crate) item: Item,
    pub(crate) verified: Option<Known>,
    pub(crate) findings: Arc<Findings>,
}

impl Compared {
    pub(crate) fn tell(&self, terminal: &Terminal) -> Result<(), Failure> {
        if terminal.json {
            return terminal.print_json(&json::of(self));
        }
        terminal.print(&text::of(self, terminal))
    }
}

/// What the files expect. Of files with mistakes the vendors are left.
fn lookalikes(review: &Review<'_>) -> Lookalikes {
    match review.configuration.load() {
        Ok(loaded) => Lookalikes::of(&loaded.config.rulebook),
        Err(_) => Lookalikes::of(&review.config.rulebook),
    }
}
