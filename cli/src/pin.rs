//! `pinfold pin`: the reviewed list.

pub(crate) mod add;
pub(crate) mod asked;
pub(crate) mod confirm;
pub(crate) mod export;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod revoke;
pub(crate) mod verify;
mod waits;

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pinfold_config::Config;
use pinfold_config::edit::EditError;
use pinfold_policy::decisions::Decisions;
use pinfold_policy::digest::Digest;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::{Store, StoreError};

use crate::failure::Failure;

/// The URL of something that can be fetched.
fn artifact_url(text: &str) -> Result<ArtifactUrl, String> {
    if text.contains('*') {
        return Err(
            "a pattern cannot be fetched: write it into pins.toml, or a literal star as %2A".to_owned()
        );
    }
    ArtifactUrl::parse(text).map_err(|error| error.to_string())
}

/// How far the fetches have come, on a terminal.
fn progress(urls: usize) -> ProgressBar {
    let progress = ProgressBar::new(u64::try_from(urls).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{spinner} fetching {human_pos}/{human_len}  {wide_msg}");
    if let Ok(style) = style {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_millis(100));
    progress
}

/// As much of a digest as a person compares: `sha256-NWSBQ9IeA5+w…`.
fn shortened(digest: &Digest) -> String {
    let text = digest.to_string();
    let short: String = text.chars().take("sha256-".len() + 12).collect();
    format!("{short}…")
}

/// Why a pins file is as it was.
fn unwritten(error: EditError) -> Failure {
    match error {
        EditError::Invalid(found) => Failure::Files(found),
        EditError::Kind { .. } | EditError::Form { .. } | EditError::Stuck { .. } => {
            Failure::configuration(error.to_string()).hint("correct that block; nothing was written")
        }
        EditError::Write { .. } => Failure::could_not(error.to_string())
            .hint("check the permissions of its directory and the space on its volume"),
    }
}

/// The store of the gateway's data directory, if a gateway ever ran there.
pub(crate) async fn store(config: &Config) -> Result<Option<Store>, StoreError> {
    match Store::open_beside(&config.data_dir).await {
        Ok(store) => Ok(Some(store)),
        Err(StoreError::Absent { .. } | StoreError::DecisionsGone { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What people decided at run time.
async fn decisions(config: &Config) -> Result<Arc<Decisions>, Failure> {
    let Some(store) = store(config).await? else { return Ok(Arc::default()) };
    let decisions = Arc::clone(&store.decisions().borrow());
    store.close().await?;
    Ok(decisions)
}
