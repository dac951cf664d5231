//! Sessions of TLS: a vendor's are never taken up again with another.

use std::sync::Arc;

use http::Method;
use pinfold_integration_tests::{Client, client, eventually, gateway, origin_of, sha256, vendor};
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, NamedGroup, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::{REVIEWED, verified};

const ONE: &str = "cdn.one.test";
const TWO: &str = "cdn.two.test";

/// A client's memory that offers whatever session it has to whomever it meets.
#[derive(Debug)]
struct Everywhere(ClientSessionMemoryCache);

fn everywhere() -> ServerName<'static> {
    ServerName::try_from("everywhere.test").unwrap()
}

impl ClientSessionStore for Everywhere {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(everywhere(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&everywhere())
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(everywhere(), value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&everywhere())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&everywhere());
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(everywhere(), value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&everywhere())
    }
}

/// A client's side of TLS that forgets nothing, and names its server or does not.
fn config(root: &str, version: &'static SupportedProtocolVersion, names_server: bool) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::store(Arc::new(Everywhere(ClientSessionMemoryCache::new(8))));
    config.enable_sni = names_server;
    Arc::new(config)
}

/// How the handshake in a tunnel to `host` went. Something is asked, so that the tickets that follow it are read.
async fn handshake(client: &Client, config: &Arc<ClientConfig>, host: &str) -> HandshakeKind {
    let tunnel = client.connect(&format!("{host}:443")).await.unwrap().unwrap();
    let connector = TlsConnector::from(Arc::clone(config));
    let greeting = connector.connect(ServerName::try_from(host.to_owned()).unwrap(), tunnel);
    let stream = eventually("a handshake", greeting).await.unwrap();
    let kind = stream.get_ref().1.handshake_kind().unwrap();
    let mut session = client.speak(stream).await.unwrap();
    let url = format!("https://{host}/app.js").parse().unwrap();
    verified(&session.ask(Method::GET, url).await.unwrap(), REVIEWED);
    kind
}

#[tokio::test]
async fn a_clients_session_with_one_vendor_is_none_with_another() {
    let one = vendor().named("one").host(ONE).script("/app.js", REVIEWED).listen().await;
    let two = vendor().named("two").host(TWO).script("/app.js", REVIEWED).listen().await;
    let gateway = gateway().vendor(&one).vendor(&two);
    let gateway = gateway.pin(one.url("/app.js"), sha256(REVIEWED)).pin(two.url("/app.js"), sha256(REVIEWED));
    let gateway = gateway.listen().await;
    let root = std::fs::read_to_string(gateway.ca()).unwrap();

    for version in [&TLS12, &TLS13] {
        for names_server in [true, false] {
            let (client, config) = (client(&gateway), config(&root, version, names_server));
            let first = handshake(&client, &config, ONE).await;
            let again = handshake(&client, &config, ONE).await;
            let other = handshake(&client, &config, TWO).await;
            let resumed = if names_server { HandshakeKind::Resumed } else { HandshakeKind::Full };
            assert_eq!(
                (first, again, other),
                (HandshakeKind::Full, resumed, HandshakeKind::Full),
                "{version:?}, naming the server: {names_server}"
            );
        }
    }
}

#[tokio::test]
async fn a_session_of_before_a_reload_is_taken_up_again_though_another_issuer_signs() {
    let one = vendor().named("one").host(ONE).script("/app.js", REVIEWED).listen().await;
    let two = vendor().named("two").host(TWO).script("/app.js", REVIEWED).listen().await;
    let pinned = gateway().vendor(&one).pin(one.url("/app.js"), sha256(REVIEWED));
    let mut gateway = pinned.pin(two.url("/app.js"), sha256(REVIEWED)).listen().await;
    let root = std::fs::read_to_string(gateway.ca()).unwrap();
    let (before, fresh) = (config(&root, &TLS13, true), config(&root, &TLS13, true));
    assert_eq!(handshake(&client(&gateway), &before, ONE).await, HandshakeKind::Full);

    gateway.rewrite(|files| files.vendor(&two));
    gateway.event_called("policy-reloaded").await;

    gateway.says("made a new issuing CA").await;
    assert_eq!(handshake(&client(&gateway), &before, ONE).await, HandshakeKind::Resumed);
    assert_eq!(handshake(&client(&gateway), &fresh, ONE).await, HandshakeKind::Full);
    assert_eq!(handshake(&client(&gateway), &fresh, TWO).await, HandshakeKind::Full);
}

#[tokio::test]
async fn the_gateways_session_with_one_vendor_is_not_offered_to_another() {
    // Both vendors are at one server, as they are where they share a CDN.
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let acceptor = origin_of(&[ONE, TWO]);
    let one = vendor().named("one").host(ONE).unreachable().listen().await;
    let two = vendor().named("two").host(TWO).unreachable().listen().await;
    let gateway = gateway().vendor(&one).vendor(&two);
    let gateway = gateway.set_in("egress.resolve", ONE, &*address).set_in("egress.resolve", TWO, &*address);
    let gateway = gateway.pin(one.url("/app.js"), sha256(REVIEWED)).pin(two.url("/app.js"), sha256(REVIEWED));
    let gateway = gateway.listen().await;

    let mut offered = Vec::new();
    for vendor in [&one, &one, &two] {
        let client = client(&gateway);
        let (reply, offers) =
            tokio::join!(client.get(vendor.url("/app.js")), serve_once(&listener, &acceptor));
        verified(&reply, REVIEWED);
        offered.push(offers);
    }

    assert_eq!(offered, [false, true, false]);
}

/// Serves the script on one connection, and tells whether its hello offered a session.
async fn serve_once(listener: &TcpListener, acceptor: &TlsAcceptor) -> bool {
    let (mut socket, _): (TcpStream, _) = listener.accept().await.unwrap();
    let mut hello = vec![0; 5];
    socket.read_exact(&mut hello).await.unwrap();
    let len = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
    hello.resize(5 + len, 0);
    socket.read_exact(&mut hello[5..]).await.unwrap();
    let offers = offers_session(&hello);

    let (read, write) = socket.into_split();
    let stream = tokio::io::join(std::io::Cursor::new(hello).chain(read), write);
    let mut stream = acceptor.accept(stream).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{REVIEWED}",
        REVIEWED.len()
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    offers
}

/// Whether a hello ends with the extension `pre_shared_key`, whose place is last (RFC 8446 §4.2.11).
fn offers_session(hello: &[u8]) -> bool {
    let vector = |at: usize, len_bytes: usize| {
        let len = hello[at..at + len_bytes].iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
        at + len_bytes + len
    };
    // After the headers of record and message, the version and the random: session, suites, compressions.
    let mut at = vector(vector(vector(5 + 4 + 2 + 32, 1), 2), 1) + 2;
    let mut last = 0;
    while at < hello.len() {
        last = u16::from_be_bytes([hello[at], hello[at + 1]]);
        at = vector(at + 2, 2);
    }
    last == 41
}
