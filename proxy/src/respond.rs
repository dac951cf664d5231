//! The only module that builds what a client sees.
//!
//! Everything goes out as an [`Outbound`]. `Cleared` holds the proof; `Unguarded` and `ObservedUnverified` can be made
//! in one module each, named after them, so that a reviewer finds every way out without proof by its name.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::{Body, Frame, SizeHint};
use pinfold_store::Receipt;

use crate::incoming::Arriving;
use crate::observed::ObservedUnverified;
use crate::refusal::Refusal;
use crate::release::Release;
use crate::unguarded::Unguarded;

/// Any error of a body or a connection.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of everything that is sent, to clients and to vendors.
pub(crate) type ClientBody = UnsyncBoxBody<Bytes, BoxError>;

/// What can go out.
pub(crate) enum Outbound {
    /// A body that was cleared.
    Cleared(Release),
    /// What is not guarded.
    Unguarded(Unguarded),
    /// What is guarded, not verified, and passes by observe mode or `unpinned = "allow"`.
    ObservedUnverified(ObservedUnverified),
    /// No.
    Refusal(Refusal),
}

/// Builds the response.
pub(crate) fn respond(outbound: Outbound) -> Response<ClientBody> {
    match outbound {
        Outbound::Cleared(release) => release.into_response(),
        Outbound::Unguarded(unguarded) => unguarded.into_response(),
        Outbound::ObservedUnverified(observed) => observed.into_response(),
        Outbound::Refusal(refusal) => refusal.into_response(),
    }
}

pub(crate) fn no_body() -> ClientBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn text_body(text: String) -> ClientBody {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()
}

/// A body in memory that notes on its receipt when all of it was taken.
pub(crate) struct Delivery {
    segments: std::vec::IntoIter<Bytes>,
    left: u64,
    receipt: Option<Receipt>,
}

impl Delivery {
    pub(crate) fn new(segments: Vec<Bytes>, receipt: Receipt) -> Self {
        let left = segments.iter().map(|segment| segment.len() as u64).sum();
        Self { segments: segments.into_iter(), left, receipt: Some(receipt) }
    }

    pub(crate) fn len(&self) -> u64 {
        self.left
    }

    pub(crate) fn boxed(self) -> ClientBody {
        self.map_err(|never: std::convert::Infallible| match never {}).boxed_unsync()
    }

    fn note_if_whole(&mut self) {
        if self.left == 0
            && let Some(receipt) = self.receipt.take()
        {
            receipt.delivered_whole();
        }
    }
}

impl Body for Delivery {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        let next = self.segments.find(|segment| !segment.is_empty());
        self.left = self.left.saturating_sub(next.as_ref().map_or(0, |segment| segment.len() as u64));
        self.note_if_whole();
        Poll::Ready(next.map(|segment| Ok(Frame::data(segment))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A vendor's body passed on as it arrives. Where it breaks off, the client's copy breaks off too.
pub(crate) fn passing(rest: Arriving, receipt: Option<Receipt>) -> ClientBody {
    let frames = stream::unfold((rest, receipt), |(mut rest, receipt)| async move {
        match rest.next().await {
            Some(Ok(bytes)) => Some((Ok(Frame::data(bytes)), (rest, receipt))),
            Some(Err(cut)) => Some((Err(BoxError::from(cut)), (rest, receipt))),
            None => {
                if let Some(receipt) = receipt {
                    receipt.delivered_whole();
                }
                None
            }
        }
    });
    StreamBody::new(frames).boxed_unsync()
}
