//! What a package manager reads of a package and does by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::body::names;
use crate::contents::{Contents, InstallScript, NAMED};
use crate::findings::{SHOWN, bounded};

/// What npm runs without being asked.
const HOOKS: [&str; 9] = [
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
    "dependencies",
    "preuninstall",
];
/// What npm installs besides.
const NEEDED: [&str; 4] = ["dependencies", "optionalDependencies", "peerDependencies", "bundleDependencies"];
/// Longer ones are none.
const LONGEST: usize = 1 << 20;

/// Names what changed in a member that is a manifest of npm.
pub(crate) fn manifests(name: &str, reviewed: Option<&[u8]>, new: &[u8], contents: &mut Contents) {
    let file = name.rsplit('/').next().unwrap_or_default();
    if file == "binding.gyp" && reviewed.is_none() {
        note(contents, name, "install", None, Some("node-gyp rebuild, because there is a binding.gyp"));
    }
    if file != "package.json" || contents.install_scripts.len() >= NAMED {
        return;
    }
    let read = |bytes: &[u8]| {
        (bytes.len() <= LONGEST).then(|| serde_json::from_slice::<Value>(bytes).ok()).flatten()
    };
    let Some(now) = read(new) else { return };
    let before = reviewed.and_then(read);
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
    lists
        .flatten()
        .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default()))
        .collect()
}
