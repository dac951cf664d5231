//! Names of members that a build has chosen anew.
//!
//! Builds that shorten names of members give others at each release, so that what is given to a use reads differently and is the
//! same. A name counts as another name of the same where it occurs in the reviewed version alone, the other in the new version
//! alone and looks as builds choose names, each is given to something by its own script, and neither is paired with any third. Whoever exchanges one member for
//! another that is there already, or that the page or the browser has, has not renamed it.

use std::collections::{HashMap, HashSet};

use oxc_ast::AstKind;
use oxc_ast::ast::AssignmentTargetPropertyIdentifier;
use oxc_semantic::Semantic;
use oxc_span::GetSpan as _;

use crate::look::{Use, hash};

/// Names of members of one version, by what stands for them.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// All of them, and every word in a text: it may name one.
    named: HashSet<u64>,
    /// Those that the script gives to something of its own.
    defined: HashSet<u64>,
    /// Of these, those that look as builds choose them.
    chosen: HashSet<u64>,
}

impl Members {
    pub(crate) fn of(semantic: &Semantic<'_>) -> Self {
        let mut members = Self::default();
        for node in semantic.nodes().iter() {
            match node.kind() {
                AstKind::StaticMemberExpression(member) => {
                    let is_assigned = matches!(semantic.nodes().parent_kind(node.id()),
                        AstKind::AssignmentExpression(assigned) if assigned.left.span() == member.span);
                    members.add(member.property.name.as_str(), is_assigned);
                }
                AstKind::ObjectProperty(property) => members.key(property.key.static_name(), true),
                AstKind::MethodDefinition(method) => members.key(method.key.static_name(), true),
                AstKind::PropertyDefinition(property) => members.key(property.key.static_name(), true),
                AstKind::AccessorProperty(property) => members.key(property.key.static_name(), true),
                AstKind::BindingProperty(property) => members.key(property.key.static_name(), false),
                AstKind::AssignmentTargetPropertyProperty(property) => {
                    members.key(property.name.static_name(), false);
                }
                AstKind::AssignmentTargetPropertyIdentifier(AssignmentTargetPropertyIdentifier {
                    binding,
                    ..
                }) => members.add(binding.name.as_str(), false),
                AstKind::StringLiteral(literal) => members.words(literal.value.as_str()),
                AstKind::TemplateElement(part) => members.words(part.value.raw.as_str()),
                AstKind::IdentifierReference(name) => members.add(name.name.as_str(), false),
                _ => {}
            }
        }
        members
    }

    fn key(&mut self, name: Option<std::borrow::Cow<'_, str>>, is_defined: bool) {
        if let Some(name) = name {
            self.add(&name, is_defined);
        }
    }

    fn add(&mut self, name: &str, is_defined: bool) {
        let hashed = hash(name);
        self.named.insert(hashed);
        if is_defined {
            self.defined.insert(hashed);
        }
        if is_defined && is_chosen(name) {
            self.chosen.insert(hashed);
        }
    }

    fn words(&mut self, text: &str) {
        let words = text.split(|char: char| !(char.is_alphanumeric() || matches!(char, '_' | '$')));
        self.named.extend(words.filter(|word| !word.is_empty()).map(hash));
    }
}

/// Whether a build may have chosen it: a name of the browser's is longer, and begins with a letter.
fn is_chosen(name: &str) -> bool {
    name.len() <= 2 || (name.starts_with(['_', '$']) && !name.starts_with("__"))
}

/// Uses of both versions that have no equal in the other one.
pub(crate) type Unequal<'u> = (Vec<&'u Use>, Vec<&'u Use>);

/// What each name of the reviewed version is called in the new one.
pub(crate) struct MemberRenames(HashMap<u64, u64>);

impl MemberRenames {
    /// By what is left of all uses.
    pub(crate) fn of<'u>(left: impl Iterator<Item = &'u Unequal<'u>>, old: &Members, new: &Members) -> Self {
        let (mut there, mut back) = (HashMap::new(), HashMap::new());
        for (gone, others) in left {
            for (one, other) in beside(gone, others) {
                there.entry(one).or_insert_with(HashSet::new).insert(other);
                back.entry(other).or_insert_with(HashSet::new).insert(one);
            }
        }
        let only = |of: &HashSet<u64>| of.iter().next().copied().filter(|_| of.len() == 1);
        let renames = there.iter().filter_map(|(one, others)| {
            let other = only(others)?;
            only(back.get(&other)?)?;
            let is_renamed = old.defined.contains(one)
                && !new.named.contains(one)
                && new.chosen.contains(&other)
                && !old.named.contains(&other);
            is_renamed.then_some((*one, other))
        });
        Self(renames.collect())
    }

    /// What is left once uses that differ by such names alone are equal.
    pub(crate) fn left<'u>(&self, (gone, others): Unequal<'u>) -> Unequal<'u> {
        let mut waiting: HashMap<_, Vec<usize>> = HashMap::new();
        for (at, one) in gone.iter().enumerate() {
            if let Some(unnamed) = &one.unnamed {
                let now = |name: &u64| self.0.get(name).copied().unwrap_or(*name);
                let names: Vec<_> = unnamed.names.iter().map(now).collect();
                waiting.entry((one.is_later, unnamed.given, names)).or_default().push(at);
            }
        }
        let mut paired = HashSet::new();
        let mut is_left = |other: &&Use| {
            let Some(unnamed) = &other.unnamed else { return true };
            let key = (other.is_later, unnamed.given, unnamed.names.to_vec());
            let Some(at) = waiting.get_mut(&key).and_then(Vec::pop) else { return true };
            paired.insert(at);
            false
        };
        let others = others.into_iter().filter(|other| is_left(other)).collect();
        let gone = gone.into_iter().enumerate().filter(|(at, _)| !paired.contains(at));
        (gone.map(|(_, one)| one).collect(), others)
    }
}

/// Names that stand at the same place of uses that are the same without them, where there are as many on both sides.
fn beside(gone: &[&Use], others: &[&Use]) -> Vec<(u64, u64)> {
    let mut groups: HashMap<_, [Vec<&[u64]>; 2]> = HashMap::new();
    let all = gone.iter().map(|one| (one, true)).chain(others.iter().map(|one| (one, false)));
    for (one, is_old) in all {
        if let Some(unnamed) = &one.unnamed {
            let [old, new] = groups.entry((one.is_later, unnamed.given)).or_default();
            if is_old { old.push(&unnamed.names) } else { new.push(&unnamed.names) }
        }
    }
    let even = groups.into_values().filter(|[old, new]| old.len() == new.len());
    let names = even.flat_map(|[old, new]| old.into_iter().zip(new).collect::<Vec<_>>());
    let names = names.flat_map(|(old, new)| old.iter().copied().zip(new.iter().copied()).collect::<Vec<_>>());
    names.filter(|(one, other)| one != other).collect()
}
