//! Programs: their sections, what they take from others, and who signed them.

mod pe;
mod signature;

use std::collections::BTreeSet;

use object::read::NameOrOrdinal;
use object::{Object, ObjectSection, ObjectSegment};

use crate::archive::{Archive, zip};
use crate::body::names;
use crate::contents::{Contents, Format, NAMED, Property, Section, SectionFacts, Signing};
use crate::findings::{NotAnalysed, SHOWN, bounded};
use crate::format::format_of;
use crate::limits::Limits;
use crate::meter::Meter;
use crate::octets::{be32, be64, entropy, slice};

/// Sections that are told apart.
pub(crate) const SECTIONS: usize = 1000;
/// What an archive is called that follows a program.
pub(crate) const BEHIND: &str = "(behind its end)";
/// Bytes that sections and segments may have together, for each of the file: a section lies in a segment.
const OVERLAP: usize = 4;
/// Bits of entropy that make a section another one.
const OTHER_ENTROPY: f64 = 0.2;

/// A part of a file, and what may be done with it.
pub(crate) struct Part<'a> {
    pub(crate) name: String,
    pub(crate) data: &'a [u8],
    pub(crate) writable: bool,
    pub(crate) executable: bool,
}

impl<'a> Part<'a> {
    pub(crate) fn of(name: String, data: &'a [u8]) -> Self {
        Self { name, data, writable: false, executable: false }
    }

    fn facts(&self) -> SectionFacts {
        let Self { data, writable, executable, .. } = *self;
        SectionFacts { size: data.len(), entropy: entropy(data), writable, executable }
    }
}

/// A program, read.
struct Program<'a> {
    limits: Limits,
    parts: Vec<Part<'a>>,
    /// Bytes of parts that may still be looked at: those that overlap are looked at again and again.
    room: usize,
    /// Why something was left out.
    short: Option<NotAnalysed>,
    imports: BTreeSet<String>,
    libraries: BTreeSet<String>,
    exports: BTreeSet<String>,
    properties: Vec<(&'static str, String)>,
    signing: Vec<crate::contents::Signature>,
}

/// Puts two programs side by side.
pub(crate) fn compare(
    reviewed: Option<&[u8]>,
    new: &[u8],
    format: Format,
    contents: &mut Contents,
    meter: &mut Meter,
) {
    let limits = meter.limits;
    let (old, now) = std::thread::scope(|scope| {
        let old = reviewed.map(|old| scope.spawn(move || read(old, format, limits)));
        let now = read(new, format, limits);
        (old.map(|old| old.join()), now)
    });
    let old = old.and_then(|old| match old {
        Ok(old) => Some(old),
        Err(_) => {
            meter.note(NotAnalysed::Failed);
            None
        }
    });
    for why in [old.as_ref(), Some(&now)].into_iter().flatten().filter_map(|read| read.short.clone()) {
        meter.note(why);
    }
    for (kind, old, now) in [
        ("libraries", old.as_ref().map(|old| &old.libraries), &now.libraries),
        ("imports", old.as_ref().map(|old| &old.imports), &now.imports),
        ("exports", old.as_ref().map(|old| &old.exports), &now.exports),
    ] {
        contents.names.extend(names(kind, old, now));
    }
    contents.sections = sections(old.as_ref().map(|old| old.parts.as_slice()), &now.parts);
    contents.properties.extend(properties(old.as_ref(), &now));
    if format == Format::Pe {
        contents.signing = Some(signature::compared(old.map(|old| old.signing), now.signing));
    }
}

fn properties(old: Option<&Program<'_>>, now: &Program<'_>) -> Vec<Property> {
    let of = |program: &Program<'_>, what: &str| {
        let found = program.properties.iter().find(|(known, _)| *known == what);
        found.map(|(_, value)| bounded(value, SHOWN))
    };
    let all: BTreeSet<_> =
        old.into_iter().chain([now]).flat_map(|program| &program.properties).map(|(what, _)| *what).collect();
    let each = all.into_iter().map(|what| Property {
        what,
        reviewed: old.and_then(|old| of(old, what)),
        new: of(now, what),
    });
    each.collect()
}

/// Who signed an MSI. Its digest is made of its streams in an order of its own, and is not worked out.
pub(crate) fn signing_of_streams(reviewed: Option<&Archive<'_>>, new: &Archive<'_>) -> Option<Signing> {
    let of = |archive: &Archive<'_>| {
        let streams = archive.entries.iter().filter(|entry| entry.name == "\u{5}DigitalSignature");
        streams.map(|stream| signature::read(&stream.packed, |_| None)).collect::<Vec<_>>()
    };
    let (old, now) = (reviewed.map(of), of(new));
    let is_signed = !now.is_empty() || old.as_ref().is_some_and(|old| !old.is_empty());
    is_signed.then(|| signature::compared(old, now))
}

/// Programs inside of a program: those for each processor, and an archive behind its end.
pub(crate) fn parts(bytes: &[u8], format: Format) -> Archive<'_> {
    let mut archive = Archive::default();
    match format {
        Format::Pe => {
            let beside =
                pe::beside_signatures(bytes).into_iter().map(|data| ("(beside its signatures)", data));
            let behind = pe::overlays(bytes).map(|data| (BEHIND, data));
            for (name, data) in behind.into_iter().chain(beside) {
                if !matches!(format_of(data), Format::Text | Format::Other) {
                    archive.stored(name.to_owned(), data);
                }
            }
        }
        Format::MachO | Format::Elf => {
            fat(bytes, &mut archive);
            if let Some(behind) = zip::behind(bytes) {
                archive.stored(BEHIND.to_owned(), behind);
            }
        }
        Format::Ole
        | Format::Xar
        | Format::Zip
        | Format::Nupkg
        | Format::Asar
        | Format::Gzip
        | Format::Tar
        | Format::Wasm
        | Format::Cabinet
        | Format::SevenZip
        | Format::Document
        | Format::Text
        | Format::Other => {}
    }
    archive
}

/// A list of programs for other processors, each with its place and length.
fn fat<'a>(bytes: &'a [u8], archive: &mut Archive<'a>) {
    let Some(count) = be32(bytes, 4) else { return };
    let is_large = be32(bytes, 0) == Some(0xcafe_babf);
    if !is_large && be32(bytes, 0) != Some(0xcafe_babe) {
        return;
    }
    for at in (0..count.min(45) as usize).map(|number| 8 + number * if is_large { 32 } else { 20 }) {
        let place = match is_large {
            true => be64(bytes, at + 8).zip(be64(bytes, at + 16)),
            false => be32(bytes, at + 8).map(u64::from).zip(be32(bytes, at + 12).map(u64::from)),
        };
        let place = place.and_then(|(at, len)| Some((usize::try_from(at).ok()?, usize::try_from(len).ok()?)));
        let processor = be32(bytes, at).unwrap_or_default();
        match place.and_then(|(at, len)| slice(bytes, at, len)) {
            Some(data) => archive.stored(format!("(for processor {processor:#x})"), data),
            None => archive.cut = Some(NotAnalysed::Malformed { said: "a part goes beyond the end".into() }),
        }
    }
}

/// All that can be read, and why there is no more.
fn read(bytes: &[u8], format: Format, limits: Limits) -> Program<'_> {
    let mut program = Program::of(bytes, limits);
    if format == Format::Pe {
        program.pe(bytes);
    }
    // A list of programs has none of this by itself.
    if matches!(be32(bytes, 0), Some(0xcafe_babe | 0xcafe_babf)) {
        return program;
    }
    if let Err(said) = program.object(bytes, format) {
        program.note(NotAnalysed::Malformed { said: said.to_string().into() });
    }
    program
}

impl<'a> Program<'a> {
    fn of(bytes: &[u8], limits: Limits) -> Self {
        Self {
            limits,
            parts: Vec::new(),
            room: bytes.len().saturating_mul(OVERLAP),
            short: None,
            imports: BTreeSet::new(),
            libraries: BTreeSet::new(),
            exports: BTreeSet::new(),
            properties: Vec::new(),
            signing: Vec::new(),
        }
    }

    fn note(&mut self, why: NotAnalysed) {
        self.short.get_or_insert(why);
    }

    fn part(&mut self, part: Part<'a>) {
        if self.parts.len() >= SECTIONS || part.data.len() > self.room {
            return self.note(NotAnalysed::TooMuch);
        }
        self.room -= part.data.len();
        self.parts.push(part);
    }

    /// Whether one more name may be read: of those that overlap, each can be as long as the file.
    fn may_read(&mut self, known: usize) -> bool {
        if known >= Limits::NAMES {
            self.note(NotAnalysed::TooMuch);
        } else if self.limits.is_over() {
            self.note(NotAnalysed::TimeOver);
        }
        known < Limits::NAMES && !self.limits.is_over()
    }

    fn object(&mut self, bytes: &'a [u8], format: Format) -> object::Result<()> {
        let file = object::File::parse(bytes)?;
        if format != Format::Pe {
            self.sections(&file);
        }
        // What is read until something is broken counts.
        for (known, library) in file.import_libraries()?.enumerate() {
            if !self.may_read(known) {
                return Ok(());
            }
            self.libraries.insert(text(library?.name()));
        }
        for (known, export) in file.exports()?.enumerate() {
            if !self.may_read(known) {
                return Ok(());
            }
            if let NameOrOrdinal::Name(name) = export?.name() {
                self.exports.insert(text(name));
            }
        }
        for (known, import) in file.imports()?.enumerate() {
            if !self.may_read(known) {
                return Ok(());
            }
            let import = import?;
            let name = match import.name() {
                NameOrOrdinal::Name(name) => text(name),
                NameOrOrdinal::Ordinal(number) => format!("#{number}"),
            };
            let library = text(import.library());
            self.imports.insert(if library.is_empty() { name } else { format!("{library}!{name}") });
        }
        Ok(())
    }

    fn sections(&mut self, file: &object::File<'a>) {
        for section in file.sections() {
            if !self.may_read(self.parts.len()) {
                return;
            }
            let name = section.name_bytes().map(text).unwrap_or_default();
            let segment = section.segment_name_bytes().ok().flatten().map(text);
            let name = segment.map_or(name.clone(), |segment| format!("{segment},{name}"));
            // What is laid out in memory alone has no bytes here.
            let data = section.data().unwrap_or_default();
            if !data.is_empty() {
                self.part(Part::of(name, data));
            }
        }
        // What is run is segments: sections are what a file says of itself.
        for (number, segment) in file.segments().enumerate() {
            if !self.may_read(number) {
                return;
            }
            let name = segment.name_bytes().ok().flatten().map(text).unwrap_or_default();
            let rights = segment.permissions();
            self.part(Part {
                name: format!("segment {number} {name}").trim_end().to_owned(),
                data: segment.data().unwrap_or_default(),
                writable: rights.writable(),
                executable: rights.executable(),
            });
        }
    }
}

fn text(bytes: &[u8]) -> String {
    let bytes = bytes.get(..SHOWN).unwrap_or(bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is not the same in two lists of parts, by name and, of those with one name, by order.
pub(crate) fn sections(reviewed: Option<&[Part<'_>]>, new: &[Part<'_>]) -> Vec<Section> {
    let mut left: Vec<Option<&Part<'_>>> = reviewed.unwrap_or_default().iter().map(Some).collect();
    let mut listed = Vec::new();
    for part in new.iter().take(SECTIONS) {
        let same_name = |old: &&mut Option<&Part<'_>>| old.is_some_and(|old| old.name == part.name);
        let old = left.iter_mut().find(same_name).and_then(Option::take);
        let is_same = old.is_some_and(|old| {
            old.data == part.data && (old.writable, old.executable) == (part.writable, part.executable)
        });
        if !is_same {
            let (reviewed, new) = (old.map(Part::facts), part.facts());
            let notable = reviewed.is_none_or(|old| is_notable(old, new));
            listed.push(Section { name: bounded(&part.name, SHOWN), reviewed, new: Some(new), notable });
        }
    }
    listed.extend(left.into_iter().flatten().map(|gone| Section {
        name: bounded(&gone.name, SHOWN),
        reviewed: Some(gone.facts()),
        new: None,
        notable: true,
    }));
    listed.sort_by_key(|section| !section.notable);
    listed.truncate(NAMED);
    listed
}

fn is_notable(old: SectionFacts, new: SectionFacts) -> bool {
    let moved = (old.entropy - new.entropy).abs() >= OTHER_ENTROPY;
    let resized = old.size.abs_diff(new.size) > old.size / 8;
    moved || resized || (old.writable, old.executable) != (new.writable, new.executable)
}
