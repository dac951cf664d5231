//! Compound files: their streams. Of an MSI these are its tables, its cabinets and its signature; cabinets are not unpacked.

use std::io::{Cursor, Read};

use super::Archive;
use crate::findings::NotAnalysed;
use crate::meter::Meter;
use crate::program::BEHIND;

pub(crate) fn open<'a>(bytes: &'a [u8], meter: &mut Meter) -> Archive<'a> {
    let mut archive = Archive::default();
    if let Err(why) = read(bytes, meter, &mut archive) {
        archive.cut = Some(why);
    }
    // A JAR behind an MSI is a JAR to Java, and its signature stays that of the MSI.
    if let Some(behind) = super::zip::behind(bytes) {
        archive.stored(BEHIND.to_owned(), behind);
    }
    archive
}

fn read(bytes: &[u8], meter: &mut Meter, archive: &mut Archive<'_>) -> Result<(), NotAnalysed> {
    let malformed = |said: std::io::Error| NotAnalysed::Malformed { said: said.to_string().into() };
    let mut file = cfb::CompoundFile::open(Cursor::new(bytes)).map_err(malformed)?;
    let streams = file.walk().filter(cfb::Entry::is_stream).take(meter.limits.members);
    let streams: Vec<_> = streams.map(|entry| entry.path().to_owned()).collect();
    for path in streams {
        let mut stream = file.open_stream(&path).map_err(malformed)?;
        // No stream is longer than its file.
        let len = stream.len().min(bytes.len() as u64);
        let read = meter.read(stream.by_ref().take(len), bytes.len())?;
        let name = path.to_string_lossy();
        archive.stored(plain_name(name.trim_start_matches('/')), read);
    }
    Ok(())
}

/// Names in an MSI have two characters of an alphabet of 64 in one, and a mark in front of tables.
fn plain_name(name: &str) -> String {
    const ALPHABET: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._";
    let letter = |code: u32| ALPHABET.get(code as usize & 63).copied().map(char::from);
    let mut plain = String::new();
    for char in name.chars() {
        match u32::from(char) {
            code @ 0x3800..0x4800 => {
                plain.extend(letter(code - 0x3800));
                plain.extend(letter((code - 0x3800) >> 6));
            }
            code @ 0x4800..0x4840 => plain.extend(letter(code - 0x4800)),
            0x4840 => plain.push('!'),
            _ => plain.push(char),
        }
    }
    plain
}
