//! A measured body on its way to a client, read as the client takes it. One that the client stops taking is let go: what
//! it holds of the budget is others' too.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use pinfold_policy::kept::Kept;
use pinfold_store::Receipt;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::respond::{BoxError, ClientBody};

/// A client that takes less than this between two looks has stopped taking.
const FRAME: usize = 64 * 1024;

/// All deliveries that are under way.
#[derive(Debug, Default)]
pub(crate) struct Deliveries(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    all: Vec<Weak<Underway>>,
    /// With so many, those that are over are forgotten before the next look.
    forget_at: usize,
}

impl Known {
    /// Costs a constant for each, on average, however many come between two looks.
    fn add(&mut self, underway: Weak<Underway>) {
        const FEW: usize = 1024;
        if self.all.len() >= self.forget_at.max(FEW) {
            self.all.retain(|known| known.strong_count() > 0);
            self.forget_at = 2 * self.all.len();
        }
        self.all.push(underway);
    }
}

#[derive(Debug)]
struct Underway {
    /// Nothing once it was let go.
    kept: Mutex<Option<Kept>>,
    has_moved: AtomicBool,
}

impl Deliveries {
    /// These segments of a body, which note on its receipt, where there is one, when all of them were taken.
    pub(crate) fn begin(&self, kept: Kept, segments: Vec<Segment>, receipt: Option<Receipt>) -> Delivery {
        let mut delivery = Delivery::of(kept, segments, receipt);
        self.known().add(Arc::downgrade(&delivery.underway));
        // The empty body is never asked for a piece.
        delivery.note_if_whole();
        delivery
    }

    /// Lets go of those that have not moved since the last call.
    pub(crate) fn let_go_of_stalled(&self) {
        self.known().all.retain(|underway| {
            let Some(underway) = underway.upgrade() else { return false };
            let has_moved = underway.has_moved.swap(false, Ordering::Relaxed);
            if !has_moved {
                tracing::debug!("a client has stopped taking what it asked for");
                drop(underway.kept.lock().unwrap_or_else(PoisonError::into_inner).take());
            }
            has_moved
        });
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the body of a response is put together from.
#[derive(Clone, Debug)]
pub(crate) enum Segment {
    /// Bytes of the body, where they lie.
    Part(Range<u64>),
    /// What stands between two parts.
    Text(Bytes),
}

impl Segment {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Part(part) => part.end.saturating_sub(part.start),
            Self::Text(text) => text.len() as u64,
        }
    }
}

/// The body of a response.
pub(crate) struct Delivery {
    underway: Arc<Underway>,
    /// What has not gone out; none is empty.
    segments: VecDeque<Segment>,
    /// The length of all of them.
    left: u64,
    /// A piece that is being read from disk.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    receipt: Option<Receipt>,
}

impl Delivery {
    fn of(kept: Kept, segments: Vec<Segment>, receipt: Option<Receipt>) -> Self {
        let underway = Arc::new(Underway { kept: Mutex::new(Some(kept)), has_moved: AtomicBool::new(true) });
        let mut segments = VecDeque::from(segments);
        segments.retain(|segment| segment.len() > 0);
        let left = segments.iter().map(Segment::len).sum();
        Self { underway, segments, left, reading: None, receipt }
    }

    pub(crate) fn len(&self) -> u64 {
        self.left
    }

    pub(crate) fn boxed(self) -> ClientBody {
        self.boxed_unsync()
    }

    fn note_if_whole(&mut self) {
        if self.left == 0
            && let Some(receipt) = self.receipt.take()
        {
            receipt.delivered_whole();
        }
    }

    /// What comes next of the first segment.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let part = match self.segments.front() {
            None => return Poll::Ready(None),
            Some(Segment::Text(text)) => return Poll::Ready(Some(Ok(text.clone()))),
            Some(Segment::Part(part)) => part.clone(),
        };
        let mut piece = ready!(self.poll_piece(part.start, cx))?;
        piece.truncate(FRAME.min(usize::try_from(part.end - part.start).unwrap_or(FRAME)));
        Poll::Ready(Some(Ok(piece)))
    }

    /// So much of the first segment has gone out.
    fn advance(&mut self, by: u64) {
        self.left = self.left.saturating_sub(by);
        if let Some(Segment::Part(part)) = self.segments.front_mut()
            && by < part.end - part.start
        {
            part.start += by;
        } else {
            self.segments.pop_front();
        }
        self.note_if_whole();
    }

    fn poll_piece(&mut self, at: u64, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if let Some(reading) = &mut self.reading {
            let read = ready!(Pin::new(reading).poll(cx));
            self.reading = None;
            return Poll::Ready(read.map_err(io::Error::other)?);
        }
        let kept = self.underway.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(kept) = kept else {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client stopped reading")));
        };
        if !kept.is_spilled() {
            return Poll::Ready(kept.piece_at(at));
        }
        self.reading = Some(spawn_blocking(move || kept.piece_at(at)));
        self.poll_piece(at, cx)
    }
}

impl Body for Delivery {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(piece) = ready!(self.poll_next(cx)).transpose()? else { return Poll::Ready(None) };
        if piece.is_empty() {
            return Poll::Ready(Some(Err("a held body ended early".into())));
        }
        self.underway.has_moved.store(true, Ordering::Relaxed);
        self.advance(piece.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the bodies are our own")]
mod tests {
    use http::HeaderValue;
    use pinfold_policy::kept::Keep;
    use proptest::prelude::*;

    use super::*;
    use crate::byteranges::byteranges;

    /// Longer than a frame, and in two pieces.
    const LEN: usize = 100_000;

    fn body() -> Vec<u8> {
        (0..LEN).map(|at| (at % 251) as u8).collect()
    }

    fn kept(body: &[u8]) -> Kept {
        let mut keep = Keep::new(Some(1000));
        keep.push(body);
        keep.finish().unwrap().0
    }

    fn taken(delivery: Delivery) -> Vec<u8> {
        let waiting = delivery.collect();
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(waiting)
            .unwrap()
            .to_bytes()
            .into()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn parts_are_put_together_as_from_plain_bytes(
            parts in prop::collection::vec((0..LEN, 1..LEN), 0..8),
        ) {
            let body = body();
            let parts: Vec<_> = parts
                .into_iter()
                .map(|(start, len)| start as u64..(start + len).min(LEN) as u64)
                .collect();
            let content_type = HeaderValue::from_static("text/javascript");
            let (media_type, segments) = byteranges(&parts, LEN as u64, Some(&content_type));
            let delivery = Delivery::of(kept(&body), segments, None);
            let announced = delivery.size_hint().exact();

            let line = media_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
            let mut expected = Vec::new();
            for part in &parts {
                let range = format!("Content-Range: bytes {}-{}/{LEN}", part.start, part.end - 1);
                let head = format!("\r\n--{line}\r\n{range}\r\nContent-Type: text/javascript\r\n\r\n");
                expected.extend_from_slice(head.as_bytes());
                expected.extend_from_slice(&body[part.start as usize..part.end as usize]);
            }
            expected.extend_from_slice(format!("\r\n--{line}--\r\n").as_bytes());
            prop_assert_eq!(announced, Some(expected.len() as u64));
            prop_assert!(taken(delivery) == expected);
        }
    }

    #[test]
    fn nothing_of_a_body_that_was_let_go_of_goes_out() {
        let (_, segments) = byteranges(&[0..10, 20..30], LEN as u64, None);
        let delivery = Delivery::of(kept(&body()), segments, None);
        drop(delivery.underway.kept.lock().unwrap().take());
        let waiting = delivery.collect();
        let ended = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(waiting);
        assert!(ended.is_err());
    }
}
