//! Which uses of two versions are the same.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::Use;
use super::given::SHORT;
use crate::findings::{SITES, Site};

/// The uses of both versions that have no equal in the other one. Equal is what is given the same; of these, those that also look
/// the same go together first, and then those that do but for short names, so that what is left is what looks new.
pub(crate) fn without_equal<'u>(old: &'u [Use], new: &'u [Use]) -> (Vec<&'u Use>, Vec<&'u Use>) {
    let (old, new) = unpaired(old.iter().collect(), new.iter().collect(), |one| {
        (one.is_later, one.given, &*one.site.excerpt)
    });
    let (old, new) =
        unpaired(old, new, |one| (one.is_later, one.given, without_short_names(&one.site.excerpt)));
    unpaired(old, new, |one| (one.is_later, one.given))
}

/// Names of up to two letters are a minifier's, and others in each build.
fn without_short_names(text: &str) -> String {
    let is_of_word = |char: char| char.is_alphanumeric() || matches!(char, '_' | '$');
    let words = text.split_inclusive(|char| !is_of_word(char));
    let each = words.flat_map(|word| {
        let (name, behind) = word.split_at(word.trim_end_matches(|char| !is_of_word(char)).len());
        [if (1..=SHORT).contains(&name.len()) { "_" } else { name }, behind]
    });
    each.collect()
}

type Unpaired<'u> = (Vec<&'u Use>, Vec<&'u Use>);

fn unpaired<'u, K: Hash + Eq>(
    old: Vec<&'u Use>,
    new: Vec<&'u Use>,
    key: impl Fn(&'u Use) -> K,
) -> Unpaired<'u> {
    let mut left: HashMap<K, usize> = HashMap::new();
    for one in &new {
        *left.entry(key(one)).or_default() += 1;
    }
    let mut pairs: HashMap<K, usize> = HashMap::new();
    let old = old.into_iter().filter(|one| match left.get_mut(&key(one)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            *pairs.entry(key(one)).or_default() += 1;
            false
        }
        Some(_) | None => true,
    });
    let old = old.collect();
    let new = new.into_iter().filter(|one| match pairs.get_mut(&key(one)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        Some(_) | None => true,
    });
    (old, new.collect())
}

/// The places to name.
pub(crate) fn sites(uses: &[&Use]) -> Vec<Site> {
    to_name(uses).map(|one| one.site.clone()).collect()
}

/// The uses to name, each once: those that tell most, and then in their order, so that many of no weight push none out.
pub(crate) fn to_name<'u>(uses: &[&'u Use]) -> impl Iterator<Item = &'u Use> {
    let mut seen = HashSet::new();
    let (telling, others): (Vec<&Use>, Vec<&Use>) = uses.iter().partition(|one| one.is_telling);
    let each = telling.into_iter().chain(others);
    each.filter(move |one| seen.insert((one.site.line, &*one.site.excerpt))).take(SITES)
}
