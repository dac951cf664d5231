//! What a body is and holds, for people: what it is, who signed it, what it takes, and what changed inside.

use pinfold_triage::{
    Change, Contents, Findings, Member, MemberFacts, Names, Section, SectionFacts, Signature, SignerChange,
};

use super::text::Page;
use crate::printable::printable;
use crate::terminal::Tone;
use crate::words::{counted, exact_size};

/// Names of each kind that are shown; JSON has more.
const NAMES: usize = 20;
/// Members that are shown.
const MEMBERS: usize = 60;
/// Sections that are shown.
const SECTIONS: usize = 30;

impl<'a> Page<'a> {
    /// A few words of the summary.
    pub(super) fn summary_of_contents(&self) -> Vec<String> {
        let Some(contents) = &self.findings.contents else { return Vec::new() };
        let mut parts = Vec::new();
        if let Some(signing) = &contents.signing {
            parts.push(format!("signature: {}", signing.change.code().replace('-', " ")));
            if signing.new.iter().any(is_broken) {
                parts.push("a signature that is not of these bytes or not by that key".to_owned());
            }
        }
        let counts = contents.counts;
        if !contents.members.is_empty() {
            let (added, changed, removed) = (counts.added, counts.changed, counts.removed);
            parts.push(format!("members: {added} added, {changed} changed, {removed} removed"));
        }
        if !contents.install_scripts.is_empty() {
            parts.push(format!("{} changed", counted(contents.install_scripts.len(), "install script")));
        }
        let odd = contents.oddities.iter().filter(|oddity| !oddity.reviewed).count();
        if odd > 0 {
            parts.push(format!("{} that readers read differently", counted(odd, "thing")));
        }
        parts
    }

    pub(super) fn contents(&self) -> String {
        let Some(contents) = &self.findings.contents else { return String::new() };
        let sections = [
            self.properties(contents),
            self.signing(contents),
            self.install_scripts(contents),
            self.oddities(contents),
            self.sections(contents),
            contents.names.iter().map(|names| self.names(names)).collect(),
        ];
        let sections: Vec<_> =
            sections.iter().map(|part| part.trim_end()).filter(|part| !part.is_empty()).collect();
        sections.join("\n\n") + "\n"
    }

    fn properties(&self, contents: &Contents) -> String {
        let mut text = self.title("WHAT IT IS", self.before_and_now(contents));
        let size = |size: usize| exact_size(size as u64);
        let format = contents.reviewed_format.map(|format| format.text().to_owned());
        let mut rows = vec![
            ("type", format, Some(contents.format.text().to_owned())),
            ("size", contents.reviewed_size.map(size), Some(size(contents.size))),
        ];
        let plain = |value: &Option<Box<str>>| value.as_deref().map(|value| printable(value).into_owned());
        rows.extend(contents.properties.iter().map(|one| (one.what, plain(&one.reviewed), plain(&one.new))));
        for (what, reviewed, new) in rows {
            let new = new.unwrap_or_else(|| "none".to_owned());
            let value = match reviewed {
                Some(reviewed) if reviewed != new => {
                    format!("{reviewed} → {}", self.terminal.paint(Tone::Warning, &new))
                }
                Some(_) | None => new,
            };
            text.push_str(&format!("    {what:<32}  {value}\n"));
        }
        text
    }

    fn before_and_now(&self, contents: &Contents) -> &'static str {
        if contents.reviewed_size.is_some() { "before → now" } else { "" }
    }

    fn signing(&self, contents: &Contents) -> String {
        let Some(signing) = &contents.signing else { return String::new() };
        let mut text = self.title("SIGNATURE", "whether its certificate is to be trusted is not judged");
        let tone = match signing.change {
            SignerChange::Unsigned | SignerChange::Signed | SignerChange::SameSigner => Tone::Strong,
            SignerChange::OtherSigner
            | SignerChange::Gone
            | SignerChange::Appeared
            | SignerChange::Unknown => Tone::Bad,
        };
        text.push_str(&format!("    {}\n", self.terminal.paint(tone, signing.change.text())));
        for (when, signatures) in [("before", &signing.reviewed), ("now", &signing.new)] {
            for signature in signatures {
                text.push_str(&self.signature(when, signature));
            }
        }
        text
    }

    fn signature(&self, when: &str, signature: &Signature) -> String {
        if signature.unreadable {
            let said = self.terminal.paint(Tone::Bad, "a signature that cannot be read");
            return format!("    {when:<8}{said}\n");
        }
        let mut text = format!("    {when:<8}{}\n", printable(&signature.signer));
        let rows = [
            ("issuer", printable(&signature.issuer).into_owned()),
            ("serial", signature.serial.to_string()),
            ("sha256", signature.thumbprint.to_string()),
            ("countersigned", signature.countersigned.as_deref().unwrap_or("no").to_owned()),
            ("of these bytes", self.held(signature.of_these_bytes)),
            ("by that key", self.held(signature.by_that_key)),
        ];
        for (name, value) in rows {
            text.push_str(&format!("            {}  {value}\n", self.faint(&format!("{name:<14}"))));
        }
        text
    }

    fn held(&self, held: Option<bool>) -> String {
        match held {
            Some(true) => "yes".to_owned(),
            Some(false) => self.terminal.paint(Tone::Bad, "no: the name above says nothing about them"),
            None => self.terminal.paint(Tone::Warning, "not worked out"),
        }
    }

    fn install_scripts(&self, contents: &Contents) -> String {
        if contents.install_scripts.is_empty() {
            return String::new();
        }
        let mut text = self.title("INSTALL SCRIPTS", "run by a package manager by itself");
        for script in &contents.install_scripts {
            let name = self.terminal.paint(Tone::Bad, &printable(&script.name));
            text.push_str(&format!("    {name}  {}\n", self.faint(&printable(&script.member))));
            let shown =
                |run: &Option<Box<str>>| run.as_ref().map_or_else(|| "none".into(), |run| self.cut(run, 12));
            text.push_str(&format!("        {} → {}\n", shown(&script.reviewed), shown(&script.new)));
        }
        text
    }

    fn oddities(&self, contents: &Contents) -> String {
        if contents.oddities.is_empty() {
            return String::new();
        }
        let mut text = self.title("WHAT READERS READ DIFFERENTLY", "");
        for oddity in &contents.oddities {
            let tone = if oddity.reviewed { Tone::Faint } else { Tone::Bad };
            let before = if oddity.reviewed { ", as before" } else { "" };
            let said = self.terminal.paint(tone, &format!("{}{before}", oddity.kind.text()));
            match &*oddity.member {
                "" => text.push_str(&format!("    {said}\n")),
                member => text.push_str(&format!("    {}: {said}\n", printable(member))),
            }
        }
        text
    }

    fn sections(&self, contents: &Contents) -> String {
        if contents.sections.is_empty() {
            return String::new();
        }
        let mut text = self.title("SECTIONS THAT CHANGED", "bytes, bits of entropy of each, rights");
        for section in contents.sections.iter().take(SECTIONS) {
            text.push_str(&self.section(section));
        }
        text + &self.left_out(contents.sections.len(), SECTIONS)
    }

    fn section(&self, section: &Section) -> String {
        let facts = |facts: Option<SectionFacts>| {
            facts.map_or_else(
                || "none".to_owned(),
                |facts| {
                    let rights = match (facts.writable, facts.executable) {
                        (false, false) => "",
                        (true, false) => " w",
                        (false, true) => " x",
                        (true, true) => " wx",
                    };
                    format!("{} {:.2}{rights}", facts.size, facts.entropy)
                },
            )
        };
        let tone = if section.notable { Tone::Bad } else { Tone::Faint };
        let name = self.terminal.paint(tone, &format!("{:<20}", printable(&section.name)));
        format!("    {name}  {} → {}\n", facts(section.reviewed), facts(section.new))
    }

    fn names(&self, names: &Names) -> String {
        let counts = format!("{} added, {} removed", names.added_count, names.removed_count);
        let mut text = self.title(&names.kind.to_uppercase(), &counts);
        for (mark, tone, list, count) in [
            ("+", Tone::Bad, &names.added, names.added_count),
            ("-", Tone::Faint, &names.removed, names.removed_count),
        ] {
            for name in list.iter().take(NAMES) {
                text.push_str(&format!(
                    "    {}\n",
                    self.terminal.paint(tone, &format!("{mark} {}", self.cut(name, 8)))
                ));
            }
            text.push_str(&self.left_out(count, NAMES));
        }
        text + "\n"
    }

    /// Members that are not what they were, each with what was found in it.
    pub(super) fn members(&self) -> String {
        let Some(contents) = self.findings.contents.as_ref().filter(|contents| !contents.members.is_empty())
        else {
            return String::new();
        };
        let counts = contents.counts;
        let total = counts.added + counts.changed + counts.removed;
        let rest = format!(
            "{} added, {} changed, {} removed, {} the same",
            counts.added, counts.changed, counts.removed, counts.same
        );
        let mut text = self.title("MEMBERS", &rest);
        for member in contents.members.iter().take(MEMBERS) {
            text.push_str(&self.member(member));
        }
        text + &self.left_out(total, MEMBERS)
    }

    fn member(&self, member: &Member) -> String {
        let (mark, tone) = match (&member.reviewed, &member.new) {
            (None, _) => ("+", Tone::Bad),
            (Some(_), None) => ("-", Tone::Faint),
            (Some(_), Some(_)) => ("~", Tone::Warning),
        };
        let size = |facts: &MemberFacts| exact_size(facts.size);
        let sizes = match (&member.reviewed, &member.new) {
            (Some(old), Some(new)) => format!("{} → {}", size(old), size(new)),
            (Some(one), None) | (None, Some(one)) => size(one),
            (None, None) => String::new(),
        };
        let name = self.terminal.paint(tone, &format!("{mark} {}", printable(&member.name)));
        let mut text = format!("  {name}  {}\n", self.faint(&sizes));
        let Some(findings) = member.findings.as_deref() else { return text };
        text.push_str(&self.notes(findings));
        let inside = Page::of_member(self, findings);
        for line in inside.lines().filter(|line| !line.trim().is_empty()) {
            text.push_str(&format!("    {line}\n"));
        }
        let page = Page { findings, ..*self };
        for line in page.members().lines() {
            text.push_str(&format!("    {line}\n"));
        }
        text
    }

    fn notes(&self, findings: &Findings) -> String {
        let mut text = String::new();
        if let Some(why) = &findings.not_analysed {
            let why = format!("not analysed because {}", printable(&why.text()));
            text.push_str(&format!("      {}\n", self.terminal.paint(Tone::Warning, &why)));
        }
        if !matches!(findings.change, Change::New | Change::Contents | Change::Unknown) {
            text.push_str(&format!("      {}\n", findings.change.text()));
        }
        if !findings.hosts.is_empty() {
            let hosts: Vec<_> = findings.hosts.iter().map(|host| printable(&host.host)).collect();
            text.push_str(&format!("      new hosts: {}\n", self.cut(&hosts.join(", "), 18)));
        }
        text
    }
}

/// Whether its signer's name says nothing.
fn is_broken(signature: &Signature) -> bool {
    signature.unreadable || signature.of_these_bytes == Some(false) || signature.by_that_key == Some(false)
}
