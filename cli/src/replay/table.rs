//! For people at a terminal.

use pinfold_policy::reason::Reason;

use super::judge::Now;
use super::report::{Judged, Report};
use crate::listing::{Column, Listing};
use crate::terminal::{Terminal, Tone};
use crate::words::moment;

pub(super) fn render(report: &Report, terminal: &Terminal) -> String {
    let mut parts = Vec::new();
    for (title, tone, of) in [
        ("would be refused, and was released", Tone::Bad, &report.refused),
        ("would pass, and was refused", Tone::Warning, &report.passes),
        ("would pass without being verified, and was verified", Tone::Warning, &report.unverified),
        ("cannot be told", Tone::Strong, &report.untold),
    ] {
        if !of.is_empty() {
            parts.push(format!("{}\n{}", terminal.paint(tone, title), listing(report, of).render(terminal)));
        }
    }
    let title = terminal.paint(Tone::Strong, "statement");
    parts.push(format!("{title}\n{}", report.statement().join("\n")));
    let title = terminal.paint(Tone::Strong, "coverage");
    parts.push(format!("{title}\n- {}", report.coverage().join("\n- ")));
    parts.join("\n\n")
}

fn listing(report: &Report, of: &[Judged]) -> Listing {
    let mut listing = Listing::new([
        Column::Number("TIMES"),
        Column::Number("CLIENTS"),
        Column::Text("FIRST, UTC"),
        Column::Text("LAST, UTC"),
        Column::Wide("THEN, NOW"),
        Column::Wide("URL"),
        Column::Wide("SHA-256"),
        Column::Wide("WHO"),
    ]);
    for judged in of {
        let (then, why) = judged.then;
        listing.row([
            judged.count.to_string(),
            judged.clients.len().to_string(),
            moment(judged.first),
            moment(judged.last),
            format!("{} then, {} now", with_reason(then.as_str(), why), now_text(judged.now)),
            judged.url.to_string(),
            judged.body.map_or_else(|| "not measured".to_owned(), |body| body.to_hex()),
            format!("for {}", report.named(judged.clients.keys().copied())),
        ]);
    }
    listing
}

fn now_text(now: Now) -> String {
    let (word, reason) = now.words();
    let text = with_reason(word, reason);
    match now {
        Now::Refused { or_substituted: true, .. } => format!("{text} or substituted"),
        Now::Refused { .. } | Now::Passes(_) | Now::AsThen | Now::Untold(_) => text,
    }
}

fn with_reason(word: &str, reason: Option<Reason>) -> String {
    reason.map_or_else(|| word.to_owned(), |reason| format!("{word} ({reason})"))
}
