//! Programs that were started: what they have cost so far, what they hold, and on which CPUs they run.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Clock ticks of a second: <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>. The same on all of Linux's
/// platforms that this runs on.
const TICKS: f64 = 100.0;

/// Starts a program whose output goes to a file of its folder.
pub(crate) fn spawn(program: &Path, arguments: &[&str], dir: &Path) -> Child {
    let log = fs::File::create(dir.join("log")).expect("a log");
    Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// The same with this program, in another role.
pub(crate) fn spawn_self(role: &str, listen: SocketAddr, given: &[&str], dir: &Path) -> Child {
    let program = std::env::current_exe().expect("a path of its own");
    let listen = listen.to_string();
    spawn(&program, &[&["--as", role, "--listen", &listen], given].concat(), dir)
}

/// Waits until somebody listens.
pub(crate) async fn wait_for(address: SocketAddr, who: &str) {
    for _ in 0..1200 {
        if TcpStream::connect(address).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{who}: nobody listens at {address} after a minute");
}

/// Asks a program to end, and waits until it has.
pub(crate) async fn terminate(process: &mut Child) {
    if let Some(pid) = process.id() {
        crate::keys::run(Path::new("/"), "kill", &["-TERM", &pid.to_string()]);
    }
    let _ = tokio::time::timeout(Duration::from_secs(10), process.wait()).await;
    let _ = process.kill().await;
}

/// CPU seconds of processes and all their descendants, those that have ended included: by the nanosecond for those that
/// run, by the tick of a hundredth second for those that have ended.
pub(crate) fn cpu_seconds(roots: &[u32]) -> f64 {
    let of = |pid: &u32| {
        let ended = stat(*pid).map_or(0.0, |stat| stat.ticks_of_ended as f64 / TICKS);
        clock(*pid).unwrap_or_default().as_secs_f64() + ended
    };
    tree(roots).iter().map(of).sum()
}

/// The CPU time of all threads of a process, those that have ended included.
fn clock(pid: u32) -> Option<Duration> {
    let clock = ClockId::pid_cpu_clock_id(as_pid(pid)).ok()?;
    clock_gettime(clock).ok().map(Duration::from)
}

/// Memory of processes and all their descendants in KiB, what they share divided among those who share it: all of it, or
/// what stands in no file.
pub(crate) fn memory(roots: &[u32], what: Memory) -> u64 {
    let field = match what {
        Memory::All => "Pss:",
        Memory::Anonymous => "Pss_Anon:",
    };
    let of = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(field))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    tree(roots).iter().filter_map(of).sum()
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Memory {
    All,
    Anonymous,
}

/// Memory that stands in no file, once it no longer changes, or after ten seconds.
pub(crate) async fn settled_memory(roots: &[u32]) -> u64 {
    let mut last = memory(roots, Memory::Anonymous);
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = memory(roots, Memory::Anonymous);
        if now.abs_diff(last) <= 16 {
            return now;
        }
        last = now;
    }
    last
}

/// The CPUs that this program may use.
pub(crate) fn cpus() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).expect("an affinity");
    (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect()
}

/// Lets processes, their descendants and all threads of these run on some CPUs only.
pub(crate) fn pin(roots: &[u32], cpus: &[usize]) {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu).expect("a CPU");
    }
    for pid in tree(roots) {
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        let threads = threads.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        for thread in threads {
            // One that has just ended needs no CPU.
            let _ = sched_setaffinity(as_pid(thread), &set);
        }
    }
}

/// How many files this program, and so what it starts, may have open.
pub(crate) fn most_files() -> usize {
    let (most, _) =
        nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).expect("a limit");
    usize::try_from(most).unwrap_or(usize::MAX)
}

fn as_pid(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).expect("a process id"))
}

struct Stat {
    parent: u32,
    ticks_of_ended: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let parent = u32::try_from(number(1)?).ok()?;
    Some(Stat { parent, ticks_of_ended: number(13)? + number(14)? })
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
