//! Bytes from one socket to another: moved by the kernel where there is splice(2), through a buffer elsewhere.
//!
//! Nothing is held for a direction in which nothing comes: a tunnel that is idle takes no memory for what it could carry.

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
#[cfg(target_os = "linux")]
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::try_join;
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
#[cfg(target_os = "linux")]
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::consume_budget;

/// Bytes that a pipe takes at one time, where the system allows as much.
#[cfg(target_os = "linux")]
const PIPE: usize = 512 * 1024;
/// Bytes that are read where a pipe takes none.
#[cfg(target_os = "linux")]
const BESIDE: usize = 512;
const BUFFER: usize = 16 * 1024;
/// Pipes that are in use or kept at one time: each is two files. Whoever finds none takes a buffer.
#[cfg(target_os = "linux")]
const PIPES: usize = 128;
/// Carriers that are kept for the next bytes.
const SPARE: usize = 32;

/// How many bytes went each way so far.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Passed {
    pub(crate) fn of(sent: u64, received: u64) -> Self {
        Self { sent: sent.into(), received: received.into() }
    }

    /// To the vendor.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// To the client.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// Passes bytes both ways until both ends have ended, or one has failed. Of each end that was read already which stands
/// before it.
pub(crate) async fn pass_both_ways(
    (said, mut client): (Bytes, TcpStream),
    (greeting, mut vendor): (Bytes, TcpStream),
    carriers: &Carriers,
    passed: &Passed,
) -> io::Result<()> {
    let (from_client, to_client) = client.split();
    let (from_vendor, to_vendor) = vendor.split();
    let there = one_way(said, from_client, to_vendor, carriers, &passed.sent);
    let back = one_way(greeting, from_vendor, to_client, carriers, &passed.received);
    try_join(there, back).await.map(|_| ())
}

async fn one_way(
    said: Bytes,
    from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    carriers: &Carriers,
    passed: &AtomicU64,
) -> io::Result<()> {
    to.write_all(&said).await?;
    passed.fetch_add(said.len() as u64, Ordering::Relaxed);
    drop(said);
    loop {
        from.readable().await?;
        let mut carrier = carriers.take();
        loop {
            match carrier.fill(from.as_ref()) {
                Ok(0) => {
                    carriers.give_back(carrier);
                    return to.shutdown().await;
                }
                Ok(len) => {
                    carrier.empty(len, to.as_ref(), passed).await?;
                    // Bytes that are there already come without a pause: others have their turn too.
                    consume_budget().await;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        carriers.give_back(carrier);
    }
}

/// Carriers that carry nothing, and places for pipes.
#[derive(Debug)]
pub(crate) struct Carriers {
    spare: Mutex<Vec<Carrier>>,
    #[cfg(target_os = "linux")]
    pipes: Arc<Semaphore>,
}

impl Carriers {
    #[cfg(target_os = "linux")]
    pub(crate) fn new() -> Self {
        Self::with_pipes(PIPES)
    }

    #[cfg(target_os = "linux")]
    fn with_pipes(pipes: usize) -> Self {
        Self { spare: Mutex::default(), pipes: Arc::new(Semaphore::new(pipes)) }
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new() -> Self {
        Self { spare: Mutex::default() }
    }

    fn take(&self) -> Carrier {
        self.spare().pop().unwrap_or_else(|| self.new_one())
    }

    #[cfg(target_os = "linux")]
    fn new_one(&self) -> Carrier {
        let place = Arc::clone(&self.pipes).try_acquire_owned();
        place.ok().and_then(Carrier::pipe).unwrap_or_else(Carrier::buffer)
    }

    #[cfg(not(target_os = "linux"))]
    fn new_one(&self) -> Carrier {
        Carrier::buffer()
    }

    fn give_back(&self, carrier: Carrier) {
        let mut spare = self.spare();
        if carrier.is_for_later() && spare.len() < SPARE {
            spare.push(carrier);
        }
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Carrier>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where bytes are between two sockets. It is empty between a whole [`Carrier::empty`] and the next [`Carrier::fill`].
#[derive(Debug)]
enum Carrier {
    #[cfg(target_os = "linux")]
    Pipe {
        reads: OwnedFd,
        writes: OwnedFd,
        /// What an ordinary read took instead: then nothing is in the pipe.
        beside: Vec<u8>,
        _place: OwnedSemaphorePermit,
    },
    Buffer(Box<[u8]>),
}

impl Carrier {
    /// None where there are no more files to be had.
    #[cfg(target_os = "linux")]
    fn pipe(place: OwnedSemaphorePermit) -> Option<Self> {
        use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

        let (reads, writes) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        if let Err(error) = fcntl_setpipe_size(&writes, PIPE) {
            tracing::trace!(%error, "a pipe keeps its size");
        }
        Some(Self::Pipe { reads, writes, beside: Vec::new(), _place: place })
    }

    /// A buffer was all that there was: the next may find a pipe.
    fn is_for_later(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Self::Pipe { .. } => true,
            Self::Buffer(_) => cfg!(not(target_os = "linux")),
        }
    }

    fn buffer() -> Self {
        Self::Buffer(vec![0; BUFFER].into())
    }

    /// Takes what is there of a socket, or as much as finds room; nothing at its end.
    fn fill(&mut self, from: &TcpStream) -> io::Result<usize> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Pipe { writes, beside, .. } => {
                from.try_io(Interest::READABLE, || taken(from, writes, beside))
            }
            Self::Buffer(buffer) => from.try_read(buffer),
        }
    }

    /// Gives the `len` bytes that it has to a socket, and counts them as they go.
    async fn empty(&mut self, len: usize, to: &TcpStream, passed: &AtomicU64) -> io::Result<()> {
        let mut given = 0;
        while given < len {
            let now = match self {
                #[cfg(target_os = "linux")]
                Self::Pipe { reads, beside, .. } if beside.is_empty() => {
                    to.async_io(Interest::WRITABLE, || moved(&*reads, to, len - given)).await?
                }
                #[cfg(target_os = "linux")]
                Self::Pipe { beside: bytes, .. } => written(bytes, given, len, to).await?,
                Self::Buffer(bytes) => written(bytes, given, len, to).await?,
            };
            if now == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            given += now;
            passed.fetch_add(now as u64, Ordering::Relaxed);
        }
        #[cfg(target_os = "linux")]
        if let Self::Pipe { beside, .. } = self {
            beside.clear();
        }
        Ok(())
    }
}

async fn written(bytes: &[u8], from: usize, end: usize, to: &TcpStream) -> io::Result<usize> {
    let rest = bytes.get(from..end).unwrap_or_default();
    to.async_io(Interest::WRITABLE, || to.try_write(rest)).await
}

/// Takes bytes of a socket into a pipe. splice(2) goes no further than to an urgent byte, and says there that the socket has
/// nothing, or has ended: an ordinary read passes over it, and knows.
#[cfg(target_os = "linux")]
fn taken(from: &TcpStream, pipe: &OwnedFd, beside: &mut Vec<u8>) -> io::Result<usize> {
    match moved(from, pipe, PIPE) {
        Ok(len) if len > 0 => Ok(len),
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        Ok(_) | Err(_) => {
            let mut bytes = [0; BESIDE];
            let len = rustix::io::read(from, &mut bytes)?;
            beside.extend(bytes.iter().take(len));
            Ok(len)
        }
    }
}

/// splice(2): bytes from a socket to a pipe, or on from there.
#[cfg(target_os = "linux")]
fn moved(from: impl std::os::fd::AsFd, to: impl std::os::fd::AsFd, len: usize) -> io::Result<usize> {
    use rustix::pipe::{SpliceFlags, splice};

    Ok(splice(from, None, to, None, len, SpliceFlags::MOVE | SpliceFlags::NONBLOCK)?)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::*;

    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (there, listener.accept().await.unwrap().0)
    }

    /// A client and a vendor, and what passes between them.
    async fn between(pipes: usize) -> (TcpStream, TcpStream, JoinHandle<(bool, u64, u64)>) {
        let ((client, near), (vendor, far)) = (connected().await, connected().await);
        let passing = tokio::spawn(async move {
            let (carriers, passed) = (Carriers::with_pipes(pipes), Passed::default());
            let ends = ((Bytes::new(), near), (Bytes::new(), far));
            let ended = pass_both_ways(ends.0, ends.1, &carriers, &passed).await;
            (ended.is_ok(), passed.sent(), passed.received())
        });
        (client, vendor, passing)
    }

    fn noise(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect()
    }

    #[tokio::test]
    async fn all_bytes_pass_in_both_directions_at_one_time_and_each_end_ends_by_itself() {
        for pipes in [PIPES, 0] {
            let (client, vendor, passing) = between(pipes).await;
            let (mut from_vendor, mut to_vendor) = client.into_split();
            let (mut from_client, mut to_client) = vendor.into_split();
            let (there, back) = (noise(3_000_001), noise(5_000_011));
            let (sent, answered) = (there.clone(), back.clone());
            let asking = tokio::spawn(async move {
                to_vendor.write_all(&sent).await.unwrap();
                to_vendor.shutdown().await.unwrap();
            });
            let mut asked = Vec::new();
            let answering =
                tokio::spawn(async move { to_client.write_all(&answered).await.map(|()| to_client) });
            from_client.read_to_end(&mut asked).await.unwrap();
            assert!(asked == there, "what the vendor read is not what the client wrote");
            // It has ended its side long ago, and is still answered.
            drop(answering.await.unwrap().unwrap());
            let mut answer = Vec::new();
            from_vendor.read_to_end(&mut answer).await.unwrap();
            assert!(answer == back, "what the client read is not what the vendor wrote");
            asking.await.unwrap();
            assert_eq!(passing.await.unwrap(), (true, 3_000_001, 5_000_011));
        }
    }

    #[tokio::test]
    async fn what_comes_behind_an_urgent_byte_passes_too() {
        for pipes in [PIPES, 0] {
            let (mut client, mut vendor, passing) = between(pipes).await;
            client.write_all(b"before").await.unwrap();
            rustix::net::send(&client, b"!", rustix::net::SendFlags::OOB).unwrap();
            client.write_all(b"behind").await.unwrap();
            let mut all = [0; 12];
            vendor.read_exact(&mut all).await.unwrap();
            assert_eq!(&all, b"beforebehind");
            client.write_all(b"and more").await.unwrap();
            drop(client);
            let mut rest = Vec::new();
            vendor.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, b"and more");
            drop(vendor);
            assert!(passing.await.unwrap().0);
        }
    }

    #[tokio::test]
    async fn behind_what_an_ordinary_read_took_the_pipe_goes_on() {
        let ((mut client, near), (mut vendor, far)) = (connected().await, connected().await);
        let (mut carrier, passed) = (Carriers::with_pipes(1).take(), Passed::default());
        rustix::net::send(&client, b"!", rustix::net::SendFlags::OOB).unwrap();
        client.write_all(b"behind").await.unwrap();
        let mut carried = 0;
        while carried < 6 {
            near.readable().await.unwrap();
            match carrier.fill(&near) {
                Ok(len) => {
                    carrier.empty(len, &far, &passed.sent).await.unwrap();
                    carried += len;
                }
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            assert!(matches!(&carrier, Carrier::Pipe { beside, .. } if beside.is_empty()));
        }
        let mut all = [0; 6];
        vendor.read_exact(&mut all).await.unwrap();
        assert_eq!((&all, passed.sent()), (b"behind", 6));
    }

    #[test]
    fn who_finds_no_pipe_takes_none_from_those_who_come_later() {
        let carriers = Carriers::with_pipes(1);
        let (pipe, buffer) = (carriers.take(), carriers.take());
        assert!(matches!((&pipe, &buffer), (Carrier::Pipe { .. }, Carrier::Buffer(_))));
        carriers.give_back(pipe);
        carriers.give_back(buffer);
        assert!(matches!(carriers.take(), Carrier::Pipe { .. }));
    }

    #[tokio::test]
    async fn single_bytes_pass_as_they_come() {
        for pipes in [PIPES, 0] {
            let (mut client, mut vendor, passing) = between(pipes).await;
            for byte in 0..100 {
                client.write_u8(byte).await.unwrap();
                assert_eq!(vendor.read_u8().await.unwrap(), byte);
                vendor.write_u8(byte).await.unwrap();
                assert_eq!(client.read_u8().await.unwrap(), byte);
            }
            drop((client, vendor));
            assert_eq!(passing.await.unwrap(), (true, 100, 100));
        }
    }

    #[tokio::test]
    async fn an_end_that_takes_nothing_holds_up_its_own_direction_alone() {
        for pipes in [PIPES, 0] {
            let (mut client, mut vendor, passing) = between(pipes).await;
            // The vendor writes more than sockets hold, and the client reads none of it.
            let flooding = tokio::spawn(async move {
                let (mut reading, mut writing) = vendor.split();
                let flood = noise(30_000_000);
                tokio::select! {
                    ended = writing.write_all(&flood) => panic!("{ended:?}"),
                    said = reading.read_u8() => said.unwrap(),
                }
            });
            client.write_u8(7).await.unwrap();
            assert_eq!(flooding.await.unwrap(), 7);
            drop(client);
            assert!(!passing.await.unwrap().0);
        }
    }
}
