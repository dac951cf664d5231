//! Two clocks for HTTP/1 connections: one for a head that has begun, a longer one for a connection that is idle.
//!
//! hyper has one timer for both. It is given the longer limit; this module ends a connection on which a head began
//! and does not come to its end: a client that sends one byte a second would hold its place for ever otherwise.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Response;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Whether the connection is at a request, from the end of its head to the end of its answer's head; for good, once it
/// carries something else than HTTP.
#[derive(Clone, Debug, Default)]
pub(crate) struct AtRequest(Arc<AtomicBool>);

impl AtRequest {
    /// Answers a request. Nothing that arrives meanwhile is a head, nor after an answer that switches protocols.
    pub(crate) async fn during<B>(
        &self,
        answering: impl Future<Output = (Response<B>, bool)>,
    ) -> Response<B> {
        self.0.store(true, Ordering::Relaxed);
        let (response, switches) = answering.await;
        self.0.store(switches, Ordering::Relaxed);
        response
    }
}

/// A stream on which a head that began must end in time.
pub(crate) struct HeadClock<S> {
    inner: S,
    at_request: AtRequest,
    limit: Duration,
    /// Runs from the first byte of a head to the request.
    running: Option<Pin<Box<Sleep>>>,
}

impl<S> HeadClock<S> {
    pub(crate) fn new(inner: S, limit: Duration) -> (Self, AtRequest) {
        let at_request = AtRequest::default();
        (Self { inner, at_request: at_request.clone(), limit, running: None }, at_request)
    }

    pub(crate) fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadClock<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.at_request.0.load(Ordering::Relaxed) {
            self.running = None;
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        if let Some(running) = &mut self.running
            && running.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if self.running.is_none() && buf.filled().len() > before {
            self.running = Some(Box::pin(sleep(self.limit)));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadClock<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    /// Nothing passes before its time, so no test has to wait for any.
    fn clock() -> (DuplexStream, HeadClock<DuplexStream>, AtRequest) {
        let (client, server) = duplex(64);
        let (clock, at_request) = HeadClock::new(server, Duration::ZERO);
        (client, clock, at_request)
    }

    #[tokio::test]
    async fn a_head_that_does_not_end_ends_the_connection() {
        let (mut client, mut clock, _) = clock();
        client.write_all(b"G").await.unwrap();
        assert_eq!(clock.read_u8().await.unwrap(), b'G');
        assert_eq!(clock.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn an_idle_connection_is_left_alone() {
        let (_client, mut clock, _) = clock();
        tokio::select! {
            biased;
            read = clock.read_u8() => panic!("{read:?}"),
            () = std::future::ready(()) => {}
        }
    }

    #[tokio::test]
    async fn a_body_may_take_its_time_and_a_switched_protocol_too() {
        for switches in [false, true] {
            let (mut client, mut clock, at_request) = clock();
            client.write_all(b"Gbx").await.unwrap();
            assert_eq!(clock.read_u8().await.unwrap(), b'G');
            let answering = async {
                assert_eq!(clock.read_u8().await.unwrap(), b'b');
                (Response::new(()), switches)
            };
            at_request.during(answering).await;
            assert_eq!(clock.read_u8().await.unwrap(), b'x');
            let expected = if switches {
                drop(client);
                io::ErrorKind::UnexpectedEof
            } else {
                io::ErrorKind::TimedOut
            };
            assert_eq!(clock.read_u8().await.unwrap_err().kind(), expected);
        }
    }
}
