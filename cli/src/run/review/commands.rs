//! What the commands say, for a program that shows a token: by their own code, on a terminal that is elsewhere.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use pinfold_config::Loaded;
use pinfold_console::api::{ApiAnswer, Command, Declined, Exposing, Form, Printed, Printing};
use pinfold_console::{Act, Decision, Triage};
use pinfold_store::item::Item;
use pinfold_triage::DifferenceAsked;

use super::learned::absent;
use super::ledger::STATED_WITHIN;
use super::{PINS_WITHIN, Reviewing, as_in_history};
use crate::comparison::{Known, Released};
use crate::desk::{Written, unknown};
use crate::exposure::{self, ExposureOptions, TextForm};
use crate::failure::{Complaint, Failure};
use crate::quarantine::{Compared, Review};
use crate::terminal::{Kept, Terminal};
use crate::{Found, pin};

impl Reviewing {
    /// The same, for the console.
    pub(super) fn commands(&self) -> ApiAnswer {
        let this = self.clone();
        Arc::new(move |(command, printing)| {
            let this = this.clone();
            Box::pin(async move { this.command(command, printing).await })
        })
    }

    async fn command(&self, command: Command, printing: Printing) -> Result<Printed, Declined> {
        let Printing { form, columns, color } = printing;
        let terminal = Terminal::elsewhere(form == Form::Json, color, columns.map(usize::from));
        let here = terminal.clone();
        let found = match command {
            Command::Exposure(asked) => self.exposed(asked, form, here).await?,
            Command::Pins { learned } => {
                let listing = move |this: Self| async move {
                    let Loaded { config, .. } = this.configuration.load_without_pins()?;
                    let rules = Arc::clone(&this.in_force.rules.borrow());
                    pin::list::print((&config, &rules), &this.store, learned, &here).await
                };
                self.one_search(PINS_WITHIN, listing).await.map(|()| Found::Nothing)?
            }
            Command::PinBlocks { learned, approved } => {
                let rules = Arc::clone(&self.in_force.rules.borrow());
                pin::export::print(&rules, &self.store, (learned, approved), &here).await?;
                Found::Nothing
            }
            Command::Learned(asked) => {
                here.print_json(&self.learned_json(asked).await?).map(|()| Found::Nothing)?
            }
            Command::LearnedEvidence(record) => {
                here.print_json(&self.learned_evidence_json(record).await?).map(|()| Found::Nothing)?
            }
            Command::LearnedTriage(record) => {
                here.print_json(&self.learned_triage_json(record).await?).map(|()| Found::Nothing)?
            }
            Command::Say(word) => {
                self.blocking(move |this| async move { this.say(word, &here).await }).await?
            }
            at_desk @ (Command::List | Command::Show(_) | Command::Diff { .. } | Command::Decide(_)) => {
                self.blocking(move |this| async move { this.at_desk(at_desk, &here).await }).await?
            }
        };
        let Kept { out, err } = terminal.kept();
        Ok(Printed { out: String::from_utf8_lossy(&out).into_owned(), err, code: found.code() })
    }

    async fn exposed(&self, asked: Exposing, form: Form, terminal: Terminal) -> Result<Found, Declined> {
        let form = match form {
            Form::Json | Form::Text => TextForm::Table,
            Form::Csv => TextForm::Csv,
            Form::Markdown => TextForm::Markdown,
        };
        self.one_search(STATED_WITHIN, move |this| async move {
            let now = Timestamp::now();
            let Loaded { config, .. } = this.configuration.load_without_pins()?;
            let (mut sought, digest) = ExposureOptions::asked(asked).sought(&config, now)?;
            // The store gives it up too: else it would go on, and have the turn of every search behind it.
            sought.ends = Some(Instant::now() + STATED_WITHIN);
            let report = exposure::search(&this.store, sought, digest, now).await?;
            exposure::tell(&report, form, &terminal)
        })
        .await
    }

    async fn at_desk(&self, command: Command, terminal: &Terminal) -> Result<Found, Declined> {
        let Loaded { config, .. } = self.configuration.load_without_pins()?;
        let review =
            Review { configuration: &self.configuration, config: &config, store: &self.store, terminal };
        match command {
            Command::Show(text) => Ok(review.show(self.named(&review, &text).await?.incident).await?),
            Command::Diff { incident, asked } => {
                self.compared(self.named(&review, &incident).await?, asked, terminal).await
            }
            Command::Decide(decision) => {
                self.named(&review, &decision.incident.to_string()).await?;
                Ok(decide(&review, decision).await?)
            }
            Command::List
            | Command::Exposure(_)
            | Command::Pins { .. }
            | Command::PinBlocks { .. }
            | Command::Learned(_)
            | Command::LearnedEvidence(_)
            | Command::LearnedTriage(_)
            | Command::Say(_) => Ok(review.list().await?),
        }
    }

    /// The item that is named, if there is one.
    async fn named(&self, review: &Review<'_>, text: &str) -> Result<Item, Declined> {
        let incident = review.incident(text).await.map_err(absent)?;
        let found = self.store.item(incident).await.map_err(Failure::from)?;
        found.map(|(item, _)| item).ok_or_else(|| absent(unknown(&incident.to_string())))
    }

    /// What the item's page says too, from the same memory.
    async fn compared(
        &self,
        item: Item,
        asked: DifferenceAsked,
        terminal: &Terminal,
    ) -> Result<Found, Declined> {
        let rules = Arc::clone(&self.in_force.rules.borrow());
        let released = Released::beside(&self.store, &item).await.map_err(Failure::from)?;
        match self.analyst.ask(&item, &released, &rules, asked).await {
            Triage::Done { verified, findings } => {
                let verified = verified.map(|it| Known {
                    digest: it.digest,
                    len: it.len,
                    at: it.at,
                    learned: it.learned,
                });
                Compared { item, verified, findings }.tell(terminal)?;
                Ok(Found::Nothing)
            }
            Triage::Running(_) => {
                Err(Declined::Later("it is being looked at: ask again in a moment".to_owned()))
            }
            Triage::NotDone(why) => Err(Declined::Unable(why, None)),
        }
    }
}

/// Decides for whoever the token stands for.
async fn decide(review: &Review<'_>, decision: Decision) -> Result<Found, Failure> {
    let Decision { incident, act, who, reason, expires, shown } = decision;
    let (who, reason) = as_in_history(who, &reason)?;
    let written = Written::read(&who, &reason, expires.as_deref(), Timestamp::now())?;
    match act {
        Act::Approve => review.approve_as_shown(incident, &written, &shown).await,
        Act::Reject => review.reject(incident, &written).await,
    }
}

impl From<Failure> for Declined {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Configuration(Complaint { message, hint }) => Self::Wrong(message, hint),
            Failure::CouldNot(Complaint { message, hint }) => Self::Unable(message, hint),
            Failure::Files(_) | Failure::ReaderGone => Self::Unable(
                "the gateway's files have mistakes".to_owned(),
                Some("run 'pinfold check' there".to_owned()),
            ),
        }
    }
}
