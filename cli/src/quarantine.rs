//! `pinfold quarantine`: review from a terminal.
//!
//! A gateway may be running on the same data directory; what is decided here is in force there at once.

mod decide;
mod diff;
mod export;
mod list;
mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pinfold_config::{Config, Loaded};
use pinfold_store::Store;
use pinfold_store::incident::Incident;
use pinfold_triage::DifferenceAsked;

pub(crate) use self::diff::{Compared, findings_json};
pub(crate) use self::export::{check_output, hand_out};
pub(crate) use self::list::decided_json;
use crate::Found;
use crate::configuration::Configuration;
use crate::desk::{Desk, Written, unknown};
use crate::failure::Failure;
use crate::terminal::Terminal;

/// What to do with what was refused and kept.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Show what is in quarantine, what waits for a decision first.
    List,
    /// Show one item: what it is, how it came, who asked for it.
    Show(Named),
    /// Say what it newly does, against what was verified at its URL last.
    Diff {
        #[command(flatten)]
        named: Named,
        /// Show lines, too, that differ by names of local variables alone.
        #[arg(long)]
        names: bool,
        /// Which part of the difference, from 1, where it is too long for one.
        #[arg(long, value_name = "NUMBER")]
        part: Option<usize>,
    },
    /// Let these bytes be served at this URL, once as many people agree as review.approvers says.
    Approve {
        #[command(flatten)]
        named: Named,
        /// Why, for whoever asks later. Must be given.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        /// The last day on which it counts, in UTC (2027-05-01), or for how long (90d) [default: for ever].
        #[arg(long, value_name = "DAY", allow_hyphen_values = true)]
        expires: Option<String>,
    },
    /// Bar these bytes from this URL.
    Reject {
        #[command(flatten)]
        named: Named,
        /// Revoke them: never release them again, at any URL. Says which pins that darkens.
        #[arg(long)]
        everywhere: bool,
        /// Why, for whoever asks later. Must be given.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        /// The last day on which it counts, in UTC (2027-05-01), or for how long (90d) [default: for ever].
        #[arg(long, value_name = "DAY", allow_hyphen_values = true, conflicts_with = "everywhere")]
        expires: Option<String>,
    },
    /// Write the bytes out, decoded.
    Export {
        #[command(flatten)]
        named: Named,
        /// A new file [default: standard output, unless it is a terminal].
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Which item.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The incident, or as much of its beginning as tells it from the others.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

/// Carries out one action.
pub(crate) async fn run(
    action: Action,
    configuration: &Configuration,
    terminal: &Terminal,
) -> Result<Found, Failure> {
    // A mistake in a pins file must not keep anyone from deciding.
    let Loaded { config, .. } = configuration.load_without_pins()?;
    let store = Store::open_to_look(&config.data_dir).await?;
    terminal.warn_of_damage(&store);
    let done = action.carry_out(&Review { configuration, config: &config, store: &store, terminal }).await;
    store.close().await?;
    done
}

/// What a reviewer works with.
pub(crate) struct Review<'a> {
    pub(crate) configuration: &'a Configuration,
    pub(crate) config: &'a Config,
    pub(crate) store: &'a Store,
    pub(crate) terminal: &'a Terminal,
}

impl Action {
    async fn carry_out(self, review: &Review<'_>) -> Result<Found, Failure> {
        match self {
            Self::List => list::run(review).await.map(|()| Found::Nothing),
            Self::Show(named) => show::run(review, &named.id).await.map(|()| Found::Nothing),
            Self::Diff { named, names, part } => {
                let asked = DifferenceAsked::of(names, part);
                diff::run(review, &named.id, asked).await.map(|()| Found::Nothing)
            }
            Self::Approve { named, reason, expires } => {
                decide::approve(review, &named.id, &reason, expires.as_deref()).await
            }
            Self::Reject { named, everywhere: false, reason, expires } => {
                decide::reject(review, &named.id, &reason, expires.as_deref()).await
            }
            Self::Reject { named, everywhere: true, reason, expires: _ } => {
                decide::revoke(review, &named.id, &reason).await
            }
            Self::Export { named, output } => {
                export::run(review, &named.id, output.as_deref()).await.map(|()| Found::Nothing)
            }
        }
    }
}

impl Review<'_> {
    fn desk(&self) -> Desk<'_> {
        Desk { configuration: self.configuration, store: self.store, approvers: self.config.approvers }
    }

    /// `quarantine list`
    pub(crate) async fn list(&self) -> Result<Found, Failure> {
        list::run(self).await.map(|()| Found::Nothing)
    }

    /// `quarantine show`
    pub(crate) async fn show(&self, incident: Incident) -> Result<Found, Failure> {
        show::run(self, &incident.to_string()).await.map(|()| Found::Nothing)
    }

    /// Approves what somebody was shown, for them.
    pub(crate) async fn approve_as_shown(
        &self,
        incident: Incident,
        written: &Written<'_>,
        shown: &str,
    ) -> Result<Found, Failure> {
        let decided = self.desk().approve_as_shown(incident, written, shown).await?;
        decide::approved(self, &decided).await
    }

    /// Rejects, for somebody.
    pub(crate) async fn reject(&self, incident: Incident, written: &Written<'_>) -> Result<Found, Failure> {
        let decided = self.desk().reject(incident, written).await?;
        decide::rejected(self, &decided).await
    }

    /// The incident that `text` names: whole, or the beginning of one alone, in either case of letters.
    pub(crate) async fn incident(&self, text: &str) -> Result<Incident, Failure> {
        if let Ok(incident) = text.parse() {
            return Ok(incident);
        }
        let wanted = text.to_ascii_uppercase();
        let items = self.store.quarantined().await?;
        let mut fitting = items
            .iter()
            .map(|item| item.incident)
            .filter(|incident| !wanted.is_empty() && incident.to_string().starts_with(&wanted));
        match (fitting.next(), fitting.count()) {
            (Some(incident), 0) => Ok(incident),
            (Some(_), others) => {
                Err(Failure::could_not(format!("{} incidents begin with '{text}'", others + 1))
                    .hint("name more of it; 'pinfold quarantine list' shows them"))
            }
            (None, _) => Err(unknown(text)),
        }
    }
}
