//! The `[[vendor]]` blocks.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use pinfold_policy::cooldown::SIGHTINGS;
use pinfold_policy::host::HostPattern;
use pinfold_policy::kind::{Kind, Kinds};
use pinfold_policy::vendor::{Mode, OnMismatch, OnPathChange, Recheck, Rules, Unpinned, Vendor};
use toml::Spanned;

use crate::diagnostic::quoted;
use crate::gateway::MODES;
use crate::quantity;
use crate::section::{Section, choose};
use crate::source::{Mistake, SourceFile};

/// A vendor and where its parts stand.
#[derive(Debug)]
pub(crate) struct PlacedVendor {
    pub(crate) name: Spanned<Arc<str>>,
    pub(crate) hosts: Vec<Spanned<HostPattern>>,
    pub(crate) rules: Rules,
}

impl PlacedVendor {
    pub(crate) fn into_vendor(self) -> Vendor {
        let hosts = self.hosts.into_iter().map(Spanned::into_inner).collect();
        Vendor { name: self.name.into_inner(), hosts, rules: self.rules }
    }
}

/// Reads all of them. `mode` is the file's, for vendors that name none; `approvers` is how many people must agree.
pub(crate) fn read(root: &mut Section<'_>, mode: Mode, approvers: u32) -> Vec<PlacedVendor> {
    let vendors: Vec<_> =
        root.sections("vendor").into_iter().filter_map(|block| vendor(block, mode, approvers)).collect();
    refuse_duplicates(root.file(), &vendors);
    vendors
}

fn vendor(mut block: Section<'_>, mode: Mode, approvers: u32) -> Option<PlacedVendor> {
    let name = block.parse("name", name);
    let name = block.required("name", name, "\"comm100\"");
    let hosts = block.parse_list("hosts", host);
    let hosts = block.required("hosts", hosts, "[\"cdn.example.com\", \"*.cdn.example.com\"]");
    if block.is_empty_list("hosts") {
        let mistake = Mistake::new("hosts is empty: the vendor claims nothing");
        block.file().error(block.place_of("hosts").unwrap_or_default(), mistake);
    }
    let default = Rules::default();
    let unpinned = [
        ("block", Unpinned::Block),
        ("quarantine", Unpinned::Quarantine),
        ("learn", Unpinned::Learn),
        ("allow", Unpinned::Allow),
    ];
    let mismatch = [("block", OnMismatch::Block), ("quarantine", OnMismatch::Quarantine)];
    let path_change = [("report", OnPathChange::Report), ("quarantine", OnPathChange::Quarantine)];
    let rules = Rules {
        guard: block.parse_list("guard", kind).map_or(default.guard, kinds),
        mode: block.choice("mode", &MODES).unwrap_or(mode),
        unpinned: block.choice("unpinned", &unpinned).unwrap_or(default.unpinned),
        on_mismatch: block.choice("on_mismatch", &mismatch).unwrap_or(default.on_mismatch),
        substitute: block.boolean("substitute").unwrap_or(default.substitute),
        revoke_worker: block.boolean("revoke_worker").unwrap_or(default.revoke_worker),
        websocket: block
            .choice("websocket", &[("allow", true), ("block", false)])
            .unwrap_or(default.websocket),
        recheck: block.parse("recheck", recheck).unwrap_or(default.recheck),
        cooldown: block.parse("cooldown", cooldown).unwrap_or(default.cooldown),
        on_path_change: block.choice("on_path_change", &path_change).unwrap_or(default.on_path_change),
    };
    can_cool_down(&block, &rules, approvers);
    warn_of_whole_domains(&block, hosts.as_deref().unwrap_or_default());
    let place = block.place_of("name").unwrap_or_default();
    block.finish();
    Some(PlacedVendor { name: Spanned::new(place, name?), hosts: hosts?, rules })
}

/// A vendor is asked no more often than this.
const SHORTEST_RECHECK: Duration = Duration::from_secs(1);

fn recheck(text: &str) -> Result<Recheck, Mistake> {
    let Some(interval) = duration_or("always", "recheck", text)? else { return Ok(Recheck::Always) };
    if interval < SHORTEST_RECHECK {
        let message = format!("recheck is {}, expected \"1s\" or more", quoted(text));
        return Err(Mistake::new(message).hint("\"always\" asks the vendor on every request"));
    }
    Ok(Recheck::Every(interval))
}

fn cooldown(text: &str) -> Result<Option<Duration>, Mistake> {
    let lasts = duration_or("off", "cooldown", text)?;
    if lasts.is_some_and(|lasts| lasts.is_zero()) {
        let message = "cooldown is 0: whatever the vendor serves would be approved";
        return Err(Mistake::new(message).hint("write \"7d\", or \"off\" to leave it to reviewers"));
    }
    Ok(lasts)
}

/// A duration, or none for a word.
pub(crate) fn duration_or(word: &str, key: &str, text: &str) -> Result<Option<Duration>, Mistake> {
    if text == word {
        return Ok(None);
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return quantity::duration(key, text).map(Some);
    }
    let message =
        format!("{key} is {}, expected {} or a duration such as \"7d\"", quoted(text), quoted(word));
    Err(Mistake::new(message))
}

/// The rule approves what is in quarantine, once rechecks have seen it often enough. A rule is nobody, and cannot stand for
/// one of several people.
fn can_cool_down(block: &Section<'_>, rules: &Rules, approvers: u32) {
    let Some(lasts) = rules.cooldown else { return };
    let place = block.place_of("cooldown").unwrap_or_default();
    if approvers > 1 {
        let message =
            format!("cooldown approves by itself, and review.approvers wants {approvers} people to agree");
        let hint = "set cooldown = \"off\", or approvers = 1: more than one excludes cooldown";
        block.file().error(place.clone(), Mistake::new(message).hint(hint));
    }
    if rules.on_mismatch == OnMismatch::Block {
        let message = "cooldown approves what is in quarantine, and on_mismatch = \"block\" keeps nothing";
        let hint = "set on_mismatch = \"quarantine\", or cooldown = \"off\"";
        block.file().error(place.clone(), Mistake::new(message).hint(hint));
    }
    match rules.recheck {
        Recheck::Always => {
            let message = "cooldown needs rechecks in the background, and recheck = \"always\" makes none";
            let hint = "set recheck = \"15m\", or cooldown = \"off\"";
            block.file().error(place, Mistake::new(message).hint(hint));
        }
        Recheck::Every(interval) if lasts < interval.saturating_mul(SIGHTINGS) => {
            let message = format!("in this time there are fewer than {SIGHTINGS} rechecks");
            let hint = "the rule waits for as many: write a longer cooldown, or a shorter recheck";
            block.file().warn(place, Mistake::new(message).hint(hint));
        }
        Recheck::Every(_) => {}
    }
}

/// A name goes into response headers, events and command lines as it is.
fn name(text: &str) -> Result<Arc<str>, Mistake> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        let expected = "expected up to 64 letters, digits, '-', '_' and '.'";
        return Err(Mistake::new(format!("name is {}, {expected}", quoted(text))));
    }
    Ok(text.into())
}

fn host(text: &str) -> Result<HostPattern, Mistake> {
    HostPattern::parse(text).map_err(|error| {
        let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
        let bare = bare.split(['/', '?', '#']).next().unwrap_or_default();
        let bare = bare.rsplit_once(':').map_or(bare, |(host, _)| host);
        let right = Some(bare).filter(|bare| *bare != text && HostPattern::parse(bare).is_ok());
        let hint = match right {
            Some(bare) => format!("write {}: a host has neither scheme, port nor path", quoted(bare)),
            None => "expected \"cdn.example.com\", or \"*.example.com\" for all names below".to_owned(),
        };
        Mistake::new(format!("{}: {error}", quoted(text))).hint(hint)
    })
}

fn kind(text: &str) -> Result<Kind, Mistake> {
    choose("the kind", text, &Kind::ALL.map(|kind| (kind.as_str(), kind)))
}

fn kinds(kinds: Vec<Spanned<Kind>>) -> Kinds {
    kinds.into_iter().map(Spanned::into_inner).collect()
}

fn warn_of_whole_domains(block: &Section<'_>, hosts: &[Spanned<HostPattern>]) {
    for host in hosts {
        if matches!(host.get_ref(), HostPattern::Below(suffix) if !suffix.contains('.')) {
            let message = format!("{} claims a whole top-level domain", host.get_ref());
            block.file().warn(host.span(), Mistake::new(message).hint("name the vendor's own domains"));
        }
    }
}

fn refuse_duplicates(file: &SourceFile, vendors: &[PlacedVendor]) {
    let mut names: HashMap<&str, Range<usize>> = HashMap::new();
    let mut hosts: HashMap<&HostPattern, (&str, Range<usize>)> = HashMap::new();
    for vendor in vendors {
        let name = &**vendor.name.get_ref();
        if let Some(first) = names.insert(name, vendor.name.span()) {
            let line = file.position(first.start).line;
            let mistake = Mistake::new(format!("vendor {} stands in line {line} already", quoted(name)));
            file.error(vendor.name.span(), mistake.hint("join the two blocks, or rename one"));
        }
        for host in &vendor.hosts {
            let Some((other, first)) = hosts.get(host.get_ref()) else {
                hosts.insert(host.get_ref(), (name, host.span()));
                continue;
            };
            let line = file.position(first.start).line;
            if *other == name {
                let mistake = Mistake::new(format!("{} is listed twice", host.get_ref()));
                file.warn(host.span(), mistake);
            } else {
                let message = format!("{} belongs to vendor {} (line {line})", host.get_ref(), quoted(other));
                file.error(
                    host.span(),
                    Mistake::new(message).hint("a host has one vendor: remove it from one"),
                );
            }
        }
    }
}
