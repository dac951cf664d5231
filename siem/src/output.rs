//! Where events go.

use std::fmt;
use std::path::PathBuf;

use pinfold_store::Repeats;

/// One `[[siem]]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Where to.
    pub target: Target,
    /// Whether repeats come as one counted event or as an event each.
    pub repeats: Repeats,
}

impl Output {
    /// Under which name the store remembers what this output has got. Another target is another output.
    #[must_use]
    pub fn name(&self) -> String {
        format!("ecs {}", self.target)
    }
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Appended to this file, which is made when it is not there and made again when it was rotated away.
    File(PathBuf),
    /// Written to standard output.
    Stdout,
}

impl fmt::Display for Target {
    /// As `to` has it in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Stdout => f.write_str("stdout:"),
        }
    }
}
