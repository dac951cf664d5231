//! The connections of clients, in both versions of HTTP, from their first request to their end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::exchange::exchange;
use crate::gateway::Shared;
use crate::head_gate::{HeadGate, Timeouts};
use crate::link::Link;
use crate::request_head::{MAX_FIELDS, MAX_HEAD};
use crate::respond::ClientBody;
use crate::stall::Unstalled;

impl Shared {
    /// Serves an intercepted connection.
    pub(crate) async fn serve<S>(self: &Arc<Self>, link: Link, stream: S, is_h2: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let client = link.client;
        let link = Arc::new(link);
        if is_h2 {
            return self.serve_http2(link, stream).await;
        }
        let shared = Arc::clone(self);
        self.serve_http1(client, stream, move |request| {
            let answering = exchange(Arc::clone(&shared), Arc::clone(&link), request);
            async { switching(answering.await) }
        })
        .await;
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
        let timeouts = Timeouts { head: limits.header_timeout, idle: limits.idle_timeout };
        let (stream, turn) = HeadGate::new(stream, client, timeouts);
        let service = service_fn(|request| {
            let (answering, turn) = (answer(request), turn.clone());
            async move { Ok::<_, Infallible>(turn.take(answering).await) }
        });
        let mut http1 = hyper::server::conn::http1::Builder::new();
        // The gate has the clocks.
        http1.header_read_timeout(None).max_headers(MAX_FIELDS).max_buf_size(MAX_HEAD);
        let connection = http1.serve_connection(TokioIo::new(stream), service).with_upgrades();
        tokio::pin!(connection);
        tokio::select! {
            ended = &mut connection => return log_end(client, ended),
            () = self.drain.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            ended = &mut connection => log_end(client, ended),
            () = self.stop.cancelled() => {}
        }
    }

    async fn serve_http2<S>(self: &Arc<Self>, link: Arc<Link>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let client = link.client;
        let limits = &self.settings.limits;
        let service = service_fn(|request| {
            let answering = exchange(Arc::clone(self), Arc::clone(&link), request);
            async move { Ok::<_, Infallible>(answering.await) }
        });
        let mut http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(128)
            .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(32)
            .keep_alive_interval(limits.idle_timeout)
            .keep_alive_timeout(limits.header_timeout);
        let stream = Unstalled::new(stream, limits.idle_timeout);
        let connection = http2.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            ended = &mut connection => return log_end(client, ended),
            () = self.drain.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            ended = &mut connection => log_end(client, ended),
            () = self.stop.cancelled() => {}
        }
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
