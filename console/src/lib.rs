//! The console's listener: whether the gateway is well, what it has done, and how browsers find it.
//!
//! What is shown comes as plain closures from whoever runs the gateway ([`Shown`]); this crate knows nothing of proxies. Nobody
//! is asked who they are here, so nothing here changes anything, and nothing names a host, a URL or a digest.

mod host;
mod listener;
mod pac;
mod pages;

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use listener::Console;

/// What can be shown of a gateway.
#[derive(Clone)]
pub struct Shown {
    /// Whether it can do its work now, check by check.
    pub ready: Arc<dyn Fn() -> BoxFuture<'static, Vec<Check>> + Send + Sync>,
    /// Its metrics, as OpenMetrics text.
    pub metrics: Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>,
    /// Where it listens for clients.
    pub listeners: Arc<[SocketAddr]>,
}

/// One of the things that must hold for a gateway to be ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The word for it.
    pub name: &'static str,
    /// Why it does not hold, in words; none where it does.
    pub trouble: Option<String>,
}
