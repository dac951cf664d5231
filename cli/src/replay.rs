//! `pinfold replay`: what the files as they are would have done to recorded traffic: whom they would refuse what.
//!
//! Reads only, beside a gateway that runs and without one, and asks nobody: the ledger has the digest of each body.

mod json;
mod judge;
mod report;
mod table;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use pinfold_config::Loaded;
use pinfold_policy::policy::{Policy, Rulebook};
use pinfold_store::{Store, StoreError, Traffic};

use self::judge::Judge;
use self::report::{Question, Report};
use crate::Found;
use crate::configuration::Configuration;
use crate::failure::Failure;
use crate::terminal::Terminal;
use crate::window;
use crate::words::counted;

/// Which traffic. Times are in UTC.
#[derive(Debug, Default, Args)]
pub(crate) struct ReplayOptions {
    /// The first moment: 2026-11-23, 2026-11-23T14:05, 2026-11-23T14:05:00+01:00, or so long ago: 7d, 12h, 30m.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The last moment, likewise; a day counts to its end.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// Judges what was recorded by today's files and decisions, and prints what would be another verdict.
pub(crate) async fn run(
    configuration: &Configuration,
    options: ReplayOptions,
    terminal: &Terminal,
) -> Result<Found, Failure> {
    let now = Timestamp::now();
    let (since, until) =
        window::read(window::Names::default(), options.since.as_deref(), options.until.as_deref(), now)?;
    let Loaded { config, warnings } = configuration.load()?;
    if !terminal.json {
        terminal.show_warnings(&warnings);
    }
    let question = Question { files: configuration.name(), since, until, now };
    let report = match Store::open_beside(&config.data_dir).await {
        Ok(store) => {
            let done = judge(&store, config.rulebook, question).await;
            store.close().await?;
            done?
        }
        // Nothing was recorded, and that is what there is to say.
        Err(StoreError::Absent { .. }) => Report::new(question, Traffic::default()),
        Err(error) => return Err(error.into()),
    };
    if terminal.json {
        terminal.print_json(&json::render(&report))?;
    } else {
        terminal.print(&table::render(&report, terminal))?;
    }
    Ok(if report.refuses() { Found::Something } else { Found::Nothing })
}

async fn judge(store: &Store, rules: Rulebook, question: Question) -> Result<Report, Failure> {
    let progress = progress();
    let done = judge_all(store, rules, question, &progress).await;
    progress.finish_and_clear();
    done
}

async fn judge_all(
    store: &Store,
    rules: Rulebook,
    question: Question,
    progress: &ProgressBar,
) -> Result<Report, Failure> {
    let reading = |month: &str| progress.set_message(format!("reading {month}"));
    let traffic = store.traffic(question.since, question.until, reading).await?;
    progress.set_message(format!("judging {}", counted(traffic.exchanges.len(), "row")));
    let decisions = Arc::clone(&store.decisions().borrow());
    let mut judge = Judge::new(Policy::new(Arc::new(rules), decisions), store, question.now).await?;
    let mut report = Report::new(question, traffic);
    report.judge(&mut judge).await?;
    Ok(report)
}

/// Draws only where standard error is a terminal.
fn progress() -> ProgressBar {
    let progress = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_millis(100));
    progress
}
