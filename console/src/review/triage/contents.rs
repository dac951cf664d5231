//! What a program or an archive is and holds, in tables: before beside now, and what is to be looked at marked.

use pinfold_triage::{
    Contents, Diff, Member, MemberFacts, Names, Section, SectionFacts, Signature, SignerChange,
};

use super::super::words::{counted, size};
use super::difference::Difference;
use super::summary::points;
use crate::text::Text;

/// Rows of each table.
const ROWS: usize = 40;
/// Characters of a value.
const SHOWN: usize = 400;

/// What a signature says of its signer.
type Says = fn(&Signature) -> Option<&str>;
/// Whether that could be checked, and held.
type Check = fn(&Signature) -> Option<bool>;

/// Facts of one kind.
pub(in crate::review) struct Part {
    pub(in crate::review) title: String,
    pub(in crate::review) note: &'static str,
    pub(in crate::review) rows: Vec<Line>,
    pub(in crate::review) more: usize,
}

/// One fact, before and now.
pub(in crate::review) struct Line {
    pub(in crate::review) what: Text,
    pub(in crate::review) before: Option<Text>,
    pub(in crate::review) now: Option<Text>,
    pub(in crate::review) is_notable: bool,
    /// What was found inside.
    pub(in crate::review) inside: Vec<Text>,
}

impl Line {
    fn of(what: &str, before: Option<&str>, now: Option<&str>) -> Self {
        Self {
            what: cut(what),
            before: before.map(cut),
            now: now.map(cut),
            is_notable: false,
            inside: Vec::new(),
        }
    }

    fn notable(self, is_notable: bool) -> Self {
        Self { is_notable, ..self }
    }
}

fn cut(text: &str) -> Text {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => Text::of(&format!("{}…", text.get(..at).unwrap_or_default())),
        None => Text::of(text),
    }
}

/// All of them that say something.
pub(super) fn parts(contents: Option<&Contents>) -> Vec<Part> {
    let Some(contents) = contents else { return Vec::new() };
    let names = contents.names.iter().map(names);
    [
        signing(contents),
        install_scripts(contents),
        oddities(contents),
        members(contents),
        what_it_is(contents),
    ]
    .into_iter()
    .chain([sections(contents)])
    .chain(names)
    .filter(|part| !part.rows.is_empty())
    .collect()
}

/// The same in a few words.
pub(super) fn in_short(contents: &Contents) -> Vec<String> {
    let mut short = Vec::new();
    if let Some(signing) = &contents.signing {
        short.push(signing.change.text().to_owned());
        if signing.new.iter().any(is_broken) {
            short.push("a signature is not of these bytes, or not made by that certificate's key".to_owned());
        }
    }
    let counts = contents.counts;
    if !contents.members.is_empty() {
        let (added, changed, removed) = (counts.added, counts.changed, counts.removed);
        short.push(format!("members: {added} added, {changed} changed, {removed} removed"));
    }
    if !contents.install_scripts.is_empty() {
        let count = counted(contents.install_scripts.len() as u64, "install script");
        short.push(format!("{count} changed: a package manager runs these by itself"));
    }
    let odd = contents.oddities.iter().filter(|oddity| !oddity.reviewed).count();
    if odd > 0 {
        short.push(format!("{} that readers read differently", counted(odd as u64, "thing")));
    }
    short
}

/// Whether it is signed by somebody else, runs other scripts when it is installed, or is read in two ways.
pub(super) fn is_other(contents: &Contents) -> bool {
    contents
        .signing
        .as_ref()
        .is_some_and(|signing| is_other_signer(signing.change) || signing.new.iter().any(is_broken))
        || !contents.install_scripts.is_empty()
        || contents.oddities.iter().any(|oddity| !oddity.reviewed)
}

fn is_other_signer(change: SignerChange) -> bool {
    match change {
        SignerChange::Unsigned | SignerChange::Signed | SignerChange::SameSigner => false,
        SignerChange::OtherSigner | SignerChange::Gone | SignerChange::Appeared | SignerChange::Unknown => {
            true
        }
    }
}

fn part(title: impl Into<String>, note: &'static str, mut rows: Vec<Line>, all: usize) -> Part {
    rows.truncate(ROWS);
    Part { title: title.into(), note, more: all.saturating_sub(rows.len()), rows }
}

fn what_it_is(contents: &Contents) -> Part {
    let bytes = |bytes: usize| size(bytes as u64);
    let before = contents.reviewed_format.map(pinfold_triage::Format::text);
    let (old_size, new_size) = (contents.reviewed_size.map(bytes), bytes(contents.size));
    let is_other = before.is_some_and(|before| before != contents.format.text());
    let mut rows = vec![
        Line::of("type", before, Some(contents.format.text())).notable(is_other),
        Line::of("size", old_size.as_deref(), Some(&new_size)),
    ];
    rows.extend(
        contents.properties.iter().map(|one| Line::of(one.what, one.reviewed.as_deref(), one.new.as_deref())),
    );
    let all = rows.len();
    part("What it is", "", rows, all)
}

fn signing(contents: &Contents) -> Part {
    let mut rows = Vec::new();
    if let Some(signing) = &contents.signing {
        let is_notable = is_other_signer(signing.change);
        rows.push(Line::of("signer", None, Some(signing.change.text())).notable(is_notable));
        for at in 0..signing.reviewed.len().max(signing.new.len()) {
            rows.extend(signature(signing.reviewed.get(at), signing.new.get(at)));
        }
    }
    let all = rows.len();
    part("Signature", "Whether its certificate is to be trusted is not judged.", rows, all)
}

fn signature(before: Option<&Signature>, now: Option<&Signature>) -> Vec<Line> {
    let held = |held: Option<bool>| match held {
        Some(true) => "yes",
        Some(false) => "no: the name says nothing about these bytes",
        None => "not worked out",
    };
    let fields: [(&str, Says); 5] = [
        ("certificate of", |one| {
            Some(if one.unreadable { "a signature that cannot be read" } else { &one.signer })
        }),
        ("issued by", |one| Some(&one.issuer)),
        ("serial number", |one| Some(&one.serial)),
        ("SHA-256 of it", |one| Some(&one.thumbprint)),
        ("countersigned", |one| one.countersigned.as_deref()),
    ];
    let mut rows: Vec<_> = fields
        .into_iter()
        .map(|(what, field)| Line::of(what, before.and_then(field), now.and_then(field)))
        .collect();
    let checks: [(&str, Check); 2] =
        [("of these bytes", |one| one.of_these_bytes), ("by that key", |one| one.by_that_key)];
    rows.extend(checks.into_iter().map(|(what, check)| {
        let row = Line::of(what, before.map(|one| held(check(one))), now.map(|one| held(check(one))));
        row.notable(now.is_some_and(|one| check(one) == Some(false)))
    }));
    rows
}

fn is_broken(signature: &Signature) -> bool {
    signature.unreadable || signature.of_these_bytes == Some(false) || signature.by_that_key == Some(false)
}

fn install_scripts(contents: &Contents) -> Part {
    let rows = contents.install_scripts.iter().map(|script| {
        let what = format!("{} in {}", script.name, script.member);
        Line::of(&what, script.reviewed.as_deref(), script.new.as_deref()).notable(script.new.is_some())
    });
    part(
        "Install scripts",
        "A package manager runs them by itself.",
        rows.collect(),
        contents.install_scripts.len(),
    )
}

fn oddities(contents: &Contents) -> Part {
    let rows = contents.oddities.iter().map(|oddity| {
        let before = oddity.reviewed.then(|| oddity.kind.text());
        let member = if oddity.member.is_empty() { "the whole" } else { &*oddity.member };
        Line::of(member, before, Some(oddity.kind.text())).notable(!oddity.reviewed)
    });
    part("What readers read differently", "", rows.collect(), contents.oddities.len())
}

fn sections(contents: &Contents) -> Part {
    let facts = |facts: SectionFacts| {
        let SectionFacts { size: bytes, entropy, writable, executable } = facts;
        let rights = match (writable, executable) {
            (false, false) => "",
            (true, false) => ", writable",
            (false, true) => ", executable",
            (true, true) => ", writable and executable",
        };
        format!("{}, {entropy:.2} bits{rights}", size(bytes as u64))
    };
    let rows = contents.sections.iter().map(|section: &Section| {
        let (before, now) = (section.reviewed.map(facts), section.new.map(facts));
        Line::of(&section.name, before.as_deref(), now.as_deref()).notable(section.notable)
    });
    let note = "Size, and bits of entropy of each byte: what is packed or encrypted has nearly 8.";
    part("Sections that changed", note, rows.collect(), contents.sections.len())
}

fn names(names: &Names) -> Part {
    let title =
        names.kind.get(..1).map(|first| first.to_uppercase() + names.kind.get(1..).unwrap_or_default());
    let added = names.added.iter().map(|name| Line::of(name, None, Some("added")).notable(true));
    let removed = names.removed.iter().map(|name| Line::of(name, Some("removed"), None));
    let all = names.added_count + names.removed_count;
    part(title.unwrap_or_default(), "", added.chain(removed).collect(), all)
}

/// What was found in most comes first.
fn members(contents: &Contents) -> Part {
    let mut sorted: Vec<&Member> = contents.members.iter().collect();
    let weight =
        |member: &Member| member.findings.as_ref().map_or(0, |found| found.facts.len() + found.hosts.len());
    sorted.sort_by_key(|member| std::cmp::Reverse(weight(member)));
    let facts = |facts: &MemberFacts| {
        let digest = facts.digest.as_deref().and_then(|digest| digest.get(..16));
        let digest = digest.map_or_else(|| "not unpacked".to_owned(), |digest| format!("sha256 {digest}…"));
        format!("{}, {digest}", size(facts.size))
    };
    let rows = sorted.into_iter().map(|member| {
        let (before, now) = (member.reviewed.as_ref().map(facts), member.new.as_ref().map(facts));
        let row = Line::of(&member.name, before.as_deref(), now.as_deref());
        Line { is_notable: weight(member) > 0, inside: inside(member), ..row }
    });
    let counts = contents.counts;
    part("Members that changed", "", rows.collect(), counts.added + counts.removed + counts.changed)
}

fn inside(member: &Member) -> Vec<Text> {
    let Some(found) = &member.findings else { return Vec::new() };
    let shown = Difference::default();
    let mut lines: Vec<_> = points(found, &shown.shown(&Diff::default()))
        .into_iter()
        .map(|point| match point.what {
            Some(what) => Text::of(&format!("{} {what}", point.text)),
            None => Text::of(&point.text),
        })
        .collect();
    lines.extend(found.not_analysed.as_ref().map(|why| cut(&format!("not analysed because {}", why.text()))));
    lines
}
