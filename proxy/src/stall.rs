//! Clients that stop reading. What they were sent waits in memory, so a write that makes no progress ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A clock that runs while something is waited for. It is started and stopped with each request, and rings hardly ever: so
/// the timer is left as it was set, and only set anew when it rings too early.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    timer: Option<Pin<Box<Sleep>>>,
    /// When what is waited for now is overdue; none while the clock stands.
    until: Option<Instant>,
}

impl Clock {
    /// Whether `limit` has passed since this was asked first after a stop. The task is woken when it has.
    pub(crate) fn has_passed(&mut self, cx: &mut Context<'_>, limit: Duration) -> bool {
        // A limit beyond all time is never over.
        let Some(until) = self.until.or_else(|| Instant::now().checked_add(limit)) else { return false };
        self.until = Some(until);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() > until {
            timer.as_mut().reset(until);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if timer.deadline() >= until {
                return true;
            }
            timer.as_mut().reset(until);
        }
        false
    }

    /// The wait is over.
    pub(crate) fn stop(&mut self) {
        self.until = None;
    }

    /// Gives what `poll` gives, or an error when that has been nothing for as long as `limit`.
    pub(crate) fn bound<T>(
        &mut self,
        cx: &mut Context<'_>,
        limit: Duration,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stop();
        } else if self.has_passed(cx, limit) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        poll
    }
}

/// A stream each of whose writes makes progress within a limit, or fails.
pub(crate) struct Unstalled<S> {
    inner: S,
    limit: Duration,
    stalled: Clock,
}

impl<S> Unstalled<S> {
    pub(crate) fn new(inner: S, limit: Duration) -> Self {
        Self { inner, limit, stalled: Clock::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unstalled<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unstalled<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.inner).poll_write(cx, buf);
        this.stalled.bound(cx, this.limit, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
        this.stalled.bound(cx, this.limit, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let flushed = Pin::new(&mut this.inner).poll_flush(cx);
        this.stalled.bound(cx, this.limit, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let shut = Pin::new(&mut this.inner).poll_shutdown(cx);
        this.stalled.bound(cx, this.limit, shut)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_client_that_reads_nothing_ends_the_write() {
        let (_client, server) = duplex(4);
        let mut server = Unstalled::new(server, Duration::ZERO);
        assert_eq!(server.write(b"12345678").await.unwrap(), 4);
        assert_eq!(server.write(b"5678").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_clock_that_was_stopped_goes_by_its_new_limit() {
        let (hour, none) = (Duration::from_secs(3600), Duration::ZERO);
        let mut clock = Clock::default();
        for _ in 0..2 {
            assert!(!poll_fn(|cx| Poll::Ready(clock.has_passed(cx, hour))).await);
            clock.stop();
            let passing =
                poll_fn(|cx| if clock.has_passed(cx, none) { Poll::Ready(()) } else { Poll::Pending });
            // It would be an hour.
            timeout(Duration::from_secs(600), passing).await.unwrap();
            clock.stop();
        }
    }

    #[tokio::test]
    async fn a_client_that_reads_slowly_gets_it_all() {
        let (mut client, server) = duplex(4);
        let mut server = Unstalled::new(server, Duration::from_secs(3600));
        let writing = async { server.write_all(b"12345678").await };
        let reading = async {
            let mut got = [0; 8];
            for byte in &mut got {
                *byte = client.read_u8().await.unwrap();
                tokio::task::yield_now().await;
            }
            got
        };
        let (written, got) = tokio::join!(writing, reading);
        written.unwrap();
        assert_eq!(&got, b"12345678");
    }
}
