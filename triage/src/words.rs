//! Which words of two lines differ that stand beside each other.

use std::ops::Range;

use similar::{Algorithm, ChangeTag, TextDiff};

/// Of a line, in percent: where less is the same, two lines are no versions of one.
const SAME: usize = 30;

/// The places in bytes that differ in the old and in the new line. `None` where they have little in common, and all of it differs.
#[must_use]
pub fn differing_words(old: &str, new: &str) -> Option<[Vec<Range<usize>>; 2]> {
    let (old_words, new_words) = (words(old), words(new));
    let compared = TextDiff::configure().algorithm(Algorithm::Myers).diff_slices(&old_words, &new_words);
    let (mut places, mut at, mut same) = ([Vec::new(), Vec::new()], [0, 0], 0);
    for change in compared.iter_all_changes() {
        let len = change.value().len();
        let [old_at, new_at] = &mut at;
        let [old_places, new_places] = &mut places;
        match change.tag() {
            ChangeTag::Equal => {
                same += if change.value().trim().is_empty() { 0 } else { len };
                *old_at += len;
                *new_at += len;
            }
            ChangeTag::Delete => differs(old_places, old_at, len),
            ChangeTag::Insert => differs(new_places, new_at, len),
        }
    }
    (same * 100 >= old.trim().len().max(new.trim().len()) * SAME).then_some(places)
}

/// Places next to each other are one.
fn differs(places: &mut Vec<Range<usize>>, at: &mut usize, len: usize) {
    match places.last_mut() {
        Some(last) if last.end == *at => last.end += len,
        Some(_) | None => places.push(*at..*at + len),
    }
    *at += len;
}

/// Names and numbers, blanks, and everything else character by character.
fn words(line: &str) -> Vec<&str> {
    let kind = |char: char| {
        if char.is_alphanumeric() || matches!(char, '_' | '$') {
            Some(true)
        } else {
            char.is_whitespace().then_some(false)
        }
    };
    let mut words = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let of_first = kind(first);
        let end = match of_first {
            Some(_) => rest.find(|char| kind(char) != of_first).unwrap_or(rest.len()),
            None => first.len_utf8(),
        };
        let (word, behind) = rest.split_at(end);
        words.push(word);
        rest = behind;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut<'t>(line: &'t str, places: &[Range<usize>]) -> Vec<&'t str> {
        places.iter().map(|place| line.get(place.clone()).unwrap()).collect()
    }

    #[test]
    fn the_words_that_differ_are_marked_and_lines_with_little_in_common_are_not() {
        let (old, new) =
            ("send(\"https://cdn.example/a\", é, body);", "send(\"https://cdn.examp1e/a\", é, body);");
        let [gone, there] = differing_words(old, new).unwrap();
        assert_eq!((cut(old, &gone), cut(new, &there)), (vec!["example"], vec!["examp1e"]));
        let (old, new) = ("f(a);", "f(a, b.c);");
        let [gone, there] = differing_words(old, new).unwrap();
        assert_eq!((cut(old, &gone), cut(new, &there)), (vec![], vec![", b.c"]));
        assert_eq!(differing_words("return x;", "if (one.two(three)) {"), None);
        assert_eq!(differing_words("", "a"), None);
    }
}
