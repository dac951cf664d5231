//! The language's own functions, as far as people hide strings with them.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

use crate::value::{Value, index, joined};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `atob`: each byte is a character.
pub(crate) fn atob(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|char| !char.is_ascii_whitespace()).collect();
    Some(LENIENT.decode(text).ok()?.into_iter().map(char::from).collect())
}

/// What a global function makes of values.
pub(crate) fn of_global<'a>(path: &str, arguments: &[Value<'a>]) -> Value<'a> {
    let first = arguments.first();
    let text = || first.and_then(Value::to_text);
    let known = match path {
        "atob" => text().and_then(|text| atob(&text)).map(Value::text),
        "unescape" => text().map(|text| Value::text(unescape(&text))),
        "decodeURIComponent" | "decodeURI" => text()
            .and_then(|text| Some(Value::text(percent_decode_str(&text).decode_utf8().ok()?.into_owned()))),
        "escape" | "encodeURIComponent" | "encodeURI" => None,
        "String" => text().map(Value::text),
        "Number" | "parseFloat" => first.and_then(Value::to_number).map(Value::Number),
        "parseInt" | "Number.parseInt" => {
            let radix = arguments.get(1).and_then(Value::to_number).unwrap_or(10.0);
            text().map(|text| Value::Number(parse_int(&text, radix)))
        }
        "String.fromCharCode" | "String.fromCodePoint" => from_char_codes(arguments),
        "Array.from" if arguments.len() == 1 => match first {
            Some(Value::Text(text)) => Some(characters(text)),
            Some(array @ Value::Array(_)) => Some(array.clone()),
            _ => None,
        },
        "Array" | "Array.of" if arguments.len() != 1 => Some(Value::array(arguments.to_vec())),
        "Object" | "Object.freeze" | "Object.seal" => first.cloned(),
        // What is made of a global leads to all that it has.
        "Object.create" | "Object.assign" | "Proxy" => {
            first.filter(|first| first.as_global().is_some()).cloned()
        }
        "Object.getPrototypeOf" | "Reflect.getPrototypeOf" => {
            first.filter(|first| matches!(first, Value::Function(_) | Value::Builtin)).map(|_| Value::Builtin)
        }
        "Function" => {
            text().filter(|code| code.trim_start().starts_with("return this")).map(|_| Value::GlobalGetter)
        }
        _ => None,
    };
    known.unwrap_or(Value::Unknown)
}

fn from_char_codes<'a>(codes: &[Value<'a>]) -> Option<Value<'a>> {
    let units: Option<Vec<u16>> = codes.iter().map(|code| Some(code.to_number()? as u32 as u16)).collect();
    Some(Value::text(String::from_utf16_lossy(&units?)))
}

fn characters<'a>(text: &str) -> Value<'a> {
    Value::array(text.chars().map(|char| Value::text(char.to_string())).collect())
}

fn unescape(text: &str) -> String {
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let hex = |from: usize, to: usize| u16::from_str_radix(rest.get(from..to)?, 16).ok();
        let (unit, len) = match (char, rest.get(1..2)) {
            ('%', Some("u")) => (hex(2, 6), 6),
            ('%', _) => (hex(1, 3), 3),
            _ => (None, 0),
        };
        match unit {
            Some(unit) => {
                units.push(unit);
                rest = rest.get(len..).unwrap_or_default();
            }
            None => {
                units.extend_from_slice(char.encode_utf16(&mut [0; 2]));
                rest = rest.get(char.len_utf8()..).unwrap_or_default();
            }
        }
    }
    String::from_utf16_lossy(&units)
}

fn parse_int(text: &str, radix: f64) -> f64 {
    let text = text.trim();
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let radix = match hex {
        Some(_) => 16,
        None if (2.0..=36.0).contains(&radix) => radix as u32,
        None => 10,
    };
    let mut digits = hex.unwrap_or(text).chars().map_while(|char| char.to_digit(radix)).peekable();
    if digits.peek().is_none() {
        return f64::NAN;
    }
    let value = digits.fold(0.0, |value, digit| value * f64::from(radix) + f64::from(digit));
    if negative { -value } else { value }
}

/// Methods that count in UTF-16.
const INDEXED: [&str; 8] =
    ["split", "charAt", "at", "charCodeAt", "codePointAt", "slice", "substring", "substr"];

/// Whether a text has characters that are two in UTF-16: places in it are not counted here.
pub(crate) fn is_astral(text: &str) -> bool {
    text.bytes().any(|byte| byte >= 0xf0)
}

/// What a method of a text makes of values.
pub(crate) fn of_text<'a>(text: &str, method: &str, arguments: &[Value<'a>]) -> Value<'a> {
    if is_astral(text) && INDEXED.contains(&method) {
        return Value::Unknown;
    }
    let number = |at: usize| arguments.get(at).and_then(Value::to_number);
    let first = arguments.first();
    let chars = || text.chars();
    let len = chars().count();
    let known = match method {
        "split" if arguments.len() == 1 => split(text, first),
        "toString" | "valueOf" | "trim" | "normalize" if arguments.is_empty() => {
            Some(Value::text(text.trim()))
        }
        "toLowerCase" | "toLocaleLowerCase" => Some(Value::text(text.to_lowercase())),
        "toUpperCase" | "toLocaleUpperCase" => Some(Value::text(text.to_uppercase())),
        "charAt" | "at" => {
            let at = number(0).unwrap_or(0.0);
            let at = if method == "at" { index(at, len) } else { at.max(0.0) as usize };
            Some(Value::text(chars().nth(at).map(String::from).unwrap_or_default()))
        }
        "charCodeAt" | "codePointAt" => {
            let at = number(0).unwrap_or(0.0);
            Some(
                chars()
                    .nth(at.max(0.0) as usize)
                    .map_or(Value::Undefined, |char| Value::Number(f64::from(u32::from(char)))),
            )
        }
        "slice" | "substring" | "substr" => {
            let from = number(0).unwrap_or(0.0);
            let from = index(if method == "substring" { from.max(0.0) } else { from }, len);
            let to = number(1).map_or(len, |to| match method {
                "substr" => index(from as f64 + to.max(0.0), len),
                "substring" => index(to.max(0.0), len),
                _ => index(to, len),
            });
            // `substring` takes its ends in either order.
            let (from, to) = if method == "substring" { (from.min(to), from.max(to)) } else { (from, to) };
            Some(Value::text(chars().skip(from).take(to.saturating_sub(from)).collect::<String>()))
        }
        "concat" => joined(arguments, "").map(|rest| Value::text(format!("{text}{rest}"))),
        "repeat" => number(0)
            .filter(|times| *times >= 0.0 && times * text.len() as f64 <= crate::value::LONGEST as f64)
            .map(|times| Value::text(text.repeat(times as usize))),
        "replace" | "replaceAll" => replace(text, first, arguments.get(1), method == "replaceAll"),
        "match" => pieces(text, first),
        _ => None,
    };
    known.unwrap_or(Value::Unknown)
}

fn split<'a>(text: &str, by: Option<&Value<'a>>) -> Option<Value<'a>> {
    match by? {
        Value::Text(by) if by.is_empty() => Some(characters(text)),
        Value::Text(by) => Some(Value::array(text.split(&**by).map(Value::text).collect())),
        Value::Regex { pattern, .. } => {
            let set = Set::of(pattern)?;
            Some(Value::array(text.split(|char| set.has(char)).map(Value::text).collect()))
        }
        _ => None,
    }
}

fn replace<'a>(text: &str, what: Option<&Value<'a>>, by: Option<&Value<'a>>, all: bool) -> Option<Value<'a>> {
    // A dollar stands for what was found.
    let by = by?.as_text().filter(|by| !by.contains('$'))?;
    match what? {
        Value::Text(what) if all => Some(Value::text(text.replace(&**what, by))),
        Value::Text(what) => Some(Value::text(text.replacen(&**what, by, 1))),
        Value::Regex { pattern, global: true } => {
            let set = Set::of(pattern)?;
            let each = text.chars().map(|char| if set.has(char) { by.to_string() } else { char.to_string() });
            Some(Value::text(each.collect::<String>()))
        }
        _ => None,
    }
}

/// `match(/.{1,2}/g)`: a text in pieces.
fn pieces<'a>(text: &str, pattern: Option<&Value<'a>>) -> Option<Value<'a>> {
    let Value::Regex { pattern, global: true } = pattern? else { return None };
    let size = match &**pattern {
        "." => 1,
        ".." | "\\w\\w" => 2,
        other => {
            let bounds =
                other.strip_prefix(".{").or_else(|| other.strip_prefix("\\w{"))?.strip_suffix('}')?;
            bounds.rsplit(',').next()?.parse::<usize>().ok().filter(|size| *size > 0)?
        }
    };
    let chars: Vec<char> = text.chars().collect();
    Some(Value::array(
        chars.chunks(size).map(|piece| Value::text(piece.iter().collect::<String>())).collect(),
    ))
}

/// A regular expression that is one character, or one of a class of them.
struct Set {
    members: Vec<char>,
    negated: bool,
}

impl Set {
    fn of(pattern: &str) -> Option<Self> {
        let pattern = pattern.strip_suffix('+').unwrap_or(pattern);
        let class = pattern.strip_prefix('[').and_then(|class| class.strip_suffix(']'));
        let negated = class.is_some_and(|class| class.starts_with('^'));
        let body = class.map_or(pattern, |class| class.strip_prefix('^').unwrap_or(class));
        let mut members = Vec::new();
        let mut chars = body.chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '\\' => match chars.next()? {
                    's' => members.extend([' ', '\t', '\n', '\r']),
                    'd' => members.extend('0'..='9'),
                    escaped if !escaped.is_ascii_alphanumeric() => members.push(escaped),
                    _ => return None,
                },
                '-' if class.is_some() && !members.is_empty() && chars.peek().is_some() => {
                    let (from, to) = (members.pop()?, chars.next()?);
                    members.extend((from..=to).take(0x100));
                }
                '.' | '*' | '?' | '(' | ')' | '{' | '}' | '|' | '^' | '$' | '+' if class.is_none() => {
                    return None;
                }
                plain => members.push(plain),
            }
        }
        (class.is_some() || body.chars().count() == 1 || body.starts_with('\\'))
            .then_some(Self { members, negated })
    }

    fn has(&self, char: char) -> bool {
        self.members.contains(&char) != self.negated
    }
}

/// What a method of an array makes of values, unless it calls back.
pub(crate) fn of_array<'a>(elements: &[Value<'a>], method: &str, arguments: &[Value<'a>]) -> Value<'a> {
    let number = |at: usize| arguments.get(at).and_then(Value::to_number);
    let known = match method {
        "join" => {
            let separator = arguments.first().map_or(Some(",".to_owned()), Value::to_text);
            separator.and_then(|separator| joined(elements, &separator)).map(Value::text)
        }
        "toString" => joined(elements, ",").map(Value::text),
        "reverse" | "toReversed" => Some(Value::array(elements.iter().rev().cloned().collect())),
        "slice" => {
            let from = index(number(0).unwrap_or(0.0), elements.len());
            let to = number(1).map_or(elements.len(), |to| index(to, elements.len()));
            Some(Value::array(elements.get(from..to).unwrap_or_default().to_vec()))
        }
        "concat" => {
            let mut all = elements.to_vec();
            for argument in arguments {
                match argument {
                    Value::Array(more) => all.extend(more.iter().cloned()),
                    other => all.push(other.clone()),
                }
            }
            Some(Value::array(all))
        }
        "at" => number(0).and_then(|at| elements.get(index(at, elements.len())).cloned()),
        "pop" => elements.last().cloned(),
        "shift" => elements.first().cloned(),
        _ => None,
    };
    known.unwrap_or(Value::Unknown)
}

/// `(29).toString(36)`
pub(crate) fn number_in_radix<'a>(value: f64, radix: Option<f64>) -> Value<'a> {
    let radix = radix.unwrap_or(10.0);
    if radix == 10.0 {
        return Value::Number(value).to_text().map_or(Value::Unknown, Value::text);
    }
    if !(2.0..=36.0).contains(&radix) || value < 0.0 || value.fract() != 0.0 || value > 9e15 {
        return Value::Unknown;
    }
    let (mut rest, radix) = (value as u64, radix as u32);
    let mut digits = Vec::new();
    loop {
        digits.extend(char::from_digit((rest % u64::from(radix)) as u32, radix));
        rest /= u64::from(radix);
        if rest == 0 {
            break;
        }
    }
    Value::text(digits.into_iter().rev().collect::<String>())
}
