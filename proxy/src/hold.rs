//! Holding a guarded body: whole, decoded, within limits, or the reason why not.

use bytes::Bytes;
use http::{HeaderMap, header};
use pinfold_body::{Coding, Codings, DecodeLimits, Decoder, Peek};
use pinfold_policy::digest::{BodyId, Digests};
use pinfold_policy::held::{Held, Hold};
use pinfold_policy::kind::{MAGIC_LEN, could_become_magic};
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::Unmeasurable;

use crate::incoming::{Arriving, Cut};
use crate::respond::BoxError;

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
    /// A bug.
    Internal,
}

impl HoldError {
    /// The reason of the exchange that it ends.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::Unmeasurable(cause) => cause.reason(),
            Self::Timeout => Reason::UpstreamTimeout,
            Self::Internal => Reason::Internal,
        }
    }
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
    aliases: impl FnOnce(BodyId) -> Option<Digests> + Send + 'static,
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
                Ok(()) => match finish(held, aliases).await {
                    Ok(held) => return Ok(held),
                    Err(error) => break error,
                },
                Err(cause) => break HoldError::Unmeasurable(cause),
            },
        };
        let pushed = decoder.push(&bytes, &mut held);
        // Bytes that are there already come without a pause: others have their turn too.
        tokio::task::consume_budget().await;
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
    /// Some client may see other first bytes than these: nobody can say what the body begins with.
    pub(crate) is_hidden: bool,
}

impl Starts {
    /// The first bytes as a browser sees them: decoded, where the coding is one that is known.
    pub(crate) fn shown(&self) -> &[u8] {
        if self.decoded.is_empty() { &self.wire } else { &self.decoded }
    }
}

/// How much of the wire is read to see the first bytes. An honest coding needs some hundred bytes.
const LOOK_AHEAD: usize = 256 * 1024;

/// Reads as much of `body` as it takes to see its magic, and no more than could still matter; it stays to be read.
/// A body in codings that some client could undo and pinfold cannot, or will not, hides its start.
pub(crate) async fn look_at_start(body: &mut Arriving, headers: &HeaderMap) -> Starts {
    let (mut peek, mut is_hidden) = match codings(headers) {
        Ok(codings) => (Some(Peek::new(codings, MAGIC_LEN)), false),
        Err(_) => (None, Codings::could_be_undone(content_encoding(headers))),
    };
    let mut wire = Vec::with_capacity(MAGIC_LEN);
    let mut read = 0;
    while !is_hidden
        && (could_become_magic(&wire) || peek.as_ref().is_some_and(|peek| could_become_magic(peek.bytes())))
    {
        if read > LOOK_AHEAD {
            is_hidden = true;
            break;
        }
        let Some(Ok(bytes)) = body.look_ahead().await else { break };
        read += bytes.len();
        wire.extend(bytes.iter().take(MAGIC_LEN - wire.len()));
        is_hidden = peek.as_mut().is_some_and(|peek| peek.push(&bytes).is_err());
    }
    let decoded = peek.take().map(|peek| peek.bytes().to_vec()).unwrap_or_default();
    Starts { decoded, wire, is_hidden }
}

fn content_encoding(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(header::CONTENT_ENCODING).iter().map(http::HeaderValue::as_bytes)
}

/// The codings that a response's head names.
pub(crate) fn codings(headers: &HeaderMap) -> Result<Codings, Unmeasurable> {
    Codings::parse(content_encoding(headers))
}

/// The length that a response's head announces.
pub(crate) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Work on bodies of up to this many bytes is done where it comes up; on larger ones, on a thread for such work.
const INLINE: u64 = 32 * 1024;

/// Encodes measured bytes for a client.
pub(crate) async fn encode(segments: Vec<Bytes>, len: u64, coding: Coding) -> Result<Vec<Bytes>, BoxError> {
    if coding == Coding::Identity || len <= INLINE {
        return Ok(pinfold_body::encode(&segments, coding)?);
    }
    Ok(tokio::task::spawn_blocking(move || pinfold_body::encode(&segments, coding)).await??)
}

/// Ends a hold: measuring the other digests of a large body takes a while.
async fn finish(
    held: Hold,
    aliases: impl FnOnce(BodyId) -> Option<Digests> + Send + 'static,
) -> Result<Held, HoldError> {
    if held.len() <= INLINE {
        return Ok(held.finish(aliases));
    }
    tokio::task::spawn_blocking(move || held.finish(aliases)).await.map_err(|_| HoldError::Internal)
}
