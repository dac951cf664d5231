//! The clients that people use, each as its own documentation says to use it through a proxy.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::{Verdict, Via, eventually};

/// A client outside this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RealClient {
    /// curl over HTTP/1.1, taking every coding it knows.
    Curl,
    /// curl over HTTP/2.
    CurlHttp2,
    /// Node's `https`.
    Node,
    /// Node's `http2`.
    NodeHttp2,
    /// Python's `http.client` and `ssl`.
    Python,
}

/// What a client got.
#[derive(Debug)]
pub struct Fetched {
    /// The status inside the tunnel.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, decoded by the client itself.
    pub body: Vec<u8>,
}

impl Fetched {
    /// One header field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// What `Pinfold-Verdict` says; its absence fails the test.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        Verdict::parse(
            self.header("pinfold-verdict").unwrap_or_else(|| panic!("no verdict: {:?}", self.headers)),
        )
    }
}

impl RealClient {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Curl, Self::CurlHttp2, Self::Node, Self::NodeHttp2, Self::Python];

    /// GETs an `https:` URL; anything but a complete answer fails the test.
    pub async fn get(self, via: impl Into<Via>, url: impl AsRef<str>) -> Fetched {
        self.get_with(&[], via.into(), url.as_ref()).await
    }

    /// GETs ranges of bytes of it, with curl.
    pub async fn get_ranges(self, ranges: &str, via: impl Into<Via>, url: impl AsRef<str>) -> Fetched {
        assert!(matches!(self, Self::Curl | Self::CurlHttp2), "{self:?} is not asked for ranges");
        self.get_with(&["--range", ranges], via.into(), url.as_ref()).await
    }

    async fn get_with(self, args: &[&str], via: Via, url: &str) -> Fetched {
        let mut command = match self {
            Self::Curl => curl(&via, "--http1.1"),
            Self::CurlHttp2 => curl(&via, "--http2"),
            Self::Node => script("node", "get.mjs", &via, "http1"),
            Self::NodeHttp2 => script("node", "get.mjs", &via, "http2"),
            Self::Python => script("python3", "get.py", &via, "http1"),
        };
        // What the developer's shell says about proxies and roots is none of the test's business.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(args).arg(url).stdin(Stdio::null()).kill_on_drop(true);
        let output = eventually(&format!("the end of {self:?}"), command.output()).await.unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{self:?}: {}: {complaint}", output.status);
        match self {
            Self::Curl | Self::CurlHttp2 => from_http(&output.stdout),
            Self::Node | Self::NodeHttp2 | Self::Python => from_script(&output.stdout),
        }
    }
}

fn curl(via: &Via, version: &str) -> Command {
    let mut command = Command::new("curl");
    command.args(["--disable", "--silent", "--show-error", "--compressed", "--include"]);
    command.args(["--suppress-connect-headers", version]);
    command.arg("--proxy").arg(format!("http://{}", via.proxy)).arg("--cacert").arg(&via.root_file);
    if let Some(user) = &via.user {
        command.arg("--proxy-user").arg(user);
    }
    command
}

/// `clients/NAME PROXY CA-FILE VERSION URL`: prints a line of JSON, then the body.
fn script(interpreter: &str, name: &str, via: &Via, version: &str) -> Command {
    let mut command = Command::new(interpreter);
    command.arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients").join(name));
    let proxy = match &via.user {
        Some(user) => format!("{}@{}", user.replace(' ', "%20"), via.proxy),
        None => via.proxy.to_string(),
    };
    command.arg(proxy).arg(&via.root_file).arg(version);
    command
}

fn from_http(output: &[u8]) -> Fetched {
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").expect("curl prints a head");
    let head = String::from_utf8(output[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": ")).map(lower).collect();
    Fetched { status, headers, body: output[end + 4..].to_vec() }
}

fn from_script(output: &[u8]) -> Fetched {
    let end = output.iter().position(|byte| *byte == b'\n').expect("the script prints a line first");
    let head: Value = serde_json::from_slice(&output[..end]).unwrap();
    let status = head["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap();
    let headers = head["headers"].as_array().unwrap();
    let headers =
        headers.iter().map(|pair| lower((pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))).collect();
    Fetched { status, headers, body: output[end + 1..].to_vec() }
}

fn lower((name, value): (&str, &str)) -> (String, String) {
    (name.to_ascii_lowercase(), value.to_owned())
}
