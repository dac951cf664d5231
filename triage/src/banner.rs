//! The version that a script says it is: in the comments in front of its code, where libraries put it.

use crate::findings::bounded;

/// Bytes at the beginning in which it is looked for.
const LOOKED_AT: usize = 4096;
/// Characters of a version.
const LONGEST: usize = 40;

/// The first version in the comments that a script begins with.
pub(crate) fn version_said(script: &str) -> Option<Box<str>> {
    let mut end = script.len().min(LOOKED_AT);
    while !script.is_char_boundary(end) {
        end -= 1;
    }
    let mut rest = script.get(..end)?;
    loop {
        rest = without_directive(rest.trim_start());
        let (comment, behind) = comment(rest)?;
        if let Some(version) = comment.split(is_between).find_map(version) {
            return Some(bounded(version, LONGEST));
        }
        rest = behind;
    }
}

/// Directives stand in front of comments too.
fn without_directive(text: &str) -> &str {
    let strict = ["\"use strict\"", "'use strict'"].into_iter().find_map(|strict| text.strip_prefix(strict));
    strict.map_or(text, |rest| rest.trim_start_matches(';').trim_start())
}

/// A comment at the beginning of a text, and what comes behind it.
fn comment(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix("/*") {
        Some(inner) => Some(inner.split_once("*/").unwrap_or((inner, ""))),
        None => {
            let inner = text.strip_prefix("//")?;
            Some(inner.split_once('\n').unwrap_or((inner, "")))
        }
    }
}

fn is_between(char: char) -> bool {
    char.is_whitespace()
        || matches!(char, '@' | '|' | ',' | '(' | ')' | '/' | '*' | ':' | ';' | '=' | '"' | '\'')
}

/// `v3.7.1`, `10.4.2-rc.1`: two numbers at least.
fn version(word: &str) -> Option<&str> {
    let word = word.trim_end_matches(['.', '-', '+']);
    let word = word.strip_prefix(['v', 'V']).unwrap_or(word);
    let mut numbers = word.split(['-', '+']).next()?.split('.');
    let is_number = |number: &str| {
        !number.is_empty() && number.len() <= 9 && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (first, second) = (numbers.next()?, numbers.next()?);
    let is_version = is_number(first) && is_number(second) && numbers.all(is_number);
    let is_plain =
        word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+'));
    (is_version && is_plain).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_the_comments_in_front() {
        for (script, said) in [
            ("/*! jQuery v3.7.1 | (c) OpenJS Foundation */!function(){}", Some("3.7.1")),
            ("/**\n * @license\n * Lodash 4.17.21 <https://lodash.com/> */", Some("4.17.21")),
            ("// d3 https://d3js.org v7.8.5 Copyright 2010-2023\n", Some("7.8.5")),
            ("\"use strict\";\n/* no version */\n// version: 10.4.2-rc.1\n", Some("10.4.2-rc.1")),
            ("/*! chat@2.0 */", Some("2.0")),
            ("/* Copyright 2023, see section 7 */ f('1.2.3')", None),
            ("f(); /* 1.2.3 */", None),
            ("/* 1.2.3", Some("1.2.3")),
            ("/* 1.2.<script> 1..2 1.2.x */", None),
        ] {
            assert_eq!(version_said(script).as_deref(), said, "{script}");
        }
        let far = format!("/*{}1.2.3 */", "é".repeat(LOOKED_AT));
        assert_eq!(version_said(&far), None);
    }
}
