//! `pinfold pin revoke`: a digest is never released again, whether or not anyone ever saw it here.

use clap::Args;
use jiff::Timestamp;
use pinfold_config::{Config, Loaded};
use pinfold_policy::digest::{Digest, DigestError};
use pinfold_store::item::{InForce, Opinion, Revoked};
use pinfold_store::{Store, StoreError};
use serde_json::{Value, json};

use crate::Found;
use crate::configuration::Configuration;
use crate::darkened::Darkened;
use crate::decision::{self, who};
use crate::failure::Failure;
use crate::received::Received;
use crate::terminal::{Terminal, Tone};

/// Which digest, and why.
#[derive(Debug, Args)]
pub(crate) struct RevokeOptions {
    /// In SRI notation: sha256-…, sha384-… or sha512-….
    digest: String,
    /// Why, for whoever asks later. Must be given.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Take a revocation back.
    #[arg(long)]
    undo: bool,
}

/// Revokes a digest, or takes that back.
pub(crate) async fn run(
    configuration: &Configuration,
    options: RevokeOptions,
    terminal: &Terminal,
) -> Result<Found, Failure> {
    let digest = digest(&options.digest)?;
    let reason = decision::reason(&options.reason)?;
    let who = who();
    let opinion = Opinion { who: &who, reason, at: Timestamp::now(), expires: None };
    let Loaded { config, .. } = configuration.load().inspect_err(|_| {
        terminal.note(
            "what the files pin and revoke cannot be told, so nothing was decided\n\
             hint: correct the files: 'pinfold check' shows every mistake",
        );
    })?;
    let store = Store::open_beside(&config.data_dir).await.map_err(|error| match error {
        StoreError::Absent { .. } => Failure::could_not(error.to_string())
            .hint("no gateway ever ran here: start it, or write a [[revoke]] block into a pins file"),
        other => other.into(),
    })?;
    let desk = Desk { config: &config, store: &store, terminal };
    let done =
        if options.undo { desk.reinstate(digest, opinion).await } else { desk.revoke(digest, opinion).await };
    store.close().await?;
    done
}

/// Reads a digest. Hex is answered with the notation that would be right.
fn digest(text: &str) -> Result<Digest, Failure> {
    let error = match text.parse() {
        Ok(digest) => return Ok(digest),
        Err(DigestError::NoAlgorithm) => bare_hex(text).unwrap_or(DigestError::NoAlgorithm),
        Err(error) => error,
    };
    Err(Failure::configuration(error.to_string()).hint(
        "the ledger, 'pinfold quarantine show' and browsers' integrity attributes have it in this notation",
    ))
}

/// What is wrong with hex of a length that names its algorithm.
pub(crate) fn bare_hex(text: &str) -> Option<DigestError> {
    let algorithm = match text.len() {
        64 => "sha256",
        96 => "sha384",
        128 => "sha512",
        _ => return None,
    };
    format!("{algorithm}-{text}").parse::<Digest>().err()
}

struct Desk<'a> {
    config: &'a Config,
    store: &'a Store,
    terminal: &'a Terminal,
}

impl Desk<'_> {
    async fn revoke(&self, digest: Digest, opinion: Opinion<'_>) -> Result<Found, Failure> {
        // One body may be known by several digests, and the revocation counts for all of them.
        let body = self.store.digests_of(&digest).await?;
        let darkened =
            Darkened::by(&digest, body.as_ref(), self.config.rulebook.pins.all(), self.store).await?;
        let revoked = self.store.revoke(digest, opinion).await?;
        let in_force = decision::in_force(self.store, revoked.version).await?;
        let received = Received::read(self.store, &digest, body).await;
        let terminal = self.terminal;
        if terminal.json {
            let mut value = decision_json(&digest, "revoked", &revoked, in_force);
            if let Value::Object(fields) = &mut value {
                darkened.write_json(fields);
                received.write_json(self.config.cache.client_max_age, fields);
            }
            terminal.print_json(&value)?;
            return Ok(decision::found(in_force));
        }
        terminal.print(&format!(
            "{}{}\n  these bytes are never released again, at any URL\n  {}\n{}\n{}",
            said(&digest, "revoked", terminal),
            already(&revoked),
            decision::in_force_text(in_force),
            darkened.to_text(),
            received.to_text(self.config.cache.client_max_age, terminal),
        ))?;
        Ok(decision::found(in_force))
    }

    async fn reinstate(&self, digest: Digest, opinion: Opinion<'_>) -> Result<Found, Failure> {
        if let Some((_, place)) = self.config.revocation_of(&[digest]) {
            return Err(Failure::could_not(format!(
                "{digest} is revoked by the [[revoke]] block at {place}"
            ))
            .hint("a reviewed file says so, and only a change of that file takes it back"));
        }
        let reinstated = self.store.reinstate(digest, opinion).await?;
        let otherwise = self.revoked_otherwise(&digest).await?;
        if reinstated.already {
            let nothing = || "'pinfold pin revoke DIGEST' revokes it; nothing was changed".to_owned();
            return Err(Failure::could_not(format!("{digest} is not revoked"))
                .hint(otherwise.unwrap_or_else(nothing)));
        }
        let in_force = decision::in_force(self.store, reinstated.version).await?;
        let terminal = self.terminal;
        if terminal.json {
            let mut value = decision_json(&digest, "reinstated", &reinstated, in_force);
            if let Value::Object(fields) = &mut value {
                fields.insert("still_revoked".to_owned(), otherwise.into());
            }
            terminal.print_json(&value)?;
            return Ok(decision::found(in_force));
        }
        let holds = || "what was decided at single URLs, and what the files pin, holds again".to_owned();
        terminal.print(&format!(
            "{}\n  {}\n  {}",
            said(&digest, "reinstated", terminal),
            otherwise.map_or_else(holds, |otherwise| format!("but {otherwise}")),
            decision::in_force_text(in_force),
        ))?;
        Ok(decision::found(in_force))
    }

    /// A body may be revoked in another notation than the one that was named.
    async fn revoked_otherwise(&self, digest: &Digest) -> Result<Option<String>, Failure> {
        let Some(all) = self.store.digests_of(digest).await?.map(|digests| digests.all()) else {
            return Ok(None);
        };
        let decisions = self.store.decisions();
        let decisions = decisions.borrow();
        let by_people = decisions.revocations().iter().find(|other| other != digest && all.contains(other));
        if let Some(other) = by_people {
            return Ok(Some(format!("the same body is revoked as {other}: name that")));
        }
        Ok(self.config.revocation_of(&all).map(|(other, place)| {
            format!("the [[revoke]] block at {place} revokes the same body as {other}")
        }))
    }
}

fn said(digest: &Digest, state: &str, terminal: &Terminal) -> String {
    format!("{digest} {}", terminal.paint(Tone::Strong, state))
}

fn already(revoked: &Revoked) -> &'static str {
    if revoked.already { " before; nothing was changed" } else { "" }
}

fn decision_json(digest: &Digest, state: &str, revoked: &Revoked, in_force: InForce) -> Value {
    json!({
        "digest": digest.to_string(),
        "state": state,
        "already": revoked.already,
        "in_force": decision::in_force_word(in_force),
    })
}

#[cfg(test)]
mod tests {
    use pinfold_policy::digest::Digests;

    use super::*;

    #[test]
    fn hex_is_answered_with_the_notation_that_would_be_right() {
        for of in Digests::of(b"x").all() {
            assert_eq!(digest(&of.to_string()).unwrap(), of);
            let hex: String = of.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            let Err(Failure::Configuration(complaint)) = digest(&hex) else { panic!("hex is taken") };
            assert!(complaint.message.contains(&of.to_string()), "{complaint:?}");
        }
        for wrong in ["", "x", "sha1-AAAA", "sha256-AAAA", &"z".repeat(64)] {
            assert!(matches!(digest(wrong), Err(Failure::Configuration(_))), "{wrong}");
        }
    }
}
