//! Second opinions: decoders that share no code with the ones in `pinfold-body`.
//!
//! pinfold decodes with zlib-rs, a Rust port of Google's brotli, and libzstd. Here are miniz_oxide with a gzip reader of
//! our own, Google's brotli in C, and ruzstd. Each takes a whole body and gives all of it, or says why not.

use brotlic::decode::{BrotliDecoder, DecoderInfo};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use pinfold_body::Coding;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// What a second decoder makes of a wire, or its complaint.
pub type Opinion = Result<Vec<u8>, String>;

/// Undoes one coding. No more than `max` bytes come out.
///
/// # Errors
/// What the decoder did not like.
pub fn decode(coding: Coding, wire: &[u8], max: usize) -> Opinion {
    match coding {
        Coding::Identity => Ok(wire.to_vec()),
        Coding::Gzip => gzip(wire, max),
        Coding::Deflate => deflate(wire, max),
        Coding::Brotli => brotli(wire, max),
        Coding::Zstd => zstd(wire, max),
    }
}

/// RFC 1952: all members, and nothing after them.
fn gzip(wire: &[u8], max: usize) -> Opinion {
    let mut rest = wire;
    let mut out = Vec::new();
    while !rest.is_empty() || out.is_empty() {
        rest = rest.get(header_len(rest)?..).ok_or("gzip: header is cut")?;
        let (body, taken) = inflate(rest, max - out.len(), 0)?;
        let (trailer, after) = rest[taken..].split_at_checked(8).ok_or("gzip: trailer is cut")?;
        let expected = [crc32fast::hash(&body).to_le_bytes(), (body.len() as u32).to_le_bytes()].concat();
        if trailer != expected {
            return Err("gzip: checksum or length does not fit".to_owned());
        }
        out.extend(body);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    Ok(out)
}

/// RFC 1952 §2.3: ten bytes, then what the flags announce.
fn header_len(member: &[u8]) -> Result<usize, String> {
    let [0x1f, 0x8b, 8, flags, _, _, _, _, _, _, optional @ ..] = member else {
        return Err("gzip: no header".to_owned());
    };
    if flags & 0b1110_0000 != 0 {
        return Err("gzip: reserved flags".to_owned());
    }
    let mut rest = optional;
    if flags & 4 != 0 {
        let [low, high, extra @ ..] = rest else { return Err("gzip: extra field is cut".to_owned()) };
        rest =
            extra.get(usize::from(u16::from_le_bytes([*low, *high]))..).ok_or("gzip: extra field is cut")?;
    }
    for text in [8, 16] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0).ok_or("gzip: a name without an end")?;
            rest = &rest[end + 1..];
        }
    }
    if flags & 2 != 0 {
        let (crc, after) = rest.split_at_checked(2).ok_or("gzip: header checksum is cut")?;
        let header = &member[..member.len() - rest.len()];
        if crc != &crc32fast::hash(header).to_le_bytes()[..2] {
            return Err("gzip: header checksum does not fit".to_owned());
        }
        rest = after;
    }
    Ok(member.len() - rest.len())
}

/// RFC 1950, or RFC 1951 where the first two bytes are no header of the former.
fn deflate(wire: &[u8], max: usize) -> Opinion {
    let has_header = match wire {
        [cmf, flags, ..] => {
            cmf & 0xf == 8 && cmf >> 4 < 8 && (u32::from(*cmf) * 256 + u32::from(*flags)) % 31 == 0
        }
        _ => false,
    };
    let flags = if has_header { TINFL_FLAG_PARSE_ZLIB_HEADER } else { 0 };
    let (body, taken) = inflate(wire, max, flags)?;
    if taken == wire.len() { Ok(body) } else { Err("deflate: bytes after the end".to_owned()) }
}

/// One deflate stream, and how long it is.
fn inflate(wire: &[u8], max: usize, flags: u32) -> Result<(Vec<u8>, usize), String> {
    let mut inflate = Box::<DecompressorOxide>::default();
    let mut out = vec![0; (wire.len() * 4).clamp(64, max.max(64))];
    let (mut taken, mut given) = (0, 0);
    loop {
        let flags = flags | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, read, written) = decompress(&mut inflate, &wire[taken..], &mut out, given, flags);
        (taken, given) = (taken + read, given + written);
        match status {
            TINFLStatus::Done => break,
            TINFLStatus::HasMoreOutput if out.len() <= max => out.resize(out.len() * 2, 0),
            other => return Err(format!("inflate: {other:?} at {taken} of {}", wire.len())),
        }
    }
    out.truncate(given);
    Ok((out, taken))
}

/// RFC 7932: one stream, and nothing after it.
fn brotli(wire: &[u8], max: usize) -> Opinion {
    let mut decoder = BrotliDecoder::new();
    let mut out = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    let mut rest = wire;
    loop {
        let step = decoder.decompress(rest, &mut piece).map_err(|error| format!("brotli: {error}"))?;
        rest = &rest[step.bytes_read..];
        out.extend_from_slice(&piece[..step.bytes_written]);
        match step.info {
            DecoderInfo::Finished if rest.is_empty() => return Ok(out),
            DecoderInfo::Finished => return Err("brotli: bytes after the end".to_owned()),
            DecoderInfo::NeedsMoreInput => return Err("brotli: truncated".to_owned()),
            DecoderInfo::NeedsMoreOutput if out.len() > max => return Err("brotli: too large".to_owned()),
            DecoderInfo::NeedsMoreOutput => {}
        }
    }
}

/// RFC 9659 §3, in bytes.
const WEB_WINDOW: u64 = 8 << 20;

/// RFC 8878: all frames, and nothing after them.
fn zstd(wire: &[u8], max: usize) -> Opinion {
    let mut rest = wire;
    let mut out = Vec::new();
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(WEB_WINDOW);
    loop {
        decoder.init(&mut rest).map_err(|error| format!("zstd: {error}"))?;
        while !decoder.is_finished() {
            let strategy = BlockDecodingStrategy::UptoBlocks(1);
            decoder.decode_blocks(&mut rest, strategy).map_err(|error| format!("zstd: {error}"))?;
            out.extend(decoder.collect().unwrap_or_default());
            if out.len() > max {
                return Err("zstd: too large".to_owned());
            }
        }
        out.extend(decoder.collect().unwrap_or_default());
        let promised = decoder.get_checksum_from_data();
        if promised.is_some() && promised != decoder.get_calculated_checksum() {
            return Err("zstd: checksum does not fit".to_owned());
        }
        if rest.is_empty() {
            return Ok(out);
        }
    }
}
