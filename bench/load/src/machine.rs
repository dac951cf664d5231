//! Where something was measured, and what.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::running;

/// This machine, as far as figures depend on it.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    cpu: String,
    cpus: usize,
    memory_mib: u64,
    kernel: String,
    /// Of the last minute, before anything was started.
    load: String,
    files: usize,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let of = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned())).unwrap_or_default()
        };
        let kib = field(&of("/proc/meminfo"), "MemTotal");
        let kib: u64 = kib.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or_default();
        Self {
            cpu: field(&of("/proc/cpuinfo"), "model name"),
            cpus: running::cpus().len(),
            memory_mib: kib >> 10,
            kernel: of("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: of("/proc/loadavg").split_whitespace().next().unwrap_or_default().to_owned(),
            files: running::most_files(),
        }
    }

    pub(crate) fn markdown(&self) -> String {
        let Self { cpu, cpus, memory_mib, kernel, load, files } = self;
        format!(
            "{cpus} CPUs ({cpu}), {memory_mib} MiB, Linux {kernel}, load before {load}, {files} files each\n"
        )
    }

    pub(crate) fn json(&self) -> Value {
        let Self { cpu, cpus, memory_mib, kernel, load, files } = self;
        json!({ "cpu": cpu, "cpus": cpus, "memory_mib": memory_mib, "kernel": kernel, "load_before": load, "files": files })
    }
}

/// The commit that is checked out in the folder where this runs.
pub(crate) fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty", "--exclude=*"]).output();
    let text =
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if text.is_empty() { "of an unknown commit".to_owned() } else { format!("commit {text}") }
}
