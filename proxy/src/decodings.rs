//! What vendors sent last. Where one sends the same bytes once more, they need not be decoded and encoded once more, and what
//! is in no coding need not be hashed: they mean what they meant. The body is taken from the shelf's memory, where it was
//! measured, and is judged anew. It counts as held, since the shelf may forget it while a client still reads.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::sync::Arc;

use pinfold_body::Codings;
use pinfold_policy::digest::BodyId;
use pinfold_policy::held::Held;
use pinfold_policy::kept::Keep;
use pinfold_policy::url::ArtifactUrl;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};
use tokio::task::consume_budget;

use crate::budget::Reservation;
use crate::incoming::Arriving;

/// Answers that are remembered.
const KNOWN: usize = 16 * 1024;

/// Wire bytes, by what they are known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wire {
    id: BodyId,
    len: u64,
}

impl Wire {
    /// Those of a body that came in no coding.
    pub(crate) fn of_plain(held: &Held) -> Self {
        Self { id: held.id(), len: held.len() }
    }
}

/// What each URL answered last in each coding.
pub(crate) struct Decodings {
    /// By a hash of both: where two share one, neither is found.
    known: Cache<u64, (Wire, BodyId)>,
    hasher: RandomState,
}

/// A body, the wire bytes that it was decoded from, and what is reserved for whichever of them is larger.
pub(crate) struct Expected {
    wire: Wire,
    held: Held,
    room: Reservation,
}

impl Decodings {
    pub(crate) fn new() -> Self {
        Self { known: Cache::new(KNOWN), hasher: RandomState::new() }
    }

    /// The wire bytes that a URL sent last in these codings, and the body that they are, if so many are announced now.
    pub(crate) fn expected(
        &self,
        url: &ArtifactUrl,
        codings: Codings,
        announced: Option<u64>,
    ) -> Option<(Wire, BodyId)> {
        self.known.get(&self.key(url, codings)).filter(|(wire, _)| announced == Some(wire.len))
    }

    /// Remembers what a URL sent in these codings.
    pub(crate) fn learn(&self, url: &ArtifactUrl, codings: Codings, wire: Wire, body: BodyId) {
        self.known.insert(self.key(url, codings), (wire, body));
    }

    fn key(&self, url: &ArtifactUrl, codings: Codings) -> u64 {
        self.hasher.hash_one((url.key(), codings))
    }
}

impl Expected {
    pub(crate) fn new(wire: Wire, held: Held, room: Reservation) -> Self {
        Self { wire, held, room }
    }

    /// The same, as long as the body could be decoded today as well: the limits may have changed since.
    pub(crate) fn within(self, max_body: u64, max_ratio: u64) -> Option<Self> {
        let len = self.held.len();
        (len <= max_body && len <= self.wire.len.saturating_mul(max_ratio)).then_some(self)
    }

    /// The body, if it is what arrives. Otherwise all that came is there to be read again.
    pub(crate) async fn arrives(mut self, body: &mut Arriving) -> io::Result<Option<Held>> {
        if !self.room.try_memory(self.wire.len.max(self.held.len())) {
            return Ok(None);
        }
        if self.wire.id == self.held.id() {
            self.arrives_plain(body).await
        } else {
            self.arrives_coded(body).await
        }
    }

    /// What is in no coding is compared with the body itself, so that nothing of it is hashed or kept.
    async fn arrives_plain(self, body: &mut Arriving) -> io::Result<Option<Held>> {
        let known = self.held.kept_for_quarantine();
        let mut same = 0;
        loop {
            match body.next().await {
                Some(Ok(bytes)) if known.has_at(same, &bytes)? => {
                    same += bytes.len() as u64;
                    // Bytes that are there already come without a pause: others have their turn too.
                    consume_budget().await;
                }
                Some(Ok(bytes)) => {
                    body.put_back(bytes);
                    break;
                }
                None if same == known.len() => return Ok(Some(self.held.reserved_by(Arc::new(self.room)))),
                // A failure comes again behind what was the same.
                Some(Err(_)) | None => break,
            }
        }
        body.unread(known.up_to(same).reserved_by(Arc::new(self.room)));
        Ok(None)
    }

    /// What is coded is copied as it comes: a frame of one byte can hold on to hundreds.
    async fn arrives_coded(self, body: &mut Arriving) -> io::Result<Option<Held>> {
        let mut keep = Keep::new(Some(self.wire.len));
        let (mut is_whole, mut beyond) = (false, None);
        loop {
            match body.next().await {
                Some(Ok(bytes)) if keep.len().saturating_add(bytes.len() as u64) > self.wire.len => {
                    beyond = Some(bytes);
                    break;
                }
                Some(Ok(bytes)) => keep.push(&bytes),
                // It comes again behind what was kept.
                Some(Err(_)) => break,
                None => {
                    is_whole = true;
                    break;
                }
            }
        }
        let (kept, id) = keep.finish()?;
        if is_whole && (Wire { id, len: kept.len() }) == self.wire {
            return Ok(Some(self.held.reserved_by(Arc::new(self.room))));
        }
        if let Some(bytes) = beyond {
            body.put_back(bytes);
        }
        body.unread(kept.reserved_by(Arc::new(self.room)));
        Ok(None)
    }
}

/// Wire bytes as they come.
#[derive(Debug, Default)]
pub(crate) struct Measuring {
    sha256: Sha256,
    len: u64,
}

impl Measuring {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.len = self.len.saturating_add(bytes.len() as u64);
    }

    pub(crate) fn finish(self) -> Wire {
        Wire { id: BodyId(self.sha256.finalize().into()), len: self.len }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use bytes::Bytes;
    use pinfold_policy::held::Hold;

    use super::*;
    use crate::budget::{Bounds, Budget};

    fn room(memory: u64) -> Reservation {
        let bounds = Bounds { memory, disk: 1 << 20, largest: 1 << 20 };
        Budget::new(bounds, Duration::from_millis(1)).reservation(IpAddr::from([10, 0, 0, 1]), "v".into())
    }

    fn held(text: &[u8]) -> Held {
        let mut hold = Hold::new(1000, None);
        hold.push(text).unwrap();
        hold.finish(|_| None).unwrap()
    }

    fn wire(bytes: &[u8]) -> Wire {
        let mut measured = Measuring::default();
        measured.update(bytes);
        measured.finish()
    }

    fn pieces(bytes: &'static [u8]) -> Arriving {
        Arriving::of(bytes.chunks(2).map(Bytes::from_static))
    }

    async fn rest(mut body: Arriving) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(bytes) = body.next().await {
            all.extend_from_slice(&bytes.unwrap());
        }
        all
    }

    #[tokio::test]
    async fn the_same_wire_bytes_are_the_same_body() {
        let expected = Expected::new(wire(b"coded"), held(b"plain"), room(1 << 20));
        let held = expected.arrives(&mut pieces(b"coded")).await.unwrap().unwrap();
        assert_eq!(held.id(), BodyId::of(&[Bytes::from_static(b"plain")]));
    }

    #[tokio::test]
    async fn the_same_plain_bytes_are_the_same_body() {
        let expected = Expected::new(wire(b"plain"), held(b"plain"), room(1 << 20));
        let held = expected.arrives(&mut pieces(b"plain")).await.unwrap().unwrap();
        assert_eq!(held.id(), BodyId::of(&[Bytes::from_static(b"plain")]));
    }

    #[tokio::test]
    async fn other_bytes_of_the_same_length_and_more_and_fewer_are_read_again_from_the_first_one() {
        for (known, others) in [
            (&b"coded"[..], [&b"codex"[..], b"xoded", b"coded and more", b"code", b""]),
            (b"plain", [b"plaix", b"xlain", b"plain and more", b"plai", b""]),
        ] {
            for other in others {
                let mut body = pieces(other);
                let expected = Expected::new(wire(known), held(b"plain"), room(1 << 20));
                assert!(expected.arrives(&mut body).await.unwrap().is_none());
                assert_eq!(rest(body).await, other);
            }
        }
    }

    #[tokio::test]
    async fn without_room_for_the_wire_or_the_body_nothing_is_taken_from_memory() {
        for (came, known) in [(&b"coded"[..], &b"body"[..]), (b"code", b"plain"), (b"plain", b"plain")] {
            let mut body = pieces(came);
            let expected = Expected::new(wire(came), held(known), room(4));
            assert!(expected.arrives(&mut body).await.unwrap().is_none());
            assert_eq!(rest(body).await, came);
        }
    }

    #[tokio::test]
    async fn a_body_that_a_client_reads_counts_as_held_though_the_shelf_forgets_it() {
        let budget = Budget::new(
            Bounds { memory: 1 << 20, disk: 1 << 20, largest: 1 << 20 },
            Duration::from_millis(1),
        );
        for came in [&b"coded"[..], b"plain"] {
            let room = budget.reservation(IpAddr::from([10, 0, 0, 1]), "v".into());
            let expected = Expected::new(wire(came), held(b"plain"), room);
            let read = expected.arrives(&mut pieces(came)).await.unwrap().unwrap();
            assert_eq!(budget.reserved().0, 5);
            drop(read);
            assert_eq!(budget.reserved().0, 0);
        }
    }

    #[test]
    fn a_body_that_today_would_be_too_large_or_unpacked_too_far_is_decoded_again() {
        let expected = || Expected::new(wire(b"coded"), held(&[0; 100]), room(1 << 20));
        assert!(expected().within(100, 20).is_some());
        assert!(expected().within(99, 20).is_none());
        assert!(expected().within(100, 19).is_none());
    }

    #[test]
    fn what_announces_another_length_or_none_or_comes_in_another_coding_is_not_expected() {
        let (decodings, url) = (Decodings::new(), ArtifactUrl::parse("https://v.test/a.js").unwrap());
        let gzip = Codings::from(pinfold_body::Coding::Gzip);
        let known = (wire(b"coded"), BodyId::of(&[Bytes::from_static(b"plain")]));
        decodings.learn(&url, gzip, known.0, known.1);
        assert_eq!(decodings.expected(&url, gzip, Some(5)), Some(known));
        assert_eq!(decodings.expected(&url, gzip, Some(6)), None);
        assert_eq!(decodings.expected(&url, gzip, None), None);
        let brotli = Codings::from(pinfold_body::Coding::Brotli);
        assert_eq!(decodings.expected(&url, brotli, Some(5)), None);
    }
}
