//! Tells where the gateway signs with another root or issuing CA than before, whoever changed it: this start, a reload, a command,
//! or a hand in its directory. Before is what the ledger was told last, so that a change made while no gateway ran is told, and a
//! crash before it was told loses nothing.

use std::time::SystemTime;

use jiff::Timestamp;
use pinfold_certs::CertificateAuthority;
use pinfold_proxy::Clock;
use pinfold_store::entry::{Notice, What};
use pinfold_store::{Store, StoreError};

/// What one can tell two authorities apart by.
pub(crate) struct Authority([Certificate; 2]);

struct Certificate {
    what: What,
    fingerprint: String,
    end: SystemTime,
}

impl Authority {
    pub(crate) fn of(ca: &CertificateAuthority) -> Self {
        let [root_end, issuer_end] = ca.ends();
        let (root, issuer) = (ca.root_fingerprint_sha256(), ca.issuer_fingerprint_sha256());
        Self([
            Certificate { what: What::RootChanged, fingerprint: root, end: root_end },
            Certificate { what: What::IssuerChanged, fingerprint: issuer, end: issuer_end },
        ])
    }

    /// Tells what of it is new to the ledger.
    pub(crate) async fn tell(&self, store: &Store, clock: &Clock) {
        for certificate in &self.0 {
            if let Err(error) = certificate.tell(store, clock).await {
                let what = certificate.what.as_str();
                tracing::warn!("'{what}' cannot be recorded: {error}; hint: {}", error.hint());
            }
        }
    }
}

impl Certificate {
    async fn tell(&self, store: &Store, clock: &Clock) -> Result<(), StoreError> {
        let before = store.last_notice(self.what).await?.and_then(|told| told.subject);
        if before.as_deref() == Some(&*self.fingerprint) {
            return Ok(());
        }
        let before = before.as_deref().unwrap_or("none that the ledger knows");
        let end = Timestamp::try_from(self.end).unwrap_or(Timestamp::MAX);
        let text = format!("ends {end:.0}; before: {before}");
        let version = store.decisions().borrow().version();
        let notice = Notice::of_gateway(self.what, clock.now(), text, version);
        store.notice(notice.about(self.fingerprint.as_str())).await
    }
}
