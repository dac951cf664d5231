//! What was learned at one URL, for its page, and a person's decision on it.

use std::sync::Arc;

use jiff::Timestamp;
use pinfold_console::api::{Declined, LearnedAsked};
use pinfold_console::{Act, Done, LearnedDecision, LearnedEvidence, Triage};
use pinfold_store::item::LearnedPin;
use serde_json::{Value, json};

use super::{LARGEST, Reviewing, as_in_history};
use crate::desk::{self, At, Desk, Written, agreement_json};
use crate::failure::Failure;
use crate::pin::confirm;
use crate::pin::list::is_learned_alone;
use crate::quarantine::{decided_json, findings_json};
use crate::terminal::Terminal;
use crate::{Found, decision, evidence};

const NOT_KEPT: &str = "its bytes are not on the shelf: they come there when a client asks for them again, unless recheck is \"always\"";

impl Reviewing {
    /// All that is known of it; none where nothing was learned by this record.
    pub(super) async fn evidence_of_learned(&self, record: u64) -> Result<Option<LearnedEvidence>, Failure> {
        let gathered = self.blocking(move |this| async move { this.known_of(record).await }).await?;
        let Some(mut evidence) = gathered else { return Ok(None) };
        let rules = Arc::clone(&self.in_force.rules.borrow());
        evidence.triage = if evidence.body_kept {
            self.analyst.alone((evidence.pin.digest, evidence.pin.len), &rules).await
        } else {
            Triage::NotDone(NOT_KEPT.to_owned())
        };
        Ok(Some(evidence))
    }

    async fn known_of(&self, record: u64) -> Result<Option<LearnedEvidence>, Failure> {
        let Some(pin) = self.store.learned_pin(record).await? else { return Ok(None) };
        let (pinned, approvers) = match self.configuration.load() {
            Ok(loaded) => (Some(evidence::pinned(&loaded.config, &pin.url)), loaded.config.approvers),
            // A mistake in a list of pins must not keep anyone from deciding.
            Err(_) => (None, self.configuration.load_without_pins()?.config.approvers),
        };
        let body_kept = self.store.keeps(pin.digest).await?;
        let (triage, now) = (Triage::Running(None), Timestamp::now());
        Ok(Some(LearnedEvidence { pin, pinned, approvers, body_kept, triage, now }))
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

    /// What was learned alone, part by part in the order in which it was.
    pub(super) async fn learned_json(&self, asked: LearnedAsked) -> Result<Value, Declined> {
        let LearnedAsked { at, after, limit } = asked;
        let records = match at {
            Some(at) => vec![confirm::record(&self.store, &at).await.map_err(absent)?],
            None => self.records(after),
        };
        let mut pins = Vec::new();
        for record in records.iter().take(limit) {
            if let Some(pin) = self.store.learned_pin(*record).await.map_err(Failure::from)? {
                pins.push(pin_json(&pin));
            }
        }
        let last = records.get(limit.saturating_sub(1)).filter(|_| records.len() > limit);
        Ok(json!({ "pins": pins, "next": last }))
    }

    /// The records of what was learned alone, behind one of them.
    fn records(&self, after: Option<u64>) -> Vec<u64> {
        let rules = Arc::clone(&self.in_force.rules.borrow());
        let decisions = Arc::clone(&self.store.decisions().borrow());
        let alone = decisions.all_approvals().filter(|approval| is_learned_alone(approval, &rules));
        let records = alone.filter_map(|approval| approval.record.parse().ok());
        let mut records: Vec<u64> =
            records.filter(|record| after.is_none_or(|after| *record > after)).collect();
        records.sort_unstable();
        records
    }

    pub(super) async fn learned_evidence_json(&self, record: u64) -> Result<Value, Declined> {
        let gathered = self.blocking(move |this| async move { this.known_of(record).await }).await?;
        let evidence = gathered.ok_or_else(nothing)?;
        let mut shown = pin_json(&evidence.pin);
        if let Value::Object(fields) = &mut shown {
            fields.insert("pinned".to_owned(), json!(evidence.pinned));
            fields.insert("approvers".to_owned(), evidence.approvers.into());
            fields.insert("body_kept".to_owned(), evidence.body_kept.into());
        }
        Ok(shown)
    }

    pub(super) async fn learned_triage_json(&self, record: u64) -> Result<Value, Declined> {
        let LearnedEvidence { pin, triage, .. } =
            self.evidence_of_learned(record).await?.ok_or_else(nothing)?;
        let findings = match triage {
            Triage::Done { findings, .. } => findings,
            Triage::Running(_) => {
                return Err(Declined::Later("it is being looked at: ask again in a moment".to_owned()));
            }
            Triage::NotDone(why) => return Err(Declined::Unable(why, None)),
        };
        let mut shown = json!({
            "record": pin.record,
            "subject": &*pin.subject,
            "digest": pin.digest.to_string(),
            "size": pin.len,
        });
        if let (Value::Object(shown), Value::Object(found)) = (&mut shown, findings_json(&findings)) {
            shown.extend(found);
        }
        Ok(shown)
    }

    /// Says it for whoever the token stands for, as `pinfold pin confirm` does.
    pub(super) async fn say(
        &self,
        decision: LearnedDecision,
        terminal: &Terminal,
    ) -> Result<Found, Declined> {
        let LearnedDecision { record, act, who, reason, expires } = decision;
        let (who, reason) = as_in_history(who, &reason)?;
        let written = Written::read(&who, &reason, expires.as_deref(), Timestamp::now())?;
        if self.store.learned_pin(record).await.map_err(Failure::from)?.is_none() {
            return Err(nothing());
        }
        let approvers = self.configuration.load_without_pins()?.config.approvers;
        let desk = Desk { configuration: &self.configuration, store: &self.store, approvers };
        let drops = match act {
            Act::Approve => false,
            Act::Reject => true,
        };
        Ok(confirm::said(&desk, (record, drops), &written, terminal).await?)
    }

    /// Decides as `pinfold pin confirm` does.
    pub(super) async fn say_of_learned(&self, decision: LearnedDecision) -> Result<Done, Failure> {
        let LearnedDecision { record, act, who, reason, expires } = decision;
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

fn nothing() -> Declined {
    let hint = "'pinfold pin list --learned' shows what was";
    Declined::Absent("nothing was learned by this record".to_owned(), Some(hint.to_owned()))
}

/// Where it could not be found, rather than not be done.
pub(super) fn absent(failure: Failure) -> Declined {
    match Declined::from(failure) {
        Declined::Unable(text, hint) => Declined::Absent(text, hint),
        other @ (Declined::Wrong(..) | Declined::Absent(..) | Declined::Later(_)) => other,
    }
}

fn pin_json(pin: &LearnedPin) -> Value {
    json!({
        "record": pin.record,
        "learned": pin.at.to_string(),
        "subject": &*pin.subject,
        "url": &*pin.url,
        "vendor": pin.vendor.as_deref(),
        "kind": pin.kind.as_str(),
        "digest": pin.digest.to_string(),
        "bytes": pin.len,
        "state": if pin.is_learned_alone() { "learned" } else { pin.state.as_str() },
        "decided": decided_json(pin.decided.as_ref()),
        "agreement": agreement_json(pin.agreement.as_ref()),
    })
}
