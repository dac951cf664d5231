//! HTTP/1 clients: each request's head is read whole and checked before the server behind it sees a byte of it.
//!
//! The server, hyper, answers what it cannot read by itself, without a reason and without our fields; it repairs what
//! RFC 9112 calls ambiguous; and it has one clock for heads and idle connections. So a connection passes through a gate
//! that hands on one request at a time: the checked head, as many bytes of content as it announces, and the next head
//! when the answer is out. The gate never interprets more than hyper does. It only refuses more, in the form of every
//! other refusal, and then ends the connection: after a head that cannot be read nobody knows where the next one begins.
//!
//! Since the gate knows when nothing is under way, it says when a connection is idle for so long that hyper, which keeps most
//! of the memory of one, may go until the client says more.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderValue, Response, header};
use hyper::body::{Body, Frame, SizeHint};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use pinfold_policy::reason::Reason;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use uuid::Uuid;

use crate::ask::early_refusal;
use crate::refusal::{Reader, Refusal};
use crate::request_head::{Content, MAX_HEAD, check, head_len};
use crate::respond::{BoxError, ClientBody};
use crate::stall::Clock;

/// As much is read at one time.
const READ: usize = 8 * 1024;
/// Empty lines before a request line (RFC 9112 §2.2): some clients send one behind a body.
const EMPTY_LINES: usize = 8;
/// For so long a refused client may go on sending, so that it reads the refusal instead of a reset.
const LINGER: Duration = Duration::from_secs(2);

/// What the gate and the service behind hyper tell each other about the request in between.
#[derive(Debug, Default)]
struct Flags {
    /// The answer's body has been taken by hyper to its end, or dropped.
    is_answered: AtomicBool,
    /// Nothing may follow the answer.
    is_last: AtomicBool,
    /// More of the request's content is to come than hyper reads away behind an answer: it ends the connection then.
    is_behind: AtomicBool,
    /// From here on the connection carries something else than HTTP.
    is_switched: AtomicBool,
    /// Nothing is under way, and nothing came for a while.
    is_resting: AtomicBool,
}

/// The service's end of the gate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn(Arc<Flags>);

impl Turn {
    /// Answers a request; the `bool` says whether the answer switches protocols. The next request is read when the
    /// answer's body has gone.
    pub(crate) async fn take(
        &self,
        answering: impl Future<Output = (Response<ClientBody>, bool)>,
    ) -> Response<Answering> {
        let (mut response, switches) = answering.await;
        if switches {
            self.0.is_switched.store(true, Ordering::Release);
        } else if self.0.is_last.load(Ordering::Acquire) || self.0.is_behind.load(Ordering::Acquire) {
            // Who is told sends the next request elsewhere (RFC 9112 §9.6).
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|body| Answering { body, turn: self.clone() })
    }

    /// What a connection ends with, or `None` once it rests: hyper has nothing of it then, and may give the gate back.
    pub(crate) async fn until_resting<C: Future + Unpin>(&self, connection: &mut C) -> Option<C::Output> {
        let serving = poll_fn(|cx| match Pin::new(&mut *connection).poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if self.0.is_resting.load(Ordering::Acquire) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        serving.await
    }
}

/// The body of an answer. With it goes the request's turn.
pub(crate) struct Answering {
    body: ClientBody,
    turn: Turn,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.turn.0.is_answered.store(true, Ordering::Release);
    }
}

impl Body for Answering {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What the next byte from the client belongs to.
#[derive(Debug)]
enum Next {
    /// A head, or nothing yet.
    Head,
    /// The content of a request, with so many bytes left.
    Content(u64),
    /// Chunked content, and whatever its sender put behind it: it cannot become a request.
    Rest,
    /// A request that follows the one that is being answered.
    Later,
    /// Another protocol.
    Switched,
    /// Nothing: the client is told why.
    Refused(Bytes),
    /// Nothing: the client is given time to read what it was told.
    Lingering,
    /// Nothing. For hyper the connection has ended.
    Nothing,
}

/// How long a gate waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// For the rest of a head.
    pub(crate) head: Duration,
    /// For a head to begin, for more of a request's content, and for a client to take more of an answer.
    pub(crate) idle: Duration,
    /// For a head to begin, before the connection rests.
    pub(crate) quiet: Duration,
}

/// A client's HTTP/1 connection, as hyper may see it.
pub(crate) struct HeadGate<S> {
    inner: S,
    client: SocketAddr,
    turn: Turn,
    timeouts: Timeouts,
    next: Next,
    /// Whether the answer to the last request is out.
    is_answered: bool,
    /// Whether hyper's last read waits for that, and not for the client.
    waits_for_answer: bool,
    /// What was read and not handed on: a head, or what a client sends ahead. At most [`MAX_HEAD`].
    ahead: BytesMut,
    /// So many bytes of it were searched for the end of a head.
    searched: usize,
    /// So many bytes of it are a checked head, for hyper.
    checked: usize,
    empty_lines: usize,
    /// Whether nothing came for a while.
    is_quiet: bool,
    idle: Clock,
    in_head: Clock,
    writing: Clock,
}

impl<S> HeadGate<S> {
    /// A gate before `inner`, and the end for the service that answers what passes it.
    pub(crate) fn new(inner: S, client: SocketAddr, timeouts: Timeouts) -> (Self, Turn) {
        let turn = Turn::default();
        let gate = Self {
            inner,
            client,
            turn: turn.clone(),
            timeouts,
            next: Next::Head,
            is_answered: true,
            waits_for_answer: false,
            ahead: BytesMut::new(),
            searched: 0,
            checked: 0,
            empty_lines: 0,
            is_quiet: false,
            idle: Clock::default(),
            in_head: Clock::default(),
            writing: Clock::default(),
        };
        (gate, turn)
    }

    /// The stream itself, and what was read from it and is nobody's yet.
    pub(crate) fn into_parts(self) -> (S, Bytes) {
        (self.inner, self.ahead.freeze())
    }

    /// Lets a head pass that is there and sound, or turns to what must be done instead. Whether either happened.
    fn decide(&mut self) -> bool {
        self.skip_empty_lines();
        if self.empty_lines > EMPTY_LINES {
            self.refuse(Reason::MalformedRequest);
            return true;
        }
        let Some(len) = head_len(&self.ahead, self.searched) else {
            self.searched = self.ahead.len();
            let is_too_large = self.ahead.len() >= MAX_HEAD;
            if is_too_large {
                self.refuse(Reason::HeadersTooLarge);
            }
            return is_too_large;
        };
        match check(self.ahead.get(..len).unwrap_or_default()) {
            Ok(content) => self.pass(len, content),
            Err(reason) => self.refuse(reason),
        }
        true
    }

    fn skip_empty_lines(&mut self) {
        while self.ahead.starts_with(b"\r\n") && self.empty_lines <= EMPTY_LINES {
            self.ahead.advance(2);
            self.searched = 0;
            self.empty_lines += 1;
        }
    }

    fn pass(&mut self, len: usize, content: Content) {
        self.stop_clocks();
        (self.checked, self.searched, self.empty_lines) = (len, 0, 0);
        self.is_answered = false;
        self.turn.0.is_answered.store(false, Ordering::Release);
        self.next = match content {
            Content::Exactly(len) => self.content(len),
            Content::Chunked => {
                self.turn.0.is_last.store(true, Ordering::Release);
                Next::Rest
            }
        };
    }

    /// What comes next where so much content is left.
    fn content(&mut self, left: u64) -> Next {
        let here = self.ahead.len().saturating_sub(self.checked).min(READ);
        self.turn.0.is_behind.store(left > here as u64, Ordering::Release);
        match left {
            0 if self.is_answered => Next::Head,
            0 => Next::Later,
            left => Next::Content(left),
        }
    }

    fn refuse(&mut self, reason: Reason) {
        self.stop_clocks();
        let refusal = early_refusal(Uuid::now_v7(), reason, &Reader::default());
        tracing::info!(client = %self.client, %reason, incident = %refusal.incident, "refused what is no request");
        self.next = Next::Refused(on_the_wire(refusal));
    }

    /// Whether nothing came for too long.
    fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let quiet = self.timeouts.quiet.min(self.timeouts.idle);
        if !self.is_quiet && self.idle.has_passed(cx, quiet) {
            self.is_quiet = true;
            self.idle.stop();
        }
        self.is_quiet && self.idle.has_passed(cx, self.timeouts.idle - quiet)
    }

    fn stop_clocks(&mut self) {
        self.is_quiet = false;
        self.idle.stop();
        self.in_head.stop();
    }
}

impl<S: AsyncRead + Unpin> HeadGate<S> {
    /// Reads more into `ahead`: how much, where 0 is the client's end. Pending, too, when there is no room.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let room = MAX_HEAD.saturating_sub(self.ahead.len()).min(READ);
        if room == 0 {
            return Poll::Pending;
        }
        self.ahead.reserve(room);
        let mut bounded = (&mut self.ahead).limit(room);
        let read = pin!(self.inner.read_buf(&mut bounded)).poll(cx);
        if self.ahead.is_empty() {
            // An idle connection keeps no memory.
            self.ahead = BytesMut::new();
        }
        read
    }

    /// Waits for a whole head, or for what there is instead.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.decide() {
            if self.ahead.is_empty() {
                // What began was an empty line: the next head has its own time.
                self.in_head.stop();
                if self.is_overdue(cx) {
                    self.next = Next::Nothing;
                    break;
                }
            } else if self.in_head.has_passed(cx, self.timeouts.head) {
                self.refuse(Reason::RequestTimeout);
                break;
            }
            let read = self.poll_ahead(cx);
            let is_resting = read.is_pending() && self.is_quiet && self.ahead.is_empty();
            self.turn.0.is_resting.store(is_resting, Ordering::Release);
            if ready!(read)? == 0 {
                self.next = Next::Nothing;
                break;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Waits, with nobody behind the gate, for something that hyper must be told: a client that goes on, or the end.
    pub(crate) async fn rest(&mut self) {
        let resting = poll_fn(|cx| {
            if self.is_overdue(cx) || !ready!(self.poll_ahead(cx)).is_ok_and(|read| read > 0) {
                self.next = Next::Nothing;
            }
            Poll::Ready(())
        });
        resting.await;
        self.turn.0.is_resting.store(false, Ordering::Release);
    }

    /// Gives hyper at most `len` bytes of content: how much, where 0 is the client's end.
    fn poll_content(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        len: u64,
    ) -> Poll<io::Result<u64>> {
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(buf.remaining());
        let before = buf.filled().len();
        if !self.ahead.is_empty() {
            let now = len.min(self.ahead.len());
            buf.put_slice(&self.ahead.split_to(now));
        } else if len == buf.remaining() {
            let read = Pin::new(&mut self.inner).poll_read(cx, buf);
            ready!(self.idle.bound(cx, self.timeouts.idle, read))?;
        } else {
            let mut bounded = ReadBuf::new(buf.initialize_unfilled_to(len));
            let read = Pin::new(&mut self.inner).poll_read(cx, &mut bounded);
            let now = bounded.filled().len();
            ready!(self.idle.bound(cx, self.timeouts.idle, read))?;
            buf.advance(now);
        }
        Poll::Ready(Ok((buf.filled().len() - before) as u64))
    }

    /// Waits until the answer is out, and keeps what the client sends ahead.
    fn poll_later(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while ready!(self.poll_ahead(cx))? > 0 {}
        if self.ahead.is_empty() {
            self.next = Next::Nothing;
            return Poll::Ready(Ok(()));
        }
        // It has closed its sending side behind another request: that one's turn comes with a flush.
        Poll::Pending
    }

    fn poll_switched(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let now = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead.split_to(now));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> HeadGate<S> {
    /// Writes the refusal and ends our side.
    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Next::Refused(rest) = &mut self.next
            && !rest.is_empty()
        {
            let written = Pin::new(&mut self.inner).poll_write(cx, rest);
            rest.advance(ready!(self.writing.bound(cx, self.timeouts.idle, written))?);
        }
        let shut = Pin::new(&mut self.inner).poll_shutdown(cx);
        ready!(self.writing.bound(cx, self.timeouts.idle, shut))?;
        self.next = Next::Lingering;
        Poll::Ready(Ok(()))
    }

    /// Drops what the client still sends. An end with unread bytes would be a reset, which overtakes the answer.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut dropped = [0; 1024];
        while !self.idle.has_passed(cx, LINGER) {
            let mut buf = ReadBuf::new(&mut dropped);
            let read = ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                break;
            }
        }
        self.next = Next::Nothing;
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for HeadGate<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.turn.0.is_switched.load(Ordering::Acquire) {
            this.next = Next::Switched;
        }
        loop {
            if this.checked > 0 {
                let now = this.checked.min(buf.remaining());
                buf.put_slice(&this.ahead.split_to(now));
                this.checked -= now;
                return Poll::Ready(Ok(()));
            }
            match &this.next {
                Next::Head => ready!(this.poll_head(cx))?,
                Next::Content(left) => {
                    let left = *left;
                    let now = ready!(this.poll_content(cx, buf, left))?;
                    this.next = this.content(left - now);
                    return Poll::Ready(Ok(()));
                }
                Next::Rest => return this.poll_content(cx, buf, u64::MAX).map_ok(drop),
                Next::Later => {
                    let later = this.poll_later(cx);
                    this.waits_for_answer = later.is_pending();
                    ready!(later)?;
                }
                Next::Switched => return this.poll_switched(cx, buf),
                Next::Refused(_) => ready!(this.poll_refusal(cx))?,
                Next::Lingering => ready!(this.poll_linger(cx)),
                Next::Nothing => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> HeadGate<S> {
    /// A write of hyper's, bounded while it speaks HTTP.
    fn bound<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if self.turn.0.is_switched.load(Ordering::Acquire) {
            return poll;
        }
        self.writing.bound(cx, self.timeouts.idle, poll)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HeadGate<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.bound(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.bound(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// hyper flushes when all that it has to say was written: an answer whose body has gone is out then.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        ready!(self.bound(cx, flushed))?;
        if self.turn.0.is_answered.swap(false, Ordering::AcqRel) {
            self.is_answered = true;
            if matches!(self.next, Next::Later) {
                self.next = Next::Head;
                // Seldom: hyper reads behind a flush by itself, and a task that wakes itself wakes another thread too.
                if std::mem::take(&mut self.waits_for_answer) {
                    cx.waker().wake_by_ref();
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.next, Next::Refused(_)) {
            ready!(self.poll_refusal(cx))?;
        }
        let shut = Pin::new(&mut self.inner).poll_shutdown(cx);
        ready!(self.bound(cx, shut))?;
        // Answered before all of its content was read: its sender is at it still.
        if matches!(self.next, Next::Content(_) | Next::Rest) {
            self.idle.stop();
            self.next = Next::Lingering;
        }
        if matches!(self.next, Next::Lingering) {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

/// A refusal as bytes of HTTP/1.1, and the announcement that nothing follows.
fn on_the_wire(refusal: Refusal) -> Bytes {
    let (head, body) = refusal.into_response().into_parts();
    let phrase = head.status.canonical_reason().unwrap_or_default();
    let mut wire = BytesMut::new();
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::now()).unwrap_or_default();
    let start =
        format!("HTTP/1.1 {} {phrase}\r\nconnection: close\r\ndate: {date}\r\n", head.status.as_str());
    wire.put_slice(start.as_bytes());
    for (name, value) in &head.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            wire.put_slice(part);
        }
    }
    wire.put_slice(b"\r\n");
    wire.put_slice(&whole(body));
    wire.freeze()
}

/// A refusal's body, which is one frame in memory.
fn whole(mut body: ClientBody) -> Bytes {
    match Pin::new(&mut body).poll_frame(&mut Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        Poll::Ready(_) | Poll::Pending => Bytes::new(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const GET: &str = "GET /a HTTP/1.1\r\nHost: v.test\r\n\r\n";

    fn gate_with(room: usize, timeouts: Timeouts) -> (DuplexStream, HeadGate<DuplexStream>, Turn) {
        let (client, server) = duplex(room);
        let (gate, turn) = HeadGate::new(server, ([127, 0, 0, 1], 1).into(), timeouts);
        (client, gate, turn)
    }

    fn gate(head: Duration, idle: Duration) -> (DuplexStream, HeadGate<DuplexStream>, Turn) {
        gate_with(256 * 1024, Timeouts { head, idle, quiet: HOUR })
    }

    /// Rests as soon as nothing is under way.
    fn restless(room: usize) -> (DuplexStream, HeadGate<DuplexStream>, Turn) {
        gate_with(room, Timeouts { head: HOUR, idle: HOUR, quiet: Duration::ZERO })
    }

    fn patient() -> (DuplexStream, HeadGate<DuplexStream>, Turn) {
        gate(HOUR, HOUR)
    }

    /// What hyper would get next, if there is something now.
    async fn next(gate: &mut HeadGate<DuplexStream>) -> Option<String> {
        let mut buf = [0; 100_000];
        tokio::select! {
            biased;
            read = gate.read(&mut buf) => Some(String::from_utf8_lossy(&buf[..read.unwrap()]).into_owned()),
            () = std::future::ready(()) => None,
        }
    }

    /// Answers as hyper does: the body goes, and then a flush.
    async fn answer(gate: &mut HeadGate<DuplexStream>, turn: &Turn) -> Response<Answering> {
        let body = crate::respond::no_body();
        let response = turn.take(async { (Response::new(body), false) }).await;
        let (head, body) = response.into_parts();
        drop(body);
        gate.flush().await.unwrap();
        Response::from_parts(head, Answering { body: crate::respond::no_body(), turn: Turn::default() })
    }

    /// What hyper ends with over a gate, each answer being empty, or the gate once the connection rests.
    async fn serve(
        gate: HeadGate<DuplexStream>,
        turn: &Turn,
    ) -> Result<HeadGate<DuplexStream>, hyper::Result<()>> {
        let service = hyper::service::service_fn(|_| {
            let turn = turn.clone();
            async move {
                let response = Response::new(crate::respond::no_body());
                Ok::<_, std::convert::Infallible>(turn.take(async { (response, false) }).await)
            }
        });
        let http1 = hyper::server::conn::http1::Builder::new();
        let io = hyper_util::rt::TokioIo::new(gate);
        let mut connection = http1.serve_connection(io, service).with_upgrades();
        match turn.until_resting(&mut connection).await {
            Some(ended) => Err(ended),
            None => {
                let parts = connection.into_parts().unwrap();
                assert!(parts.read_buf.is_empty());
                Ok(parts.io.into_inner())
            }
        }
    }

    async fn answered(client: &mut DuplexStream) {
        let mut said = String::new();
        while !said.ends_with("\r\n\r\n") {
            said.push(client.read_u8().await.unwrap().into());
        }
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
    }

    async fn refusal_of(mut client: DuplexStream, mut gate: HeadGate<DuplexStream>) -> String {
        let reading = async {
            let mut said = String::new();
            client.read_to_string(&mut said).await.unwrap();
            drop(client);
            said
        };
        let mut nothing = [0; 8];
        let (said, read) = tokio::join!(reading, gate.read(&mut nothing));
        assert_eq!(read.unwrap(), 0, "hyper gets nothing of it");
        said
    }

    #[tokio::test]
    async fn a_head_is_handed_on_when_it_is_whole() {
        let (mut client, mut gate, _) = patient();
        for byte in &GET.as_bytes()[..GET.len() - 1] {
            client.write_u8(*byte).await.unwrap();
            assert_eq!(next(&mut gate).await, None);
        }
        client.write_all(b"\nbehind it").await.unwrap();
        assert_eq!(next(&mut gate).await.as_deref(), Some(GET));
        assert_eq!(gate.into_parts().1, "behind it");
    }

    #[tokio::test]
    async fn a_second_request_waits_for_the_answer_to_the_first() {
        let (mut client, mut gate, turn) = patient();
        client.write_all(format!("{GET}\r\n\r\n{GET}").as_bytes()).await.unwrap();
        assert_eq!(next(&mut gate).await.as_deref(), Some(GET));
        assert_eq!(next(&mut gate).await, None);
        gate.flush().await.unwrap();
        assert_eq!(next(&mut gate).await, None, "a flush without an answer");
        answer(&mut gate, &turn).await;
        assert_eq!(next(&mut gate).await.as_deref(), Some(GET));
    }

    #[tokio::test]
    async fn content_ends_where_its_length_says() {
        let (mut client, mut gate, turn) = patient();
        let post = "POST /a HTTP/1.1\r\nHost: v.test\r\nContent-Length: 5\r\n\r\n";
        client.write_all(format!("{post}hel").as_bytes()).await.unwrap();
        assert_eq!(next(&mut gate).await.as_deref(), Some(post));
        assert_eq!(next(&mut gate).await.as_deref(), Some("hel"));
        client.write_all(format!("lo{GET}").as_bytes()).await.unwrap();
        assert_eq!(next(&mut gate).await.as_deref(), Some("lo"));
        assert_eq!(next(&mut gate).await, None);
        answer(&mut gate, &turn).await;
        assert_eq!(next(&mut gate).await.as_deref(), Some(GET));
    }

    #[tokio::test]
    async fn an_answer_before_the_end_of_the_content_lets_nothing_slip() {
        let (mut client, mut gate, turn) = patient();
        let post = "POST /a HTTP/1.1\r\nHost: v.test\r\nContent-Length: 5\r\n\r\n";
        client.write_all(post.as_bytes()).await.unwrap();
        assert_eq!(next(&mut gate).await.as_deref(), Some(post));
        answer(&mut gate, &turn).await;
        client.write_all(format!("hello{GET}").as_bytes()).await.unwrap();
        assert_eq!(next(&mut gate).await.as_deref(), Some("hello"));
        assert_eq!(next(&mut gate).await.as_deref(), Some(GET));
    }

    #[tokio::test]
    async fn chunked_content_is_the_last_of_its_connection() {
        let (mut client, mut gate, turn) = patient();
        let post = "POST /a HTTP/1.1\r\nHost: v.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        client.write_all(format!("{post}0\r\n\r\n{GET}").as_bytes()).await.unwrap();
        assert_eq!(next(&mut gate).await.as_deref(), Some(post));
        let response = answer(&mut gate, &turn).await;
        assert_eq!(response.headers()["connection"], "close");
    }

    #[tokio::test]
    async fn after_a_switch_everything_passes() {
        let (mut client, mut gate, turn) = patient();
        client.write_all(format!("{GET}early").as_bytes()).await.unwrap();
        assert_eq!(next(&mut gate).await.as_deref(), Some(GET));
        assert_eq!(next(&mut gate).await, None);
        turn.take(async { (Response::new(crate::respond::no_body()), true) }).await;
        assert_eq!(next(&mut gate).await.as_deref(), Some("early"));
        client.write_all(b"\0\n\n").await.unwrap();
        assert_eq!(next(&mut gate).await.as_deref(), Some("\0\n\n"));
    }

    #[tokio::test]
    async fn a_head_that_does_not_end_in_time() {
        let (mut client, gate, _) = gate(Duration::ZERO, HOUR);
        client.write_all(b"G").await.unwrap();
        let said = refusal_of(client, gate).await;
        assert!(said.starts_with("HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n"), "{said}");
        assert!(said.contains("reason=request-timeout"), "{said}");
    }

    #[tokio::test]
    async fn an_empty_line_in_two_pieces_takes_no_time_from_the_next_head() {
        let (mut client, mut gate, _) = gate(HOUR, HOUR);
        client.write_all(b"\r").await.unwrap();
        assert_eq!(next(&mut gate).await, None);
        client.write_all(b"\n").await.unwrap();
        assert_eq!(next(&mut gate).await, None);
        // Where the clock had run on since then, the hour would be its time.
        gate.timeouts.head = Duration::ZERO;
        client.write_all(b"G").await.unwrap();
        let said = tokio::time::timeout(Duration::from_secs(60), refusal_of(client, gate)).await;
        assert!(said.is_ok_and(|said| said.starts_with("HTTP/1.1 408 ")));
    }

    #[tokio::test]
    async fn a_head_that_begins_while_its_connection_rests_has_no_longer_than_others() {
        let (mut client, gate, turn) = restless(256 * 1024);
        let mut gate = serve(gate, &turn).await.unwrap();
        gate.timeouts.head = Duration::ZERO;
        client.write_all(b"G").await.unwrap();
        gate.rest().await;
        assert!(refusal_of(client, gate).await.starts_with("HTTP/1.1 408 "));
    }

    #[tokio::test]
    async fn a_connection_that_is_idle_ends_without_a_word() {
        let (mut client, mut gate, _) = gate(HOUR, Duration::ZERO);
        assert_eq!(gate.read(&mut [0; 8]).await.unwrap(), 0);
        drop(gate);
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "");
    }

    #[tokio::test]
    async fn an_idle_connection_rests_and_goes_on_with_what_comes() {
        let (mut client, mut gate, turn) = restless(256 * 1024);
        for sent in [GET, "\r\n", GET] {
            client.write_all(&sent.as_bytes()[..1]).await.unwrap();
            let rest = async {
                client.write_all(&sent.as_bytes()[1..]).await.unwrap();
                if sent == GET {
                    answered(&mut client).await;
                }
            };
            let (served, ()) = tokio::join!(serve(gate, &turn), rest);
            gate = served.unwrap();
            tokio::select! {
                biased;
                () = gate.rest() => panic!("nothing came"),
                () = std::future::ready(()) => {}
            }
        }
        drop(client);
        gate.rest().await;
        serve(gate, &turn).await.err().unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_rests_is_idle_for_too_long_too() {
        let (mut client, gate, turn) = restless(1);
        let mut gate = serve(gate, &turn).await.unwrap();
        gate.timeouts.idle = Duration::ZERO;
        gate.idle.stop();
        gate.rest().await;
        serve(gate, &turn).await.err().unwrap().unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "");
    }

    #[tokio::test]
    async fn empty_lines_are_counted_over_all_rests() {
        let (mut client, mut gate, turn) = restless(256 * 1024);
        for _ in 0..EMPTY_LINES {
            gate = serve(gate, &turn).await.unwrap();
            client.write_all(b"\r\n").await.unwrap();
            gate.rest().await;
        }
        gate = serve(gate, &turn).await.unwrap();
        client.write_all(b"\r\n").await.unwrap();
        gate.rest().await;
        assert!(refusal_of(client, gate).await.starts_with("HTTP/1.1 400 "));
    }

    #[tokio::test]
    async fn a_connection_that_rests_ends_with_the_drain() {
        let (mut client, gate, turn) = restless(256 * 1024);
        let gate = serve(gate, &turn).await.unwrap();
        let service = hyper::service::service_fn(|_| async {
            Ok::<_, std::convert::Infallible>(Response::new(crate::respond::no_body()))
        });
        let http1 = hyper::server::conn::http1::Builder::new();
        let io = hyper_util::rt::TokioIo::new(gate);
        let mut connection = http1.serve_connection(io, service).with_upgrades();
        Pin::new(&mut connection).graceful_shutdown();
        connection.await.unwrap();
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn nothing_rests_while_a_request_is_under_way() {
        let half_a_head = "GET /a HTTP";
        let half_its_content = "POST /a HTTP/1.1\r\nHost: v.test\r\nContent-Length: 5\r\n\r\nhel";
        for sent in [half_a_head, half_its_content, GET] {
            let (mut client, mut gate, turn) = restless(256 * 1024);
            while !turn.0.is_resting.load(Ordering::Acquire) {
                assert_eq!(next(&mut gate).await, None);
                tokio::task::yield_now().await;
            }
            client.write_all(sent.as_bytes()).await.unwrap();
            while next(&mut gate).await.is_some() {}
            assert!(!turn.0.is_resting.load(Ordering::Acquire), "{sent}");
        }
    }

    #[tokio::test]
    async fn nothing_rests_while_its_client_takes_the_answer() {
        let (mut client, gate, turn) = restless(1);
        let asking = async {
            client.write_all(GET.as_bytes()).await.unwrap();
            answered(&mut client).await;
        };
        let (served, ()) = tokio::join!(serve(gate, &turn), asking);
        served.unwrap();
    }

    #[tokio::test]
    async fn a_head_without_end() {
        let (mut client, gate, _) = patient();
        client.write_all(&[b'A'; MAX_HEAD + 1000]).await.unwrap();
        let said = refusal_of(client, gate).await;
        assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
        assert!(said.contains("reason=headers-too-large"), "{said}");
    }

    #[tokio::test]
    async fn empty_lines_without_end() {
        let (mut client, gate, _) = patient();
        client.write_all(&b"\r\n".repeat(EMPTY_LINES + 1)).await.unwrap();
        let said = refusal_of(client, gate).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    }
}
