//! The documented incidents: a table that is part of the binary.
//!
//! Its sources disagree and leave things out, and so does it: a duration is kept in their words, beside what can be read
//! from these.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::demo::Doing as _;
use crate::failure::Failure;

const TABLE: &str = include_str!("incidents.csv");

/// One incident, as its sources have it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Documented {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: Ware,
    pub(crate) live_from: String,
    pub(crate) live_to: String,
    #[serde(rename = "duration_hours")]
    pub(crate) duration: Duration,
    pub(crate) delivery: Delivery,
    #[serde(rename = "validly_signed")]
    pub(crate) signed: Signed,
    pub(crate) pin_stops: PinStops,
    #[serde(rename = "cooldown7d_stops")]
    pub(crate) cooldown_stops: CooldownStops,
    pub(crate) note: String,
    pub(crate) source: String,
}

/// What is to be expected of a cooldown of seven days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cooldown {
    /// It was taken back before the rule would have approved it.
    InTime,
    /// The rule approves bytes of a pinned URL, and there were none: however long it went on.
    NothingToApprove,
    /// It was there for longer.
    TooShort,
    Unknown,
}

impl Documented {
    /// What is to be expected of a cooldown: what its dates say, as far as it was delivered in a way that a cooldown
    /// could let pass at all.
    pub(crate) fn cooldown(&self) -> Cooldown {
        match (self.cooldown_stops, self.delivery) {
            (CooldownStops::Yes, _) => Cooldown::InTime,
            (CooldownStops::No | CooldownStops::Unknown, Delivery::Redirect) => Cooldown::NothingToApprove,
            (CooldownStops::No, Delivery::SameUrl | Delivery::NewVersion | Delivery::Ownership) => {
                Cooldown::TooShort
            }
            (CooldownStops::Unknown, Delivery::SameUrl | Delivery::NewVersion | Delivery::Ownership) => {
                Cooldown::Unknown
            }
        }
    }
}

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ware {
    Installer,
    Script,
    CiScript,
    Package,
}

/// How the changed bytes came to those who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Delivery {
    /// Other bytes at an unchanged URL.
    SameUrl,
    /// A new file or version number.
    NewVersion,
    /// A link, a name or an update's answer pointed elsewhere.
    Redirect,
    /// The domain changed hands, and the answer depends on who asks.
    Ownership,
}

impl Delivery {
    /// In words.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::SameUrl => "other bytes at an unchanged URL",
            Self::NewVersion => "a new version, at a URL of its own and at the one that stays the same",
            Self::Redirect => "the vendor's URL and its link led to the attacker's host",
            Self::Ownership => "the domain changed hands: other bytes for some browsers, at an unchanged URL",
        }
    }
}

/// Whether the changed bytes carried the vendor's valid signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signed {
    Yes,
    No,
    #[serde(rename = "n/a")]
    NotApplicable,
}

/// Whether a pin stops it, inferred from the dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PinStops {
    Yes,
    /// Until a reviewer approves a build that is validly signed.
    UntilApproved,
    /// The content varies by client: it takes a pin for each variant.
    VariantsOnly,
}

/// Whether a cooldown of seven days stops it, inferred from the dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CooldownStops {
    Yes,
    No,
    Unknown,
}

/// How long the changed bytes were live.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Duration {
    /// In the sources' words, in hours.
    pub(crate) words: String,
    /// What can be read from them.
    pub(crate) known: Known,
}

/// What is known of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Nothing,
    AtMost(SignedDuration),
    Between(SignedDuration, SignedDuration),
}

impl From<String> for Duration {
    /// Every number is one that some source gives.
    fn from(words: String) -> Self {
        let numbers = words.split(|c: char| !c.is_ascii_digit() && c != '.');
        let hours = numbers.filter_map(|number| number.parse::<f64>().ok());
        let mut found: Vec<_> =
            hours.filter_map(|hours| SignedDuration::try_from_secs_f64(hours * 3600.0).ok()).collect();
        found.sort_unstable();
        let known = match (found.first(), found.last()) {
            (Some(_), Some(longest)) if words.starts_with("under") => Known::AtMost(*longest),
            (Some(shortest), Some(longest)) => Known::Between(*shortest, *longest),
            (None, _) | (_, None) => Known::Nothing,
        };
        Self { words, known }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known {
            Known::Nothing => f.write_str("not known"),
            Known::AtMost(longest) => write!(f, "under {}", Span(longest, longest)),
            Known::Between(shortest, longest) => Span(shortest, longest).fmt(f),
        }
    }
}

/// From a time to a longer one, in hours up to two days and else in days.
struct Span(SignedDuration, SignedDuration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(shortest, longest) = self;
        let (unit, word) = if longest.as_hours() < 48 { (1.0, "h") } else { (24.0, "days") };
        let [shortest, longest] =
            [shortest, longest].map(|time| (time.as_secs_f64() / 3600.0 / unit).round());
        if shortest == longest {
            return write!(f, "{longest} {word}");
        }
        write!(f, "{shortest}-{longest} {word}")
    }
}

/// All of them, in the order of the table.
pub(crate) fn all() -> Result<Vec<Documented>, Failure> {
    let mut reader = csv::Reader::from_reader(TABLE.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().doing("read the table of incidents")
}

/// Those that somebody asked for: one by its id, or `all`.
pub(crate) fn chosen(id: &str) -> Result<Vec<Documented>, Failure> {
    let all = all()?;
    if id == "all" {
        return Ok(all);
    }
    let ids: Vec<_> = all.iter().map(|incident| incident.id.clone()).collect();
    match all.into_iter().find(|incident| incident.id == id) {
        Some(incident) => Ok(vec![incident]),
        None => Err(Failure::configuration(format!("no documented incident has the id '{id}'"))
            .hint(format!("'all', or one of: {}", ids.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_table_is_whole_and_each_row_can_be_named() {
        let all = all().unwrap();
        assert_eq!(all.len(), 24);
        let ids: HashSet<_> = all.iter().map(|incident| &incident.id).collect();
        assert_eq!(ids.len(), all.len());
        for incident in &all {
            assert!(!incident.source.is_empty(), "{}", incident.id);
            assert!(
                incident.id.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-')),
                "{} is a label of a host name",
                incident.id
            );
            assert_eq!(chosen(&incident.id).unwrap().len(), 1);
        }
        assert_eq!(chosen("all").unwrap().len(), 24);
    }

    #[test]
    fn durations_are_read_from_the_words_of_their_sources() {
        let hours = |hours: f64| SignedDuration::from_secs_f64(hours * 3600.0);
        let between = |shortest, longest| Known::Between(hours(shortest), hours(longest));
        for (words, known) in [
            ("48-72", between(48.0, 72.0)),
            ("about 1400-2900", between(1400.0, 2900.0)),
            ("not found", Known::Nothing),
            ("358.8", between(358.8, 358.8)),
            ("about 340 (Windows); 1300+ (macOS)", between(340.0, 1300.0)),
            ("about 2", between(2.0, 2.0)),
            ("under 24 (exact not found)", Known::AtMost(hours(24.0))),
            ("6 (vendor) to 19 (Kaspersky)", between(6.0, 19.0)),
        ] {
            let duration = Duration::from(words.to_owned());
            assert_eq!((duration.known, &*duration.words), (known, words));
        }
    }

    #[test]
    fn durations_are_told_in_hours_or_days() {
        for (words, told) in [
            ("4.1", "4 h"),
            ("6 (vendor) to 19 (Kaspersky)", "6-19 h"),
            ("under 24 (exact not found)", "under 24 h"),
            ("48-72", "2-3 days"),
            ("358.8", "15 days"),
            ("not found", "not known"),
        ] {
            assert_eq!(Duration::from(words.to_owned()).to_string(), told);
        }
    }

    #[test]
    fn a_redirect_gives_a_cooldown_nothing_to_approve_however_long_it_goes_on() {
        let expected = |id: &str| chosen(id).unwrap().remove(0).cooldown();
        assert_eq!(expected("ledger-2023"), Cooldown::InTime);
        assert_eq!(expected("appsflyer-2026"), Cooldown::InTime);
        assert_eq!(expected("solarwinds-2020"), Cooldown::TooShort);
        assert_eq!(expected("notepadpp-2025"), Cooldown::NothingToApprove);
        assert_eq!(expected("polyfill-2024"), Cooldown::Unknown);
    }

    #[test]
    fn who_asks_for_an_unknown_one_is_told_which_there_are() {
        let Err(Failure::Configuration(complaint)) = chosen("comm100") else { panic!("it is none") };
        assert_eq!(complaint.message, "no documented incident has the id 'comm100'");
        assert!(complaint.hint.unwrap().contains("comm100-2022, solarwinds-2020,"));
    }
}
