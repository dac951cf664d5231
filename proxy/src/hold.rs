//! Holding a guarded body: whole, decoded, within limits, or the reason why not.

use bytes::Bytes;
use http::{HeaderMap, header};
use pinfold_body::{Codings, DecodeLimits, Decoder, Peek};
use pinfold_policy::digest::{BodyId, Digests};
use pinfold_policy::held::{Held, Hold};
use pinfold_policy::kind::MAGIC_LEN;
use pinfold_policy::verdict::Unmeasurable;

use crate::incoming::{Arriving, Cut};

/// Bounds on one hold.
#[derive(Clone, Debug)]
pub(crate) struct HoldLimits {
    pub(crate) max_body: u64,
    pub(crate) decode: DecodeLimits,
    /// Observe mode passes even what cannot be measured, as it came: the wire bytes are kept for that alone.
    pub(crate) keep_wire: bool,
}

/// Why there is no [`Held`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldError {
    /// It cannot be measured.
    Unmeasurable(Unmeasurable),
    /// The vendor fell silent in the middle.
    Timeout,
}

/// A hold that came to nothing, and what remains of the body. The wire bytes are there only if they were to be kept.
pub(crate) struct Failed {
    pub(crate) error: HoldError,
    pub(crate) rest: Arriving,
}

/// Holds a body to its end.
pub(crate) async fn hold(
    mut body: Arriving,
    codings: Codings,
    announced: Option<u64>,
    limits: &HoldLimits,
    aliases: impl FnOnce(BodyId) -> Option<Digests>,
) -> Result<Held, Failed> {
    let mut held = Hold::new(limits.max_body, announced.filter(|_| codings.is_identity()));
    let mut decoder = Decoder::new(codings, limits.decode);
    let mut wire = Vec::new();
    let error = loop {
        let bytes = match body.next().await {
            Some(Ok(bytes)) => bytes,
            Some(Err(Cut::Truncated)) => break HoldError::Unmeasurable(Unmeasurable::Truncated),
            Some(Err(Cut::Timeout)) => break HoldError::Timeout,
            None => match decoder.finish() {
                Ok(()) => return Ok(held.finish(aliases)),
                Err(cause) => break HoldError::Unmeasurable(cause),
            },
        };
        let pushed = decoder.push(&bytes, &mut held);
        if limits.keep_wire {
            wire.push(bytes);
        }
        if let Err(cause) = pushed {
            break HoldError::Unmeasurable(cause);
        }
    };
    body.unread(wire);
    Err(Failed { error, rest: body })
}

/// The first bytes of a body: decoded, and as they came, for clients that ignore the coding.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    pub(crate) decoded: Vec<u8>,
    pub(crate) wire: Vec<u8>,
    /// The coding hid the start for longer than [`LOOK_AHEAD`]: nobody knows what the body begins with.
    pub(crate) is_hidden: bool,
}

/// How much of the wire is read to see the first bytes. An honest coding needs some hundred bytes.
const LOOK_AHEAD: usize = 256 * 1024;

/// Reads as much of `body` as it takes to see its magic; it stays to be read. A body that cannot be decoded shows
/// its wire bytes.
pub(crate) async fn look_at_start(body: &mut Arriving, codings: Option<Codings>) -> Starts {
    let mut peek = codings.map(|codings| Peek::new(codings, MAGIC_LEN));
    let mut wire = Vec::with_capacity(MAGIC_LEN);
    let mut read = 0;
    while wire.len() < MAGIC_LEN || peek.as_ref().is_some_and(|peek| !peek.is_full()) {
        if read > LOOK_AHEAD {
            return Starts { is_hidden: true, ..Starts::default() };
        }
        let Some(Ok(bytes)) = body.look_ahead().await else { break };
        read += bytes.len();
        wire.extend(bytes.iter().take(MAGIC_LEN - wire.len()));
        if peek.as_mut().is_some_and(|peek| peek.push(&bytes).is_err()) {
            peek = None;
        }
    }
    Starts { decoded: peek.map(|peek| peek.bytes().to_vec()).unwrap_or_default(), wire, is_hidden: false }
}

/// The codings that a response's head names.
pub(crate) fn codings(headers: &HeaderMap) -> Result<Codings, Unmeasurable> {
    Codings::parse(headers.get_all(header::CONTENT_ENCODING).iter().map(http::HeaderValue::as_bytes))
}

/// The length that a response's head announces.
pub(crate) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Bodies of up to this many bytes are encoded where they are; larger ones on a thread for such work.
const ENCODE_INLINE: u64 = 32 * 1024;

/// Encodes measured bytes for a client.
pub(crate) async fn encode(
    segments: Vec<Bytes>,
    len: u64,
    coding: pinfold_body::Coding,
) -> Result<Vec<Bytes>, pinfold_body::EncodeError> {
    if coding == pinfold_body::Coding::Identity || len <= ENCODE_INLINE {
        return pinfold_body::encode(&segments, coding);
    }
    let work = tokio::task::spawn_blocking(move || pinfold_body::encode(&segments, coding));
    match work.await {
        Ok(encoded) => encoded,
        // The thread is gone only when the runtime is: nobody is left to answer.
        Err(_) => std::future::pending().await,
    }
}
