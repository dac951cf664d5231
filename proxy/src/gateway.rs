//! The gateway: its listeners, what all its connections share, and its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, header};
use hyper::body::Incoming;
use pinfold_certs::CertificateAuthority;
use pinfold_policy::policy::Rulebook;
use pinfold_policy::reason::Reason;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::{Store, StoreError};
use quick_cache::sync::Cache;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::arrival::Arrivals;
use crate::ask::{early_refusal, reader};
use crate::beginnings::Beginnings;
use crate::canary::{Cage, Canary, no_decisions};
use crate::counters::Counters;
use crate::delivery::Deliveries;
use crate::encoded::Encoders;
use crate::exchange::{FullyLearned, exchange};
use crate::fetch::Upstream;
use crate::gauge::Gauge;
use crate::hold::Spill;
use crate::intercept::Interceptor;
use crate::link::{Leads, Link, Place};
use crate::live::Live;
use crate::news::{self, News};
use crate::parked::Parked;
use crate::policy_cell::{PolicyCell, Snapshot};
use crate::recheck::{self, Note, Rechecks};
use crate::reload::Reloader;
use crate::respond::{ClientBody, Outbound, respond};
use crate::serve::switching;
use crate::settings::Settings;
use crate::shelf::Shelf;
use crate::splice::Carriers;
use crate::tunnel;

/// URLs whose answers were guarded are remembered up to this many, so that the next request asks for the whole body.
const GUARDED_URLS: usize = 65_536;
/// So many clients are told at one time that there is no place for them, and each within this time.
const TURNING_AWAY: usize = 256;
const TURN_AWAY_WITHIN: Duration = Duration::from_secs(2);

/// Why the gateway cannot start.
#[derive(Debug, Error)]
pub enum BindError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The TLS library refuses its configuration.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The store does not say what is on the shelf.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What all connections share.
pub(crate) struct Shared {
    /// As at the start; what a reload changes of them is read from a snapshot.
    pub(crate) settings: Settings,
    pub(crate) policy: PolicyCell,
    pub(crate) store: Store,
    pub(crate) encoders: Encoders,
    pub(crate) deliveries: Deliveries,
    pub(crate) parked: Parked,
    pub(crate) shelf: Shelf,
    pub(crate) rechecks: Rechecks,
    pub(crate) arrivals: Arrivals,
    pub(crate) beginnings: Beginnings,
    /// This gateway's name in `Via`.
    pub(crate) via: String,
    /// The addresses that it listens on.
    pub(crate) own: Vec<SocketAddr>,
    pub(crate) tasks: TaskTracker,
    /// Connections finish what they are at, and take nothing new.
    pub(crate) drain: CancellationToken,
    /// Everything ends.
    pub(crate) stop: CancellationToken,
    guarded: Cache<Box<str>, ()>,
    pub(crate) fully_learned: FullyLearned,
    pub(crate) counters: Arc<Counters>,
    pub(crate) news: News,
    pub(crate) carriers: Carriers,
    pub(crate) cage: Cage,
    /// Places for those who are told that there is no place.
    turning_away: Arc<Semaphore>,
}

/// A gateway that listens.
pub struct Gateway {
    shared: Arc<Shared>,
    listeners: Vec<TcpListener>,
    notes: mpsc::Receiver<Note>,
}

impl Gateway {
    /// Binds the listeners. Nothing is accepted before [`Gateway::run`].
    ///
    /// # Errors
    /// [`BindError`], naming the address that cannot be used.
    pub async fn bind(
        settings: Settings,
        rulebook: Arc<Rulebook>,
        ca: Arc<CertificateAuthority>,
        store: Store,
    ) -> Result<Self, BindError> {
        let mut listeners = Vec::new();
        for address in &settings.listen {
            let failed = |source| BindError::Listen { address: *address, source };
            listeners.push(TcpListener::bind(address).await.map_err(failed)?);
        }
        let own: Vec<SocketAddr> =
            listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let spilling = store.clone();
        let spill: Spill = Arc::new(move || spilling.spill().map_err(io::Error::other));
        let tasks = TaskTracker::new();
        let now = settings.clock.now();
        let shelf = Shelf::open(store.clone(), settings.shelf_memory, now, tasks.clone()).await?;
        let (rechecks, notes) = Rechecks::new();
        let upstream = Upstream::new(&settings, own.clone(), Arc::clone(&spill))?;
        let interceptor = Interceptor::new(ca, settings.limits.header_timeout)?;
        let live = Live::new(&settings, rulebook, upstream, interceptor)?;
        let shared = Shared {
            policy: PolicyCell::new(live, store.decisions()),
            encoders: Encoders::new(spill, settings.limits.memory_body),
            deliveries: Deliveries::default(),
            parked: Parked::default(),
            shelf,
            rechecks,
            arrivals: Arrivals::new(),
            beginnings: Beginnings::new(),
            via: format!("pinfold-{}", Uuid::now_v7().simple()),
            own,
            settings,
            store,
            tasks,
            drain: CancellationToken::new(),
            stop: CancellationToken::new(),
            guarded: Cache::new(GUARDED_URLS),
            fully_learned: FullyLearned::default(),
            cage: Cage::new(),
            counters: Arc::default(),
            news: News::new(),
            carriers: Carriers::new(),
            turning_away: Arc::new(Semaphore::new(TURNING_AWAY)),
        };
        Ok(Self { shared: Arc::new(shared), listeners, notes })
    }

    /// The addresses that it listens on, with the ports that were picked.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.shared.own
    }

    /// The way to it while it runs.
    #[must_use]
    pub fn reloader(&self) -> Reloader {
        Reloader(Arc::clone(&self.shared))
    }

    /// The way to its numbers while it runs.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        Gauge(Arc::clone(&self.shared))
    }

    /// The way to its canary while it runs.
    #[must_use]
    pub fn canary(&self) -> Canary {
        Canary(Arc::clone(&self.shared))
    }

    /// Serves until `stop` is cancelled, then lets what is under way finish for up to `grace`.
    pub async fn run(self, stop: CancellationToken, grace: Duration) {
        let shared = self.shared;
        let connections = Arc::new(Semaphore::new(shared.settings.limits.max_connections));
        for listener in self.listeners {
            let (shared, connections, stop) = (Arc::clone(&shared), Arc::clone(&connections), stop.clone());
            let tasks = shared.tasks.clone();
            tasks.spawn(async move {
                tokio::select! {
                    () = accept(&shared, &listener, &connections) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
        shared.tasks.spawn(recheck::run(Arc::clone(&shared), self.notes));
        let over = CancellationToken::new();
        let telling = tokio::spawn(news::run(Arc::clone(&shared), over.clone()));
        let mut looks = tokio::time::interval(shared.settings.limits.idle_timeout);
        loop {
            tokio::select! {
                _ = looks.tick() => shared.deliveries.let_go_of_stalled(),
                () = stop.cancelled() => break,
            }
        }
        shared.drain.cancel();
        shared.tasks.close();
        if tokio::time::timeout(grace, shared.tasks.wait()).await.is_err() {
            tracing::warn!(open = shared.tasks.len(), "closing what did not finish in time");
            shared.stop.cancel();
            // What is told to stop does so at its next step; a second bound keeps a stuck one from keeping us.
            drop(tokio::time::timeout(Duration::from_secs(5), shared.tasks.wait()).await);
        }
        over.cancel();
        // It can only have panicked, and then there is nothing left to tell.
        drop(telling.await);
    }
}

async fn accept(shared: &Arc<Shared>, listener: &TcpListener, connections: &Arc<Semaphore>) {
    loop {
        let (stream, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, usually: those that are open must end first.
                tracing::error!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let shared = Arc::clone(shared);
        let Ok(place) = Arc::clone(connections).try_acquire_owned() else {
            // Beyond these nobody is even told.
            if let Ok(place) = Arc::clone(&shared.turning_away).try_acquire_owned() {
                shared.tasks.clone().spawn(shared.turn_away(client, stream, place));
            }
            continue;
        };
        shared.tasks.clone().spawn(async move {
            // Without it a response of a few segments waits 40 ms for a delayed acknowledgement.
            if stream.set_nodelay(true).is_ok() {
                shared.serve_proxy(client, stream, Arc::new(place)).await;
            }
        });
    }
}

impl Shared {
    /// Whether an earlier answer of this URL was guarded.
    pub(crate) fn was_guarded(&self, url: &ArtifactUrl) -> bool {
        self.guarded.get(url.key_without_query()).is_some()
    }

    pub(crate) fn remember_guarded(&self, url: &ArtifactUrl) {
        self.guarded.insert(url.key_without_query().into(), ());
    }

    /// What holds for what comes over a connection: for the canary its own rules, under everything else that is in force.
    pub(crate) fn snapshot(&self, link: &Link) -> Arc<Snapshot> {
        let newest = self.policy.newest();
        if !link.is_canary {
            return newest;
        }
        Arc::new(newest.under_other_rules(&self.cage.rules, no_decisions(newest.version())))
    }

    fn allows(&self, client: SocketAddr) -> bool {
        let ip = client.ip().to_canonical();
        self.policy.newest().live.clients.iter().any(|net| net.contains(&ip))
    }

    /// One answer to whoever comes when all connections are taken.
    async fn turn_away(self: Arc<Self>, client: SocketAddr, stream: TcpStream, _place: OwnedSemaphorePermit) {
        let answering = self.serve_http1(client, stream, |request| {
            self.counters.turned_away(Reason::Overloaded);
            let mut response = refused_early(&request, Reason::Overloaded);
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            std::future::ready((response, false))
        });
        // Whether it is heard is up to the client.
        drop(tokio::time::timeout(TURN_AWAY_WITHIN, answering).await);
    }

    /// Serves a connection to the proxy itself: CONNECT, and absolute-form requests.
    async fn serve_proxy(self: Arc<Self>, client: SocketAddr, stream: TcpStream, place: Place) {
        // The canary is no client: what it may ask for is its own.
        let is_canary = self.cage.holds(client);
        if !is_canary && !self.allows(client) {
            tracing::warn!(%client, "a client that 'clients.allow' does not name was refused");
        }
        let link = Arc::new(Link { client, user: None, leads: Leads::Anywhere, tls: None, place, is_canary });
        let shared = Arc::clone(&self);
        self.serve_http1(client, stream, move |request: Request<Incoming>| {
            let (shared, link) = (Arc::clone(&shared), Arc::clone(&link));
            async move {
                // Each time: a connection that is kept outlasts a change.
                if !is_canary && !shared.allows(client) {
                    shared.counters.turned_away(Reason::ClientNotAllowed);
                    return (refused_early(&request, Reason::ClientNotAllowed), false);
                }
                let link = match shared.identified(link, &request).await {
                    Ok(link) => link,
                    Err(refusal) => return (refusal, false),
                };
                if request.method() == Method::CONNECT {
                    let response = tunnel::connect(shared, link, request).await;
                    let is_open = response.status().is_success();
                    (response, is_open)
                } else {
                    switching(exchange(shared, link, request).await)
                }
            }
        })
        .await;
    }
}

fn refused_early(request: &Request<Incoming>, reason: Reason) -> Response<ClientBody> {
    let reader = reader(request.method(), request.headers());
    respond(Outbound::Refusal(early_refusal(Uuid::now_v7(), reason, &reader)))
}
