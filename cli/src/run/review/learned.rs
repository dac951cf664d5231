//! What was learned at one URL, for its page, and a person's word on it.

use std::sync::Arc;

use jiff::Timestamp;
use pinfold_console::{Act, Done, Lesson, Triage, Word};
use pinfold_policy::digest::BodyId;
use pinfold_store::item::LearnedPin;

use super::{LARGEST, Reviewing, as_in_history};
use crate::desk::{self, At, Desk, Written};
use crate::failure::Failure;
use crate::{decision, evidence};

const NOT_KEPT: &str = "its bytes are not on the shelf: they come there when a client asks for them again, unless recheck is \"always\"";

impl Reviewing {
    /// All that is known of it; none where nothing was learned by this record.
    pub(super) async fn lesson(&self, record: u64) -> Result<Option<Lesson>, Failure> {
        let gathered = self.blocking(move |this| async move { this.known_of(record).await }).await?;
        let Some(mut lesson) = gathered else { return Ok(None) };
        let rules = Arc::clone(&self.in_force.rules.borrow());
        lesson.triage = if lesson.body_kept {
            self.analyst.alone((lesson.pin.digest, lesson.pin.len), &rules).await
        } else {
            Triage::NotDone(NOT_KEPT.to_owned())
        };
        Ok(Some(lesson))
    }

    async fn known_of(&self, record: u64) -> Result<Option<Lesson>, Failure> {
        let Some(pin) = self.store.learned_pin(record).await? else { return Ok(None) };
        let (pinned, approvers) = match self.configuration.load() {
            Ok(loaded) => (Some(evidence::pinned(&loaded.config, &pin.url)), loaded.config.approvers),
            // A mistake in a list of pins must not keep anyone from deciding.
            Err(_) => (None, self.configuration.load_without_pins()?.config.approvers),
        };
        let body_kept = self.is_kept(pin.digest).await?;
        let (triage, now) = (Triage::Running, Timestamp::now());
        Ok(Some(Lesson { pin, pinned, approvers, body_kept, triage, now }))
    }

    /// Whether the bytes are there to look at: on the shelf, or in quarantine.
    async fn is_kept(&self, digest: BodyId) -> Result<bool, Failure> {
        let shelved = self.store.on_shelf().await?;
        if shelved.iter().any(|there| there.digests.sha256 == digest) {
            return Ok(true);
        }
        let items = self.store.quarantined().await?;
        Ok(items.iter().any(|item| item.digest == digest && item.body_kept))
    }

    pub(super) async fn learned_body(&self, record: u64) -> Result<Option<Vec<u8>>, Failure> {
        let Some(LearnedPin { digest, len, .. }) = self.store.learned_pin(record).await? else {
            return Ok(None);
        };
        if len > LARGEST {
            return Err(Failure::could_not("these are more than 64 MiB, which no page hands out"));
        }
        Ok(self.store.bytes_of(digest, len).await?)
    }

    /// Decides as `pinfold pin confirm` does.
    pub(super) async fn say_of_learned(&self, word: Word) -> Result<Done, Failure> {
        let Word { record, act, who, reason, expires } = word;
        let (who, reason) = as_in_history(who, &reason)?;
        let written = Written::read(&who, &reason, expires.as_deref(), Timestamp::now())?;
        let approvers = self.configuration.load_without_pins()?.config.approvers;
        let desk = Desk { configuration: &self.configuration, store: &self.store, approvers };
        let (confirmed, outcome) = match act {
            Act::Approve => {
                let confirmed = desk.confirm(record, &written).await?;
                let outcome = desk::confirmed(&confirmed.pin);
                (confirmed, outcome)
            }
            Act::Reject => {
                let dropped = desk.drop_learned(record, &written).await?;
                let outcome = desk::dropped(&dropped.pin);
                (dropped, outcome)
            }
        };
        let mut said = vec![outcome];
        if confirmed.already {
            said.push("it had been decided so before; nothing was changed".to_owned());
        }
        let in_force = decision::in_force(&self.store, confirmed.version).await?;
        said.push(decision::in_force_text(in_force).to_owned());
        let warnings = match act {
            Act::Approve => {
                self.blocking(move |this| async move {
                    this.against(At::learned(&confirmed.pin), approvers).await
                })
                .await?
            }
            Act::Reject => Vec::new(),
        };
        Ok(Done { said, warnings })
    }
}
