//! The only module that builds what a client sees.
//!
//! Everything goes out as an [`Outbound`]. `Cleared` holds the proof; `Unguarded` and `ObservedUnverified` can be made
//! in one module each, named after them, like `Unregistering`, so that a reviewer finds every way out without proof by its name.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::Response;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::Frame;
use pinfold_store::Receipt;

use crate::headers::passable_trailers;
use crate::incoming::Arriving;
use crate::observed::ObservedUnverified;
use crate::refusal::Refusal;
use crate::release::Release;
use crate::unguarded::Unguarded;
use crate::unregistering::Unregistering;

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
    /// No, to a browser that has a worker which was revoked.
    Unregistering(Unregistering),
}

/// Builds the response.
pub(crate) fn respond(outbound: Outbound) -> Response<ClientBody> {
    match outbound {
        Outbound::Cleared(release) => release.into_response(),
        Outbound::Unguarded(unguarded) => unguarded.into_response(),
        Outbound::ObservedUnverified(observed) => observed.into_response(),
        Outbound::Refusal(refusal) => refusal.into_response(),
        Outbound::Unregistering(worker) => worker.into_response(),
    }
}

pub(crate) fn no_body() -> ClientBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn text_body(text: String) -> ClientBody {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync()
}

/// A vendor's body passed on as it arrives. Where it breaks off, the client's copy breaks off too.
pub(crate) fn passing(rest: Arriving, receipt: Receipt) -> ClientBody {
    let frames = stream::unfold((rest, Some(receipt)), |(mut rest, receipt)| async move {
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

/// The same with the fields that came behind it: for what is not guarded, where `grpc-status` and its like stand there.
pub(crate) fn passing_with_trailers(rest: Arriving) -> ClientBody {
    StreamBody::new(frames_with_trailers(rest)).boxed_unsync()
}

/// The same for a body that is seen only later; where nothing comes of that, the client's copy breaks off.
pub(crate) fn passing_once_seen(
    looking: impl Future<Output = Option<Arriving>> + Send + 'static,
) -> ClientBody {
    let frames = stream::once(looking).flat_map(|seen| match seen {
        Some(rest) => frames_with_trailers(rest).left_stream(),
        None => stream::iter([Err(BoxError::from("the body was refused"))]).right_stream(),
    });
    StreamBody::new(frames).boxed_unsync()
}

fn frames_with_trailers(rest: Arriving) -> impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send {
    stream::unfold(rest, |mut rest| async move {
        let frame = match rest.next().await {
            Some(Ok(bytes)) => Ok(Frame::data(bytes)),
            Some(Err(cut)) => Err(BoxError::from(cut)),
            None => Ok(Frame::trailers(passable_trailers(rest.take_trailers()?))),
        };
        Some((frame, rest))
    })
}
