//! The connections of clients, in both versions of HTTP, from their first request to their end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pinfold_policy::reason::Reason;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::ask::{early_refusal, reader};
use crate::exchange::exchange;
use crate::gateway::Shared;
use crate::head_gate::{HeadGate, Timeouts};
use crate::link::Link;
use crate::request_head::{MAX_FIELDS, MAX_HEAD};
use crate::respond::{ClientBody, Outbound, respond};
use crate::stall::Unstalled;
use crate::streams::Streams;

/// Streams of one HTTP/2 connection at one time, and requests that are worked on for it: a stream that a client resets
/// is gone, and what was begun for it is not.
const STREAMS: u32 = 128;
/// Streams that a client reset before they were looked at, and streams that were reset because the client broke the
/// protocol there: beyond these the connection ends (CVE-2023-44487, CVE-2025-8671).
const RESETS: usize = 32;

/// A connection that is idle for longer rests. What that frees goes to the next ones, as many of them as come at one time.
const QUIET: Duration = Duration::from_millis(500);

impl Shared {
    /// Serves an intercepted connection, in a task of its own: what opened it takes more memory than what lasts.
    pub(crate) fn serve<S>(self: &Arc<Self>, link: Link, stream: S, is_h2: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (shared, link) = (Arc::clone(self), Arc::new(link));
        if is_h2 {
            self.tasks.spawn(async move {
                let streams = Arc::new(Streams::default());
                tokio::select! {
                    () = shared.serve_http2(link, stream, &streams) => {}
                    never = streams.let_go_of_stalled(shared.settings.limits.idle_timeout) => match never {},
                }
            });
        } else {
            self.tasks.spawn(async move {
                let answer = |request| {
                    let (shared, link) = (Arc::clone(&shared), Arc::clone(&link));
                    async { switching(exchange(shared, link, request).await) }
                };
                shared.serve_http1(link.client, stream, answer).await;
            });
        }
    }

    /// Serves an HTTP/1 connection, one request after the other. The `bool` beside an answer says whether it switches
    /// protocols.
    pub(crate) async fn serve_http1<S, A>(
        &self,
        client: SocketAddr,
        stream: S,
        answer: impl Fn(Request<Incoming>) -> A,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        A: Future<Output = (Response<ClientBody>, bool)>,
    {
        let limits = &self.settings.limits;
        let timeouts = Timeouts { head: limits.header_timeout, idle: limits.idle_timeout, quiet: QUIET };
        let (mut gate, turn) = HeadGate::new(stream, client, timeouts);
        let mut service = service_fn(|request| {
            // hyper has room for this future as long as the connection lasts.
            let (answering, turn) = (Box::pin(answer(request)), turn.clone());
            async move { Ok::<_, Infallible>(turn.take(answering).await) }
        });
        let mut http1 = hyper::server::conn::http1::Builder::new();
        // The gate has the clocks.
        http1.header_read_timeout(None).max_headers(MAX_FIELDS).max_buf_size(MAX_HEAD);
        // A client that has said all may close its side and still wants the answer (RFC 9112 §9.6).
        http1.half_close(true);
        let mut connection = loop {
            let mut connection = http1.serve_connection(TokioIo::new(gate), service).with_upgrades();
            tokio::select! {
                biased;
                () = self.drain.cancelled() => break connection,
                ended = turn.until_resting(&mut connection) => {
                    if let Some(ended) = ended {
                        return log_end(client, ended);
                    }
                }
            }
            // The gate has handed on whole requests alone, so that nothing of the next one is lost.
            let Some(parts) = connection.into_parts().filter(|parts| parts.read_buf.is_empty()) else {
                return;
            };
            (gate, service) = (parts.io.into_inner(), parts.service);
            tokio::select! {
                () = gate.rest() => {}
                () = self.drain.cancelled() => {}
            }
        };
        Pin::new(&mut connection).graceful_shutdown();
        tokio::select! {
            ended = &mut connection => log_end(client, ended),
            () = self.stop.cancelled() => {}
        }
    }

    async fn serve_http2<S>(self: &Arc<Self>, link: Arc<Link>, stream: S, streams: &Arc<Streams>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let client = link.client;
        let limits = &self.settings.limits;
        let work = Arc::new(Semaphore::new(STREAMS as usize));
        let service = service_fn(|request| {
            let (streams, open) = (Arc::clone(streams), streams.open());
            let answering = Arc::clone(self).answer_http2(Arc::clone(&link), Arc::clone(&work), request);
            async move { Ok::<_, Infallible>(answering.await.map(|body| streams.answer(body, open))) }
        });
        let mut http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            // Twice what is allowed, so that what is a little too large is refused by us, with a reason.
            .max_header_list_size(u32::try_from(2 * MAX_HEAD).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(RESETS)
            .max_local_error_reset_streams(RESETS)
            .keep_alive_interval(limits.idle_timeout)
            .keep_alive_timeout(limits.header_timeout);
        let stream = Unstalled::new(stream, limits.idle_timeout);
        let connection = http2.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            ended = &mut connection => return log_end(client, ended),
            () = self.drain.cancelled() => {}
            () = streams.unused(limits.idle_timeout) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = &mut connection => log_end(client, ended),
            () = self.stop.cancelled() => {}
            // A client may go on asking until it has heard of the end, and a hostile one hears nothing.
            () = streams.unused(limits.header_timeout) => {}
        }
    }

    /// Answers a request in a task of its own, since a stream that is reset drops this future and what it has begun goes
    /// on: so many at one time, the others wait.
    async fn answer_http2(
        self: Arc<Self>,
        link: Arc<Link>,
        work: Arc<Semaphore>,
        request: Request<Incoming>,
    ) -> Response<ClientBody> {
        let reader = reader(request.method(), request.headers());
        let refuse = |reason| respond(Outbound::Refusal(early_refusal(Uuid::now_v7(), reason, &reader)));
        if is_too_large(&request) {
            return refuse(Reason::HeadersTooLarge);
        }
        let Ok(turn) = work.acquire_owned().await else { return refuse(Reason::Internal) };
        let shared = Arc::clone(&self);
        let answering = self.tasks.spawn(async move {
            let response = exchange(shared, link, request).await;
            drop(turn);
            response
        });
        answering.await.unwrap_or_else(|_| refuse(Reason::Internal))
    }
}

/// Whether a connection carries something else than HTTP after this response.
pub(crate) fn switching(response: Response<ClientBody>) -> (Response<ClientBody>, bool) {
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    (response, switches)
}

fn log_end(client: SocketAddr, ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(%client, %error, "a client's connection ended");
    }
}

/// Whether a header section of HTTP/2 is larger than one of HTTP/1 may be, as RFC 9113 §6.5.2 measures it. Cookies are
/// counted as one field, which they are again on the way out.
fn is_too_large(request: &Request<Incoming>) -> bool {
    let headers: &HeaderMap = request.headers();
    let size = |name: usize, value: usize| name + value + 32;
    let fields: usize = headers.iter().map(|(name, value)| size(name.as_str().len(), value.len())).sum();
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let cookies = headers.get_all(header::COOKIE).iter().count().saturating_sub(1);
    fields + size(":path".len(), target) > MAX_HEAD || headers.len() - cookies > MAX_FIELDS
}
