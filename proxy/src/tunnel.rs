//! CONNECT: a vendor's host is intercepted, another's bytes pass, and nothing slips from one into the other.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use http::{Request, Response, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use pinfold_policy::host::{Authority, Host};
use pinfold_policy::opening::{Opening, opening, opening_at_end};
use pinfold_policy::reason::Reason;
use pinfold_policy::url::Scheme;
use pinfold_store::OpenTunnel;
use pinfold_store::entry::{Asker, Tunnel, TunnelEnd};
use pinfold_store::incident::Incident;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

use crate::ask::{clipped, early_refusal, has_passed, readable, reader};
use crate::counters::{Carries, Lasting};
use crate::gateway::Shared;
use crate::head_gate::HeadGate;
use crate::intercept::client_tls;
use crate::link::{Leads, Link, Place};
use crate::policy_cell::Snapshot;
use crate::prefixed::Prefixed;
use crate::refusal::{Reader, Refusal};
use crate::respond::{ClientBody, Outbound, no_body, respond};
use crate::sniff::{UNRECOGNIZED_NAME, sniff};
use crate::splice::{Passed, pass_both_ways};

/// How HTTP/2 begins where nobody negotiated it (RFC 9113 §3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * ";

/// An end of a tunnel.
type End = Prefixed<TcpStream>;

/// Answers a CONNECT. What follows runs in a task of its own.
pub(crate) async fn connect(
    gateway: Arc<Shared>,
    link: Arc<Link>,
    request: Request<Incoming>,
) -> Response<ClientBody> {
    let policy = gateway.snapshot(&link);
    let reader = reader(request.method(), request.headers());
    let authority = request.uri().authority().and_then(|text| Authority::parse(text.as_str(), None).ok());
    let Some(authority) = authority else {
        let refusal = early_refusal(Uuid::now_v7(), Reason::MalformedRequest, &reader);
        return respond(Outbound::Refusal(refusal));
    };
    let user_agent = readable(request.headers(), header::USER_AGENT).map(|agent| clipped(&agent).into());
    let asking = Asking {
        gateway: Arc::clone(&gateway),
        policy,
        id: Uuid::now_v7(),
        at: gateway.settings.clock.now(),
        asker: Asker { address: link.client, user: link.user.clone(), page: None, user_agent },
        authority,
        place: Arc::clone(&link.place),
        is_canary: link.is_canary,
    };
    if has_passed(request.headers(), &gateway.via) {
        return asking.refuse(Reason::Loop, &reader).await;
    }
    asking.watch(&asking.authority.host);
    let upstream = match asking.dial().await {
        Ok(upstream) => upstream,
        Err(reason) => return asking.refuse(reason, &reader).await,
    };
    gateway.tasks.spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let Ok(parts) = upgraded.downcast::<TokioIo<HeadGate<TcpStream>>>() else { return };
        let (stream, ahead) = parts.io.into_inner().into_parts();
        // What hyper read came before what the gate has read since.
        let mut client = Prefixed::new(ahead, stream);
        client.unread(parts.read_buf);
        match upstream {
            None => asking.intercept(client).await,
            Some(upstream) => asking.tunnel(client, upstream).await,
        }
    });
    Response::new(no_body())
}

/// A CONNECT that was read.
struct Asking {
    gateway: Arc<Shared>,
    policy: Arc<Snapshot>,
    id: Uuid,
    at: Timestamp,
    asker: Asker,
    authority: Authority,
    place: Place,
    is_canary: bool,
}

impl Asking {
    /// Connects to the host, unless it is intercepted: then its requests may never need the vendor.
    async fn dial(&self) -> Result<Option<TcpStream>, Reason> {
        let egress = &self.policy.live.egress;
        if !self.is_canary && !egress.connect_ports.contains(&self.authority.port) {
            return Err(Reason::PortNotAllowed);
        }
        if self.policy.intercepts(&self.authority.host) {
            return Ok(None);
        }
        let limit = self.gateway.settings.limits.upstream_timeout;
        match egress.connect(&self.authority, &self.gateway.own, limit).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) => {
                tracing::debug!(to = %self.authority, %error, "no tunnel");
                Err(error.reason())
            }
        }
    }

    /// Tells of a host that imitates another. What is decrypted is told with what was asked for there.
    fn watch(&self, host: &Host) {
        if self.policy.intercepts(host) {
            return;
        }
        let port = self.authority.port;
        let wanted = || format!("a tunnel to {}:{port}", self.authority.host);
        self.gateway.watch_for_lookalikes(&self.policy, host, (&self.asker, self.at), wanted);
    }

    fn row(&self, reason: Option<Reason>) -> Tunnel {
        Tunnel {
            id: self.id,
            at: self.at,
            asker: self.asker.clone(),
            authority: self.authority.clone(),
            server_name: None,
            dialled: None,
            reason,
            incident: reason.map(|_| Incident(self.id)),
            status: 200,
            policy_version: self.policy.version(),
        }
    }

    async fn refuse(&self, reason: Reason, reader: &Reader) -> Response<ClientBody> {
        self.gateway.counters.turned_away(reason);
        let mut refusal = early_refusal(self.id, reason, reader);
        refusal.vendor = self.policy.vendor(&self.authority.host).map(|vendor| Arc::clone(&vendor.name));
        let row = Tunnel { status: refusal.status().as_u16(), ..self.row(Some(reason)) };
        self.gateway.record_tunnel(row).await;
        respond(Outbound::Refusal(refusal))
    }

    /// Ends a tunnel that may not be.
    async fn end(&self, mut client: End, reason: Reason, server_name: Option<Arc<str>>) {
        self.gateway.counters.turned_away(reason);
        let row = Tunnel { server_name, ..self.row(Some(reason)) };
        self.gateway.record_tunnel(row).await;
        if reason == Reason::SniMismatch {
            // The client may be gone already; there is nobody to tell then.
            drop(client.write_all(&UNRECOGNIZED_NAME).await);
        }
        drop(client.shutdown().await);
    }

    /// Decrypts the tunnel, or serves the clear-text HTTP in it.
    async fn intercept(self, mut client: End) {
        let mut read = BytesMut::new();
        let limit = self.gateway.settings.limits.header_timeout;
        // Otherwise nothing was asked: the client opened a tunnel ahead of need, or left.
        let Ok(Ok(Some(opened))) = timeout(limit, sniff(&mut client, &mut read)).await else { return };
        let is_h2 = read.starts_with(HTTP2_PREFACE);
        client.unread(read.freeze());
        match opened {
            Opening::Tls(name) => self.intercept_tls(client, name.map(Into::into)).await,
            Opening::Http => self.serve_clear(client, is_h2),
            Opening::UnreadableTls | Opening::Other => self.end(client, Reason::NotHttp, None).await,
        }
    }

    /// The host of a TLS connection: what CONNECT named, and where it named an address, what the SNI names.
    fn host_for(&self, name: Option<&str>) -> Result<Host, Reason> {
        let Some(name) = name else { return Ok(self.authority.host.clone()) };
        let name = Host::parse(name).map_err(|_| Reason::SniMismatch)?;
        match &self.authority.host {
            Host::Ip(_) => Ok(name),
            Host::Name(_) if name == self.authority.host => Ok(name),
            Host::Name(_) => Err(Reason::SniMismatch),
        }
    }

    async fn intercept_tls(self, client: End, name: Option<Arc<str>>) {
        let host = match self.host_for(name.as_deref()) {
            Ok(host) => host,
            Err(reason) => return self.end(client, reason, name).await,
        };
        let interceptor = &self.policy.live.interceptor;
        let signed = || {
            if !self.is_canary {
                let signature = (host.clone(), interceptor.issuer());
                self.gateway.news.signed.count(signature, self.gateway.settings.clock.now());
            }
        };
        let stream = match interceptor.accept(&host, name.is_some(), signed, client).await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::info!(client = %self.asker.address, %host, %error, "no connection with a client");
                return;
            }
        };
        let authority = Authority { host, port: self.authority.port };
        let link = Link {
            client: self.asker.address,
            user: self.asker.user.clone(),
            leads: Leads::To(Scheme::Https, authority),
            tls: client_tls(stream.get_ref().1),
            place: self.place,
            is_canary: self.is_canary,
        };
        let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        // It has decided. A connection that lasts for hours must not keep the pins of its first minute.
        drop(self.policy);
        self.gateway.serve(link, Box::new(stream), is_h2);
    }

    fn serve_clear(self, client: End, is_h2: bool) {
        let leads = match &self.authority.host {
            Host::Ip(_) => Leads::ToNamedHost(self.authority.port),
            Host::Name(_) => Leads::To(Scheme::Http, self.authority.clone()),
        };
        drop(self.policy);
        let Asker { address, user, .. } = self.asker;
        let link =
            Link { client: address, user, leads, tls: None, place: self.place, is_canary: self.is_canary };
        self.gateway.serve(link, client, is_h2);
    }

    /// Passes a tunnel's bytes, once it is clear that they are not a vendor's.
    async fn tunnel(self, mut client: End, upstream: TcpStream) {
        let gateway = Arc::clone(&self.gateway);
        let mut upstream = Prefixed::new(bytes::Bytes::new(), upstream);
        let mut said = BytesMut::new();
        // Apart, so that a tunnel that lasts keeps no room for how it began.
        let begun = Box::pin(self.begin(&gateway, (&mut client, &mut upstream), &mut said)).await;
        let is_h2 = said.starts_with(HTTP2_PREFACE);
        client.unread(said.freeze());
        match begun {
            Begun::Tls(name) => self.tunnel_tls(client, upstream, name).await,
            Begun::UnreadableTls => self.end(client, Reason::SniMismatch, None).await,
            Begun::Http => self.serve_clear(client, is_h2),
            Begun::Opaque(relay) => {
                drop(self.policy);
                gateway.relay_sockets(client, upstream, relay).await;
            }
            Begun::Over(relay) => relay.end(upstream.written(), client.written()),
        }
    }

    /// Waits until it is clear what the client says first. A server that speaks first is not held up meanwhile, and a
    /// client that says nothing may go on saying nothing.
    async fn begin<'g>(
        &self,
        gateway: &'g Shared,
        (client, upstream): (&mut End, &mut End),
        said: &mut BytesMut,
    ) -> Begun<'g> {
        let mut greeting = [0; 4096];
        let mut greeted = None;
        let first = loop {
            if let Some(opened) = opening(said) {
                break Some(opened);
            }
            tokio::select! {
                read = client.read_buf(said) => match read {
                    Ok(0) => break Some(opening_at_end(said)),
                    Ok(_) => {}
                    Err(_) => break None,
                },
                read = upstream.read(&mut greeting) => {
                    let Some(heard) = read.ok().and_then(|read| greeting.get(..read)) else { break None };
                    if heard.is_empty() {
                        break Some(opening_at_end(said));
                    }
                    if greeted.is_none() {
                        // Its row is there before the client has the first byte, however the two then part.
                        greeted = Some(self.relay(gateway, upstream, None).await);
                    }
                    if client.write_all(heard).await.is_err() {
                        break None;
                    }
                }
                // Where nothing was said, nothing is under way.
                () = gateway.drain.cancelled(), if greeted.is_none() && said.is_empty() => break None,
                () = gateway.stop.cancelled() => break None,
            }
        };
        let begun = match first {
            Some(Opening::Tls(name)) => Begun::Tls(name.map(Into::into)),
            Some(Opening::UnreadableTls) => Begun::UnreadableTls,
            Some(Opening::Http) => Begun::Http,
            Some(Opening::Other) | None => {
                let relay = match greeted {
                    Some(relay) => relay,
                    None => self.relay(gateway, upstream, None).await,
                };
                return if first.is_some() { Begun::Opaque(relay) } else { Begun::Over(relay) };
            }
        };
        if let Some(greeted) = greeted {
            // What follows has a row of its own.
            greeted.end(upstream.written(), client.written());
        }
        begun
    }

    /// Passes TLS that is not a vendor's, and decrypts what is.
    async fn tunnel_tls(self, client: End, upstream: End, name: Option<Arc<str>>) {
        match self.host_for(name.as_deref()) {
            Err(reason) => self.end(client, reason, name).await,
            // CONNECT named an address: a vendor's name in the SNI is for the vendor, wherever that address is.
            Ok(host) if self.policy.intercepts(&host) => self.intercept_tls(client, name).await,
            Ok(host) => {
                // CONNECT may have named an address.
                self.watch(&host);
                let gateway = Arc::clone(&self.gateway);
                let relay = self.relay(&gateway, &upstream, name).await;
                drop(self.policy);
                gateway.relay_sockets(client, upstream, relay).await;
            }
        }
    }

    /// Writes the row of a tunnel whose bytes pass from now on.
    async fn relay<'g>(
        &self,
        gateway: &'g Shared,
        upstream: &End,
        server_name: Option<Arc<str>>,
    ) -> Relay<'g> {
        let dialled = upstream.get_ref().peer_addr().ok().map(|address| address.ip());
        let row = Tunnel { server_name, dialled, ..self.row(None) };
        Relay::begin(gateway, (gateway.record_tunnel(row).await, Carries::Tunnel))
    }
}

/// How a tunnel begins: with what the client says, or with bytes that name no host.
enum Begun<'g> {
    Tls(Option<Arc<str>>),
    UnreadableTls,
    Http,
    /// Something else, or nothing to the end.
    Opaque(Relay<'g>),
    /// An end is gone, or the gateway stops.
    Over(Relay<'g>),
}

impl Shared {
    /// Answers with a refusal that came before anything could be exchanged, and records whom it was about.
    pub(crate) async fn turn_down(
        &self,
        link: &Link,
        authority: Option<Authority>,
        refusal: Refusal,
    ) -> Response<ClientBody> {
        self.counters.turned_away(refusal.reason);
        if let Some(authority) = authority {
            let row = Tunnel {
                id: refusal.incident.0,
                at: self.settings.clock.now(),
                asker: Asker { address: link.client, user: link.user.clone(), page: None, user_agent: None },
                authority,
                server_name: link.tls.as_ref().and_then(|tls| tls.server_name.clone()),
                dialled: None,
                reason: Some(refusal.reason),
                incident: Some(refusal.incident),
                status: refusal.status().as_u16(),
                policy_version: self.policy.newest().version(),
            };
            self.record_tunnel(row).await;
        }
        respond(Outbound::Refusal(refusal))
    }

    /// Passes bytes between sockets until it is over, then completes the tunnel's row.
    async fn relay_sockets(&self, client: End, vendor: End, relay: Relay<'_>) {
        let passed = Passed::of(vendor.written(), client.written());
        let ((said, client), (greeting, vendor)) = (client.into_parts(), vendor.into_parts());
        let passing = pass_both_ways((said, client), (greeting, vendor), &self.carriers, &passed);
        tokio::select! {
            // How the two ends part is theirs to know: either way it is over.
            ended = passing => drop(ended),
            () = self.stop.cancelled() => {}
        }
        relay.end(passed.sent(), passed.received());
    }

    /// The same between streams of whatever kind.
    pub(crate) async fn relay<C, V>(
        &self,
        mut client: Prefixed<C>,
        mut vendor: Prefixed<V>,
        open: (Option<OpenTunnel>, Carries),
    ) where
        C: AsyncRead + AsyncWrite + Unpin,
        V: AsyncRead + AsyncWrite + Unpin,
    {
        let relay = Relay::begin(self, open);
        tokio::select! {
            ended = copy_bidirectional(&mut client, &mut vendor) => drop(ended),
            () = self.stop.cancelled() => {}
        }
        relay.end(vendor.written(), client.written());
    }

    /// Writes a tunnel's row. Tunnels flow on when that fails; guarded content would not.
    pub(crate) async fn record_tunnel(&self, row: Tunnel) -> Option<OpenTunnel> {
        let to = row.authority.clone();
        match self.store.tunnel_opened(row).await {
            Ok(open) => Some(open),
            Err(error) => {
                tracing::error!(%error, %to, "cannot record a tunnel");
                None
            }
        }
    }
}

/// Bytes that pass both ways, to be counted and recorded at their end.
struct Relay<'g> {
    gateway: &'g Shared,
    open: Option<OpenTunnel>,
    carries: Carries,
    started: Instant,
    relaying: Lasting,
}

impl<'g> Relay<'g> {
    fn begin(gateway: &'g Shared, (open, carries): (Option<OpenTunnel>, Carries)) -> Self {
        let relaying = gateway.counters.relaying(carries);
        Self { gateway, open, carries, started: Instant::now(), relaying }
    }

    fn end(self, sent: u64, received: u64) {
        drop(self.relaying);
        self.gateway.counters.passed(self.carries.unjudged(), sent + received);
        if let Some(open) = self.open {
            let open_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            open.closed(TunnelEnd { sent, received, open_ms });
        }
    }
}
