//! How often something was, as a notice says it in words, and as whoever maps notices reads it there again.

use std::fmt;

use jiff::Timestamp;

/// How often, and from when to when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How often.
    pub times: u64,
    /// The first time.
    pub first: Timestamp,
    /// The last time.
    pub last: Timestamp,
}

impl Count {
    /// One time.
    #[must_use]
    pub fn once(at: Timestamp) -> Self {
        Self { times: 1, first: at, last: at }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            times: self.times.saturating_add(other.times),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }

    /// What a text begins with, to the second.
    #[must_use]
    pub fn at_the_start_of(text: &str) -> Option<Self> {
        let mut words = text.split([' ', ',', ';']).filter(|word| !word.is_empty());
        let mut next = || words.next();
        match (next()?, next()?, next()?) {
            ("once", "at", at) => Some(Self::once(at.parse().ok()?)),
            (times, "times", "from") => {
                let (times, first) = (times.parse().ok()?, next()?.parse().ok()?);
                let last = next().filter(|to| *to == "to").and_then(|_| next())?;
                Some(Self { times, first, last: last.parse().ok()? })
            }
            _ => None,
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { times, first, last } = self;
        match times {
            1 => write!(f, "once, at {first:.0}"),
            times => write!(f, "{times} times from {first:.0} to {last:.0}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn it_reads_as_a_sentence_and_is_read_from_the_start_of_one() {
        let once = Count::once(at(0));
        assert_eq!(once.to_string(), "once, at 1970-01-01T00:00:00Z");
        let twice = once.and(Count::once(at(60)));
        assert_eq!(twice.to_string(), "2 times from 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z");
        for count in [once, twice] {
            for rest in ["", "; by the issuing CA 1f7b", ", of other clients"] {
                assert_eq!(Count::at_the_start_of(&format!("{count}{rest}")), Some(count));
            }
        }
        for text in ["", "once", "37 times", "2 times from here to there", "a recheck saw it"] {
            assert_eq!(Count::at_the_start_of(text), None, "{text}");
        }
    }
}
