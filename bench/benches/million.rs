//! A million pins, loaded as `pinfold run` loads them, with the look-alikes of their hosts: the clock, the CPU, and the
//! memory that stays.
//!
//! Criterion would load them a hundred times; five loads say it. `cargo bench --bench million -- 100000` takes fewer.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops where it cannot measure, and prints"
)]

use std::fs;
use std::time::{Duration, Instant};

use jiff::civil::date;
use pinfold_bench::{GATEWAY_TOML, cpu_time, pins_toml};
use pinfold_config::load;
use pinfold_policy::lookalike::Lookalikes;

const LOADS: usize = 5;

fn main() {
    let count = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::tempdir().expect("a folder");
    let gateway = dir.path().join("pinfold.toml");
    fs::write(&gateway, GATEWAY_TOML).expect("disk");
    fs::write(dir.path().join("pins.toml"), pins_toml(count)).expect("disk");

    let memory = proc_status("VmRSS:");
    let mut times = Vec::new();
    for _ in 0..LOADS {
        let (began, cpu) = (Instant::now(), cpu_time());
        let loaded = load(&gateway, date(2026, 11, 27)).expect("a right list");
        let watching = Instant::now();
        let lookalikes = Lookalikes::of(&loaded.config.rulebook);
        let (took, used) = (began.elapsed(), cpu_time() - cpu);
        drop(lookalikes);
        let pins = loaded.config.rulebook.pins.all().len();
        let watched = took.saturating_sub(watching.duration_since(began));
        println!(
            "{pins} pins: {took:.2?}, {used:.2?} of CPU; {watched:.2?} of it for what imitates their hosts"
        );
        if times.is_empty() {
            // Later ones find room that the first has left.
            let stays = proc_status("VmRSS:").saturating_sub(memory) * 1024 / count;
            println!("{stays} bytes of memory each");
        }
        times.push((took, used));
    }
    let (took, used) = (median(times.iter().map(|it| it.0)), median(times.iter().map(|it| it.1)));
    println!("median: {took:.2?}, {used:.2?} of CPU; at most {} MiB at a time", proc_status("VmHWM:") / 1024);
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A number of `/proc/self/status`, in KiB: what a process takes of memory the allocator does not say.
fn proc_status(key: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let value = status.lines().find_map(|line| line.strip_prefix(key));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
