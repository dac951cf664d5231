//! How a label is shown, and what a hurried reader makes of it.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;
use unicode_security::skeleton;

/// A label as it is shown to people: the letters that its punycode stands for.
pub(super) fn shown(label: &str) -> Cow<'_, str> {
    if !label.starts_with("xn--") {
        return Cow::Borrowed(label);
    }
    match idna::domain_to_unicode(label) {
        (shown, Ok(())) => Cow::Owned(shown),
        // Nobody shows these letters.
        (_, Err(_)) => Cow::Borrowed(label),
    }
}

pub(super) fn has_digit(label: &str) -> bool {
    label.bytes().any(|byte| byte.is_ascii_digit())
}

/// Two labels that a reader takes for each other have the same. What UTS 39 makes of letters comes first; then marks go,
/// and digits that stand for letters, and pairs of letters that look like one. It goes letter by letter: the fold of a part
/// is a part of the fold.
pub(super) fn fold(label: &str) -> String {
    let mut folded = String::with_capacity(label.len() * 2);
    let letters = skeleton(label).filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase);
    for letter in letters {
        match letter {
            '0' => folded.push('o'),
            '1' | 'i' => folded.push('l'),
            '3' => folded.push('e'),
            '4' => folded.push('a'),
            '5' => folded.push('s'),
            '7' => folded.push('t'),
            '8' => folded.push('b'),
            '9' => folded.push('g'),
            'w' => folded.push_str("vv"),
            'd' => folded.push_str("cl"),
            // UTS 39 does so too; this is for letters that it makes an `m` of.
            'm' => folded.push_str("rn"),
            other => folded.push(other),
        }
    }
    folded
}
