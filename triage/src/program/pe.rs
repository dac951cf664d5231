//! What only Windows' programs have: PE/COFF of Microsoft, read by its tables as they lie in the file.

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::signature::{self, Algorithm};
use super::{Part, Program, text};
use crate::format::pe_headers;
use crate::octets::{entropy, le16, le32, slice};

/// Sections of a file; the format allows 96.
const SECTIONS: usize = 1000;
/// Signatures one behind the other.
const SIGNATURES: usize = 8;

/// Where things are.
struct Layout {
    headers: usize,
    optional: usize,
    /// The first entry of the directories.
    directories: usize,
    sections: Vec<Header>,
}

/// A section, by its header.
struct Header {
    name: String,
    address: usize,
    /// In memory, or in the file where that is more.
    extent: usize,
    at: usize,
    len: usize,
    rights: u32,
}

impl Layout {
    fn of(bytes: &[u8]) -> Option<Self> {
        let headers = pe_headers(bytes)?;
        let optional = headers.checked_add(24)?;
        let is_wide = le16(bytes, optional)? == 0x20b;
        let directories = optional + if is_wide { 112 } else { 96 };
        let table = optional + usize::from(le16(bytes, headers + 20)?);
        let count = usize::from(le16(bytes, headers + 6)?).min(SECTIONS);
        let sections = (0..count).map_while(|number| Header::at(bytes, table + number * 40)).collect();
        Some(Self { headers, optional, directories, sections })
    }

    /// The table of certificates: its place is one in the file, unlike that of all others.
    fn certificates<'a>(&self, bytes: &'a [u8]) -> Option<(usize, &'a [u8])> {
        // The directories that there are stand in front of them.
        let count = le32(bytes, self.directories - 4)?;
        let (at, len) =
            (le32(bytes, self.directories + 32)? as usize, le32(bytes, self.directories + 36)? as usize);
        let table = slice(bytes, at, len)?;
        (count > 4 && at > self.directories && len > 8).then_some((at, table))
    }

    /// Where the last section ends.
    fn ends(&self, bytes: &[u8]) -> usize {
        let ends = self.sections.iter().map(|section| section.at.saturating_add(section.len));
        ends.max().unwrap_or(bytes.len()).min(bytes.len())
    }
}

impl Header {
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let field = |offset| le32(bytes, at + offset).map(|value| value as usize);
        let name = slice(bytes, at, 8)?;
        let len = field(16)?;
        Some(Self {
            name: text(name.split(|byte| *byte == 0).next().unwrap_or_default()),
            address: field(12)?,
            extent: field(8)?.max(len),
            at: field(20)?,
            len,
            rights: le32(bytes, at + 36)?,
        })
    }
}

/// What stands behind the last section, without the certificates.
pub(super) fn overlay(bytes: &[u8]) -> &[u8] {
    let Some(layout) = Layout::of(bytes) else { return &[] };
    let from = layout.ends(bytes);
    let to = layout.certificates(bytes).map_or(bytes.len(), |(at, _)| at.max(from));
    bytes.get(from..to).unwrap_or_default()
}

impl<'a> Program<'a> {
    pub(super) fn pe(&mut self, bytes: &'a [u8]) {
        let Some(layout) = Layout::of(bytes) else { return };
        for header in &layout.sections {
            let to = bytes.len().min(header.at.saturating_add(header.len));
            self.parts.push(Part {
                name: header.name.clone(),
                data: bytes.get(header.at..to).unwrap_or_default(),
                writable: header.rights & 0x8000_0000 != 0,
                executable: header.rights & 0x2000_0000 != 0,
            });
        }
        self.said(bytes, &layout);
        self.signing = signatures(bytes, &layout);
    }

    fn said(&mut self, bytes: &[u8], layout: &Layout) {
        let time =
            le32(bytes, layout.headers + 8).map(|seconds| jiff::Timestamp::from_second(i64::from(seconds)));
        if let Some(Ok(time)) = time {
            self.properties.push(("compiled at, as it says itself", time.to_string()));
        }
        let overlay = overlay(bytes);
        let said = match overlay.len() {
            0 => "none".to_owned(),
            len => format!("{len} bytes, entropy {:.2}", entropy(overlay)),
        };
        self.properties.push(("data behind its end", said));
        let entry = le32(bytes, layout.optional + 16).map_or(0, |entry| entry as usize);
        let section = layout
            .sections
            .iter()
            .find(|header| entry.checked_sub(header.address).is_some_and(|inside| inside < header.extent));
        let section = section.map_or("no section", |header| header.name.as_str());
        self.properties.push(("begins in section", section.to_owned()));
    }
}

fn signatures(bytes: &[u8], layout: &Layout) -> Vec<crate::contents::Signature> {
    let Some((at, mut table)) = layout.certificates(bytes) else { return Vec::new() };
    let ends = at + table.len();
    let digest = |algorithm| digest(bytes, layout, (at, ends), algorithm);
    let mut found = Vec::new();
    while let Some(len) = le32(table, 0).map(|len| len as usize).filter(|len| *len > 8) {
        if found.len() >= SIGNATURES {
            break;
        }
        let Some(signed) = table.get(8..len) else { break };
        // Certificates of other types are none of Authenticode.
        if le16(table, 6) == Some(2) {
            found.extend(signature::read_all(signed, digest));
        }
        table = table.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    found
}

/// The digest that Authenticode signs: of all but the checksum, the place of the certificates, and these. What lies between
/// sections is part of it here, which Windows leaves out: bytes that are not signed are never said to be.
fn digest(
    bytes: &[u8],
    layout: &Layout,
    (at, ends): (usize, usize),
    algorithm: Algorithm,
) -> Option<Vec<u8>> {
    let (checksum, place) = (layout.optional + 64, layout.directories + 32);
    let parts = [
        bytes.get(..checksum)?,
        bytes.get(checksum + 4..place)?,
        bytes.get(place + 8..at)?,
        bytes.get(ends..)?,
    ];
    Some(match algorithm {
        Algorithm::Sha1 => of::<Sha1>(&parts),
        Algorithm::Sha256 => of::<Sha256>(&parts),
        Algorithm::Sha384 => of::<Sha384>(&parts),
        Algorithm::Sha512 => of::<Sha512>(&parts),
    })
}

fn of<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = D::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().to_vec()
}
