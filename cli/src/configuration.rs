//! Where the configuration is, and reading it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pinfold_config::Loaded;
use pinfold_config::load;

use crate::failure::Failure;

const QUICKSTART: &str = include_str!("../../examples/quickstart/pinfold.toml");

/// Which configuration a command works with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Configuration {
    /// A file that somebody named, or that lies where one is looked for.
    File(PathBuf),
    /// The one in the binary; relative paths start from the working directory.
    BuiltIn,
}

impl Configuration {
    /// `--config`, else `$PINFOLD_CONFIG`, else `./pinfold.toml`, else `/etc/pinfold/pinfold.toml`, else the built-in.
    pub(crate) fn find(named: Option<PathBuf>) -> Self {
        let named = named.or_else(|| {
            let name = std::env::var_os("PINFOLD_CONFIG").filter(|name| !name.is_empty())?;
            Some(PathBuf::from(name))
        });
        // One that is there and cannot be looked at is an error, and not a reason to go on without it.
        let found = || {
            ["pinfold.toml", "/etc/pinfold/pinfold.toml"]
                .map(PathBuf::from)
                .into_iter()
                .find(|path| path.try_exists().unwrap_or(true))
        };
        named.or_else(found).map_or(Self::BuiltIn, Self::File)
    }

    /// Reads it and its pins files.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        let loaded = match self {
            Self::File(path) => load::load(path, today()),
            Self::BuiltIn => load::built_in(QUICKSTART, Path::new(""), today()),
        };
        Ok(loaded?)
    }

    /// Reads it without its pins files, so that a mistake in those does not stand in the way.
    pub(crate) fn load_without_pins(&self) -> Result<Loaded, Failure> {
        let loaded = match self {
            Self::File(path) => load::load_without_pins(path),
            Self::BuiltIn => load::built_in_without_pins(QUICKSTART, Path::new("")),
        };
        Ok(loaded?)
    }

    /// Its name, for people.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::BuiltIn => "built-in pinfold.toml".to_owned(),
        }
    }
}

/// The day, in UTC: the one by which pins expire.
pub(crate) fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}
