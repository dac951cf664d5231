//! How much a script does not want to be read. Every number means something only beside that of the reviewed version.

use std::collections::HashMap;

use oxc_ast::AstKind;
use oxc_semantic::Semantic;

use crate::findings::Measure;

/// Names of the measures, in the order in which they are kept.
const NAMES: [&str; 7] = [
    "names like _0x1f3a",
    "percent of all strings in one array",
    "bits for each character of long strings",
    "characters of the longest string",
    "characters of the longest line",
    "escapes like \\x41 in 1000 characters",
    "members by a name in brackets",
];

/// By how much each must be more to be told in words.
const LEAST: [f64; 7] = [1.0, 10.0, 0.5, 200.0, 1000.0, 1.0, 5.0];
/// And how many times as much.
const MORE: f64 = 1.2;

/// What is measured of one version.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured([f64; 7]);

/// Measures a script: the bytes as they came, and what they mean.
pub(crate) fn measure(raw: &str, semantic: &Semantic<'_>) -> Measured {
    let hex_names = semantic.scoping().symbol_names().filter(|name| is_hex_name(name)).count();
    let (mut strings, mut longest_array, mut computed, mut longest) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut letters: HashMap<char, usize> = HashMap::new();
    for node in semantic.nodes().iter() {
        match node.kind() {
            AstKind::StringLiteral(literal) => {
                strings += 1;
                longest = longest.max(literal.value.chars().count());
                // Short strings are names and words.
                if literal.value.len() >= 16 {
                    for char in literal.value.chars() {
                        *letters.entry(char).or_default() += 1;
                    }
                }
            }
            AstKind::ArrayExpression(array) => {
                let texts = array.elements.iter().filter_map(|element| element.as_expression());
                let texts =
                    texts.filter(|element| matches!(element, oxc_ast::ast::Expression::StringLiteral(_)));
                longest_array = longest_array.max(texts.count());
            }
            AstKind::ComputedMemberExpression(member) => {
                use oxc_ast::ast::Expression;
                computed += usize::from(matches!(
                    member.expression,
                    Expression::CallExpression(_)
                        | Expression::BinaryExpression(_)
                        | Expression::StringLiteral(_)
                ));
            }
            _ => {}
        }
    }
    let escapes = raw.as_bytes().windows(2).filter(|pair| matches!(pair, [b'\\', b'x' | b'u'])).count();
    let longest_line = raw.lines().map(str::len).max().unwrap_or_default();
    Measured([
        hex_names as f64,
        100.0 * longest_array as f64 / strings.max(1) as f64,
        entropy(&letters),
        longest as f64,
        longest_line as f64,
        1000.0 * escapes as f64 / raw.len().max(1) as f64,
        computed as f64,
    ])
}

/// All measures that are not what they were; all of them where nothing was reviewed.
pub(crate) fn measures(old: Option<Measured>, new: Measured) -> Vec<Measure> {
    let each = NAMES.into_iter().zip(new.0).enumerate();
    let each = each.map(|(at, (what, new))| {
        let reviewed = old.and_then(|old| old.0.get(at).copied());
        Measure { what, reviewed: reviewed.map(rounded), new: rounded(new) }
    });
    each.filter(|measure| measure.reviewed != Some(measure.new)).collect()
}

impl Measure {
    /// In words, where it is telling: more than a little beyond that of the reviewed version.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let Self { what, reviewed, new } = *self;
        let at = NAMES.iter().position(|name| *name == what)?;
        let least = LEAST.get(at).copied()?;
        let before = reviewed.unwrap_or_default();
        if new < before + least || new < before * MORE {
            return None;
        }
        let was = reviewed.map(|before| format!(", and {before} before")).unwrap_or_default();
        Some(match at {
            0 => format!("{new} of its names are like _0x1f3a, as tools for hiding code make them{was}"),
            1 => format!("{new} percent of all its strings lie in one array{was}"),
            2 => {
                format!("its long strings hold {new} bits a character{was}: words hold some four, noise six")
            }
            3 => format!("its longest string has {new} characters{was}"),
            4 => format!("its longest line has {new} characters{was}"),
            5 => format!("{new} of 1000 characters begin an escape like \\x41{was}"),
            _ => format!("{new} members are named by a text in brackets{was}"),
        })
    }
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn is_hex_name(name: &str) -> bool {
    name.strip_prefix("_0x")
        .is_some_and(|rest| rest.len() >= 2 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Shannon's, in bits.
fn entropy(letters: &HashMap<char, usize>) -> f64 {
    let all: usize = letters.values().sum();
    let shares = letters.values().map(|count| *count as f64 / all.max(1) as f64);
    shares.map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(at: usize, reviewed: Option<f64>, new: f64) -> Option<String> {
        Measure { what: NAMES[at], reviewed, new }.text()
    }

    #[test]
    fn what_is_a_little_more_is_not_told() {
        assert_eq!(text(4, Some(197_017.0), 197_166.0), None);
        assert_eq!(text(0, Some(3.0), 0.0), None);
        assert_eq!(text(2, Some(4.1), 4.3), None);
    }

    #[test]
    fn what_is_much_more_is_told_with_what_it_was() {
        let said = text(0, Some(0.0), 12.0).unwrap();
        assert!(
            said.starts_with("12 of its names are like _0x1f3a") && said.ends_with("and 0 before"),
            "{said}"
        );
        assert_eq!(text(3, None, 900.0).unwrap(), "its longest string has 900 characters");
    }
}
