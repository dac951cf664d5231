//! Making wire bytes of measured bytes, for one client or for all of them.
//!
//! The settings are those of an origin that encodes while the client waits. gzip and deflate at 6, zlib's own
//! default: beyond it a script shrinks by a percent for twice the time. br at 5, the first quality with context
//! modelling and the last that keeps pace with a network, in a window of 4 MiB, larger than nearly every script.
//! zstd at 3, its default, which stays within the window of RFC 9659.
//!
//! The same body gives the same bytes, always: an entity tag is made of the digest and the coding, and a strong one
//! promises the bytes. Codecs look at what is there when they are called, so they are fed in pieces of one size,
//! however the body is held.

use std::io::{self, Write};

use brotli::CompressorWriter;
use brotli::enc::backward_references::BrotliEncoderParams;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use crate::coding::Coding;

const DEFLATE_LEVEL: u32 = 6;
const BROTLI_QUALITY: i32 = 5;
const BROTLI_WINDOW_LOG: i32 = 22;
const ZSTD_LEVEL: i32 = 3;

/// Length of the pieces that go in.
const PIECE: usize = 64 * 1024;
/// The scratch memory of the br encoder.
const BROTLI_SCRATCH: usize = 16 * 1024;

/// A body could not be encoded: what was to be read could not be, or what was made could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot encode as {coding}: {cause}")]
pub struct EncodeError {
    coding: Coding,
    cause: io::Error,
}

/// Encodes a body of `len` bytes, which comes in pieces, into `out`.
///
/// # Errors
/// [`EncodeError`] when a piece cannot be read, or `out` cannot be written.
pub fn encode<W: Write>(
    pieces: impl IntoIterator<Item = io::Result<Bytes>>,
    len: u64,
    coding: Coding,
    out: W,
) -> Result<W, EncodeError> {
    let pieces = pieces.into_iter();
    let encoded = match coding {
        Coding::Identity => identity(pieces, out),
        Coding::Gzip => gzip(pieces, out),
        Coding::Deflate => deflate(pieces, out),
        Coding::Brotli => brotli(pieces, len, out),
        Coding::Zstd => zstd(pieces, len, out),
    };
    encoded.map_err(|cause| EncodeError { coding, cause })
}

fn identity<W: Write>(pieces: impl Iterator<Item = io::Result<Bytes>>, mut out: W) -> io::Result<W> {
    write_all(&mut out, pieces)?;
    Ok(out)
}

fn gzip<W: Write>(pieces: impl Iterator<Item = io::Result<Bytes>>, out: W) -> io::Result<W> {
    let mut encoder = GzEncoder::new(out, Compression::new(DEFLATE_LEVEL));
    write_all(&mut encoder, pieces)?;
    encoder.finish()
}

fn deflate<W: Write>(pieces: impl Iterator<Item = io::Result<Bytes>>, out: W) -> io::Result<W> {
    let mut encoder = ZlibEncoder::new(out, Compression::new(DEFLATE_LEVEL));
    write_all(&mut encoder, pieces)?;
    encoder.finish()
}

fn brotli<W: Write>(pieces: impl Iterator<Item = io::Result<Bytes>>, len: u64, out: W) -> io::Result<W> {
    let params = BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        lgwin: BROTLI_WINDOW_LOG,
        size_hint: usize::try_from(len).unwrap_or(usize::MAX),
        ..BrotliEncoderParams::default()
    };
    let mut encoder = CompressorWriter::with_params(Remembering::new(out), BROTLI_SCRATCH, &params);
    write_all(&mut encoder, pieces)?;
    encoder.into_inner().finish()
}

fn zstd<W: Write>(pieces: impl Iterator<Item = io::Result<Bytes>>, len: u64, out: W) -> io::Result<W> {
    let mut encoder = zstd::Encoder::new(out, ZSTD_LEVEL)?;
    // The decoder can then take a window no larger than the body.
    encoder.set_pledged_src_size(Some(len))?;
    encoder.include_checksum(true)?;
    write_all(&mut encoder, pieces)?;
    encoder.finish()
}

/// Feeds the body in pieces of [`PIECE`] bytes. They are collected first, since those that come do not end there:
/// copying costs a hundredth of encoding.
fn write_all(encoder: &mut impl Write, pieces: impl Iterator<Item = io::Result<Bytes>>) -> io::Result<()> {
    let mut piece = Vec::new();
    for bytes in pieces {
        let bytes = bytes?;
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(PIECE - piece.len()));
            piece.extend_from_slice(now);
            rest = later;
            if piece.len() == PIECE {
                encoder.write_all(&piece)?;
                piece.clear();
            }
        }
    }
    encoder.write_all(&piece)
}

/// The br encoder writes its end when it is taken apart, and drops what goes wrong then.
struct Remembering<W> {
    out: W,
    failed: Option<io::Error>,
}

impl<W: Write> Remembering<W> {
    fn new(out: W) -> Self {
        Self { out, failed: None }
    }

    fn finish(self) -> io::Result<W> {
        match self.failed {
            None => Ok(self.out),
            Some(failed) => Err(failed),
        }
    }
}

impl<W: Write> Write for Remembering<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes).inspect_err(|error| self.failed = Some(error.kind().into()))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Encodes what is in memory, into memory.
    pub(crate) fn encoded(body: &[u8], coding: Coding) -> Vec<u8> {
        in_pieces(body, body.len().max(1), coding)
    }

    fn in_pieces(body: &[u8], size: usize, coding: Coding) -> Vec<u8> {
        let pieces = body.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece)));
        encode(pieces, body.len() as u64, coding, Vec::new()).unwrap()
    }

    #[test]
    fn the_same_body_gives_the_same_bytes_however_it_is_held() {
        let body: String = (0..40_000).map(|i| format!("let v{i} = {};\n", i % 977)).collect();
        for coding in Coding::ALL {
            let whole = encoded(body.as_bytes(), coding);
            assert!(whole == in_pieces(body.as_bytes(), 1000, coding), "{coding}");
        }
    }

    #[test]
    fn every_coding_makes_a_script_smaller() {
        let body = "function add(a, b) { return a + b }\n".repeat(100);
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            assert!(encoded(body.as_bytes(), coding).len() < body.len() / 10, "{coding}");
        }
    }

    #[test]
    fn a_body_that_cannot_be_read_or_written_is_not_encoded() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for coding in Coding::ALL {
            let pieces = || [Ok(Bytes::from_static(b"script"))].into_iter();
            assert!(encode(pieces(), 6, coding, Full).is_err(), "{coding}");
            let broken = pieces().chain([Err(io::ErrorKind::InvalidData.into())]);
            assert!(encode(broken, 12, coding, Vec::new()).is_err(), "{coding}");
        }
    }
}
