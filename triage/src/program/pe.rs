//! What only Windows' programs have: PE/COFF of Microsoft, read by its tables as they lie in the file.

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::signature::{self, Algorithm};
use super::{Part, Program, text};
use crate::format::pe_headers;
use crate::octets::{entropy_of, le16, le32, slice};

/// Signatures one behind the other.
const SIGNATURES: usize = 8;
/// The type of an entry that is a signature: `WIN_CERT_TYPE_PKCS_SIGNED_DATA`.
const AUTHENTICODE: u16 = 2;

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
        let count = usize::from(le16(bytes, headers + 6)?);
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

/// What stands behind the last section and in front of the certificates; where these are there, what stands behind them too.
pub(super) fn overlays(bytes: &[u8]) -> [&[u8]; 2] {
    let Some(layout) = Layout::of(bytes) else { return [&[]; 2] };
    let from = layout.ends(bytes);
    let (to, behind) = match layout.certificates(bytes) {
        Some((at, table)) => (at.max(from), (at + table.len()).max(from)),
        None => (bytes.len(), bytes.len()),
    };
    [bytes.get(from..to).unwrap_or_default(), bytes.get(behind..).unwrap_or_default()]
}

/// What stands in the table of certificates beside the signatures. Windows leaves the table out of what is signed, and so
/// whoever adds to it keeps a signature that is valid.
pub(super) fn beside_signatures(bytes: &[u8]) -> Vec<&[u8]> {
    let table = Layout::of(bytes).and_then(|layout| Some(layout.certificates(bytes)?.1));
    let (entries, rest) = entries(table.unwrap_or_default());
    let beside = entries.iter().map(|(kind, entry)| match *kind {
        AUTHENTICODE => entry.get(signature::len(entry)..).unwrap_or_default(),
        _ => entry,
    });
    // Up to seven zeros fill an entry up.
    beside.chain([rest]).filter(|beside| beside.len() >= 8 || beside.iter().any(|byte| *byte != 0)).collect()
}

/// The entries of a table of certificates, each with its type, and what follows of it that is none.
fn entries(mut table: &[u8]) -> (Vec<(u16, &[u8])>, &[u8]) {
    let mut found = Vec::new();
    while let Some(len) = le32(table, 0).map(|len| len as usize).filter(|len| *len > 8) {
        let (Some(entry), Some(kind)) = (table.get(8..len), le16(table, 6)) else { break };
        if found.len() >= SIGNATURES {
            break;
        }
        found.push((kind, entry));
        table = table.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    (found, table)
}

impl<'a> Program<'a> {
    pub(super) fn pe(&mut self, bytes: &'a [u8]) {
        let Some(layout) = Layout::of(bytes) else { return };
        for header in &layout.sections {
            let to = bytes.len().min(header.at.saturating_add(header.len));
            self.part(Part {
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
        self.properties.push(("data behind its end", bytes_said(&overlays(bytes))));
        self.properties
            .push(("data beside its signatures, that nobody signed", bytes_said(&beside_signatures(bytes))));
        let entry = le32(bytes, layout.optional + 16).map_or(0, |entry| entry as usize);
        let section = layout
            .sections
            .iter()
            .find(|header| entry.checked_sub(header.address).is_some_and(|inside| inside < header.extent));
        let section = section.map_or("no section", |header| header.name.as_str());
        self.properties.push(("begins in section", section.to_owned()));
    }
}

fn bytes_said(parts: &[&[u8]]) -> String {
    match parts.iter().map(|part| part.len()).sum::<usize>() {
        0 => "none".to_owned(),
        len => format!("{len} bytes, entropy {:.2}", entropy_of(parts)),
    }
}

fn signatures(bytes: &[u8], layout: &Layout) -> Vec<crate::contents::Signature> {
    let Some((at, table)) = layout.certificates(bytes) else { return Vec::new() };
    let ends = at + table.len();
    let digest = |algorithm| digest(bytes, layout, (at, ends), algorithm);
    // Certificates of other types are none of Authenticode.
    let signed = entries(table).0.into_iter().filter(|(kind, _)| *kind == AUTHENTICODE);
    signed.flat_map(|(_, signed)| signature::read_all(signed, digest)).collect()
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
