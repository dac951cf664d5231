//! What the files say besides the rules and a running gateway takes anew, and what is made of it.
//!
//! What was made before stays wherever it still serves: pools of connections, tickets of TLS sessions, leaves,
//! credentials that were right.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use pinfold_certs::CertificateAuthority;
use pinfold_policy::policy::Rulebook;
use pinfold_policy::redact::Redaction;

use crate::credentials::Credentials;
use crate::fetch::Upstream;
use crate::intercept::Interceptor;
use crate::lookalikes::Watch;
use crate::settings::{Egress, Settings};

/// One state of the files.
pub(crate) struct Live {
    pub(crate) rules: Arc<Rulebook>,
    pub(crate) watch: Watch,
    pub(crate) clients: Vec<IpNet>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) egress: Egress,
    redaction: Redaction,
    pub(crate) upstream: Upstream,
    pub(crate) interceptor: Interceptor,
    /// For one hold, in total.
    pub(crate) max_hold: Duration,
    /// How long a client waits for a hold.
    pub(crate) patience: Duration,
    /// How long a client may keep what it was given.
    pub(crate) client_max_age: Duration,
}

impl Live {
    /// # Errors
    /// Where the system has no random bytes.
    pub(crate) fn new(
        settings: &Settings,
        rules: Arc<Rulebook>,
        upstream: Upstream,
        interceptor: Interceptor,
    ) -> Result<Self, rustls::Error> {
        Ok(Self {
            watch: Watch::new(&rules),
            rules,
            clients: settings.clients.clone(),
            credentials: settings.users.clone().map(Credentials::of).transpose()?,
            egress: settings.egress.clone(),
            redaction: settings.redaction.clone(),
            upstream,
            interceptor,
            max_hold: settings.limits.max_hold,
            patience: settings.limits.patience,
            client_max_age: settings.client_max_age,
        })
    }

    /// What a request is admitted by.
    pub(crate) fn admission(&self) -> (&Egress, &Redaction) {
        (&self.egress, &self.redaction)
    }

    /// Whether a URL holds what is not to be written.
    pub(crate) fn masks(&self, url: &str) -> bool {
        matches!(self.redaction.mask(url), Cow::Owned(_))
    }

    /// Whether a URL may be the one that was written down as `recorded`.
    pub(crate) fn may_be(&self, recorded: &str, url: &str) -> bool {
        self.redaction.may_be(recorded, url)
    }

    /// What follows from other files. `ca` is new, if they need another one.
    ///
    /// # Errors
    /// Where the system has no random bytes.
    pub(crate) fn followed_by(
        &self,
        settings: &Settings,
        rules: Arc<Rulebook>,
        ca: Option<Arc<CertificateAuthority>>,
    ) -> Result<Self, rustls::Error> {
        let credentials = match (&self.credentials, &settings.users) {
            (Some(credentials), Some(users)) => Some(credentials.followed_by(Arc::clone(users))),
            (None, Some(users)) => Some(Credentials::of(Arc::clone(users))?),
            (_, None) => None,
        };
        Ok(Self {
            watch: Watch::new(&rules),
            rules,
            clients: settings.clients.clone(),
            credentials,
            egress: settings.egress.clone(),
            redaction: settings.redaction.clone(),
            upstream: self.upstream.followed_by(settings),
            interceptor: self.interceptor.followed_by(ca),
            max_hold: settings.limits.max_hold,
            patience: settings.limits.patience,
            client_max_age: settings.client_max_age,
        })
    }
}
