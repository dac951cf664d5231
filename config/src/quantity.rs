//! Durations and sizes: a number and a unit, as one word.

use std::time::Duration;

use crate::diagnostic::quoted;
use crate::source::Mistake;

/// A unit, what it is worth, and how else people write it.
type Unit = (&'static str, u64, &'static [&'static str]);

const DURATIONS: [Unit; 5] = [
    ("ms", 1, &["msec", "millis", "millisecond", "milliseconds"]),
    ("s", 1000, &["", "sec", "secs", "second", "seconds"]),
    ("m", 60 * 1000, &["min", "mins", "minute", "minutes"]),
    ("h", 60 * 60 * 1000, &["hr", "hrs", "hour", "hours"]),
    ("d", 24 * 60 * 60 * 1000, &["day", "days"]),
];

const SIZES: [Unit; 5] = [
    ("B", 1, &["", "b", "byte", "bytes"]),
    ("KiB", 1 << 10, &["k", "kb", "kib"]),
    ("MiB", 1 << 20, &["m", "mb", "mib"]),
    ("GiB", 1 << 30, &["g", "gb", "gib"]),
    ("TiB", 1 << 40, &["t", "tb", "tib"]),
];

/// Past this a duration is a slip, and arithmetic with it could overflow.
const LONGEST: u64 = 100 * 365 * 24 * 60 * 60 * 1000;

/// `"250ms"`, `"90s"`, `"15m"`, `"12h"`, `"7d"`.
pub(crate) fn duration(key: &str, text: &str) -> Result<Duration, Mistake> {
    let expected = "a duration such as \"90s\", \"15m\", \"12h\" or \"7d\"";
    let millis = amount(key, text, &DURATIONS, expected)?;
    if millis > LONGEST {
        return Err(Mistake::new(format!("{key} is {}, more than a hundred years", quoted(text))));
    }
    Ok(Duration::from_millis(millis))
}

/// `"512B"`, `"64KiB"`, `"16MiB"`, `"2GiB"`, in bytes.
pub(crate) fn size(key: &str, text: &str) -> Result<u64, Mistake> {
    amount(key, text, &SIZES, "a size such as \"64KiB\", \"16MiB\" or \"2GiB\"")
}

fn amount(key: &str, text: &str, units: &[Unit], expected: &str) -> Result<u64, Mistake> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let exact = units.iter().find(|(name, _, _)| *name == unit);
    let product = exact.and_then(|(_, worth, _)| number.parse::<u64>().ok()?.checked_mul(*worth));
    product.ok_or_else(|| {
        Mistake::new(format!("{key} is {}, expected {expected}", quoted(text)))
            .hint_if_any(meant(text, units).map(|right| format!("write \"{right}\"")))
    })
}

/// What someone meant who wrote `7 days` or `64MB`.
fn meant(text: &str, units: &[Unit]) -> Option<String> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    number.parse::<u32>().ok()?;
    let unit = unit.trim().to_lowercase();
    let (name, _, _) =
        units.iter().find(|(name, _, others)| *name == unit || others.contains(&unit.as_str()))?;
    Some(format!("{number}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_are_a_quantity() {
        assert_eq!(duration("k", "250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("k", "90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("k", "15m"), Ok(Duration::from_secs(15 * 60)));
        assert_eq!(duration("k", "7d"), Ok(Duration::from_secs(7 * 86400)));
        assert_eq!(size("k", "1B"), Ok(1));
        assert_eq!(size("k", "64KiB"), Ok(65536));
        assert_eq!(size("k", "2GiB"), Ok(2 << 30));
    }

    #[test]
    fn other_spellings_are_answered_with_the_right_one() {
        for (written, right) in [("7 days", "7d"), ("90", "90s"), ("5min", "5m"), (" 3H", "3h")] {
            let wrong = duration("k", written).unwrap_err();
            assert_eq!(
                wrong,
                duration("k", written).unwrap_err().hint(format!("write \"{right}\"")),
                "{written}"
            );
        }
        for (written, right) in [("64MB", "64MiB"), ("1024", "1024B"), ("10 gb", "10GiB")] {
            let wrong = size("k", written).unwrap_err();
            assert_eq!(
                wrong,
                size("k", written).unwrap_err().hint(format!("write \"{right}\"")),
                "{written}"
            );
        }
    }

    #[test]
    fn what_is_no_quantity_is_an_error() {
        for text in
            ["", "s", "-1s", "1.5h", "1h30m", "99999999999999999999s", "18446744073709551615d", "40000000d"]
        {
            assert!(duration("k", text).is_err(), "{text:?}");
        }
        for text in ["", "KiB", "18446744073709551615KiB", "1 KiB"] {
            assert!(size("k", text).is_err(), "{text:?}");
        }
    }
}
