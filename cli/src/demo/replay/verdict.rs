//! Whether what was observed is what the table of incidents lets one expect.

use crate::demo::incidents::{Cooldown, PinStops};
use crate::demo::replay::regime::Regime;
use crate::demo::replay::scene::hours;
use crate::demo::replay::tally::Tally;
use crate::demo::replay::{Played, Replayed};

/// Where it is not, in words; where the table has nothing definite, nothing is compared.
pub(super) fn differences(replayed: &Replayed) -> Vec<String> {
    let incident = &replayed.incident;
    let mut found = Vec::new();
    for played in &replayed.played {
        let mut says = |ok: bool, text: &str| {
            if !ok {
                found.push(format!("played for {} h: {text}", hours(played.lasts)));
            }
        };
        says(
            is_received(played, Regime::NoProxy),
            "nobody received it without a proxy, so this shows nothing",
        );
        let pinned = [Regime::Pins, Regime::Substitution];
        let passed = pinned.into_iter().any(|regime| is_received(played, regime));
        match incident.pin_stops {
            PinStops::Yes => says(!passed, "it passed pins, which are said to stop it"),
            PinStops::UntilApproved => says(!passed, "it passed pins without an approval"),
            PinStops::VariantsOnly => {
                says(!passed, "it passed pins for each variant");
                let refused = !played.tally(Regime::Pins).refused_before.is_empty();
                says(refused, "no variant without a pin was refused before");
            }
        }
        let passed = is_received(played, Regime::Cooldown);
        match incident.cooldown() {
            Cooldown::InTime => says(!passed, "it passed the cooldown, which is said to stop it"),
            Cooldown::NothingToApprove => {
                says(!passed, "it passed the cooldown, which had no bytes to approve");
            }
            Cooldown::TooShort => says(passed, "it did not pass the cooldown, which is said not to stop it"),
            Cooldown::Unknown => {}
        }
    }
    found
}

/// Whether somebody received the changed bytes.
pub(super) fn is_received(played: &Played, regime: Regime) -> bool {
    !played.tally(regime).received.is_empty()
}

impl Played {
    /// What was seen under a regime.
    pub(super) fn tally(&self, regime: Regime) -> Tally {
        self.tallies.get(&regime).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::SignedDuration;

    use super::*;
    use crate::demo::incidents::chosen;

    /// An incident that reached one computer under these regimes, and no other.
    fn replayed(id: &str, reached: &[Regime]) -> Replayed {
        let received = BTreeMap::from([(0, SignedDuration::ZERO)]);
        let tallies =
            reached.iter().map(|regime| (*regime, Tally { received: received.clone(), ..Tally::default() }));
        let played = vec![Played { lasts: SignedDuration::from_hours(5), tallies: tallies.collect() }];
        Replayed { incident: chosen(id).unwrap().remove(0), played }
    }

    #[test]
    fn what_differs_from_the_table_is_said_and_what_is_not_definite_is_not_compared() {
        use Regime::{Cooldown, NoProxy, Pins};
        let none: [&str; 0] = [];
        assert_eq!(differences(&replayed("ledger-2023", &[NoProxy])), none);
        assert_eq!(differences(&replayed("ccleaner-2017", &[NoProxy, Cooldown])), none);
        assert_eq!(differences(&replayed("velora-2026", &[NoProxy])), none);
        assert_eq!(differences(&replayed("velora-2026", &[NoProxy, Cooldown])), none);
        assert_eq!(
            differences(&replayed("ledger-2023", &[Pins, Cooldown])),
            [
                "played for 5 h: nobody received it without a proxy, so this shows nothing",
                "played for 5 h: it passed pins, which are said to stop it",
                "played for 5 h: it passed the cooldown, which is said to stop it",
            ]
        );
        assert_eq!(
            differences(&replayed("ccleaner-2017", &[NoProxy])),
            ["played for 5 h: it did not pass the cooldown, which is said not to stop it"]
        );
        assert_eq!(differences(&replayed("notepadpp-2025", &[NoProxy])), none);
        assert_eq!(
            differences(&replayed("notepadpp-2025", &[NoProxy, Cooldown])),
            ["played for 5 h: it passed the cooldown, which had no bytes to approve"]
        );
        assert_eq!(
            differences(&replayed("polyfill-2024", &[NoProxy])),
            ["played for 5 h: no variant without a pin was refused before"]
        );
    }
}
