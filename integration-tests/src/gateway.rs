//! The gateway under test: the real binary, its files in a directory of its own, its events as they appear.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex as Lock;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::{Event, Resolver, Vendor, eventually, origin_root_pem};

mod binary;
mod console;
mod files;
mod process;

pub use binary::pinfold;
pub(crate) use binary::target_dir;
pub use console::Shown;
pub use files::{Pin, Rule};

use files::Files;
use process::{Ready, Running};

/// A gateway that enforces, knows no vendor yet, and prints every event on its standard output.
#[must_use]
pub fn gateway() -> GatewayBuilder {
    GatewayBuilder { files: Files::new() }
}

/// A gateway before it listens.
#[derive(Debug)]
pub struct GatewayBuilder {
    files: Files,
}

impl GatewayBuilder {
    /// Claims a vendor's host, and makes the vendor reachable. It is asked on every request, so that each answer of the
    /// gateway is about what the vendor serves then; [`GatewayBuilder::rule`] leaves the shelf at work.
    #[must_use]
    pub fn vendor(self, vendor: &Vendor) -> Self {
        self.rule(vendor, Rule::default().set("recheck", "always"))
    }

    /// Claims a vendor's host with this rule, and makes the vendor reachable.
    #[must_use]
    pub fn rule(mut self, vendor: &Vendor, rule: Rule) -> Self {
        self.files.claim(vendor, &rule);
        self.reach(vendor)
    }

    /// Makes an origin reachable that no `[[vendor]]` claims.
    #[must_use]
    pub fn reach(mut self, origin: &Vendor) -> Self {
        self.files.set("egress.resolve", origin.host(), origin.address().to_string().into());
        self
    }

    /// Resolves names with this name server, and no other.
    #[must_use]
    pub fn resolver(mut self, resolver: &Resolver) -> Self {
        self.files.ask(resolver);
        self
    }

    /// Pins a URL to a digest.
    #[must_use]
    pub fn pin(self, url: impl Into<String>, digest: impl Into<String>) -> Self {
        self.pinned(Pin::new(url).digest(digest))
    }

    /// Pins as told in full.
    #[must_use]
    pub fn pinned(mut self, pin: Pin) -> Self {
        self.files.pin(&pin);
        self
    }

    /// Forgets all pins and revocations.
    #[must_use]
    pub fn without_pins(mut self) -> Self {
        self.files.forget_pins();
        self
    }

    /// Revokes a digest.
    #[must_use]
    pub fn revoke(mut self, digest: impl AsRef<str>) -> Self {
        self.files.revoke(digest.as_ref());
        self
    }

    /// Sends events somewhere else too. `keys` are what the block says besides.
    #[must_use]
    pub fn siem(mut self, to: &str, keys: &[(&str, &str)]) -> Self {
        self.files.siem(to, keys);
        self
    }

    /// Writes a file that only its owner can read beside `pinfold.toml`.
    #[must_use]
    pub fn secret(mut self, name: &str, contents: &str) -> Self {
        self.files.secret(name, contents);
        self
    }

    /// Asks clients for a name and a password. The blocks of `users.toml` follow from the triples of name, PHC string of
    /// the password, and role.
    #[must_use]
    pub fn users(mut self, users: &[(&str, &str, &str)]) -> Self {
        self.files.users(users);
        self
    }

    /// Opens a console, and lets these sign in there: triples as in [`GatewayBuilder::users`].
    #[must_use]
    pub fn reviewers(mut self, users: &[(&str, &str, &str)]) -> Self {
        self.files.reviewers(users);
        self
    }

    /// Sets a key at the top of `pinfold.toml`.
    #[must_use]
    pub fn set(self, key: &str, value: impl Into<Value>) -> Self {
        self.set_in("", key, value)
    }

    /// Sets a key of a table of `pinfold.toml`, such as `limits`.
    #[must_use]
    pub fn set_in(mut self, table: &str, key: &str, value: impl Into<Value>) -> Self {
        self.files.set(table, key, value.into());
        self
    }

    /// Writes the files and waits until it is ready.
    pub async fn listen(self) -> Gateway {
        let dir = tempfile::Builder::new().prefix("pinfold-test-").tempdir().unwrap();
        self.files.write(dir.path());
        let (running, ready) = Running::start(dir.path()).await;
        Gateway { dir, files: self.files, ready: Lock::new(ready), running: Mutex::new(running) }
    }

    /// Writes the files into a directory without starting anything.
    pub fn write(&self, dir: &Path) {
        self.files.write(dir);
    }
}

/// A gateway that runs, or ran, in its directory. It is killed when this is dropped; where that happens because a test
/// failed, its standard error is shown.
#[derive(Debug)]
pub struct Gateway {
    dir: TempDir,
    files: Files,
    ready: Lock<Ready>,
    running: Mutex<Running>,
}

impl Gateway {
    /// The most memory that it has taken so far, in bytes (`VmHWM` of proc(5)).
    pub async fn peak_memory(&self) -> u64 {
        let pid = self.running.lock().await.id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Where clients reach it.
    #[must_use]
    pub fn proxy(&self) -> SocketAddr {
        self.ready.lock().unwrap().proxy
    }

    /// Where its console is, if it has one.
    #[must_use]
    pub fn console(&self) -> Option<SocketAddr> {
        self.ready.lock().unwrap().console
    }

    /// The file of the root that clients trust.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.ready.lock().unwrap().ca.clone()
    }

    /// Its directory: `pinfold.toml`, `pins.toml`, `pinfold-data`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The next event that it prints, but for those of the gateway's own life, those that come once a minute, and that of a new
    /// item, which may come before the exchange that made it or behind.
    pub async fn next_event(&self) -> Event {
        loop {
            let event = self.any_event().await;
            if !is_aside(&event) {
                return event;
            }
        }
    }

    async fn any_event(&self) -> Event {
        let mut running = self.running.lock().await;
        eventually("an event", running.events.recv()).await.expect("the gateway ended and has no more events")
    }

    /// The next event about a URL; the others before it are dropped.
    pub async fn event_of(&self, url: &str) -> Event {
        loop {
            let event = self.next_event().await;
            if event.url() == Some(url) {
                return event;
            }
        }
    }

    /// The next event of this `event.action`; the others before it are dropped.
    pub async fn event_called(&self, action: &str) -> Event {
        loop {
            let event = self.any_event().await;
            if event.text("event.action") == Some(action) {
                return event;
            }
        }
    }

    /// The events that it has printed and nobody has taken, after its end, but for those of its own life and those that come
    /// once a minute.
    pub async fn rest_of_events(&self) -> Vec<Event> {
        let mut rest = self.every_event().await;
        rest.retain(|event| !is_of_its_life(event) && !is_of_the_minute(event));
        rest
    }

    /// All events that it has printed and nobody has taken, after its end.
    pub async fn every_event(&self) -> Vec<Event> {
        let mut running = self.running.lock().await;
        let mut rest = Vec::new();
        while let Some(event) = eventually("the end of the events", running.events.recv()).await {
            rest.push(event);
        }
        rest
    }

    /// What it has said on standard error so far.
    pub async fn complaints(&self) -> String {
        self.running.lock().await.complaints()
    }

    /// Waits until it has said this on standard error.
    pub async fn says(&self, text: &str) {
        self.running.lock().await.says(text).await;
    }

    /// Runs another command of the same binary with the same `pinfold.toml`.
    pub async fn command(&self, args: &[&str]) -> Output {
        run(self.dir.path(), args).await
    }

    /// Asks it to read its files again, with SIGHUP.
    pub async fn hang_up(&self) {
        self.running.lock().await.signal(rustix::process::Signal::HUP);
    }

    /// Asks it to drain, with SIGTERM, and leaves it to that.
    pub async fn begin_termination(&self) {
        self.running.lock().await.signal(rustix::process::Signal::TERM);
    }

    /// Waits for its end.
    pub async fn ended(&self) -> ExitStatus {
        self.running.lock().await.ended().await
    }

    /// Asks it to drain, with SIGTERM, and waits for its end.
    pub async fn terminate(&self) -> ExitStatus {
        self.begin_termination().await;
        self.ended().await
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    pub async fn kill(&self) {
        let mut running = self.running.lock().await;
        running.signal(rustix::process::Signal::KILL);
        running.ended().await;
    }

    /// Starts it again in the same directory, after its end.
    pub async fn start_again(&self) {
        let mut running = self.running.lock().await;
        running.ended().await;
        let (again, ready) = Running::start(self.dir.path()).await;
        *running = again;
        *self.ready.lock().unwrap() = ready;
    }

    /// Changes a key of `pinfold.toml`. What only a start takes, takes effect when it starts again.
    pub fn reconfigure(&mut self, table: &str, key: &str, value: impl Into<Value>) {
        self.rewrite(|files| files.set_in(table, key, value));
    }

    /// Writes its files anew, each over the old one.
    pub fn rewrite(&mut self, change: impl FnOnce(GatewayBuilder) -> GatewayBuilder) {
        let files = std::mem::replace(&mut self.files, Files::new());
        self.files = change(GatewayBuilder { files }).files;
        self.files.write(self.dir.path());
    }
}

/// Whether it tells of a start or a stop, or by which certificates the gateway signs.
fn is_of_its_life(event: &Event) -> bool {
    let lives = ["gateway-started", "gateway-stopped", "root-changed", "issuer-changed"];
    event.text("event.action").is_some_and(|action| lives.contains(&action))
}

/// Whether it sums up a minute.
fn is_of_the_minute(event: &Event) -> bool {
    matches!(event.text("event.action"), Some("leaf-signed" | "login-failed"))
}

/// Whether it comes beside what a test is about.
fn is_aside(event: &Event) -> bool {
    is_of_its_life(event)
        || is_of_the_minute(event)
        || event.text("event.action") == Some("digest-quarantined")
}

/// What a command left behind.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// Its standard output, byte for byte.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard output as JSON. Fails the test, showing everything, if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let value = serde_json::from_slice(&self.stdout);
        value.unwrap_or_else(|error| panic!("{error}: {}\n{}", self.text(), self.stderr))
    }

    /// Fails the test, showing everything, unless the command exited with 0.
    pub fn success(self) -> Self {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.text(), self.stderr);
        self
    }
}

/// Runs the binary in a directory with that directory's `pinfold.toml`.
async fn run(dir: &Path, args: &[&str]) -> Output {
    let mut command = command(dir);
    let finished = command.args(args).stdin(Stdio::null()).output();
    let output = eventually(&format!("pinfold {}", args.join(" ")), finished).await.unwrap();
    Output {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn command(dir: &Path) -> Command {
    let mut command =
        if dir.join(RESOLV_CONF).exists() { resolving_apart() } else { Command::new(pinfold()) };
    command.current_dir(dir).arg("--config").arg(dir.join("pinfold.toml")).env_remove("PINFOLD_CONFIG");
    command.env_remove("PINFOLD_SERVER").env_remove("PINFOLD_TOKEN");
    command.kill_on_drop(true);
    command
}

/// The name servers of a gateway that has its own.
const RESOLV_CONF: &str = "resolv.conf";

/// The binary where only its directory's `resolv.conf` counts: in a mount namespace, in which the shell becomes pinfold.
fn resolving_apart() -> Command {
    let mut command = Command::new("unshare");
    let script = format!("mount --bind {RESOLV_CONF} /etc/resolv.conf && exec \"$0\" \"$@\"");
    command.args(["--mount", "sh", "-c", &script]).arg(pinfold());
    command
}

/// What every gateway of the harness trusts upstream, beside its files.
const ORIGIN_ROOT: &str = "origin-root.pem";

fn write_origin_root(dir: &Path) {
    std::fs::write(dir.join(ORIGIN_ROOT), origin_root_pem()).unwrap();
}
