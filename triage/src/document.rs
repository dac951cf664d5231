//! HTML and what looks like it: the code in it, read as scripts are.
//!
//! No tree is made: browsers repair what is broken in ways that a small reader does not follow. What stands between script tags, in
//! attributes that are run and behind `javascript:` is taken wherever it stands, in comments too: a fact too many is better than
//! code that was not seen.

use crate::contents::{Contents, Property};
use crate::findings::{Findings, NotAnalysed, TOGETHER};
use crate::limits::Limits;
use crate::script;
use crate::versions::Versions;

/// Pieces of code of one document.
const MOST: usize = 2000;

/// The code of a document.
struct Code {
    text: String,
    pieces: usize,
    unread: usize,
}

/// Puts the code of two documents side by side. `whole` is what the document is as a script, if it is one.
pub(crate) fn compare(whole: Findings, versions: &Versions<'_>, contents: &mut Contents) -> Findings {
    let limits = versions.limits;
    let too_large =
        [versions.reviewed, Some(versions.new)].into_iter().flatten().any(|side| side.len() > limits.size);
    if too_large {
        return Findings { not_analysed: Some(NotAnalysed::TooLarge { limit: limits.size }), ..whole };
    }
    let code = |bytes: &[u8]| code_of(&script::text_of(bytes), &limits);
    let (old, now) = (versions.reviewed.map(code), code(versions.new));
    let property = |what, count: fn(&Code) -> usize| Property {
        what,
        reviewed: old.as_ref().map(|old| count(old).to_string().into()),
        new: Some(count(&now).to_string().into()),
    };
    contents.properties.push(property("pieces of code in it", |code| code.pieces));
    contents.properties.push(property("pieces that are no script", |code| code.unread));
    let inner = Versions {
        reviewed: old.as_ref().map(|old| old.text.as_bytes()),
        new: now.text.as_bytes(),
        ..*versions
    };
    if inner.reviewed == Some(inner.new) {
        return whole;
    }
    let mut inner = inner.compared();
    // What runs as a script and in a document is listed for both.
    inner.together.extend(whole.together);
    inner.together.truncate(TOGETHER);
    inner.facts.extend(whole.facts);
    inner.losses.extend(whole.losses);
    inner.hosts.extend(whole.hosts);
    inner
}

fn code_of(text: &str, limits: &Limits) -> Code {
    let mut pieces = in_tags(text);
    pieces.extend(in_attributes(text));
    let mut code = Code { text: String::new(), pieces: pieces.len(), unread: 0 };
    for piece in pieces.into_iter().take(MOST) {
        // One that cannot be read must not hide the others.
        if limits.is_over() || script::formatted(&piece, limits).is_err() {
            code.unread += 1;
            continue;
        }
        code.text.push_str(&piece);
        code.text.push_str("\n;\n");
    }
    code.unread += code.pieces.saturating_sub(MOST);
    code
}

fn in_tags(text: &str) -> Vec<String> {
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(tag) = lower.get(at..).and_then(|rest| rest.find("<script")) {
        let open = at + tag + "<script".len();
        let Some(ends) = lower.get(open..).and_then(|rest| rest.find('>')) else { break };
        let starts = open + ends + 1;
        let len = lower.get(starts..).map_or(0, |rest| rest.find("</script").unwrap_or(rest.len()));
        let inside = text.get(starts..starts + len).unwrap_or_default();
        if !inside.trim().is_empty() && found.len() <= MOST {
            found.push(inside.to_owned());
        }
        // A tag inside of it may be one for a browser that reads a comment otherwise.
        at = open;
    }
    found
}

/// Values of `on…` and what follows `javascript:`.
fn in_attributes(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    for (equals, _) in text.match_indices('=').take(MOST * 50) {
        let name_end = bytes.get(..equals).map_or(0, |before| before.trim_ascii_end().len());
        let before = bytes.get(..name_end).unwrap_or_default();
        let name_len = before.iter().rev().take(40).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let name = text.get(name_end - name_len..name_end).unwrap_or_default().to_ascii_lowercase();
        let value = value_of(text.get(equals + 1..).unwrap_or_default());
        let plain = unescaped(value);
        // Browsers ignore what stands in front, and line ends inside of the scheme.
        let scheme: String =
            plain.chars().take(40).filter(|char| !char.is_control() && *char != ' ').collect();
        if name.starts_with("on") && name.len() > 3 {
            found.push(format!("(function (event) {{ {plain}\n}})"));
        } else if scheme.to_ascii_lowercase().starts_with("javascript:") {
            let code = plain.split_once(':').map_or("", |(_, code)| code);
            found.push(code.to_owned());
        }
        if found.len() > MOST {
            break;
        }
    }
    found
}

/// The value of an attribute: quoted, or up to white space.
fn value_of(rest: &str) -> &str {
    // No event is longer; what is cut is no script, and is counted.
    let rest = rest.trim_start().get(..64 << 10).unwrap_or(rest.trim_start());
    let quote = rest.chars().next().filter(|char| matches!(char, '"' | '\''));
    match quote {
        Some(quote) => rest.get(1..).unwrap_or_default().split(quote).next().unwrap_or_default(),
        None => rest.split([' ', '\n', '\t', '\r', '>']).next().unwrap_or_default(),
    }
}

/// References to characters, as far as code needs them.
fn unescaped(value: &str) -> String {
    let mut plain = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let len =
            after.bytes().take(10).take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'#').count();
        let name = after.get(..len).unwrap_or_default();
        match character(name) {
            Some(char) => {
                plain.push(char);
                let after = after.get(len..).unwrap_or_default();
                rest = after.strip_prefix(';').unwrap_or(after);
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain + rest
}

fn character(name: &str) -> Option<char> {
    const NAMED: [(&str, char); 17] = [
        ("quot", '"'),
        ("apos", '\''),
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("lpar", '('),
        ("rpar", ')'),
        ("colon", ':'),
        ("period", '.'),
        ("sol", '/'),
        ("equals", '='),
        ("comma", ','),
        ("semi", ';'),
        ("lsqb", '['),
        ("rsqb", ']'),
        ("Tab", '\t'),
        ("NewLine", '\n'),
    ];
    let code = name.strip_prefix('#').and_then(|code| match code.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => code.parse().ok(),
    });
    let named = NAMED.iter().find(|(known, _)| *known == name).map(|(_, char)| *char);
    code.and_then(char::from_u32).or(named)
}
