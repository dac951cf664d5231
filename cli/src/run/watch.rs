//! Whether the files of a configuration have changed: by content, wherever their paths lead by now.
//!
//! Editors write beside a file and rename, or cut it and write again; Kubernetes turns a link to another directory. All
//! of it ends in another content at the same path, and in the middle of it a file can be short, empty or gone.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pinfold_config::settings::ConsoleTls;
use pinfold_config::{Config, Loaded, MAX_LIST_LEN};
use pinfold_policy::digest::BodyId;
use sha2::{Digest as _, Sha256};

use crate::configuration::Configuration;
use crate::failure::Failure;

/// A file that changes twice within this time can look unchanged from outside.
const COARSE: Duration = Duration::from_secs(2);
/// How often files are read again that somebody wrote to while they were read.
const ATTEMPTS: usize = 4;

/// What was found at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    /// A file. Its mode counts too: a users file that others can read is a mistake.
    File { digest: BodyId, len: u64, mode: u32 },
    /// None, or none that can be read.
    Unreadable(io::ErrorKind),
}

impl Content {
    fn at(path: &Path) -> Self {
        Self::read(path).unwrap_or_else(|error| Self::Unreadable(error.kind()))
    }

    fn read(path: &Path) -> io::Result<Self> {
        // To open a pipe is to wait for whoever writes to it.
        if !path.metadata()?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut hashing = Hashing(Sha256::new());
        // Whatever is longer is no file of a configuration: there the length is all that counts.
        io::copy(&mut file.take(MAX_LIST_LEN), &mut hashing)?;
        let digest = BodyId(hashing.0.finalize().into());
        Ok(Self::File { digest, len: metadata.len(), mode: metadata.mode() & 0o7777 })
    }
}

/// Takes what is read, and keeps none of it.
struct Hashing(Sha256);

impl io::Write for Hashing {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.0.update(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All files of a configuration, as they were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen(Vec<(PathBuf, Content)>);

impl Seen {
    fn of(paths: &[PathBuf]) -> Self {
        Self(paths.iter().map(|path| (path.clone(), Content::at(path))).collect())
    }

    /// Of a configuration that cannot be looked at again.
    pub(crate) fn nothing() -> Self {
        Self(Vec::new())
    }

    /// Of files that somebody was writing to: whatever they end up as is a change.
    pub(crate) fn unsettled(config: &Config) -> Self {
        let unread = Content::Unreadable(io::ErrorKind::Interrupted);
        Self(files_of(config).into_iter().map(|path| (path, unread.clone())).collect())
    }

    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.0.iter().map(|(path, _)| path.clone()).collect()
    }

    /// What `sha256sum` says of each, in our notation: `pins.toml sha256-…`.
    pub(crate) fn in_words(&self) -> String {
        let word = |(path, content): &(PathBuf, Content)| match content {
            Content::File { digest, .. } => format!("{} {digest}", path.display()),
            Content::Unreadable(_) => format!("{} absent", path.display()),
        };
        self.0.iter().map(word).collect::<Vec<_>>().join(", ")
    }
}

/// Looks at files again and again, and reads only those that may have changed.
#[derive(Debug, Default)]
pub(crate) struct Eyes(HashMap<PathBuf, (Stamp, Content)>);

/// What the system says of a file. Every change to it moves the last of these, as far as its clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    len: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        Some(Self {
            file: (metadata.dev(), metadata.ino()),
            len: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Whether a change after `now` would show.
    fn is_of_before(&self, now: SystemTime) -> bool {
        let changed = u64::try_from(self.changed.0).unwrap_or_default();
        now.duration_since(UNIX_EPOCH).is_ok_and(|now| Duration::from_secs(changed) + COARSE < now)
    }
}

impl Eyes {
    pub(crate) fn look(&mut self, paths: &[PathBuf]) -> Seen {
        Seen(paths.iter().map(|path| (path.clone(), self.content(path))).collect())
    }

    fn content(&mut self, path: &Path) -> Content {
        // Before it is read: what changes meanwhile has another one then.
        let (stamp, now) = (Stamp::of(path), SystemTime::now());
        if let (Some(stamp), Some((known, content))) = (stamp, self.0.get(path))
            && stamp == *known
        {
            return content.clone();
        }
        let content = Content::at(path);
        match stamp.filter(|stamp| stamp.is_of_before(now)) {
            Some(stamp) => self.0.insert(path.to_owned(), (stamp, content.clone())),
            None => self.0.remove(path),
        };
        content
    }
}

/// Which change counts: one that two looks in a row have found. In between, a file can be cut off where it makes sense.
#[derive(Debug)]
pub(crate) struct Settling {
    before: Seen,
    asked: bool,
}

/// Why files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// They were found to be others.
    Seen,
    /// Somebody says that they are as they should be.
    Asked,
}

/// What a look at the files has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Somebody may be writing to them.
    Moving,
    /// What stands.
    Same,
    /// A change that counts.
    Change(Cause),
}

impl Settling {
    pub(crate) fn from(seen: &Seen) -> Self {
        Self { before: seen.clone(), asked: false }
    }

    /// Somebody says that the files are as they should be. Where they are still being written, that is said of what they end up as.
    pub(crate) fn ask(&mut self) {
        self.asked = true;
    }

    /// What follows from what was found now, beside what is `standing`.
    pub(crate) fn look(&mut self, now: Seen, standing: &Seen) -> Found {
        let has_settled = now == self.before;
        self.before = now;
        if !has_settled {
            return Found::Moving;
        }
        if self.before != *standing {
            return Found::Change(if self.asked { Cause::Asked } else { Cause::Seen });
        }
        self.asked = false;
        Found::Same
    }
}

/// A configuration that nobody wrote to while it was read, and what was read.
pub(crate) struct Read {
    pub(crate) loaded: Result<Loaded, Failure>,
    pub(crate) seen: Seen,
}

/// Reads a configuration, whose files were `known` so far. None where they do not stand still.
pub(crate) fn read(configuration: &Configuration, known: &[PathBuf]) -> Option<Read> {
    let mut paths = match configuration.load_without_pins() {
        Ok(loaded) => files_of(&loaded.config),
        // Then nothing names others.
        Err(_) => known.to_vec(),
    };
    for _ in 0..ATTEMPTS {
        let seen = Seen::of(&paths);
        let loaded = configuration.load();
        if let Ok(loaded) = &loaded {
            paths = files_of(&loaded.config);
        }
        if Seen::of(&paths) == seen {
            return Some(Read { loaded, seen });
        }
    }
    None
}

/// Whether a configuration comes through a pipe: read again it would be empty, which is a valid one.
pub(crate) fn comes_once(configuration: &Configuration) -> bool {
    match configuration {
        Configuration::File(path) => path.metadata().is_ok_and(|metadata| !metadata.is_file()),
        Configuration::BuiltIn => false,
    }
}

fn files_of(config: &Config) -> Vec<PathBuf> {
    let console_users =
        config.console_users_file.iter().filter(|file| Some(*file) != config.users_file.as_ref());
    let named = config.file.iter().chain(&config.pins_files).chain(&config.users_file);
    let tls = config.console.as_ref().and_then(|console| console.tls.as_ref());
    let pair = match tls {
        Some(ConsoleTls::Files { certificate, key }) => vec![certificate, key],
        Some(ConsoleTls::LocalCa) | None => Vec::new(),
    };
    named.chain(console_users).chain(pair).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{FileExt as _, symlink};

    use super::*;

    #[test]
    fn every_way_to_change_a_file_is_seen_and_touching_it_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pins.toml");
        let (paths, mut eyes) = (vec![path.clone()], Eyes::default());
        let mut before = eyes.look(&paths);
        let mut changes = |what: &str, changes: bool| {
            let now = eyes.look(&paths);
            assert_eq!(now != before, changes, "{what}");
            before = now;
        };
        changes("nothing", false);
        fs::write(&path, "one").unwrap();
        changes("a new file", true);
        changes("nothing", false);
        fs::write(&path, "two").unwrap();
        changes("written over, of the same length", true);
        fs::write(dir.path().join("new"), "three").unwrap();
        fs::rename(dir.path().join("new"), &path).unwrap();
        changes("renamed into its place", true);
        File::options().write(true).open(&path).unwrap().set_modified(SystemTime::now()).unwrap();
        changes("touched", false);
        fs::remove_file(&path).unwrap();
        changes("removed", true);
        for version in ["..1", "..2"] {
            fs::create_dir(dir.path().join(version)).unwrap();
            fs::write(dir.path().join(version).join("pins.toml"), version).unwrap();
        }
        symlink("..1", dir.path().join("..data")).unwrap();
        symlink("..data/pins.toml", &path).unwrap();
        changes("linked", true);
        symlink("..2", dir.path().join("..data_tmp")).unwrap();
        fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
        changes("the link to its directory turned", true);
    }

    /// A revocation may stand at the end of a list of a million pins.
    #[test]
    fn a_change_at_the_end_of_a_long_list_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pins.toml");
        let (paths, mut eyes) = ([path.clone()], Eyes::default());
        let len = 300 * 1024 * 1024;
        assert!(len < MAX_LIST_LEN);
        let file = File::create(&path).unwrap();
        file.set_len(len).unwrap();
        let before = eyes.look(&paths);
        file.write_all_at(b"#", len - 1).unwrap();
        assert_ne!(eyes.look(&paths), before);
    }

    #[test]
    fn a_file_that_is_cut_and_written_again_is_one_change() {
        let seen = |text: &'static str| {
            let digest = BodyId::of(&[text.into()]);
            Seen(vec![("pins.toml".into(), Content::File { digest, len: 1, mode: 0o644 })])
        };
        let (standing, cut, whole) = (seen("old"), seen(""), seen("new"));
        let mut settling = Settling::from(&standing);
        let change = Found::Change(Cause::Seen);
        for (now, found) in
            [(&standing, Found::Same), (&cut, Found::Moving), (&whole, Found::Moving), (&whole, change)]
        {
            assert_eq!(settling.look(now.clone(), &standing), found, "{now:?}");
        }
        // What was taken, or could not be used, is no change any more; back to what was before is one.
        assert_eq!(settling.look(whole.clone(), &whole), Found::Same);
        assert_eq!(settling.look(standing.clone(), &whole), Found::Moving);
        assert_eq!(settling.look(standing, &whole), change);
    }

    #[test]
    fn a_sighup_while_files_are_being_written_is_about_what_they_end_up_as_and_about_nothing_later() {
        let seen = |text: &'static str| {
            let digest = BodyId::of(&[text.into()]);
            Seen(vec![("pins.toml".into(), Content::File { digest, len: 1, mode: 0o644 })])
        };
        let (standing, cut, whole, later) = (seen("old"), seen("cut"), seen("whole"), seen("later"));
        let mut settling = Settling::from(&standing);
        assert_eq!(settling.look(cut.clone(), &standing), Found::Moving);
        settling.ask();
        // What was there by then could not be used.
        assert_eq!(settling.look(whole.clone(), &cut), Found::Moving);
        assert_eq!(settling.look(whole.clone(), &cut), Found::Change(Cause::Asked));
        assert_eq!(settling.look(whole.clone(), &whole), Found::Same);
        assert_eq!(settling.look(later.clone(), &whole), Found::Moving);
        assert_eq!(settling.look(later, &whole), Found::Change(Cause::Seen));
    }

    #[test]
    fn a_file_is_not_read_again_while_its_stamp_proves_that_it_is_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pins.toml");
        fs::write(&path, "one").unwrap();
        let mut eyes = Eyes::default();
        eyes.look(std::slice::from_ref(&path));
        // Too young: it could change again within one tick of the file system's clock.
        assert!(eyes.0.is_empty());

        let stamp = Stamp::of(&path).unwrap();
        assert!(!stamp.is_of_before(SystemTime::now()));
        assert!(stamp.is_of_before(SystemTime::now() + COARSE * 2));
        let planted = Content::Unreadable(io::ErrorKind::Other);
        eyes.0.insert(path.clone(), (stamp, planted.clone()));
        assert_eq!(eyes.look(std::slice::from_ref(&path)), Seen(vec![(path.clone(), planted)]));
        fs::write(&path, "another").unwrap();
        assert_eq!(eyes.look(std::slice::from_ref(&path)), Seen::of(std::slice::from_ref(&path)));
    }
}
