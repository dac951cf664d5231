//! What bytes are, by the bytes alone: names and media types are the attacker's words.

use crate::contents::Format;
use crate::octets::{be32, le16, le32, starts_at};

/// What some bytes are.
pub(crate) fn format_of(bytes: &[u8]) -> Format {
    let magics: [(&[u8], Format); 9] = [
        (b"\x7fELF", Format::Elf),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Format::Ole),
        (b"PK\x03\x04", Format::Zip),
        (b"PK\x05\x06", Format::Zip),
        (b"\x1f\x8b\x08", Format::Gzip),
        (b"\0asm", Format::Wasm),
        (b"MSCF\0\0\0\0", Format::Cabinet),
        (b"7z\xbc\xaf\x27\x1c", Format::SevenZip),
        (b"xar!\0", Format::Xar),
    ];
    if let Some((_, format)) = magics.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return *format;
    }
    if is_pe(bytes) {
        Format::Pe
    } else if is_macho(bytes) {
        Format::MachO
    } else if is_asar(bytes) {
        Format::Asar
    } else if is_tar(bytes) {
        Format::Tar
    } else if crate::archive::zip::has_directory(bytes) {
        // Behind anything at all: readers of zip begin at the end.
        Format::Zip
    } else {
        text_or_other(bytes)
    }
}

/// Whether the first bytes could begin a script: then it may be one, whatever else it is. They can be of any encoding.
pub(crate) fn may_be_script(bytes: &[u8]) -> bool {
    let is_utf_16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let is_text = |byte: &u8| !byte.is_ascii_control() || byte.is_ascii_whitespace() || *byte == 0x0b;
    is_utf_16 || bytes.iter().take(4).all(is_text)
}

/// Where the headers of a PE begin.
pub(crate) fn pe_headers(bytes: &[u8]) -> Option<usize> {
    let at = le32(bytes, 0x3c)? as usize;
    (bytes.starts_with(b"MZ") && starts_at(bytes, at, b"PE\0\0")).then_some(at)
}

fn is_pe(bytes: &[u8]) -> bool {
    pe_headers(bytes).is_some()
}

fn is_macho(bytes: &[u8]) -> bool {
    match be32(bytes, 0) {
        Some(0xfeed_face | 0xfeed_facf | 0xcefa_edfe | 0xcffa_edfe) => true,
        // A class of Java begins in the same way, and has its version there: 45 and more.
        Some(0xcafe_babe | 0xcafe_babf) => be32(bytes, 4).is_some_and(|count| (1..45).contains(&count)),
        _ => false,
    }
}

fn is_asar(bytes: &[u8]) -> bool {
    le32(bytes, 0) == Some(4) && starts_at(bytes, 16, b"{")
}

/// By the checksum of its first header, which the oldest archives have too.
fn is_tar(bytes: &[u8]) -> bool {
    let Some(header) = bytes.get(..512) else { return false };
    let octal = |field: &[u8]| {
        let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
        u32::from_str_radix(text, 8).ok()
    };
    let said = header.get(148..156).and_then(octal);
    let sum = header
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { u32::from(b' ') } else { u32::from(*byte) });
    header.first() != Some(&0) && said == Some(sum.sum())
}

fn text_or_other(bytes: &[u8]) -> Format {
    // UTF-16 has its mark in front.
    if le16(bytes, 0) == Some(0xfeff) {
        return Format::Text;
    }
    let plain = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if plain.trim_ascii_start().starts_with(b"<") {
        return Format::Document;
    }
    let head = bytes.get(..4096).unwrap_or(bytes);
    if head.contains(&0) { Format::Other } else { Format::Text }
}
