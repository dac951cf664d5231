//! The text of `pinfold.toml` and `pins.toml`: no text makes the reader panic, every finding lies inside its file, and
//! what pinfold writes into a file leaves the rest of it as it was.
//!
//! The first byte says which file the text is of, the second which pin is written into it.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use jiff::civil::{Date, date};
use libfuzzer_sys::fuzz_target;
use pinfold_config::diagnostic::Diagnostic;
use pinfold_config::edit::{Change, NewPin, add_pins};
use pinfold_config::load::{load, load_without_pins};
use pinfold_policy::digest::{Digest, Digests};
use pinfold_policy::kind::Kind;
use pinfold_policy::pin::PinUrl;
use toml::{Table, Value};

const TODAY: Date = date(2026, 11, 27);

/// In memory where there is such a place: an edit waits for the disk.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("pinfold-fuzz-").tempdir_in(folder).expect("a folder")
});

fuzz_target!(|data: &[u8]| {
    let [which, pin, text @ ..] = data else { return };
    let gateway = FOLDER.path().join("pinfold.toml");
    let pins = FOLDER.path().join("pins.toml");
    if which & 1 == 0 {
        // Without its pins: the text could name any file of this machine.
        fs::write(&gateway, text).expect("memory");
        let found: Vec<_> = match load_without_pins(&gateway) {
            Ok(loaded) => loaded.warnings,
            Err(found) => found.iter().cloned().collect(),
        };
        inside(&found, text);
        return;
    }
    fs::write(&gateway, "[[vendor]]\nname = \"v\"\nhosts = [\"v.test\", \"*.v.test\"]\n").expect("memory");
    fs::write(&pins, text).expect("memory");
    let (count, found) = match load(&gateway, TODAY) {
        Ok(loaded) => (Some(loaded.config.rulebook.pins.all().len()), loaded.warnings),
        Err(found) => (None, found.iter().cloned().collect()),
    };
    inside(&found, text);
    edited(
        &pins,
        text,
        &new_pin(*pin),
        || load(&gateway, TODAY).ok().map(|it| it.config.rulebook.pins.all().len()),
        count,
    );
});

/// Every finding points at a character of the text, or right behind a line of it, and can be shown.
fn inside(found: &[Diagnostic], text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.split('\n').collect();
    for finding in found {
        let shown = finding.render(false);
        assert!(shown.contains(&finding.message) || finding.message.contains('\n'), "{shown}");
        assert!(!finding.to_string().contains('\u{1b}'), "{finding}");
        let Some(at) = finding.at else { continue };
        let line = lines.get(at.line as usize - 1).unwrap_or_else(|| panic!("{finding}: no such line"));
        assert!((1..=line.chars().count() + 1).contains(&(at.column as usize)), "{finding}: no such column");
    }
}

fn new_pin(choice: u8) -> NewPin {
    let urls = [
        "https://v.test/a.js",
        "https://v.test/lib/*.js",
        "https://w.v.test/b.js?v=1",
        "http://v.test:81/**",
    ];
    let digest = |body: &[u8]| Digest::Sha384(Digests::of(body).sha384);
    let digests = [digest(b"one"), Digest::from(Digests::of(b"two").sha256)];
    let some = |bit: u8, text: &str| (choice >> bit & 1 == 1).then(|| text.to_owned());
    NewPin {
        url: PinUrl::parse(urls[usize::from(choice % 4)]).expect("a URL"),
        digests: digests.into_iter().take(1 + usize::from(choice >> 2 & 1)).collect(),
        kind: if choice >> 3 & 1 == 1 { Kind::Wasm } else { Kind::Script },
        release: some(4, "1.0 \"x\"\u{202e}\\"),
        owner: some(5, "web\r\n[[revoke]]"),
        reason: some(6, "reviewed '''\u{7f}\u{0}"),
        added: (choice >> 7 == 1).then_some(TODAY),
        expires: None,
    }
}

/// After an edit the file holds the pin and all that it held before; after a refusal it is as it was.
fn edited(
    path: &std::path::Path,
    before: &[u8],
    pin: &NewPin,
    reload: impl Fn() -> Option<usize>,
    count: Option<usize>,
) {
    let result = add_pins(path, std::slice::from_ref(pin));
    let after = fs::read(path).expect("memory");
    let Ok(added) = result else {
        assert_eq!(after, before, "a refused edit changed the file");
        return;
    };
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8(after).expect("UTF-8"));
    let [(change, line)] = added.changes.as_slice() else { panic!("one pin, one change") };
    assert!((1..=after.lines().count()).contains(&(*line as usize)), "the pin is in line {line}");
    let changed = compared(&table(&before), &table(&after), pin);
    match change {
        Change::Unchanged => assert_eq!(after, before),
        Change::Appended => assert!(after.starts_with(&*before) && changed == 0, "{after}"),
        Change::Extended => assert_eq!(changed, 1, "{after}"),
    }
    // What could be used before can be used after, with one pin more where one was added.
    if let Some(count) = count {
        assert_eq!(reload(), Some(count + usize::from(*change == Change::Appended)), "{after}");
    }
    assert_eq!(
        add_pins(path, std::slice::from_ref(pin)).expect("the same again").changes[0].0,
        Change::Unchanged
    );
}

fn table(text: &str) -> Table {
    text.trim_start_matches('\u{feff}').parse().unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// How many blocks were extended. Everything else must be there as it was.
fn compared(before: &Table, after: &Table, pin: &NewPin) -> usize {
    let others = |table: &Table| {
        table.iter().filter(|(key, _)| *key != "pin").map(|(k, v)| (k.clone(), v.clone())).collect::<Table>()
    };
    assert_eq!(others(before), others(after));
    let blocks = |table: &Table| table.get("pin").and_then(Value::as_array).cloned().unwrap_or_default();
    let (before, after) = (blocks(before), blocks(after));
    assert!(before.len() <= after.len() && after.len() <= before.len() + 1);
    before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before != after && extended(before, after, pin))
        .count()
}

/// A block differs in its digests alone, and of those that could be read none is gone.
fn extended(before: &Value, after: &Value, pin: &NewPin) -> bool {
    let (Some(before), Some(after)) = (before.as_table(), after.as_table()) else { panic!("no tables") };
    for (key, value) in after {
        assert!(key == "digests" || before.get(key) == Some(value), "{key} changed");
    }
    assert_eq!(before.len(), after.len());
    let list = |table: &Table| table.get("digests").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_digest = |value: &&Value| value.as_str().is_some_and(|text| text.parse::<Digest>().is_ok());
    let (old, new) = (list(before), list(after));
    assert!(old.iter().filter(is_digest).all(|digest| new.contains(digest)), "a digest is gone");
    assert!(
        pin.digests.iter().all(|digest| new.contains(&Value::String(digest.to_string()))),
        "a digest is missing"
    );
    true
}
