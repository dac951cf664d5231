//! A request's content on its way to the vendor.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::respond::BoxError;
use crate::stall::Clock;

/// The content, and nothing that came behind it: a vendor that merged trailers into the head would read another request
/// than was judged (RFC 9110 §6.5.1).
pub(crate) struct Upload {
    content: Incoming,
    limit: Duration,
    stalled: Clock,
    is_answered: Arc<AtomicBool>,
}

impl Upload {
    /// A client that sends no more within `limit` has stopped: over HTTP/2 nothing else notices while its connection is
    /// alive. Once it `is_answered` it may as well listen (gRPC streams in both directions).
    pub(crate) fn of(content: Incoming, limit: Duration, is_answered: &Arc<AtomicBool>) -> Self {
        Self { content, limit, stalled: Clock::default(), is_answered: Arc::clone(is_answered) }
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let next = Pin::new(&mut self.content).poll_frame(cx).map_err(BoxError::from);
        if self.is_answered.load(Ordering::Relaxed) {
            return next;
        }
        ready!(self.stalled.bound(cx, self.limit, next.map(Ok)))
            .unwrap_or_else(|stalled| Some(Err(stalled.into())))
            .into()
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            match ready!(self.poll_content(cx)) {
                Some(Ok(frame)) if frame.is_trailers() => {}
                next => return Poll::Ready(next),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}
