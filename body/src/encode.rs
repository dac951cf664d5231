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
/// Length of the chunks that come out.
const CHUNK: usize = 64 * 1024;
/// What an encoder may add to a body that does not shrink, roughly.
const OVERHEAD: usize = 256;
/// The scratch memory of the br encoder.
const BROTLI_SCRATCH: usize = 16 * 1024;

/// A codec could not do its work. It writes to memory, so this is the memory's fault or its own.
#[derive(Debug, thiserror::Error)]
#[error("cannot encode as {coding}: {cause}")]
pub struct EncodeError {
    coding: Coding,
    cause: io::Error,
}

/// Encodes a body. `Identity` shares the segments and copies nothing.
///
/// # Errors
/// [`EncodeError`] when the codec fails.
pub fn encode(segments: &[Bytes], coding: Coding) -> Result<Vec<Bytes>, EncodeError> {
    let encoded = match coding {
        Coding::Identity => Ok(segments.to_vec()),
        Coding::Gzip => gzip(segments),
        Coding::Deflate => deflate(segments),
        Coding::Brotli => brotli(segments),
        Coding::Zstd => zstd(segments),
    };
    encoded.map_err(|cause| EncodeError { coding, cause })
}

fn gzip(segments: &[Bytes]) -> io::Result<Vec<Bytes>> {
    let mut encoder = GzEncoder::new(Chunks::new(segments), Compression::new(DEFLATE_LEVEL));
    write_all(&mut encoder, segments)?;
    encoder.finish().map(Chunks::finish)
}

fn deflate(segments: &[Bytes]) -> io::Result<Vec<Bytes>> {
    let mut encoder = ZlibEncoder::new(Chunks::new(segments), Compression::new(DEFLATE_LEVEL));
    write_all(&mut encoder, segments)?;
    encoder.finish().map(Chunks::finish)
}

fn brotli(segments: &[Bytes]) -> io::Result<Vec<Bytes>> {
    let params = BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        lgwin: BROTLI_WINDOW_LOG,
        size_hint: total(segments),
        ..BrotliEncoderParams::default()
    };
    let mut encoder = CompressorWriter::with_params(Chunks::new(segments), BROTLI_SCRATCH, &params);
    write_all(&mut encoder, segments)?;
    Ok(encoder.into_inner().finish())
}

fn zstd(segments: &[Bytes]) -> io::Result<Vec<Bytes>> {
    let mut encoder = zstd::Encoder::new(Chunks::new(segments), ZSTD_LEVEL)?;
    // The decoder can then take a window no larger than the body.
    encoder.set_pledged_src_size(Some(total(segments) as u64))?;
    encoder.include_checksum(true)?;
    write_all(&mut encoder, segments)?;
    encoder.finish().map(Chunks::finish)
}

/// Feeds the body in pieces of [`PIECE`] bytes. They are collected first, since segments do not end where pieces do:
/// copying costs a hundredth of encoding.
fn write_all(encoder: &mut impl Write, segments: &[Bytes]) -> io::Result<()> {
    let mut piece = Vec::with_capacity(total(segments).min(PIECE));
    for segment in segments {
        let mut rest = segment.as_ref();
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

fn total(segments: &[Bytes]) -> usize {
    segments.iter().map(Bytes::len).sum()
}

/// Encoded bytes in chunks: growing never moves what is there.
struct Chunks {
    full: Vec<Bytes>,
    current: Vec<u8>,
}

impl Chunks {
    fn new(segments: &[Bytes]) -> Self {
        let first = total(segments).saturating_add(OVERHEAD).min(CHUNK);
        Self { full: Vec::new(), current: Vec::with_capacity(first) }
    }

    fn finish(mut self) -> Vec<Bytes> {
        // The last chunk is seldom full, and encoded bodies are kept.
        self.current.shrink_to_fit();
        if !self.current.is_empty() {
            self.full.push(self.current.into());
        }
        self.full
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.current.capacity() - self.current.len();
            if room == 0 {
                let full = std::mem::replace(&mut self.current, Vec::with_capacity(CHUNK));
                self.full.push(full.into());
                continue;
            }
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.current.extend_from_slice(now);
            rest = later;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_copies_nothing() {
        let segments = [Bytes::from_static(b"one"), Bytes::from_static(b"two")];
        let encoded = encode(&segments, Coding::Identity).unwrap();
        assert_eq!(encoded, segments);
        assert_eq!(encoded[0].as_ptr(), segments[0].as_ptr());
    }

    #[test]
    fn the_same_body_gives_the_same_bytes_however_it_is_held() {
        let body: String = (0..40_000).map(|i| format!("let v{i} = {};\n", i % 977)).collect();
        let whole = [Bytes::from(body.clone())];
        let pieces: Vec<Bytes> = body.as_bytes().chunks(1000).map(Bytes::copy_from_slice).collect();
        for coding in Coding::ALL {
            let whole = encode(&whole, coding).unwrap().concat();
            assert!(whole == encode(&pieces, coding).unwrap().concat(), "{coding}");
        }
    }

    #[test]
    fn every_coding_makes_a_script_smaller() {
        let body = [Bytes::from("function add(a, b) { return a + b }\n".repeat(100))];
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            let encoded = encode(&body, coding).unwrap();
            assert!(total(&encoded) < total(&body) / 10, "{coding}");
        }
    }

    #[test]
    fn chunks_hold_no_more_than_they_were_made_for() {
        let noise: Vec<u8> = (0u32..200_000).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            let encoded = encode(&[Bytes::from(noise.clone())], coding).unwrap();
            assert!(encoded.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK), "{coding}");
        }
    }
}
