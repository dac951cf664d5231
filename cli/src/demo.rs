//! `pinfold demo`: the Comm100 incident of September 2022, replayed on loopback with a real gateway.
//!
//! The vendor, the attacker and the computers of an office are stand-ins in this process; what is between them is
//! the gateway as `pinfold run` has it. Each sentence that the story marks with `ok` was observed, not assumed.

mod artifacts;
mod client;
mod gateway;
mod origin;
mod settings;
mod stage;
mod story;
mod teller;

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use rustls::crypto::CryptoProvider;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::demo::stage::Stage;
use crate::demo::story::Story;
use crate::demo::teller::Teller;
use crate::failure::Failure;
use crate::terminal::Terminal;

/// How the story is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DemoOptions {
    /// As JSON, when it is over.
    pub(crate) json: bool,
}

/// Plays the incident from start to end. `true`: each step came out as told.
pub(crate) async fn run(options: DemoOptions) -> Result<bool, Failure> {
    let stop = stop_on_signals()?;
    let terminal = Terminal::new(options.json);
    let mut teller = Teller::new(&terminal);
    let began = Instant::now();
    let mut stage = Stage::set(stop).await?;
    let played = Story::new(&mut stage, &mut teller).play().await;
    // Whatever happened: first the stage goes, then it is said.
    let struck = stage.strike().await;
    played?;
    struck?;
    teller.end(began.elapsed())?;
    Ok(teller.all_ok())
}

/// Is cancelled by Ctrl-C, SIGTERM, and the end of the terminal: the story then ends in good order.
fn stop_on_signals() -> Result<CancellationToken, Failure> {
    let listen = |kind| signal(kind).doing("listen for signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        stopping.cancel();
    });
    Ok(stop)
}

/// Says what was tried when something failed that should have worked whatever pinfold decides.
trait Doing<T> {
    fn doing(self, what: impl AsRef<str>) -> Result<T, Failure>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl AsRef<str>) -> Result<T, Failure> {
        self.map_err(|cause| Failure::could_not(format!("cannot {}: {}", what.as_ref(), cause.into())))
    }
}

fn interrupted() -> Failure {
    Failure::could_not("the demo was interrupted; nothing of it is left")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
