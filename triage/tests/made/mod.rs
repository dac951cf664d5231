//! Small files of each format, made by hand, so that each of their bytes can be wrong on purpose.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

pub(crate) fn le(value: u32) -> [u8; 4] {
    value.to_le_bytes()
}

/// A zip archive.
#[derive(Default)]
pub(crate) struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

impl Zip {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn stored(self, name: &str, data: &[u8]) -> Self {
        self.member(name, 0, 0, data, data.len(), true)
    }

    pub(crate) fn encrypted(self, name: &str, data: &[u8]) -> Self {
        self.member(name, 1, 0, data, data.len(), true)
    }

    pub(crate) fn deflated(self, name: &str, data: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        self.member(name, 0, 8, &encoder.finish().unwrap(), data.len(), true)
    }

    /// One more, of which the directory says that it is a symbolic link.
    pub(crate) fn linked(self, name: &str, target: &[u8], is_deflated: bool) -> Self {
        let before = self.directory.len();
        let mut zip = if is_deflated { self.deflated(name, target) } else { self.stored(name, target) };
        zip.directory[before + 38..before + 42].copy_from_slice(&le(0o120_777 << 16));
        zip
    }

    /// One that the directory does not list.
    pub(crate) fn hidden(self, name: &str, data: &[u8]) -> Self {
        self.member(name, 0, 0, data, data.len(), false)
    }

    /// One more in the directory, with the bytes of the member at `at`.
    pub(crate) fn again(mut self, name: &str, at: u32) -> Self {
        let fields = self.directory[8..28].to_vec();
        self.list(name, &fields, at);
        self
    }

    /// Gives the last member of the directory an extra field.
    pub(crate) fn extra(mut self, field: &[u8]) -> Self {
        let len = self.directory.len();
        let last = self.directory.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
        let field_len = (field.len() as u16).to_le_bytes();
        self.directory[last + 30..last + 32].copy_from_slice(&field_len);
        self.directory.splice(len..len, field.iter().copied());
        self
    }

    pub(crate) fn directory_len(&self) -> u32 {
        self.directory.len() as u32
    }

    fn member(mut self, name: &str, flags: u16, method: u16, data: &[u8], len: usize, listed: bool) -> Self {
        let at = self.bytes.len() as u32;
        let fields = [
            flags.to_le_bytes().as_slice(),
            &method.to_le_bytes(),
            &[0; 4],
            &[0; 4],
            &le(data.len() as u32),
            &le(len as u32),
        ]
        .concat();
        let length = (name.len() as u16).to_le_bytes();
        self.bytes.extend(
            [b"PK\x03\x04\x14\0".as_slice(), &fields, &length, &[0; 2], name.as_bytes(), data].concat(),
        );
        if listed {
            self.list(name, &fields, at);
        }
        self
    }

    fn list(&mut self, name: &str, fields: &[u8], at: u32) {
        let length = (name.len() as u16).to_le_bytes();
        let entry =
            [b"PK\x01\x02\x14\0\x14\0".as_slice(), fields, &length, &[0; 12], &le(at), name.as_bytes()];
        self.directory.extend(entry.concat());
        self.count += 1;
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let count = self.count.to_le_bytes();
        let (len, at) = (le(self.directory.len() as u32), le(self.bytes.len() as u32));
        let end = [b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &len, &at, &[0; 2]].concat();
        [self.bytes.as_slice(), &self.directory, &end].concat()
    }
}

pub(crate) fn tarball(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        builder.append_data(&mut header, name, *data).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A tar archive of members that are no files: a name, a type, a target, and data.
pub(crate) fn tarball_of(members: &[(&str, u8, &str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, target, data) in members {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_path(name).unwrap();
        header.set_link_name_literal(target).unwrap();
        header.set_size(data.len() as u64);
        header.set_cksum();
        builder.append(&header, *data).unwrap();
    }
    builder.into_inner().unwrap()
}

/// An archive of Electron. Folders are made of the names.
pub(crate) fn asar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut root = serde_json::json!({ "files": {} });
    let mut data = Vec::new();
    for (name, bytes) in members {
        let pointer = name.split('/').fold(&mut root, |node, part| &mut node["files"][part]);
        *pointer = serde_json::json!({ "size": bytes.len(), "offset": data.len().to_string() });
        data.extend_from_slice(bytes);
    }
    asar_of(&root, &data)
}

/// The same, of a header that can say anything.
pub(crate) fn asar_of(root: &serde_json::Value, data: &[u8]) -> Vec<u8> {
    let mut header = serde_json::to_vec(root).unwrap();
    let len = header.len() as u32;
    header.resize(header.len().next_multiple_of(4), 0);
    let padded = header.len() as u32;
    [le(4).as_slice(), &le(padded + 8), &le(padded + 4), &le(len), &header, data].concat()
}

/// A module that takes functions and gives its first one under some names.
pub(crate) fn wasm(imports: &[(&str, &str)], exports: &[&str]) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let section =
        |id: u8, count: usize, body: Vec<u8>| [vec![id, body.len() as u8 + 1, count as u8], body].concat();
    let import = |(module, name): &(&str, &str)| [text(module), text(name), vec![0, 0]].concat();
    let export = |name: &&str| [text(name), vec![0, 0]].concat();
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, 1, vec![0x60, 0, 0]),
        section(2, imports.len(), imports.iter().flat_map(import).collect()),
        section(7, exports.len(), exports.iter().flat_map(export).collect()),
    ]
    .concat()
}

/// A program of Windows for 64 bits.
#[derive(Default)]
pub(crate) struct Pe {
    sections: Vec<(String, u32, Vec<u8>)>,
    imports: Vec<(String, Vec<String>)>,
    time: u32,
}

const ALIGNED: usize = 0x200;
const PAGE: usize = 0x1000;

impl Pe {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn section(mut self, name: &str, rights: u32, data: &[u8]) -> Self {
        self.sections.push((name.to_owned(), rights, data.to_vec()));
        self
    }

    pub(crate) fn import(mut self, library: &str, names: &[&str]) -> Self {
        self.imports.push((library.to_owned(), names.iter().map(|name| (*name).to_owned()).collect()));
        self
    }

    pub(crate) fn time(mut self, time: u32) -> Self {
        self.time = time;
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut sections = self.sections.clone();
        let address_of = |number: usize| (PAGE * 16 * (number + 1)) as u32;
        let idata = address_of(sections.len());
        if !self.imports.is_empty() {
            sections.push((".idata".to_owned(), 0x4000_0040, self.import_table(idata)));
        }
        let mut bytes = vec![0; 0x80];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[0x3c] = 0x80;
        bytes.extend_from_slice(b"PE\0\0\x64\x86");
        bytes.extend((sections.len() as u16).to_le_bytes());
        bytes.extend(le(self.time));
        bytes.extend([0; 8]);
        bytes.extend(240_u16.to_le_bytes());
        bytes.extend(0x22_u16.to_le_bytes());
        let optional = bytes.len();
        bytes.extend(self.optional(sections.len(), idata));
        assert_eq!(bytes.len(), optional + 240);
        let mut at = ALIGNED * 4;
        for (number, (name, rights, data)) in sections.iter().enumerate() {
            let mut header = name.clone().into_bytes();
            header.resize(8, 0);
            let len = data.len().next_multiple_of(ALIGNED);
            for field in [data.len() as u32, address_of(number), len as u32, at as u32, 0, 0, 0, *rights] {
                header.extend(le(field));
            }
            bytes.extend(header);
            at += len;
        }
        bytes.resize(ALIGNED * 4, 0);
        for (_, _, data) in &sections {
            bytes.extend_from_slice(data);
            bytes.resize(bytes.len().next_multiple_of(ALIGNED), 0);
        }
        bytes
    }

    fn optional(&self, sections: usize, idata: u32) -> Vec<u8> {
        let mut optional = vec![0; 240];
        let mut put = |at: usize, value: u32| optional[at..at + 4].copy_from_slice(&le(value));
        put(0, 0x20b);
        put(16, PAGE as u32 * 16);
        put(24, 0x40_0000);
        put(32, PAGE as u32);
        put(36, ALIGNED as u32);
        put(40, 6);
        put(48, 6);
        put(56, (PAGE * 16 * (sections + 2)) as u32);
        put(60, ALIGNED as u32 * 4);
        put(68, 3);
        put(108, 16);
        if !self.imports.is_empty() {
            put(120, idata);
            put(124, 20);
        }
        optional
    }

    fn import_table(&self, address: u32) -> Vec<u8> {
        let mut table = vec![0; 20 * (self.imports.len() + 1)];
        for (number, (library, names)) in self.imports.iter().enumerate() {
            let mut thunks = Vec::new();
            for name in names {
                thunks.extend((u64::from(address) + table.len() as u64).to_le_bytes());
                table.extend([&[0, 0], name.as_bytes(), &[0]].concat());
            }
            thunks.extend([0; 8]);
            let (name_at, thunks_at) =
                (address + table.len() as u32, address + (table.len() + library.len() + 1) as u32);
            table.extend([library.as_bytes(), &[0], &thunks].concat());
            let fields = [thunks_at, 0, 0, name_at, thunks_at];
            for (field, value) in fields.into_iter().enumerate() {
                let at = number * 20 + field * 4;
                table[at..at + 4].copy_from_slice(&le(value));
            }
        }
        table
    }
}
