//! `Content-Encoding` and `Accept-Encoding`: what a body is said to be coded in is how it is decoded, and no client is
//! sent a coding that it does not take.
//!
//! The input is field lines, one per line of text: the first half of them of the response, the others of the request.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pinfold_body::{Accepted, Coding, Codings, DecodeLimits, Decoder, Sink};
use pinfold_fuzz::wire::encoded;
use pinfold_policy::verdict::Unmeasurable;

const BODY: &[u8] = b"function add(a, b) { return a + b }";
const SPOKEN: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

fuzz_target!(|data: &[u8]| {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let (response, request) = lines.split_at(lines.len() / 2);
    content_encoding(response);
    content_encoding(request);
    accept_encoding(request);
});

fn content_encoding(lines: &[&[u8]]) {
    let parsed = Codings::parse(lines.iter().copied());
    let joined = lines.join(&b", "[..]);
    assert_eq!(Codings::parse([&*joined].into_iter()), parsed, "two lines are not one list");
    match (parsed, said(&joined)) {
        (Ok(codings), Some(said)) => {
            assert_eq!(Codings::could_be_undone(lines.iter().copied()), !said.is_empty());
            assert_eq!(codings.is_identity(), said.is_empty());
            let wire = said.iter().fold(BODY.to_vec(), |body, coding| encoded(&body, *coding));
            assert_eq!(decoded(codings, &wire).as_deref(), Ok(BODY), "undone in another order than {said:?}");
        }
        (Err(error), None) => assert_eq!(error, Unmeasurable::BadEncoding),
        (parsed, said) => panic!("{parsed:?}, and {said:?}"),
    }
}

/// The codings in the order in which they were applied: RFC 9110 §8.4, at most two, and each that pinfold speaks.
fn said(list: &[u8]) -> Option<Vec<Coding>> {
    let text = std::str::from_utf8(list).ok()?.to_ascii_lowercase();
    let names = text.split(',').map(|name| name.trim_matches([' ', '\t']));
    let names = names.filter(|name| !name.is_empty() && *name != "identity");
    let codings: Option<Vec<_>> = names.map(spoken).collect();
    codings.filter(|codings| codings.len() <= 2)
}

fn spoken(name: &str) -> Option<Coding> {
    match name {
        "gzip" | "x-gzip" => Some(Coding::Gzip),
        "deflate" => Some(Coding::Deflate),
        "br" => Some(Coding::Brotli),
        "zstd" => Some(Coding::Zstd),
        _ => None,
    }
}

fn decoded(codings: Codings, wire: &[u8]) -> Result<Vec<u8>, Unmeasurable> {
    let mut body = Body(Vec::new());
    let mut decoder = Decoder::new(codings, DecodeLimits { max_ratio: 200, max_encoded: 1 << 20 });
    decoder.push(wire, &mut body)?;
    decoder.finish().map(|()| body.0)
}

struct Body(Vec<u8>);

impl Sink for Body {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Unmeasurable> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn accept_encoding(lines: &[&[u8]]) {
    let accepted = Accepted::parse(lines.iter().copied());
    let list = lines.join(&b","[..]);
    let weight = |coding: Coding| weight(&list, coding);
    let best = accepted.best();
    if best != Coding::Identity {
        assert!(weight(best) > 0.0, "{best} was not asked for");
    }
    for coding in SPOKEN {
        assert!(weight(coding) <= weight(best), "{coding} is liked more than {best}");
    }
    let header = accepted.upstream_header();
    let asked: Vec<&str> = header.split(", ").map(|one| one.split(';').next().unwrap_or_default()).collect();
    let wanted = SPOKEN.into_iter().filter(|coding| weight(*coding) > 0.0);
    let mut wanted: Vec<&str> = wanted.map(Coding::token).collect();
    if wanted.is_empty() {
        wanted.push("identity");
    }
    assert!(
        asked.len() == wanted.len() && wanted.iter().all(|name| asked.contains(name)),
        "{header}, not {wanted:?}"
    );
}

/// RFC 9110 §12.5.3: the weight of a coding by its own name, or by the star; the first of two counts.
fn weight(list: &[u8], coding: Coding) -> f64 {
    let text = String::from_utf8_lossy(list);
    let elements: Vec<(String, f64)> = text.split(',').filter_map(weighed).collect();
    let of = |found: &dyn Fn(&str) -> bool| {
        elements.iter().find(|(name, _)| found(name)).map(|(_, weight)| *weight)
    };
    let own = of(&|name| match coding {
        Coding::Identity => name == "identity",
        Coding::Gzip | Coding::Deflate | Coding::Brotli | Coding::Zstd => spoken(name) == Some(coding),
    });
    own.or_else(|| of(&|name| name == "*")).unwrap_or_default()
}

fn weighed(element: &str) -> Option<(String, f64)> {
    let blank = [' ', '\t'];
    let Some((name, parameter)) = element.split_once(';') else {
        return Some((element.trim_matches(blank).to_ascii_lowercase(), 1.0));
    };
    let (q, value) = parameter.trim_matches(blank).split_once('=')?;
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let is_weight = q.eq_ignore_ascii_case("q")
        && matches!(whole, "0" | "1")
        && decimals.len() <= 3
        && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let weight: f64 =
        format!("{whole}.{decimals}0").parse().ok().filter(|weight| is_weight && *weight <= 1.0)?;
    Some((name.trim_matches(blank).to_ascii_lowercase(), weight))
}
