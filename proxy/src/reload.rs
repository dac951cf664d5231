//! Other files, while exchanges are under way: all of what they change is in force from one version on, or none of it.

use std::sync::Arc;

use pinfold_certs::CertificateAuthority;
use pinfold_policy::policy::Rulebook;
use pinfold_store::StoreError;
use thiserror::Error;

use crate::gateway::Shared;
use crate::settings::Settings;

/// Why other files are not in force.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// The system has no random bytes.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// No version can be had for them.
    #[error("cannot number the policy: {0}")]
    Store(#[from] StoreError),
}

/// The way to a gateway that runs, for whoever reads its files again. One at a time.
#[derive(Clone)]
pub struct Reloader(pub(crate) Arc<Shared>);

impl Reloader {
    /// Lets exchanges that begin from now on go by these rules, and by what of `settings` a reload changes: `clients`,
    /// `users`, `egress`, `client_max_age`, and of `limits` `max_body`, `max_ratio`, `max_hold` and `patience`. Those
    /// under way end as they began, and no connection is closed. `ca` replaces the one that signs leaves. From then on so many
    /// `approvers` must agree.
    ///
    /// Gives the version of the policy from which on they hold.
    ///
    /// # Errors
    /// [`ReloadError`], and nothing has changed.
    pub async fn take(
        &self,
        settings: &Settings,
        (rules, approvers): (Arc<Rulebook>, u32),
        ca: Option<Arc<CertificateAuthority>>,
    ) -> Result<u64, ReloadError> {
        let (cell, store) = (&self.0.policy, &self.0.store);
        let live = Arc::new(cell.newest().live.followed_by(settings, rules, ca)?);
        cell.stage(Arc::clone(&live));
        match store.number_other_files(approvers).await {
            Ok(version) => Ok(cell.since(&live).unwrap_or(version)),
            Err(error) => {
                cell.unstage();
                cell.since(&live).ok_or_else(|| error.into())
            }
        }
    }

    /// The version of the policy in force.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.policy.newest().version()
    }
}
