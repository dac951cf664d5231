//! A directory to work in, an origin, and a gateway: what the scenarios are made of.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const REVIEWED: &str = "console.log('reviewed')";
pub(crate) const TAMPERED: &str = "steal(document.cookie)";
/// The URL of everything that an [`Origin`] serves.
pub(crate) const URL: &str = "http://cdn.vendor.test/app.js";

/// A directory of one user.
pub(crate) struct Desk(TempDir);

impl Desk {
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With this `pinfold.toml`, and no pins.
    pub(crate) fn with(config: &str) -> Self {
        let desk = Self::empty();
        desk.write("pinfold.toml", config);
        desk.write("pins.toml", "");
        desk
    }

    /// With a vendor whose only host is this origin, reached in clear text.
    pub(crate) fn before(origin: &Origin) -> Self {
        Self::with(&format!(
            "listen = [\"127.0.0.1:0\"]\n[egress.resolve]\n\"cdn.vendor.test\" = \"{}\"\n\
             [[vendor]]\nname = \"acme\"\nhosts = [\"cdn.vendor.test\"]\nunpinned = \"quarantine\"\n",
            origin.0
        ))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinfold"));
        command.current_dir(self.path()).args(args).stdin(Stdio::null());
        command.env_remove("PINFOLD_SERVER").env_remove("PINFOLD_TOKEN");
        command.env_remove("PINFOLD_CONFIG").env_remove("PINFOLD_LOG").env_remove("PINFOLD_LOG_FORMAT");
        command
    }

    pub(crate) fn pinfold(&self, args: &[&str]) -> Done {
        Done::from(self.command(args).output().unwrap())
    }

    /// The only item in quarantine.
    pub(crate) fn only_item(&self) -> Value {
        let items = self.pinfold(&["quarantine", "list", "--json"]).succeeds().json();
        assert_eq!(items.as_array().unwrap().len(), 1, "{items}");
        items[0].clone()
    }

    pub(crate) fn incident(&self) -> String {
        self.only_item()["incident"].as_str().unwrap().to_owned()
    }

    /// Starts the gateway, and waits until it is ready.
    pub(crate) fn run(&self) -> Gateway {
        Gateway::start(self.command(&["run"]))
    }
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Done {
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// It failed with this exit code, in our voice, and printed nothing as a result.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, because: &str) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.stderr.contains("pinfold: error: "), "{self:?}");
        assert!(self.stderr.contains(because), "no '{because}' in {self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn hints(self, at: &str) -> Self {
        assert!(self.stderr.lines().any(|line| line.starts_with("hint: ") && line.contains(at)), "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no '{text}' in {self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A gateway that runs, killed when it is dropped.
pub(crate) struct Gateway {
    child: Child,
    pub(crate) ready: String,
    pub(crate) proxy: SocketAddr,
    stdout: BufReader<std::process::ChildStdout>,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Gateway {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut ready = String::new();
        stdout.read_line(&mut ready).unwrap();
        let Some(rest) = ready.strip_prefix("pinfold ready proxy=") else {
            let mut complaints = String::new();
            stderr.read_to_string(&mut complaints).unwrap();
            panic!("not ready: {ready}{complaints}");
        };
        let proxy = rest.split([' ', ',']).next().unwrap().parse().unwrap();
        Self { child, ready, proxy, stdout, stderr }
    }

    /// Asks for a URL as a browser on a page does, and gives the whole answer.
    pub(crate) fn get(&self, url: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.proxy).unwrap();
        write!(stream, "GET {url} HTTP/1.1\r\nHost: cdn.vendor.test\r\nConnection: close\r\n{headers}\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Reads the log up to a line with `text`.
    pub(crate) fn logs(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "the log ended without '{text}'");
        }
    }

    /// Waits for its end, and gives what was left on both outputs.
    pub(crate) fn ended(mut self) -> Done {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.stderr.read_to_string(&mut stderr).unwrap();
        Done { code: self.child.wait().unwrap().code(), stdout, stderr }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A vendor's server, which answers every path with the same body.
pub(crate) struct Origin(pub(crate) SocketAddr, Arc<Mutex<(String, String)>>);

impl Origin {
    pub(crate) fn serving(body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::new(Mutex::new(("200 OK".to_owned(), body.to_owned())));
        let answer = Arc::clone(&served);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (status, body) = answer.lock().unwrap().clone();
                serve(stream, &status, &body);
            }
        });
        Self(address, served)
    }

    pub(crate) fn serves(&self, body: &str) {
        self.1.lock().unwrap().1 = body.to_owned();
    }

    pub(crate) fn answers(&self, status: &str) {
        self.1.lock().unwrap().0 = status.to_owned();
    }
}

/// One exchange; whoever asks may go away in the middle.
fn serve(stream: TcpStream, status: &str, body: &str) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/javascript\r\nConnection: close\r\n");
    let sent = write!(reader.get_mut(), "{head}Content-Length: {}\r\n\r\n{body}", body.len());
    drop(sent);
}
