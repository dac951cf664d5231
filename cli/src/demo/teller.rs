//! Tells the story: as text of at most 80 columns while it happens, or as JSON when it is over.

use std::time::Duration;

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::printable::printable;
use crate::terminal::{Terminal, Tone};

const WIDTH: usize = 80;
/// Where the text behind a mark begins.
const COLUMN: usize = 10;

/// Where the story is told, and how it went so far.
pub(crate) struct Teller<'a> {
    terminal: &'a Terminal,
    steps: Vec<Step>,
}

struct Step {
    title: String,
    checks: Vec<Check>,
    evidence: Vec<String>,
}

struct Check {
    ok: bool,
    told: String,
    seen: String,
}

impl Step {
    fn ok(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.ok)
    }

    fn json(&self, number: usize) -> Value {
        let check = |check: &Check| match check.ok {
            true => json!({ "ok": true, "told": check.told }),
            false => json!({ "ok": false, "told": check.told, "seen": check.seen }),
        };
        json!({
            "step": number,
            "title": self.title,
            "ok": self.ok(),
            "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
            "evidence": self.evidence,
        })
    }
}

impl<'a> Teller<'a> {
    /// A story that has not begun.
    pub(crate) fn new(terminal: &'a Terminal) -> Self {
        Self { terminal, steps: Vec::new() }
    }

    /// A heading that is no step.
    pub(crate) fn heading(&mut self, text: &str) -> Result<(), Failure> {
        let text = self.terminal.paint(Tone::Strong, text);
        self.write(&format!("\n{text}\n"))
    }

    /// A paragraph.
    pub(crate) fn paragraph(&mut self, text: &str) -> Result<(), Failure> {
        self.write(&format!("\n  {}", wrapped(text, 2, 2)))
    }

    /// Lines as they are, and what is said of them.
    pub(crate) fn quoted(&mut self, lines: &[String], text: &str) -> Result<(), Failure> {
        let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
        self.write(&format!("\n{lines}        {}", wrapped(text, 8, 8)))
    }

    /// Begins the next step.
    pub(crate) fn step(&mut self, title: &str, text: &str) -> Result<(), Failure> {
        self.steps.push(Step { title: title.to_owned(), checks: Vec::new(), evidence: Vec::new() });
        self.heading(&format!("{}. {title}", self.steps.len()))?;
        self.paragraph(text)?;
        self.write("\n")
    }

    /// Says what was told and whether it came out so; `seen` is said only if it did not.
    pub(crate) fn check(&mut self, ok: bool, told: &str, seen: impl Into<String>) -> Result<(), Failure> {
        let check = Check { ok, told: told.to_owned(), seen: seen.into() };
        let (tone, mark) = if ok { (Tone::Good, "ok") } else { (Tone::Bad, "FAILED") };
        let gap = " ".repeat(COLUMN - 2 - mark.len());
        let mark = self.terminal.paint(tone, mark);
        let text = if ok { told.to_owned() } else { format!("{told}; seen: {}", printable(&check.seen)) };
        if let Some(step) = self.steps.last_mut() {
            step.checks.push(check);
        }
        self.write(&format!("  {mark}{gap}{}", wrapped(&text, COLUMN, COLUMN)))
    }

    /// Shows what a check rests on.
    pub(crate) fn evidence(&mut self, line: &str) -> Result<(), Failure> {
        if let Some(step) = self.steps.last_mut() {
            step.evidence.push(line.to_owned());
        }
        self.write(&format!("{}{}", " ".repeat(COLUMN), wrapped(&printable(line), COLUMN, COLUMN + 2)))
    }

    /// Whether each step came out as told so far.
    pub(crate) fn all_ok(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(Step::ok)
    }

    /// Ends the story.
    pub(crate) fn end(&mut self, took: Duration) -> Result<(), Failure> {
        if self.terminal.json {
            let steps: Value = self.steps.iter().zip(1..).map(|(step, number)| step.json(number)).collect();
            return self.terminal.print_json(&steps);
        }
        let numbered = self.steps.iter().zip(1..);
        let failed: Vec<_> =
            numbered.filter(|(step, _)| !step.ok()).map(|(_, number)| format!("step {number}")).collect();
        let seconds = took.as_secs_f64();
        let verdict = if failed.is_empty() {
            format!("All {} steps came out as told, in {seconds:.1} s.", self.steps.len())
        } else {
            format!("NOT as told: {}. It took {seconds:.1} s.", failed.join(", "))
        };
        let verdict = self.terminal.paint(Tone::Strong, &verdict);
        self.write(&format!("\n{verdict}\nNothing is left behind: no file, no process, no open port.\n"))
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        if self.terminal.json { Ok(()) } else { self.terminal.print_bytes(text.as_bytes()) }
    }
}

/// Words in lines of at most 80 columns, each of which ends. The first one begins in `column`, where something may
/// stand already; the others are indented.
fn wrapped(text: &str, mut column: usize, indent: usize) -> String {
    let mut lines = String::new();
    for (at, word) in text.split(' ').enumerate() {
        let len = word.chars().count();
        let is_first = at == 0;
        if !is_first && column + 1 + len > WIDTH {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            column = indent;
        } else if !is_first {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += len;
    }
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_than_a_terminal_and_no_word_is_lost() {
        let text = "word ".repeat(60) + "end";
        let lines = format!("{}{}", " ".repeat(10), wrapped(&text, 10, 12));
        assert!(lines.lines().all(|line| line.len() <= WIDTH), "{lines}");
        assert!(lines.lines().skip(1).all(|line| line.starts_with("            word")), "{lines}");
        assert_eq!(lines.split_whitespace().collect::<Vec<_>>().join(" "), text);
    }

    #[test]
    fn a_story_is_told_only_if_each_check_of_each_step_came_out() {
        let terminal = Terminal::elsewhere(true, false, None);
        let mut teller = Teller::new(&terminal);
        assert!(!teller.all_ok(), "nothing was told");
        teller.step("one", "").unwrap();
        assert!(!teller.all_ok(), "nothing was checked");
        teller.check(true, "a", "").unwrap();
        assert!(teller.all_ok());
        teller.step("two", "").unwrap();
        teller.check(false, "b", "c").unwrap();
        teller.check(true, "d", "").unwrap();
        assert!(!teller.all_ok());
        assert_eq!(teller.steps[1].json(2)["checks"][0], json!({ "ok": false, "told": "b", "seen": "c" }));
    }
}
