//! A report that can be handed on.
//!
//! What came from outside stands in code spans, where Markdown has no other meaning than their end: nothing there is a
//! link, an image, HTML or the next cell of a table.

use pinfold_store::{Sighted, Talked, Visited};

use super::report::{Report, verdict_text};
use super::table::{flowed, whither, who};
use crate::printable::printable;
use crate::words::{moment, path_text, second};

pub(super) fn render(report: &Report) -> String {
    let mut text = format!("# Exposure\n\nMade by pinfold on {}.\n\n", second(report.made));
    for (what, value) in report.question() {
        text.push_str(&format!("- {what}: {}\n", code(&value)));
    }
    text.push_str(&format!("\n## Statement\n\n- {}\n", report.statement(&code).join("\n- ")));
    text.push_str(&format!("\n## Coverage of this statement\n\n- {}\n", report.coverage(&code).join("\n- ")));
    for (title, of) in [
        ("May have received it", &report.received),
        ("Was refused", &report.refused),
        ("Asked about it only", &report.described),
    ] {
        exchanges(&mut text, title, of);
    }
    tunnels(&mut text, &report.talked);
    other_hosts(&mut text, &report.visited);
    text.trim_end().to_owned()
}

fn exchanges(text: &mut String, title: &str, of: &[Sighted]) {
    if of.is_empty() {
        return;
    }
    text.push_str(&format!("\n## {title}\n\nTimes are in UTC.\n\n"));
    text.push_str("| Client | User | Times | First | Last | Verdict | URL | Page | Came by | SHA-256 |\n");
    text.push_str("|---|---|--:|---|---|---|---|---|---|---|\n");
    for sighted in of {
        let cells = [
            sighted.client.to_string(),
            code(sighted.user.as_deref().unwrap_or_default()),
            sighted.count.to_string(),
            moment(sighted.first),
            moment(sighted.last),
            verdict_text(sighted),
            code(&sighted.url),
            code(sighted.page.as_deref().unwrap_or_default()),
            code(&sighted.path.as_ref().map(|path| path_text(path, ", ")).unwrap_or_default()),
            code(&sighted.body.map(|body| body.to_hex()).unwrap_or_default()),
        ];
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

fn tunnels(text: &mut String, of: &[Talked]) {
    if of.is_empty() {
        return;
    }
    text.push_str("\n## Tunnels\n\nTimes are in UTC. What went through a tunnel was not seen.\n\n");
    text.push_str("| Client | User | Times | First | Last | To | Flowed |\n|---|---|--:|---|---|---|---|\n");
    for talked in of {
        let cells = [
            talked.client.to_string(),
            code(talked.user.as_deref().unwrap_or_default()),
            talked.count.to_string(),
            moment(talked.first),
            moment(talked.last),
            code(&talked.authority.to_string()),
            flowed(talked),
        ];
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

fn other_hosts(text: &mut String, of: &[Visited]) {
    if of.is_empty() {
        return;
    }
    text.push_str(
        "\n## Answers of hosts that no vendor claimed\n\nTimes are in UTC. Nobody looked at what came.\n\n",
    );
    text.push_str("| Client | User | Times | First | Last | From |\n|---|---|--:|---|---|---|\n");
    for visited in of {
        let cells = [
            who(visited),
            code(visited.user.as_deref().unwrap_or_default()),
            visited.count.to_string(),
            moment(visited.first),
            moment(visited.last),
            code(&whither(visited)),
        ];
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

/// A code span. It has no escapes of its own, so what would end it, or its cell, is written as all that deceives is.
fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let text = printable(text).replace('`', "\\u{60}").replace('|', "\\u{7c}");
    format!("`{text}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_cannot_leave_its_cell_of_the_report() {
        for attack in [
            "a | b",
            "a\n\n# Nobody received it",
            "` <script>alert(1)</script> `",
            "``` \u{2028} ```",
            "![x](https://evil.test/pixel)",
            "\\`|",
            "\u{202e}gpj",
        ] {
            let span = code(attack);
            let inner = span.strip_prefix('`').and_then(|span| span.strip_suffix('`')).unwrap();
            assert!(!inner.contains(['`', '|', '\n', '\r', '\u{2028}', '\u{202e}']), "{span}");
        }
    }
}
