use pinfold_policy::digest::Digests;
use pinfold_policy::held::Hold;
use proptest::prelude::*;

use super::*;
use crate::encode::tests::encoded as encode;

mod deflate;
mod limits;
mod zstd;

const CODINGS: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];
const UNLIMITED: DecodeLimits = DecodeLimits { max_ratio: u64::MAX, max_encoded: u64::MAX };
const SCRIPT: &[u8] = b"(function () { 'use strict'; window.agent = { version: '10.4.2' }; })();\n";

/// Keeps everything, and the length of the longest slice it was given.
#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    longest: usize,
}

impl Sink for Collected {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Unmeasurable> {
        self.bytes.extend_from_slice(bytes);
        self.longest = self.longest.max(bytes.len());
        Ok(())
    }
}

fn decode_pieces<'a>(
    codings: Codings,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, Unmeasurable> {
    let mut out = Collected::default();
    let mut decoder = Decoder::new(codings, UNLIMITED);
    for piece in pieces {
        decoder.push(piece, &mut out)?;
    }
    decoder.finish()?;
    Ok(out.bytes)
}

fn decode(codings: impl Into<Codings>, wire: &[u8]) -> Result<Vec<u8>, Unmeasurable> {
    let codings = codings.into();
    let whole = decode_pieces(codings, [wire]);
    assert_eq!(decode_pieces(codings, wire.chunks(1)), whole, "{codings:?}: byte by byte it is another body");
    whole
}

fn encoded(body: &[u8], codings: impl Into<Codings>) -> Vec<u8> {
    let codings = codings.into();
    encode(&encode(body, codings.inner), codings.outer)
}

fn any_coding() -> impl Strategy<Value = Coding> {
    prop::sample::select(Coding::ALL.as_slice())
}

fn any_codings() -> impl Strategy<Value = Codings> {
    (any_coding(), any_coding()).prop_map(|(inner, outer)| Codings { inner, outer })
}

/// Bodies with something to compress, and noise.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let run = (prop::collection::vec(any::<u8>(), 0..64), 1usize..400);
    prop::collection::vec(run, 0..12)
        .prop_map(|runs| runs.iter().flat_map(|(bytes, times)| bytes.repeat(*times)).collect())
}

proptest! {
    #[test]
    fn every_pair_of_codings_comes_back_however_it_is_cut(
        body in any_body(),
        codings in any_codings(),
        cuts in prop::collection::vec(1usize..5000, 1..20),
    ) {
        let wire = encoded(&body, codings);
        let mut rest = wire.as_slice();
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, later) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = later;
        }
        let whole = decode_pieces(codings, [wire.as_slice()]);
        prop_assert_eq!(decode_pieces(codings, pieces), whole.clone());
        prop_assert_eq!(whole, Ok(body));
    }

    #[test]
    fn arbitrary_bytes_never_panic(wire in prop::collection::vec(any::<u8>(), 0..600), codings in any_codings()) {
        let _ = decode(codings, &wire);
    }

    #[test]
    fn arbitrary_bytes_behind_a_good_start_never_panic(
        wire in prop::collection::vec(any::<u8>(), 0..600),
        kept in 1usize..20,
        codings in any_codings(),
    ) {
        let mut start = encoded(SCRIPT, codings);
        start.truncate(kept);
        let _ = decode(codings, &[start, wire].concat());
    }

    #[test]
    fn a_damaged_body_is_never_another_body(
        body in any_body(),
        coding in prop::sample::select(vec![Coding::Gzip, Coding::Zstd]),
        at in any::<prop::sample::Index>(),
        damage in 1u8..,
    ) {
        let mut wire = encoded(&body, coding);
        let at = at.index(wire.len());
        wire[at] ^= damage;
        if let Ok(decoded) = decode(coding, &wire) {
            prop_assert_eq!(decoded, body);
        }
    }

    #[test]
    fn damage_never_panics(body in any_body(), codings in any_codings(), at in any::<prop::sample::Index>(), damage in 1u8..) {
        let mut wire = encoded(&body, codings);
        if !wire.is_empty() {
            let at = at.index(wire.len());
            wire[at] ^= damage;
        }
        let _ = decode(codings, &wire);
    }
}

#[test]
fn a_body_cut_off_anywhere_is_refused() {
    let pairs = CODINGS.into_iter().flat_map(|inner| CODINGS.map(|outer| Codings { inner, outer }));
    for codings in CODINGS.map(Codings::from).into_iter().chain(pairs) {
        let wire = encoded(SCRIPT, codings);
        for len in 1..wire.len() {
            assert_eq!(decode(codings, &wire[..len]), Err(Unmeasurable::Truncated), "{codings:?} at {len}");
        }
    }
}

#[test]
fn a_byte_after_the_end_is_refused_in_every_coding() {
    for coding in CODINGS {
        for byte in 0..=u8::MAX {
            let mut wire = encoded(SCRIPT, coding);
            wire.push(byte);
            assert!(decode(coding, &wire).is_err(), "{coding}: {byte:#04x}");
        }
    }
}

#[test]
fn a_byte_after_the_end_is_refused_when_it_comes_late() {
    for coding in CODINGS {
        let mut decoder = Decoder::new(coding.into(), UNLIMITED);
        let mut out = Collected::default();
        decoder.push(&encoded(SCRIPT, coding), &mut out).unwrap();
        assert_eq!(decoder.push(b"\n", &mut out), Err(Unmeasurable::BadEncoding), "{coding}");
    }
}

#[test]
fn a_byte_after_the_end_of_the_inner_coding_is_refused() {
    for inner in CODINGS {
        for outer in CODINGS {
            let mut wire = encoded(SCRIPT, inner);
            wire.push(b'\n');
            let wire = encoded(&wire, outer);
            assert_eq!(
                decode(Codings { inner, outer }, &wire),
                Err(Unmeasurable::BadEncoding),
                "{inner}, {outer}"
            );
        }
    }
}

#[test]
fn codings_are_undone_in_reverse() {
    let wire = encoded(&encoded(SCRIPT, Coding::Gzip), Coding::Brotli);
    let named = |line: &'static str| Codings::parse([line.as_bytes()].into_iter()).unwrap();
    assert_eq!(decode(named("gzip, br"), &wire).as_deref(), Ok(SCRIPT));
    assert!(decode(named("br, gzip"), &wire).is_err());
}

#[test]
fn a_body_that_is_not_in_its_coding_is_refused() {
    for coding in CODINGS {
        assert_eq!(decode(coding, SCRIPT), Err(Unmeasurable::BadEncoding), "{coding}");
    }
}

#[test]
fn nothing_at_all_is_the_empty_body_in_every_coding() {
    for inner in Coding::ALL {
        for outer in Coding::ALL {
            assert_eq!(decode(Codings { inner, outer }, b""), Ok(Vec::new()), "{inner}, {outer}");
        }
    }
}

#[test]
fn an_outer_coding_of_nothing_is_not_a_whole_inner_coding() {
    for inner in CODINGS {
        for outer in CODINGS {
            let wire = encoded(b"", outer);
            assert_eq!(
                decode(Codings { inner, outer }, &wire),
                Err(Unmeasurable::Truncated),
                "{inner}, {outer}"
            );
        }
    }
}

#[test]
fn an_empty_body_in_a_coding_is_empty() {
    for coding in CODINGS {
        assert_eq!(decode(coding, &encoded(b"", coding)), Ok(Vec::new()), "{coding}");
    }
}

#[test]
fn an_error_is_final() {
    for coding in CODINGS {
        let mut decoder = Decoder::new(coding.into(), UNLIMITED);
        let mut out = Collected::default();
        assert_eq!(decoder.push(SCRIPT, &mut out), Err(Unmeasurable::BadEncoding), "{coding}");
        assert_eq!(
            decoder.push(&encoded(SCRIPT, coding), &mut out),
            Err(Unmeasurable::BadEncoding),
            "{coding}"
        );
        assert_eq!(decoder.finish(), Err(Unmeasurable::BadEncoding), "{coding}");
    }
}

#[test]
fn a_large_window_is_not_br() {
    let params = ::brotli::enc::BrotliEncoderParams {
        large_window: true,
        lgwin: 30,
        ..::brotli::enc::BrotliEncoderParams::default()
    };
    let mut wire = Vec::new();
    ::brotli::BrotliCompress(&mut &*SCRIPT, &mut wire, &params).unwrap();
    assert_eq!(decode(Coding::Brotli, &wire), Err(Unmeasurable::BadEncoding));
}

#[test]
fn what_is_held_is_measured_after_decoding() {
    for coding in Coding::ALL {
        let mut hold = Hold::new(1000, None);
        let mut decoder = Decoder::new(coding.into(), UNLIMITED);
        decoder.push(&encoded(SCRIPT, coding), &mut hold).unwrap();
        decoder.finish().unwrap();
        assert_eq!(hold.finish(|_| None).unwrap().digests(), &Digests::of(SCRIPT), "{coding}");
    }
}
