//! Operators, and the names of what the browser gives.

use oxc_ast::ast::{BinaryExpression, Expression};
use oxc_syntax::operator::BinaryOperator;

use crate::value::{Value, int32};

/// Names of the global object.
pub(crate) const ROOTS: [&str; 9] =
    ["window", "self", "globalThis", "top", "parent", "opener", "frames", "global", "defaultView"];

/// A member of something that the browser gives.
pub(crate) fn global_member<'a>(path: &str, name: &str) -> Value<'a> {
    let is_root = path.is_empty() || path == "document";
    if is_root && (ROOTS.contains(&name) && (path.is_empty() || name == "defaultView")) {
        return Value::Global("".into());
    }
    // `frames[0]`
    if path.is_empty() && name.parse::<u32>().is_ok() {
        return Value::Global("".into());
    }
    if name == "constructor" && !path.is_empty() {
        // What is a function by its name has been made by `Function`; of other things nobody knows what did.
        let last = path.rsplit('.').next().unwrap_or(path);
        let is_object = matches!(last, "document" | "navigator" | "location" | "history" | "screen");
        return if is_object { Value::Constructor } else { Value::Global("Function".into()) };
    }
    match path {
        "" => Value::Global(name.into()),
        _ if path.len() + name.len() > 256 => Value::Unknown,
        _ => Value::Global(format!("{path}.{name}").into()),
    }
}

/// The operands of a chain of additions, from the left.
pub(crate) fn operands<'a>(binary: &'a BinaryExpression<'a>) -> Vec<&'a Expression<'a>> {
    let mut parts = vec![&binary.right];
    let mut left = &binary.left;
    while let Expression::BinaryExpression(inner) = left
        && inner.operator == BinaryOperator::Addition
    {
        parts.push(&inner.right);
        left = &inner.left;
    }
    parts.push(left);
    parts.reverse();
    parts
}

/// What an operator other than `+` makes of two values.
pub(crate) fn operate<'a>(operator: BinaryOperator, left: &Value<'a>, right: &Value<'a>) -> Value<'a> {
    if let (Value::Text(left), Value::Text(right)) = (left, right) {
        match operator {
            BinaryOperator::Equality | BinaryOperator::StrictEquality => return Value::Bool(left == right),
            BinaryOperator::Inequality | BinaryOperator::StrictInequality => {
                return Value::Bool(left != right);
            }
            _ => {}
        }
    }
    let (Some(a), Some(b)) = (left.to_number(), right.to_number()) else { return Value::Unknown };
    let bits = |of: fn(i32, i32) -> i32| Value::Number(f64::from(of(int32(a), int32(b))));
    match operator {
        BinaryOperator::Addition => left.plus(right),
        BinaryOperator::Subtraction => Value::Number(a - b),
        BinaryOperator::Multiplication => Value::Number(a * b),
        BinaryOperator::Division => Value::Number(a / b),
        BinaryOperator::Remainder => Value::Number(a % b),
        BinaryOperator::Exponential => Value::Number(a.powf(b)),
        BinaryOperator::BitwiseOR => bits(|a, b| a | b),
        BinaryOperator::BitwiseAnd => bits(|a, b| a & b),
        BinaryOperator::BitwiseXOR => bits(|a, b| a ^ b),
        BinaryOperator::ShiftLeft => bits(|a, b| a.wrapping_shl(b as u32)),
        BinaryOperator::ShiftRight => bits(|a, b| a.wrapping_shr(b as u32)),
        BinaryOperator::ShiftRightZeroFill => {
            Value::Number(f64::from((int32(a) as u32).wrapping_shr(int32(b) as u32)))
        }
        BinaryOperator::LessThan => Value::Bool(a < b),
        BinaryOperator::LessEqualThan => Value::Bool(a <= b),
        BinaryOperator::GreaterThan => Value::Bool(a > b),
        BinaryOperator::GreaterEqualThan => Value::Bool(a >= b),
        BinaryOperator::Equality | BinaryOperator::StrictEquality => Value::Bool(a == b),
        BinaryOperator::Inequality | BinaryOperator::StrictInequality => Value::Bool(a != b),
        BinaryOperator::In | BinaryOperator::Instanceof => Value::Unknown,
    }
}
