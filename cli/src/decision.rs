//! What every decision made from a terminal has: who makes it, why, until when, and whether it is in force.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use nix::unistd::{Uid, User};
use pinfold_siem::Observer;
use pinfold_store::Store;
use pinfold_store::item::InForce;

use crate::Found;
use crate::failure::Failure;

/// How long a running gateway may take to say that it judges by a decision.
const WITHIN: Duration = Duration::from_secs(5);

/// Further ahead than this is a slip.
const MOST_DAYS: i64 = 36_500;

/// Who decides: the person behind sudo, or the user of this process, at this machine.
///
/// Not `$USER`: whoever types could set it, and be two people who agree. `$SUDO_USER` is set by sudo alone unless one may
/// run anything at all as the owner of the database; and who may write to the database can claim any name in it.
pub(crate) fn who() -> String {
    let uid = Uid::current();
    let behind_sudo = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
    let named = || User::from_uid(uid).ok().flatten().map(|user| user.name);
    let user = behind_sudo.or_else(named).unwrap_or_else(|| format!("uid {uid}"));
    format!("{user}@{}", Observer::on_this_machine(env!("CARGO_PKG_VERSION")).hostname)
}

/// The written reason: there is one.
pub(crate) fn reason(text: &str) -> Result<&str, Failure> {
    match text.trim() {
        "" => Err(Failure::configuration("a decision needs a reason, and none was given")
            .hint("add --reason TEXT: whoever reads the history later was not there")),
        reason => Ok(reason),
    }
}

/// From when on a decision does not count any more: after a day in UTC, or so many days from now.
pub(crate) fn expires(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let days = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok());
    let end = match (days, text.parse::<Date>()) {
        (Some(days), _) if (-MOST_DAYS..=MOST_DAYS).contains(&days) => {
            now.checked_add(SignedDuration::from_hours(days * 24)).ok()
        }
        (None, Ok(last)) => end_of(last),
        (Some(_), _) | (None, Err(_)) => None,
    };
    match end {
        Some(end) if end > now => Ok(Some(end)),
        Some(_) => Err(Failure::configuration(format!("--expires {text} has passed already"))
            .hint("name a day to come; to end an approval now, 'pinfold quarantine reject ID'")),
        None => Err(Failure::configuration(format!("--expires is '{text}', which is no day")).hint(
            "write the last day on which it counts, --expires 2027-05-01, or a number of days, --expires 90d",
        )),
    }
}

/// The end of a day in UTC, as with pins.
fn end_of(last: Date) -> Option<Timestamp> {
    let next = last.checked_add(1.day()).ok()?;
    Some(next.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Waits until the running gateway judges by `version`.
pub(crate) async fn in_force(store: &Store, version: u64) -> Result<InForce, Failure> {
    Ok(store.in_force(version, WITHIN).await?)
}

/// What a command has found when it ends so.
pub(crate) fn found(in_force: InForce) -> Found {
    match in_force {
        InForce::Yes | InForce::NoGateway => Found::Nothing,
        InForce::NotYet => Found::Something,
    }
}

/// For people.
pub(crate) fn in_force_text(in_force: InForce) -> &'static str {
    match in_force {
        InForce::Yes => "it is in force in the running gateway",
        InForce::NoGateway => "no gateway is running: it is in force when one starts",
        InForce::NotYet => {
            "it is written, but the running gateway does not say that it is in force: the gateway's log says why"
        }
    }
}

/// For programs.
pub(crate) fn in_force_word(in_force: InForce) -> &'static str {
    match in_force {
        InForce::Yes => "yes",
        InForce::NoGateway => "no-gateway",
        InForce::NotYet => "not-yet",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_decision_ends_after_its_last_day_or_so_many_days_from_now() {
        let now = at("2026-11-27T12:00:00Z");
        for (text, end) in [
            ("2027-05-01", "2027-05-02T00:00:00Z"),
            ("2026-11-27", "2026-11-28T00:00:00Z"),
            ("90d", "2027-02-25T12:00:00Z"),
        ] {
            assert_eq!(expires(Some(text), now).unwrap(), Some(at(end)), "{text}");
        }
        assert_eq!(expires(None, now).unwrap(), None);
        for wrong in [
            "2026-11-26",
            "0d",
            "-1d",
            "90",
            "90h",
            "d",
            "tomorrow",
            "",
            "99999999d",
            "-9223372036854775807d",
            "9999-12-31x",
        ] {
            assert!(expires(Some(wrong), now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_reason_is_more_than_space() {
        assert_eq!(reason(" SEC-1 ").unwrap(), "SEC-1");
        assert!(reason("").is_err() && reason(" \n").is_err());
    }

    #[test]
    fn who_decides_is_not_what_the_environment_claims() {
        // The name of the process's user, or of whoever is behind sudo, and never empty.
        let who = who();
        let (user, machine) = who.split_once('@').unwrap();
        assert!(!user.is_empty() && !machine.is_empty(), "{who}");
    }
}
