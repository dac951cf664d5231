//! Why a command did not do it, and what the shell is told.

use std::io;

use pinfold_certs::CaError;
use pinfold_config::diagnostic::Diagnostics;
use pinfold_store::StoreError;

/// What stopped a command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line or the configuration is wrong: exit code 2.
    Configuration(Complaint),
    /// The same, with all places in all files.
    Files(Diagnostics),
    /// It could not be done: exit code 3.
    CouldNot(Complaint),
    /// Whoever read standard output has gone, as `head` does. Nothing is wrong.
    ReaderGone,
}

/// One line for people, and what to do next.
#[derive(Debug)]
pub(crate) struct Complaint {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// The command line or the configuration is wrong.
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::Configuration(Complaint { message: message.into(), hint: None })
    }

    /// It could not be done.
    pub(crate) fn could_not(message: impl Into<String>) -> Self {
        Self::CouldNot(Complaint { message: message.into(), hint: None })
    }

    /// Says what to do next.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        self.hint_if_any(Some(hint.into()))
    }

    pub(crate) fn hint_if_any(self, hint: Option<String>) -> Self {
        match self {
            Self::Configuration(complaint) => Self::Configuration(Complaint { hint, ..complaint }),
            Self::CouldNot(complaint) => Self::CouldNot(Complaint { hint, ..complaint }),
            Self::Files(_) | Self::ReaderGone => self,
        }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration(_) | Self::Files(_) => 2,
            Self::CouldNot(_) => 3,
            Self::ReaderGone => 0,
        }
    }
}

/// The system's words for an error, in our voice: lower case, without its number.
pub(crate) fn cause(error: &io::Error) -> String {
    let text = error.to_string().to_lowercase();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

impl From<Diagnostics> for Failure {
    fn from(found: Diagnostics) -> Self {
        Self::Files(found)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let hint = error.hint();
        Self::could_not(error.to_string()).hint(hint)
    }
}

impl From<CaError> for Failure {
    fn from(error: CaError) -> Self {
        let hint = error.hint();
        Self::could_not(error.to_string()).hint_if_any(hint)
    }
}
