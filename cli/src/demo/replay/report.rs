//! What replays showed: an account of one incident, a table of several, or all of it for programs.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::demo::incidents::{CooldownStops, Documented, PinStops};
use crate::demo::replay::office::DESKS;
use crate::demo::replay::regime::Regime;
use crate::demo::replay::scene::{LONGEST, WATCHED, hours};
use crate::demo::replay::tally::{Asked, Tally};
use crate::demo::replay::verdict::differences;
use crate::demo::replay::{Played, Replayed};
use crate::listing::{Column, Listing};
use crate::terminal::{Terminal, Tone};
use crate::words::counted;

/// What replays showed.
pub(crate) struct Report(pub(crate) Vec<Replayed>);

/// The columns of the table. The wide ones have a line of their own on a terminal without room for them.
const COLUMNS: [Column; 8] = [
    Column::Text("Incident"),
    Column::Wide("Live"),
    Column::Text("No proxy"),
    Column::Text("Pins only"),
    Column::Wide("Pins and substitution"),
    Column::Text("Cooldown 7d"),
    Column::Text("Next version"),
    Column::Text("As dated"),
];

impl Report {
    /// Whether all of it came out as the table of incidents has it.
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

    /// The table for a page of documentation.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
        let titles = COLUMNS.map(|column| column.title().to_owned());
        let rule = COLUMNS.map(|_| "---".to_owned());
        let rows = self.0.iter().map(|replayed| line(&cells(replayed).map(|cell| cell.replace('|', "\\|"))));
        [line(&titles), line(&rule)].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        self.0.iter().map(replayed_json).collect()
    }
}

const LEGEND: &str = "\
Four computers ask once a day each. 'No proxy' and 'Cooldown 7d' say how many of them received
the changed bytes; with pins, also with substitution, nobody did unless it says how many.
'Next version': when the vendor's next clean version came through by the cooldown alone.
'pinfold demo --incident ID' tells one in full.";

fn cells(replayed: &Replayed) -> [String; 8] {
    let incident = &replayed.incident;
    let each = |cell: &dyn Fn(&Played) -> String| each(&replayed.played, cell);
    [
        incident.id.clone(),
        incident.duration.to_string(),
        each(&|played| reached(&played.tally(Regime::NoProxy))),
        each(&|played| pins_cell(incident, &played.tally(Regime::Pins))),
        each(&substitution_cell),
        each(&|played| reached(&played.tally(Regime::Cooldown))),
        each(&|played| next(&played.tally(Regime::Cooldown))),
        as_dated(replayed).to_owned(),
    ]
}

/// What is said of each duration, once where it is the same.
fn each(played: &[Played], cell: &dyn Fn(&Played) -> String) -> String {
    let mut cells: Vec<_> = played.iter().map(cell).collect();
    let all: Vec<_> = cells
        .iter()
        .zip(played)
        .map(|(cell, played)| format!("{cell} ({} h)", hours(played.lasts)))
        .collect();
    cells.dedup();
    match cells.as_slice() {
        [one] => one.clone(),
        _ => all.join(", "),
    }
}

fn reached(tally: &Tally) -> String {
    let Some(first) = tally.first_received() else { return "nobody".to_owned() };
    let reached = of_all(tally.received.len());
    match days(first) {
        0 => reached,
        day => format!("{reached} from day {day}"),
    }
}

fn pins_cell(incident: &Documented, tally: &Tally) -> String {
    if !tally.received.is_empty() {
        return reached(tally);
    }
    match (incident.pin_stops, tally.refused_before.len()) {
        (PinStops::UntilApproved, _) => "until approved".to_owned(),
        (PinStops::Yes | PinStops::VariantsOnly, 0) => "refused".to_owned(),
        (PinStops::Yes | PinStops::VariantsOnly, before) => format!("refused; {} before", of_all(before)),
    }
}

fn substitution_cell(played: &Played) -> String {
    let tally = played.tally(Regime::Substitution);
    if !tally.received.is_empty() {
        return reached(&tally);
    }
    let (kept, asked) = (tally.kept.len(), asked(played));
    match kept {
        0 => "refused".to_owned(),
        _ if kept == asked => "reviewed bytes".to_owned(),
        _ => format!("reviewed bytes for {kept} of {asked}"),
    }
}

/// Computers that asked while the changed bytes were live.
fn asked(played: &Played) -> usize {
    let direct = played.tally(Regime::NoProxy);
    direct.kept.iter().chain(direct.received.keys()).collect::<BTreeSet<_>>().len()
}

fn next(tally: &Tally) -> String {
    match tally.next {
        Some(after) => format!("day {}", days(after)),
        None => format!("not in {} days", days(WATCHED)),
    }
}

fn as_dated(replayed: &Replayed) -> &'static str {
    match (differences(replayed).is_empty(), replayed.incident.cooldown_stops) {
        (false, _) => "NO",
        (true, CooldownStops::Unknown) => "not known",
        (true, CooldownStops::Yes | CooldownStops::No) => "yes",
    }
}

fn of_all(computers: usize) -> String {
    format!("{computers} of {}", DESKS.len())
}

fn days(time: SignedDuration) -> i64 {
    time.as_hours() / 24
}

fn notes(replayed: &Replayed) -> Vec<String> {
    let id = &replayed.incident.id;
    differences(replayed).into_iter().map(|text| format!("{id}: not as dated: {text}\n")).collect()
}

fn account(replayed: &Replayed, terminal: &Terminal) -> String {
    let Replayed { incident, played } = replayed;
    let mut text = terminal.paint(Tone::Strong, &format!("{}: {}", incident.id, incident.name));
    let _ =
        write!(text, "\n\n  live     {} to {}: {}", incident.live_from, incident.live_to, incident.duration);
    let _ = write!(text, "\n  how      {}", incident.delivery.text());
    let _ = write!(text, "\n  known    {}\n  sources  {}", incident.note, incident.source);
    for played in played {
        let why = if played.lasts == LONGEST {
            ", and no longer: after twice the cooldown nothing new happens"
        } else {
            ""
        };
        let _ = write!(text, "\n\nplayed for {} hours{why}", hours(played.lasts));
        for regime in Regime::ALL {
            let told = told(incident, regime, &played.tally(regime), asked(played));
            let _ = write!(text, "\n  {:<23}{}", regime.title(), told.join("\n                         "));
        }
    }
    let _ = write!(text, "\n\nthe dates say: {}", dates(incident));
    match differences(replayed).as_slice() {
        [] => text.push_str("; what was seen agrees"),
        found => found.iter().for_each(|found| {
            let _ = write!(text, "\n{} {found}", terminal.paint(Tone::Bad, "not as dated:"));
        }),
    }
    text.push_str("\nevery vendor, attacker and computer here is part of this program, and every file a harmless stand-in");
    text
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

fn dates(incident: &Documented) -> String {
    let pins = match incident.pin_stops {
        PinStops::Yes => "pins stop it",
        PinStops::UntilApproved => "pins stop it until somebody approves it",
        PinStops::VariantsOnly => "pins stop it if there is one for each variant",
    };
    let cooldown = match incident.cooldown_stops {
        CooldownStops::Yes => "a cooldown of 7 days stops it",
        CooldownStops::No => "a cooldown of 7 days does not",
        CooldownStops::Unknown => "whether a cooldown does is not known",
    };
    format!("{pins}, {cooldown}")
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
