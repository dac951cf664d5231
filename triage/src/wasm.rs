//! WebAssembly: what a module takes and gives, and what lies beside its code.

use std::collections::BTreeSet;

use wasmparser::{BinaryReaderError, Parser, Payload};

use crate::body::names;
use crate::contents::Contents;
use crate::findings::NotAnalysed;
use crate::limits::Limits;
use crate::meter::Meter;
use crate::program::{Part, SECTIONS, sections};

/// Sections by their number.
const NAMES: [&str; 14] = [
    "custom",
    "type",
    "import",
    "function",
    "table",
    "memory",
    "global",
    "export",
    "start",
    "element",
    "code",
    "data",
    "data count",
    "tag",
];

#[derive(Default)]
struct Module<'a> {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
    parts: Vec<Part<'a>>,
    /// Whether there is more than is told apart.
    is_cut: bool,
}

pub(crate) fn compare(reviewed: Option<&[u8]>, new: &[u8], contents: &mut Contents, meter: &mut Meter) {
    let mut read = |bytes| {
        let mut module = Module::default();
        if let Err(said) = module.read(bytes) {
            meter.note(NotAnalysed::Malformed { said: said.to_string().into() });
        }
        if module.is_cut {
            meter.note(NotAnalysed::TooMuch);
        }
        module
    };
    let (old, now) = (reviewed.map(&mut read), read(new));
    contents.names.extend(names("imports", old.as_ref().map(|old| &old.imports), &now.imports));
    contents.names.extend(names("exports", old.as_ref().map(|old| &old.exports), &now.exports));
    contents.sections = sections(old.as_ref().map(|old| old.parts.as_slice()), &now.parts);
}

impl<'a> Module<'a> {
    fn read(&mut self, bytes: &'a [u8]) -> Result<(), BinaryReaderError> {
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            match &payload {
                Payload::ImportSection(section) => {
                    for import in section.clone().into_imports() {
                        let import = import?;
                        if self.imports.len() >= Limits::NAMES {
                            self.is_cut = true;
                            break;
                        }
                        self.imports.insert(format!("{}.{}", import.module, import.name));
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section.clone() {
                        if self.exports.len() >= Limits::NAMES {
                            self.is_cut = true;
                            break;
                        }
                        self.exports.insert(export?.name.to_owned());
                    }
                }
                Payload::CustomSection(section) => {
                    self.part(format!("custom {}", section.name()), section.data());
                }
                _ => {}
            }
            // Functions of the code section come one by one besides, and are none.
            let section = payload.as_section().filter(|_| !matches!(payload, Payload::CustomSection(_)));
            if let Some((id, range)) = section {
                let name = NAMES.get(usize::from(id)).copied().unwrap_or("section of no known kind");
                let data = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
                let data = data.and_then(|(start, end)| bytes.get(start..end)).unwrap_or_default();
                self.part(name.to_owned(), data);
            }
        }
        Ok(())
    }

    // Sections of three bytes could be as many as memory holds.
    fn part(&mut self, name: String, data: &'a [u8]) {
        if self.parts.len() < SECTIONS {
            self.parts.push(Part::of(name, data));
        } else {
            self.is_cut = true;
        }
    }
}
