//! The gateway as clients, operators and a SIEM meet it: the real binary between real origins and real clients. One
//! module per theme of the contract; one binary, so that it links once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test says what went wrong by panicking"
)]

use pinfold_integration_tests::{
    Fetched, Gateway, GatewayBuilder, Reply, Vendor, eventually, gateway, sha256, vendor,
};
use pinfold_policy::reason::{Answer, Reason};
use sfv::{List, Parser};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

mod admission;
mod api;
mod browser;
mod canary;
mod codings;
mod console;
mod console_pages;
mod console_tls;
mod crash;
mod decisions;
mod diff;
mod drain;
mod egress;
mod evasions;
mod events;
mod exposure;
mod fairness;
mod faults;
mod frames;
mod framing;
mod fronting;
mod heads;
mod health;
mod hidden;
mod images;
mod incidents;
mod installers;
mod learn;
mod learned_pins;
mod libraries;
mod limits;
mod lines;
mod logins;
mod lookalikes;
mod methods;
mod names;
mod observe;
mod one_body;
mod other_hosts;
mod pac;
mod pages;
mod paths;
mod platform;
mod ranges;
mod reasons;
mod rebinding;
mod recheck;
mod redaction;
mod redirects;
mod refusal;
mod release;
mod reload;
mod remote;
mod replay;
mod resumption;
mod review;
mod reviewers_browser;
mod service_worker;
mod shelf;
mod siem;
mod signing;
mod smuggling;
mod spelling;
mod substitution;
mod trailers;
mod trial;
mod tunnel;
mod upgrade;
mod upstream;
mod vouching;
mod websocket;

/// What a reviewer has read and pinned.
const REVIEWED: &str = "globalThis.ran = 'reviewed'; document.title = 'the reviewed script ran';\n";

/// What the vendor serves one day instead.
const TAMPERED: &str = "globalThis.ran = 'tampered'; document.title = 'the tampered script ran';\n";

/// A vendor that serves this script at `/app.js`.
async fn vendor_of(script: &'static str) -> Vendor {
    vendor().script("/app.js", script).listen().await
}

/// A gateway that pins the vendor's `/app.js` to what was reviewed.
fn pinning(vendor: &Vendor) -> GatewayBuilder {
    gateway().vendor(vendor).pin(vendor.url("/app.js"), sha256(REVIEWED))
}

/// The running gateway of most tests.
async fn gateway_pinning(vendor: &Vendor) -> Gateway {
    pinning(vendor).listen().await
}

/// All that the gateway says back to these bytes, which ask it to close the connection.
async fn say(gateway: &Gateway, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(gateway.proxy()).await.unwrap();
    let mut answer = Vec::new();
    let talk = async {
        // Where the gateway leaves before the end, that is its answer.
        drop(stream.write_all(bytes.as_ref()).await);
        drop(stream.read_to_end(&mut answer).await);
    };
    eventually("the end of an answer", talk).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Checks a refusal in all that the contract promises about it, and gives its incident.
#[track_caller]
fn refused(reply: &Reply, status: u16, verdict: &str, reason: &str) -> String {
    let said = reply.verdict();
    assert_eq!(
        (reply.status().as_u16(), said.token(), said.reason()),
        (status, verdict, Some(reason)),
        "{reply:?}"
    );
    assert!(table_says(reason, status), "the table of reasons has another status for {reason} than {status}");
    let incident = said.incident().expect("a refusal names its incident").to_owned();
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("content-security-policy"), Some("default-src 'none'; sandbox"));
    assert_eq!(reply.header("cross-origin-resource-policy"), Some("cross-origin"));
    let proxies: List = Parser::new(reply.header("proxy-status").unwrap()).parse().unwrap();
    assert!(!proxies.is_empty());
    let problem = String::from_utf8(reply.body()).unwrap();
    assert!(problem.contains(reason) && problem.contains(&incident), "{problem}");
    assert!(!problem.contains("app.js"), "a refusal reflects nothing of the request: {problem}");
    assert!(!problem.contains("sha256-"), "a refusal tells no policy: {problem}");
    incident
}

/// Whether the one enum that the product takes its answers from agrees with what a test expects.
fn table_says(reason: &str, status: u16) -> bool {
    match reason.parse::<Reason>().map(Reason::answer) {
        Ok(Answer::Status(told)) => told == status,
        Ok(Answer::VendorStatus) => true,
        Ok(Answer::ConnectionEnds) | Err(_) => false,
    }
}

/// Checks that a pinned script came through untouched.
#[track_caller]
fn verified(reply: &Reply, script: impl AsRef<[u8]>) {
    let script = script.as_ref();
    assert_eq!(reply.status(), 200, "{reply:?}");
    assert_eq!(reply.verdict().token(), "verified");
    assert_eq!(reply.verdict().digest(), Some(sha256(script).as_str()));
    assert!(reply.body() == script, "the bytes differ from what is pinned: {:?}", reply.headers());
}

/// The same of what another program got.
#[track_caller]
fn fetched_verified(fetched: &Fetched, script: &str) {
    assert_eq!((fetched.status, fetched.verdict().token()), (200, "verified"));
    assert_eq!(fetched.body, script.as_bytes());
}
