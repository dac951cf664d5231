//! The signals that end the gateway, and the one that has it read its files again.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Failure, cause};

/// SIGTERM and SIGINT: each drains. As they come.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Waits for the next one, and gives its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// SIGHUP, as it comes.
#[derive(Debug)]
pub(crate) struct HangUps(Signal);

impl HangUps {
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Self(listen(SignalKind::hangup())?))
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        self.0.recv().await;
    }
}

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::could_not(format!("cannot listen for signals: {}", cause(&error))))
}
