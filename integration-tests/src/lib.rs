//! The harness: origins that can misbehave, the real `pinfold` binary in front of them, and the clients that people use.
//!
//! A test reads like its scenario:
//!
//! ```text
//! let vendor = vendor().script("/app.js", TAMPERED).listen().await;
//! let gateway = gateway().vendor(&vendor).pin(vendor.url("/app.js"), sha256(REVIEWED)).listen().await;
//!
//! let reply = client(&gateway).get(vendor.url("/app.js")).await;
//!
//! assert_eq!(reply.status(), 403);
//! assert_eq!(gateway.next_event().await.reason(), Some("digest-mismatch"));
//! ```
//!
//! The harness knows nothing of pinfold's crates: what it expects comes from the documented contract, so that a mistake
//! there can't hide itself here. Nothing sleeps. What never happens becomes a failure after [`PATIENCE`].

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this crate is a test: what goes wrong here is a failed test, and says so by panicking"
)]

use std::future::Future;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

mod authority;
mod chromium;
mod client;
mod coding;
mod driver;
mod event;
pub mod fixtures;
pub mod frames;
mod gateway;
mod raw_origin;
mod real_clients;
mod relay;
mod resolver;
mod reviewer;
pub mod siem;
mod vendor;
pub mod vouching;
mod websocket;

pub use authority::{
    Identity, client_identity, origin_of, origin_root_key_pem, origin_root_pem, server_identity,
    server_identity_that_is,
};
pub use chromium::{Chromium, Page, chromium, chromium_configured_by};
pub use client::{Begun, Client, ClientError, Reply, Session, Verdict, client};
pub use coding::Coding;
pub use driver::{Driven, Looks, driven, driven_trusting};
pub use event::Event;
pub use gateway::{Gateway, GatewayBuilder, Output, Pin, Rule, Shown, gateway, pinfold};
pub use raw_origin::{RawOrigin, Reading, raw_origin, shown};
pub use real_clients::{Fetched, RealClient};
pub use relay::{Relay, Via, relay};
pub use resolver::{Resolver, resolver};
pub use reviewer::{Reviewer, hidden, reviewer, token};
pub use vendor::{Answer, Gate, Seen, Vendor, VendorBuilder, vendor};
pub use websocket::{WEBSOCKET_PROOF, WebSocket};

/// How long a test waits for something that should happen before it gives up. Never a measure of how fast it was.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// Waits for `happening`, and fails the test naming `what` if it never comes.
pub async fn eventually<T>(what: &str, happening: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, happening).await {
        Ok(it) => it,
        Err(_) => panic!("still waiting for {what} after {} s", PATIENCE.as_secs()),
    }
}

/// A digest in the notation of Subresource Integrity.
#[must_use]
pub fn sri(algorithm: &str, digest: impl AsRef<[u8]>) -> String {
    format!("{algorithm}-{}", STANDARD.encode(digest))
}

/// `sha256-…` of some bytes, in the notation of Subresource Integrity.
#[must_use]
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    sri("sha256", Sha256::digest(bytes))
}

/// `sha384-…` of some bytes.
#[must_use]
pub fn sha384(bytes: impl AsRef<[u8]>) -> String {
    sri("sha384", Sha384::digest(bytes))
}

/// `sha512-…` of some bytes.
#[must_use]
pub fn sha512(bytes: impl AsRef<[u8]>) -> String {
    sri("sha512", Sha512::digest(bytes))
}

/// 64 hex digits, as SIEM fields and file names have a SHA-256.
#[must_use]
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
