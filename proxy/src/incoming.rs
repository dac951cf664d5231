//! A vendor's body as it arrives: frames, with a limit on each gap, and the ones that were looked at already.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use pinfold_policy::kept::Kept;
use tokio::time::timeout;

use crate::hold::piece_at;

/// What ended a body before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Cut {
    /// The connection or the framing broke.
    #[error("the vendor's body broke off")]
    Truncated,
    /// The vendor fell silent.
    #[error("the vendor fell silent")]
    Timeout,
}

/// The rest of a body.
#[derive(Debug)]
pub(crate) struct Arriving {
    /// What was read before, and begins the body again; and how much of it was given.
    unread: Option<(Kept, u64)>,
    looked_at: VecDeque<Bytes>,
    body: Option<Incoming>,
    gap: Duration,
    cut: Option<Cut>,
    trailers: Option<HeaderMap>,
}

impl Arriving {
    pub(crate) fn new(body: Incoming, gap: Duration) -> Self {
        let looked_at = VecDeque::new();
        Self { unread: None, looked_at, body: Some(body), gap, cut: None, trailers: None }
    }

    /// A body that is there already.
    #[cfg(test)]
    pub(crate) fn of(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let looked_at = pieces.into_iter().collect();
        Self { unread: None, looked_at, body: None, gap: Duration::ZERO, cut: None, trailers: None }
    }

    /// The next bytes; `None` at the end. Trailers are no bytes: [`Arriving::take_trailers`].
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Cut>> {
        if let Some((kept, given)) = self.unread.take_if(|(kept, given)| *given < kept.len()) {
            let Ok(bytes) = piece_at(&kept, given).await else { return Some(Err(Cut::Truncated)) };
            let given = given + bytes.len() as u64;
            self.unread = Some((kept, given));
            return Some(Ok(bytes));
        }
        if let Some(bytes) = self.looked_at.pop_front() {
            return Some(Ok(bytes));
        }
        self.read().await
    }

    /// The fields that came behind the body, once it has ended.
    pub(crate) fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }

    /// Whether the body begins, or ends, within `limit`.
    pub(crate) async fn begins_within(&mut self, limit: Duration) -> bool {
        timeout(limit, self.look_at(0)).await.is_ok()
    }

    /// The frame number `at` of those that [`Arriving::next`] will give; read if need be. `None` at the end.
    pub(crate) async fn look_at(&mut self, at: usize) -> Option<Result<Bytes, Cut>> {
        if let Some(bytes) = self.looked_at.get(at) {
            return Some(Ok(bytes.clone()));
        }
        let read = self.read().await?;
        match &read {
            Ok(bytes) => self.looked_at.push_back(bytes.clone()),
            Err(cut) => self.cut = Some(*cut),
        }
        Some(read)
    }

    /// Puts what was read in front of what is to come.
    pub(crate) fn unread(&mut self, bytes: Kept) {
        self.unread = Some((bytes, 0));
    }

    /// Puts the end of the last bytes in front of those that are to come.
    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        self.looked_at.push_front(bytes);
    }

    async fn read(&mut self) -> Option<Result<Bytes, Cut>> {
        if let Some(cut) = self.cut {
            return Some(Err(cut));
        }
        let body = self.body.as_mut()?;
        loop {
            let cut = match timeout(self.gap, body.frame()).await {
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => return Some(Ok(bytes)),
                    Err(frame) => {
                        self.trailers = frame.into_trailers().ok();
                        continue;
                    }
                },
                Ok(None) => {
                    self.body = None;
                    return None;
                }
                Ok(Some(Err(_))) => Cut::Truncated,
                Err(_) => Cut::Timeout,
            };
            self.cut = Some(cut);
            return Some(Err(cut));
        }
    }
}
