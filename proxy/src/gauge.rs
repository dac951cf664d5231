//! A look at a gateway from outside, while it runs: for metrics and for health.

use std::sync::Arc;
use std::time::SystemTime;

use crate::counters::Counts;
use crate::gateway::Shared;

/// The way to the numbers of a gateway.
#[derive(Clone)]
pub struct Gauge(pub(crate) Arc<Shared>);

impl Gauge {
    /// What it has counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.counters.now()
    }

    /// Bytes of memory and of disk that held bodies have reserved.
    #[must_use]
    pub fn reserved(&self) -> (u64, u64) {
        self.0.policy.newest().live.upstream.reserved()
    }

    /// Bytes of verified bodies in memory, in each coding that clients ask for.
    #[must_use]
    pub fn shelf_memory(&self) -> u64 {
        self.0.shelf.memory()
    }

    /// The version of the policy in force.
    #[must_use]
    pub fn policy_version(&self) -> u64 {
        self.0.policy.newest().version()
    }

    /// When the root and the issuing CA end, in this order.
    #[must_use]
    pub fn ca_ends(&self) -> [SystemTime; 2] {
        self.0.policy.newest().live.interceptor.ca_ends()
    }

    /// Whether it takes connections, and is not draining.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        !self.0.drain.is_cancelled()
    }
}
