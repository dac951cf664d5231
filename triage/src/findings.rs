//! What an analysis says. Text in it is the attacker's: it is bounded, and whoever shows it escapes it.

use std::sync::Arc;

use crate::capability::Capability;
use crate::contents::Contents;
use crate::difference::Whole;
use crate::guard::Guard;
use crate::look::SHORT;
use crate::renames::Renamed;
use crate::together::Together;

/// Characters of a text that is shown at most.
pub const SHOWN: usize = 160;
/// Places of one fact that are named.
pub const SITES: usize = 12;
/// Functions of which it is said what each newly does.
pub const TOGETHER: usize = 3;
/// Changed literals, hosts, functions of a kind that are named.
pub const LISTED: usize = 200;

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// What kind of change it is.
    pub change: Change,
    /// Why there is no more, if there is not.
    pub not_analysed: Option<NotAnalysed>,
    /// What both versions say that they are. `None` where one of them does not say it.
    pub version: Option<SaidVersion>,
    /// What it newly does in one function, the most kinds of things first; [`TOGETHER`] of them at most.
    pub together: Vec<Together>,
    /// What it newly does, or does more often.
    pub facts: Vec<Fact>,
    /// Guards that it no longer has.
    pub losses: Vec<Loss>,
    /// Hosts that it newly names.
    pub hosts: Vec<Host>,
    /// Functions that are not what they were, [`LISTED`] of a kind at most.
    pub functions: Vec<Function>,
    /// How many functions there are, and how many are not what they were.
    pub function_counts: FunctionCounts,
    /// Literals that are not what they were, where nothing else is.
    pub literals: Vec<Literal>,
    /// How much it is obfuscated.
    pub measures: Vec<Measure>,
    /// Both versions, formatted: what is not the same, with a few lines around it. Without a reviewed version, the lines around
    /// what is named.
    pub diff: Diff,
    /// What every part of [`Findings::diff`] is cut from, where there are several. It is as large as both versions, and what a
    /// member is has none.
    pub whole: Option<Arc<Whole>>,
    /// What it is and holds, where it is more than a script.
    pub contents: Option<Box<Contents>>,
}

impl Findings {
    /// Parts of the difference, or else of the longest one of its members.
    #[must_use]
    pub fn parts(&self) -> usize {
        let members = self.contents.iter().flat_map(|contents| &contents.members);
        let of_members = members.filter_map(|member| member.findings.as_deref()).map(Self::parts);
        of_members.chain([self.diff.parts.len()]).max().unwrap_or_default()
    }
}

/// What kind of change it is, from cheap to expensive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Change {
    /// There is no reviewed version.
    #[default]
    New,
    /// The bytes are the same.
    Same,
    /// Comments, whitespace, notation: the formatted texts are the same.
    Trivia,
    /// Names of local variables, and nothing else.
    Names,
    /// Literals, and nothing that is done with them.
    Data,
    /// Code.
    Code,
    /// What it holds: it is more than a script.
    Contents,
    /// Nobody can say.
    Unknown,
}

impl Change {
    /// The stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Same => "same",
            Self::Trivia => "trivia",
            Self::Names => "names",
            Self::Data => "data",
            Self::Code => "code",
            Self::Contents => "contents",
            Self::Unknown => "unknown",
        }
    }

    /// In words.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::New => "there is no reviewed version to compare with",
            Self::Same => "the bytes are the same",
            Self::Trivia => "only comments, whitespace or notation changed",
            Self::Names => "only names of local variables changed",
            Self::Data => "only literals changed, and nothing that is done with them",
            Self::Code => "code changed",
            Self::Contents => "what it holds changed",
            Self::Unknown => "it cannot be said what changed",
        }
    }
}

/// What two versions say that they are: in the comments in front of a script, in its texts, or in the manifest of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidVersion {
    /// What the reviewed one says.
    pub reviewed: Box<str>,
    /// What the new one says.
    pub new: Box<str>,
}

impl SaidVersion {
    /// Of those that say something, both.
    pub(crate) fn of(reviewed: Option<Box<str>>, new: Option<Box<str>>) -> Option<Self> {
        Some(Self { reviewed: reviewed?, new: new? })
    }

    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { reviewed, new } = self;
        if reviewed == new {
            format!("says that it is {new}, as the verified version does")
        } else {
            format!("says that it is {new}, was {reviewed}")
        }
    }
}

/// Why a body, or a member of one, was not analysed. Hosts that stand in its bytes are named all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAnalysed {
    /// One side is larger than the limit, in bytes.
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// It nests deeper than the limit.
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// It is no script: what the parser says.
    NoScript {
        /// The parser's words.
        said: Box<str>,
    },
    /// As a script it is one thing and as a module another: comments of the one are code of the other.
    TwoReadings,
    /// The reviewed version is none that can be read: what is listed is all that the new one does.
    Reviewed(Box<NotAnalysed>),
    /// The time was over. What was found until then is listed.
    TimeOver,
    /// There was more to work out than the limit. What was found until then is listed.
    TooMuch,
    /// More hosts stand in its bytes than are told apart. Those that are not looked at can be new ones.
    TooManyHosts,
    /// There was no room for a stack, or the parser failed.
    Failed,
    /// It is not what its beginning promises: what its reader says.
    Malformed {
        /// The reader's words.
        said: Box<str>,
    },
    /// It is of no type that is known.
    UnknownType,
    /// It is encrypted.
    Encrypted,
    /// It is packed in a way that is not unpacked here.
    Packing,
    /// It is packed more tightly than the limit.
    Ratio {
        /// The limit: bytes of each packed one.
        limit: usize,
    },
    /// It lies in more archives inside each other than the limit.
    Layers {
        /// The limit.
        limit: usize,
    },
}

impl NotAnalysed {
    /// The stable name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too-large",
            Self::TooDeep { .. } => "too-deep",
            Self::NoScript { .. } => "no-script",
            Self::TwoReadings => "two-readings",
            Self::Reviewed(_) => "reviewed-unreadable",
            Self::TimeOver => "time-over",
            Self::TooMuch => "too-much",
            Self::TooManyHosts => "too-many-hosts",
            Self::Failed => "failed",
            Self::Malformed { .. } => "malformed",
            Self::UnknownType => "unknown-type",
            Self::Encrypted => "encrypted",
            Self::Packing => "packing",
            Self::Ratio { .. } => "ratio",
            Self::Layers { .. } => "layers",
        }
    }

    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::TooLarge { limit } => format!("it is larger than {limit} bytes"),
            Self::TooDeep { limit } => format!("it nests more than {limit} deep"),
            Self::NoScript { said } => format!("it is no script: {said}"),
            Self::TwoReadings => {
                "it hides code from one of two readers: what is a comment or a text in a script is code in a module"
                    .to_owned()
            }
            Self::Reviewed(why) => format!("the reviewed version cannot be compared with: {}", why.text()),
            Self::TimeOver => "the time was over; what was found until then is listed".to_owned(),
            Self::TooMuch => {
                "there was more to work out than the limit; what was found until then is listed".to_owned()
            }
            Self::TooManyHosts => {
                "more hosts stand in it than are told apart: there can be new ones that are not listed"
                    .to_owned()
            }
            Self::Failed => "the analysis failed".to_owned(),
            Self::Malformed { said } => format!("it cannot be read to its end: {said}"),
            Self::UnknownType => "it is of no type that is known; hosts in it are listed".to_owned(),
            Self::Encrypted => "it is encrypted".to_owned(),
            Self::Packing => "it is packed in a way that is not unpacked here".to_owned(),
            Self::Ratio { limit } => format!("it unpacks to more than {limit} times its size"),
            Self::Layers { limit } => format!("it lies in more than {limit} archives inside each other"),
        }
    }
}

/// Something that a script can do, and how often it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What.
    pub capability: Capability,
    /// Places in the reviewed version.
    pub reviewed: usize,
    /// Places in the new version.
    pub new: usize,
    /// Places of the new version that have no equal in the reviewed one, by what is given to what is done there.
    pub others: usize,
    /// Of these, [`SITES`] at most.
    pub sites: Vec<Site>,
    /// Places of the reviewed version that have no equal in the new one, with lines of the reviewed version; [`SITES`] at most.
    pub gone: Vec<Site>,
}

impl Fact {
    /// What is new about it.
    #[must_use]
    pub fn novelty(&self) -> Novelty {
        if self.reviewed == 0 {
            Novelty::New
        } else if self.new > self.reviewed {
            Novelty::More
        } else {
            Novelty::Other
        }
    }
}

/// What is new about something that a script does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// The reviewed version does not do it.
    New,
    /// It is done at more places.
    More,
    /// It is done at no more places, and with something else.
    Other,
}

impl Novelty {
    /// The stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::More => "more",
            Self::Other => "other",
        }
    }
}

/// A guard of which there are fewer than before, or another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Which.
    pub guard: Guard,
    /// Places in the reviewed version.
    pub reviewed: usize,
    /// Places in the new version.
    pub new: usize,
    /// Places of the reviewed version that have no equal in the new one, with lines of the reviewed version; [`SITES`] at most.
    pub gone: Vec<Site>,
    /// Places of the new version that ask something else, where that is compared; [`SITES`] at most.
    pub others: Vec<Site>,
}

impl Loss {
    /// What became of it, in words.
    #[must_use]
    pub fn text(&self) -> String {
        let text = self.guard.text();
        match (self.new, self.reviewed.saturating_sub(self.new)) {
            (0, _) => format!("{text} is gone"),
            (_, 0) => format!("{text} is another than before"),
            (_, gone) => format!("{text} is gone, at {gone} of {} places", self.reviewed),
        }
    }
}

/// Where something is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The line in the formatted new version, from 1.
    pub line: usize,
    /// What stands there.
    pub excerpt: Box<str>,
    /// What it comes to, where that is not what stands there: `window.fetch` for `self["fe" + "tch"]`.
    pub means: Option<Box<str>>,
    /// Whether it is code in a string: what stands there is inside of the string.
    pub in_string: bool,
    /// Where it differs from what stood there in the other version, if what stands there looks the same: behind what is shown, or
    /// in what its names stand for.
    pub differs: Option<Elsewhere>,
    /// What the variables in it come from, as far as that is not what it was, the nearest first, where what stands there is what
    /// it was: then it is told here alone, and not as gone.
    pub origins: Vec<OtherOrigin>,
    /// Whether there are more than are told.
    pub are_more_origins: bool,
}

/// What a variable comes from, where that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherOrigin {
    /// What the variable is called in the new version.
    pub name: Box<str>,
    /// What is gone, with its line in the reviewed version.
    pub old: Option<Elsewhere>,
    /// What is there, with its line in the new version.
    pub new: Option<Elsewhere>,
}

/// What stands somewhere else than what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The line in the formatted version that the place is of, from 1.
    pub line: usize,
    /// What stands there.
    pub excerpt: Box<str>,
}

/// A host that the new version names and the reviewed one does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name or address.
    pub host: Box<str>,
    /// What was registered.
    pub domain: Box<str>,
    /// Where, as it is written there: URLs, or the host alone.
    pub urls: Vec<Box<str>>,
    /// The first line that names it. `None` where the script was not analysed.
    pub line: Option<usize>,
    /// What stands there: around its name, where that is in sight.
    pub excerpt: Option<Box<str>>,
    /// Whether it is hidden: no reader of the bytes would find it.
    pub hidden: bool,
    /// Whose name it imitates.
    pub imitates: Option<Box<str>>,
    /// What of the network, or which message, goes to it, as far as that can be followed, or is done on the line that names it.
    pub reached_by: Option<Capability>,
}

/// A function that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, or what it was assigned to.
    pub name: Box<str>,
    /// How it changed.
    pub how: FunctionChange,
    /// The line in the formatted new version, in the reviewed one if it was removed.
    pub line: usize,
}

impl Function {
    /// What a function is called that has no name and is given none.
    pub(crate) const ANONYMOUS: &str = "(anonymous)";
    /// How one begins that is called by what it is handed to; a parenthesis ends it.
    pub(crate) const HANDED: &str = "(handed to ";

    /// Whether it has a name, or is given one.
    #[must_use]
    pub fn is_named(&self) -> bool {
        &*self.name != Self::ANONYMOUS
    }

    /// Whether it is called by a name that tells something, or is handed to what is: minifiers give names of up to two letters,
    /// and others at each build.
    #[must_use]
    pub fn has_telling_name(&self) -> bool {
        let name = self.name.strip_prefix(Self::HANDED).unwrap_or(&self.name);
        self.is_named() && !is_of_build(name)
    }
}

/// How many functions of two versions correspond to each other. What stands in none counts as one more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionCounts {
    /// Those of the reviewed version.
    pub reviewed: usize,
    /// Those of the new version.
    pub new: usize,
    /// Those that are new.
    pub added: usize,
    /// Those that are gone.
    pub removed: usize,
    /// Those that do something else.
    pub changed: usize,
    /// Those that are somewhere else.
    pub moved: usize,
}

impl FunctionCounts {
    /// Fewer functions say nothing of how a script was built.
    const FEW: usize = 10;

    /// The same in a few words.
    pub const REBUILT: &str = "over a third of the functions are like none of the verified version";

    /// What is said instead of which functions are new and gone, where over a third of either version has no counterpart: a
    /// build by other tools renames and cuts everything, and each is then listed as gone and as new. In sentences.
    #[must_use]
    pub fn rebuilt(&self) -> Option<String> {
        let Self { reviewed, new, added, removed, .. } = *self;
        let is_rebuilt = reviewed >= Self::FEW && 3 * added > new && 3 * removed > reviewed;
        let functions =
            |count| if count == 1 { "1 function".to_owned() } else { format!("{count} functions") };
        is_rebuilt.then(|| {
            format!(
                "This version has {}, and {added} of them are like none of the verified version. The verified one has {}, and \
                 {removed} of them are like none of this version. That comes of a build with other tools or settings, which cuts \
                 and names everything anew, or of code that was written anew: these numbers do not tell which. So the functions \
                 are not listed one by one. The difference below has every line that changed.",
                functions(new),
                functions(reviewed),
            )
        })
    }

    /// How many changed in one way.
    #[must_use]
    pub fn of(&self, how: FunctionChange) -> usize {
        match how {
            FunctionChange::Added => self.added,
            FunctionChange::Removed => self.removed,
            FunctionChange::Changed => self.changed,
            FunctionChange::Moved => self.moved,
        }
    }
}

/// How a function changed, without those that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FunctionChange {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It does something else.
    Changed,
    /// It is somewhere else.
    Moved,
}

impl FunctionChange {
    /// The stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Moved => "moved",
        }
    }
}

/// A literal that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// The line in the formatted new version.
    pub line: usize,
    /// What it was.
    pub old: Box<str>,
    /// What it is.
    pub new: Box<str>,
}

impl Diff {
    /// What holds for all lines that are not in it, in words. `None` where nothing was compared, or all is changed.
    #[must_use]
    pub fn unchanged(&self) -> Option<&'static str> {
        if self.parts.is_empty() || self.added + self.removed == 0 {
            return None;
        }
        Some(match self.renamed {
            // A name that stands for something else than before is not left out.
            Renamed::LeftOut { .. } => {
                "All code outside the changed lines is the same, but for comments, white space, notation and names of local variables."
            }
            Renamed::Shown | Renamed::NotKnown(_) => {
                "All code outside the changed lines is the same, but for comments, white space and notation."
            }
        })
    }
}

/// One measure of obfuscation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// What is measured.
    pub what: &'static str,
    /// In the reviewed version.
    pub reviewed: Option<f64>,
    /// In the new version.
    pub new: f64,
}

/// What is not the same in two formatted texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Lines, in order.
    pub hunks: Vec<Hunk>,
    /// Lines that were added.
    pub added: usize,
    /// Lines that were removed.
    pub removed: usize,
    /// Changed lines that are not in [`Diff::hunks`]: they are in another part.
    pub left_out: usize,
    /// Which part of it this is, from 0.
    pub part: usize,
    /// The line of the new version, from 1, at which each part begins: one that is too long for one is told in several, each with
    /// [`DifferenceAsked::part`](crate::DifferenceAsked::part). Nothing where nothing was compared.
    pub parts: Vec<usize>,
    /// Changed lines there that are cut, because they are too long.
    pub cut: usize,
    /// Unchanged lines behind the last of them.
    pub rest: Fold,
    /// What became of lines that differ by names of local variables alone.
    pub renamed: Renamed,
}

/// Lines that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hunk {
    /// Unchanged lines in front of it.
    pub before: Fold,
    /// The first line in the reviewed version, from 1.
    pub old_start: usize,
    /// The first line in the new version, from 1.
    pub new_start: usize,
    /// The lines.
    pub lines: Vec<DiffLine>,
}

/// A line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffLine {
    /// Which version has it.
    pub mark: Mark,
    /// What stands there; of a long line what differs.
    pub text: Box<str>,
    /// Names in it that read like those in the line beside it, and are other variables: else a reader would take them for the same.
    pub other_names: Option<Box<str>>,
    /// Whether it is part of something of weight that the new version does, and mostly did before: then it counts with what.
    pub is_done: bool,
}

impl DiffLine {
    /// Whether all of its [`DiffLine::other_names`] are such as minifiers give, and nothing of weight is done there: in a build that
    /// has named everything anew, most of these stand for others.
    #[must_use]
    pub fn other_names_are_of_build(&self) -> bool {
        !self.is_done && self.other_names.as_deref().is_some_and(is_of_build)
    }
}

/// Whether no word of it has more letters than minifiers give to a name.
fn is_of_build(text: &str) -> bool {
    let is_of_word = |char: char| char.is_alphanumeric() || matches!(char, '_' | '$');
    text.split(|char| !is_of_word(char)).all(|word| word.chars().count() <= SHORT)
}

/// Unchanged lines between those that are shown, as far as they are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fold {
    /// The first line in the reviewed version, from 1.
    pub old_start: usize,
    /// The first line in the new version, from 1.
    pub new_start: usize,
    /// The first lines.
    pub head: Vec<Box<str>>,
    /// Lines between these and the last, which are not kept.
    pub left_out: usize,
    /// The last lines.
    pub tail: Vec<Box<str>>,
}

/// Which side a line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Both.
    Both,
    /// The reviewed one.
    Removed,
    /// The new one.
    Added,
}

/// The beginning of a text, as far as it is shown.
pub(crate) fn bounded(text: &str, most: usize) -> Box<str> {
    match text.char_indices().nth(most) {
        None => text.into(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
    }
}
