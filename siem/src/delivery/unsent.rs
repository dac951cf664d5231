//! Why a request was not taken: for the receiver's sake, or for that of what is in it.

use std::io;

use http::StatusCode;
use thiserror::Error;

/// A batch, or what is left of it, did not get there.
#[derive(Debug, Error)]
pub(super) enum Unsent {
    /// The receiver is away, or in trouble of its own: the same may be taken later.
    #[error(transparent)]
    Trouble(#[from] io::Error),
    /// The receiver would refuse the same again.
    #[error("{}", .0.story)]
    Refused(Refusal),
}

impl Unsent {
    /// Where nothing in the request can be at fault.
    pub(super) fn into_trouble(self) -> io::Error {
        match self {
            Self::Trouble(cause) => cause,
            Self::Refused(refusal) => refusal.story,
        }
    }
}

/// A receiver's word about what is in a request.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// A collector's own code.
    pub(super) code: Option<u64>,
    /// Which of the events it is, counted from 0, where the receiver says so.
    pub(super) at: Option<usize>,
    /// In its words, for the log.
    pub(super) story: io::Error,
}

impl Refusal {
    /// A receiver that reads its tokens anew may forbid for a moment what it takes at the next attempt.
    pub(super) fn may_be_about_who_asks(&self) -> bool {
        self.status == StatusCode::FORBIDDEN
    }

    /// Without the receiver's words: whatever it refuses could be repeated in them.
    pub(super) fn in_short(&self) -> String {
        let code = self.code.map(|code| format!(", code {code}")).unwrap_or_default();
        format!("{}{code}", self.status)
    }
}
