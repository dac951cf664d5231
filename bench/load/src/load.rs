//! A load that is put on a route, and whether what comes back is what was asked for.

use std::collections::HashSet;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;

use crate::body::Body;
use crate::client::{Connection, Failure, Reply, Route};
use crate::origin::{FAR, name};

/// One answer in so many is hashed, so that a proxy that serves something else is found out.
const SAMPLED: usize = 64;

/// How a load is put on a route.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) body: Body,
    pub(crate) gzip: bool,
    /// Clients at a time.
    pub(crate) clients: usize,
    pub(crate) requests: usize,
    pub(crate) connections: Connections,
}

/// Which connections the requests of a load come over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connections {
    /// One for each of the clients, kept.
    Kept,
    /// The same, to the vendor that is far away.
    KeptFar,
    /// A new one for each request, to the same name.
    Fresh,
    /// A new one for each request, to the same name, from clients that were there before.
    Returning,
    /// A new one for each request, to a name that nobody has asked for: from this number on.
    FreshName(usize),
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) elapsed: Duration,
    /// Of each request, sorted, in microseconds.
    pub(crate) latencies: Vec<u32>,
    /// Handshakes that went on with a session of earlier.
    pub(crate) resumed: usize,
}

impl Taken {
    fn merge(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.resumed += other.resumed;
    }
}

/// Puts a load on a route. Stops the bench where an answer is wrong.
pub(crate) async fn put(route: &Route, load: &Load) -> Result<Taken, Failure> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    // They end with this set, should one of them fail.
    let mut clients = JoinSet::new();
    for _ in 0..load.clients {
        clients.spawn(client(route.clone(), load.clone(), Arc::clone(&next)));
    }
    let mut taken = Taken::default();
    while let Some(part) = clients.join_next().await {
        taken.merge(part.expect("a client that gets what it should")?);
    }
    taken.elapsed = started.elapsed();
    taken.latencies.sort_unstable();
    Ok(taken)
}

async fn client(route: Route, load: Load, next: Arc<AtomicUsize>) -> Result<Taken, Failure> {
    let route = if load.connections == Connections::Returning { route.returning() } else { route };
    let mut taken = Taken::default();
    let mut kept = None;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= load.requests {
            return Ok(taken);
        }
        let started = Instant::now();
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => route.connect(&load.host(number)).await?,
        };
        let reply = ask(&mut connection, &load, number).await?;
        taken.latencies.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
        taken.resumed += usize::from(connection.is_resumed());
        if load.keeps() {
            kept = Some(connection);
        }
        verify_sample(&route, &load, number, reply).await;
    }
}

impl Load {
    fn keeps(&self) -> bool {
        match self.connections {
            Connections::Kept | Connections::KeptFar => true,
            Connections::Fresh | Connections::Returning | Connections::FreshName(_) => false,
        }
    }

    fn host(&self, number: usize) -> String {
        match self.connections {
            Connections::Kept | Connections::Fresh | Connections::Returning => name(0),
            Connections::KeptFar => FAR.to_owned(),
            Connections::FreshName(first) => name(first + number),
        }
    }
}

/// Asks over one of these connections after the other, each by one client at a time. Gives how many requests were sent.
pub(crate) async fn put_on(
    route: &Route,
    connections: &mut [Connection],
    load: &Load,
) -> Result<usize, Failure> {
    let each = connections.len().div_ceil(load.clients);
    let requests = load.requests / load.clients;
    let clients = connections.chunks_mut(each).map(|connections| async move {
        for number in 0..requests {
            let at = number % connections.len();
            let reply = ask(&mut connections[at], load, number).await?;
            verify_sample(route, load, number, reply).await;
        }
        Ok(requests)
    });
    Ok(try_join_all(clients).await?.into_iter().sum())
}

async fn ask(connection: &mut Connection, load: &Load, number: usize) -> Result<Reply, Failure> {
    connection.get(&load.body.path(), load.gzip, number.is_multiple_of(SAMPLED)).await
}

async fn verify_sample(route: &Route, load: &Load, number: usize, reply: Reply) {
    assert_eq!(reply.is_gzip, load.gzip, "{}: sent with another coding than asked for", route.through);
    if number.is_multiple_of(SAMPLED) {
        verify(route.through, &load.body, reply).await;
    }
}

/// Holds an answer to what the vendor has.
pub(crate) async fn verify(through: &str, body: &Body, reply: Reply) {
    let wire: [u8; 32] = Sha256::digest(&reply.body).into();
    let is_known = if reply.is_gzip { wire == body.gzip_digest } else { wire == body.digest };
    if is_known || reply.is_gzip && is_checked(wire) {
        return;
    }
    assert!(reply.is_gzip, "{through} served other bytes as {}", body.name);
    let bytes = unzipped(reply.body).await;
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    assert!(
        bytes.len() == body.len && digest == body.digest,
        "{through} served other bytes as {}",
        body.name
    );
    checked().lock().expect("a set").insert(wire);
}

/// Whether gzip of another make than the vendor's was undone before, and was right: not each time, since that costs more
/// than all that is measured.
fn is_checked(wire: [u8; 32]) -> bool {
    checked().lock().expect("a set").contains(&wire)
}

fn checked() -> &'static Mutex<HashSet<[u8; 32]>> {
    static CHECKED: OnceLock<Mutex<HashSet<[u8; 32]>>> = OnceLock::new();
    CHECKED.get_or_init(Mutex::default)
}

/// By another program: what is measured does not check itself.
async fn unzipped(bytes: Vec<u8>) -> Vec<u8> {
    let mut gzip = tokio::process::Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip");
    let mut input = gzip.stdin.take().expect("a pipe");
    let writing = tokio::spawn(async move { input.write_all(&bytes).await });
    let output = gzip.wait_with_output().await.expect("gzip's output");
    writing.await.expect("a task").expect("a body for gzip");
    output.stdout
}
