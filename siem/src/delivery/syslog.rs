//! Messages of RFC 5424: a datagram each, or counted in a stream.
//!
//! Syslog has no acknowledgements: what was written may still lie in a buffer when the receiver goes away. However it does, in
//! order too: a relay that has nobody to pass it on to ends a connection like any other. Only an end that begins here proves
//! something: whoever ends the connection after that in order has read all of it.

use std::future::{pending, poll_fn};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::PATIENCE;
use super::batch::Batch;
use crate::output::Transport;
use crate::record::Record;

/// Log audit (RFC 5424 §6.2.1).
const FACILITY: u64 = 13;

/// How old a connection gets before it is ended here: a relay that reaches nobody behind it ends it first.
const YOUNG: Duration = Duration::from_secs(1);

/// One receiver.
pub(super) struct Syslog {
    transport: Transport,
    host: Box<str>,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    hostname: Box<str>,
    open: Open,
}

enum Open {
    Not,
    Datagrams(UdpSocket),
    /// And since when.
    Stream(Box<dyn Stream>, Instant),
}

/// TCP, or TLS over it.
trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

impl Syslog {
    pub(super) fn to(
        (transport, host, port): (Transport, &str, u16),
        tls: Option<Arc<ClientConfig>>,
        hostname: &str,
    ) -> Self {
        let hostname = header(hostname, 255);
        Self { transport, host: host.into(), port, tls, hostname, open: Open::Not }
    }

    pub(super) fn is_datagrams(&self) -> bool {
        match self.transport {
            Transport::Udp => true,
            Transport::Tcp | Transport::Tls => false,
        }
    }

    /// Sends what is left of a batch.
    pub(super) async fn send(&mut self, batch: &mut Batch) -> io::Result<()> {
        let sent = match self.transport {
            Transport::Udp => self.send_datagrams(batch).await,
            Transport::Tcp | Transport::Tls => self.send_stream(batch).await,
        };
        if sent.is_err() {
            self.open = Open::Not;
        }
        sent
    }

    async fn send_datagrams(&mut self, batch: &mut Batch) -> io::Result<()> {
        while let Some(record) = batch.rest().first() {
            let message = message(record, &self.hostname);
            self.socket().await?.send(message.as_bytes()).await?;
            batch.advance(1);
        }
        Ok(())
    }

    async fn socket(&mut self) -> io::Result<&UdpSocket> {
        if !matches!(self.open, Open::Datagrams(_)) {
            let address = self.resolve().await?;
            let any = if address.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
            let socket = UdpSocket::bind(any).await?;
            socket.connect(address).await?;
            self.open = Open::Datagrams(socket);
        }
        match &self.open {
            Open::Datagrams(socket) => Ok(socket),
            Open::Not | Open::Stream(..) => Err(ErrorKind::NotConnected.into()),
        }
    }

    async fn resolve(&self) -> io::Result<std::net::SocketAddr> {
        let mut found = tokio::net::lookup_host((&*self.host, self.port)).await?;
        found.next().ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the name has no address"))
    }

    async fn send_stream(&mut self, batch: &mut Batch) -> io::Result<()> {
        if !matches!(self.open, Open::Stream(..)) {
            self.open = Open::Stream(timed(self.connect()).await?, Instant::now());
        }
        let Open::Stream(stream, _) = &mut self.open else { return Err(ErrorKind::NotConnected.into()) };
        let frames = frames(batch.rest(), &self.hostname);
        timed(async {
            stream.write_all(&frames).await?;
            stream.flush().await
        })
        .await?;
        batch.advance(usize::MAX);
        Ok(())
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((&*self.host, self.port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(self.host.to_string()).map_err(io::Error::other)?;
        Ok(Box::new(TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?))
    }

    /// Since when the connection is open.
    pub(super) fn opened(&self) -> Option<Instant> {
        match self.open {
            Open::Stream(_, since) => Some(since),
            Open::Not | Open::Datagrams(_) => None,
        }
    }

    /// Whether the receiver has ended the connection that was open.
    pub(super) fn is_gone(&mut self) -> bool {
        let Open::Stream(stream, _) = &mut self.open else { return false };
        let is_gone = poll_end(stream, &mut Context::from_waker(Waker::noop())).is_ready();
        if is_gone {
            self.open = Open::Not;
        }
        is_gone
    }

    /// Waits until it has.
    pub(super) async fn gone(&mut self) {
        let Open::Stream(stream, _) = &mut self.open else { return pending().await };
        poll_fn(|context| poll_end(stream, context)).await;
        self.open = Open::Not;
    }

    /// Ends the connection in order, and gives whether the receiver has read everything. Where something of the receiver's
    /// is unread, such as tickets of its TLS, a system would break it instead, and the receiver lose what it has not read yet.
    pub(super) async fn close(&mut self) -> bool {
        let Open::Stream(mut stream, since) = std::mem::replace(&mut self.open, Open::Not) else {
            return false;
        };
        let ended = poll_fn(|context| poll_end(&mut stream, context));
        if timeout_at(since + YOUNG, ended).await.is_ok() {
            return false;
        }
        stream.shutdown().await.is_ok() && poll_fn(|context| poll_end(&mut stream, context)).await
    }
}

/// Ready when the connection has ended, with whether in order.
fn poll_end(stream: &mut Box<dyn Stream>, context: &mut Context<'_>) -> Poll<bool> {
    loop {
        let mut bytes = [0; 256];
        let mut answer = ReadBuf::new(&mut bytes);
        match ready!(Pin::new(&mut *stream).poll_read(context, &mut answer)) {
            Ok(()) if answer.filled().is_empty() => return Poll::Ready(true),
            // Whatever it says, syslog has no use for it.
            Ok(()) => {}
            // Some end TLS with their connection alone.
            Err(error) => return Poll::Ready(error.kind() == ErrorKind::UnexpectedEof),
        }
    }
}

async fn timed<T>(doing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, doing).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

/// `MSG-LEN SP SYSLOG-MSG` for each (RFC 5425 §4.3, RFC 6587 §3.4.1).
fn frames(records: &[Record], hostname: &str) -> Bytes {
    let mut frames = String::new();
    for record in records {
        let message = message(record, hostname);
        frames.push_str(&format!("{} {message}", message.len()));
    }
    frames.into()
}

/// RFC 5424 §6. The record is one line already, and the last part: nothing in it can end it.
fn message(record: &Record, hostname: &str) -> String {
    let priority = FACILITY * 8 + severity(record.severity);
    let (at, code) = (record.at, header(&record.code, 32));
    format!("<{priority}>1 {at:.6} {hostname} pinfold - {code} - {}", record.line)
}

/// RFC 5424 §6.2.1: critical, error, warning, notice, informational.
fn severity(severity: u64) -> u64 {
    match severity {
        ..21 => 6,
        21..47 => 5,
        47..73 => 4,
        73..99 => 3,
        99.. => 2,
    }
}

/// A header field holds printable ASCII without spaces (RFC 5424 §6).
fn header(text: &str, longest: usize) -> Box<str> {
    let text: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if text.is_empty() { "-".into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(line: &str) -> Record {
        Record {
            id: String::new(),
            line: line.to_owned(),
            at: "2026-11-23T06:30:00.123456Z".parse().unwrap(),
            code: "PF-1002".to_owned(),
            severity: 73,
        }
    }

    #[test]
    fn a_message_is_of_rfc_5424_and_a_frame_says_how_long_it_is_in_octets() {
        let expected = "<107>1 2026-11-23T06:30:00.123456Z gw1 pinfold - PF-1002 - é";
        assert_eq!(message(&record("é"), &header("gw 1\n", 255)), expected);
        let frames = frames(&[record("é"), record("two")], "gw1");
        let text = std::str::from_utf8(&frames).unwrap();
        assert!(text.starts_with(&format!("{} {expected}62 <107>1", expected.len())), "{text}");
    }

    #[test]
    fn a_header_cannot_hold_another_field() {
        assert_eq!(&*header("a b\u{e9}\n<1>1", 5), "ab<1>");
        assert_eq!(&*header(" \u{1b}\u{2028}", 255), "-");
    }
}
