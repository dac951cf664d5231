//! Archives: their members side by side, and what readers of one archive could read in two ways.
//!
//! Members that are packed alike byte for byte are the same, and are not unpacked. What is left is unpacked within bounds, told
//! apart by SHA-256, and looked into by the way of any body: a script as a script, an archive as an archive.

pub(crate) mod asar;
pub(crate) mod gzip;
pub(crate) mod ole;
pub(crate) mod tarball;
pub(crate) mod xar;
pub(crate) mod zip;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use sha2::{Digest, Sha256};

use crate::body::look_into;
use crate::contents::{Contents, Member, MemberFacts, NAMED, Oddity, OddityKind};
use crate::findings::{Findings, NotAnalysed, SHOWN, bounded};
use crate::manifest::manifests;
use crate::meter::Meter;
use crate::octets::hex;

/// Members of one oddity that are listed.
const ODD: usize = 50;

/// An archive, opened.
#[derive(Default)]
pub(crate) struct Archive<'a> {
    pub(crate) entries: Vec<Entry<'a>>,
    pub(crate) oddities: Vec<(OddityKind, String)>,
    /// Why it could not be read to its end.
    pub(crate) cut: Option<NotAnalysed>,
}

/// A member, packed.
pub(crate) struct Entry<'a> {
    pub(crate) name: String,
    pub(crate) packed: Cow<'a, [u8]>,
    pub(crate) packing: Packing,
    /// Bytes that it unpacks to, as the archive says.
    pub(crate) says: u64,
    pub(crate) role: Role,
}

/// What becomes of a member where it is unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    #[default]
    File,
    /// A link: its bytes are its target.
    Link,
    /// A device, or what only some readers know.
    Special,
}

/// How a member is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Stored,
    Deflate,
    Zlib,
    Encrypted,
    Other,
}

impl<'a> Archive<'a> {
    /// Adds a member that lies there as it is.
    pub(crate) fn stored(&mut self, name: String, bytes: impl Into<Cow<'a, [u8]>>) {
        let packed = bytes.into();
        let says = packed.len() as u64;
        self.entries.push(Entry { name, packed, packing: Packing::Stored, says, role: Role::File });
    }

    pub(crate) fn odd(&mut self, kind: OddityKind, member: &str) {
        self.oddities.push((kind, member.to_owned()));
    }

    /// A link, and where it leads, counted from `place`.
    pub(crate) fn link(&mut self, name: &str, place: &str, target: &str) {
        if is_rooted(target) || leads_out(&format!("{place}/{target}")) {
            self.odd(OddityKind::LinkOutside, name);
        }
    }

    /// Adds a link as a member: where it leads can change as any bytes can.
    pub(crate) fn linked(&mut self, name: String, place: &str, target: String) {
        self.link(&name, place, &target);
        let packed: Cow<'a, [u8]> = target.into_bytes().into();
        let says = packed.len() as u64;
        self.entries.push(Entry { name, packed, packing: Packing::Stored, says, role: Role::Link });
    }

    /// What can be seen of the names alone. Of two members with one name, the second gets another.
    fn checked(mut self) -> Self {
        let mut seen = HashSet::new();
        let mut twins: HashMap<String, usize> = HashMap::new();
        let mut odd = Vec::new();
        for entry in &mut self.entries {
            if is_rooted(&entry.name) || leads_out(&entry.name) {
                odd.push((OddityKind::Outside, entry.name.clone()));
            }
            let place = place_of(&entry.name);
            if !seen.insert(place.clone()) {
                odd.push((OddityKind::Twice, entry.name.clone()));
                // From the last one on: many of one name are not counted through for each of them.
                let next = twins.entry(place.clone()).or_insert(2);
                while !seen.insert(format!("{place} ({next})")) {
                    *next += 1;
                }
                entry.name = format!("{} ({next})", entry.name);
            }
            if entry.packing == Packing::Encrypted {
                odd.push((OddityKind::Encrypted, entry.name.clone()));
            }
        }
        self.oddities.extend(odd);
        self
    }
}

/// The folder of a link, from which it counts: `a/b` -> `../c` stays inside.
pub(crate) fn folder_of(name: &str) -> &str {
    name.rsplit_once(['/', '\\']).map_or("", |(place, _)| place)
}

/// Where a reader may put it: several names lead to one place. Windows and macOS take names that differ in case alone for one,
/// Windows those too that end in other dots and spaces; some readers end a name at its first zero.
fn place_of(name: &str) -> String {
    let mut place: Vec<String> = Vec::new();
    for part in name.split('\0').next().unwrap_or_default().split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                place.pop();
            }
            _ => place.push(part.trim_end_matches(['.', ' ']).to_lowercase()),
        }
    }
    place.join("/")
}

fn is_rooted(name: &str) -> bool {
    name.starts_with(['/', '\\']) || name.as_bytes().get(1) == Some(&b':')
}

fn leads_out(name: &str) -> bool {
    let mut depth = 0_i64;
    name.split(['/', '\\']).any(|part| {
        depth += match part {
            ".." => -1,
            "" | "." => 0,
            _ => 1,
        };
        depth < 0
    })
}

/// A member, unpacked, or why not.
struct Unpacked<'a> {
    facts: MemberFacts,
    bytes: Result<Cow<'a, [u8]>, NotAnalysed>,
}

/// Puts two archives side by side.
pub(crate) fn compare<'a>(
    reviewed: Option<Archive<'a>>,
    new: Archive<'a>,
    contents: &mut Contents,
    meter: &mut Meter,
    layer: usize,
) {
    let reviewed = reviewed.unwrap_or_default().checked();
    let mut new = new.checked();
    for cut in [&reviewed.cut, &new.cut].into_iter().flatten() {
        meter.note(cut.clone());
    }
    let mut odd = std::mem::take(&mut new.oddities);
    let old: BTreeMap<&str, &Entry<'_>> =
        reviewed.entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
    let mut left: BTreeMap<&str, &Entry<'_>> = old.clone();
    for entry in &new.entries {
        let before = left.remove(entry.name.as_str());
        if before.is_some_and(|before| is_same(before, entry)) {
            contents.counts.same += 1;
            continue;
        }
        let member = member(before, entry, contents, &mut odd, meter, layer);
        let Some(member) = member else { continue };
        match before {
            Some(_) => contents.counts.changed += 1,
            None => contents.counts.added += 1,
        }
        contents.members.push(member);
    }
    contents.counts.removed += left.len();
    contents.members.extend(left.values().map(|entry| Member {
        name: bounded(&entry.name, SHOWN),
        reviewed: Some(MemberFacts { size: entry.says, digest: None }),
        new: None,
        findings: None,
    }));
    listed(contents);
    oddities(odd, &reviewed.oddities, contents);
}

fn is_same(before: &Entry<'_>, entry: &Entry<'_>) -> bool {
    before.packing == entry.packing && before.role == entry.role && before.packed == entry.packed
}

/// One member that is packed otherwise than before, or is new. `None` where it is the same once it is unpacked.
fn member(
    before: Option<&Entry<'_>>,
    entry: &Entry<'_>,
    contents: &mut Contents,
    odd: &mut Vec<(OddityKind, String)>,
    meter: &mut Meter,
    layer: usize,
) -> Option<Member> {
    let name = bounded(&entry.name, SHOWN);
    if !meter.member() {
        let facts = |entry: &Entry<'_>| MemberFacts { size: entry.says, digest: None };
        let findings = meter.short.clone().map(|why| Box::new(not_analysed(why)));
        return Some(Member { name, reviewed: before.map(facts), new: Some(facts(entry)), findings });
    }
    let other_role = before.is_some_and(|before| before.role != entry.role);
    if other_role || (before.is_none() && entry.role == Role::Special) {
        odd.push((OddityKind::OtherRole, entry.name.clone()));
    }
    let old = before.map(|before| unpack(before, meter));
    let now = unpack(entry, meter);
    if now.facts.size != entry.says && now.bytes.is_ok() {
        odd.push((OddityKind::SizeDiffers, entry.name.clone()));
    }
    let is_same = old.as_ref().is_some_and(|old| old.facts.digest.is_some() && old.facts == now.facts);
    if is_same && !other_role {
        contents.counts.same += 1;
        return None;
    }
    let old_bytes = old.as_ref().and_then(|old| old.bytes.as_deref().ok());
    let findings = match &now.bytes {
        Ok(bytes) => {
            manifests(&entry.name, old_bytes, bytes, contents);
            // Of many members there is no room for all that each is cut from.
            Findings { whole: None, ..look_into(old_bytes, bytes, meter, layer + 1) }
        }
        Err(why) => not_analysed(why.clone()),
    };
    let findings = Some(Box::new(findings));
    Some(Member { name, reviewed: old.map(|old| old.facts), new: Some(now.facts), findings })
}

fn not_analysed(why: NotAnalysed) -> Findings {
    Findings { not_analysed: Some(why), ..Findings::default() }
}

fn unpack<'a>(entry: &'a Entry<'_>, meter: &mut Meter) -> Unpacked<'a> {
    let bytes = match entry.packing {
        Packing::Stored => meter.take(entry.packed.len()).map(|()| Cow::Borrowed(&*entry.packed)),
        Packing::Deflate => meter.inflate(&entry.packed).map(Cow::Owned),
        Packing::Zlib => meter.zlib(&entry.packed).map(Cow::Owned),
        Packing::Encrypted => Err(NotAnalysed::Encrypted),
        Packing::Other => Err(NotAnalysed::Packing),
    };
    let facts = match &bytes {
        Ok(bytes) => MemberFacts { size: bytes.len() as u64, digest: Some(hex(&Sha256::digest(bytes))) },
        Err(_) => MemberFacts { size: entry.says, digest: None },
    };
    Unpacked { facts, bytes }
}

/// Those first that newly do or name something, then what is new, what changed and what is gone.
fn listed(contents: &mut Contents) {
    contents.members.sort_by_key(|member| {
        let found = member.findings.as_ref();
        let says = found.is_some_and(|found| {
            !(found.facts.is_empty() && found.losses.is_empty() && found.hosts.is_empty())
        });
        (!says, member.new.is_none(), member.reviewed.is_some(), member.name.clone())
    });
    contents.members.truncate(NAMED);
}

fn oddities(mut odd: Vec<(OddityKind, String)>, before: &[(OddityKind, String)], contents: &mut Contents) {
    odd.sort();
    odd.dedup();
    let before: HashSet<_> = before.iter().collect();
    let listed = odd.into_iter().map(|found| Oddity {
        kind: found.0,
        member: bounded(&found.1, SHOWN),
        reviewed: before.contains(&found),
    });
    contents.oddities.extend(listed);
    contents.oddities.sort_by_key(|oddity| oddity.reviewed);
    // Many of one kind hide none of another.
    let mut listed: HashMap<OddityKind, usize> = HashMap::new();
    contents.oddities.retain(|oddity| {
        let count = listed.entry(oddity.kind).or_default();
        *count += 1;
        *count <= ODD
    });
}
