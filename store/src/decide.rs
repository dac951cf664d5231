//! What people decide, and rules that people wrote: approvals, rejections, revocations, lessons and bindings.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pinfold_policy::decisions::Basis;
use pinfold_policy::digest::Digest;
use pinfold_policy::verdict::Binding;
use tokio::time::Instant;

use crate::error::{DecideError, StoreError};
use crate::incident::Incident;
use crate::item::{Approved, Confirmed, Decided, InForce, Learned, LearnedPin, Lesson, Opinion, Revoked};
use crate::register::{
    Bind, Confirm, Decide, Learn, NOBODY, Refusal, Revoke, Ruling, approvals, learned_pin,
};
use crate::{Store, lock};

fn why(refusal: Refusal, unknown: DecideError) -> DecideError {
    match refusal {
        Refusal::Unknown => unknown,
        Refusal::Revoked(digest) => DecideError::Revoked { digest },
        Refusal::Decided(state) => DecideError::Decided(state),
        Refusal::NotKept => DecideError::NotKept,
        Refusal::OtherPaths => DecideError::OtherPaths,
    }
}

/// How often a command looks whether its decision is in force.
const IN_FORCE_EVERY: Duration = Duration::from_millis(20);

impl Store {
    /// Binds a pattern's digest to the URL at which it was verified first. When this returns, [`Store::decisions`]
    /// holds the binding, or that of whoever was faster.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn bind(&self, binding: &Binding) -> Result<(), StoreError> {
        let bound = self.inner.register.change(Bind(binding.clone())).await;
        bound.inspect_err(|_| self.inner.miss_exchange(Timestamp::now()))
    }

    /// Lets an item's digest be served at its subject, once `approvers` different people have said so since it was
    /// rejected last. Ends an earlier rejection there then.
    ///
    /// # Errors
    /// [`DecideError`] when there is no such item, its digest is revoked, or it cannot be written.
    pub async fn approve(
        &self,
        incident: Incident,
        opinion: Opinion<'_>,
        approvers: u32,
    ) -> Result<Decided, DecideError> {
        self.decide((Ruling::Approve, None), Basis::Reviewed, incident, opinion, approvers).await
    }

    /// The same, if it admits the paths that whoever decides was shown, and no others: `shown` is
    /// [`crate::path::RefusedMark::all_shown`] of these.
    ///
    /// # Errors
    /// The same, and [`DecideError::OtherPaths`].
    pub async fn approve_as_shown(
        &self,
        incident: Incident,
        opinion: Opinion<'_>,
        approvers: u32,
        shown: &str,
    ) -> Result<Decided, DecideError> {
        self.decide((Ruling::Approve, Some(shown)), Basis::Reviewed, incident, opinion, approvers).await
    }

    /// Bars an item's digest from its subject. Ends an earlier approval there.
    ///
    /// # Errors
    /// [`DecideError`] when there is no such item, or it cannot be written.
    pub async fn reject(&self, incident: Incident, opinion: Opinion<'_>) -> Result<Decided, DecideError> {
        self.decide((Ruling::Reject, None), Basis::Reviewed, incident, opinion, 1).await
    }

    /// Revokes an item's digest: it is never released again, anywhere. It is rejected at its subject with that, and stays
    /// so when the revocation is taken back.
    ///
    /// # Errors
    /// [`DecideError`] when there is no such item, or it cannot be written.
    pub async fn reject_everywhere(
        &self,
        incident: Incident,
        opinion: Opinion<'_>,
    ) -> Result<Decided, DecideError> {
        let opinion = Opinion { expires: None, ..opinion };
        self.decide((Ruling::Revoke, None), Basis::Reviewed, incident, opinion, 1).await
    }

    /// Lets an item's digest be served at its subject by the rule `cooldown`, whose `record` says why it holds.
    ///
    /// # Errors
    /// [`DecideError`] when there is no such item, anything was decided of it before, or it cannot be written.
    pub async fn approve_by_cooldown(
        &self,
        incident: Incident,
        record: &str,
        at: Timestamp,
    ) -> Result<Decided, DecideError> {
        let opinion = Opinion { who: NOBODY, reason: record, at, expires: None };
        self.decide((Ruling::Approve, None), Basis::Cooldown, incident, opinion, 1).await
    }

    async fn decide(
        &self,
        (ruling, shown): (Ruling, Option<&str>),
        basis: Basis,
        incident: Incident,
        opinion: Opinion<'_>,
        approvers: u32,
    ) -> Result<Decided, DecideError> {
        let Opinion { who, reason, at, expires } = opinion;
        let (who, reason) = (who.into(), reason.into());
        let shown = shown.map(Into::into);
        let decide = Decide { incident, ruling, basis, shown, who, reason, at, expires, approvers };
        self.inner
            .register
            .change(decide)
            .await?
            .map_err(|refusal| why(refusal, DecideError::Unknown(incident)))
    }

    /// What was learned by a record, and what people have said of it since; none where nothing was.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn learned_pin(&self, record: u64) -> Result<Option<LearnedPin>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        learned_pin(&mut reader.connection, record, Timestamp::now()).await.map_err(reader.failed())
    }

    /// Makes what was learned an approval of people, once `approvers` of them have said so. Until then it is served as it was.
    ///
    /// # Errors
    /// [`DecideError`] when nothing was learned by this record, its digest is revoked, or it cannot be written.
    pub async fn confirm(
        &self,
        record: u64,
        opinion: Opinion<'_>,
        approvers: u32,
    ) -> Result<Confirmed, DecideError> {
        self.say_of_learned(Ruling::Approve, record, opinion, approvers).await
    }

    /// Bars what was learned from its subject. Other bytes are not learned there any more.
    ///
    /// # Errors
    /// [`DecideError`] when nothing was learned by this record, or it cannot be written.
    pub async fn drop_learned(&self, record: u64, opinion: Opinion<'_>) -> Result<Confirmed, DecideError> {
        self.say_of_learned(Ruling::Reject, record, opinion, 1).await
    }

    async fn say_of_learned(
        &self,
        ruling: Ruling,
        record: u64,
        opinion: Opinion<'_>,
        approvers: u32,
    ) -> Result<Confirmed, DecideError> {
        let Opinion { who, reason, at, expires } = opinion;
        let (who, reason) = (who.into(), reason.into());
        let confirm = Confirm { record, ruling, who, reason, at, expires, approvers };
        let said = self.inner.register.change(confirm).await?;
        said.map_err(|refusal| why(refusal, DecideError::NotLearned(record)))
    }

    /// Revokes a digest, in any notation and whether or not anyone ever saw it: it is never released again, anywhere.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub async fn revoke(&self, digest: Digest, opinion: Opinion<'_>) -> Result<Revoked, StoreError> {
        self.say_of_digest(Ruling::Revoke, digest, opinion).await
    }

    /// Takes the revocation of a digest back, in the notation in which it was revoked. What was decided at single URLs
    /// holds again.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub async fn reinstate(&self, digest: Digest, opinion: Opinion<'_>) -> Result<Revoked, StoreError> {
        self.say_of_digest(Ruling::Reinstate, digest, opinion).await
    }

    async fn say_of_digest(
        &self,
        ruling: Ruling,
        digest: Digest,
        opinion: Opinion<'_>,
    ) -> Result<Revoked, StoreError> {
        let Opinion { who, reason, at, expires: _ } = opinion;
        let revoke = Revoke { digest, ruling, who: who.into(), reason: reason.into(), at };
        let (version, changed) = self.inner.register.change(revoke).await?;
        Ok(Revoked { version, already: !changed })
    }

    /// Approves a body that nobody has reviewed, if nothing was ever decided of its subject and fewer than `cap` subjects
    /// of its vendor were learned. When this returns, [`Store::decisions`] holds the approval, or that of whoever was
    /// faster.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn learn(&self, lesson: Lesson, cap: u32, at: Timestamp) -> Result<Learned, StoreError> {
        let learned = self.inner.register.change(Learn { lesson, cap, at }).await;
        learned.inspect_err(|_| self.inner.miss_exchange(at))
    }

    /// Every approval, learned ones too, by subject and digest.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn approved(&self) -> Result<Vec<Approved>, StoreError> {
        let decisions = Arc::clone(&self.decisions().borrow());
        let mut reader = self.inner.register.reader().await?;
        approvals(&mut reader.connection, &decisions).await.map_err(reader.failed())
    }

    /// Waits until the running gateway judges by a version of the decisions, but no longer than `wait`.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be found out.
    pub async fn in_force(&self, version: u64, wait: Duration) -> Result<InForce, StoreError> {
        let until = Instant::now() + wait;
        let mut reader = self.inner.register.reader().await?;
        loop {
            if !lock::is_held(&self.inner.data_dir)? {
                return Ok(InForce::NoGateway);
            }
            if reader.version_in_force().await? >= version {
                return Ok(InForce::Yes);
            }
            if Instant::now() >= until {
                return Ok(InForce::NotYet);
            }
            tokio::time::sleep(IN_FORCE_EVERY).await;
        }
    }
}
