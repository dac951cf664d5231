//! The near end of a tunnel that carries bare bytes.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use super::{Failure, LIMIT, Route};
use crate::origin::SOURCE;
use crate::proxies::byte;

/// Bytes that are read at one time.
const ROOM: usize = 256 << 10;

impl Route {
    /// Asks the source for so many bytes, and takes them.
    pub(crate) async fn take(&self, wanted: u64) -> Result<(), Failure> {
        let stream = self.reach(SOURCE).await?;
        let stream = stream.into_std().map_err(|error| Failure::Broken("a socket", error))?;
        let taken = tokio::task::spawn_blocking(move || taken(stream, wanted)).await.expect("a thread");
        match taken {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::OtherBytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Failure::TimedOut("bytes")),
            Err(error) => Err(Failure::Broken("bytes", error)),
        }
    }
}

/// Whether exactly these bytes come; of each read the first and the last are compared.
fn taken(mut stream: TcpStream, wanted: u64) -> io::Result<bool> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(LIMIT))?;
    // No TLS and no HTTP begins so.
    stream.write_all(&wanted.to_be_bytes())?;
    let mut buffer = vec![0; ROOM];
    let mut taken = 0;
    loop {
        let read = stream.read(&mut buffer)?;
        let Some(last) = read.checked_sub(1) else { return Ok(taken == wanted) };
        let behind = taken + read as u64;
        if buffer[0] != byte(taken) || buffer[last] != byte(behind - 1) {
            return Ok(false);
        }
        taken = behind;
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const WANTED: u64 = 1_500_000;

    /// Whether this passes for what was wanted.
    fn passes(sent: Vec<u8>) -> bool {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let sender = thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            client.read_exact(&mut [0; 8]).expect("a wish");
            // Who has found them wrong takes no more of them.
            drop(client.write_all(&sent));
        });
        let passed = taken(TcpStream::connect(address).expect("a sender"), WANTED).unwrap_or(false);
        sender.join().expect("a sender");
        passed
    }

    #[test]
    fn bytes_that_are_missing_or_too_many_or_others_do_not_pass() {
        let whole: Vec<u8> = (0..WANTED).map(byte).collect();
        assert!(passes(whole.clone()));
        assert!(!passes(whole[..whole.len() - 1].to_vec()), "the last is missing");
        assert!(!passes([&whole[..700_000], &whole[765_536..]].concat()), "some in the middle are missing");
        assert!(!passes([&whole[..], b"!"].concat()), "one too many");
        assert!(!passes([&[!whole[0]], &whole[1..]].concat()), "the first is another");
    }
}
