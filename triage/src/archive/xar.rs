//! Packages of macOS: the table of contents, which is XML and names all members. The members themselves are not unpacked.

use super::{Archive, Entry, Packing, Role};
use crate::findings::NotAnalysed;
use crate::octets::{be32, be64, slice};

pub(crate) fn open(bytes: &[u8]) -> Archive<'_> {
    let mut archive = Archive::default();
    let header = be32(bytes, 4).map(|word| (word >> 16) as usize);
    let len = be64(bytes, 8).and_then(|len| usize::try_from(len).ok());
    let packed = header.zip(len).and_then(|(at, len)| Some((slice(bytes, at, len)?, bytes.get(at + len..)?)));
    let Some((table, heap)) = packed else {
        archive.cut =
            Some(NotAnalysed::Malformed { said: "the table of contents goes beyond the end".into() });
        return archive;
    };
    let says = be64(bytes, 16).unwrap_or_default();
    let name = "(table of contents)".to_owned();
    archive.entries.push(Entry {
        name,
        packed: table.into(),
        packing: Packing::Zlib,
        says,
        role: Role::File,
    });
    let name = "(members, packed)".to_owned();
    archive.entries.push(Entry {
        name,
        packed: heap.into(),
        packing: Packing::Other,
        says: heap.len() as u64,
        role: Role::File,
    });
    archive
}
