//! A thread of its own for each output.
//!
//! A pipe that nobody empties, or a file system that hangs, stops a write for as long as it likes. That must stop
//! neither the exchanges nor the end of the program, which waits for tasks and blocking tasks but not for this thread.

use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::lines::{Lines, Unwritten};

/// The way to the thread, which ends when this is dropped.
pub(super) struct Writer {
    batches: mpsc::Sender<Batch>,
}

struct Batch {
    lines: Bytes,
    outcome: oneshot::Sender<Written>,
}

/// What became of lines.
pub(super) struct Written {
    /// How many of them need not be written again.
    pub(super) lines: usize,
    pub(super) outcome: io::Result<()>,
}

impl Writer {
    pub(super) fn to_file(path: &Path) -> io::Result<Self> {
        Self::start(Lines::to_file(path))
    }

    pub(super) fn to_stdout() -> io::Result<Self> {
        Self::start(Lines::Stdout)
    }

    fn start(mut target: Lines) -> io::Result<Self> {
        let (batches, incoming) = mpsc::channel::<Batch>();
        thread::Builder::new().name("siem".to_owned()).spawn(move || {
            for batch in incoming {
                let written = write(&mut target, &batch.lines);
                // Nobody waits any more when the gateway stops meanwhile; the events are then delivered again.
                let _ = batch.outcome.send(written);
            }
        })?;
        Ok(Self { batches })
    }

    pub(super) async fn write(&self, lines: Bytes) -> Written {
        let (outcome, written) = oneshot::channel();
        let sent = self.batches.send(Batch { lines, outcome }).is_ok();
        // Only a panic of the thread drops the sender.
        let written = if sent { written.await.ok() } else { None };
        let ended = || Written { lines: 0, outcome: Err(io::Error::other("the writing thread has ended")) };
        written.unwrap_or_else(ended)
    }
}

fn write(target: &mut Lines, lines: &[u8]) -> Written {
    let (done, outcome) = match target.append(lines) {
        Ok(()) => (lines.len(), Ok(())),
        Err(Unwritten { done, cause }) => (done, Err(cause)),
    };
    let written = lines.get(..done).unwrap_or(lines);
    Written { lines: written.iter().filter(|byte| **byte == b'\n').count(), outcome }
}
