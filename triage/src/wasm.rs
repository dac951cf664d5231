//! WebAssembly: what a module takes and gives, and what lies beside its code.

use std::collections::BTreeSet;

use wasmparser::{BinaryReaderError, Parser, Payload};

use crate::body::names;
use crate::contents::Contents;
use crate::findings::NotAnalysed;
use crate::limits::Limits;
use crate::meter::Meter;
use crate::program::{Part, sections};

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
}

pub(crate) fn compare(reviewed: Option<&[u8]>, new: &[u8], contents: &mut Contents, meter: &mut Meter) {
    let mut read = |bytes| {
        let mut module = Module::default();
        if let Err(said) = module.read(bytes) {
            meter.note(NotAnalysed::Malformed { said: said.to_string().into() });
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
                    for import in section.clone().into_imports().take(Limits::NAMES) {
                        let import = import?;
                        self.imports.insert(format!("{}.{}", import.module, import.name));
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section.clone().into_iter().take(Limits::NAMES) {
                        self.exports.insert(export?.name.to_owned());
                    }
                }
                Payload::CustomSection(section) => {
                    self.parts.push(Part::of(format!("custom {}", section.name()), section.data()));
                }
                _ => {}
            }
            // Functions of the code section come one by one besides, and are none.
            let section = payload.as_section().filter(|_| !matches!(payload, Payload::CustomSection(_)));
            if let Some((id, range)) = section {
                let name = NAMES.get(usize::from(id)).copied().unwrap_or("section of no known kind");
                let data = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
                let data = data.and_then(|(start, end)| bytes.get(start..end)).unwrap_or_default();
                self.parts.push(Part::of(name.to_owned(), data));
            }
        }
        Ok(())
    }
}
