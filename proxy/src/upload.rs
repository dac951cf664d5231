//! A request's content on its way to the vendor.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::respond::BoxError;

/// The content, and nothing that came behind it: a vendor that merged trailers into the head would read another request
/// than was judged (RFC 9110 §6.5.1).
pub(crate) struct Upload(Incoming);

impl Upload {
    pub(crate) fn of(content: Incoming) -> Self {
        Self(content)
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
            match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
                Some(Ok(frame)) if frame.is_trailers() => {}
                next => return Poll::Ready(next.map(|frame| frame.map_err(BoxError::from))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
