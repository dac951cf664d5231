//! Gzip: all its members one behind the other (RFC 1952), and what they hold.

use std::io::Read;

use flate2::bufread::GzDecoder;

use super::Archive;
use crate::contents::{Format, OddityKind};
use crate::findings::NotAnalysed;
use crate::format::format_of;
use crate::limits::Limits;
use crate::meter::Meter;

/// What is packed, and what the packing says.
pub(crate) struct Unzipped {
    pub(crate) bytes: Vec<u8>,
    has_rest: bool,
    cut: Option<NotAnalysed>,
}

pub(crate) fn unzip(packed: &[u8], meter: &mut Meter) -> Unzipped {
    let limits = meter.limits;
    let mut all = Members { rest: packed, current: None, has_rest: false, left: limits.members, limits };
    match meter.read(&mut all, packed.len()) {
        Ok(bytes) => Unzipped { bytes, has_rest: all.has_rest, cut: None },
        Err(why) => Unzipped { bytes: Vec::new(), has_rest: false, cut: Some(why) },
    }
}

impl Unzipped {
    /// The members of the tar archive in it, or itself as one.
    pub(crate) fn archive(&self, meter: &Meter) -> Archive<'_> {
        let mut archive = match format_of(&self.bytes) {
            Format::Tar => super::tarball::open(&self.bytes, &meter.limits),
            _ if self.cut.is_some() => Archive::default(),
            _ => {
                let mut one = Archive::default();
                one.stored("(unpacked)".to_owned(), self.bytes.as_slice());
                one
            }
        };
        if self.has_rest {
            archive.odd(OddityKind::Appended, "");
        }
        archive.cut = archive.cut.or_else(|| self.cut.clone());
        archive
    }
}

/// Reads member after member, and stops where no other begins.
struct Members<'a> {
    rest: &'a [u8],
    current: Option<GzDecoder<&'a [u8]>>,
    has_rest: bool,
    /// How many there may be: an empty one has 20 bytes, and takes the time of a large one.
    left: usize,
    limits: Limits,
}

impl Read for Members<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let Some(current) = &mut self.current else {
                if !self.rest.starts_with(b"\x1f\x8b") {
                    self.has_rest = self.rest.iter().any(|byte| *byte != 0);
                    return Ok(0);
                }
                if self.left == 0 || self.limits.is_over() {
                    return Err(std::io::Error::other(
                        "it is in more pieces than are read, or than there is time for",
                    ));
                }
                self.left -= 1;
                self.current = Some(GzDecoder::new(self.rest));
                continue;
            };
            let len = current.read(out)?;
            if len > 0 {
                return Ok(len);
            }
            self.rest = self.current.take().map(GzDecoder::into_inner).unwrap_or_default();
        }
    }
}
