//! Which way a body goes: by what its bytes are, and as a script whenever it could be one.
//!
//! A program can be a script too (`MZ` is a name), and an archive can stand behind anything. So that nobody can choose by which
//! way a body is looked at, it goes all of those that it could go.

use crate::archive::{self, Archive, asar, gzip, ole, tarball, xar, zip};
use crate::contents::{Contents, Format, NAMED, Names};
use crate::document;
use crate::findings::{Change, Findings, NotAnalysed, SHOWN, bounded};
use crate::format::{format_of, may_be_script};
use crate::limits::Limits;
use crate::meter::Meter;
use crate::program;
use crate::versions::{Hosts, Versions};
use crate::wasm;

/// All that can be said of a body, next to the reviewed one; `layer` archives lie around it.
pub(crate) fn look_into(reviewed: Option<&[u8]>, new: &[u8], meter: &mut Meter, layer: usize) -> Findings {
    if reviewed == Some(new) {
        return Findings { change: Change::Same, ..Findings::default() };
    }
    let limits = meter.limits;
    if [reviewed, Some(new)].into_iter().flatten().any(|side| side.len() > limits.body) {
        let change = if reviewed.is_some() { Change::Unknown } else { Change::New };
        let not_analysed = Some(NotAnalysed::TooLarge { limit: limits.body });
        return Findings { change, not_analysed, ..Findings::default() };
    }
    let (before, format) = (reviewed.map(format_of), format_of(new));
    let versions = Versions { reviewed, new, limits, asked: meter.asked };
    let script = may_be_script(new).then(|| as_script(&versions));
    let is_script = script.as_ref().is_some_and(is_read);
    let is_plain = |format: Format| matches!(format, Format::Text | Format::Other);
    if is_plain(format) && before.is_none_or(is_plain) {
        return match script {
            Some(script) if is_script || format == Format::Text => script,
            Some(_) | None => contained(&versions, before, format, None, meter, layer),
        };
    }
    contained(&versions, before, format, script.filter(|_| is_script), meter, layer)
}

fn as_script(versions: &Versions<'_>) -> Findings {
    let too_large = [versions.reviewed, Some(versions.new)]
        .into_iter()
        .flatten()
        .any(|side| side.len() > versions.limits.size);
    if too_large {
        return versions.in_bytes(NotAnalysed::TooLarge { limit: versions.limits.size });
    }
    versions.compared()
}

/// Whether it is a script, read to its end or not.
fn is_read(script: &Findings) -> bool {
    match &script.not_analysed {
        None
        | Some(
            NotAnalysed::Reviewed(_)
            | NotAnalysed::TwoReadings
            | NotAnalysed::TimeOver
            | NotAnalysed::TooMuch
            | NotAnalysed::TooManyHosts,
        ) => true,
        Some(
            NotAnalysed::TooLarge { .. }
            | NotAnalysed::TooDeep { .. }
            | NotAnalysed::NoScript { .. }
            | NotAnalysed::Failed
            | NotAnalysed::Malformed { .. }
            | NotAnalysed::UnknownType
            | NotAnalysed::Encrypted
            | NotAnalysed::Packing
            | NotAnalysed::Ratio { .. }
            | NotAnalysed::Layers { .. },
        ) => false,
    }
}

/// What it holds, with what it does as a script if it is one.
fn contained(
    versions: &Versions<'_>,
    before: Option<Format>,
    format: Format,
    script: Option<Findings>,
    meter: &mut Meter,
    layer: usize,
) -> Findings {
    let Versions { reviewed, new, limits, .. } = *versions;
    let mut contents = Contents {
        reviewed_format: before,
        format,
        reviewed_size: reviewed.map(<[u8]>::len),
        size: new.len(),
        ..Contents::default()
    };
    let comparable = reviewed.filter(|_| before == Some(format));
    let mut scripts = script.unwrap_or_default();
    let short = meter.short.take();
    match format {
        Format::Pe | Format::Elf | Format::MachO => {
            program::compare(comparable, new, format, &mut contents, meter);
            let old = comparable.map(|old| program::parts(old, format));
            members(old, program::parts(new, format), &mut contents, meter, layer);
        }
        Format::Zip | Format::Nupkg => {
            let old = comparable.map(|old| zip::open(old, &limits));
            members(old, zip::open(new, &limits), &mut contents, meter, layer);
        }
        Format::Asar => {
            let old = comparable.map(|old| asar::open(old, &limits));
            members(old, asar::open(new, &limits), &mut contents, meter, layer);
        }
        Format::Tar => {
            let old = comparable.map(|old| tarball::open(old, &limits));
            members(old, tarball::open(new, &limits), &mut contents, meter, layer);
        }
        Format::Ole => {
            let old = comparable.map(|old| ole::open(old, meter));
            let now = ole::open(new, meter);
            contents.signing = program::signing_of_streams(old.as_ref(), &now);
            members(old, now, &mut contents, meter, layer);
        }
        Format::Xar => members(comparable.map(xar::open), xar::open(new), &mut contents, meter, layer),
        Format::Gzip => {
            let old = comparable.map(|old| gzip::unzip(old, meter));
            let now = gzip::unzip(new, meter);
            let old = old.as_ref().map(|old| old.archive(meter));
            members(old, now.archive(meter), &mut contents, meter, layer);
        }
        Format::Wasm => wasm::compare(comparable, new, &mut contents, meter),
        Format::Document => scripts = document::compare(scripts, versions, &mut contents),
        Format::Cabinet | Format::SevenZip => meter.note(NotAnalysed::Packing),
        Format::Other => meter.note(NotAnalysed::UnknownType),
        Format::Text => {}
    }
    if contents.format == Format::Zip && contents.members.iter().any(|member| is_manifest(&member.name)) {
        contents.format = Format::Nupkg;
    }
    let in_bytes = crate::strings::new_hosts(reviewed, new);
    let has_more = in_bytes.has_more;
    let not_analysed = scripts.not_analysed.take().or_else(|| meter.short.take());
    meter.short = short.or_else(|| not_analysed.clone().filter(is_of_all));
    let mut hosts = Hosts::default();
    for named in in_bytes.named {
        hosts.add(None, named.host, named.url, false);
    }
    let from_scripts = std::mem::take(&mut scripts.hosts);
    let inner = contents.members.iter().filter_map(|member| member.findings.as_deref());
    for host in from_scripts.iter().chain(inner.flat_map(|findings| &findings.hosts)) {
        hosts.take(host);
    }
    let change = if reviewed.is_none() { Change::New } else { Change::Contents };
    let too_many = (has_more || hosts.is_full()).then_some(NotAnalysed::TooManyHosts);
    let not_analysed = not_analysed.or(too_many);
    Findings {
        change,
        not_analysed,
        version: scripts.version.or_else(|| contents.version.take()),
        hosts: hosts.listed(),
        contents: Some(Box::new(contents)),
        ..scripts
    }
}

/// Whether it holds for all that follows, and not for one member.
fn is_of_all(why: &NotAnalysed) -> bool {
    matches!(why, NotAnalysed::TimeOver | NotAnalysed::TooMuch)
}

fn is_manifest(name: &str) -> bool {
    name.ends_with(".nuspec") && !name.contains('/')
}

fn members(
    reviewed: Option<Archive<'_>>,
    new: Archive<'_>,
    contents: &mut Contents,
    meter: &mut Meter,
    layer: usize,
) {
    if new.entries.is_empty()
        && new.cut.is_none()
        && reviewed.as_ref().is_none_or(|old| old.entries.is_empty())
    {
        return;
    }
    if layer >= meter.limits.layers {
        meter.note(NotAnalysed::Layers { limit: meter.limits.layers });
        return;
    }
    archive::compare(reviewed, new, contents, meter, layer);
}

/// Names of one kind, before and now. `None` where they are the same.
pub(crate) fn names(
    kind: &'static str,
    reviewed: Option<&std::collections::BTreeSet<String>>,
    new: &std::collections::BTreeSet<String>,
) -> Option<Names> {
    let none = std::collections::BTreeSet::new();
    let reviewed = reviewed.unwrap_or(&none);
    let shown = |name: &String| bounded(name, SHOWN);
    let (added, removed) = (new.difference(reviewed), reviewed.difference(new));
    let (added_count, removed_count) = (added.clone().count(), removed.clone().count());
    let names = Names {
        kind,
        added: added.take(NAMED).map(shown).collect(),
        removed: removed.take(NAMED).map(shown).collect(),
        added_count,
        removed_count,
    };
    (added_count + removed_count > 0).then_some(names)
}

impl Limits {
    /// The same for names: no program has so many.
    pub(crate) const NAMES: usize = 100_000;
}
