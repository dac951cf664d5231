//! For people at a terminal.

use pinfold_store::{Sighted, Talked, Visited};

use super::report::{Report, verdict_text};
use crate::listing::{Column, Listing};
use crate::printable::printable;
use crate::terminal::{Terminal, Tone};
use crate::words::{moment, path_text, size};

pub(super) fn shown(text: &str) -> String {
    printable(text).into_owned()
}

pub(super) fn render(report: &Report, terminal: &Terminal) -> String {
    let mut parts = Vec::new();
    let mut part = |title: &str, tone: Tone, listing: &Listing| {
        if !listing.is_empty() {
            parts.push(format!("{}\n{}", terminal.paint(tone, title), listing.render(terminal)));
        }
    };
    let one_body = report.sought.body.is_some();
    part("may have received it", Tone::Bad, &exchanges(&report.received, one_body));
    part("was refused", Tone::Good, &exchanges(&report.refused, one_body));
    part("asked about it only", Tone::Strong, &exchanges(&report.described, one_body));
    part("tunnels", Tone::Warning, &tunnels(&report.talked));
    part("answers of hosts that no vendor claimed", Tone::Warning, &other_hosts(&report.visited));
    let title = terminal.paint(Tone::Strong, "statement");
    parts.push(format!("{title}\n{}", report.statement(&shown).join("\n")));
    let title = terminal.paint(Tone::Strong, "coverage");
    parts.push(format!("{title}\n- {}", report.coverage(&shown).join("\n- ")));
    parts.join("\n\n")
}

fn exchanges(of: &[Sighted], one_body: bool) -> Listing {
    let mut columns = vec![
        Column::Text("CLIENT"),
        Column::Text("USER"),
        Column::Number("TIMES"),
        Column::Text("FIRST, UTC"),
        Column::Text("LAST, UTC"),
        Column::Wide("VERDICT"),
        Column::Wide("URL"),
        Column::Wide("PAGE"),
        Column::Wide("CAME BY"),
    ];
    // Where one body was sought, each row would repeat its digest.
    columns.extend((!one_body).then_some(Column::Wide("SHA-256")));
    let mut listing = Listing::new(columns);
    for sighted in of {
        let mut cells = vec![
            sighted.client.to_string(),
            sighted.user.as_deref().unwrap_or("-").to_owned(),
            sighted.count.to_string(),
            moment(sighted.first),
            moment(sighted.last),
            verdict_text(sighted),
            sighted.url.to_string(),
            sighted.page.as_deref().map(|page| format!("from {page}")).unwrap_or_default(),
            sighted
                .path
                .as_ref()
                .map_or_else(|| "from the shelf, or never fetched".to_owned(), |path| path_text(path, ", ")),
        ];
        let body = || sighted.body.map_or_else(|| "not measured".to_owned(), |body| body.to_hex());
        cells.extend((!one_body).then(body));
        listing.row(cells);
    }
    listing
}

fn tunnels(of: &[Talked]) -> Listing {
    let mut listing = Listing::new([
        Column::Text("CLIENT"),
        Column::Text("USER"),
        Column::Number("TIMES"),
        Column::Text("FIRST, UTC"),
        Column::Text("LAST, UTC"),
        Column::Wide("TO"),
        Column::Wide("FLOWED"),
    ]);
    for talked in of {
        listing.row([
            talked.client.to_string(),
            talked.user.as_deref().unwrap_or("-").to_owned(),
            talked.count.to_string(),
            moment(talked.first),
            moment(talked.last),
            talked.authority.to_string(),
            flowed(talked),
        ]);
    }
    listing
}

fn other_hosts(of: &[Visited]) -> Listing {
    let mut listing = Listing::new([
        Column::Text("CLIENT"),
        Column::Text("USER"),
        Column::Number("TIMES"),
        Column::Text("FIRST, UTC"),
        Column::Text("LAST, UTC"),
        Column::Wide("FROM"),
    ]);
    for visited in of {
        listing.row([
            who(visited),
            visited.user.as_deref().unwrap_or("-").to_owned(),
            visited.count.to_string(),
            moment(visited.first),
            moment(visited.last),
            whither(visited),
        ]);
    }
    listing
}

/// The client, as far as it is told apart.
pub(super) fn who(visited: &Visited) -> String {
    visited.client.map_or_else(|| "not told apart".to_owned(), |client| client.to_string())
}

/// The host and port, likewise.
pub(super) fn whither(visited: &Visited) -> String {
    visited.authority.as_ref().map_or_else(|| "not told apart".to_owned(), ToString::to_string)
}

/// `200: 1.2 KiB sent, 3.4 KiB received`.
pub(super) fn flowed(talked: &Talked) -> String {
    let reason = talked.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("{}{reason}: {} sent, {} received", talked.status, size(talked.sent), size(talked.received))
}
