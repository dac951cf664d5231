//! A measured body on its way to a client, read as the client takes it. One that the client stops taking is let go: what
//! it holds of the budget is others' too.

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
    /// A body, or a part of one, that notes on its receipt when all of it was taken.
    pub(crate) fn begin(&self, kept: Kept, part: Range<u64>, receipt: Receipt) -> Delivery {
        let underway = Arc::new(Underway { kept: Mutex::new(Some(kept)), has_moved: AtomicBool::new(true) });
        self.known().add(Arc::downgrade(&underway));
        let mut delivery =
            Delivery { underway, at: part.start, end: part.end, reading: None, receipt: Some(receipt) };
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

/// The body of a response.
pub(crate) struct Delivery {
    underway: Arc<Underway>,
    at: u64,
    end: u64,
    /// A piece that is being read from disk.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    receipt: Option<Receipt>,
}

impl Delivery {
    pub(crate) fn len(&self) -> u64 {
        self.end - self.at
    }

    pub(crate) fn boxed(self) -> ClientBody {
        self.boxed_unsync()
    }

    fn note_if_whole(&mut self) {
        if self.at == self.end
            && let Some(receipt) = self.receipt.take()
        {
            receipt.delivered_whole();
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let at = self.at;
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
        self.poll_piece(cx)
    }
}

impl Body for Delivery {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let left = self.len();
        if left == 0 {
            return Poll::Ready(None);
        }
        let mut piece = ready!(self.poll_piece(cx))?;
        piece.truncate(FRAME.min(usize::try_from(left).unwrap_or(FRAME)));
        if piece.is_empty() {
            return Poll::Ready(Some(Err("a held body ended early".into())));
        }
        self.underway.has_moved.store(true, Ordering::Relaxed);
        self.at += piece.len() as u64;
        self.note_if_whole();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.at == self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len())
    }
}
