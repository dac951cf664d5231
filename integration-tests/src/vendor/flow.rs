//! A body on its way: it counts what is taken of it, and may have a rest that waits for a gate.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body, Frame, SizeHint};

use super::{Answer, Record};

/// As much as is handed over at one time, so that the count is about what the other side has asked for.
const PIECE: usize = 16 * 1024;

pub(super) struct Flow {
    bytes: Bytes,
    /// The body once more, so many times.
    again: (Bytes, u64),
    rest: Option<Pin<Box<dyn Future<Output = Bytes> + Send>>>,
    trailers: Option<HeaderMap>,
    record: Arc<Record>,
}

impl Flow {
    pub(super) fn of(answer: &mut Answer, record: Arc<Record>) -> Self {
        let bytes = Bytes::from(answer.coding.encode(&answer.body));
        let rest = answer.rest.take().map(|(mut gate, rest)| {
            Box::pin(async move {
                // A dropped gate is an open one: the test that held it is over.
                drop(gate.wait_for(|open| *open).await);
                rest
            }) as Pin<Box<dyn Future<Output = Bytes> + Send>>
        });
        let again = (bytes.clone(), answer.times - 1);
        let trailers = Some(std::mem::take(&mut answer.trailers)).filter(|trailers| !trailers.is_empty());
        Self { bytes, again, rest, trailers, record }
    }
}

impl Body for Flow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() && self.again.1 > 0 {
            self.again.1 -= 1;
            self.bytes = self.again.0.clone();
        }
        if self.bytes.is_empty()
            && let Some(rest) = &mut self.rest
        {
            self.bytes = ready!(rest.as_mut().poll(context));
            self.rest = None;
        }
        let len = self.bytes.len().min(PIECE);
        let piece = self.bytes.split_to(len);
        self.record.sent.send_modify(|sent| *sent += len as u64);
        if len > 0 {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        let is_empty = self.bytes.is_empty() && self.again.1 == 0;
        is_empty && self.rest.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.rest {
            Some(_) => SizeHint::default(),
            None => {
                let (again, times) = &self.again;
                SizeHint::with_exact(self.bytes.len() as u64 + again.len() as u64 * times)
            }
        }
    }
}
