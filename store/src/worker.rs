//! Service workers that went out: browsers keep them, whatever is pinned and shelved by now.

use jiff::Timestamp;
use pinfold_policy::digest::Digests;

use crate::Store;
use crate::error::StoreError;
use crate::register::{WorkerGiven, workers_given};

/// URLs of one path that are told apart. Clients make up queries: what goes out beyond that counts for any.
pub(crate) const MOST_URLS: u64 = 64;

/// A worker that went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The match key at which it did, as it was written down. `None` where it may have been any of the path.
    pub url: Option<Box<str>>,
    /// Its digests.
    pub digests: Digests,
}

impl Store {
    /// A service worker goes out at `url`, a match key as it may be written down, of this `path`: the key without its query.
    /// On disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written: it must not go out then.
    pub async fn worker_given(
        &self,
        path: &str,
        url: &str,
        digests: Digests,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let known = (url.into(), digests.sha256);
        if self.inner.workers.get(&known).is_none() {
            let given = WorkerGiven { path: path.into(), url: url.into(), digests, at };
            self.inner.register.change(given).await?;
            self.inner.workers.insert(known, ());
        }
        Ok(())
    }

    /// All service workers that ever went out at a path: a match key without its query.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn workers_given(&self, path: &str) -> Result<Vec<Given>, StoreError> {
        workers_given(&mut self.inner.register.reader().await?, path).await
    }
}
