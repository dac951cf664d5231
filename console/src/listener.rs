//! The listener: few connections at one time, of each address a share, each within a bounded time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use pinfold_policy::host::Host;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::pages::pages;
use crate::review::{Peer, Review, Room};
use crate::shares::Shares;
use crate::{Shown, Tls};

/// Connections at one time. The others wait to be accepted.
const CONNECTIONS: usize = 256;
/// The same of one address. What comes beyond them is closed, so that nobody keeps the others waiting.
const CONNECTIONS_OF_ONE: usize = CONNECTIONS / 4;
/// For the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// A connection is given up after this, so that those who keep one do not keep others out.
const LONGEST: Duration = Duration::from_secs(120);
/// The longest head, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// How browsers come to a console.
#[derive(Clone, Default)]
pub struct Reach {
    /// Names that lead to it, besides addresses and `localhost`.
    pub names: Arc<[Host]>,
    /// What it speaks TLS with; none where it speaks none.
    pub tls: Option<Tls>,
}

/// A console that listens.
#[derive(Debug)]
pub struct Console {
    listener: TcpListener,
    address: SocketAddr,
}

impl Console {
    /// Listens at `address`; port 0 picks a free one. Nothing is accepted before [`Console::run`].
    ///
    /// # Errors
    /// What the system says.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens, with the port that was picked.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`. An answer that is under way is finished.
    pub async fn run(self, shown: Shown, review: Review, reach: Reach, stop: CancellationToken) {
        let is_loopback = self.address.ip().to_canonical().is_loopback();
        let room = match Room::new(shown.clone(), review, reach.tls.is_some(), is_loopback) {
            Ok(room) => room,
            Err(error) => {
                tracing::error!(%error, "the console cannot serve: the system gives no random bytes");
                return;
            }
        };
        let pages = pages(shown, room, &reach);
        let (places, tasks) = (Arc::new(Semaphore::new(CONNECTIONS)), TaskTracker::new());
        let shares = Shares::new(CONNECTIONS_OF_ONE);
        loop {
            let (place, accepted) = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.accept(&places) => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let Some(share) = shares.take(peer.ip().to_canonical()) else { continue };
                    let pages = pages.clone().layer(Extension(Peer(peer.ip())));
                    let serving =
                        secured(stream, reach.tls.clone(), TowerToHyperService::new(pages), stop.clone());
                    tasks.spawn(async move {
                        // However it ends, there is nobody to tell.
                        drop(timeout(LONGEST, serving).await);
                        drop((share, place));
                    });
                }
                Err(error) => {
                    // Out of file descriptors, usually: those that are open must end first.
                    tracing::error!(%error, "the console cannot accept a connection");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
        tasks.close();
        drop(timeout(HEAD_WITHIN, tasks.wait()).await);
    }

    async fn accept(
        &self,
        places: &Arc<Semaphore>,
    ) -> (Option<OwnedSemaphorePermit>, io::Result<(TcpStream, SocketAddr)>) {
        // None only where the semaphore were closed, and it never is.
        let place = Arc::clone(places).acquire_owned().await.ok();
        (place, self.listener.accept().await)
    }
}

async fn secured(
    stream: TcpStream,
    tls: Option<Tls>,
    service: TowerToHyperService<axum::Router>,
    stop: CancellationToken,
) {
    let Some(tls) = tls else { return serve(stream, service, stop).await };
    match tls.accept(stream, HEAD_WITHIN).await {
        Ok(stream) => serve(stream, service, stop).await,
        Err(error) => tracing::debug!(%error, "no TLS with a client of the console"),
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    service: TowerToHyperService<axum::Router>,
    stop: CancellationToken,
) {
    let mut http1 = http1::Builder::new();
    http1.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(MAX_HEAD);
    let mut connection = std::pin::pin!(http1.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the console ended");
    }
}
