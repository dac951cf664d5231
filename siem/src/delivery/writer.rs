//! A thread of its own for each output.
//!
//! A pipe that nobody empties, or a file system that hangs, stops a write for as long as it likes. That must stop
//! neither the exchanges nor the end of the program, which waits for tasks and blocking tasks but not for this thread.

use std::io;
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::lines::{Lines, Unwritten};
use crate::output::Target;

/// The way to the thread, which ends when this is dropped.
pub(super) struct Writer {
    batches: mpsc::Sender<Batch>,
}

struct Batch {
    lines: Bytes,
    outcome: oneshot::Sender<Result<(), Remaining>>,
}

/// A batch that was not, or not wholly, written.
pub(super) struct Remaining {
    /// The lines that are still to be written.
    pub(super) lines: Bytes,
    pub(super) cause: io::Error,
}

impl Writer {
    pub(super) fn start(target: &Target) -> io::Result<Self> {
        let (batches, incoming) = mpsc::channel::<Batch>();
        let mut target = Lines::to(target);
        thread::Builder::new().name("siem".to_owned()).spawn(move || {
            for batch in incoming {
                let outcome = write(&mut target, &batch.lines);
                // Nobody waits any more when the gateway stops meanwhile; the events are then delivered again.
                let _ = batch.outcome.send(outcome);
            }
        })?;
        Ok(Self { batches })
    }

    pub(super) async fn write(&self, lines: Bytes) -> Result<(), Remaining> {
        let (outcome, written) = oneshot::channel();
        let batch = Batch { lines: lines.clone(), outcome };
        let sent = self.batches.send(batch).is_ok();
        // Only a panic of the thread drops the sender.
        let Some(outcome) = (if sent { written.await.ok() } else { None }) else {
            return Err(Remaining { lines, cause: io::Error::other("the writing thread has ended") });
        };
        outcome
    }
}

fn write(target: &mut Lines, lines: &Bytes) -> Result<(), Remaining> {
    target
        .append(lines)
        .map_err(|Unwritten { done, cause }| Remaining { lines: lines.slice(done.min(lines.len())..), cause })
}
