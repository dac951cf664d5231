//! Months of UTC: the ledger has a file for each.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;

/// A calendar month of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Month {
    year: i16,
    month: i8,
}

impl Month {
    pub(crate) fn of(at: Timestamp) -> Self {
        let date = Offset::UTC.to_datetime(at);
        Self { year: date.year(), month: date.month() }
    }

    /// Its first moment; none where that is beyond all time.
    pub(crate) fn start(self) -> Option<Timestamp> {
        let first = Date::new(self.year, self.month, 1).ok()?;
        Offset::UTC.to_timestamp(first.to_datetime(Time::midnight())).ok()
    }

    pub(crate) fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year.saturating_add(1), month: 1 },
            month => Self { month: month + 1, ..self },
        }
    }
}

impl fmt::Display for Month {
    /// `2026-11`, as the file is named.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// The text names no month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a month, expected four digits, '-' and two digits")]
pub(crate) struct NotAMonth;

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let (year, month) = text.split_once('-').ok_or(NotAMonth)?;
        let (year, month) = (year.parse().map_err(|_| NotAMonth)?, month.parse().map_err(|_| NotAMonth)?);
        let parsed = Self { year, month };
        // One spelling only: two files must not be one month.
        if !(1..=12).contains(&month) || parsed.to_string() != text {
            return Err(NotAMonth);
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_one_of_utc_and_has_one_spelling() {
        let at: Timestamp = "2026-11-30T23:59:59.999999Z".parse().unwrap();
        assert_eq!(Month::of(at).to_string(), "2026-11");
        let at: Timestamp = "2026-12-01T00:30:00+01:00".parse().unwrap();
        assert_eq!(Month::of(at).to_string(), "2026-11");
        assert_eq!("2026-11".parse(), Ok(Month { year: 2026, month: 11 }));
        for text in ["2026-13", "2026-00", "2026-1", "02026-01", "2026", "2026-11-01", "+026-11", ""] {
            assert_eq!(text.parse::<Month>(), Err(NotAMonth), "{text}");
        }
        let (november, december): (Month, Month) = ("2026-11".parse().unwrap(), "2026-12".parse().unwrap());
        assert!(december > november && november.next() == december);
        assert_eq!(december.next().to_string(), "2027-01");
    }
}
