//! A stand-in for a vendor's CDN: a TLS origin on loopback that serves what a test tells it, and tells what it was asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::authority::Identity;
use crate::{Coding, eventually};

mod flow;
mod serve;

/// An origin called `vendor` at `cdn.vendor.test`, until told otherwise.
#[must_use]
pub fn vendor() -> VendorBuilder {
    VendorBuilder {
        name: "vendor".to_owned(),
        host: "cdn.vendor.test".to_owned(),
        ip: [127, 0, 0, 1],
        answers: HashMap::new(),
        identity: Some(Identity::Valid),
        protocols: vec!["h2", "http/1.1"],
        max_streams: None,
        listening: true,
    }
}

/// A vendor before it listens.
#[derive(Debug)]
pub struct VendorBuilder {
    name: String,
    host: String,
    ip: [u8; 4],
    answers: HashMap<String, Answer>,
    identity: Option<Identity>,
    protocols: Vec<&'static str>,
    max_streams: Option<u32>,
    listening: bool,
}

impl VendorBuilder {
    /// Another name in `[[vendor]]`.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Another host name.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Listens on another address of loopback.
    #[must_use]
    pub fn at(mut self, ip: [u8; 4]) -> Self {
        self.ip = ip;
        self
    }

    /// Serves a script.
    #[must_use]
    pub fn script(self, path: &str, body: impl Into<Bytes>) -> Self {
        self.serve(path, Answer::script(body))
    }

    /// Serves any answer. A raw one makes the whole vendor speak HTTP/1.1, one request per connection.
    #[must_use]
    pub fn serve(mut self, path: &str, answer: Answer) -> Self {
        if answer.is_made_by_hand() {
            self.protocols = vec![];
        }
        self.answers.insert(path.to_owned(), answer);
        self
    }

    /// Shows another certificate.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Speaks HTTP in the clear.
    #[must_use]
    pub fn clear_text(mut self) -> Self {
        self.identity = None;
        self
    }

    /// Speaks HTTP/1.1 only.
    #[must_use]
    pub fn http1_only(mut self) -> Self {
        self.protocols = vec!["http/1.1"];
        self
    }

    /// Speaks HTTP/2 only.
    #[must_use]
    pub fn http2_only(mut self) -> Self {
        self.protocols = vec!["h2"];
        self
    }

    /// Takes no more than so many streams at one time on an HTTP/2 connection.
    #[must_use]
    pub fn max_streams(mut self, streams: u32) -> Self {
        self.max_streams = Some(streams);
        self
    }

    /// Keeps its port and refuses connections.
    #[must_use]
    pub fn unreachable(mut self) -> Self {
        self.listening = false;
        self
    }

    /// Starts it on a free port of loopback.
    pub async fn listen(self) -> Vendor {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((self.ip, 0))).unwrap();
        let address = socket.local_addr().unwrap();
        let record = Arc::new(Record::new(self.answers));
        let presence = if self.listening {
            let listener: TcpListener = socket.listen(1024).unwrap();
            let manner = serve::Manner::of(&self.host, self.identity, &self.protocols, self.max_streams);
            Presence::Listening(tokio::spawn(serve::accept(listener, manner, Arc::clone(&record))))
        } else {
            Presence::Absent(socket)
        };
        Vendor {
            name: self.name,
            host: self.host,
            scheme: if self.identity.is_some() { "https" } else { "http" },
            address,
            one_request_per_connection: self.protocols.is_empty(),
            record,
            presence,
        }
    }
}

/// A running origin. It ends when it is dropped.
#[derive(Debug)]
pub struct Vendor {
    name: String,
    host: String,
    scheme: &'static str,
    address: SocketAddr,
    one_request_per_connection: bool,
    record: Arc<Record>,
    presence: Presence,
}

/// The unlistened socket keeps the port from everybody else while the vendor is down.
#[derive(Debug)]
enum Presence {
    Listening(JoinHandle<()>),
    #[expect(dead_code, reason = "held, so that nobody else gets the port")]
    Absent(TcpSocket),
}

impl Vendor {
    /// Its name in `[[vendor]]`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its host, which only `[egress.resolve]` makes reachable.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where it really is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL at which clients ask for `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.host)
    }

    /// Serves this from now on.
    pub fn serve(&self, path: &str, answer: Answer) {
        assert!(
            !answer.is_made_by_hand() || self.one_request_per_connection,
            "a vendor is misbehaving from the start: give `vendor()` a raw answer"
        );
        self.record.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Serves what `decide` makes of each request from now on.
    pub fn serve_by(&self, path: &str, decide: impl Fn(&Seen) -> Answer + Send + Sync + 'static) {
        self.record.deciders.lock().unwrap().insert(path.to_owned(), Decider(Arc::new(decide)));
    }

    /// Serves this script from now on.
    pub fn script(&self, path: &str, body: impl Into<Bytes>) {
        self.serve(path, Answer::script(body));
    }

    /// The requests it got for a path, whatever their query.
    #[must_use]
    pub fn seen(&self, path: &str) -> Vec<Seen> {
        self.record.seen.borrow().iter().filter(|seen| seen.uri.path() == path).cloned().collect()
    }

    /// Waits until it has got so many requests for a path, answered or not.
    pub async fn asked(&self, path: &str, times: usize) {
        let mut seen = self.record.seen.subscribe();
        let enough = seen.wait_for(|all| all.iter().filter(|seen| seen.uri.path() == path).count() >= times);
        eventually(&format!("request {times} for {path} at {}", self.host), enough).await.unwrap();
    }

    /// Waits until so many bytes of bodies have been taken off its hands, over all its answers.
    pub async fn sent(&self, bytes: u64) {
        let mut sent = self.record.sent.subscribe();
        let enough = sent.wait_for(|sent| *sent >= bytes);
        eventually(&format!("{bytes} bytes sent by {}", self.host), enough).await.unwrap();
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        if let Presence::Listening(task) = &self.presence {
            task.abort();
        }
    }
}

/// The head of a request as it came to the origin.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// Path and query over HTTP/1.1, all of the URI over HTTP/2.
    pub uri: Uri,
    /// What the gateway spoke.
    pub version: Version,
    /// All its header fields.
    pub headers: HeaderMap,
}

impl Seen {
    /// One header field as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What an origin says to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    coding: Coding,
    trailers: HeaderMap,
    raw: Option<Bytes>,
    /// Whether it goes on as a WebSocket.
    echoes: bool,
    /// Whether it is none: an HTTP/2 stream that is refused.
    is_refusal: bool,
    gate: Option<watch::Receiver<bool>>,
    /// How many times the body is sent, one after the other.
    times: u64,
    /// What follows the body once a gate is open.
    rest: Option<(watch::Receiver<bool>, Bytes)>,
}

impl Answer {
    /// 200, with these bytes as this media type.
    #[must_use]
    pub fn typed(media_type: &str, body: impl Into<Bytes>) -> Self {
        Self::untyped(body).header("content-type", media_type)
    }

    /// 200, with these bytes and no media type.
    #[must_use]
    pub fn untyped(body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.into(),
            coding: Coding::Identity,
            trailers: HeaderMap::new(),
            raw: None,
            echoes: false,
            is_refusal: false,
            gate: None,
            times: 1,
            rest: None,
        }
    }

    /// A script.
    #[must_use]
    pub fn script(body: impl Into<Bytes>) -> Self {
        Self::typed("text/javascript; charset=utf-8", body)
    }

    /// An HTML page.
    #[must_use]
    pub fn page(body: impl Into<Bytes>) -> Self {
        Self::typed("text/html; charset=utf-8", body)
    }

    /// Another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).unwrap();
        self
    }

    /// One more header field.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, value.parse().unwrap());
        self
    }

    /// One more field behind the body.
    #[must_use]
    pub fn trailer(mut self, name: &'static str, value: &str) -> Self {
        self.trailers.append(name, value.parse().unwrap());
        self
    }

    /// Sends the body in this content coding.
    #[must_use]
    pub fn encoded(mut self, coding: Coding) -> Self {
        self.coding = coding;
        self
    }

    /// Exactly these bytes instead of a well-formed message, and then the end of the connection.
    #[must_use]
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self { raw: Some(bytes.into()), ..Self::untyped("") }
    }

    /// None: the stream is reset as one that was not looked at (RFC 9113 §8.7).
    #[must_use]
    pub fn refused_stream() -> Self {
        Self { is_refusal: true, ..Self::untyped("") }
    }

    /// 101 with this proof, and then a WebSocket that says back what it is told. Like a raw answer, it makes the whole
    /// vendor speak HTTP/1.1, one request per connection.
    #[must_use]
    pub fn websocket(proof: &str) -> Self {
        let switching = Self { echoes: true, ..Self::untyped("") }.status(101);
        let switching = switching.header("connection", "Upgrade").header("upgrade", "websocket");
        switching.header("sec-websocket-accept", proof)
    }

    fn is_made_by_hand(&self) -> bool {
        self.raw.is_some() || self.echoes
    }

    /// The body so many times over, without being that large here.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Goes on with these bytes once the gate is open; nobody is told before how long the body will be.
    #[must_use]
    pub fn then(mut self, gate: &Gate, rest: impl Into<Bytes>) -> Self {
        self.rest = Some((gate.0.subscribe(), rest.into()));
        self
    }

    /// Only once the gate is open.
    #[must_use]
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.0.subscribe());
        self
    }
}

/// Holds answers back until a test opens it.
#[derive(Debug)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// A closed one.
    #[must_use]
    pub fn closed() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Lets all answers behind it go.
    pub fn open(&self) {
        self.0.send_replace(true);
    }
}

/// Answers by what was asked.
#[derive(Clone)]
struct Decider(Arc<dyn Fn(&Seen) -> Answer + Send + Sync>);

impl std::fmt::Debug for Decider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decider")
    }
}

#[derive(Debug)]
struct Record {
    answers: Mutex<HashMap<String, Answer>>,
    deciders: Mutex<HashMap<String, Decider>>,
    seen: watch::Sender<Vec<Seen>>,
    sent: watch::Sender<u64>,
}

impl Record {
    fn new(answers: HashMap<String, Answer>) -> Self {
        Self {
            answers: Mutex::new(answers),
            deciders: Mutex::default(),
            seen: watch::Sender::new(Vec::new()),
            sent: watch::Sender::new(0),
        }
    }

    /// Notes a request, and gives its answer when its gate is open.
    async fn answer<B>(&self, request: &Request<B>) -> Answer {
        let seen = Seen {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: request.headers().clone(),
        };
        let path = request.uri().path();
        let decided = self.deciders.lock().unwrap().get(path).map(|decider| (decider.0)(&seen));
        let answer = decided.or_else(|| self.answers.lock().unwrap().get(path).cloned());
        self.seen.send_modify(|all| all.push(seen));
        let answer = answer.unwrap_or_else(|| Answer::typed("text/plain", "nothing here").status(404));
        if let Some(mut gate) = answer.gate.clone() {
            // A dropped gate is an open one: the test that held it is over.
            drop(gate.wait_for(|open| *open).await);
        }
        answer
    }
}
