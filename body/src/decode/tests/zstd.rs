use std::io::Write as _;

use ::zstd::stream::raw::CParameter;

use super::*;

/// A frame of one stored block with this header behind the magic.
fn frame(header: &[u8], body: &[u8]) -> Vec<u8> {
    let block = (body.len() as u32) << 3 | 1;
    [&super::super::zstd::MAGIC, header, &block.to_le_bytes()[..3], body].concat()
}

/// A window descriptor for 2 to the power of `log`.
fn window(log: u8) -> u8 {
    (log - 10) << 3
}

#[test]
fn a_second_zstd_frame_counts() {
    let wire = [encoded(b"reviewed();", Coding::Zstd), encoded(b"tampered();", Coding::Zstd)].concat();
    assert_eq!(decode(Coding::Zstd, &wire).as_deref(), Ok(b"reviewed();tampered();".as_slice()));
}

#[test]
fn an_empty_zstd_frame_hides_nothing_behind_it() {
    let wire = [encoded(b"", Coding::Zstd), encoded(b"tampered();", Coding::Zstd)].concat();
    assert_eq!(decode(Coding::Zstd, &wire).as_deref(), Ok(b"tampered();".as_slice()));
}

#[test]
fn every_form_of_a_frame_header_is_read() {
    let len = SCRIPT.len() as u8;
    let long = SCRIPT.repeat(10);
    let size = (long.len() as u16 - 256).to_le_bytes();
    let table: &[(&[u8], &[u8])] = &[
        (&[0x00, window(10)], SCRIPT),
        (&[0x20, len], SCRIPT),
        (&[0x40, window(20), size[0], size[1]], &long),
        (&[0x60, size[0], size[1]], &long),
        (&[0x80, window(20), len, 0, 0, 0], SCRIPT),
        (&[0xa0, len, 0, 0, 0], SCRIPT),
        (&[0xc0, window(20), len, 0, 0, 0, 0, 0, 0, 0], SCRIPT),
        (&[0xe0, len, 0, 0, 0, 0, 0, 0, 0], SCRIPT),
    ];
    for (header, body) in table {
        assert_eq!(decode(Coding::Zstd, &frame(header, body)).as_deref(), Ok(*body), "{header:x?}");
    }
}

#[test]
fn a_window_above_eight_mebibytes_is_refused_however_small_the_body() {
    assert_eq!(decode(Coding::Zstd, &frame(&[0x00, window(23)], SCRIPT)).as_deref(), Ok(SCRIPT));
    for descriptor in [window(23) + 1, window(24), window(30), 0xff] {
        let wire = frame(&[0x00, descriptor], SCRIPT);
        assert_eq!(decode(Coding::Zstd, &wire), Err(Unmeasurable::BadEncoding), "{descriptor:#x}");
        // With its size announced the library would take it in one piece and not look at the window.
        let wire = frame(&[0x80, descriptor, SCRIPT.len() as u8, 0, 0, 0], SCRIPT);
        assert_eq!(decode(Coding::Zstd, &wire), Err(Unmeasurable::BadEncoding), "{descriptor:#x}");
    }
}

#[test]
fn an_encoder_told_to_use_a_large_window_is_refused() {
    for (log, accepted) in [(23, true), (24, false), (27, false)] {
        let mut encoder = ::zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.set_parameter(CParameter::WindowLog(log)).unwrap();
        encoder.write_all(SCRIPT).unwrap();
        encoder.flush().unwrap();
        let wire = encoder.finish().unwrap();
        assert_eq!(decode(Coding::Zstd, &wire).is_ok(), accepted, "{log}");
    }
}

#[test]
fn a_frame_without_a_window_may_not_be_larger_than_one() {
    for (size, error) in [(8u32 << 20, Unmeasurable::Truncated), ((8 << 20) + 1, Unmeasurable::BadEncoding)] {
        let mut wire = [super::super::zstd::MAGIC.as_slice(), &[0xa0], &size.to_le_bytes()].concat();
        assert_eq!(decode(Coding::Zstd, &wire), Err(error), "{size}");
        wire.extend(&(1u32 << 3 | 1).to_le_bytes()[..3]);
        wire.push(0);
        assert!(decode(Coding::Zstd, &wire).is_err(), "{size}");
    }
}

#[test]
fn a_dictionary_is_refused() {
    let len = SCRIPT.len() as u8;
    for header in [[0x21, 7, len].as_slice(), &[0x22, 7, 0, len], &[0x23, 7, 0, 0, 0, len], &[0x21, 0, len]] {
        assert_eq!(
            decode(Coding::Zstd, &frame(header, SCRIPT)),
            Err(Unmeasurable::BadEncoding),
            "{header:x?}"
        );
    }
}

#[test]
fn a_reserved_bit_is_refused() {
    let wire = frame(&[0x28, SCRIPT.len() as u8], SCRIPT);
    assert_eq!(decode(Coding::Zstd, &wire), Err(Unmeasurable::BadEncoding));
}

#[test]
fn a_skippable_frame_is_refused_before_and_after_the_body() {
    for kind in 0x50..=0x5f {
        let skippable = [&[kind, 0x2a, 0x4d, 0x18, 4, 0, 0, 0], b"pad!".as_slice()].concat();
        let body = encoded(SCRIPT, Coding::Zstd);
        assert_eq!(decode(Coding::Zstd, &skippable), Err(Unmeasurable::BadEncoding));
        assert_eq!(decode(Coding::Zstd, &[&*skippable, &*body].concat()), Err(Unmeasurable::BadEncoding));
        assert_eq!(decode(Coding::Zstd, &[&*body, &*skippable].concat()), Err(Unmeasurable::BadEncoding));
    }
}

#[test]
fn a_legacy_format_is_refused() {
    for version in 0x1e..=0x27 {
        let mut wire = encoded(SCRIPT, Coding::Zstd);
        wire[0] = version;
        assert_eq!(decode(Coding::Zstd, &wire), Err(Unmeasurable::BadEncoding), "{version:#x}");
    }
}

#[test]
fn a_zstd_checksum_that_does_not_fit_is_refused() {
    for from_end in 1..=4 {
        let mut wire = encoded(SCRIPT, Coding::Zstd);
        let at = wire.len() - from_end;
        wire[at] ^= 0x10;
        assert_eq!(decode(Coding::Zstd, &wire), Err(Unmeasurable::BadEncoding), "{from_end} from the end");
    }
}

#[test]
fn a_content_size_that_does_not_fit_is_refused() {
    for len in [SCRIPT.len() as u8 - 1, SCRIPT.len() as u8 + 1] {
        assert!(decode(Coding::Zstd, &frame(&[0x20, len], SCRIPT)).is_err(), "{len}");
    }
}
