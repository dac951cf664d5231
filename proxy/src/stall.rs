//! Clients that stop reading. What they were sent waits in memory, so a write that makes no progress ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A clock that runs while something is waited for.
#[derive(Debug, Default)]
pub(crate) struct Clock(Option<Pin<Box<Sleep>>>);

impl Clock {
    /// Whether `limit` has passed since this was asked first after a stop. The task is woken when it has.
    pub(crate) fn has_passed(&mut self, cx: &mut Context<'_>, limit: Duration) -> bool {
        self.0.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx).is_ready()
    }

    /// The wait is over.
    pub(crate) fn stop(&mut self) {
        self.0 = None;
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn a_client_that_reads_nothing_ends_the_write() {
        let (_client, server) = duplex(4);
        let mut server = Unstalled::new(server, Duration::ZERO);
        assert_eq!(server.write(b"12345678").await.unwrap(), 4);
        assert_eq!(server.write(b"5678").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
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
