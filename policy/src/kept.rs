//! Bytes that are kept while somebody decides about them: in memory, or on a [`Medium`] that is larger and slower.
//!
//! [`Keep`] hashes the very memory that it keeps. What it puts onto a medium it believes only as far as it can prove
//! it: each piece has a digest of its own, taken before the piece left memory, and is measured again when it is read.
//! So a [`Kept`] gives exactly the bytes that were pushed, or an error, whatever becomes of the medium.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use crate::digest::BodyId;

/// The length of a piece. Small bodies take one of their own size; large ones grow by this, so that nothing is ever
/// moved.
pub const PIECE: usize = 256 * 1024;
const FIRST_PIECE: usize = 16 * 1024;
/// On a medium pieces are smaller: a hold that spills because memory is short must not need much of it.
const SPILLED_PIECE: usize = 32 * 1024;

/// Where bytes go that are too many for memory: a file that nobody else can open, for the gateway.
pub trait Medium: fmt::Debug + Send + Sync {
    /// Writes `bytes` behind what was written before.
    ///
    /// # Errors
    /// Whatever keeps the bytes from being there; the body cannot be held then.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Reads exactly `into.len()` bytes from `offset`.
    ///
    /// # Errors
    /// Whatever keeps them from being read. Other bytes than were written need not be an error: they are noticed.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;
}

/// Takes bytes in order, hashes and keeps them.
#[derive(Debug)]
pub struct Keep {
    /// Complete pieces in memory, which come after those on the medium.
    full: Vec<Bytes>,
    current: BytesMut,
    len: u64,
    sha256: Sha256,
    spilled: Option<Spilled>,
}

#[derive(Debug)]
struct Spilled {
    medium: Box<dyn Medium>,
    pieces: Vec<Piece>,
    len: u64,
}

/// A piece on a medium.
#[derive(Clone, Debug)]
struct Piece {
    offset: u64,
    len: usize,
    sha256: [u8; 32],
}

impl Keep {
    /// Keeps nothing yet. `expected` is how much will come: a hint, never believed beyond one piece.
    #[must_use]
    pub fn new(expected: Option<u64>) -> Self {
        let first = expected.and_then(|len| usize::try_from(len).ok()).unwrap_or(FIRST_PIECE).clamp(1, PIECE);
        Self {
            full: Vec::new(),
            current: BytesMut::with_capacity(first),
            len: 0,
            sha256: Sha256::new(),
            spilled: None,
        }
    }

    /// Appends bytes. They are in memory until [`Keep::flush`].
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.len = self.len.saturating_add(bytes.len() as u64);
        self.sha256.update(bytes);
        while !bytes.is_empty() {
            let room = self.current.capacity() - self.current.len();
            if room == 0 {
                self.end_piece(if self.spilled.is_some() { SPILLED_PIECE } else { PIECE });
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.current.extend_from_slice(now);
            bytes = later;
        }
    }

    fn end_piece(&mut self, next: usize) {
        let piece = std::mem::replace(&mut self.current, BytesMut::with_capacity(next));
        if !piece.is_empty() {
            self.full.push(piece.freeze());
        }
    }

    /// How many bytes were pushed.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was pushed yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How much memory the bytes take that are not on a medium.
    #[must_use]
    pub fn in_memory(&self) -> u64 {
        let full: usize = self.full.iter().map(Bytes::len).sum();
        (full + self.current.capacity()) as u64
    }

    /// How many bytes are not on a medium yet.
    #[must_use]
    pub fn unflushed(&self) -> u64 {
        self.len - self.spilled.as_ref().map_or(0, |spilled| spilled.len)
    }

    /// Whether there is something for [`Keep::flush`] to do.
    #[must_use]
    pub fn waits_for_flush(&self) -> bool {
        self.spilled.is_some() && !self.full.is_empty()
    }

    /// Whether it puts its pieces onto a medium.
    #[must_use]
    pub fn is_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// From now on [`Keep::flush`] puts complete pieces onto `medium`, what is in memory already first.
    pub fn spill_to(&mut self, medium: Box<dyn Medium>) {
        if self.spilled.is_none() {
            self.end_piece(0);
            self.spilled = Some(Spilled { medium, pieces: Vec::new(), len: 0 });
        }
    }

    /// Moves complete pieces from memory onto the medium, if there is one. Blocks as long as the medium does.
    ///
    /// # Errors
    /// What the medium says. The bytes are not kept then.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(spilled) = &mut self.spilled else { return Ok(()) };
        self.full.drain(..).try_for_each(|piece| spilled.append(&piece))
    }

    /// Ends it: nothing comes any more. With a medium it blocks as [`Keep::flush`] does.
    ///
    /// # Errors
    /// What the medium says, or [`io::ErrorKind::InvalidData`] after a flush that failed.
    pub fn finish(mut self) -> io::Result<(Kept, BodyId)> {
        // Nobody counts the rest of a piece that was made for more.
        if self.current.len() < self.current.capacity() / 2 {
            self.current = BytesMut::from(&*self.current);
        }
        self.end_piece(0);
        self.flush()?;
        let place = match self.spilled {
            None => Place::Memory(self.full.into()),
            // A flush that failed took its pieces along.
            Some(spilled) if spilled.len != self.len => return Err(io::ErrorKind::InvalidData.into()),
            Some(spilled) => Place::Medium { medium: spilled.medium.into(), pieces: spilled.pieces.into() },
        };
        Ok((Kept { place, len: self.len, reservation: None }, BodyId(self.sha256.finalize().into())))
    }
}

impl Spilled {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.medium.append(bytes)?;
        let sha256 = Sha256::digest(bytes).into();
        self.pieces.push(Piece { offset: self.len, len: bytes.len(), sha256 });
        self.len += bytes.len() as u64;
        Ok(())
    }
}

/// Bytes that do not change any more. Clones share them.
#[derive(Clone, Debug)]
pub struct Kept {
    place: Place,
    len: u64,
    reservation: Option<Arc<dyn Any + Send + Sync>>,
}

#[derive(Clone, Debug)]
enum Place {
    Memory(Arc<[Bytes]>),
    Medium { medium: Arc<dyn Medium>, pieces: Arc<[Piece]> },
}

impl Kept {
    /// The same bytes, together with what must live as long as any clone of them does: their share of a budget. What they
    /// were reserved by before stays with them.
    #[must_use]
    pub fn reserved_by(mut self, reservation: Arc<dyn Any + Send + Sync>) -> Self {
        self.reservation = Some(match self.reservation.take() {
            Some(earlier) => Arc::new((earlier, reservation)),
            None => reservation,
        });
        self
    }

    /// The same bytes without that: for who counts them elsewhere.
    #[must_use]
    pub fn unreserved(&self) -> Self {
        Self { reservation: None, ..self.clone() }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether reading them may block: they are on a medium.
    #[must_use]
    pub fn is_spilled(&self) -> bool {
        match self.place {
            Place::Memory(_) => false,
            Place::Medium { .. } => true,
        }
    }

    /// The piece that begins at byte `offset`, or as much of a piece as comes after it; at most [`PIECE`] bytes, and
    /// none at the end. Blocks where the bytes are on a medium, and allocates then.
    ///
    /// # Errors
    /// What the medium says, or [`io::ErrorKind::InvalidData`] where it has other bytes than it was given.
    pub fn piece_at(&self, offset: u64) -> io::Result<Bytes> {
        let mut bytes = match &self.place {
            Place::Memory(pieces) => in_memory(pieces, offset),
            Place::Medium { medium, pieces } => {
                let after = pieces.partition_point(|piece| piece.offset <= offset);
                let Some(piece) = after.checked_sub(1).and_then(|at| pieces.get(at)) else {
                    return Ok(Bytes::new());
                };
                let mut bytes = piece.read(&**medium)?;
                let skipped = usize::try_from(offset - piece.offset).unwrap_or(usize::MAX);
                bytes.split_off(skipped.min(bytes.len()))
            }
        };
        bytes.truncate(usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    /// The first `len` bytes, or all where there are fewer.
    #[must_use]
    pub fn up_to(&self, len: u64) -> Self {
        Self { len: len.min(self.len), ..self.clone() }
    }

    /// Whether `bytes` are the ones from `offset` on, and no more than there are. Blocks as [`Kept::piece_at`] does.
    ///
    /// # Errors
    /// Those of [`Kept::piece_at`].
    pub fn has_at(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<bool> {
        while !bytes.is_empty() {
            let piece = self.piece_at(offset)?;
            let (now, later) = bytes.split_at(piece.len().min(bytes.len()));
            if now.is_empty() || !piece.starts_with(now) {
                return Ok(false);
            }
            offset += now.len() as u64;
            bytes = later;
        }
        Ok(true)
    }

    /// All pieces, one after the other; each is at most [`PIECE`] bytes. Blocks as [`Kept::piece_at`] does.
    pub fn pieces(&self) -> impl Iterator<Item = io::Result<Bytes>> + '_ {
        let mut offset = 0;
        std::iter::from_fn(move || {
            if offset >= self.len {
                return None;
            }
            let piece = self.piece_at(offset);
            offset = match &piece {
                Ok(bytes) if !bytes.is_empty() => offset + bytes.len() as u64,
                // Nothing more can be read: the error is the last item.
                Ok(_) | Err(_) => self.len,
            };
            Some(piece)
        })
    }
}

fn in_memory(pieces: &[Bytes], mut offset: u64) -> Bytes {
    for piece in pieces {
        match usize::try_from(offset) {
            Ok(skipped) if skipped < piece.len() => return piece.slice(skipped..),
            Ok(_) | Err(_) => offset -= piece.len() as u64,
        }
    }
    Bytes::new()
}

impl Piece {
    fn read(&self, medium: &dyn Medium) -> io::Result<Bytes> {
        let mut bytes = vec![0; self.len];
        medium.read_at(self.offset, &mut bytes)?;
        let found: [u8; 32] = Sha256::digest(&bytes).into();
        if found == self.sha256 {
            Ok(bytes.into())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "a held body changed while it was held"))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;

    /// A medium in memory that somebody else can write, too.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Shared(pub(crate) Arc<Mutex<Vec<u8>>>);

    impl Medium for Shared {
        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(())
        }

        fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
            let bytes = self.0.lock().unwrap();
            let from = bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
            let from = from.get(..into.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            into.copy_from_slice(from);
            Ok(())
        }
    }

    fn whole(kept: &Kept) -> Vec<u8> {
        kept.pieces().map(Result::unwrap).collect::<Vec<_>>().concat()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_was_pushed_is_what_is_kept(
            pushed in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60_000), 0..12),
            spills_after in prop::option::of(0usize..12),
            from in any::<prop::sample::Index>(),
        ) {
            let mut keep = Keep::new(None);
            for (at, bytes) in pushed.iter().enumerate() {
                if Some(at) == spills_after {
                    keep.spill_to(Box::new(Shared::default()));
                }
                keep.push(bytes);
                keep.flush().unwrap();
            }
            let all = pushed.concat();
            let (kept, id) = keep.finish().unwrap();
            prop_assert_eq!(id, BodyId::of(&[Bytes::from(all.clone())]));
            prop_assert_eq!(whole(&kept), all.clone());
            let from = from.index(all.len() + 1);
            let piece = kept.piece_at(from as u64).unwrap();
            prop_assert_eq!(piece.is_empty(), from == all.len());
            prop_assert!(all[from..].starts_with(&piece));

            prop_assert_eq!(whole(&kept.up_to(from as u64)), &all[..from]);
            prop_assert!(kept.has_at(from as u64, &all[from..]).unwrap());
            prop_assert!(!kept.has_at(from as u64, &[&all[from..], b"x"].concat()).unwrap());
            prop_assert!(from == 0 || !kept.up_to(from as u64 - 1).has_at(0, &all[..from]).unwrap());
            let mut other = all[from..].to_vec();
            if let Some(last) = other.last_mut() {
                *last ^= 1;
                prop_assert!(!kept.has_at(from as u64, &other).unwrap());
            }
        }
    }

    #[test]
    fn a_flush_that_failed_is_not_forgotten() {
        /// Fails the first time.
        #[derive(Debug, Default)]
        struct Recovering(Shared, bool);

        impl Medium for Recovering {
            fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
                if !std::mem::replace(&mut self.1, true) {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                self.0.append(bytes)
            }

            fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
                self.0.read_at(offset, into)
            }
        }

        let mut keep = Keep::new(None);
        keep.push(b"a piece that is lost");
        keep.spill_to(Box::<Recovering>::default());
        assert!(keep.flush().is_err());
        keep.push(b"and one that is not");
        assert!(keep.flush().is_ok());
        assert_eq!(keep.finish().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_medium_that_changed_is_noticed() {
        let medium = Shared::default();
        let mut keep = Keep::new(None);
        keep.spill_to(Box::new(medium.clone()));
        keep.push(&vec![7; 3 * PIECE]);
        let (kept, _) = keep.finish().unwrap();
        assert_eq!(whole(&kept), vec![7; 3 * PIECE]);

        medium.0.lock().unwrap()[2 * PIECE] = 8;

        let read: Vec<_> = kept.pieces().collect();
        assert_eq!(read.last().unwrap().as_ref().unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(read[0].is_ok());
    }

    #[test]
    fn memory_holds_one_piece_of_what_is_spilled() {
        let mut keep = Keep::new(None);
        keep.spill_to(Box::new(Shared::default()));
        for _ in 0..100 {
            keep.push(&[0; 100_000]);
            keep.flush().unwrap();
            assert!(keep.in_memory() <= SPILLED_PIECE as u64);
        }
    }

    #[test]
    fn an_announced_length_reserves_no_more_than_a_piece() {
        assert!(Keep::new(Some(u64::MAX)).in_memory() <= 2 * PIECE as u64);
    }

    #[test]
    fn what_is_kept_takes_about_as_much_memory_as_it_is_long() {
        for len in [0, 1, FIRST_PIECE + 1, PIECE, PIECE + FIRST_PIECE + 1] {
            let mut keep = Keep::new(None);
            keep.push(&vec![7; len]);
            let (kept, _) = keep.finish().unwrap();
            let Place::Memory(mut pieces) = kept.place else { panic!("it is in memory") };
            let pieces = Arc::get_mut(&mut pieces).unwrap().iter_mut().map(std::mem::take);
            let taken: usize = pieces.map(|piece| piece.try_into_mut().unwrap().capacity()).sum();
            assert!(taken <= 2 * len, "{taken} for {len}");
        }
    }

    #[test]
    fn a_reservation_lives_as_long_as_the_last_clone() {
        let reservation = Arc::new(());
        let (kept, _) = Keep::new(None).finish().unwrap();
        let kept = kept.reserved_by(reservation.clone());
        let other = kept.clone();
        drop(kept);
        assert_eq!(Arc::strong_count(&reservation), 2);
        drop(other);
        assert_eq!(Arc::strong_count(&reservation), 1);
    }
}
