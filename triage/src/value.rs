//! What an expression comes to, as far as that can be said without running it.

use std::fmt::Write as _;
use std::rc::Rc;

use oxc_ast::ast::{ArrowFunctionExpression, Function, ObjectExpression};

/// Characters of a text, and elements of an array, that are worked out.
pub(crate) const LONGEST: usize = 1 << 18;

/// A value. Whatever depends on the page or the person is unknown.
#[derive(Clone)]
pub(crate) enum Value<'a> {
    Unknown,
    Undefined,
    Bool(bool),
    Number(f64),
    Text(Rc<str>),
    Regex {
        pattern: Rc<str>,
        global: bool,
    },
    Array(Rc<[Value<'a>]>),
    Object(&'a ObjectExpression<'a>),
    Function(Callable<'a>),
    /// Something that the browser gives, by its path from the global object, which is the empty path.
    Global(Rc<str>),
    /// A function that the language gives: its constructor makes code of text.
    Builtin,
    /// What made a value that is not known; what made that is `Function`.
    Constructor,
    /// `Function("return this")`
    GlobalGetter,
}

/// A function of the script.
#[derive(Clone, Copy)]
pub(crate) enum Callable<'a> {
    Function(&'a Function<'a>),
    Arrow(&'a ArrowFunctionExpression<'a>),
}

impl<'a> Value<'a> {
    pub(crate) fn text(text: impl Into<Rc<str>>) -> Self {
        let text = text.into();
        if text.len() > LONGEST { Self::Unknown } else { Self::Text(text) }
    }

    pub(crate) fn array(elements: Vec<Self>) -> Self {
        if elements.len() > LONGEST { Self::Unknown } else { Self::Array(elements.into()) }
    }

    pub(crate) fn as_text(&self) -> Option<&Rc<str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_global(&self) -> Option<&Rc<str>> {
        match self {
            Self::Global(path) => Some(path),
            _ => None,
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// `ToString`, where it is not a method of the script that says so.
    pub(crate) fn to_text(&self) -> Option<String> {
        Some(match self {
            Self::Text(text) => text.to_string(),
            Self::Undefined => "undefined".to_owned(),
            Self::Bool(value) => value.to_string(),
            // JavaScript writes these with an exponent.
            Self::Number(value)
                if value.is_finite() && *value != 0.0 && !(1e-6..1e21).contains(&value.abs()) =>
            {
                return None;
            }
            Self::Number(value) => number_text(*value),
            Self::Array(elements) => joined(elements, ",")?,
            Self::Object(object) if object.properties.is_empty() => "[object Object]".to_owned(),
            Self::Unknown
            | Self::Regex { .. }
            | Self::Object(_)
            | Self::Function(_)
            | Self::Global(_)
            | Self::Builtin
            | Self::Constructor
            | Self::GlobalGetter => return None,
        })
    }

    /// `ToNumber`
    pub(crate) fn to_number(&self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(*value),
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            Self::Undefined => Some(f64::NAN),
            Self::Text(_) | Self::Array(_) => {
                let text = self.to_text()?;
                let text = text.trim();
                let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
                Some(match hex {
                    Some(hex) => u32::from_str_radix(hex, 16).map_or(f64::NAN, f64::from),
                    None if text.is_empty() => 0.0,
                    None if text.starts_with(['0']) && text.contains(['b', 'B', 'o', 'O']) => return None,
                    // Rust reads more words as numbers than JavaScript.
                    None if text.contains(['n', 'N', 'i', 'I']) && text != "Infinity" => f64::NAN,
                    None => text.parse().unwrap_or(f64::NAN),
                })
            }
            _ => None,
        }
    }

    /// `ToBoolean`
    pub(crate) fn to_bool(&self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Undefined => Some(false),
            Self::Bool(value) => Some(*value),
            Self::Number(value) => Some(*value != 0.0 && !value.is_nan()),
            Self::Text(text) => Some(!text.is_empty()),
            // Whether the browser has it is not known.
            Self::Global(path) => path.is_empty().then_some(true),
            _ => Some(true),
        }
    }

    /// `left + right`
    pub(crate) fn plus(&self, right: &Self) -> Self {
        let is_number = |value: &Self| matches!(value, Self::Number(_) | Self::Bool(_) | Self::Undefined);
        if is_number(self) && is_number(right) {
            return match (self.to_number(), right.to_number()) {
                (Some(left), Some(right)) => Self::Number(left + right),
                _ => Self::Unknown,
            };
        }
        match (self.to_text(), right.to_text()) {
            (Some(left), Some(right)) => Self::text(left + &right),
            _ => Self::Unknown,
        }
    }
}

/// The elements with a separator between them.
pub(crate) fn joined(elements: &[Value<'_>], separator: &str) -> Option<String> {
    let mut text = String::new();
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            text.push_str(separator);
        }
        match element {
            Value::Undefined => {}
            other => text.push_str(&other.to_text()?),
        }
        if text.len() > LONGEST {
            return None;
        }
    }
    Some(text)
}

fn number_text(value: f64) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = if value.is_nan() {
        write!(text, "NaN")
    } else if value.is_infinite() {
        write!(text, "{}Infinity", if value < 0.0 { "-" } else { "" })
    } else {
        // Minus zero is written without its sign.
        write!(text, "{}", value + 0.0)
    };
    text
}

/// `ToInt32`
pub(crate) fn int32(value: f64) -> i32 {
    if !value.is_finite() {
        return 0;
    }
    // Modulo 2^32: what is left is an integer that fits.
    let low = value.trunc().rem_euclid(4_294_967_296.0) as u64;
    low as u32 as i32
}

/// An index into something of `len` elements: from its end where it is negative.
pub(crate) fn index(value: f64, len: usize) -> usize {
    let len = len as f64;
    let at = if value.is_nan() { 0.0 } else { value.trunc() };
    let at = if at < 0.0 { (len + at).max(0.0) } else { at.min(len) };
    at as usize
}
