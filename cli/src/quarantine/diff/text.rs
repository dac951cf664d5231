//! What was found, for people: facts before hosts, hosts before capabilities, and the difference last.

use std::collections::HashSet;
use std::ops::Range;

use pinfold_triage::{
    Change, DiffLine, Fact, Findings, Function, FunctionChange, FunctionCounts, Group, Host, Hunk, Loss,
    Mark, Novelty, OtherOrigin, Renamed, Site, differing_words,
};

use super::Compared;
use super::json::mark_text;
use crate::printable::{printable, printable_code};
use crate::terminal::{Terminal, Tone};
use crate::words::{counted, exact_size, second};

/// Functions of each kind that are shown, and lines of those without a name that tells something; JSON has more.
const FUNCTIONS: usize = 10;
/// Literals that are shown.
const LITERALS: usize = 40;
/// Bytes of lines that are compared word by word.
const WORDS: usize = 200_000;
/// Columns of a name, in front of counts.
const NAME: usize = 46;

/// The page. No final newline.
pub(super) fn of(compared: &Compared, terminal: &Terminal) -> String {
    let page = Page { compared, findings: &compared.findings, terminal };
    let findings = page.findings;
    let sections = [
        page.head(),
        page.contents(),
        page.hosts(&findings.hosts),
        page.losses(&findings.losses),
        page.capabilities(&findings.facts),
        page.literals(),
        page.measures(),
        page.functions(&findings.functions),
        page.diff(),
        page.members(),
    ];
    let sections: Vec<_> =
        sections.iter().map(|section| section.trim_end()).filter(|section| !section.is_empty()).collect();
    sections.join("\n\n")
}

pub(super) struct Page<'a> {
    pub(super) compared: &'a Compared,
    /// Those of the body, or of one of its members.
    pub(super) findings: &'a Findings,
    pub(super) terminal: &'a Terminal,
}

impl<'a> Page<'a> {
    /// The same for a member: all but its members' own.
    pub(super) fn of_member(&self, findings: &'a Findings) -> String {
        let page = Page { findings, ..*self };
        let sections = [
            page.together(),
            page.contents(),
            page.losses(&findings.losses),
            page.capabilities(&findings.facts),
            page.literals(),
            page.functions(&findings.functions),
            page.diff(),
        ];
        sections.concat()
    }

    pub(super) fn title(&self, title: &str, rest: &str) -> String {
        let rest = if rest.is_empty() { String::new() } else { format!("  {}", self.faint(rest)) };
        format!("{}{rest}\n", self.terminal.paint(Tone::Strong, title))
    }

    pub(super) fn faint(&self, text: &str) -> String {
        self.terminal.paint(Tone::Faint, text)
    }

    fn head(&self) -> String {
        let Compared { item, verified, .. } = self.compared;
        let findings = self.findings;
        let mut text = format!(
            "{}  {}\n{}\n\n",
            self.terminal.paint(Tone::Strong, &item.incident.to_string()),
            item.state,
            printable(&item.url)
        );
        let against = match verified {
            Some(verified) => {
                let size = exact_size(verified.len);
                let learned = if verified.learned {
                    self.terminal.paint(Tone::Warning, "; learned: nobody has reviewed it")
                } else {
                    String::new()
                };
                format!("{}, {size}; verified last {}{learned}", verified.digest, second(verified.at))
            }
            None => "nothing: no verified body of this URL is kept, so that all it does is listed".to_owned(),
        };
        let mut facts = vec![
            ("new", format!("{}, {}", item.digest, exact_size(item.len))),
            ("against", against),
            ("change", change(findings)),
        ];
        if let Some(why) = &findings.not_analysed {
            let why = format!("not analysed because {}", printable(&why.text()));
            facts.push(("note", self.terminal.paint(Tone::Warning, &why)));
        }
        if let Some(version) = &findings.version {
            facts.push(("version", printable(&version.text()).into_owned()));
        }
        facts.push(("summary", self.summary()));
        for (name, value) in facts {
            text.push_str(&format!("  {name:<8}  {value}\n"));
        }
        text + &self.together()
    }

    /// What one function newly does, a sentence for each.
    fn together(&self) -> String {
        let each = self.findings.together.iter().enumerate().map(|(at, together)| {
            let name = if at == 0 { "together" } else { "" };
            let said = self.terminal.paint(Tone::Bad, &printable(&together.text()));
            let from = self.faint(&format!("from line {}", together.line));
            format!("  {name:<8}  {said}  {from}\n")
        });
        each.collect()
    }

    fn summary(&self) -> String {
        let findings = self.findings;
        let mut parts = Vec::new();
        let hidden = findings.hosts.iter().filter(|host| host.hidden).count();
        let imitating = findings.hosts.iter().filter(|host| host.imitates.is_some()).count();
        parts.push(match findings.hosts.len() {
            0 => "no new host".to_owned(),
            1 if hidden == 1 => "1 new host, hidden".to_owned(),
            count if hidden == 0 => counted(count, "new host"),
            count => format!("{}, {hidden} of them hidden", counted(count, "new host")),
        });
        if imitating > 0 {
            parts.push(format!("{imitating} that imitates one that is expected"));
        }
        if !findings.losses.is_empty() {
            parts.push(format!("{} gone or another", counted(findings.losses.len(), "guard")));
        }
        parts.extend(self.summary_of_contents());
        if findings.facts.is_empty() && findings.contents.is_some() {
            return parts.join("; ");
        }
        let is_unread = findings.change == Change::Unknown && findings.facts.is_empty();
        parts.push(match done(&findings.facts) {
            Some(done) => done,
            // Who makes a script that cannot be analysed does not get an all-clear for it.
            None if is_unread || findings.not_analysed.is_some() => {
                "what else it does is not known".to_owned()
            }
            None => "nothing that it did not do before".to_owned(),
        });
        parts.join("; ")
    }

    fn hosts(&self, hosts: &[Host]) -> String {
        if hosts.is_empty() {
            return String::new();
        }
        let mut text = self.title("NEW HOSTS", "");
        let mut domain = None;
        for host in hosts {
            let is_other = domain.replace(&host.domain) != Some(&host.domain);
            if is_other && host.domain != host.host {
                text.push_str(&format!("  {}\n", printable(&host.domain)));
            }
            let indent = if host.domain == host.host { "  " } else { "    " };
            let mut notes = Vec::new();
            notes.extend(host.line.map(|line| self.faint(&format!("line {line}"))));
            if host.hidden {
                notes.push(
                    self.terminal.paint(Tone::Warning, "hidden: it does not stand in the code as it is"),
                );
            }
            if let Some(imitated) = &host.imitates {
                notes.push(self.terminal.paint(Tone::Bad, &format!("imitates {}", printable(imitated))));
            }
            text.push_str(&format!(
                "{indent}{}  {}\n",
                self.terminal.paint(Tone::Strong, &printable(&host.host)),
                notes.join("  ")
            ));
            for url in host.urls.iter().filter(|url| **url != host.host) {
                text.push_str(&format!("{indent}  {}\n", printable(url)));
            }
        }
        text
    }

    fn losses(&self, losses: &[Loss]) -> String {
        if losses.is_empty() {
            return String::new();
        }
        let mut text = self.title("GUARDS THAT ARE GONE", "lines of the verified version");
        for loss in losses {
            text.push_str(&format!("    {}\n", self.terminal.paint(Tone::Bad, &loss.text())));
            for site in &loss.gone {
                let line = self.faint(&format!("{:>8}", site.line));
                text.push_str(&format!("{line}  {}\n", self.cut(&site.excerpt, 12)));
                text.push_str(&self.differs(site));
            }
            for site in &loss.others {
                let line = self.faint(&format!("{:>8}", "now"));
                text.push_str(&format!("{line}  {}\n", self.cut(&site.excerpt, 12)));
                text.push_str(&self.differs(site));
            }
        }
        text
    }

    fn capabilities(&self, facts: &[Fact]) -> String {
        if facts.is_empty() {
            return String::new();
        }
        let rest = if self.compared.verified.is_some() { "places before → now" } else { "places" };
        let mut text = self.title("WHAT IT NEWLY DOES", rest);
        for group in Group::ALL {
            let of_group: Vec<_> = facts.iter().filter(|fact| fact.capability.group() == group).collect();
            if of_group.is_empty() {
                continue;
            }
            text.push_str(&format!("  {}\n", self.faint(group.text())));
            for fact in of_group {
                text.push_str(&self.fact(fact));
            }
        }
        text
    }

    fn fact(&self, fact: &Fact) -> String {
        let tone = if fact.reviewed == 0 { Tone::Bad } else { Tone::Warning };
        let name = self.terminal.paint(tone, &format!("{:<NAME$}", fact.capability.text()));
        let counts = match self.compared.verified {
            Some(_) => format!("{} → {}", fact.reviewed, fact.new),
            None => fact.new.to_string(),
        };
        let mut text = format!("    {name}  {counts}\n");
        let mut above: &[OtherOrigin] = &[];
        for site in &fact.sites {
            let inside =
                if site.in_string { format!("{} ", self.faint("in a string:")) } else { String::new() };
            let means =
                site.means.as_ref().map(|means| self.faint(&format!("  that is {}", printable(means))));
            let (line, excerpt) = (self.faint(&format!("{:>8}", site.line)), self.cut(&site.excerpt, 12));
            text.push_str(&format!("{line}  {inside}{excerpt}{}\n", means.unwrap_or_default()));
            text.push_str(&self.differs(site));
            text.push_str(&self.origins(site, above));
            above = &site.origins;
        }
        let more = fact.others.saturating_sub(fact.sites.len());
        if more > 0 {
            text.push_str(&format!("{:>8}  {}\n", "", self.faint(&format!("and {more} more"))));
        }
        for site in &fact.gone {
            let line = self.faint(&format!("{:>8}", "no more"));
            text.push_str(&format!("{line}  {}\n", self.cut(&site.excerpt, 12)));
            text.push_str(&self.differs(site));
        }
        text
    }

    /// Where it differs from what stands in the other version and looks the same.
    fn differs(&self, site: &Site) -> String {
        let Some(there) = &site.differs else { return String::new() };
        let said = format!("what differs, on line {}: ", there.line);
        let excerpt = self.cut(&there.excerpt, 12 + said.len());
        format!("{:>8}  {}{excerpt}\n", "", self.faint(&said))
    }

    /// What its variables come from, where that alone is not what it was.
    fn origins(&self, site: &Site, above: &[OtherOrigin]) -> String {
        let mut text = String::new();
        let mut say = |said: &str, code: &str| {
            let code = self.cut(code, 12 + said.len());
            text.push_str(&format!("{:>8}  {}{code}\n", "", self.faint(said)));
        };
        // Of more than is told it is not known whether it is the same.
        if !site.origins.is_empty() && !site.are_more_origins && site.origins == above {
            say("as before, but the same comes into it as above", "");
            return text;
        }
        for origin in &site.origins {
            say("as before, but something else comes into: ", &origin.name);
            for (was, there) in [("was", &origin.old), ("is", &origin.new)] {
                match there {
                    Some(there) => say(&format!("  {was}, on line {}: ", there.line), &there.excerpt),
                    None => say(&format!("  {was} not there"), ""),
                }
            }
        }
        if site.are_more_origins {
            say("and more of that", "");
        }
        text
    }

    /// Text of the attacker, safe to look at, and no longer than a line of the terminal.
    pub(super) fn cut(&self, text: &str, indent: usize) -> String {
        let shown = printable_code(text);
        let most = columns(self.terminal, indent);
        match shown.char_indices().nth(most) {
            None => shown.into_owned(),
            Some(_) => shown.chars().take(most - 1).chain(['…']).collect(),
        }
    }

    fn literals(&self) -> String {
        let literals = &self.findings.literals;
        if literals.is_empty() {
            return String::new();
        }
        let mut text = self.title("CHANGED LITERALS", "nothing else changed");
        for literal in literals.iter().take(LITERALS) {
            let line = self.faint(&format!("{:>8}", literal.line));
            text.push_str(&format!(
                "{line}  {}\n",
                self.terminal.paint(Tone::Bad, &self.cut(&literal.old, 12))
            ));
            text.push_str(&format!(
                "{:>8}  {}\n",
                "→",
                self.terminal.paint(Tone::Good, &self.cut(&literal.new, 12))
            ));
        }
        text + &self.left_out(literals.len(), LITERALS)
    }

    pub(super) fn left_out(&self, count: usize, shown: usize) -> String {
        match count.saturating_sub(shown) {
            0 => String::new(),
            more => format!("{:>8}  {}\n", "", self.faint(&format!("and {more} more: --json has them"))),
        }
    }

    fn measures(&self) -> String {
        let measures = &self.findings.measures;
        if measures.is_empty() {
            return String::new();
        }
        let mut text =
            self.title("HOW IT READS", if self.compared.verified.is_some() { "before → now" } else { "" });
        for measure in measures {
            let before = measure.reviewed.map(|before| format!("{before} → ")).unwrap_or_default();
            text.push_str(&format!("    {:<NAME$}  {before}{}\n", measure.what, measure.new));
        }
        text
    }

    fn functions(&self, functions: &[Function]) -> String {
        if functions.is_empty() {
            return String::new();
        }
        let mut text = self.title("FUNCTIONS", "without those that they hold");
        let counts = self.findings.function_counts;
        if let Some(rebuilt) = counts.rebuilt() {
            return format!("{text}    {rebuilt}\n");
        }
        for how in KINDS {
            let of_kind = functions.iter().filter(|function| function.how == how);
            let (telling, others): (Vec<_>, Vec<_>) = of_kind.partition(|one| one.has_telling_name());
            let word = |is_first: bool| if is_first { how.code() } else { "" };
            for (at, function) in telling.iter().take(FUNCTIONS).enumerate() {
                let line = self.faint(&format!("{:>6}", function.line));
                text.push_str(&format!("    {:<8}{line}  {}\n", word(at == 0), self.cut(&function.name, 20)));
            }
            if !others.is_empty() {
                let said = self.faint(&without_telling_names(&others));
                text.push_str(&format!("    {:<8}{:>6}  {said}\n", word(telling.is_empty()), ""));
            }
            text.push_str(&self.left_out(counts.of(how), others.len() + telling.len().min(FUNCTIONS)));
        }
        text
    }

    fn diff(&self) -> String {
        let diff = &self.findings.diff;
        // Without a version to compare with, places are named already, each with what stands there.
        let renamed = self.renamed();
        if diff.added + diff.removed == 0 && renamed.is_empty() {
            return String::new();
        }
        let mut text = self.title("DIFFERENCE", "of both versions in one format");
        text.push_str(&renamed);
        text.extend(diff.unchanged().map(|unchanged| format!("{unchanged}\n")));
        let mut beside = Beside::of(&self.findings.facts);
        for hunk in &diff.hunks {
            text.push_str(&self.hunk(hunk, &mut beside));
        }
        if beside.of_build > 0 {
            let lines = counted(beside.of_build, "changed line");
            let said = format!(
                "  names of one or two letters stand for other variables than beside them on {lines}"
            );
            text.push_str(&format!("{}\n", self.faint(&said)));
        }
        if diff.left_out > 0 {
            let (part, parts) = (diff.part + 1, diff.parts.len());
            let more = match part < parts {
                true => format!("; '--part {}' goes on", part + 1),
                false => String::new(),
            };
            let left_out = diff.left_out;
            let said = format!("part {part} of {parts}: {left_out} changed lines are in others{more}");
            text.push_str(&format!("{}\n", self.terminal.paint(Tone::Warning, &said)));
        }
        if diff.cut > 0 {
            let cut = format!("{} changed lines are longer than what is kept of them", diff.cut);
            text.push_str(&format!("{}\n", self.terminal.paint(Tone::Warning, &cut)));
        }
        text
    }

    /// What became of lines that differ by names of local variables alone.
    fn renamed(&self) -> String {
        match &self.findings.diff.renamed {
            Renamed::Shown | Renamed::LeftOut { lines: 0 } => String::new(),
            Renamed::LeftOut { lines } => {
                let differ = if *lines == 1 { "differs" } else { "differ" };
                let lines = counted(*lines, "line");
                self.faint(&format!(
                    "  {lines} {differ} by names of local variables alone, and count as unchanged: --names shows them"
                )) + "\n"
            }
            Renamed::NotKnown(why) => {
                let why = format!(
                    "  with what differs by names of local variables alone, because {}",
                    printable(&why.text())
                );
                self.terminal.paint(Tone::Warning, &why) + "\n"
            }
        }
    }

    fn hunk(&self, hunk: &Hunk, lines: &mut Beside) -> String {
        let mut text = self.faint(&format!("  ··· line {}", hunk.new_start)) + "\n";
        let (mut old, mut new) = (hunk.old_start, hunk.new_start);
        for run in
            hunk.lines.chunk_by(|before, line| (before.mark == Mark::Both) == (line.mark == Mark::Both))
        {
            let of = |side: Mark| run.iter().filter(move |line| line.mark == side).map(|line| &*line.text);
            let beside: Vec<_> = of(Mark::Removed).zip(of(Mark::Added)).collect();
            let differing: Vec<_> =
                beside.iter().map(|(gone, there)| self.differing(gone, there, &mut lines.words)).collect();
            let (mut gone, mut there) = (differing.iter(), differing.iter());
            let mut of_other_side = of(Mark::Removed);
            for shown in run {
                let DiffLine { mark, text: line, other_names, .. } = shown;
                let said = match mark {
                    Mark::Added => {
                        let was = of_other_side.next();
                        other_names.as_ref().filter(|_| lines.are_said(shown, was, new))
                    }
                    Mark::Both | Mark::Removed => None,
                };
                let (number, line) = match mark {
                    Mark::Both => (new, format!("  {}", self.cut(line, 12))),
                    Mark::Removed => {
                        let words = gone.next().and_then(Option::as_ref).map(|[gone, _]| &**gone);
                        (old, marked(self.terminal, line, *mark, [Tone::Bad, Tone::Gone], words))
                    }
                    Mark::Added => {
                        let words = there.next().and_then(Option::as_ref).map(|[_, there]| &**there);
                        (new, marked(self.terminal, line, *mark, [Tone::Good, Tone::Fresh], words))
                    }
                };
                text.push_str(&format!("{}  {line}\n", self.faint(&format!("{number:>8}"))));
                if let Some(names) = said {
                    let said = format!("{:>8}    another variable of that name: {}", "", printable(names));
                    text.push_str(&format!("{}\n", self.faint(&said)));
                }
                old += usize::from(*mark != Mark::Added);
                new += usize::from(*mark != Mark::Removed);
            }
        }
        text
    }

    /// What differs between two lines that stand beside each other; nothing where nobody would see it marked.
    fn differing(&self, gone: &str, there: &str, words: &mut usize) -> Option<[Vec<Range<usize>>; 2]> {
        if !self.terminal.color {
            return None;
        }
        *words = words.checked_sub(gone.len() + there.len())?;
        differing_words(gone, there)
    }
}

/// What is said of lines that stand beside each other.
struct Beside {
    /// Bytes that may still be compared word by word.
    words: usize,
    /// Lines on which something is newly done.
    facts: HashSet<usize>,
    /// Lines of which it is not said that names of a build are other variables.
    of_build: usize,
}

impl Beside {
    fn of(facts: &[Fact]) -> Self {
        let facts = facts.iter().flat_map(|fact| &fact.sites).map(|site| site.line).collect();
        Self { words: WORDS, facts, of_build: 0 }
    }

    /// Whether it is said which names are other variables: not where these are of a build, it is seen to be another line anyway and
    /// nothing is newly done on it.
    fn are_said(&mut self, shown: &DiffLine, was: Option<&str>, line: usize) -> bool {
        let is_other = was.is_none_or(|was| was.trim() != shown.text.trim());
        let are_of_build = is_other && shown.other_names_are_of_build() && !self.facts.contains(&line);
        self.of_build += usize::from(are_of_build);
        !are_of_build
    }
}

/// Functions of one kind without a name that tells something. Of what is gone nobody looks for the lines.
fn without_telling_names(functions: &[&Function]) -> String {
    let count = functions.len();
    let is_gone = functions.iter().all(|function| function.how == FunctionChange::Removed);
    let lines: Vec<_> = functions.iter().take(FUNCTIONS).map(|function| function.line.to_string()).collect();
    let more = if count > FUNCTIONS { " …" } else { "" };
    let noun = if count == 1 { "line" } else { "lines" };
    let lines = if is_gone { String::new() } else { format!(": {noun} {}{more}", lines.join(", ")) };
    format!("{count} without a name of more than two letters{lines}")
}

/// Columns that are left of a line.
fn columns(terminal: &Terminal, indent: usize) -> usize {
    terminal.width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(40))
}

/// A changed line, with the words in it that differ.
fn marked(
    terminal: &Terminal,
    line: &str,
    mark: Mark,
    [tone, strong]: [Tone; 2],
    words: Option<&[Range<usize>]>,
) -> String {
    let mut left = columns(terminal, 12);
    let mut text = terminal.paint(tone, &format!("{} ", mark_text(mark)));
    let mut at = 0;
    let words = words.unwrap_or_default();
    let parts = words.iter().flat_map(|word| {
        let same = std::mem::replace(&mut at, word.end)..word.start;
        [(tone, same), (strong, word.clone())]
    });
    let mut parts: Vec<_> = parts.collect();
    parts.push((tone, at..line.len()));
    for (tone, part) in parts {
        // Made visible part by part: no part ends within a character.
        let shown = printable_code(line.get(part).unwrap_or_default());
        let len = shown.chars().count();
        let is_cut = len > left;
        let shown: String = if is_cut {
            shown.chars().take(left.saturating_sub(1)).chain(['…']).collect()
        } else {
            shown.into_owned()
        };
        if !shown.is_empty() {
            text.push_str(&terminal.paint(tone, &shown));
        }
        if is_cut {
            break;
        }
        left -= len;
    }
    text
}

const KINDS: [FunctionChange; 4] =
    [FunctionChange::Changed, FunctionChange::Added, FunctionChange::Removed, FunctionChange::Moved];

/// How many things are done newly, more often, or with something else.
fn done(facts: &[Fact]) -> Option<String> {
    let each = [
        (Novelty::New, "that it did not do before"),
        (Novelty::More, "more often"),
        (Novelty::Other, "with something else"),
    ];
    let each = each.into_iter().filter_map(|(novelty, how)| {
        let count = facts.iter().filter(|fact| fact.novelty() == novelty).count();
        (count > 0).then(|| format!("{} {how}", counted(count, "thing")))
    });
    let each: Vec<_> = each.collect();
    (!each.is_empty()).then(|| format!("does {}", each.join(", ")))
}

/// The change in words, and how much of it there is.
fn change(findings: &Findings) -> String {
    let mut text = findings.change.text().to_owned();
    match findings.change {
        Change::Code | Change::Data | Change::Names => {
            let functions = KINDS.into_iter().filter_map(|how| {
                let count = findings.function_counts.of(how);
                (count > 0).then(|| format!("{count} {}", how.code()))
            });
            let functions: Vec<_> = functions.collect();
            if findings.function_counts.rebuilt().is_some() {
                text.push_str(&format!("; {}", FunctionCounts::REBUILT));
            } else if !functions.is_empty() {
                text.push_str(&format!("; functions: {}", functions.join(", ")));
            }
            text.push_str(&format!(
                "; lines: {} added, {} removed",
                findings.diff.added, findings.diff.removed
            ));
        }
        Change::New | Change::Same | Change::Trivia | Change::Contents | Change::Unknown => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: [Tone; 2] = [Tone::Bad, Tone::Gone];

    fn line(terminal: &Terminal, text: &str, words: Option<&[Range<usize>]>) -> String {
        marked(terminal, text, Mark::Removed, BAD, words)
    }

    #[test]
    fn the_words_that_differ_are_marked_on_a_terminal_and_nowhere_else() {
        let word = std::slice::from_ref(&(5..6));
        let on_terminal = line(&Terminal::elsewhere(false, true, None), "send(a)", Some(word));
        assert_eq!(
            on_terminal,
            "\u{1b}[31m- \u{1b}[0m\u{1b}[31msend(\u{1b}[0m\u{1b}[1;4;31ma\u{1b}[0m\u{1b}[31m)\u{1b}[0m"
        );
        assert_eq!(line(&Terminal::elsewhere(false, false, None), "send(a)", Some(word)), "- send(a)");
    }

    #[test]
    fn functions_that_a_minifier_has_named_are_counted_and_those_that_are_there_have_their_lines() {
        let said = |count, how| {
            let function = |line| Function { name: "t".into(), how, line };
            let functions: Vec<_> = (0..count).map(function).collect();
            without_telling_names(&functions.iter().collect::<Vec<_>>())
        };
        assert_eq!(said(12, FunctionChange::Removed), "12 without a name of more than two letters");
        assert_eq!(
            said(12, FunctionChange::Added),
            "12 without a name of more than two letters: lines 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 …"
        );
        assert_eq!(said(1, FunctionChange::Added), "1 without a name of more than two letters: line 0");
    }

    #[test]
    fn names_of_a_build_are_said_to_be_others_where_nothing_else_tells_and_where_something_is_done() {
        let line = |text: &str, names: &str| DiffLine {
            mark: Mark::Added,
            text: text.into(),
            other_names: Some(names.into()),
            is_done: false,
        };
        let mut beside = Beside { words: 0, facts: HashSet::from([7]), of_build: 0 };
        assert!(!beside.are_said(&line("send(t, 2)", "t, e"), Some("send(t, 1)"), 6));
        assert_eq!(beside.of_build, 1);
        assert!(beside.are_said(&line("send(t)", "t"), Some("  send(t)"), 6));
        assert!(beside.are_said(&line("send(t, 2)", "t"), Some("send(t, 1)"), 7));
        assert!(beside.are_said(&line("send(t, 2)", "t, user"), Some("send(t, 1)"), 6));
        assert_eq!(beside.of_build, 1);
    }

    #[test]
    fn a_marked_word_cannot_rewrite_the_terminal_and_no_line_is_longer_than_it() {
        let terminal = Terminal::elsewhere(false, true, Some(52));
        let hostile = format!("a\u{1b}[2J\u{202e}{}", "x".repeat(200));
        let shown = line(&terminal, &hostile, Some(std::slice::from_ref(&(1..8))));
        assert!(!shown.contains("\u{1b}[2J") && !shown.contains('\u{202e}'), "{shown:?}");
        let plain = Tone::ALL.iter().fold(shown.replace("\u{1b}[0m", ""), |text, tone| {
            text.replace(&format!("\u{1b}[{}m", tone.code()), "")
        });
        assert_eq!((plain.chars().count(), plain.ends_with('…')), (42, true), "{plain}");
    }
}
