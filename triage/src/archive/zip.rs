//! Zip: read twice, by the directory at its end and by the headers in front of each member, because readers differ.
//!
//! Written out here and not taken from a crate: those read an archive in one way, and what matters is where the ways part
//! (APPNOTE.TXT 6.3.10).

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::DeflateDecoder;

use super::{Archive, Entry, Packing, Role, folder_of};
use crate::contents::OddityKind;
use crate::findings::NotAnalysed;
use crate::limits::Limits;
use crate::octets::{le16, le32, le64, slice, starts_at};

const END: &[u8] = b"PK\x05\x06";
const LISTED: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
/// An end has 22 bytes and a comment of up to 65,535.
const REACH: usize = 22 + 65_535;
/// The size that stands elsewhere.
const ELSEWHERE: u32 = u32::MAX;

/// Whether there is a directory at the end: then it is an archive for those who begin there.
pub(crate) fn has_directory(bytes: &[u8]) -> bool {
    end_of(bytes).is_some_and(|end| Directory::at(bytes, end).is_some())
}

/// An archive behind something else that is read from its beginning: readers of zip begin at the end.
pub(crate) fn behind(bytes: &[u8]) -> Option<&[u8]> {
    let first = b"PK\x03\x04";
    let mut places = bytes.windows(first.len());
    let at = if has_directory(bytes) { places.position(|window| window == first)? } else { return None };
    bytes.get(at..)
}

/// All members, those too that only one kind of reader finds.
pub(crate) fn open<'a>(bytes: &'a [u8], limits: &Limits) -> Archive<'a> {
    let mut archive = Archive::default();
    let mut places = Vec::new();
    match end_of(bytes).and_then(|end| Some((end, Directory::at(bytes, end)?))) {
        Some((end, directory)) => {
            surroundings(bytes, end, &directory, &mut archive);
            let count = listed(bytes, &directory, &mut archive, &mut places, limits);
            let said = le16(bytes, end + 10);
            if archive.cut.is_none()
                && said.is_some_and(|said| said != u16::MAX && usize::from(said) != count)
            {
                archive.odd(OddityKind::OtherCount, "");
            }
            unlisted(bytes, directory.starts, places, &mut archive, limits);
        }
        None => {
            archive.cut = Some(NotAnalysed::Malformed { said: "there is no directory".into() });
            unlisted(bytes, bytes.len(), places, &mut archive, limits);
        }
    }
    archive
}

/// The last end whose comment fits.
fn end_of(bytes: &[u8]) -> Option<usize> {
    let fits =
        |at: usize| le16(bytes, at + 20).is_some_and(|comment| at + 22 + usize::from(comment) <= bytes.len());
    ends(bytes).into_iter().rev().find(|at| fits(*at))
}

fn ends(bytes: &[u8]) -> Vec<usize> {
    let from = bytes.len().saturating_sub(REACH);
    let tail = bytes.get(from..).unwrap_or_default();
    tail.windows(END.len())
        .enumerate()
        .filter(|(_, window)| *window == END)
        .map(|(at, _)| from + at)
        .collect()
}

/// The directory.
struct Directory {
    starts: usize,
    ends: usize,
    /// Bytes in front of the archive: all places are counted from behind them.
    before: usize,
    /// The small numbers say something else than the large ones: readers without zip64 see another directory.
    is_small_else: bool,
}

impl Directory {
    fn at(bytes: &[u8], end: usize) -> Option<Self> {
        let (mut len, mut place) = (u64::from(le32(bytes, end + 12)?), u64::from(le32(bytes, end + 16)?));
        let (small, mut ends) = ((len, place), end);
        // Zip64: a locator in front of the end says where the large numbers are.
        let locator = end.checked_sub(20).filter(|at| starts_at(bytes, *at, b"PK\x06\x07"));
        if let Some(locator) = locator {
            let large = usize::try_from(le64(bytes, locator + 8)?).ok()?;
            if starts_at(bytes, large, b"PK\x06\x06") {
                (len, place) = (le64(bytes, large + 40)?, le64(bytes, large + 48)?);
                ends = large;
            }
        }
        let differs = |small, large| small != u64::from(ELSEWHERE) && small != large;
        let is_small_else = differs(small.0, len) || differs(small.1, place);
        let starts = ends.checked_sub(usize::try_from(len).ok()?)?;
        let before = starts.checked_sub(usize::try_from(place).ok()?)?;
        let is_one = len == 0 || starts_at(bytes, starts, LISTED);
        is_one.then_some(Self { starts, ends, before, is_small_else })
    }
}

fn surroundings(bytes: &[u8], end: usize, directory: &Directory, archive: &mut Archive<'_>) {
    let others = ends(bytes).into_iter().filter(|at| *at != end && Directory::at(bytes, *at).is_some());
    if others.count() > 0 {
        archive.odd(OddityKind::TwoDirectories, "");
    }
    if directory.is_small_else {
        archive.odd(OddityKind::TwoDirectories, "");
    }
    if directory.before > 0 {
        archive.odd(OddityKind::Prefixed, "");
    }
    let comment = le16(bytes, end + 20).map_or(0, usize::from);
    if end + 22 + comment < bytes.len() {
        archive.odd(OddityKind::Appended, "");
    }
}

/// A header in the directory.
struct Header<'a> {
    flags: u16,
    method: u16,
    packed: u64,
    says: u64,
    name: &'a [u8],
    /// Whether some readers go by another name: Info-ZIP's Unicode Path field has one.
    has_other_name: bool,
    local: usize,
    is_link: bool,
    len: usize,
}

impl<'a> Header<'a> {
    fn at(bytes: &'a [u8], at: usize, before: usize) -> Option<Self> {
        if !starts_at(bytes, at, LISTED) {
            return None;
        }
        let field = |offset| le16(bytes, at + offset).map(usize::from);
        let (name, extra, comment) = (field(28)?, field(30)?, field(32)?);
        let large = Large { extra: slice(bytes, at + 46 + name, extra)? };
        let mut taken = 0;
        let says = large.or(le32(bytes, at + 24)?, &mut taken)?;
        let packed = large.or(le32(bytes, at + 20)?, &mut taken)?;
        let local = usize::try_from(large.or(le32(bytes, at + 42)?, &mut taken)?).ok()?;
        Some(Self {
            flags: le16(bytes, at + 8)?,
            method: le16(bytes, at + 10)?,
            packed,
            says,
            name: slice(bytes, at + 46, name)?,
            has_other_name: has_other_name(large.extra, slice(bytes, at + 46, name)?),
            local: local.checked_add(before)?,
            is_link: le32(bytes, at + 38)? >> 28 == 0xa,
            len: 46 + name + extra + comment,
        })
    }
}

fn has_other_name(extra: &[u8], name: &[u8]) -> bool {
    let other = field_of(extra, 0x7075).and_then(|field| field.get(5..));
    other.is_some_and(|other| other != name)
}

/// The bytes of an extra field.
fn field_of(extra: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut at = 0;
    while let (Some(id), Some(len)) = (le16(extra, at), le16(extra, at + 2)) {
        if id == wanted {
            return slice(extra, at + 4, usize::from(len));
        }
        at += 4 + usize::from(len);
    }
    None
}

/// The numbers of zip64, in the order in which they are missing.
struct Large<'a> {
    extra: &'a [u8],
}

impl Large<'_> {
    fn or(&self, small: u32, taken: &mut usize) -> Option<u64> {
        if small != ELSEWHERE {
            return Some(u64::from(small));
        }
        let Some(field) = field_of(self.extra, 1) else { return Some(u64::from(small)) };
        let value = le64(field, *taken * 8);
        *taken += 1;
        value
    }
}

/// Reads the directory, and says how many members it lists.
fn listed<'a>(
    bytes: &'a [u8],
    directory: &Directory,
    archive: &mut Archive<'a>,
    places: &mut Vec<(usize, usize)>,
    limits: &Limits,
) -> usize {
    let (mut at, mut count) = (directory.starts, 0);
    while at < directory.ends {
        let Some(header) = Header::at(bytes, at, directory.before) else {
            archive.cut = Some(NotAnalysed::Malformed { said: "the directory does not go on".into() });
            return count;
        };
        at += header.len;
        count += 1;
        if archive.entries.len() >= limits.members {
            archive.cut = Some(NotAnalysed::TooMuch);
            return count;
        }
        let name = String::from_utf8_lossy(header.name).into_owned();
        let Some((data, ends)) = data_of(bytes, &header, &name, archive) else {
            archive.odd(OddityKind::HeadersDiffer, &name);
            archive.entries.push(Entry {
                name,
                packed: Cow::default(),
                packing: Packing::Other,
                says: header.says,
                role: Role::File,
            });
            continue;
        };
        places.push((header.local, ends));
        if name.ends_with('/') && data.is_empty() {
            continue;
        }
        let packing = packing(header.flags, header.method);
        if let Some(target) = header.is_link.then(|| target(packing, data)).flatten() {
            archive.link(&name, folder_of(&name), &target);
        }
        let role = if header.is_link { Role::Link } else { Role::File };
        archive.entries.push(Entry { name, packed: data.into(), packing, says: header.says, role });
    }
    count
}

/// Where a link leads. No system follows a longer one.
fn target(packing: Packing, data: &[u8]) -> Option<String> {
    const LONGEST: u64 = 4096;
    let mut target = Vec::new();
    match packing {
        Packing::Stored => data.take(LONGEST).read_to_end(&mut target).ok()?,
        Packing::Deflate => DeflateDecoder::new(data).take(LONGEST).read_to_end(&mut target).ok()?,
        Packing::Zlib | Packing::Encrypted | Packing::Other => return None,
    };
    Some(String::from_utf8_lossy(&target).into_owned())
}

fn packing(flags: u16, method: u16) -> Packing {
    match method {
        _ if flags & 1 != 0 => Packing::Encrypted,
        0 => Packing::Stored,
        8 => Packing::Deflate,
        _ => Packing::Other,
    }
}

/// The packed bytes of a member, and where they end.
fn data_of<'a>(
    bytes: &'a [u8],
    header: &Header<'_>,
    name: &str,
    archive: &mut Archive<'_>,
) -> Option<(&'a [u8], usize)> {
    let at = header.local;
    if !starts_at(bytes, at, LOCAL) {
        return None;
    }
    let (name_len, extra) = (usize::from(le16(bytes, at + 26)?), usize::from(le16(bytes, at + 28)?));
    let starts = at + 30 + name_len + extra;
    let data = slice(bytes, starts, usize::try_from(header.packed).ok()?)?;
    let extra = slice(bytes, at + 30 + name_len, extra)?;
    let flags = le16(bytes, at + 6)?;
    // With bit 3 the sizes stand behind the data.
    let size_differs = |field: usize, listed: u64| {
        le32(bytes, at + field).is_none_or(|said| {
            said != ELSEWHERE && u64::from(said) != listed && !(flags & 8 != 0 && said == 0)
        })
    };
    // As large numbers stand there: the size first, then the packed one.
    let (large, mut taken) = (Large { extra }, 0);
    let mut large_differs = |field: usize, listed: u64| {
        le32(bytes, at + field).is_none_or(|said| {
            said == ELSEWHERE
                && large
                    .or(said, &mut taken)
                    .is_none_or(|said| said != listed && !(flags & 8 != 0 && said == 0))
        })
    };
    let differs = large_differs(22, header.says)
        || large_differs(18, header.packed)
        || header.has_other_name
        || has_other_name(extra, header.name)
        || slice(bytes, at + 30, name_len) != Some(header.name)
        || le16(bytes, at + 8) != Some(header.method)
        || (flags ^ header.flags) & 1 != 0
        || size_differs(18, header.packed)
        || size_differs(22, header.says);
    if differs {
        archive.odd(OddityKind::HeadersDiffer, name);
    }
    Some((data, starts + data.len()))
}

/// Members in the gaps between those that the directory lists.
fn unlisted<'a>(
    bytes: &'a [u8],
    ends: usize,
    mut places: Vec<(usize, usize)>,
    archive: &mut Archive<'a>,
    limits: &Limits,
) {
    places.sort_unstable();
    places.push((ends, ends));
    let mut at = places.first().map_or(0, |(first, _)| (*first).min(ends));
    // What stands in front of the first one is looked for where the archive begins with a member.
    if starts_at(bytes, 0, LOCAL) {
        at = 0;
    }
    for (starts, ends) in places {
        if starts < at {
            archive.odd(OddityKind::Overlapping, "");
        }
        while at < starts {
            let gap = bytes.get(at..starts).unwrap_or_default();
            let Some(found) = gap.windows(LOCAL.len()).position(|window| window == LOCAL) else { break };
            if archive.entries.len() >= limits.members {
                archive.cut = Some(NotAnalysed::TooMuch);
                return;
            }
            at = one_unlisted(bytes, at + found, starts, archive).max(at + found + LOCAL.len());
        }
        at = at.max(ends);
    }
}

/// Takes one, as a reader from front to back does, and says where it ends.
fn one_unlisted<'a>(bytes: &'a [u8], at: usize, most: usize, archive: &mut Archive<'a>) -> usize {
    let field = |offset| le16(bytes, at + offset);
    let (Some(flags), Some(method), Some(name), Some(extra)) = (field(6), field(8), field(26), field(28))
    else {
        return at;
    };
    let starts = at + 30 + usize::from(name) + usize::from(extra);
    let said = le32(bytes, at + 18).map_or(0, |len| len as usize);
    // Without a size it goes as far as the next member may.
    let len = if said == 0 && flags & 8 != 0 { most.saturating_sub(starts) } else { said };
    let (Some(name), Some(data)) = (slice(bytes, at + 30, usize::from(name)), slice(bytes, starts, len))
    else {
        return at;
    };
    let name = String::from_utf8_lossy(name).into_owned();
    archive.odd(OddityKind::Unlisted, &name);
    let says = le32(bytes, at + 22).map_or(0, u64::from);
    let (packed, packing) = (data.into(), packing(flags, method));
    archive.entries.push(Entry { name, packed, packing, says, role: Role::File });
    starts + len
}
