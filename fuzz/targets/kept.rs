//! A body that spills onto a medium which forgets, lies and fails: what is read again is what was pushed, or an error.
//!
//! The input is operations of two bytes each: what to do, and how much or where.

#![no_main]

use std::io;
use std::sync::{Arc, Mutex};

use libfuzzer_sys::fuzz_target;
use pinfold_policy::digest::Digests;
use pinfold_policy::held::Hold;
use pinfold_policy::kept::Medium;

fuzz_target!(|data: &[u8]| {
    let disk = Disk::default();
    let mut hold = Hold::new(u64::MAX, data.first().map(|first| u64::from(*first) * 64));
    let mut pushed = Vec::new();
    for operation in data.chunks_exact(2).take(64) {
        let [what, much] = *operation else { return };
        match what % 6 {
            0 | 1 => {
                let piece: Vec<u8> =
                    (0..usize::from(much) * 200).map(|at| (at as u8).wrapping_mul(what)).collect();
                hold.push(&piece).expect("within the limit");
                pushed.extend(piece);
            }
            2 => hold.spill_to(Box::new(disk.clone())),
            // Whoever flushes gives up when that fails; here it goes on, and must not come out with other bytes.
            3 => drop(hold.flush()),
            4 => disk.with(|disk| disk.fails = much & 1 == 1),
            _ => disk.with(|disk| disk.lie(what, much)),
        }
    }
    let Ok(held) = hold.finish(|_| None) else { return };
    assert_eq!(*held.digests(), Digests::of(&pushed), "measured otherwise than pushed");
    disk.with(|disk| disk.lie(data.len() as u8, data.first().copied().unwrap_or_default()));
    let kept = held.into_unverified();
    assert_eq!(kept.len(), pushed.len() as u64);
    let read: io::Result<Vec<_>> = kept.pieces().collect();
    if let Ok(pieces) = read {
        assert!(pieces.concat() == pushed, "other bytes came back");
    }
});

/// What stands on the medium, shared with whoever damages it.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    fails: bool,
}

impl State {
    fn lie(&mut self, what: u8, at: u8) {
        let place = usize::from(at) * self.bytes.len() / 256;
        match what % 4 {
            0 => self.bytes.truncate(place),
            1 => self.bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= at),
            2 => self.bytes.rotate_left(place),
            _ => {}
        }
    }
}

impl Disk {
    fn with(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().expect("nobody panics with it"));
    }
}

impl Medium for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().expect("nobody panics with it");
        if state.fails {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().expect("nobody panics with it");
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = state.bytes.get(start..).and_then(|rest| rest.get(..into.len()));
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}
