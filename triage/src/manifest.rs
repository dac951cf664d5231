//! What a package manager reads of a package and does by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::body::names;
use crate::contents::{Contents, InstallScript, NAMED, Oddity, OddityKind};
use crate::findings::{SHOWN, SaidVersion, bounded};

/// What npm runs without being asked.
const HOOKS: [&str; 8] = [
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
    "dependencies",
];
/// What npm installs besides.
const NEEDED: [&str; 3] = ["dependencies", "optionalDependencies", "peerDependencies"];
/// What comes along inside the package, and is not asked of the registry. npm writes the first, and reads both.
const BUNDLED: [&str; 2] = ["bundleDependencies", "bundledDependencies"];
/// Longer ones are none.
const LONGEST: usize = 1 << 20;

/// Names what changed in a member that is a manifest of npm.
pub(crate) fn manifests(name: &str, reviewed: Option<&[u8]>, new: &[u8], contents: &mut Contents) {
    let file = file_of(name);
    if file == "binding.gyp" && reviewed.is_none() {
        note(contents, name, "install", None, Some("node-gyp rebuild, because there is a binding.gyp"));
    }
    if file != "package.json" || contents.install_scripts.len() >= NAMED {
        return;
    }
    let Some(now) = read(new) else {
        let member = bounded(name, SHOWN);
        return contents.oddities.push(Oddity { kind: OddityKind::Manifest, member, reviewed: false });
    };
    let before = reviewed.and_then(read);
    if name.matches('/').count() <= 1 && contents.version.is_none() {
        let said = |manifest: &Value| Some(bounded(manifest.get("version")?.as_str()?, SHOWN));
        contents.version = SaidVersion::of(before.as_ref().and_then(said), said(&now));
    }
    let (old, new) = (before.as_ref().map(scripts).unwrap_or_default(), scripts(&now));
    for hook in HOOKS {
        let (old, new) = (old.get(hook), new.get(hook));
        if old != new {
            note(contents, name, hook, old.map(String::as_str), new.map(String::as_str));
        }
    }
    contents.names.extend(names("dependencies", before.as_ref().map(needed).as_ref(), &needed(&now)));
    contents.names.truncate(NAMED);
}

/// The name of the file, as npm finds it: in any case where the file system does not care, and without the number that a second
/// one of a name has here.
fn file_of(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
    let numbered = file.strip_suffix(')').and_then(|file| file.rsplit_once(" ("));
    let first = numbered.filter(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()));
    first.map_or_else(|| file.clone(), |(file, _)| file.to_owned())
}

/// As npm reads it: a byte order mark is none of its business.
fn read(bytes: &[u8]) -> Option<Value> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    (bytes.len() <= LONGEST).then(|| serde_json::from_slice(bytes).ok()).flatten()
}

fn note(contents: &mut Contents, member: &str, hook: &str, reviewed: Option<&str>, new: Option<&str>) {
    let shown = |text: &str| bounded(text, SHOWN);
    contents.install_scripts.push(InstallScript {
        member: shown(member),
        name: shown(hook),
        reviewed: reviewed.map(shown),
        new: new.map(shown),
    });
}

fn scripts(manifest: &Value) -> BTreeMap<String, String> {
    let scripts = manifest.get("scripts").and_then(Value::as_object);
    let each = scripts.into_iter().flatten();
    each.filter_map(|(name, run)| Some((name.clone(), run.as_str()?.to_owned()))).collect()
}

fn needed(manifest: &Value) -> BTreeSet<String> {
    let lists = NEEDED.iter().filter_map(|kind| manifest.get(kind)?.as_object());
    let asked =
        lists.flatten().map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default()));
    let bundled = BUNDLED.iter().filter_map(|kind| manifest.get(kind));
    asked.chain(bundled.flat_map(names_in)).collect()
}

/// A list of names, or `true` for all that is asked for.
fn names_in(bundled: &Value) -> Vec<String> {
    match bundled {
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).map(|name| format!("{name} (bundled)")).collect()
        }
        Value::Bool(true) => vec!["all of them (bundled)".to_owned()],
        Value::Null | Value::Bool(false) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Vec::new()
        }
    }
}
