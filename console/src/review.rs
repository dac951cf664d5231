//! The review pages: what waits for a decision, the evidence for it, and the decision.

mod answer;
mod decide;
mod evidence;
mod first;
mod item;
mod learned;
mod ledger;
mod overview;
mod picture;
mod pins;
mod provider;
mod queue;
mod routes;
mod setup;
mod sign_in;
mod triage;
mod vendors;
mod whole;
mod words;

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use pinfold_policy::user::{Role, Users};
use pinfold_policy::verdict::Outcome;
use pinfold_store::incident::Incident;
use pinfold_store::item::Item;
use pinfold_triage::DifferenceAsked;
use tokio::sync::watch;

use crate::api::{ApiAnswer, Declined};

pub use self::evidence::{Evidence, Served, Triage, Verified};
pub use self::first::FirstLink;
pub(crate) use self::item::{downloaded, inert};
pub use self::learned::{LearnedDecision, LearnedEvidence};
pub use self::ledger::{Leaf, Question, Statement, StatementFile};
pub use self::pins::{PinFilter, PinRow, Pins, Source};
pub use self::provider::{IdentityProvider, ProviderBegin, ProviderFinish, Vouched};
pub use self::queue::AtAGlance;
pub(crate) use self::queue::{Asked as QueueFilter, in_order};
pub(crate) use self::routes::{Peer, Room, routes};
pub use self::setup::Setup;
pub use self::triage::{Glance, Urgency};
pub use self::vendors::VendorRules;
pub use self::whole::Texts;

/// What can be asked of whoever runs the gateway: an answer, or why there is none, in words for an operator.
type Ask<I, O> = Arc<dyn Fn(I) -> BoxFuture<'static, Result<O, String>> + Send + Sync>;

/// The same where there is one search at a time, so that it may be somebody else's turn.
type Search<I, O> = Arc<dyn Fn(I) -> BoxFuture<'static, Result<O, Declined>> + Send + Sync>;

/// All that was kept, and which of it is meant.
type SomeOfAll = (Arc<Vec<Item>>, Vec<Incident>);

/// What those who have signed in can see and do.
#[derive(Clone)]
pub struct Review {
    /// Who may sign in, as the files in force say it.
    pub users: watch::Receiver<Option<Arc<Users>>>,
    /// Who vouches for people besides; none where nobody does.
    pub provider: Option<IdentityProvider>,
    /// The way in while nobody may sign in yet.
    pub first_link: Option<FirstLink>,
    /// Writes the first user, by name and password.
    pub add_first: Ask<(String, String), ()>,
    /// A password was wrong, or the provider vouched for nobody.
    pub wrong_password: Arc<dyn Fn(WrongPassword) + Send + Sync>,
    /// Somebody signed in.
    pub signed_in: Arc<dyn Fn(SignedIn) + Send + Sync>,
    /// Everything that was kept, in any order.
    pub items: Ask<(), Vec<Item>>,
    /// Of all that was kept, what some newly do, in the same order, as far as that is known. It is answered at once, and what is
    /// not known is read from then on, the first first.
    pub at_a_glance: Ask<SomeOfAll, Vec<AtAGlance>>,
    /// Whether an item waits for a decision.
    pub waits: Ask<Incident, bool>,
    /// All that is known of one item, with what is asked for of its difference; none where there is no such item.
    pub evidence: Ask<(Incident, DifferenceAsked), Option<Evidence>>,
    /// Its bytes, decoded; none where they are not kept.
    pub body: Ask<Incident, Option<Vec<u8>>>,
    /// The bytes of an item and those that they are compared with; none where there is no such item, or its bytes are not kept.
    pub texts: Ask<Incident, Option<Texts>>,
    /// Decides, with all that the command that decides the same does.
    pub decide: Ask<Decision, Done>,
    /// What passed lately, and how the vendors are.
    pub overview: Ask<(), Overview>,
    /// Rows of the ledger, from the newest on, or from where the page before ended.
    pub ledger: Search<(Question, Option<String>), Leaf>,
    /// Who may have received something.
    pub exposure: Search<Question, Statement>,
    /// The same, to hand on.
    pub exposure_file: Search<(Question, StatementFile), String>,
    /// How clients come to use the gateway.
    pub setup: Ask<(), Setup>,
    /// The vendors of the files in force, with their rules.
    pub vendors: Ask<(), Vec<VendorRules>>,
    /// What may be served.
    pub pins: Search<PinFilter, Pins>,
    /// What was learned by a record; none where nothing was.
    pub learned: Ask<u64, Option<LearnedEvidence>>,
    /// Its bytes, decoded; none where they are not kept.
    pub learned_body: Ask<u64, Option<Vec<u8>>>,
    /// Confirms or drops it, with all that the command does.
    pub say_of_learned: Ask<LearnedDecision, Done>,
    /// What of it the files do not say yet, as the text of a pins file.
    pub pins_toml: Ask<(), String>,
    /// What searches for programs that show a token.
    pub programs: Programs,
}

/// The searches of programs: they have a turn of their own, so that one that goes on asking keeps no person from an answer.
#[derive(Clone)]
pub struct Programs {
    /// Rows of the ledger, as [`Review::ledger`].
    pub ledger: Search<(Question, Option<String>), Leaf>,
    /// What may be served, as [`Review::pins`].
    pub pins: Search<PinFilter, Pins>,
    /// What a command says, for a program that asks from elsewhere.
    pub commands: ApiAnswer,
}

/// A try to sign in, or to prove again who one is, that was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongPassword {
    /// From where.
    pub source: IpAddr,
    /// Whose name it was, where it is a user's: what else somebody has typed is nobody's to keep.
    pub user: Option<Arc<str>>,
    /// What was wrong.
    pub by: Proof,
}

/// A sign-in that was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// From where.
    pub source: IpAddr,
    /// Who: the user, or as whom the history has somebody of the identity provider.
    pub who: Arc<str>,
    /// The most that they may do.
    pub role: Role,
    /// By what.
    pub by: Proof,
}

/// By what somebody proves who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A password, at a page.
    Password,
    /// A token, at the API.
    Token,
    /// What the identity provider says, or what was to be shown to it.
    Provider,
}

/// What somebody wants decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Of which item.
    pub incident: Incident,
    /// What.
    pub act: Act,
    /// Who decides.
    pub who: Who,
    /// The written reason, as it was typed.
    pub reason: String,
    /// The last day on which it counts, as it was typed; none for ever.
    pub expires: Option<String>,
    /// What stands for the paths that the page showed: an approval admits these, and no others.
    pub shown: String,
}

/// Who decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The user of this name.
    Local(Arc<str>),
    /// Somebody for whom the identity provider vouches.
    Vouched {
        /// As whom the history has them.
        who: Arc<str>,
        /// The name that goes with it now.
        name: Arc<str>,
    },
    /// A program, for a user.
    Program {
        /// The user of this name.
        user: Arc<str>,
        /// What the token is called that it has shown.
        token: Arc<str>,
    },
}

/// What can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// These bytes may be served at this URL.
    Approve,
    /// They are not released at this URL.
    Reject,
}

/// What a decision has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// What was decided, and whether it is in force, in sentences.
    pub said: Vec<String>,
    /// What stands against it all the same.
    pub warnings: Vec<String>,
}

/// What the next page tells somebody, once.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    Done(Done),
    /// Nothing was decided, and why not. What was typed as a reason is not to be typed again.
    Refused {
        why: String,
        act: Act,
        reason: String,
    },
}

/// How the gateway fares.
#[derive(Clone, Debug)]
pub struct Overview {
    /// What was judged in the last hour and in the last day.
    pub flows: [Flow; 2],
    /// The vendors of the files in force.
    pub vendors: Vec<VendorState>,
    /// When this is from.
    pub now: Timestamp,
}

/// What became of what was judged in some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// How often each outcome was.
    pub outcomes: Vec<(Outcome, u64)>,
}

/// One vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorState {
    /// Its name.
    pub name: Box<str>,
    /// The mode that it is judged in: `enforce`, `observe`.
    pub mode: &'static str,
    /// The patterns of its hosts.
    pub hosts: Vec<String>,
    /// URLs at which it serves something else than expected.
    pub drifting: u64,
    /// URLs at which nothing could be seen at the last recheck.
    pub unreachable: u64,
}

/// What was asked for in the last day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// Clients that asked for the URL in the last day.
    pub clients: u64,
    /// By hour, the oldest first, how often the item was asked for in the last day.
    pub hours: [u64; 24],
}
