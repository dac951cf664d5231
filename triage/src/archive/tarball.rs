//! Tar: as the crate `tar` reads it, and what stands behind the end that it sees.

use std::io::Cursor;

use super::Archive;
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
        if let Some(target) = entry.link_name_bytes() {
            let target = String::from_utf8_lossy(&target).into_owned();
            // A hard link counts from the top, a symbolic one from where it is.
            archive.link(if kind.is_symlink() { &name } else { "" }, &target);
        }
        let data = len.ok().and_then(|len| slice(bytes, starts, len));
        *ends = starts.saturating_add(data.map_or(0, |data| data.len().next_multiple_of(512)));
        match data {
            Some(data) if kind.is_file() || kind.is_contiguous() => archive.stored(name, data),
            Some(_) if kind.is_gnu_sparse() => archive.odd(OddityKind::SizeDiffers, &name),
            Some(_) => {}
            None => return Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
    Ok(())
}
