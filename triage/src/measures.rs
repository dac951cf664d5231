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
    let escapes = raw.matches("\\x").count() + raw.matches("\\u").count();
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
