//! What a command says, for whoever asks from elsewhere.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use pinfold_triage::DifferenceAsked;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Decision, LearnedDecision};

/// A command that reads or decides, as it is asked for from elsewhere. Incidents are named as the command takes them: whole, or
/// by as much of the beginning as tells one from the others.
#[derive(Clone, Debug)]
pub enum Command {
    /// `quarantine list`
    List,
    /// `quarantine show`
    Show(String),
    /// `quarantine diff`
    Diff {
        /// Which item.
        incident: String,
        /// What of its difference.
        asked: DifferenceAsked,
    },
    /// `quarantine approve` and `reject`
    Decide(Decision),
    /// `exposure`
    Exposure(Exposing),
    /// `pin list`; what was learned alone, or all of it.
    Pins {
        /// What was learned alone.
        learned: bool,
    },
    /// `pin export`
    PinBlocks {
        /// What was learned alone.
        learned: bool,
        /// What was approved alone.
        approved: bool,
    },
    /// What was learned, and nobody has confirmed.
    Learned(LearnedAsked),
    /// What was learned by this record.
    LearnedEvidence(u64),
    /// What that does.
    LearnedTriage(u64),
    /// `pin confirm`
    Say(LearnedDecision),
}

/// Which of what was learned.
#[derive(Clone, Debug)]
pub struct LearnedAsked {
    /// At this URL, or by the record of this number.
    pub at: Option<String>,
    /// Those behind this record.
    pub after: Option<u64>,
    /// How many at most.
    pub limit: usize,
}

/// What `exposure` is asked, as it was typed.
#[derive(Clone, Debug, Default)]
pub struct Exposing {
    /// The bytes.
    pub digest: Option<String>,
    /// A URL.
    pub url: Option<String>,
    /// A host.
    pub host: Option<String>,
    /// A client's address.
    pub client: Option<String>,
    /// A user.
    pub user: Option<String>,
    /// A vendor.
    pub vendor: Option<String>,
    /// What was decided.
    pub verdict: Option<String>,
    /// The first moment.
    pub since: Option<String>,
    /// The last.
    pub until: Option<String>,
}

/// How it is to be printed.
#[derive(Clone, Copy, Debug)]
pub struct Printing {
    /// As what.
    pub form: Form,
    /// Columns of the terminal; none where nobody looks at it.
    pub columns: Option<u16>,
    /// Whether it understands colours.
    pub color: bool,
}

impl Printing {
    /// For a program.
    pub(super) const JSON: Self = Self { form: Form::Json, columns: None, color: false };
}

/// A form of what a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As with `--json`.
    Json,
    /// As without an option.
    Text,
    /// As with `--csv`.
    Csv,
    /// As with `--markdown`.
    Markdown,
}

/// What a command printed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Printed {
    /// On standard output.
    pub out: String,
    /// On standard error.
    pub err: String,
    /// Its exit code.
    pub code: u8,
}

/// Why it did not do it, and what to do next.
#[derive(Clone, Debug)]
pub enum Declined {
    /// What was asked is wrong.
    Wrong(String, Option<String>),
    /// There is no such thing.
    Absent(String, Option<String>),
    /// It could not be done.
    Unable(String, Option<String>),
    /// Not now: it is being worked out, or it is somebody else's turn.
    Later(String),
}

impl Declined {
    /// Why, in words.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Wrong(text, _) | Self::Absent(text, _) | Self::Unable(text, _) | Self::Later(text) => text,
        }
    }
}

/// The way to the commands.
pub type ApiAnswer =
    Arc<dyn Fn((Command, Printing)) -> BoxFuture<'static, Result<Printed, Declined>> + Send + Sync>;
