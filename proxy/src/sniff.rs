//! Reads the first bytes of a stream until it is clear what its client speaks.

use bytes::{Bytes, BytesMut};
use pinfold_policy::opening::{Opening, opening};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Reads until it is clear what the client speaks. `read` then holds all bytes that were taken from the stream.
/// `None` when the stream ended first.
pub(crate) async fn sniff<S: AsyncRead + Unpin>(
    stream: &mut S,
    read: &mut BytesMut,
) -> std::io::Result<Option<Opening>> {
    loop {
        if let Some(opening) = opening(read) {
            return Ok(Some(opening));
        }
        // Bounded by `opening`, which decides at `MAX_HELLO` at the latest.
        if stream.read_buf(read).await? == 0 {
            return Ok(None);
        }
    }
}

/// The alert that ends a handshake for an unknown name (RFC 8446 §6: fatal, `unrecognized_name`).
pub(crate) const UNRECOGNIZED_NAME: Bytes = Bytes::from_static(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70]);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pinfold_policy::host::Host;
    use proptest::prelude::*;
    use rustls::crypto::aws_lc_rs;
    use rustls::pki_types::ServerName;
    use rustls::server::Acceptor;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    /// A ClientHello as rustls writes it.
    fn hello(name: &str) -> Vec<u8> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut wire = Vec::new();
        ClientConnection::new(Arc::new(config), name).unwrap().write_tls(&mut wire).unwrap();
        wire
    }

    /// The name that rustls reads, if it reads any.
    fn name_for_rustls(mut wire: &[u8]) -> Option<String> {
        let mut acceptor = Acceptor::default();
        while acceptor.read_tls(&mut wire).ok()? > 0 {
            if let Some(accepted) = acceptor.accept().ok()? {
                return accepted.client_hello().server_name().map(str::to_owned);
            }
        }
        None
    }

    /// The handshake message of a hello in one record, in records of these lengths and a last one for the rest.
    fn fragmented(wire: &[u8], lengths: &[usize]) -> Vec<u8> {
        let mut rest = wire.get(5..).unwrap();
        let mut fragments = Vec::new();
        for len in lengths {
            let (fragment, after) = rest.split_at(*len.min(&rest.len()));
            fragments.push(fragment);
            rest = after;
        }
        fragments.push(rest);
        let record = |fragment: &&[u8]| {
            let len = u16::try_from(fragment.len()).unwrap().to_be_bytes();
            [&[0x16, 3, 1], &len[..], fragment].concat()
        };
        fragments.iter().flat_map(record).collect()
    }

    #[test]
    fn rustls_and_pinfold_read_the_same_name() {
        let wire = hello("cdn.vendor.test");
        assert_eq!(name_for_rustls(&wire).as_deref(), Some("cdn.vendor.test"));
        assert_eq!(opening(&wire), Some(Opening::Tls(Some("cdn.vendor.test".into()))));
        assert_eq!(opening(&hello("192.0.2.1")), Some(Opening::Tls(None)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn wherever_rustls_reads_a_name_pinfold_reads_that_name_or_refuses(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            inserted in prop::option::of((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..6))),
            lengths in prop::collection::vec(0_usize..90, 0..8),
        ) {
            let mut wire = hello("cdn.vendor.test");
            if let Some((at, bytes)) = inserted {
                let at = at.index(wire.len());
                wire.splice(at..at, bytes);
            }
            let mut wire = fragmented(&wire, &lengths);
            for (at, byte) in changes {
                let at = at.index(wire.len());
                *wire.get_mut(at).unwrap() = byte;
            }
            if let Some(name) = name_for_rustls(&wire) {
                match opening(&wire) {
                    Some(Opening::UnreadableTls) => {}
                    // As a host: rustls leaves out the dot that may end a name, and so does whoever compares it.
                    Some(Opening::Tls(Some(read))) => prop_assert_eq!(Host::parse(&read), Host::parse(&name)),
                    other => prop_assert!(false, "rustls reads {name}, and this is {other:?}"),
                }
            }
        }
    }
}
