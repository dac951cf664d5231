use super::*;

/// What the configuration says when nobody said otherwise.
const DEFAULT: DecodeLimits = DecodeLimits { max_ratio: 200, max_encoded: 64 << 20 };
const BOMB: usize = 10 << 20;

/// Decodes what limits allow; returns how much came out and how it ended.
fn bounded(
    codings: Codings,
    wire: &[u8],
    piece: usize,
    limits: DecodeLimits,
) -> (Collected, Result<(), Unmeasurable>) {
    let mut out = Collected::default();
    let mut decoder = Decoder::new(codings, limits);
    let ended = wire.chunks(piece).try_for_each(|piece| decoder.push(piece, &mut out));
    let ended = ended.and_then(|()| decoder.finish());
    (out, ended)
}

#[test]
fn a_bomb_is_refused_by_its_ratio() {
    for coding in CODINGS {
        let wire = encoded(&vec![0; BOMB], coding);
        for piece in [1, 1000, wire.len()] {
            let (out, ended) = bounded(coding.into(), &wire, piece, DEFAULT);
            assert_eq!(ended, Err(Unmeasurable::TooLarge), "{coding}");
            let allowed = (wire.len() * 200).max(RATIO_FLOOR as usize);
            assert!(out.bytes.len() <= allowed, "{coding}: {} of {allowed}", out.bytes.len());
            assert!(out.longest <= SCRATCH, "{coding}");
        }
    }
}

#[test]
fn a_bomb_in_a_bomb_is_refused_by_the_ratio_of_both() {
    for inner in CODINGS {
        for outer in CODINGS {
            let wire = encoded(&encoded(&vec![0; BOMB], inner), outer);
            let (out, ended) = bounded(Codings { inner, outer }, &wire, wire.len(), DEFAULT);
            assert_eq!(ended, Err(Unmeasurable::TooLarge), "{inner}, {outer}");
            assert!(out.longest <= SCRATCH, "{inner}, {outer}");
        }
    }
}

#[test]
fn a_bomb_between_the_codings_is_refused_although_it_decodes_to_nothing() {
    let nothing = encoded(b"", Coding::Gzip).repeat(BOMB / 20);
    for outer in CODINGS {
        let wire = encoded(&nothing, outer);
        let codings = Codings { inner: Coding::Gzip, outer };
        let (out, ended) = bounded(codings, &wire, wire.len(), DecodeLimits { max_ratio: 50, ..DEFAULT });
        assert_eq!(ended, Err(Unmeasurable::TooLarge), "{outer}");
        assert!(out.bytes.is_empty(), "{outer}");
    }
}

#[test]
fn empty_members_without_end_are_refused() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let nothing = encoded(b"", coding);
        let (_, ended) = bounded(coding.into(), &nothing.repeat(1024), 4096, DEFAULT);
        assert_eq!(ended, Ok(()), "{coding}");
        let (_, ended) = bounded(coding.into(), &nothing.repeat(1025), 4096, DEFAULT);
        assert_eq!(ended, Err(Unmeasurable::TooLarge), "{coding}");

        let content = encoded(&[b'x'; 256], coding);
        let (out, ended) = bounded(coding.into(), &content.repeat(3000), 4096, DEFAULT);
        assert_eq!((out.bytes.len(), ended), (3000 * 256, Ok(())), "{coding}");
    }
}

#[test]
fn members_of_nothing_within_another_coding_are_refused_early() {
    let members = encoded(b"", Coding::Gzip).repeat(1_000_000);
    let wire = encoded(&members, Coding::Gzip);
    let codings = Codings { inner: Coding::Gzip, outer: Coding::Gzip };
    let mut decoder = Decoder::new(codings, UNLIMITED);
    let mut hold = Hold::new(100_000, None);
    let (first, _) = wire.split_at(wire.len() / 10);
    assert_eq!(decoder.push(first, &mut hold), Err(Unmeasurable::TooLarge));
}

#[test]
fn a_bomb_is_refused_by_the_cap_of_the_hold() {
    for coding in CODINGS {
        let wire = encoded(&vec![0; BOMB], coding);
        let mut hold = Hold::new(100_000, None);
        let mut decoder = Decoder::new(coding.into(), UNLIMITED);
        assert_eq!(decoder.push(&wire, &mut hold), Err(Unmeasurable::TooLarge), "{coding}");
        assert!(hold.len() <= 100_000, "{coding}");
        assert_eq!(decoder.finish(), Err(Unmeasurable::TooLarge), "{coding}");
    }
}

#[test]
fn a_small_body_may_shrink_as_much_as_it_likes() {
    for coding in CODINGS {
        let wire = encoded(&vec![b' '; 200_000], coding);
        assert!(wire.len() < 1000, "{coding}");
        let (out, ended) = bounded(coding.into(), &wire, 1, DEFAULT);
        assert_eq!((out.bytes.len(), ended), (200_000, Ok(())), "{coding}");
    }
}

#[test]
fn an_honest_body_larger_than_the_floor_passes() {
    let line: Vec<u8> =
        (0..40_000u32).flat_map(|i| format!("var v{} = {};\n", i, i.wrapping_mul(i)).into_bytes()).collect();
    let body = line.repeat(4);
    assert!(body.len() as u64 > 2 * RATIO_FLOOR);
    for coding in CODINGS {
        let (out, ended) = bounded(coding.into(), &encoded(&body, coding), 1400, DEFAULT);
        assert_eq!(ended, Ok(()), "{coding}");
        assert!(out.bytes == body, "{coding}");
    }
}

#[test]
fn the_memory_that_a_window_takes_is_known_before_it_is_taken() {
    for (coding, window) in [(Coding::Brotli, 4 << 20), (Coding::Zstd, 1 << 20)] {
        let wire = encoded(&vec![7; 1 << 20], coding);
        let mut decoder = Decoder::new(coding.into(), DEFAULT);
        let before = decoder.memory();
        let (mut rest, mut given) = (&wire[..], 0);
        while let Some(Pulled { taken, bytes }) = decoder.pull(rest).unwrap() {
            rest = &rest[taken..];
            given += bytes.len();
            if given == 0 && decoder.memory() > before {
                break;
            }
        }
        assert_eq!(given, 0, "{coding}");
        assert!(decoder.memory() >= before + window, "{coding}: {}", decoder.memory());
    }
}
