//! The oracle of the decoders: whatever the bytes of a body, pinfold reads one body out of them, or none.
//!
//! - How the wire is cut into packets changes nothing.
//! - What pinfold accepts, a second decoder reads as the same bytes.
//! - What pinfold sends of it, the second decoder reads as those bytes.
//! - What pinfold encoded and nobody damaged is accepted: all members of gzip and frames of zstd, one stream of the others.
//! - No more comes out than the limits say.

use bytes::Bytes;
use pinfold_body::{Coding, Codings, DecodeLimits, Decoder, Peek, RATIO_FLOOR, Sink, encode};
use pinfold_policy::verdict::Unmeasurable;

use crate::second;

/// Above [`RATIO_FLOOR`], so that the ratio is looked at too.
const MAX_BODY: usize = 3 * 512 * 1024;
const MAX_RATIO: u64 = 200;
const PEEKED: usize = 64;

/// An input: how to make a wire of it, how to cut that, and the bytes.
///
/// | bytes | are |
/// |---|---|
/// | 0 | bit 0: the bytes are a body, to be encoded first; bit 1: twice, one after the other; bit 2: the edits are applied to the wire; bit 3: the body is long, for one input in 64 |
/// | 1 | seed of the cuts |
/// | 2 to 9 | two edits: place (two bytes), what to do, with which byte |
/// | 10 on | the wire, or the body |
struct Input<'a> {
    mode: u8,
    cut: u8,
    edits: [[u8; 4]; 2],
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let ([mode, cut], rest) = data.split_first_chunk()?;
        let (first, rest) = rest.split_first_chunk()?;
        let (second, bytes) = rest.split_first_chunk()?;
        Some(Self { mode: *mode, cut: *cut, edits: [*first, *second], bytes })
    }

    /// Long bodies take a hundred times as long, and every mutation of one is one: left to itself the fuzzer would look at
    /// little else. So the bytes have a say in it that no mutation keeps.
    fn is_long(&self) -> bool {
        let sum = self.bytes.iter().fold(0u32, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
        self.mode & 8 != 0 && sum.wrapping_mul(2_654_435_761) >> 26 == 0
    }

    /// The wire bytes in these codings, inner first.
    fn wire(&self, codings: &[Coding]) -> Vec<u8> {
        let mut wire = self.bytes.to_vec();
        if self.mode & 1 != 0 {
            if self.is_long() && !wire.is_empty() {
                wire = wire.repeat(RATIO_FLOOR as usize / wire.len() + 2);
                wire.truncate(RATIO_FLOOR as usize + 4096);
            }
            let once = codings.iter().fold(wire, |body, coding| encoded(&body, *coding));
            wire = once.repeat(1 + usize::from(self.mode & 2 != 0));
        }
        if self.mode & 4 != 0 {
            self.edits.into_iter().for_each(|edit| apply(edit, &mut wire));
        }
        wire
    }
}

fn apply([low, high, what, with]: [u8; 4], wire: &mut Vec<u8>) {
    let at = usize::from(u16::from_le_bytes([low, high])) % (wire.len() + 1);
    match what % 4 {
        0 => wire.truncate(at),
        1 => wire.insert(at, with),
        2 if at < wire.len() => drop(wire.remove(at)),
        _ => wire.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= with),
    }
}

/// What pinfold sends of a body in one coding.
pub fn encoded(body: &[u8], coding: Coding) -> Vec<u8> {
    let piece = Bytes::copy_from_slice(body);
    encode([Ok(piece)], body.len() as u64, coding, Vec::new()).expect("memory does not fail")
}

/// Checks one input in `codings`, the first of which was applied first.
pub fn check(codings: &[Coding], data: &[u8]) {
    let Some(input) = Input::read(data) else { return };
    let wire = input.wire(codings);
    let names: Vec<_> = codings.iter().map(|coding| coding.token().as_bytes()).collect();
    let parsed = Codings::parse(names.into_iter()).expect("at most two that pinfold speaks");

    let whole = decoded(parsed, &wire, &mut std::iter::repeat(wire.len().max(1)));
    let mut cuts = cuts(input.cut);
    let pieces = decoded(parsed, &wire, &mut cuts);
    assert!(same(&whole, &pieces), "the cut decides: {} and {}", shown(&whole), shown(&pieces));

    as_encoded(&input, codings, &whole);
    let Ok(body) = whole else { return };
    same_prefix(parsed, &wire, &body);
    assert_eq!(second_opinion(codings, &wire).as_deref(), Ok(&*body), "two decoders read two bodies");
    let Some(coding) = codings.get(usize::from(input.cut) % codings.len()) else { return };
    let sent = encoded(&body, *coding);
    assert_eq!(
        second::decode(*coding, &sent, MAX_BODY).as_deref(),
        Ok(&*body),
        "sent is not what was accepted"
    );
}

/// What was encoded and not damaged is read as what it was, unless it is long and shrinks too well.
fn as_encoded(input: &Input<'_>, codings: &[Coding], outcome: &Outcome) {
    let undamaged = input.mode & 5 == 1 && !input.bytes.is_empty() && !input.is_long();
    if !undamaged {
        return;
    }
    let twice = input.mode & 2 != 0;
    let expected = match codings.last() {
        Some(Coding::Gzip | Coding::Zstd) if twice => codings.first().map(|inner| (inner, 2)),
        Some(_) if twice => None,
        Some(_) | None => codings.first().map(|inner| (inner, 1)),
    };
    match (expected, codings.len()) {
        (None, _) => assert_eq!(*outcome, Err(Unmeasurable::BadEncoding), "something follows the end"),
        // Twice in the outer coding is twice the wire of the inner.
        (Some((Coding::Deflate | Coding::Brotli, 2)), 2) => {
            assert_eq!(*outcome, Err(Unmeasurable::BadEncoding))
        }
        (Some((_, times)), _) => {
            assert_eq!(outcome.as_deref(), Ok(&*input.bytes.repeat(times)), "over-blocked")
        }
    }
}

/// Sizes of packets: one byte each, or some that look random.
fn cuts(seed: u8) -> impl Iterator<Item = usize> {
    let mut state = u32::from(seed);
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if seed == 0 { 1 } else { 1 + (state >> 16) as usize % (usize::from(seed) * 4) }
    })
}

type Outcome = Result<Vec<u8>, Unmeasurable>;

fn decoded(codings: Codings, wire: &[u8], sizes: &mut dyn Iterator<Item = usize>) -> Outcome {
    let limits = DecodeLimits { max_ratio: MAX_RATIO, max_encoded: u64::MAX };
    let mut decoder = Decoder::new(codings, limits);
    let mut body = Body(Vec::new());
    let mut rest = wire;
    let mut result = Ok(());
    while !rest.is_empty() && result.is_ok() {
        let (now, later) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
        result = decoder.push(now, &mut body);
        rest = later;
    }
    let allowed = RATIO_FLOOR.max(wire.len() as u64 * MAX_RATIO).min(MAX_BODY as u64);
    assert!(body.0.len() as u64 <= allowed, "{} bytes out of {}", body.0.len(), wire.len());
    let Err(error) = result else {
        return decoder.finish().map(|()| body.0);
    };
    assert_eq!(decoder.push(&[], &mut body), Err(error), "an error is not final");
    assert_eq!(decoder.finish(), Err(error), "an error is forgotten at the end");
    Err(error)
}

/// Whether two cuts of one wire came to the same. Of a body with two faults either may be seen first: the br library, for
/// one, takes the last bytes of a broken body that is also cut short for the beginning of something, or not. And a bomb
/// at the start of a long body is seen as one by `pinfold_body` only where it comes in small pieces.
fn same(whole: &Outcome, pieces: &Outcome) -> bool {
    match (whole, pieces) {
        (Ok(whole), Err(Unmeasurable::TooLarge)) => whole.len() as u64 > RATIO_FLOOR,
        (Err(_), Err(_)) => true,
        (Ok(_), _) | (Err(_), Ok(_)) => whole == pieces,
    }
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Ok(body) => format!("{} bytes", body.len()),
        Err(error) => error.to_string(),
    }
}

/// What is looked at before anyone has decided what to do with a body is the beginning of that body.
fn same_prefix(codings: Codings, mut wire: &[u8], body: &[u8]) {
    let mut peek = Peek::new(codings, PEEKED);
    while let Some(taken) = peek.step(wire).expect("the whole body was accepted") {
        wire = &wire[taken..];
    }
    assert_eq!(peek.bytes(), &body[..body.len().min(PEEKED)], "another beginning");
}

/// Last coding first. A body of no bytes is the empty body whatever its codings, as in browsers.
fn second_opinion(codings: &[Coding], wire: &[u8]) -> second::Opinion {
    if wire.is_empty() {
        return Ok(Vec::new());
    }
    codings.iter().rev().try_fold(wire.to_vec(), |wire, coding| second::decode(*coding, &wire, MAX_BODY))
}

/// A body in memory, as long as a hold would let it become.
struct Body(Vec<u8>);

impl Sink for Body {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Unmeasurable> {
        if self.0.len() + bytes.len() > MAX_BODY {
            return Err(Unmeasurable::TooLarge);
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
