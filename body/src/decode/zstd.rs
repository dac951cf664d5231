//! zstd (RFC 8878) as the web has it (RFC 9659): a window of at most 8 MiB, no dictionary.
//!
//! All frames count, one after the other, as in browsers. The header of each is read here before the library sees
//! it: the library takes a shortcut for frames that arrive whole, on which it forgets the window, so that the same
//! body would pass or fail by how it was cut into packets. Skippable frames are refused: no server sends them, and a
//! body that is about to be trusted has no room for bytes that are not part of it.

use pinfold_policy::verdict::Unmeasurable;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation as _, OutBuffer};

use super::{Pieces, Step};

/// RFC 9659 §3, as a power of two: 8 MiB.
const WINDOW_LOG_MAX: u32 = 23;

pub(super) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Magic, descriptor, window, and eight bytes of content size; a dictionary id is refused before it is read.
const HEADER_MAX: usize = 14;

/// Tables and a block, beside the window (RFC 8878 §3.1.1.2.4: a block is at most 128 KiB).
const TABLES: u64 = 384 * 1024;

pub(super) struct Zstd {
    /// Made with the first frame.
    library: Option<Decoder<'static>>,
    header: Header,
    /// A header that has been read, and that the library has not seen yet.
    next: Option<Header>,
    /// Whether a header has been read and the frame behind it has not ended.
    in_frame: bool,
    /// The largest window so far, in bytes.
    window: u64,
    frames: Pieces,
}

impl Zstd {
    pub(super) fn new() -> Self {
        Self {
            library: None,
            header: Header::new(),
            next: None,
            in_frame: false,
            window: 0,
            frames: Pieces::default(),
        }
    }

    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Unmeasurable> {
        if let Some(header) = self.next.take() {
            let step = self.run(header.bytes(), output)?;
            // A header alone has no content, and the library takes all of it.
            if step.taken != header.len || step.given != 0 {
                return Err(Unmeasurable::BadEncoding);
            }
        }
        if self.in_frame {
            return self.run(input, output);
        }
        let Some(byte) = input.first() else { return Ok(Step { taken: 0, given: 0 }) };
        if let Some(window) = self.header.push(*byte)? {
            self.next = Some(std::mem::replace(&mut self.header, Header::new()));
            self.in_frame = true;
            self.window = self.window.max(window);
        }
        Ok(Step { taken: 1, given: 0 })
    }

    pub(super) fn memory(&self) -> u64 {
        if self.window == 0 { 0 } else { self.window + TABLES }
    }

    pub(super) fn is_at_end(&self) -> bool {
        !self.in_frame && self.header.len == 0 && self.frames.ended() > 0
    }

    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Unmeasurable> {
        let library = match &mut self.library {
            Some(library) => library,
            none => none.insert(library().map_err(|_| Unmeasurable::BadEncoding)?),
        };
        let mut input = InBuffer::around(input);
        let mut output = OutBuffer::around(output);
        let expected = library.run(&mut input, &mut output).map_err(|_| Unmeasurable::BadEncoding)?;
        self.frames.grow(output.pos());
        if expected == 0 {
            self.in_frame = false;
            self.frames.end_one()?;
        }
        Ok(Step { taken: input.pos(), given: output.pos() })
    }
}

fn library() -> std::io::Result<Decoder<'static>> {
    let mut library = Decoder::new()?;
    library.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
    Ok(library)
}

/// A frame header (RFC 8878 §3.1.1.1) while it arrives.
struct Header {
    bytes: [u8; HEADER_MAX],
    len: usize,
}

impl Header {
    fn new() -> Self {
        Self { bytes: [0; HEADER_MAX], len: 0 }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Takes one byte, and gives the window once the header is complete and acceptable.
    fn push(&mut self, byte: u8) -> Result<Option<u64>, Unmeasurable> {
        let slot = self.bytes.get_mut(self.len).ok_or(Unmeasurable::BadEncoding)?;
        *slot = byte;
        self.len += 1;
        let bytes = self.bytes();
        let Some((magic, rest)) = bytes.split_at_checked(MAGIC.len()) else {
            return if MAGIC.starts_with(bytes) { Ok(None) } else { Err(Unmeasurable::BadEncoding) };
        };
        if magic != MAGIC {
            return Err(Unmeasurable::BadEncoding);
        }
        let [descriptor, fields @ ..] = rest else { return Ok(None) };
        let fields_len = Fields::of(*descriptor)?;
        if fields.len() < fields_len.window + fields_len.content_size {
            return Ok(None);
        }
        let window = window(fields, fields_len);
        if window > 1 << WINDOW_LOG_MAX { Err(Unmeasurable::BadEncoding) } else { Ok(Some(window)) }
    }
}

/// How long the optional fields are that a frame header descriptor announces.
#[derive(Clone, Copy)]
struct Fields {
    window: usize,
    content_size: usize,
}

impl Fields {
    fn of(descriptor: u8) -> Result<Self, Unmeasurable> {
        let (reserved, dictionary_id) = (descriptor & 0b1000 != 0, descriptor & 0b11 != 0);
        if reserved || dictionary_id {
            return Err(Unmeasurable::BadEncoding);
        }
        let single_segment = descriptor & 0b10_0000 != 0;
        let content_size = match descriptor >> 6 {
            0 => usize::from(single_segment),
            1 => 2,
            2 => 4,
            _ => 8,
        };
        Ok(Self { window: usize::from(!single_segment), content_size })
    }
}

/// The memory that a frame asks for, in bytes: its window, or all of its content where it has no window.
fn window(fields: &[u8], len: Fields) -> u64 {
    if let (1, Some(descriptor)) = (len.window, fields.first()) {
        let base = 1u64 << (10 + u32::from(descriptor >> 3));
        return base + base / 8 * u64::from(descriptor & 0b111);
    }
    let size = fields.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    // RFC 8878 §3.1.1.1.4: the two-byte form starts at 256.
    if len.content_size == 2 { size + 256 } else { size }
}
