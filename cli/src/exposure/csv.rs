//! For spreadsheets. A cell from outside that would be a formula there is text here: a client chooses its page.

use ::csv::Writer;
use pinfold_store::{Sighted, Talked, Visited};

use super::report::Report;
use crate::failure::Failure;
use crate::printable::printable;

const TITLES: [&str; 20] = [
    "what",
    "client",
    "user",
    "count",
    "whole",
    "begun",
    "confirmed",
    "head_only",
    "first",
    "last",
    "verdict",
    "reason",
    "url",
    "page",
    "vendor",
    "sha256",
    "upstream",
    "tls",
    "certificate_issuer",
    "certificate_sha256",
];

pub(super) fn render(report: &Report) -> Result<Vec<u8>, Failure> {
    let mut rows = vec![TITLES.map(str::to_owned)];
    for (what, of) in
        [("received", &report.received), ("refused", &report.refused), ("asked-only", &report.described)]
    {
        rows.extend(of.iter().map(|sighted| exchange(what, sighted)));
    }
    rows.extend(report.talked.iter().map(tunnel));
    rows.extend(report.visited.iter().map(other_host));
    write(&rows).map_err(|error| Failure::could_not(format!("cannot make CSV: {error}")))
}

fn write(rows: &[[String; 20]]) -> Result<Vec<u8>, ::csv::Error> {
    let mut writer = Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.each_ref().map(|cell| safe(cell)))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// Spreadsheets take a cell that begins so for a formula, also behind blanks and in full-width letters; an apostrophe
/// says that it is text.
fn safe(cell: &str) -> String {
    let cell = printable(cell);
    let first = cell.trim_start().chars().next();
    let is_formula = first.is_some_and(|char| "=+-@|%\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(char));
    if is_formula { format!("'{cell}") } else { cell.into_owned() }
}

fn exchange(what: &str, sighted: &Sighted) -> [String; 20] {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let path = sighted.path.as_ref();
    [
        what.to_owned(),
        sighted.client.to_string(),
        text(sighted.user.as_deref()),
        sighted.count.to_string(),
        sighted.got.whole.to_string(),
        sighted.got.begun.to_string(),
        sighted.got.confirmed.to_string(),
        sighted.got.described.to_string(),
        sighted.first.to_string(),
        sighted.last.to_string(),
        sighted.outcome.as_str().to_owned(),
        sighted.reason.map(|reason| reason.code().to_owned()).unwrap_or_default(),
        sighted.url.to_string(),
        text(sighted.page.as_deref()),
        text(sighted.vendor.as_deref()),
        sighted.body.map(|body| body.to_hex()).unwrap_or_default(),
        path.map(|path| path.address.to_string()).unwrap_or_default(),
        path.map(|path| text(path.tls_version.as_deref())).unwrap_or_default(),
        path.map(|path| text(path.issuer.as_deref())).unwrap_or_default(),
        path.map(|path| text(path.fingerprint.as_deref())).unwrap_or_default(),
    ]
}

fn tunnel(talked: &Talked) -> [String; 20] {
    row_of([
        (0, "tunnel".to_owned()),
        (1, talked.client.to_string()),
        (2, talked.user.as_deref().unwrap_or_default().to_owned()),
        (3, talked.count.to_string()),
        (8, talked.first.to_string()),
        (9, talked.last.to_string()),
        (10, talked.status.to_string()),
        (11, talked.reason.map(|reason| reason.code().to_owned()).unwrap_or_default()),
        (12, talked.authority.to_string()),
    ])
}

/// What is not told apart is empty.
fn other_host(visited: &Visited) -> [String; 20] {
    row_of([
        (0, "other-host".to_owned()),
        (1, visited.client.map(|client| client.to_string()).unwrap_or_default()),
        (2, visited.user.as_deref().unwrap_or_default().to_owned()),
        (3, visited.count.to_string()),
        (8, visited.first.to_string()),
        (9, visited.last.to_string()),
        (12, visited.authority.as_ref().map(ToString::to_string).unwrap_or_default()),
    ])
}

fn row_of<const N: usize>(cells: [(usize, String); N]) -> [String; 20] {
    let mut row = [const { String::new() }; 20];
    for (at, cell) in cells {
        if let Some(place) = row.get_mut(at) {
            *place = cell;
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_a_formula_is_text_in_a_spreadsheet() {
        for formula in [
            "=HYPERLINK(\"http://evil.test\")",
            "+1",
            "-1",
            "@SUM(A1)",
            " =1",
            "\u{a0}=1",
            "\u{ff1d}1",
            "|calc",
            "%0A",
        ] {
            let first = safe(formula).chars().next();
            assert!(matches!(first, Some('\'' | '\\')), "{formula}");
        }
        assert_eq!(safe("\t=1"), "\\t=1");
        assert_eq!(safe("https://shop.test/?a=-1"), "https://shop.test/?a=-1");
    }

    #[test]
    fn quotes_and_line_breaks_stay_in_their_cell() {
        let mut row = [const { String::new() }; 20];
        row[13] = "a\",\r\nreceived,10.0.0.9,\"".to_owned();
        let text = String::from_utf8(write(&[row]).unwrap()).unwrap();

        assert_eq!(text.lines().count(), 1, "{text}");
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        assert_eq!(reader.records().next().unwrap().unwrap().len(), 20);
    }
}
