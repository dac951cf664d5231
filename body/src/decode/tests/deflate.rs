use flate2::{Compress, Compression, Crc, FlushCompress};

use super::*;

const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const HEADER_CRC: u8 = 2;

fn compressed(mut compress: Compress, body: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(body.len() + 1000);
    let status = compress.compress_vec(body, &mut wire, FlushCompress::Finish).unwrap();
    assert_eq!(status, flate2::Status::StreamEnd);
    wire
}

fn raw(body: &[u8]) -> Vec<u8> {
    compressed(Compress::new(Compression::new(6), false), body)
}

/// A gzip header with these optional parts.
fn header(flags: u8) -> Vec<u8> {
    let mut header = vec![0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 255];
    if flags & EXTRA != 0 {
        header.extend(b"\x06\0ab\x02\0xy");
    }
    if flags & NAME != 0 {
        header.extend(b"agent.js\0");
    }
    if flags & COMMENT != 0 {
        header.extend(b"reviewed\0");
    }
    if flags & HEADER_CRC != 0 {
        let mut crc = Crc::new();
        crc.update(&header);
        header.extend(&crc.sum().to_le_bytes()[..2]);
    }
    header
}

fn member(header: &[u8], body: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(body);
    [header, &raw(body), &crc.sum().to_le_bytes(), &crc.amount().to_le_bytes()].concat()
}

#[test]
fn a_second_gzip_member_counts() {
    let wire = [member(&header(0), b"reviewed();"), member(&header(NAME), b"tampered();")].concat();
    assert_eq!(decode(Coding::Gzip, &wire).as_deref(), Ok(b"reviewed();tampered();".as_slice()));
}

#[test]
fn an_empty_gzip_member_hides_nothing_behind_it() {
    let wire =
        [member(&header(0), b""), member(&header(0), b""), member(&header(0), b"tampered();")].concat();
    assert_eq!(decode(Coding::Gzip, &wire).as_deref(), Ok(b"tampered();".as_slice()));
}

#[test]
fn zero_padding_after_gzip_is_refused() {
    for len in [1, 2, 9, 10, 18, 512, 10_000] {
        let wire = [member(&header(0), SCRIPT), vec![0; len]].concat();
        assert_eq!(decode(Coding::Gzip, &wire), Err(Unmeasurable::BadEncoding), "{len}");
    }
}

#[test]
fn a_script_after_gzip_is_refused() {
    let wire = [member(&header(0), SCRIPT), b"tampered();".to_vec()].concat();
    assert_eq!(decode(Coding::Gzip, &wire), Err(Unmeasurable::BadEncoding));
}

#[test]
fn every_optional_part_of_a_gzip_header_is_passed_over() {
    for flags in (0..32).filter(|flags| flags & 1 == 0) {
        assert_eq!(
            decode(Coding::Gzip, &member(&header(flags), SCRIPT)).as_deref(),
            Ok(SCRIPT),
            "{flags:#07b}"
        );
    }
}

#[test]
fn a_gzip_header_that_breaks_the_standard_is_refused() {
    let broken = [(0, 0x1e), (1, 0x8a), (2, 7), (3, 0b0010_0000), (3, 0b0100_0000), (3, 0b1000_0000)];
    for (at, value) in broken {
        let mut header = header(0);
        header[at] = value;
        assert_eq!(
            decode(Coding::Gzip, &member(&header, SCRIPT)),
            Err(Unmeasurable::BadEncoding),
            "{at}: {value}"
        );
    }
    let mut header = header(HEADER_CRC | NAME);
    let last = header.len() - 1;
    header[last] ^= 1;
    assert_eq!(decode(Coding::Gzip, &member(&header, SCRIPT)), Err(Unmeasurable::BadEncoding));
}

#[test]
fn a_gzip_trailer_that_does_not_fit_is_refused() {
    for from_end in 1..=8 {
        let mut wire = member(&header(0), SCRIPT);
        let at = wire.len() - from_end;
        wire[at] ^= 0x10;
        assert_eq!(decode(Coding::Gzip, &wire), Err(Unmeasurable::BadEncoding), "{from_end} from the end");
    }
}

#[test]
fn zlib_is_not_gzip_and_gzip_is_not_deflate() {
    assert_eq!(decode(Coding::Gzip, &encoded(SCRIPT, Coding::Deflate)), Err(Unmeasurable::BadEncoding));
    assert_eq!(decode(Coding::Gzip, &raw(SCRIPT)), Err(Unmeasurable::BadEncoding));
    assert_eq!(decode(Coding::Deflate, &encoded(SCRIPT, Coding::Gzip)), Err(Unmeasurable::BadEncoding));
}

#[test]
fn deflate_may_come_without_its_wrapper() {
    assert_eq!(decode(Coding::Deflate, &raw(SCRIPT)).as_deref(), Ok(SCRIPT));
    assert_eq!(decode(Coding::Deflate, &raw(b"")).as_deref(), Ok(b"".as_slice()));
    let mut stored = vec![1];
    stored.extend((SCRIPT.len() as u16).to_le_bytes());
    stored.extend((!(SCRIPT.len() as u16)).to_le_bytes());
    stored.extend(SCRIPT);
    assert_eq!(decode(Coding::Deflate, &stored).as_deref(), Ok(SCRIPT));
}

#[test]
fn raw_deflate_is_as_strict_as_zlib() {
    let wire = raw(SCRIPT);
    for len in 1..wire.len() {
        assert_eq!(decode(Coding::Deflate, &wire[..len]), Err(Unmeasurable::Truncated), "{len}");
    }
    for trailing in [[0].as_slice(), b"\n", b"tampered();"] {
        assert_eq!(decode(Coding::Deflate, &[&wire, trailing].concat()), Err(Unmeasurable::BadEncoding));
    }
}

#[test]
fn a_raw_stream_with_the_checksum_of_zlib_is_refused() {
    let zlib = encoded(SCRIPT, Coding::Deflate);
    assert_eq!(decode(Coding::Deflate, &zlib[2..]), Err(Unmeasurable::BadEncoding));
}

#[test]
fn a_zlib_checksum_that_does_not_fit_is_refused() {
    for from_end in 1..=4 {
        let mut wire = encoded(SCRIPT, Coding::Deflate);
        let at = wire.len() - from_end;
        wire[at] ^= 0x10;
        assert_eq!(decode(Coding::Deflate, &wire), Err(Unmeasurable::BadEncoding), "{from_end} from the end");
    }
}

#[test]
fn a_zlib_window_beyond_the_standard_is_refused() {
    let mut wire = encoded(SCRIPT, Coding::Deflate);
    wire[0] = 0x88;
    wire[1] = (31 - (0x8800u16 % 31)) as u8;
    assert!(u16::from_be_bytes([wire[0], wire[1]]).is_multiple_of(31));
    assert_eq!(decode(Coding::Deflate, &wire), Err(Unmeasurable::BadEncoding));
}

#[test]
fn a_preset_dictionary_is_refused() {
    let mut compress = Compress::new(Compression::new(6), true);
    compress.set_dictionary(b"window.agent = { version: ").unwrap();
    let wire = compressed(compress, SCRIPT);
    assert_eq!(wire[1] & 0x20, 0x20);
    assert_eq!(decode(Coding::Deflate, &wire), Err(Unmeasurable::BadEncoding));
}
