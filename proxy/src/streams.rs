//! The open streams of an HTTP/2 connection: how many there are, and which of them their client has stopped taking.
//!
//! A window that a client never opens holds up no write, so nothing below would notice, and what the vendor sent
//! meanwhile waits in memory. Only that stream ends: the others of its connection may be doing well.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::respond::{BoxError, ClientBody};

/// The streams of one connection.
#[derive(Default)]
pub(crate) struct Streams {
    open: watch::Sender<usize>,
    answers: Mutex<Vec<Weak<Underway>>>,
}

impl Streams {
    /// One more is open.
    pub(crate) fn open(&self) -> Open {
        self.open.send_modify(|open| *open += 1);
        Open(self.open.clone())
    }

    /// The body of an answer on an open stream.
    pub(crate) fn answer(&self, body: ClientBody, open: Open) -> Streaming {
        let rest = Rest { body, offered: None, _open: open };
        let underway = Arc::new(Underway(Mutex::new(Some(rest))));
        let mut answers = lock(&self.answers);
        // It grows only with those that are open at one time.
        if answers.len() == answers.capacity() {
            answers.retain(|known| known.strong_count() > 0);
        }
        answers.push(Arc::downgrade(&underway));
        Streaming(underway)
    }

    /// Waits until no stream has been open for as long as `limit`.
    pub(crate) async fn unused(&self, limit: Duration) {
        let mut open = self.open.subscribe();
        while open.wait_for(|open| *open == 0).await.is_ok() {
            tokio::select! {
                () = sleep(limit) => return,
                _ = open.changed() => {}
            }
        }
    }

    /// Goes on letting go of answers of which their clients have taken nothing for as long as `limit`.
    pub(crate) async fn let_go_of_stalled(&self, limit: Duration) -> Infallible {
        loop {
            sleep(limit).await;
            lock(&self.answers).retain(|known| known.upgrade().is_some_and(|known| known.is_taken(limit)));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An open stream, counted.
pub(crate) struct Open(watch::Sender<usize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// Nothing once it was let go. The connection does not go on for it, then.
struct Underway(Mutex<Option<Rest>>);

struct Rest {
    body: ClientBody,
    /// Since when the client has had a frame to take. None while it is the vendor who is waited for.
    offered: Option<Instant>,
    _open: Open,
}

impl Underway {
    /// Whether its client takes it. Otherwise it is let go.
    fn is_taken(&self, limit: Duration) -> bool {
        let stalled = lock(&self.0).take_if(|rest| rest.offered.is_some_and(|at| at.elapsed() >= limit));
        if stalled.is_some() {
            tracing::debug!("a client has stopped taking what it asked for");
        }
        stalled.is_none()
    }
}

/// The body of an answer, read as the client's window lets it.
pub(crate) struct Streaming(Arc<Underway>);

impl Body for Streaming {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut rest = lock(&self.0.0);
        let Some(rest) = rest.as_mut() else {
            let stalled = io::Error::new(io::ErrorKind::TimedOut, "the client stopped reading");
            return Poll::Ready(Some(Err(stalled.into())));
        };
        let next = Pin::new(&mut rest.body).poll_frame(cx);
        rest.offered = next.is_ready().then(Instant::now);
        next
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0.0).as_ref().is_some_and(|rest| rest.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0.0).as_ref().map_or_else(SizeHint::default, |rest| rest.body.size_hint())
    }
}
