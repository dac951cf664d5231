//! `pinfold demo`: the Comm100 incident of September 2022, replayed on loopback with a real gateway; or any other
//! documented one, at the pace of a moved clock.
//!
//! The vendor, the attacker and the computers of an office are stand-ins in this process; what is between them is
//! the gateway as `pinfold run` has it. Each sentence that the story marks with `ok` was observed, not assumed.

mod artifacts;
mod client;
mod gateway;
mod incidents;
mod origin;
mod replay;
mod settings;
mod stage;
mod story;
mod teller;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use rustls::crypto::CryptoProvider;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::demo::replay::Report;
use crate::demo::stage::Stage;
use crate::demo::story::Story;
use crate::demo::teller::Teller;
use crate::failure::Failure;
use crate::terminal::Terminal;

/// What is played.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoOptions {
    /// Replay this documented incident, or `all`: who receives what without a proxy, and under pinfold's rules.
    #[arg(long, value_name = "ID")]
    incident: Option<String>,
    /// Print a table for a page in Markdown.
    #[arg(long, requires = "incident", conflicts_with = "json")]
    markdown: bool,
}

/// Plays it. `true`: all of it came out as told, or as what is documented lets one expect.
pub(crate) async fn run(options: DemoOptions, terminal: &Terminal) -> Result<bool, Failure> {
    let stop = stop_on_signals()?;
    match options.incident {
        None => tell(terminal, stop).await,
        Some(id) => replayed(&id, options.markdown, terminal, stop).await,
    }
}

async fn replayed(
    id: &str,
    markdown: bool,
    terminal: &Terminal,
    stop: CancellationToken,
) -> Result<bool, Failure> {
    let incidents = incidents::chosen(id)?;
    let progress = progress();
    let played = replay::play(incidents, stop, |step, steps| {
        progress.set_length(steps);
        progress.set_position(step);
    });
    let report = Report(played.await.inspect_err(|_| progress.finish_and_clear())?);
    progress.finish_and_clear();
    if terminal.json {
        terminal.print_json(&report.json())?;
    } else if markdown {
        terminal.print(&report.markdown())?;
    } else {
        terminal.print(&report.text(terminal))?;
    }
    Ok(report.agrees())
}

/// Four steps are a day.
fn progress() -> ProgressBar {
    let progress = ProgressBar::new(0);
    let style =
        ProgressStyle::with_template("{spinner} six hours later: {human_pos}/{human_len}  {wide_bar}");
    if let Ok(style) = style {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_millis(100));
    progress
}

/// Plays the Comm100 incident from start to end. `true`: each step came out as told.
async fn tell(terminal: &Terminal, stop: CancellationToken) -> Result<bool, Failure> {
    let mut teller = Teller::new(terminal);
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
