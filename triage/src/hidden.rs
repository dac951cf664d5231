//! Texts inside of texts: base64, hexadecimal digits, escapes, character codes, and backwards.

use oxc_ast::ast::ArrayExpression;
use percent_encoding::percent_decode_str;

use crate::builtins::atob;

/// Shorter texts are encoded by chance.
const SHORTEST: usize = 12;
/// Longer ones are pictures and fonts.
const LONGEST: usize = 1 << 16;

/// What a text holds in another notation.
pub(crate) fn decoded(text: &str) -> Vec<String> {
    if !(SHORTEST..=LONGEST).contains(&text.len()) {
        return Vec::new();
    }
    let found = [base64(text), hex(text), escapes(text), codes(text), backwards(text)];
    found
        .into_iter()
        .flatten()
        .filter(|found| found.len() >= 4 && found != text && is_readable(found))
        .collect()
}

fn base64(text: &str) -> Option<String> {
    let text = text.trim();
    let is_base64 = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'));
    // A word or a path is base64 too; what was encoded has both cases or digits.
    let kinds = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit];
    let mixed = kinds.iter().filter(|kind| text.bytes().any(|byte| kind(&byte))).count();
    if !is_base64 || mixed < 2 {
        return None;
    }
    atob(&text.replace('-', "+").replace('_', "/"))
}

fn hex(text: &str) -> Option<String> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs =
        text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    String::from_utf8(pairs.collect::<Option<Vec<u8>>>()?).ok()
}

/// `%68%74` and `\x68\u0074`, as they are written in a text that is decoded later.
fn escapes(text: &str) -> Option<String> {
    if text.contains('%') {
        return percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    }
    if !text.contains("\\x") && !text.contains("\\u") {
        return None;
    }
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let len = match after.as_bytes().first() {
            Some(b'x') => 3,
            Some(b'u') => 5,
            _ => 0,
        };
        let code = after.get(1..len).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match code.and_then(char::from_u32) {
            Some(char) => {
                plain.push(char);
                rest = after.get(len..).unwrap_or_default();
            }
            None => {
                plain.push('\\');
                rest = after;
            }
        }
    }
    Some(plain + rest)
}

/// `104,116,116,112`
fn codes(text: &str) -> Option<String> {
    let mut parts = text.split(|char: char| !char.is_ascii_digit()).filter(|part| !part.is_empty());
    let is_list = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b' ' | b'|' | b'-' | b'.' | b';'));
    if !is_list {
        return None;
    }
    let codes: Option<Vec<u8>> = parts.by_ref().map(|part| part.parse().ok()).collect();
    let codes = codes.filter(|codes| codes.len() >= 8)?;
    String::from_utf8(codes).ok()
}

fn backwards(text: &str) -> Option<String> {
    (text.contains("//:") || text.contains("ptth")).then(|| text.chars().rev().collect())
}

/// What an array of numbers spells: as character codes, or as codes with one key over them.
pub(crate) fn of_numbers(array: &ArrayExpression<'_>) -> Option<String> {
    if !(SHORTEST..=LONGEST).contains(&array.elements.len()) {
        return None;
    }
    let number = |element: &oxc_ast::ast::ArrayExpressionElement<'_>| match element.as_expression()? {
        oxc_ast::ast::Expression::NumericLiteral(literal) => ((0.0..=255.0).contains(&literal.value)
            && literal.value.fract() == 0.0)
            .then_some(literal.value as u8),
        _ => None,
    };
    let bytes: Vec<u8> = array.elements.iter().map(number).collect::<Option<_>>()?;
    let plain = String::from_utf8(bytes.clone()).ok().filter(|text| is_readable(text));
    plain.or_else(|| {
        let keyed = |key: u8| bytes.iter().map(|byte| char::from(byte ^ key)).collect::<String>();
        (1..=255).map(keyed).find(|text| is_readable(text) && (text.contains("http") || text.contains("://")))
    })
}

fn is_readable(text: &str) -> bool {
    text.chars().all(|char| !char.is_control() || matches!(char, '\n' | '\r' | '\t'))
        && !text.contains('\u{fffd}')
        && text.chars().filter(char::is_ascii).count() * 4 >= text.chars().count() * 3
}

/// Whether a text could be code: only then a parser is asked.
pub(crate) fn looks_like_code(text: &str) -> bool {
    const WORDS: [&str; 14] = [
        "function", "=>", "document", "window", "fetch", "eval", "var ", "let ", "const ", "self", "new ",
        "debugger", "location", "import",
    ];
    text.len() >= 8
        && (text.contains('(') || text.contains('=') || text.contains("debugger"))
        && !text.trim_start().starts_with('<')
        && WORDS.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_inside_of_texts_are_found() {
        for text in [
            "aHR0cHM6Ly9ldmlsLnRlc3QvYQ==",
            "68747470733a2f2f6576696c2e746573742f61",
            "%68%74%74%70%73://evil.test/a",
            "\\x68\\x74\\x74\\x70s://evil.test/\\u0061",
            "104,116,116,112,115,58,47,47,101,118,105,108,46,116,101,115,116,47,97",
            "a/tset.live//:sptth",
        ] {
            assert_eq!(decoded(text), ["https://evil.test/a"], "{text}");
        }
    }

    #[test]
    fn words_and_pictures_are_none() {
        for text in [
            "internationalization",
            "getElementsByClassName",
            "0123456789ab",
            "M12 2C6.48 2 2 6.48 2 12",
            "iVBORw0KGgoAAAANSUhEUgAA",
        ] {
            assert_eq!(decoded(text), [""; 0], "{text}");
        }
    }
}
