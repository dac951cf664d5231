//! `pinfold demo`: the whole incident, played by the real binary.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The binary, in an empty directory that is also where temporary files go. It must leave nothing there.
fn demo(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pinfold"));
    command.arg("demo").current_dir(dir).env("TMPDIR", dir).env_remove("PINFOLD_CONFIG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn is_empty(dir: &TempDir) -> bool {
    dir.path().read_dir().unwrap().next().is_none()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_story_comes_out_as_told_and_leaves_nothing_behind() {
    let dir = TempDir::new().unwrap();
    let output = demo(dir.path()).output().unwrap();
    let story = text(&output);
    assert!(output.status.success(), "{story}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(is_empty(&dir));
    assert!(story.contains("All 8 steps came out as told"), "{story}");
    assert!(!story.contains("FAILED"), "{story}");
    let verdicts = [
        "Pinfold-Verdict: quarantined; reason=digest-mismatch;",
        "Pinfold-Verdict: quarantined; reason=unpinned;",
        "Pinfold-Verdict: blocked; reason=unlisted-host;",
    ];
    for verdict in verdicts {
        assert!(story.contains(verdict), "no {verdict}\n{story}");
    }
    // It names what differs from the defaults.
    for setting in ["tls = \"intercept\"", "scripts = \"block\"", "name_constraints = false"] {
        assert!(story.lines().any(|line| line.trim() == setting), "no {setting}\n{story}");
    }
    // Nobody looks at it: no colour. And it fits.
    assert!(!story.contains('\u{1b}'), "{story}");
    for line in story.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn as_json_each_step_carries_its_checks() {
    let dir = TempDir::new().unwrap();
    let output = demo(dir.path()).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let steps: Vec<Value> = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!(steps.len(), 8);
    for (step, number) in steps.iter().zip(1..) {
        assert_eq!(step["step"], number);
        assert_eq!(step["ok"], true, "{step:#}");
        let checks = step["checks"].as_array().unwrap();
        assert!(!checks.is_empty() && checks.iter().all(|check| check["ok"] == true), "{step:#}");
    }
}

#[test]
fn two_demos_at_one_time_do_not_meet() {
    let dir = TempDir::new().unwrap();
    let running: Vec<_> = (0..2).map(|_| demo(dir.path()).spawn().unwrap()).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
    assert!(is_empty(&dir));
}

#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let dir = TempDir::new().unwrap();
        let mut child = demo(dir.path()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().starts_with("1. ")));
        kill_process(Pid::from_child(&child), signal).unwrap();
        for line in lines {
            line.unwrap();
        }
        let mut complaint = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        let status = child.wait().unwrap();
        assert!(is_empty(&dir), "{signal:?}");
        // A signal that comes when all is told changes nothing.
        match status.code() {
            Some(0) => assert_eq!(complaint, ""),
            code => {
                assert_eq!(code, Some(3), "{signal:?}: {status}");
                assert_eq!(complaint, "pinfold: error: the demo was interrupted; nothing of it is left\n");
            }
        }
    }
}

#[test]
fn a_demo_that_nobody_reads_any_more_leaves_nothing_behind() {
    let dir = TempDir::new().unwrap();
    let mut child = demo(dir.path()).spawn().unwrap();
    drop(child.stdout.take());
    child.wait().unwrap();
    assert!(is_empty(&dir));
}
