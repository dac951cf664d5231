//! Electron's asar: a header of JSON, and the files behind it.

use serde_json::Value;

use super::{Archive, Entry, Packing, Role};
use crate::contents::OddityKind;
use crate::findings::NotAnalysed;
use crate::limits::Limits;
use crate::octets::{le32, slice};

pub(crate) fn open<'a>(bytes: &'a [u8], limits: &Limits) -> Archive<'a> {
    let mut archive = Archive::default();
    let header = le32(bytes, 12).and_then(|len| slice(bytes, 16, len as usize));
    let files = le32(bytes, 4).and_then(|len| bytes.get(8_usize.checked_add(len as usize)?..));
    let (Some(header), Some(files)) = (header, files) else {
        archive.cut = Some(NotAnalysed::Malformed { said: "the header goes beyond the end".into() });
        return archive;
    };
    match serde_json::from_slice::<Value>(header) {
        Ok(header) => walk(&header, files, limits, &mut archive),
        Err(said) => archive.cut = Some(NotAnalysed::Malformed { said: said.to_string().into() }),
    }
    archive
}

/// No file system takes a longer path. A header has a name once and not once for each file below it: without this bound a small
/// one would take all memory.
const LONGEST_PATH: usize = 4096;

/// Folder by folder; the parser of JSON bounds how deep they lie.
fn walk<'a>(root: &Value, files: &'a [u8], limits: &Limits, archive: &mut Archive<'a>) {
    let mut open = vec![(String::new(), root)];
    while let Some((name, node)) = open.pop() {
        if archive.entries.len() >= limits.members {
            archive.cut = Some(NotAnalysed::TooMuch);
            return;
        }
        if let Some(children) = node.get("files").and_then(Value::as_object) {
            if children.keys().any(|child| name.len() + child.len() > LONGEST_PATH) {
                archive.cut = Some(NotAnalysed::Malformed { said: "a path has more than 4096 bytes".into() });
                return;
            }
            let inside =
                |child: &str| if name.is_empty() { child.to_owned() } else { format!("{name}/{child}") };
            open.extend(children.iter().map(|(child, node)| (inside(child), node)));
        } else if let Some(target) = node.get("link").and_then(Value::as_str) {
            archive.linked(name, "", target.to_owned());
        } else {
            file(name, node, files, archive);
        }
    }
}

fn file<'a>(name: String, node: &Value, files: &'a [u8], archive: &mut Archive<'a>) {
    let says = node.get("size").and_then(Value::as_u64).unwrap_or_default();
    let at = node.get("offset").and_then(Value::as_str).and_then(|at| at.parse::<usize>().ok());
    let data = at.zip(usize::try_from(says).ok()).and_then(|(at, len)| slice(files, at, len));
    match data {
        Some(data) => archive.stored(name, data),
        // It lies beside the archive, and is said by name and size.
        None if node.get("unpacked") == Some(&Value::Bool(true)) => {
            archive.entries.push(Entry {
                name,
                packed: says.to_string().into_bytes().into(),
                packing: Packing::Other,
                says,
                role: Role::File,
            });
        }
        None => {
            archive.odd(OddityKind::SizeDiffers, &name);
            // What it says of itself can change where its bytes are not there.
            let packed = node.to_string().into_bytes().into();
            archive.entries.push(Entry { name, packed, packing: Packing::Other, says, role: Role::File });
        }
    }
}
