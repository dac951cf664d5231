//! A window of time, as `--since` and `--until` name it.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use crate::failure::Failure;

/// Further back than this is a slip.
const MOST_HOURS: i64 = 36_500 * 24;

/// What its two ends are called where somebody has written them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    since: &'static str,
    until: &'static str,
}

impl Names {
    /// The fields of a page.
    pub(crate) const FIELDS: Self = Self { since: "from", until: "until" };
}

impl Default for Names {
    /// The options of a command.
    fn default() -> Self {
        Self { since: "--since", until: "--until" }
    }
}

/// The first and the last moment.
pub(crate) fn read(
    names: Names,
    since: Option<&str>,
    until: Option<&str>,
    now: Timestamp,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Failure> {
    let since = since.map(|text| time(names.since, text, now, false)).transpose()?;
    let until = until.map(|text| time(names.until, text, now, true)).transpose()?;
    if let (Some(since), Some(until)) = (since, until)
        && since > until
    {
        return Err(Failure::configuration(format!(
            "{} {since} is after {} {until}",
            names.since, names.until
        ))
        .hint("the window is empty: exchange the two"));
    }
    Ok((since, until))
}

/// A moment, or so long ago. A day is its beginning, or its end.
fn time(option: &str, text: &str, now: Timestamp, to_the_end: bool) -> Result<Timestamp, Failure> {
    moment(text.trim(), now, to_the_end).ok_or_else(|| {
        Failure::configuration(format!("{option} is '{text}', which is no time"))
            .hint(format!("write a day or a time in UTC, {option} 2026-11-23 or {option} 2026-11-23T14:05, or so long ago, {option} 7d"))
    })
}

fn moment(text: &str, now: Timestamp, to_the_end: bool) -> Option<Timestamp> {
    if let Some(ago) = ago(text) {
        return now.checked_sub(ago).ok();
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let utc = |time: DateTime| time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp());
    // A date is a time to its parser too, and a time is a date.
    if text.len() > "2026-11-23".len() {
        return utc(text.trim_end_matches(" UTC").parse().ok()?);
    }
    let day: Date = text.parse().ok()?;
    if !to_the_end {
        return utc(day.to_datetime(jiff::civil::Time::midnight()));
    }
    let next = utc(day.checked_add(1.day()).ok()?.to_datetime(jiff::civil::Time::midnight()))?;
    next.checked_sub(SignedDuration::from_micros(1)).ok()
}

/// `7d`, `12h`, `30m`.
fn ago(text: &str) -> Option<SignedDuration> {
    let (number, minutes) = [("d", 24 * 60), ("h", 60), ("m", 1)]
        .into_iter()
        .find_map(|(unit, minutes)| Some((text.strip_suffix(unit)?, minutes)))?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let total = number.parse::<i64>().ok()?.checked_mul(minutes)?;
    (total <= MOST_HOURS * 60).then(|| SignedDuration::from_mins(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-27T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn what_is_wrong_is_said_by_the_name_that_somebody_has_filled_in() {
        let wrong = |names| format!("{:?}", read(names, Some("yesterday"), None, now()).unwrap_err());
        assert!(wrong(Names::FIELDS).contains("from is 'yesterday'"));
        assert!(wrong(Names::default()).contains("--since is 'yesterday'"));
        let empty = format!("{:?}", read(Names::FIELDS, Some("1d"), Some("2d"), now()).unwrap_err());
        assert!(empty.contains("from ") && empty.contains(" is after until "), "{empty}");
    }

    #[test]
    fn times_are_absolute_or_so_long_ago() {
        for (text, begins, ends) in [
            ("7d", "2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z"),
            ("90m", "2026-11-27T10:30:00Z", "2026-11-27T10:30:00Z"),
            ("2026-11-23", "2026-11-23T00:00:00Z", "2026-11-23T23:59:59.999999Z"),
            ("2026-11-23T14:05", "2026-11-23T14:05:00Z", "2026-11-23T14:05:00Z"),
            ("2026-11-23 14:05:09", "2026-11-23T14:05:09Z", "2026-11-23T14:05:09Z"),
            ("2026-11-23 14:05:09 UTC", "2026-11-23T14:05:09Z", "2026-11-23T14:05:09Z"),
            ("2026-11-23T14:05:00+01:00", "2026-11-23T13:05:00Z", "2026-11-23T13:05:00Z"),
        ] {
            assert_eq!(moment(text, now(), false).unwrap(), begins.parse().unwrap(), "{text}");
            assert_eq!(moment(text, now(), true).unwrap(), ends.parse().unwrap(), "{text}");
        }
        for wrong in [
            "",
            "7",
            "d",
            "-7d",
            "+7d",
            "7 d",
            "99999999d",
            "9223372036854775807d",
            "yesterday",
            "2026-13-01",
        ] {
            assert_eq!(moment(wrong, now(), false), None, "{wrong}");
        }
    }
}
