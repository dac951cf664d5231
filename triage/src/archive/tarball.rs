//! Tar: as the crate `tar` reads it, and what stands behind the end that it sees.

use std::io::Cursor;

use tar::EntryType;

use super::{Archive, Entry, Packing, Role, folder_of};
use crate::contents::OddityKind;
use crate::findings::NotAnalysed;
use crate::limits::Limits;
use crate::octets::slice;

pub(crate) fn open<'a>(bytes: &'a [u8], limits: &Limits) -> Archive<'a> {
    let mut archive = Archive::default();
    let mut ends = 0;
    if let Err(said) = read(bytes, limits, &mut archive, &mut ends) {
        archive.cut = Some(NotAnalysed::Malformed { said: said.to_string().into() });
    } else if bytes.get(ends..).is_some_and(|rest| rest.iter().any(|byte| *byte != 0)) {
        archive.odd(OddityKind::Appended, "");
    }
    archive
}

fn read<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    archive: &mut Archive<'a>,
    ends: &mut usize,
) -> std::io::Result<()> {
    let mut reader = tar::Archive::new(Cursor::new(bytes));
    for entry in reader.entries()? {
        let entry = entry?;
        if archive.entries.len() >= limits.members || limits.is_over() {
            archive.cut = Some(NotAnalysed::TooMuch);
            break;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let starts = entry.raw_file_position();
        let (starts, len) = (usize::try_from(starts).unwrap_or(usize::MAX), usize::try_from(entry.size()));
        let kind = entry.header().entry_type();
        if entry.header().entry_size().ok() != Some(entry.size()) {
            archive.odd(OddityKind::HeadersDiffer, &name);
        }
        let target = entry.link_name_bytes().map(|target| String::from_utf8_lossy(&target).into_owned());
        let data = len.ok().and_then(|len| slice(bytes, starts, len));
        *ends = starts.saturating_add(data.map_or(0, |data| data.len().next_multiple_of(512)));
        let Some(data) = data else { return Err(std::io::ErrorKind::UnexpectedEof.into()) };
        member(archive, name, (kind, data), target);
    }
    Ok(())
}

/// Adds what a header stands for. Readers take a type that they do not know for a file, so that none is left out here.
fn member<'a>(
    archive: &mut Archive<'a>,
    name: String,
    (kind, data): (EntryType, &'a [u8]),
    target: Option<String>,
) {
    let target = target.unwrap_or_default();
    let says = data.len() as u64;
    let special =
        |name: String, packing| Entry { name, packed: data.into(), packing, says, role: Role::Special };
    match kind {
        EntryType::Regular | EntryType::Continuous => {
            if !target.is_empty() {
                archive.link(&name, folder_of(&name), &target);
            }
            archive.stored(name, data);
        }
        EntryType::Symlink => {
            let place = folder_of(&name).to_owned();
            archive.linked(name, &place, target);
        }
        // A hard link counts from the top.
        EntryType::Link => archive.linked(name, "", target),
        EntryType::GNUSparse => {
            archive.odd(OddityKind::SizeDiffers, &name);
            archive.entries.push(special(name, Packing::Other));
        }
        EntryType::Directory if data.is_empty() => {}
        _ => archive.entries.push(special(name, Packing::Stored)),
    }
}
