//! Reading a configuration: pinfold.toml, then the pins files and the users file that it names.

use std::path::{Path, PathBuf};

use jiff::civil::Date;
use pinfold_policy::pins::PinIndex;
use pinfold_policy::policy::Rulebook;
use pinfold_policy::vendor::{Rules, Vendors};
use toml::Spanned;

use crate::crosscheck::{self, Surroundings};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::document;
use crate::gateway::{self, Gateway, PinsFiles};
use crate::pins::{self, PinsFile, Reading};
use crate::settings::Config;
use crate::source::{Mistake, SourceFile, Unreadable};
use crate::users::{self, Purpose, UsersFile};
use crate::vendors::PlacedVendor;

/// A configuration that can be used, and what is questionable in it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What `pinfold check --strict` fails on, by file and place.
    pub warnings: Vec<Diagnostic>,
}

/// Reads `path` and its pins files. Pins that expire soon after `today` are warned of.
///
/// Relative paths in the file start from its directory.
///
/// # Errors
/// Every mistake in all of the files.
pub fn load(path: &Path, today: Date) -> Result<Loaded, Diagnostics> {
    assemble(Text::of_file(path)?, Some(today))
}

/// The same without looking at the pins files, nor at the users file: what mends them has to work while one in them is
/// wrong.
///
/// # Errors
/// Every mistake in `path`.
pub fn load_without_pins(path: &Path) -> Result<Loaded, Diagnostics> {
    assemble(Text::of_file(path)?, None)
}

/// Reads the text of a pinfold.toml that is part of the binary. Relative paths start from `base`.
///
/// # Errors
/// Every mistake in the text, and in a pins file that it names or that lies in `base`.
pub fn built_in(text: &'static str, base: &Path, today: Date) -> Result<Loaded, Diagnostics> {
    assemble(Text::built_in(text, base), Some(today))
}

/// The same without looking at the pins files, nor at the users file.
///
/// # Errors
/// Every mistake in the text.
pub fn built_in_without_pins(text: &'static str, base: &Path) -> Result<Loaded, Diagnostics> {
    assemble(Text::built_in(text, base), None)
}

/// The text of a pinfold.toml, and where it lies.
struct Text<'a> {
    source: SourceFile,
    file: Option<PathBuf>,
    base: &'a Path,
}

impl<'a> Text<'a> {
    fn of_file(path: &'a Path) -> Result<Self, Diagnostics> {
        let source = SourceFile::read(path).map_err(|unreadable| {
            let missing = unreadable.is_missing();
            let found = unreadable.into_diagnostic(path);
            Diagnostics(vec![if missing { found.hint("run 'pinfold init' to write one") } else { found }])
        })?;
        let base = path.parent().unwrap_or(Path::new(""));
        Ok(Self { source, file: Some(path.to_owned()), base })
    }

    fn built_in(text: &'static str, base: &'a Path) -> Self {
        Self { source: SourceFile::new("built-in pinfold.toml", text), file: None, base }
    }
}

fn assemble(text: Text<'_>, today: Option<Date>) -> Result<Loaded, Diagnostics> {
    let Text { source, file, base } = text;
    let Some(gateway) = document::parse(&source).map(|table| gateway::read(&source, &table, base)) else {
        return Err(Diagnostics(source.into_findings()));
    };
    let Gateway { mode, vendors, other_tls, other_scripts, .. } = gateway;
    let vendors = Vendors::new(vendors.into_iter().map(PlacedVendor::into_vendor).collect());
    let surroundings = Surroundings { vendors: &vendors, other_tls, egress: &gateway.egress };
    let (pins_files, pins) = match today {
        Some(today) => read_pins(&source, &gateway.pins, base, Reading { today, surroundings }),
        None => (paths(&gateway.pins, base), PinsRead::default()),
    };
    let users_file = gateway.users.as_ref().map(|name| base.join(name.get_ref()));
    let users = match today {
        Some(today) => read_users(&source, gateway.users.as_ref(), users_file.as_deref(), today),
        None => None,
    };
    let named = gateway.console_users.as_ref().or(gateway.users.as_ref());
    let console_users_file = console_users_file(named, gateway.console.is_some(), base);
    let is_shared = console_users_file == users_file;
    let console_users = match (today, &console_users_file) {
        (Some(today), Some(path)) if !is_shared => {
            read_console_users(&source, gateway.console_users.as_ref(), path, today)
        }
        (Some(_) | None, _) => None,
    };

    let mut rulebook = Rulebook {
        vendors,
        other_tls,
        other_scripts,
        other_rules: Rules { mode, ..Rules::default() },
        ..Rulebook::default()
    };
    let revoked_at = pins.files.iter().flat_map(PinsFile::revoked_at).collect();
    let mut found = findings(source, pins, &mut rulebook);
    let mut of_file = |UsersFile { source, users }: UsersFile| {
        found.extend(source.into_findings());
        users
    };
    let users = users.and_then(&mut of_file);
    let console_users = if is_shared { users.clone() } else { console_users.and_then(&mut of_file) };
    if found.iter().any(|found| found.severity == Severity::Error) {
        return Err(Diagnostics(found));
    }
    let config = Config {
        file,
        listen: gateway.listen,
        data_dir: gateway.data_dir,
        pins_files,
        mode,
        clients: gateway.clients,
        console_users_file,
        console_users,
        users_file,
        users,
        certs: gateway.certs,
        egress: gateway.egress,
        extra_roots: gateway.extra_roots,
        limits: gateway.limits,
        cache: gateway.cache,
        quarantine: gateway.quarantine,
        ledger: gateway.ledger,
        approvers: gateway.approvers,
        canary: gateway.canary,
        console: gateway.console,
        siem: gateway.siem,
        rulebook,
        revoked_at,
    };
    Ok(Loaded { config, warnings: found })
}

/// Pins files, and what is wrong with those that could not be read.
#[derive(Default)]
struct PinsRead {
    files: Vec<PinsFile>,
    unreadable: Vec<Diagnostic>,
}

fn paths(pins: &PinsFiles, base: &Path) -> Vec<PathBuf> {
    match pins {
        PinsFiles::Default => vec![base.join("pins.toml")],
        PinsFiles::Named(names) => names.iter().map(|name| base.join(name.get_ref())).collect(),
    }
}

fn read_pins(
    main: &SourceFile,
    pins: &PinsFiles,
    base: &Path,
    reading: Reading<'_>,
) -> (Vec<PathBuf>, PinsRead) {
    let paths = paths(pins, base);
    let mut read = PinsRead::default();
    for (at, path) in paths.iter().enumerate() {
        let named = match pins {
            PinsFiles::Default => None,
            PinsFiles::Named(names) => names.get(at),
        };
        match (SourceFile::read_list(path), named) {
            (Ok(source), named) => {
                let name = named.map_or("pins.toml", |name| name.get_ref());
                read.files.push(pins::read(source, name, reading));
            }
            (Err(Unreadable::NotUtf8(found)), _) => read.unreadable.push(*found),
            // Nobody asked for it; `pinfold pin add` makes it.
            (Err(unreadable), None) if unreadable.is_missing() => {}
            (Err(unreadable), None) => read.unreadable.push(unreadable.into_diagnostic(path)),
            (Err(unreadable), Some(name)) => {
                let missing = "create it: an empty file has no pins";
                let hint = unreadable.is_missing().then_some(missing);
                let mistake: Mistake = unreadable.mistake().about(&path.display().to_string());
                main.error(name.span(), mistake.hint_if_any(hint));
            }
        }
    }
    (paths, read)
}

/// Reads the users file. Without it nobody could be told from anybody: unlike a pins file it must be there.
fn read_users(
    main: &SourceFile,
    name: Option<&Spanned<String>>,
    path: Option<&Path>,
    today: Date,
) -> Option<UsersFile> {
    let (name, path) = name.zip(path)?;
    match users::read(path, Purpose::Proxy, today) {
        Ok(file) => Some(file),
        Err(unreadable) => {
            let missing = "run 'pinfold user add NAME' to write it";
            let hint = unreadable.is_missing().then_some(missing);
            let mistake = unreadable.mistake().about(&path.display().to_string());
            main.error(name.span(), mistake.hint_if_any(hint));
            None
        }
    }
}

/// The file of those who may sign in at the console: the one that is named for it or for the proxy, else one of its own name.
fn console_users_file(named: Option<&Spanned<String>>, is_there: bool, base: &Path) -> Option<PathBuf> {
    let usual = is_there.then_some("reviewers.toml");
    named.map(|name| name.get_ref().as_str()).or(usual).map(|name| base.join(name))
}

/// Reads the file of those who may sign in. Without it nobody may, which is no reason not to protect anyone.
fn read_console_users(
    main: &SourceFile,
    name: Option<&Spanned<String>>,
    path: &Path,
    today: Date,
) -> Option<UsersFile> {
    let place = name.map(Spanned::span);
    match users::read(path, Purpose::Console, today) {
        Ok(file) => Some(file),
        Err(unreadable) if unreadable.is_missing() => {
            // One that nobody named is made by whoever adds the first.
            if let Some(place) = place {
                let mistake = Mistake::new(format!("{} is not there: nobody can sign in", path.display()));
                main.warn(place, mistake.hint("run 'pinfold user add NAME --role reviewer' to write it"));
            }
            None
        }
        Err(unreadable) => {
            main.error(place.unwrap_or_default(), unreadable.mistake().about(&path.display().to_string()));
            None
        }
    }
}

/// Moves pins and revocations into the rulebook, checks them against each other, and gives everything that
/// was found on the way.
fn findings(main: SourceFile, pins: PinsRead, rulebook: &mut Rulebook) -> Vec<Diagnostic> {
    let PinsRead { mut files, unreadable } = pins;
    let mut all = Vec::new();
    for PinsFile { said, .. } in &mut files {
        let pins = std::mem::take(&mut said.pins);
        // A list alone is a million pins that stay where they are.
        if all.is_empty() { all = pins } else { all.extend(pins) }
    }
    rulebook.pins = PinIndex::new(all);
    crosscheck::check(&files, &rulebook.pins);

    let mut found = main.into_findings();
    found.extend(unreadable);
    for PinsFile { source, said } in files {
        rulebook.revocations.extend(said.revoked.into_iter().map(Spanned::into_inner));
        found.extend(source.into_findings());
    }
    found
}
