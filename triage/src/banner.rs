//! The version that a script says it is: in the comments in front of its code, where libraries put it, or in a text of it.

use std::collections::BTreeSet;
use std::collections::btree_set::Difference;

use crate::findings::{SaidVersion, bounded};
use crate::skeleton::Skeleton;

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
        if let Some(version) =
            comment.lines().map(own).flat_map(|line| line.split(is_between)).find_map(version)
        {
            return Some(bounded(version, LONGEST));
        }
        rest = behind;
    }
}

/// What a line says of the script itself, and not of another that it is made from.
fn own(line: &str) -> &str {
    let lower = line.to_ascii_lowercase();
    let other = ["based on", "includes"].iter().filter_map(|other| lower.find(other)).min();
    other.and_then(|other| line.get(..other)).unwrap_or(line)
}

/// The versions that two scripts say in their texts, where one version took the place of one other.
pub(crate) fn version_in_texts(reviewed: &Skeleton, new: &Skeleton) -> Option<SaidVersion> {
    let (reviewed, new) = (texts(reviewed), texts(new));
    let only = |mut left: Difference<'_, &str>| {
        let one = left.next().map(|version| bounded(version, LONGEST));
        if left.next().is_some() { None } else { one }
    };
    SaidVersion::of(only(reviewed.difference(&new)), only(new.difference(&reviewed)))
}

/// The strings that are a version of three numbers, as libraries have it.
fn texts(skeleton: &Skeleton) -> BTreeSet<&str> {
    let strings = skeleton.literals.iter().filter_map(|(_, shown, _)| unquoted(shown));
    strings.filter(|text| text.matches('.').count() >= 2 && version(text) == Some(text)).collect()
}

fn unquoted(literal: &str) -> Option<&str> {
    let quote = literal.chars().next().filter(|char| ['"', '\'', '`'].contains(char))?;
    literal.strip_prefix(quote)?.strip_suffix(quote)
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
            ("/*\n * Lodash\n * Based on Underscore.js 1.8.3 <http://underscorejs.org>\n */", None),
            ("/*! a v2.0.1 | based on b v1.0.0 */", Some("2.0.1")),
            ("/*! Includes b.js 1.0.0\n a 2.0.1 */", Some("2.0.1")),
            ("/* 1.2.<script> 1..2 1.2.x */", None),
        ] {
            assert_eq!(version_said(script).as_deref(), said, "{script}");
        }
        let far = format!("/*{}1.2.3 */", "é".repeat(LOOKED_AT));
        assert_eq!(version_said(&far), None);
    }

    #[test]
    fn of_texts_one_version_takes_the_place_of_one_other() {
        use crate::{Limits, compare};
        let said = |reviewed: &str, new: &str| {
            let found = compare(Some(reviewed.as_bytes()), new.as_bytes(), Limits::default(), &|_| None);
            found.version.map(|version| version.text())
        };
        let script = |versions: &str| format!("var v = [{versions}]; export {{ v }}; v.at(0)");
        for (reviewed, new, expected) in [
            ("'1.5.13'", "'1.5.14'", Some("says that it is 1.5.14, was 1.5.13")),
            ("'1.5.13', '3.0.0'", "'3.0.0', '1.5.14', '1.5.14'", Some("says that it is 1.5.14, was 1.5.13")),
            ("'1.5.13', '3.0.0'", "'1.5.14', '3.0.1'", None),
            ("'1.5.13'", "'1.5.13'", None),
            ("'1.5.13'", "1.5", None),
            ("'1.5'", "'1.6'", None),
            ("'is 1.5.13'", "'is 1.5.14'", None),
        ] {
            assert_eq!(said(&script(reviewed), &script(new)).as_deref(), expected, "{reviewed} {new}");
        }
        let banner = |version: &str, text: &str| format!("/* v{version} */ {}", script(text));
        assert_eq!(
            said(&banner("1.2.3", "'1.5.13'"), &banner("1.2.4", "'1.5.14'")).as_deref(),
            Some("says that it is 1.2.4, was 1.2.3")
        );
    }
}
