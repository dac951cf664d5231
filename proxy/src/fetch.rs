//! Fetching from vendors: one pool of connections for all clients, and the delivery path of each answer.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body as _, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connect, Connected, Connection};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pinfold_body::Accepted;
use pinfold_policy::held::Held;
use pinfold_policy::host::{Authority, Host};
use pinfold_policy::kind::{Kind, Kinds};
use pinfold_policy::reason::Reason;
use pinfold_policy::url::ArtifactUrl;
use pinfold_store::entry::DeliveryPath;
use rustls::crypto::CryptoProvider;
use thiserror::Error;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::budget::{Bounds, Budget, NoRoom, Reservation};
use crate::canary::OwnOrigin;
use crate::egress::EgressError;
use crate::headers::{media_type, one_text, strip_hop_by_hop};
use crate::hold::{self, HoldLimits, Room, Spill};
use crate::request_head::{MAX_FIELDS, MAX_HEAD};
use crate::respond::{BoxError, ClientBody};
use crate::settings::{Egress, Limits, Settings};
use crate::upstream_tls;

/// Why a vendor gave no usable answer.
#[derive(Debug, Error)]
pub enum FetchError {
    /// No connection was made.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// The TLS handshake failed, or the certificate is not acceptable.
    #[error("TLS with {host} failed: {source}")]
    Tls {
        /// The vendor's host.
        host: Host,
        /// What rustls said.
        source: io::Error,
    },
    /// The vendor fell silent.
    #[error("no answer within {seconds} s")]
    Timeout {
        /// The limit.
        seconds: u64,
    },
    /// What came is not HTTP, or is HTTP that can be read in two ways.
    #[error("the answer is not valid HTTP: {0}")]
    Malformed(BoxError),
    /// The connection broke before the answer's head was there, or the vendor refused to look at the request.
    #[error("the connection broke: {0}")]
    Broken(BoxError),
    /// The request cannot be put on the wire.
    #[error("the request cannot be sent: {0}")]
    Request(BoxError),
    /// The client's content is not HTTP, stopped coming, or broke off.
    #[error("the client's content is not whole: {0}")]
    Content(Reason),
    /// The answer's body is not whole, too large, or not what it says.
    #[error("{0}")]
    Body(Reason),
    /// The vendor answered something else than 200.
    #[error("the vendor answered {0}")]
    Status(u16),
}

impl From<NoRoom> for FetchError {
    fn from(_: NoRoom) -> Self {
        Self::Body(Reason::Overloaded)
    }
}

impl FetchError {
    /// The reason that the client is given.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Egress(error) => error.reason(),
            Self::Tls { .. } => Reason::UpstreamTls,
            Self::Timeout { .. } => Reason::UpstreamTimeout,
            Self::Malformed(_) => Reason::MalformedResponse,
            Self::Broken(_) => Reason::UpstreamUnreachable,
            Self::Request(_) => Reason::MalformedRequest,
            Self::Content(reason) | Self::Body(reason) => *reason,
            Self::Status(_) => Reason::UpstreamStatus,
        }
    }

    /// The status that the vendor gave, if it gave one.
    pub(crate) fn vendor_status(&self) -> Option<StatusCode> {
        match self {
            Self::Status(status) => StatusCode::from_u16(*status).ok(),
            Self::Egress(_)
            | Self::Tls { .. }
            | Self::Timeout { .. }
            | Self::Malformed(_)
            | Self::Broken(_)
            | Self::Request(_)
            | Self::Content(_)
            | Self::Body(_) => None,
        }
    }
}

/// What a vendor may send on one stream before it is read, in bytes.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// And on all streams of a connection: the largest that HTTP/2 has (RFC 9113 §6.9.1), since each stream is bounded.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// The connections to vendors.
#[derive(Clone)]
pub struct Upstream {
    pools: Pools,
    limits: Limits,
    budget: Arc<Budget>,
    spill: Spill,
}

/// Connections that are kept.
#[derive(Clone)]
struct Pools {
    /// For what points to something guarded. Its connections carry nothing that goes on for hours, so that no stream of
    /// events can use up what a vendor allows at one time.
    guarded: Client<Connector, ClientBody>,
    /// For everything else.
    other: Client<Connector, ClientBody>,
    /// For what HTTP/2 does not carry: switching protocols.
    http1: Client<Connector, ClientBody>,
    /// For the canary: it leads to its origin, and nothing else does.
    canary: Client<OwnOrigin, ClientBody>,
    /// What they are made by.
    connector: Connector,
}

impl Pools {
    fn new(connector: Connector, idle: Duration) -> Self {
        let both: [&[u8]; 2] = [b"h2", b"http/1.1"];
        Self {
            guarded: pool(&connector, &both, idle),
            other: pool(&connector, &both, idle),
            http1: pool(&connector, &[b"http/1.1"], idle),
            canary: Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(OwnOrigin),
            connector,
        }
    }
}

fn pool(connector: &Connector, protocols: &[&[u8]], idle: Duration) -> Client<Connector, ClientBody> {
    let mut tls = rustls::ClientConfig::clone(connector.tls.config());
    tls.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let connector = Connector { tls: TlsConnector::from(Arc::new(tls)), ..connector.clone() };
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(idle)
        .pool_max_idle_per_host(32)
        .http1_max_headers(MAX_FIELDS)
        .http1_max_buf_size(MAX_HEAD)
        .http2_max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        // A client that reads slowly holds up its own stream, and not the connection that others share.
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .build(connector)
}

/// What a look at a URL found: for `pin add`, which fetches and holds as the gateway does.
#[derive(Debug)]
pub struct Looked {
    /// The body, measured.
    pub held: Held,
    /// `Content-Type`, as it came.
    pub media_type: Option<String>,
    /// How the bytes came.
    pub path: DeliveryPath,
}

impl Upstream {
    /// A pool of its own. `own` are the gateway's addresses, which it never dials; `spill` makes room for bodies that are
    /// too large for memory.
    ///
    /// # Errors
    /// [`rustls::Error`] when no roots can be trusted.
    pub fn new(settings: &Settings, own: Vec<SocketAddr>, spill: Spill) -> Result<Self, rustls::Error> {
        let provider: Arc<CryptoProvider> = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = upstream_tls::client_config(&provider, &settings.extra_roots)?;
        let limits = settings.limits.clone();
        let connector = Connector {
            egress: Arc::new(settings.egress.clone()),
            own: own.into(),
            tls: TlsConnector::from(Arc::new(tls)),
            limit: limits.upstream_timeout,
        };
        let bounds =
            Bounds { memory: limits.held_memory, disk: limits.held_disk, largest: limits.max_installer };
        let budget = Budget::new(bounds, limits.upstream_timeout);
        Ok(Self { pools: Pools::new(connector, limits.idle_timeout), budget, spill, limits })
    }

    /// The same for other settings: the budget stays, and so do the connections, unless they lead where `egress` may
    /// not lead any more.
    pub(crate) fn followed_by(&self, settings: &Settings) -> Self {
        let Limits { max_body, max_ratio, max_hold, patience, .. } = settings.limits;
        let limits = Limits { max_body, max_ratio, max_hold, patience, ..self.limits.clone() };
        let connector = &self.pools.connector;
        let pools = if *connector.egress == settings.egress {
            self.pools.clone()
        } else {
            let egress = Arc::new(settings.egress.clone());
            Pools::new(Connector { egress, ..connector.clone() }, limits.idle_timeout)
        };
        Self { pools, budget: Arc::clone(&self.budget), spill: Arc::clone(&self.spill), limits }
    }

    /// Sends `request`, whose URI is absolute, and waits for the head of the answer.
    ///
    /// # Errors
    /// [`FetchError`], with the reason that the client is given.
    pub(crate) async fn send(&self, request: Request<ClientBody>) -> Result<Response<Incoming>, FetchError> {
        self.send_through(&self.pools.other, request).await
    }

    /// The same for what points to something guarded.
    pub(crate) async fn send_guarded(
        &self,
        request: Request<ClientBody>,
    ) -> Result<Response<Incoming>, FetchError> {
        self.send_through(&self.pools.guarded, request).await
    }

    /// The same to the canary's origin.
    pub(crate) async fn send_to_own_origin(
        &self,
        request: Request<ClientBody>,
    ) -> Result<Response<Incoming>, FetchError> {
        self.send_through(&self.pools.canary, request).await
    }

    /// The same over HTTP/1.1 only.
    pub(crate) async fn send_http1(
        &self,
        request: Request<ClientBody>,
    ) -> Result<Response<Incoming>, FetchError> {
        self.send_through(&self.pools.http1, request).await
    }

    /// A vendor may end a kept connection just when it is used again, or refuse one stream too many, and clients do not
    /// repeat what a proxy answers with 502. What changes nothing may be sent once more (RFC 9110 §9.2.2).
    async fn send_through<C>(
        &self,
        pool: &Client<C, ClientBody>,
        request: Request<ClientBody>,
    ) -> Result<Response<Incoming>, FetchError>
    where
        C: Connect + Clone + Send + Sync + 'static,
    {
        let again = repeated(&request);
        match (self.send_once(pool, request).await, again) {
            (Err(FetchError::Broken(_)), Some(again)) => self.send_once(pool, again).await,
            (answer, _) => answer,
        }
    }

    /// The clock runs from the moment that the request's body is gone: how long that takes is up to the client.
    async fn send_once<C>(
        &self,
        pool: &Client<C, ClientBody>,
        request: Request<ClientBody>,
    ) -> Result<Response<Incoming>, FetchError>
    where
        C: Connect + Clone + Send + Sync + 'static,
    {
        let limit = self.limits.upstream_timeout;
        let (mut request, content) = watched(request);
        let enough = count_informational(&mut request);
        let answer = tokio::select! {
            answer = pool.request(request) => match (answer, content.fault()) {
                // Whatever the vendor makes of half a request is not the vendor's fault.
                (Err(_), Some(fault)) => Err(FetchError::Content(fault)),
                (answer, _) => answer.map_err(explain).and_then(unambiguous).map(without_its_hop),
            },
            () = enough.cancelled() => return Err(too_many_informational()),
            () = async { content.gone().await; tokio::time::sleep(limit).await } => {
                Err(FetchError::Timeout { seconds: limit.as_secs() })
            }
        };
        // They may have been too many before anyone looked.
        if enough.is_cancelled() { Err(too_many_informational()) } else { answer }
    }

    /// Fetches `url` and holds it as for a client, and gives what was measured to the caller.
    ///
    /// # Errors
    /// [`FetchError`] when there is no whole 200.
    pub async fn look(&self, url: &ArtifactUrl) -> Result<Looked, FetchError> {
        let uri: Uri = absolute(url)?;
        let request = Request::get(uri)
            .header(header::ACCEPT, "*/*")
            .header(
                header::ACCEPT_ENCODING,
                Accepted::parse([&b"gzip, deflate, br, zstd"[..]].into_iter()).upstream_header(),
            )
            .body(empty())
            .map_err(|error| FetchError::Request(error.into()))?;
        let (head, body) = self.send_guarded(request).await?.into_parts();
        if head.status != StatusCode::OK {
            return Err(FetchError::Status(head.status.as_u16()));
        }
        let path = head
            .extensions
            .get::<Path>()
            .map(|path| path.0.clone())
            .ok_or_else(|| FetchError::Broken("the connection has no delivery path".into()))?;
        let codings = hold::codings(&head.headers).map_err(|cause| FetchError::Body(cause.reason()))?;
        let incoming = crate::incoming::Arriving::new(body, self.limits.upstream_timeout);
        let room = self.room(IpAddr::from([127, 0, 0, 1]), url.host().to_string().into());
        let limits = HoldLimits { keep_wire: false, ..self.hold_limits(Kinds::from_iter(Kind::ALL)) };
        let held = hold::hold(incoming, codings, hold::announced(&head.headers), &limits, room, |_| None)
            .await
            .map_err(|failed| FetchError::Body(failed.error.reason()))?;
        Ok(Looked { held, media_type: media_type(&head.headers).map(str::to_owned), path })
    }

    /// The bounds on the hold of what could act as `kinds`.
    pub(crate) fn hold_limits(&self, kinds: Kinds) -> HoldLimits {
        let Limits { max_body, max_installer, memory_body, max_ratio, .. } = self.limits;
        let max_body = if kinds.contains(Kind::Installer) { max_body.max(max_installer) } else { max_body };
        HoldLimits { max_body, memory_body, max_ratio, keep_wire: false }
    }

    /// Bytes of memory and of disk that all holds have reserved.
    pub(crate) fn reserved(&self) -> (u64, u64) {
        self.budget.reserved()
    }

    /// A share of the budget for what a client gets from a vendor.
    pub(crate) fn reservation(&self, client: IpAddr, vendor: Arc<str>) -> Reservation {
        self.budget.reservation(client, vendor)
    }

    /// Room for a hold.
    pub(crate) fn room(&self, client: IpAddr, vendor: Arc<str>) -> Room {
        Room { reservation: self.reservation(client, vendor), spill: Arc::clone(&self.spill) }
    }
}

/// The absolute URI of an artifact, as it goes into a request line or `:path`.
pub(crate) fn absolute(url: &ArtifactUrl) -> Result<Uri, FetchError> {
    [url.origin(), url.request_target()]
        .concat()
        .try_into()
        .map_err(|error: InvalidUri| FetchError::Request(error.into()))
}

/// What becomes of a request's content; nothing where there is none.
struct Content(Option<(CancellationToken, Arc<OnceLock<Reason>>)>);

impl Content {
    /// Waits until it is sent, or given up. Where there is none that is at once: the clock runs also while a request waits
    /// for its turn.
    async fn gone(&self) {
        if let Some((gone, _)) = &self.0 {
            gone.cancelled().await;
        }
    }

    fn fault(&self) -> Option<Reason> {
        self.0.as_ref().and_then(|(_, fault)| fault.get().copied())
    }
}

/// The same request, with an eye on its content.
fn watched(request: Request<ClientBody>) -> (Request<ClientBody>, Content) {
    if request.body().is_end_stream() {
        return (request, Content(None));
    }
    let (gone, fault) = (CancellationToken::new(), Arc::new(OnceLock::new()));
    let (guard, noted) = (gone.clone().drop_guard(), Arc::clone(&fault));
    let request = request.map(|body| {
        // Owned by the body: it goes when the body goes.
        body.map_err(move |error| {
            let _ = &guard;
            noted.get_or_init(|| fault_of(&*error));
            error
        })
        .boxed_unsync()
    });
    (request, Content(Some((gone, fault))))
}

/// The same request, if it is one without content that changes nothing.
fn repeated(request: &Request<ClientBody>) -> Option<Request<ClientBody>> {
    if !request.method().is_safe() || !request.body().is_end_stream() {
        return None;
    }
    let mut again = Request::new(empty());
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    Some(again)
}

pub(crate) fn empty() -> ClientBody {
    Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync()
}

/// Refuses what a parser behind this one could read in another way (RFC 9112 §6.3). hyper reads to the connection's end
/// where it does not know a transfer coding, and looks at no length where a body cannot be.
fn unambiguous(mut answer: Response<Incoming>) -> Result<Response<Incoming>, FetchError> {
    let headers = answer.headers_mut();
    let malformed = |what: &str| Err(FetchError::Malformed(what.into()));
    // hyper reads on beyond its limit as long as there is room.
    if headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > MAX_HEAD {
        return malformed("its head is too large");
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if headers.contains_key(header::CONTENT_LENGTH) {
            return malformed("it has both Content-Length and Transfer-Encoding");
        }
        if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
            return malformed("it has a Transfer-Encoding that is not 'chunked'");
        }
    }
    if headers.contains_key(header::CONTENT_LENGTH) {
        let Some(length) = one_length(headers) else { return malformed("it has no one Content-Length") };
        if one_text(headers, header::CONTENT_LENGTH).is_none_or(|text| !is_decimal(text)) {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
    }
    Ok(answer)
}

/// The answer without what concerned the vendor's connection, and this before anybody looks at it: what is judged is what
/// clients see, and no field of ours goes because the vendor names it in `Connection`.
fn without_its_hop(mut answer: Response<Incoming>) -> Response<Incoming> {
    // A switch of protocols is about the connection. Whoever asked for it looks at that.
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        strip_hop_by_hop(answer.headers_mut());
    }
    answer
}

/// Whether a number is written as it usually is: digits, without zeros before them.
fn is_decimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

/// The length that all values of `Content-Length` agree on. A list of equal ones is one (RFC 9110 §8.6).
fn one_length(headers: &HeaderMap) -> Option<u64> {
    let mut agreed = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        for length in value.to_str().ok()?.split(',').map(str::trim) {
            let is_number = length.bytes().all(|byte| byte.is_ascii_digit());
            let length = length.parse().ok().filter(|_| is_number)?;
            if *agreed.get_or_insert(length) != length {
                return None;
            }
        }
    }
    agreed
}

/// Informational responses to one request that are taken. They are dropped, and each may be as long as a head.
const INFORMATIONAL: usize = 16;

/// Counts them as they come; the token tells when they are too many.
fn count_informational(request: &mut Request<ClientBody>) -> CancellationToken {
    let (enough, seen) = (CancellationToken::new(), AtomicUsize::new(0));
    let told = enough.clone();
    hyper::ext::on_informational(request, move |_| {
        if seen.fetch_add(1, Ordering::Relaxed) == INFORMATIONAL {
            enough.cancel();
        }
    });
    told
}

fn too_many_informational() -> FetchError {
    FetchError::Malformed("it sends too many informational responses".into())
}

/// Why a client's content has no end.
fn fault_of(error: &(dyn std::error::Error + 'static)) -> Reason {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<io::Error>().map(io::Error::kind);
        if io == Some(io::ErrorKind::TimedOut) {
            return Reason::RequestTimeout;
        }
        cause = inner.source();
    }
    Reason::MalformedRequest
}

/// Finds our own error in what the pool says, or tells a broken connection from broken HTTP.
fn explain(error: ClientError) -> FetchError {
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        if let Some(hyper) = inner.downcast_ref::<hyper::Error>() {
            let cause = std::error::Error::source(hyper);
            let is_lost = cause.is_some_and(|cause| cause.is::<io::Error>() || is_refused_stream(cause));
            let broken = hyper.is_canceled() || hyper.is_closed() || hyper.is_incomplete_message() || is_lost;
            let text = BoxError::from(full_text(hyper));
            return if hyper.is_parse() || hyper.is_parse_too_large() || hyper.is_parse_status() {
                FetchError::Malformed(text)
            } else if hyper.is_user() {
                FetchError::Request(text)
            } else if broken {
                FetchError::Broken(text)
            } else {
                FetchError::Malformed(text)
            };
        }
        source = inner.source();
    }
    match take_connect_error(error) {
        Ok(own) => own,
        Err(other) => FetchError::Broken(full_text(&other).into()),
    }
}

/// Whether the vendor has not looked at the request, or takes no more over this connection (RFC 9113 §6.8, §8.7).
fn is_refused_stream(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<h2::Error>().is_some_and(|error| {
        error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

/// The connector's own error travels in an `Arc`, since the pool gives errors by reference only.
fn take_connect_error(error: ClientError) -> Result<FetchError, ClientError> {
    let found = std::error::Error::source(&error)
        .and_then(|source| source.downcast_ref::<ConnectError>())
        .and_then(|shared| shared.0.lock().ok().and_then(|mut slot| slot.take()));
    found.ok_or(error)
}

fn full_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    text
}

#[derive(Debug, Error)]
#[error("cannot connect")]
struct ConnectError(std::sync::Mutex<Option<FetchError>>);

/// Makes checked, verified connections for the pool.
#[derive(Clone)]
struct Connector {
    egress: Arc<Egress>,
    own: Arc<[SocketAddr]>,
    tls: TlsConnector,
    limit: Duration,
}

impl Connector {
    async fn connect(self, uri: Uri) -> Result<VendorStream, FetchError> {
        let is_tls = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        let authority = uri.authority().ok_or_else(|| FetchError::Request("no authority".into()))?;
        let authority = Authority::parse(authority.as_str(), Some(if is_tls { 443 } else { 80 }))
            .map_err(|error| FetchError::Request(error.into()))?;
        let stream = self.egress.connect(&authority, &self.own, self.limit).await?;
        let address = stream.peer_addr().map_err(|error| FetchError::Broken(error.into()))?;
        if !is_tls {
            let path = upstream_tls::delivery_path(address, None);
            return Ok(VendorStream { io: VendorIo::Plain(TokioIo::new(stream)), path });
        }
        let failed = |source| FetchError::Tls { host: authority.host.clone(), source };
        let name = upstream_tls::server_name(&authority.host)
            .ok_or_else(|| failed(io::Error::other("the host cannot stand in a certificate")))?;
        let late = |_| FetchError::Timeout { seconds: self.limit.as_secs() };
        let stream =
            timeout(self.limit, self.tls.connect(name, stream)).await.map_err(late)?.map_err(failed)?;
        let path = upstream_tls::delivery_path(address, Some(stream.get_ref().1));
        Ok(VendorStream { io: VendorIo::Tls(Box::new(TokioIo::new(stream))), path })
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = VendorStream;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<VendorStream, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.clone().connect(uri);
        Box::pin(async { connecting.await.map_err(|error| ConnectError(Some(error).into())) })
    }
}

/// The delivery path of a connection, which the pool hands out with each answer.
#[derive(Clone)]
pub(crate) struct Path(pub(crate) DeliveryPath);

pub(crate) struct VendorStream {
    io: VendorIo,
    path: DeliveryPath,
}

impl VendorStream {
    /// A connection within this process, which says that it leads to `address`.
    pub(crate) fn of_pipe(pipe: DuplexStream, address: SocketAddr) -> Self {
        let path = upstream_tls::delivery_path(address, None);
        Self { io: VendorIo::Pipe(TokioIo::new(pipe)), path }
    }
}

enum VendorIo {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
    /// To the canary's origin.
    Pipe(TokioIo<DuplexStream>),
}

impl Connection for VendorStream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(Path(self.path.clone()));
        if &*self.path.http_version == "2" { connected.negotiated_h2() } else { connected }
    }
}

macro_rules! either {
    ($self:ident, $io:ident => $call:expr) => {
        match &mut $self.io {
            VendorIo::Plain($io) => $call,
            VendorIo::Tls($io) => $call,
            VendorIo::Pipe($io) => $call,
        }
    };
}

impl Read for VendorStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl Write for VendorStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => Pin::new(io).poll_shutdown(cx))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            VendorIo::Plain(io) => io.is_write_vectored(),
            VendorIo::Tls(io) => io.is_write_vectored(),
            VendorIo::Pipe(io) => io.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }
}

/// The request that goes to the vendor: the client's, with what concerns only its own hop removed.
pub(crate) fn request(
    url: &ArtifactUrl,
    method: Method,
    mut headers: HeaderMap,
    body: ClientBody,
) -> Result<Request<ClientBody>, FetchError> {
    let mut request = Request::new(body);
    // A server that expects no content here may take it for the next request (RFC 9110 §9.3.1): then nothing is next.
    let is_content_odd = matches!(method, Method::GET | Method::HEAD | Method::DELETE);
    if (is_content_odd && !request.body().is_end_stream()) || signs_in_a_connection(&headers) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    // Servers exist that answer 411 to the one without a length (RFC 9110 §8.6).
    let is_content_expected = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    if is_content_expected && request.body().is_end_stream() {
        headers.insert(header::CONTENT_LENGTH, 0.into());
    }
    *request.method_mut() = method;
    *request.uri_mut() = absolute(url)?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Whether the credentials may count for whatever comes over the connection afterwards (RFC 4559 §6): the next request
/// there may be another client's.
fn signs_in_a_connection(headers: &HeaderMap) -> bool {
    let scheme = |value: &HeaderValue| {
        let scheme = value.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
        [&b"ntlm"[..], b"negotiate"].iter().any(|of_connections| scheme.eq_ignore_ascii_case(of_connections))
    };
    headers.get_all(header::AUTHORIZATION).iter().any(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_agree_are_one_and_others_are_none() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_LENGTH, value.parse().unwrap());
            }
            one_length(&headers)
        };
        assert_eq!(of(&["5"]), Some(5));
        assert_eq!(of(&["5", "5"]), Some(5));
        assert_eq!(of(&["5, 5", "5"]), Some(5));
        for values in [&["5", "6"][..], &["5, 6"], &["+5"], &["-5"], &["5 5"], &["0x5"], &[""], &["5,"]] {
            assert_eq!(of(values), None, "{values:?}");
        }
        assert_eq!(of(&["18446744073709551616"]), None);
    }

    #[test]
    fn a_length_that_is_written_in_another_way_is_written_anew() {
        for (usual, text) in
            [(true, "0"), (true, "50"), (false, "05"), (false, "00"), (false, "5,5"), (false, "+5")]
        {
            assert_eq!(is_decimal(text), usual, "{text}");
        }
    }
}
