//! What replays showed: an account of one incident, a table of several, or all of it for programs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::demo::incidents::{Cooldown, Documented, PinStops};
use crate::demo::replay::office::DESKS;
use crate::demo::replay::regime::Regime;
use crate::demo::replay::scene::{LONGEST, WATCHED, hours};
use crate::demo::replay::tally::{Asked, Tally};
use crate::demo::replay::verdict::{differences, is_received};
use crate::demo::replay::{Played, Replayed};
use crate::listing::{Column, Listing};
use crate::terminal::{Terminal, Tone};
use crate::words::counted;

/// What replays showed.
pub(crate) struct Report(pub(crate) Vec<Replayed>);

/// The columns of the table. The wide one has a line of its own on a terminal without room for it.
const COLUMNS: [Column; 6] = [
    Column::Text("Incident"),
    Column::Text("Live"),
    Column::Text("No proxy"),
    Column::Text("Pins only"),
    Column::Wide("Pins and substitution"),
    Column::Text("Cooldown 7d"),
];

impl Report {
    /// Whether all of it came out as what is documented lets one expect.
    pub(crate) fn agrees(&self) -> bool {
        self.0.iter().all(|replayed| differences(replayed).is_empty())
    }

    /// For people: an account where it is one, and a table where they are several.
    pub(crate) fn text(&self, terminal: &Terminal) -> String {
        match self.0.as_slice() {
            [one] => account(one, terminal),
            several => {
                let mut listing = Listing::new(COLUMNS);
                for replayed in several {
                    listing.row(cells(replayed));
                }
                let table = listing.render(terminal);
                let notes: String = several.iter().flat_map(notes).collect();
                format!("{table}\n\n{notes}{LEGEND}")
            }
        }
    }

    /// The table for a page of documentation, which has room for names.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
        let titles = COLUMNS.map(|column| column.title().to_owned());
        let rule = COLUMNS.map(|_| "---".to_owned());
        let rows = self.0.iter().map(|replayed| {
            let mut cells = cells(replayed);
            if let Some(first) = cells.first_mut() {
                *first = format!("{} (`{first}`)", replayed.incident.name);
            }
            line(&cells)
        });
        [line(&titles), line(&rule)].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        self.0.iter().map(replayed_json).collect()
    }
}

const LEGEND: &str = "\
Four computers of an office ask once a day each. The numbers are those that received the
changed bytes, and from which day on; otherwise:
  refused         they got nothing ('1 always': one never did, its variant has no pin)
  until approved  nothing either; a reviewer may have trusted the vendor's valid signature
  reviewed bytes  in place of a refusal, so that pages went on (where a line has no room
                  for 'Pins and substitution', that stands below it)
A cooldown has clean versions wait for seven days too. All of it was observed, with
stand-in bytes and a moved clock. One incident in full: pinfold demo --incident ID";

fn cells(replayed: &Replayed) -> [String; 6] {
    let Replayed { incident, played } = replayed;
    [
        incident.id.clone(),
        incident.duration.to_string(),
        reached(played, Regime::NoProxy),
        pins_cell(replayed),
        substitution_cell(played),
        reached(played, Regime::Cooldown),
    ]
}

/// How many computers received the changed bytes: the fewest and the most, where it depends on how long they were live.
fn reached(played: &[Played], regime: Regime) -> String {
    let tallies: Vec<_> = played.iter().map(|played| played.tally(regime)).collect();
    let counts = tallies.iter().map(|tally| tally.received.len());
    let (fewest, most) = (counts.clone().min().unwrap_or_default(), counts.max().unwrap_or_default());
    let Some(first) = tallies.iter().filter_map(Tally::first_received).min() else {
        return "nobody".to_owned();
    };
    let reached = if fewest == most { of_all(most) } else { format!("{fewest}-{}", of_all(most)) };
    match days(first) {
        0 => reached,
        day => format!("{reached}, day {day}"),
    }
}

fn pins_cell(Replayed { incident, played }: &Replayed) -> String {
    if is_received_at_all(played, Regime::Pins) {
        return reached(played, Regime::Pins);
    }
    let before = played.iter().map(|played| played.tally(Regime::Pins).refused_before.len()).max();
    match (incident.pin_stops, before.unwrap_or_default()) {
        (PinStops::UntilApproved, _) => "until approved".to_owned(),
        (PinStops::Yes | PinStops::VariantsOnly, 0) => "refused".to_owned(),
        (PinStops::Yes | PinStops::VariantsOnly, before) => format!("refused, {before} always"),
    }
}

fn substitution_cell(played: &[Played]) -> String {
    if is_received_at_all(played, Regime::Substitution) {
        return reached(played, Regime::Substitution);
    }
    let mut kept: Vec<_> = played.iter().map(kept_cell).collect();
    kept.dedup();
    kept.join("; ")
}

fn kept_cell(played: &Played) -> String {
    let (kept, asked) = (played.tally(Regime::Substitution).kept.len(), asked(played));
    match kept {
        0 => "refused".to_owned(),
        _ if kept == asked => "reviewed bytes".to_owned(),
        _ => format!("reviewed bytes, {kept} of {asked}"),
    }
}

fn is_received_at_all(played: &[Played], regime: Regime) -> bool {
    played.iter().any(|played| is_received(played, regime))
}

/// Computers that asked while the changed bytes were live.
fn asked(played: &Played) -> usize {
    let direct = played.tally(Regime::NoProxy);
    direct.kept.iter().chain(direct.received.keys()).collect::<BTreeSet<_>>().len()
}

fn of_all(computers: usize) -> String {
    format!("{computers} of {}", DESKS.len())
}

fn days(time: SignedDuration) -> i64 {
    time.as_hours() / 24
}

fn notes(replayed: &Replayed) -> Vec<String> {
    let id = &replayed.incident.id;
    differences(replayed).into_iter().map(|text| format!("{id}: not as expected: {text}\n")).collect()
}

fn account(replayed: &Replayed, terminal: &Terminal) -> String {
    let incident = &replayed.incident;
    let mut text = terminal.paint(Tone::Strong, &format!("{}: {}", incident.id, incident.name));
    let _ =
        write!(text, "\n\n  live     {} to {} ({})", incident.live_from, incident.live_to, incident.duration);
    let _ = write!(text, "\n  how      {}", incident.delivery.text());
    let _ = write!(text, "\n  known    {}\n  sources  {}", incident.note, incident.source);
    for (durations, told) in tales(replayed) {
        let _ = write!(text, "\n\nplayed for {durations}{told}");
    }
    let _ = write!(text, "\n\nto be expected: {}", expected(incident));
    match differences(replayed).as_slice() {
        [] => text.push_str("\nwhat was seen agrees"),
        found => found.iter().for_each(|found| {
            let _ = write!(text, "\n{} {found}", terminal.paint(Tone::Bad, "not as expected:"));
        }),
    }
    text.push_str("\nevery vendor, attacker and computer here is part of this program, and every file a harmless stand-in");
    text
}

/// What is to be told, and the durations at which it came out so.
fn tales(Replayed { incident, played }: &Replayed) -> Vec<(String, String)> {
    let mut tales: Vec<(String, String)> = Vec::new();
    for played in played {
        let duration = duration(played.lasts);
        let told = Regime::ALL.map(|regime| {
            let told = told(incident, regime, &played.tally(regime), asked(played));
            format!("\n  {:<23}{}", regime.title(), told.join("\n                         "))
        });
        let told = told.concat();
        match tales.last_mut() {
            Some((durations, last)) if *last == told => {
                *durations = format!("{durations}, and for {duration}");
            }
            Some(_) | None => tales.push((duration, told)),
        }
    }
    tales
}

fn duration(lasts: SignedDuration) -> String {
    let why = if lasts == LONGEST { ", since nothing new happens after twice the cooldown" } else { "" };
    format!("{} hours{why}", hours(lasts))
}

/// What happened under a regime, in sentences.
fn told(incident: &Documented, regime: Regime, tally: &Tally, asked: usize) -> Vec<String> {
    let mut told = vec![match tally.first_received() {
        None => "nobody received the changed bytes".to_owned(),
        Some(first) => {
            let computers = counted(DESKS.len(), "computer");
            format!(
                "{} of {computers} received the changed bytes, from hour {}",
                tally.received.len(),
                hours(first)
            )
        }
    }];
    for (at, name) in
        [(Asked::Fixed, "the URL that stays the same"), (Asked::Link, "the URL that the vendor linked to")]
    {
        let reasons: Vec<_> =
            tally.refused.iter().filter(|(asked, _)| *asked == at).map(|(_, reason)| &**reason).collect();
        if !reasons.is_empty() {
            told.push(format!("refused at {name}: {}", reasons.join(", ")));
        }
    }
    if regime != Regime::NoProxy && !tally.kept.is_empty() {
        let how = if tally.substituted.is_empty() { "" } else { " in place of a refusal" };
        told.push(format!(
            "{} of {asked} that asked meanwhile got the reviewed bytes{how}",
            tally.kept.len()
        ));
    }
    if regime != Regime::NoProxy && !tally.refused_before.is_empty() {
        let computers = counted(tally.refused_before.len(), "computer");
        told.push(format!("{computers} had been refused all along: nobody reviewed its variant"));
    }
    if regime == Regime::Pins && incident.pin_stops == PinStops::UntilApproved {
        told.push("it carried the vendor's valid signature: a reviewer may well have approved it".to_owned());
    }
    if regime == Regime::Cooldown {
        told.push(match tally.next {
            Some(after) => format!(
                "the next clean version came through {} days after it appeared, by itself",
                days(after)
            ),
            None => {
                format!("the next clean version did not come through by itself within {} days", days(WATCHED))
            }
        });
    }
    told
}

fn expected(incident: &Documented) -> String {
    let pins = match incident.pin_stops {
        PinStops::Yes => "pins stop it",
        PinStops::UntilApproved => "pins stop it until somebody approves it",
        PinStops::VariantsOnly => "pins stop it if there is one for each variant",
    };
    let cooldown = match incident.cooldown() {
        Cooldown::InTime => "a cooldown of 7 days stops it, for it was taken back before",
        Cooldown::NothingToApprove => {
            "a cooldown of 7 days never approves it, for the pinned URL had a redirect and no bytes"
        }
        Cooldown::TooShort => "a cooldown of 7 days does not, for it was there for longer",
        Cooldown::Unknown => "whether a cooldown does is not known",
    };
    format!("{pins}; {cooldown}")
}

fn replayed_json(replayed: &Replayed) -> Value {
    let Replayed { incident, played } = replayed;
    json!({
        "id": incident.id,
        "name": incident.name,
        "kind": incident.kind,
        "live_from": incident.live_from,
        "live_to": incident.live_to,
        "duration_hours": incident.duration.words,
        "delivery": incident.delivery,
        "validly_signed": incident.signed,
        "pin_stops": incident.pin_stops,
        "cooldown7d_stops": incident.cooldown_stops,
        "note": incident.note,
        "source": incident.source,
        "differences": differences(replayed),
        "played": played.iter().map(played_json).collect::<Value>(),
    })
}

fn played_json(played: &Played) -> Value {
    let regimes = Regime::ALL.map(|regime| (regime.label().to_owned(), tally_json(&played.tally(regime))));
    json!({
        "hours": hours(played.lasts),
        "computers": DESKS.len(),
        "asked": asked(played),
        "regimes": Value::Object(regimes.into_iter().collect()),
    })
}

fn tally_json(tally: &Tally) -> Value {
    let reasons = |at| {
        let of_it = tally.refused.iter().filter(move |(asked, _)| *asked == at);
        of_it.map(|(_, reason)| Value::from(reason.clone())).collect::<Value>()
    };
    json!({
        "received": tally.received.len(),
        "received_from_hour": tally.first_received().map(hours),
        "got_reviewed": tally.kept.len(),
        "got_reviewed_in_place_of_a_refusal": tally.substituted.len(),
        "refused_at_fixed_url": reasons(Asked::Fixed),
        "refused_at_link": reasons(Asked::Link),
        "refused_before": tally.refused_before.len(),
        "next_version_after_hours": tally.next.map(hours),
    })
}
