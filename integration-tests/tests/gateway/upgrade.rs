//! Files of an older format, which a start brings up to date.

use std::process::Stdio;

use pinfold_integration_tests::{eventually, gateway, pinfold};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

/// Makes a month of format 3, and keeps everybody else from writing to it until its standard input ends.
const MONTH: &str = "import sqlite3, sys
file = sqlite3.connect(sys.argv[1])
file.executescript('PRAGMA journal_mode = WAL;' + sys.argv[2])
file.execute('BEGIN IMMEDIATE')
print('held', flush=True)
sys.stdin.read()";

#[tokio::test]
async fn an_upgrade_says_what_it_does_and_ends_at_sigterm_and_goes_on_at_the_next_start() {
    let gateway = gateway().listen().await;
    gateway.terminate().await;
    let month = gateway.dir().join("pinfold-data/ledger/2024-05.db");
    let mut holder = Command::new("python3")
        .args(["-c", MONTH])
        .arg(&month)
        .arg(include_str!("../../../store/src/tests/format-3/ledger.sql"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert_eq!(eventually("the lock", said.next_line()).await.unwrap().as_deref(), Some("held"));

    let mut start = Command::new(pinfold());
    start.current_dir(gateway.dir()).args(["--config", "pinfold.toml", "run"]);
    let mut start = start.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut stderr = BufReader::new(start.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("2024-05.db: 0 MiB to bring from format 3 to 5") {
        line.clear();
        let read = eventually("the beginning of the upgrade", stderr.read_line(&mut line)).await;
        assert_ne!(read.unwrap(), 0, "it ended without a word of it");
    }
    let id = Pid::from_raw(i32::try_from(start.id().unwrap()).unwrap()).unwrap();
    kill_process(id, Signal::TERM).unwrap();
    let status = eventually("the end of the start", start.wait()).await.unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).await.unwrap();
    assert!(status.success() && rest.contains("SIGTERM: stopped before it was ready"), "{status}: {rest}");

    drop(holder.stdin.take());
    eventually("the end of the lock", holder.wait()).await.unwrap();
    gateway.start_again().await;
    gateway.says("2024-05.db: brought to format 5").await;
}
