//! One life of the gateway's process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};

use super::command;
use crate::{Event, eventually};

#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    complaints: watch::Receiver<String>,
    /// Unbounded, as the gateway must never wait for the test.
    pub(super) events: mpsc::UnboundedReceiver<Event>,
}

/// What the line `pinfold ready proxy=ADDR console=ADDR ca=FILE` says.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) proxy: SocketAddr,
    pub(super) console: Option<SocketAddr>,
    pub(super) ca: PathBuf,
}

impl Running {
    pub(super) async fn start(dir: &Path) -> (Self, Ready) {
        let mut child = command(dir)
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (ready, becomes_ready) = oneshot::channel();
        let (sender, events) = mpsc::unbounded_channel();
        let (hears, complaints) = watch::channel(String::new());
        tokio::spawn(hear_out(child.stdout.take().unwrap(), dir.to_path_buf(), ready, sender));
        tokio::spawn(hear_complaints(child.stderr.take().unwrap(), hears));
        let mut running = Self { child, complaints, events };
        let Ok(ready) = eventually("pinfold ready", becomes_ready).await else {
            let status = running.ended().await;
            panic!("pinfold ended before it was ready: {status}");
        };
        (running, ready)
    }

    pub(super) fn complaints(&self) -> String {
        self.complaints.borrow().clone()
    }

    /// Waits until it has said `text`.
    pub(super) async fn says(&mut self, text: &str) {
        let said = self.complaints.wait_for(|complaints| complaints.contains(text));
        eventually(&format!("'{text}' on standard error"), said).await.expect("the gateway ended without it");
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id().expect("the gateway still runs")
    }

    pub(super) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    pub(super) async fn ended(&mut self) -> ExitStatus {
        eventually("the end of pinfold", self.child.wait()).await.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let complaints = self.complaints();
            show(&format!("--- what pinfold said on standard error ---\n{complaints}--- end ---"));
        }
    }
}

#[expect(clippy::print_stderr, reason = "the test runner shows it with the failed test")]
fn show(text: &str) {
    eprintln!("{text}");
}

async fn hear_out(
    stdout: ChildStdout,
    dir: PathBuf,
    ready: oneshot::Sender<Ready>,
    events: mpsc::UnboundedSender<Event>,
) {
    let mut ready = Some(ready);
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(rest) = line.strip_prefix("pinfold ready ") {
            let waiting = ready.take().expect("pinfold is ready once");
            // Nobody waits any more where the test has failed meanwhile.
            drop(waiting.send(parse_ready(rest, &dir)));
        } else {
            drop(events.send(Event::parse(&line)));
        }
    }
}

fn parse_ready(rest: &str, dir: &Path) -> Ready {
    let (addresses, ca) = rest.split_once(" ca=").expect("the ready line names the CA file last");
    let value = |name: &str| addresses.split(' ').find_map(|word| word.strip_prefix(name));
    let proxy = value("proxy=").expect("the ready line names the proxy's address");
    let console = value("console=").expect("the ready line names the console, or none");
    let console = (console != "none").then(|| console.parse().unwrap());
    Ready { proxy: proxy.parse().unwrap(), console, ca: dir.join(ca) }
}

async fn hear_complaints(mut stderr: ChildStderr, complaints: watch::Sender<String>) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut bytes).await {
        complaints.send_modify(|complaints| complaints.push_str(&String::from_utf8_lossy(&bytes[..read])));
    }
}
