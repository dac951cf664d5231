//! What is measured, each part with a table or more of its own.

mod cpus;
mod growth;
mod idle;
mod requests;
mod tunnel;

use std::path::Path;

use crate::client::Failure;
use crate::origin::Origin;
use crate::proxies::{Kind, Proxy};
use crate::report::Report;

pub(crate) use self::cpus::cpus;
pub(crate) use self::growth::{connections, pins};
pub(crate) use self::idle::{idle, resident};
pub(crate) use self::requests::{KNOWN_NAMES, known_names, requests};
pub(crate) use self::tunnel::tunnel;

/// How much is done, and with what.
pub(crate) struct Bench<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) origin: &'a Origin,
    pub(crate) kinds: &'a [Kind],
    pub(crate) rounds: usize,
    /// Of the requests of a full run.
    pub(crate) share: f64,
    pub(crate) is_full: bool,
}

/// Of another proxy a part may be missing, where it does not answer in time: the report says so. All else stops the bench.
fn unless_late<T>(report: &mut Report, kind: Kind, row: &str, done: Result<T, Failure>) -> Option<T> {
    match done {
        Ok(done) => Some(done),
        Err(failure @ Failure::TimedOut(_)) if kind.is_other_proxy() => {
            report.missing(format!("{}, {row}: {failure}", kind.name()));
            None
        }
        Err(failure) => panic!("{}, {row}: {failure}", kind.name()),
    }
}

/// What a run cost, per 1,000 requests.
fn per_1000(cpu: f64, requests: usize) -> f64 {
    cpu * 1000.0 / requests as f64
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Starts a proxy of which nothing was asked before.
async fn fresh(bench: &Bench<'_>, name: &str, kind: Kind) -> Proxy {
    let dir = bench.dir.join(name);
    std::fs::create_dir_all(&dir).expect("a folder");
    kind.start(&dir, bench.origin).await
}
