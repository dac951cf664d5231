//! Holding a guarded body: whole, decoded, within limits, or the reason why not.
//!
//! What is held is in memory up to `limits.memory_body`, and as long as its client and its vendor have a share of memory
//! left; beyond that it is on disk. Room is found before a window is opened and before a byte is written.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, header};
use pinfold_body::{Codings, DecodeLimits, Decoder, Peek, Pulled};
use pinfold_policy::digest::{BodyId, Digests};
use pinfold_policy::held::{Held, Hold, digests_of};
use pinfold_policy::kept::{Keep, Kept, Medium};
use pinfold_policy::kind::{MAGIC_LEN, could_become_magic};
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::Unmeasurable;
use tokio::task::spawn_blocking;

use crate::beginnings::{Beginnings, COMPARED};
use crate::budget::{NoRoom, Reservation};
use crate::decodings::{Expected, Measuring, Wire};
use crate::incoming::{Arriving, Cut};

/// Makes room on disk for one body. Blocks.
pub type Spill = Arc<dyn Fn() -> io::Result<Box<dyn Medium>> + Send + Sync>;

/// What every hold has from its beginning, whatever else there is: a piece that fills, and what comes before it is
/// written.
const WORKING_MEMORY: u64 = 96 * 1024;
/// What a body on disk takes of memory for as long as it may be read: a piece of it. Without it nothing would bound how
/// many files are open.
pub(crate) const READING_MEMORY: u64 = 32 * 1024;
/// Work on bodies of up to this many bytes is done where it comes up; on larger ones, on a thread for such work.
pub(crate) const INLINE: u64 = 32 * 1024;

/// Bounds on one hold.
#[derive(Clone, Debug)]
pub(crate) struct HoldLimits {
    pub(crate) max_body: u64,
    /// What is larger is not in memory.
    pub(crate) memory_body: u64,
    pub(crate) max_ratio: u64,
    /// Observe mode passes even what cannot be measured, as it came: the wire bytes are kept for that alone.
    pub(crate) keep_wire: bool,
}

/// Why there is no [`Held`].
#[derive(Debug)]
pub(crate) enum HoldError {
    /// It cannot be measured.
    Unmeasurable(Unmeasurable),
    /// The vendor fell silent in the middle.
    Timeout,
    /// There is no room for it.
    NoRoom,
    /// The disk does not take it, or does not give it back.
    Disk(io::Error),
    /// A bug.
    Internal,
}

impl HoldError {
    /// The reason of the exchange that it ends.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Unmeasurable(cause) => cause.reason(),
            Self::Timeout => Reason::UpstreamTimeout,
            Self::NoRoom => Reason::Overloaded,
            Self::Disk(error) => {
                tracing::error!(%error, "a body cannot be held on disk: it is refused");
                Reason::StoreUnavailable
            }
            Self::Internal => Reason::Internal,
        }
    }
}

impl From<NoRoom> for HoldError {
    fn from(_: NoRoom) -> Self {
        Self::NoRoom
    }
}

impl From<Unmeasurable> for HoldError {
    fn from(cause: Unmeasurable) -> Self {
        Self::Unmeasurable(cause)
    }
}

/// A hold that came to nothing.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: HoldError,
    /// The body as it came, if it was to be kept and cannot be measured.
    pub(crate) rest: Option<Unmeasured>,
}

/// A body that goes out as it came, from its first byte.
#[derive(Debug)]
pub(crate) struct Unmeasured {
    pub(crate) body: Arriving,
    /// What it could be known by: as far as it could be decoded, and as it came.
    pub(crate) digests: Vec<Digests>,
}

/// Where a hold finds room.
pub(crate) struct Room {
    pub(crate) reservation: Reservation,
    pub(crate) spill: Spill,
}

/// Holds a body to its end.
pub(crate) async fn hold(
    body: Arriving,
    codings: Codings,
    announced: Option<u64>,
    limits: &HoldLimits,
    room: Room,
    aliases: impl FnOnce(BodyId) -> Option<Digests> + Send + 'static,
) -> Result<Held, Failed> {
    Holding::new(codings, announced, limits, room).hold_all(body, aliases).await.map(|(held, _)| held)
}

/// The same for a body that may be the `expected` one: then it is the known one. Otherwise what came on the wire is
/// given too.
pub(crate) async fn hold_or_recall(
    mut body: Arriving,
    codings: Codings,
    announced: Option<u64>,
    limits: &HoldLimits,
    room: Room,
    aliases: impl FnOnce(BodyId) -> Option<Digests> + Send + 'static,
    expected: Option<Expected>,
) -> Result<(Held, Option<Wire>), Failed> {
    let expected = expected.and_then(|expected| expected.within(limits.max_body, limits.max_ratio));
    if let Some(expected) = expected {
        match expected.arrives(&mut body).await {
            Ok(Some(held)) => return Ok((held, None)),
            Ok(None) => {}
            Err(error) => return Err(Failed { error: HoldError::Disk(error), rest: None }),
        }
    }
    let mut holding = Holding::new(codings, announced, limits, room);
    holding.measured = (!codings.is_identity()).then(Measuring::default);
    // Boxed: what is the known one comes to no hold.
    let (held, coded) = Box::pin(holding.hold_all(body, aliases)).await?;
    let wire = coded.unwrap_or_else(|| Wire::of_plain(&held));
    Ok((held, Some(wire)))
}

/// Takes a body that will pass unverified, as it came, and says what it could be known by.
pub(crate) async fn unmeasured(
    mut body: Arriving,
    codings: Codings,
    announced: Option<u64>,
    limits: &HoldLimits,
    room: Room,
) -> Result<Unmeasured, HoldError> {
    let limits = HoldLimits { keep_wire: true, ..limits.clone() };
    let mut holding = Holding::new(codings, announced, &limits, room);
    match holding.take_all(&mut body).await {
        Ok(()) | Err(HoldError::Unmeasurable(_)) => holding.give_back(body).await.ok_or(HoldError::Internal),
        Err(error) => Err(error),
    }
}

/// A body that is arriving, and the room it takes.
struct Holding {
    hold: Hold,
    decoder: Decoder,
    /// The wire bytes, where they are to be kept and are not those of the body.
    wire: Option<Keep>,
    keeps_wire: bool,
    /// The wire bytes so far, where somebody asks what they are.
    measured: Option<Measuring>,
    room: Room,
    memory_body: u64,
}

impl Holding {
    fn new(codings: Codings, announced: Option<u64>, limits: &HoldLimits, room: Room) -> Self {
        let expected = announced.filter(|_| codings.is_identity());
        let decode = DecodeLimits { max_ratio: limits.max_ratio, max_encoded: limits.max_body };
        Self {
            hold: Hold::new(limits.max_body, expected),
            decoder: Decoder::new(codings, decode),
            wire: (limits.keep_wire && !codings.is_identity()).then(|| Keep::new(announced)),
            keeps_wire: limits.keep_wire,
            measured: None,
            room,
            memory_body: limits.memory_body,
        }
    }

    /// Gives what came on the wire too, if that is asked.
    async fn hold_all(
        mut self,
        mut body: Arriving,
        aliases: impl FnOnce(BodyId) -> Option<Digests> + Send + 'static,
    ) -> Result<(Held, Option<Wire>), Failed> {
        if let Err(error) = self.take_all(&mut body).await {
            let rest = self.give_back(body).await;
            return Err(Failed { error, rest });
        }
        let wire = self.measured.take().map(Measuring::finish);
        let held = self.finish(aliases).await.map_err(|error| Failed { error, rest: None })?;
        Ok((held, wire))
    }

    async fn take_all(&mut self, body: &mut Arriving) -> Result<(), HoldError> {
        self.room.reservation.memory(self.beginning()).await?;
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|cut| match cut {
                Cut::Truncated => HoldError::Unmeasurable(Unmeasurable::Truncated),
                Cut::Timeout => HoldError::Timeout,
            })?;
            if let Some(wire) = &mut self.wire {
                wire.push(&bytes);
            }
            if let Some(measured) = &mut self.measured {
                measured.update(&bytes);
            }
            let before = self.hold.len();
            if let Err(error) = self.take(&bytes).await {
                if self.keeps_wire && self.wire.is_none() {
                    let taken = usize::try_from(self.hold.len().saturating_sub(before)).unwrap_or(usize::MAX);
                    body.put_back(bytes.slice(taken.min(bytes.len())..));
                }
                return Err(error);
            }
        }
        Ok(self.decoder.finish()?)
    }

    async fn take(&mut self, mut wire: &[u8]) -> Result<(), HoldError> {
        while let Some(Pulled { taken, bytes }) = self.decoder.pull(wire)? {
            self.hold.push(bytes)?;
            wire = wire.get(taken..).unwrap_or_default();
            self.find_room().await?;
            // Bytes that are there already come without a pause: others have their turn too.
            tokio::task::consume_budget().await;
        }
        Ok(())
    }

    /// What a hold needs that has nothing yet, or whose bytes are on disk.
    fn beginning(&self) -> u64 {
        let keeps = 1 + u64::from(self.wire.is_some());
        keeps * WORKING_MEMORY + self.decoder.memory()
    }

    /// Finds room for what the last step took, and for what the next one will take.
    async fn find_room(&mut self) -> Result<(), HoldError> {
        if self.hold.is_empty() {
            self.room.reservation.memory_to_begin(self.beginning()).await?;
        } else {
            self.room.reservation.memory(self.beginning()).await?;
        }
        if !self.hold.keep().is_spilled() {
            let body = self.hold.keep().in_memory();
            let wire = self.wire.as_ref().map_or(0, Keep::in_memory);
            let all = (body + wire + self.decoder.memory()).max(self.beginning());
            if self.hold.len() <= self.memory_body && self.room.reservation.try_memory(all) {
                return Ok(());
            }
            self.spill().await?;
        }
        self.flush().await
    }

    async fn spill(&mut self) -> Result<(), HoldError> {
        let (spill, keeps_wire) = (Arc::clone(&self.room.spill), self.wire.is_some());
        let (body, wire) = blocking(move || {
            let body = spill()?;
            let wire = if keeps_wire { Some(spill()?) } else { None };
            Ok((body, wire))
        })
        .await?;
        self.hold.spill_to(body);
        if let (Some(keep), Some(medium)) = (&mut self.wire, wire) {
            keep.spill_to(medium);
        }
        Ok(())
    }

    /// Moves what is complete to disk, as soon as there is room for it.
    async fn flush(&mut self) -> Result<(), HoldError> {
        let body = self.hold.keep();
        let waiting = body.waits_for_flush() || self.wire.as_ref().is_some_and(Keep::waits_for_flush);
        if !waiting {
            return Ok(());
        }
        // With what is still filling: it follows soon.
        let reserved = self.room.reservation.disk();
        let wanted = body.len() + self.wire.as_ref().map_or(0, Keep::len);
        self.room.reservation.more_disk(wanted.saturating_sub(reserved)).await?;
        let mut hold = std::mem::replace(&mut self.hold, Hold::new(0, Some(0)));
        let mut wire = self.wire.take();
        (self.hold, self.wire) = blocking(move || {
            hold.flush()?;
            wire.as_mut().map_or(Ok(()), Keep::flush)?;
            Ok((hold, wire))
        })
        .await?;
        self.room.reservation.try_memory(self.beginning());
        Ok(())
    }

    async fn finish(
        mut self,
        aliases: impl FnOnce(BodyId) -> Option<Digests> + Send + 'static,
    ) -> Result<Held, HoldError> {
        let keep = self.hold.keep();
        let is_spilled = keep.is_spilled();
        if is_spilled {
            let wanted = keep.len().saturating_sub(self.room.reservation.disk());
            self.room.reservation.more_disk(wanted).await?;
        }
        let hold = self.hold;
        let held = if hold.len() <= INLINE && !is_spilled {
            hold.finish(aliases).map_err(HoldError::Disk)?
        } else {
            blocking(move || hold.finish(aliases)).await?
        };
        let in_memory = if is_spilled { READING_MEMORY } else { held.len() };
        self.room.reservation.try_memory(in_memory);
        Ok(held.reserved_by(Arc::new(self.room.reservation)))
    }

    /// The body with the wire bytes so far in front, for a client to whom it goes as it came.
    async fn give_back(self, mut body: Arriving) -> Option<Unmeasured> {
        let Self { hold, wire, keeps_wire, room, .. } = self;
        if !keeps_wire {
            return None;
        }
        let measuring = move || {
            let (mut kept, id) = hold.into_unmeasured().finish()?;
            let mut digests = vec![digests_of(&kept, id)?];
            if let Some(wire) = wire {
                let (as_it_came, id) = wire.finish()?;
                digests.push(digests_of(&as_it_came, id)?);
                kept = as_it_came;
            }
            Ok((kept, digests))
        };
        let (kept, digests) = blocking(measuring).await.ok()?;
        body.unread(kept.reserved_by(Arc::new(room.reservation)));
        Some(Unmeasured { body, digests })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, HoldError> {
    spawn_blocking(work).await.map_err(|_| HoldError::Internal)?.map_err(HoldError::Disk)
}

/// The first bytes of a body: decoded, and as they came, for clients that ignore the coding.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    pub(crate) decoded: Vec<u8>,
    pub(crate) wire: Vec<u8>,
    /// Some client may see other first bytes than these: nobody can say what the body begins with.
    pub(crate) is_hidden: bool,
}

impl Starts {
    /// The first bytes as a browser sees them: decoded, where the coding is one that is known.
    pub(crate) fn shown(&self) -> &[u8] {
        if self.decoded.is_empty() { &self.wire } else { &self.decoded }
    }
}

/// How much of the wire is read to see the first bytes, and in how many frames: one of a single byte can hold on to
/// hundreds. An honest coding needs some hundred bytes.
const LOOK_AHEAD: usize = 256 * 1024;
const LOOK_AHEAD_FRAMES: usize = 1024;

/// Reads as much of `body` as it takes to see its magic, and no more than could still matter; it stays to be read.
/// A body in codings that some client could undo and pinfold cannot, or will not, hides its start; so does one of which clients
/// could undo one coding alone.
///
/// # Errors
/// [`NoRoom`] when there is none for the decoder.
pub(crate) async fn look_at_start(
    body: &mut Arriving,
    headers: &HeaderMap,
    beginnings: &Beginnings,
    reservation: &mut Reservation,
) -> Result<Starts, NoRoom> {
    let codings = codings(headers).ok();
    let mut is_hidden = match codings {
        Some(codings) => codings.could_be_half_undone(),
        None => Codings::could_be_undone(content_encoding(headers)),
    };
    if let Some(codings) = codings.filter(|_| !is_hidden)
        && let Some(Ok(bytes)) = body.look_at(0).await
        && let Some(decoded) = beginnings.decoded(codings, &bytes)
    {
        return Ok(Starts {
            decoded,
            wire: bytes.iter().copied().take(MAGIC_LEN).collect(),
            is_hidden: false,
        });
    }
    let mut peek = codings.map(|codings| Peek::new(codings, MAGIC_LEN));
    let mut wire = Vec::with_capacity(MAGIC_LEN);
    let (mut read, mut frames) = (0, 0);
    while !is_hidden
        && (could_become_magic(&wire) || peek.as_ref().is_some_and(|peek| could_become_magic(peek.bytes())))
    {
        if read > LOOK_AHEAD || frames > LOOK_AHEAD_FRAMES {
            is_hidden = true;
            break;
        }
        let Some(Ok(bytes)) = body.look_at(frames).await else { break };
        frames += 1;
        read += bytes.len();
        wire.extend(bytes.iter().take(MAGIC_LEN - wire.len()));
        if let (Some(codings), Some(peek)) = (codings, &mut peek) {
            let (first, rest) = bytes.split_at(COMPARED.min(bytes.len()));
            is_hidden = !look_at(peek, first, reservation).await?;
            if frames == 1 {
                beginnings.learn(codings, first, peek.bytes());
            }
            is_hidden = is_hidden || !look_at(peek, rest, reservation).await?;
        }
    }
    let decoded = peek.take().map(|peek| peek.bytes().to_vec()).unwrap_or_default();
    reservation.try_memory(0);
    Ok(Starts { decoded, wire, is_hidden })
}

/// Whether the bytes could be decoded.
async fn look_at(peek: &mut Peek, mut wire: &[u8], reservation: &mut Reservation) -> Result<bool, NoRoom> {
    loop {
        reservation.memory_to_begin(peek.memory()).await?;
        match peek.step(wire) {
            Ok(Some(taken)) => wire = wire.get(taken..).unwrap_or_default(),
            Ok(None) => return Ok(true),
            Err(_) => return Ok(false),
        }
    }
}

fn content_encoding(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(header::CONTENT_ENCODING).iter().map(http::HeaderValue::as_bytes)
}

/// The codings that a response's head names.
pub(crate) fn codings(headers: &HeaderMap) -> Result<Codings, Unmeasurable> {
    Codings::parse(content_encoding(headers))
}

/// The length that a response's head announces.
pub(crate) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the pieces of a body that is kept, without blocking where it is on disk.
pub(crate) async fn piece_at(kept: &Kept, offset: u64) -> io::Result<Bytes> {
    if !kept.is_spilled() {
        return kept.piece_at(offset);
    }
    let kept = kept.clone();
    spawn_blocking(move || kept.piece_at(offset)).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Mutex;
    use std::time::Duration;

    use pinfold_body::Coding;

    use super::*;
    use crate::budget::{Bounds, Budget};

    #[derive(Debug, Default)]
    struct Memory(Mutex<Vec<u8>>);

    impl Medium for Memory {
        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(())
        }

        fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
            let offset = usize::try_from(offset).unwrap();
            into.copy_from_slice(&self.0.lock().unwrap()[offset..offset + into.len()]);
            Ok(())
        }
    }

    /// Holds 300 bytes in three pieces, at most `max_body` of them, in `codings`.
    async fn held_of(budget: &Arc<Budget>, limits: HoldLimits, codings: Codings) -> Result<Held, Failed> {
        let pieces = [[1; 100], [2; 100], [3; 100]].map(|piece| Bytes::copy_from_slice(&piece));
        let spill: Spill = Arc::new(|| Ok(Box::new(Memory::default())));
        let room = Room { reservation: budget.reservation(IpAddr::from([10, 0, 0, 1]), "a".into()), spill };
        hold(Arriving::of(pieces), codings, None, &limits, room, |_| None).await
    }

    fn budget(memory: u64) -> Arc<Budget> {
        Budget::new(Bounds { memory, disk: 1 << 20, largest: 1 << 20 }, Duration::from_millis(1))
    }

    const LIMITS: HoldLimits =
        HoldLimits { max_body: 150, memory_body: 1000, max_ratio: 200, keep_wire: true };

    #[tokio::test]
    async fn what_cannot_be_measured_is_there_from_its_first_byte_or_not_at_all() {
        for (keep_wire, memory_body) in [(true, 1000), (true, 10), (false, 1000)] {
            let limits = HoldLimits { keep_wire, memory_body, ..LIMITS };
            let failed =
                held_of(&budget(1 << 20), limits, Codings::from(Coding::Identity)).await.unwrap_err();
            assert_eq!(failed.error.reason(), Reason::BodyTooLarge);
            assert_eq!(failed.rest.is_some(), keep_wire);
            let Some(mut rest) = failed.rest else { continue };
            let mut all = Vec::new();
            while let Some(bytes) = rest.body.next().await {
                all.extend_from_slice(&bytes.unwrap());
            }
            assert_eq!(all, [[1; 100], [2; 100], [3; 100]].concat());
        }
    }

    /// What bodies of these wire bytes begin with.
    async fn start_of(wire: &[u8], coding: Coding, beginnings: &Beginnings) -> Starts {
        let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, coding.to_string().parse().unwrap())]);
        let mut reservation = budget(1 << 26).reservation(IpAddr::from([10, 0, 0, 1]), "a".into());
        let mut body = Arriving::of([Bytes::copy_from_slice(wire)]);
        let starts = look_at_start(&mut body, &headers, beginnings, &mut reservation).await.unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), wire, "it stays to be read");
        starts
    }

    #[tokio::test]
    async fn what_was_decoded_before_is_what_would_be_decoded_now() {
        // What no coding makes short.
        let noise: Vec<u8> =
            (0..500_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let beginnings = Beginnings::new();
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
            for start in [&b"\0asm\x01\0\0\0"[..], b"MZ\x90\0", b"var script"] {
                let body = Bytes::from([start, &noise].concat());
                let wire = pinfold_body::encode([Ok(body.clone())], body.len() as u64, coding, Vec::new());
                let wire = wire.unwrap();
                let cut = wire[..wire.len() - 1].to_vec();
                let mut broken = wire.clone();
                broken[1] ^= 0xff;
                for wire in [&wire, &wire, &cut, &broken] {
                    let known = start_of(wire, coding, &beginnings).await;
                    let anew = start_of(wire, coding, &Beginnings::new()).await;
                    assert_eq!(known.decoded, anew.decoded, "{coding}");
                    assert_eq!((known.wire, known.is_hidden), (anew.wire, anew.is_hidden), "{coding}");
                }
                // The others decode whole blocks.
                if matches!(coding, Coding::Gzip | Coding::Deflate) {
                    let remembered = beginnings.decoded(coding.into(), &wire);
                    assert_eq!(remembered.as_deref(), body.get(..MAGIC_LEN), "{coding}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_beginning_that_shows_too_little_of_a_body_is_not_remembered() {
        let beginnings = Beginnings::new();
        let wire = [7; COMPARED + 1];
        let gzip = Codings::from(Coding::Gzip);
        beginnings.learn(gzip, &wire, b"sixteen bytes of");
        assert_eq!(beginnings.decoded(gzip, &wire), None);
        beginnings.learn(gzip, &wire[..COMPARED - 1], b"seventeen bytes o");
        assert_eq!(beginnings.decoded(gzip, &wire[..COMPARED - 1]), None);
        beginnings.learn(gzip, &wire, b"seventeen bytes o");
        assert_eq!(beginnings.decoded(gzip, &wire).as_deref(), Some(&b"seventeen bytes o"[..]));
        assert_eq!(beginnings.decoded(gzip, &wire[..COMPARED]).as_deref(), Some(&b"seventeen bytes o"[..]));
        assert_eq!(beginnings.decoded(Codings::from(Coding::Deflate), &wire), None);
    }

    #[tokio::test]
    async fn held_bodies_on_disk_are_no_more_than_there_is_memory_to_read_them() {
        let limits = HoldLimits { max_body: 1000, memory_body: 10, ..LIMITS };
        let budget = budget(16 * READING_MEMORY);
        let mut held = Vec::new();
        let error = loop {
            match held_of(&budget, limits.clone(), Codings::from(Coding::Identity)).await {
                Ok(one) => held.push(one),
                Err(failed) => break failed.error,
            }
            assert!(held.len() <= 4, "nothing bounds how many files are open");
        };
        assert_eq!((error.reason(), held.is_empty()), (Reason::Overloaded, false));
    }
}
