//! Programs that were started: what they have cost so far, and what they hold.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::Child;

/// Clock ticks of a second: <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>. The same on all of Linux's
/// platforms that this runs on.
const TICKS: f64 = 100.0;

/// Waits until somebody listens.
pub(crate) async fn wait_for(address: SocketAddr) {
    for _ in 0..600 {
        if TcpStream::connect(address).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nobody listens at {address} after half a minute");
}

/// Asks a program to end, and waits until it has.
pub(crate) async fn terminate(process: &mut Child) {
    if let Some(pid) = process.id() {
        crate::keys::run(std::path::Path::new("/"), "kill", &["-TERM", &pid.to_string()]);
    }
    let _ = tokio::time::timeout(Duration::from_secs(10), process.wait()).await;
    let _ = process.kill().await;
}

/// CPU seconds of processes and all their descendants, those that have ended included.
pub(crate) fn cpu_seconds(roots: &[u32]) -> f64 {
    let ticks: u64 = tree(roots).iter().filter_map(|pid| stat(*pid)).map(|stat| stat.ticks).sum();
    ticks as f64 / TICKS
}

/// Memory of processes and all their descendants in KiB, what they share divided among those who share it.
pub(crate) fn memory(roots: &[u32]) -> u64 {
    let of = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    tree(roots).iter().filter_map(of).sum()
}

struct Stat {
    parent: u32,
    ticks: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Stat { parent: u32::try_from(number(1)?).ok()?, ticks })
}

fn tree(roots: &[u32]) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let pids = fs::read_dir("/proc")
        .expect("a Linux with /proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids {
        if let Some(stat) = stat(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut all = roots.to_vec();
    let mut at = 0;
    while let Some(pid) = all.get(at) {
        all.extend(children.get(pid).into_iter().flatten());
        at += 1;
    }
    all
}
