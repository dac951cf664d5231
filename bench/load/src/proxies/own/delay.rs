//! A relay through which everything takes a while, as if the vendor were far away. It has threads and no timer wheel, whose
//! millisecond is as long as what is waited for here.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Each way: what is asked is answered two milliseconds later.
const ONE_WAY: Duration = Duration::from_millis(1);
const CHUNK: usize = 64 << 10;
/// Chunks under way in one direction.
const UNDER_WAY: usize = 256;

/// Passes on whatever comes, and is no part of what is measured.
pub(crate) fn delay(listener: &TcpListener, to: SocketAddr) {
    for client in listener.incoming() {
        let ways = client.and_then(|client| {
            let server = TcpStream::connect(to)?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            Ok([(client.try_clone()?, server.try_clone()?), (server, client)])
        });
        for (from, to) in ways.into_iter().flatten() {
            thread::spawn(move || pass_on(from, to));
        }
    }
}

fn pass_on(from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let (sender, receiver) = sync_channel(UNDER_WAY);
    thread::spawn(move || read(from, &sender));
    for (due, bytes) in receiver {
        thread::sleep(Instant::saturating_duration_since(&due, Instant::now()));
        to.write_all(&bytes)?;
    }
    to.shutdown(Shutdown::Write)
}

/// Until either side ends.
fn read(mut from: TcpStream, sender: &SyncSender<(Instant, Vec<u8>)>) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = from.read(&mut buffer)?;
        let sent = sender.send((Instant::now() + ONE_WAY, buffer[..read].to_vec()));
        if read == 0 || sent.is_err() {
            return Ok(());
        }
    }
}
