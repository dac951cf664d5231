//! Works out what expressions come to, without running them.
//!
//! Whoever hides a name or a host puts it together: `"fe" + "tch"`, `atob("ZmV0Y2g=")`, a table of strings and a function that
//! reads it, an alias of an alias. What does not depend on the page is worked out here, within bounds; all else is unknown.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use oxc_ast::ast::RegExpFlags;
use oxc_ast::ast::{
    Argument, ArrayExpression, ArrayExpressionElement, BinaryExpression, CallExpression, Expression,
    IdentifierReference, ObjectExpression, ObjectPropertyKind, TemplateLiteral, UnaryExpression,
};
use oxc_semantic::{NodeId, Scoping, Semantic};
use oxc_syntax::operator::{BinaryOperator, LogicalOperator, UnaryOperator};
use oxc_syntax::symbol::SymbolId;

use crate::bindings::{Binding, Bindings, symbol_of};
use crate::builtins;
use crate::capability::of_global;
use crate::operators::{ROOTS, global_member, operands, operate};
use crate::value::{Callable, Value, int32};

/// Expressions inside each other that are followed, through names and calls too.
const DEEPEST: usize = 4000;
/// Functions inside each other that are worked out.
const CALLS: usize = 12;
/// Steps for one place of a script: a decoder over some thousand characters.
const STEPS: u32 = 100_000;
/// Steps for all of one script.
const FUEL: u32 = 10_000_000;

/// Bytes of texts and lists that are made for one script.
const MADE: usize = 192 << 20;

/// What names stand for while a function is worked out.
pub(crate) type Env<'a> = HashMap<SymbolId, Value<'a>>;

/// What the expressions of a script come to, by their nodes.
struct Known<'a> {
    /// Where the value of each node is, counted from 1; 0 is nowhere.
    places: Vec<u32>,
    values: Vec<Option<(Value<'a>, IsOneOfMany)>>,
}

/// Whether something may come to more than the value that is followed.
pub(crate) type IsOneOfMany = bool;

impl<'a> Known<'a> {
    fn of(nodes: usize) -> Self {
        Self { places: vec![0; nodes], values: Vec::new() }
    }

    fn get(&self, node: NodeId) -> Option<&(Value<'a>, IsOneOfMany)> {
        let place = self.places.get(node.index())?.checked_sub(1)?;
        self.values.get(place as usize)?.as_ref()
    }

    fn set(&mut self, node: NodeId, value: Option<(Value<'a>, IsOneOfMany)>) {
        let Some(place) = self.places.get_mut(node.index()) else { return };
        if *place == 0 {
            self.values.push(None);
            *place = self.values.len() as u32;
        }
        if let Some(known) = self.values.get_mut(*place as usize - 1) {
            *known = value;
        }
    }
}

/// Works out the expressions of one script.
pub(crate) struct Folder<'a, 's> {
    pub(crate) scoping: &'s Scoping,
    pub(crate) bindings: Bindings<'a>,
    known: RefCell<Known<'a>>,
    /// The members of objects that were read from, by name.
    members: RefCell<HashMap<NodeId, HashMap<Cow<'a, str>, &'a Expression<'a>>>>,
    fuel: Cell<u32>,
    /// Bytes that may still be made.
    room: Cell<usize>,
    /// What is left of it for the place that is looked at.
    steps: Cell<u32>,
    depth: Cell<usize>,
    calls: Cell<usize>,
    /// Something at this place was not followed to its end.
    gave_up: Cell<bool>,
    /// Of several ways at this place, one was followed.
    is_one_of_many: Cell<IsOneOfMany>,
    is_over: &'s dyn Fn() -> bool,
}

impl<'a, 's> Folder<'a, 's> {
    pub(crate) fn new(semantic: &'s Semantic<'a>, is_over: &'s dyn Fn() -> bool) -> Self {
        Self {
            scoping: semantic.scoping(),
            bindings: Bindings::of(semantic),
            known: RefCell::new(Known::of(semantic.nodes().len())),
            members: RefCell::default(),
            fuel: Cell::new(FUEL),
            room: Cell::new(MADE),
            steps: Cell::new(STEPS),
            depth: Cell::new(0),
            calls: Cell::new(0),
            gave_up: Cell::new(false),
            is_one_of_many: Cell::new(false),
            is_over,
        }
    }

    /// What an expression comes to.
    pub(crate) fn value(&self, expression: &'a Expression<'a>) -> Value<'a> {
        self.fold(expression, &mut Env::new())
    }

    /// The same, and whether it may come to something else too.
    pub(crate) fn one_value(&self, expression: &'a Expression<'a>) -> (Value<'a>, IsOneOfMany) {
        self.is_one_of_many.set(false);
        let value = self.value(expression);
        (value, self.is_one_of_many.get())
    }

    /// The same where it comes to nothing else, whichever way it goes.
    pub(crate) fn only_value(&self, expression: &'a Expression<'a>) -> Value<'a> {
        match self.one_value(expression) {
            (value, false) => value,
            (_, true) => Value::Unknown,
        }
    }

    /// The path of a name that the script does not bind.
    pub(crate) fn global_name(&self, name: &IdentifierReference<'a>) -> Option<Rc<str>> {
        match symbol_of(self.scoping, name) {
            None => self.name(name, &mut Env::new()).as_global().cloned(),
            Some(_) => None,
        }
    }

    /// Another place is looked at.
    pub(crate) fn begin(&self) {
        self.steps.set(STEPS);
        self.gave_up.set(false);
    }

    /// Whether the fuel was used up: what was not worked out may be hidden.
    pub(crate) fn is_empty(&self) -> bool {
        self.fuel.get() == 0
    }

    /// Takes one step, if there is fuel left.
    pub(crate) fn step(&self) -> bool {
        let (fuel, steps) = (self.fuel.get(), self.steps.get());
        if fuel == 0 || steps == 0 {
            return false;
        }
        if fuel.is_multiple_of(1024) && (self.is_over)() {
            self.steps.set(0);
            return false;
        }
        self.fuel.set(fuel - 1);
        self.steps.set(steps - 1);
        true
    }

    /// What is large takes time and memory to make: it costs more than a step.
    fn pay(&self, value: &Value<'a>) {
        let (steps, bytes) = match value {
            Value::Text(text) => (text.len() / 128, text.len()),
            Value::Array(elements) => (elements.len(), size_of_val(&**elements)),
            _ => return,
        };
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.steps.set(self.steps.get().saturating_sub(steps));
        self.room.set(self.room.get().saturating_sub(bytes));
        let left = if self.room.get() == 0 { 0 } else { self.fuel.get().saturating_sub(steps) };
        self.fuel.set(left);
    }

    pub(crate) fn fold(&self, expression: &'a Expression<'a>, env: &mut Env<'a>) -> Value<'a> {
        if self.depth.get() > DEEPEST || !self.step() {
            self.gave_up.set(true);
            return Value::Unknown;
        }
        let (node, is_plain) = (expression.node_id(), env.is_empty());
        if is_plain {
            if let Some((known, is_one_of_many)) = self.known.borrow().get(node) {
                self.followed_one(*is_one_of_many);
                return known.clone();
            }
            // A name that stands for itself stands for nothing.
            self.known.borrow_mut().set(node, Some((Value::Unknown, false)));
        }
        let around = self.is_one_of_many.replace(false);
        self.depth.set(self.depth.get() + 1);
        let value = self.fold_new(expression, env);
        if !matches!(expression, Expression::Identifier(_)) {
            self.pay(&value);
        }
        self.depth.set(self.depth.get() - 1);
        if is_plain {
            // What was given up here may be known where less is around it.
            let is_open = self.gave_up.get() && !value.is_known();
            let known = (value.clone(), self.is_one_of_many.get());
            self.known.borrow_mut().set(node, (!is_open).then_some(known));
        }
        self.followed_one(around);
        value
    }

    fn followed_one(&self, is_one_of_many: IsOneOfMany) {
        self.is_one_of_many.set(self.is_one_of_many.get() || is_one_of_many);
    }

    fn fold_new(&self, expression: &'a Expression<'a>, env: &mut Env<'a>) -> Value<'a> {
        match expression {
            Expression::StringLiteral(literal) => Value::text(literal.value.as_str()),
            Expression::NumericLiteral(literal) => Value::Number(literal.value),
            Expression::BooleanLiteral(literal) => Value::Bool(literal.value),
            Expression::RegExpLiteral(literal) => {
                let pattern = literal.regex.pattern.text.as_str().into();
                let global = literal.regex.flags.contains(RegExpFlags::G);
                // Other flags change what is matched.
                let is_plain = (literal.regex.flags - RegExpFlags::G).is_empty();
                if is_plain { Value::Regex { pattern, global } } else { Value::Unknown }
            }
            Expression::TemplateLiteral(template) => self.template(template, env),
            Expression::Identifier(name) => self.name(name, env),
            Expression::ThisExpression(this) if self.bindings.global_this.contains(&this.span) => {
                Value::Global("".into())
            }
            Expression::ArrayExpression(array) if self.bindings.turned && is_table(array) => Value::Unknown,
            Expression::ArrayExpression(array) => {
                self.elements(&array.elements, env).map_or(Value::Unknown, Value::array)
            }
            Expression::ObjectExpression(object) => Value::Object(object),
            Expression::FunctionExpression(function) => Value::Function(Callable::Function(function)),
            Expression::ArrowFunctionExpression(arrow) => Value::Function(Callable::Arrow(arrow)),
            Expression::BinaryExpression(binary) => self.binary(binary, env),
            Expression::UnaryExpression(unary) => self.unary(unary, env),
            Expression::LogicalExpression(logical) => {
                let left = self.fold(&logical.left, env);
                let right = |env: &mut Env<'a>| self.fold(&logical.right, env);
                let is_true = left.to_bool();
                self.followed_one(is_true.is_none() || logical.operator == LogicalOperator::Coalesce);
                match (logical.operator, is_true) {
                    (LogicalOperator::Or, Some(true)) | (LogicalOperator::And, Some(false)) => left,
                    (LogicalOperator::Or, Some(false)) | (LogicalOperator::And, Some(true)) => right(env),
                    (LogicalOperator::Coalesce, _) | (LogicalOperator::Or, None) if left.is_known() => {
                        self.one_of(left, right(env))
                    }
                    (LogicalOperator::Or | LogicalOperator::And | LogicalOperator::Coalesce, _) => right(env),
                }
            }
            Expression::ConditionalExpression(either) => {
                let test = self.fold(&either.test, env).to_bool();
                match test {
                    Some(true) => self.fold(&either.consequent, env),
                    Some(false) => self.fold(&either.alternate, env),
                    None => self.either(&either.consequent, &either.alternate, env),
                }
            }
            Expression::AssignmentExpression(assigned) => self.assign(assigned, env),
            Expression::UpdateExpression(update) => self.update(update, env),
            Expression::SequenceExpression(sequence) => {
                let mut last = Value::Unknown;
                for expression in &sequence.expressions {
                    last = self.fold(expression, env);
                }
                last
            }
            Expression::ParenthesizedExpression(inner) => self.fold(&inner.expression, env),
            Expression::ChainExpression(chain) => match &chain.expression {
                oxc_ast::ast::ChainElement::CallExpression(call) => self.call(call, env),
                other => {
                    other.as_member_expression().map_or(Value::Unknown, |member| self.member(member, env))
                }
            },
            Expression::StaticMemberExpression(_) | Expression::ComputedMemberExpression(_) => {
                expression.as_member_expression().map_or(Value::Unknown, |member| self.member(member, env))
            }
            Expression::CallExpression(call) => self.call(call, env),
            Expression::NewExpression(made) => match self.fold(&made.callee, env) {
                Value::Global(path) if matches!(&*path, "Function" | "Array" | "Proxy") => self
                    .arguments(&made.arguments, env)
                    .map_or(Value::Unknown, |all| builtins::of_global(&path, &all)),
                _ => Value::Unknown,
            },
            _ => Value::Unknown,
        }
    }

    /// A global that one of two ways leads to is one that may be used.
    fn either(&self, one: &'a Expression<'a>, other: &'a Expression<'a>, env: &mut Env<'a>) -> Value<'a> {
        let (one, other) = (self.fold(one, env), self.fold(other, env));
        self.followed_one(true);
        match (&one, &other) {
            (Value::Global(_), _) => one,
            (_, Value::Global(_)) | (Value::Unknown, _) => other,
            (_, Value::Unknown) => one,
            _ => Value::Unknown,
        }
    }

    /// Of two ways, the global object or a global that is known, whichever is one.
    fn one_of(&self, left: Value<'a>, right: Value<'a>) -> Value<'a> {
        let is_telling = |value: &Value<'a>| {
            value.as_global().is_some_and(|path| path.is_empty() || of_global(path).is_some())
        };
        if is_telling(&right) && !is_telling(&left) { right } else { left }
    }

    fn name(&self, name: &IdentifierReference<'a>, env: &mut Env<'a>) -> Value<'a> {
        let Some(symbol) = symbol_of(self.scoping, name) else {
            return match name.name.as_str() {
                "undefined" => Value::Undefined,
                "NaN" => Value::Number(f64::NAN),
                root if ROOTS.contains(&root) => Value::Global("".into()),
                other => Value::Global(other.into()),
            };
        };
        if let Some(value) = env.get(&symbol) {
            return value.clone();
        }
        // What is bound outside of a function that is worked out does not depend on it.
        let bound = self.bindings.of_symbol(symbol);
        let values = bound.iter().map(|binding| self.bound(binding));
        let mut values = values.filter(|value| bound.len() == 1 || matches!(value, Value::Global(_)));
        let value = values.next().unwrap_or(Value::Unknown);
        self.followed_one(bound.len() > 1);
        value
    }

    fn bound(&self, binding: &Binding<'a>) -> Value<'a> {
        match binding {
            Binding::Expression(expression) => self.value(expression),
            Binding::Member(expression, name) => {
                self.member_of(&self.value(expression), name, &mut Env::new())
            }
            Binding::Function(callable) => Value::Function(*callable),
            Binding::Open => Value::Unknown,
        }
    }

    fn template(&self, template: &'a TemplateLiteral<'a>, env: &mut Env<'a>) -> Value<'a> {
        let mut text = String::new();
        for (at, quasi) in template.quasis.iter().enumerate() {
            text.push_str(quasi.value.cooked.as_ref().map(|cooked| cooked.as_str()).unwrap_or_default());
            if let Some(expression) = template.expressions.get(at) {
                let Some(part) = self.fold(expression, env).to_text() else { return Value::Unknown };
                text.push_str(&part);
            }
        }
        Value::text(text)
    }

    fn elements(
        &self,
        elements: &'a [ArrayExpressionElement<'a>],
        env: &mut Env<'a>,
    ) -> Option<Vec<Value<'a>>> {
        let mut values = Vec::with_capacity(elements.len());
        for element in elements {
            match element {
                ArrayExpressionElement::SpreadElement(spread) => match self.fold(&spread.argument, env) {
                    Value::Array(more) => values.extend(more.iter().cloned()),
                    Value::Text(text) => {
                        values.extend(text.chars().map(|char| Value::text(char.to_string())));
                    }
                    _ => return None,
                },
                ArrayExpressionElement::Elision(_) => values.push(Value::Undefined),
                other => values.push(self.fold(other.as_expression()?, env)),
            }
        }
        Some(values)
    }

    pub(crate) fn arguments(
        &self,
        arguments: &'a [Argument<'a>],
        env: &mut Env<'a>,
    ) -> Option<Vec<Value<'a>>> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            match argument {
                Argument::SpreadElement(spread) => match self.fold(&spread.argument, env) {
                    Value::Array(more) => values.extend(more.iter().cloned()),
                    _ => return None,
                },
                other => values.push(self.fold(other.as_expression()?, env)),
            }
        }
        Some(values)
    }

    fn binary(&self, binary: &'a BinaryExpression<'a>, env: &mut Env<'a>) -> Value<'a> {
        if binary.operator == BinaryOperator::Addition {
            let mut parts = operands(binary).into_iter();
            let first = parts.next().map_or(Value::Unknown, |first| self.fold(first, env));
            return parts.fold(first, |sum, part| match sum {
                Value::Unknown => sum,
                known => known.plus(&self.fold(part, env)),
            });
        }
        let (left, right) = (self.fold(&binary.left, env), self.fold(&binary.right, env));
        operate(binary.operator, &left, &right)
    }

    fn unary(&self, unary: &'a UnaryExpression<'a>, env: &mut Env<'a>) -> Value<'a> {
        let value = self.fold(&unary.argument, env);
        let number =
            |of: fn(f64) -> f64| value.to_number().map_or(Value::Unknown, |number| Value::Number(of(number)));
        match unary.operator {
            UnaryOperator::UnaryPlus => number(|number| number),
            UnaryOperator::UnaryNegation => number(|number| -number),
            UnaryOperator::BitwiseNot => number(|number| f64::from(!int32(number))),
            UnaryOperator::LogicalNot => value.to_bool().map_or(Value::Unknown, |value| Value::Bool(!value)),
            UnaryOperator::Void => Value::Undefined,
            UnaryOperator::Typeof | UnaryOperator::Delete => Value::Unknown,
        }
    }

    pub(crate) fn member(
        &self,
        member: &'a oxc_ast::ast::MemberExpression<'a>,
        env: &mut Env<'a>,
    ) -> Value<'a> {
        use oxc_ast::ast::MemberExpression;
        match member {
            MemberExpression::StaticMemberExpression(member) => {
                let object = self.fold(&member.object, env);
                self.member_of(&object, member.property.name.as_str(), env)
            }
            MemberExpression::ComputedMemberExpression(member) => {
                let object = self.fold(&member.object, env);
                match self.fold(&member.expression, env).to_text() {
                    Some(name) => self.member_of(&object, &name, env),
                    None => Value::Unknown,
                }
            }
            MemberExpression::PrivateFieldExpression(_) => Value::Unknown,
        }
    }

    pub(crate) fn member_of(&self, object: &Value<'a>, name: &str, env: &mut Env<'a>) -> Value<'a> {
        let at = || name.parse::<usize>().ok();
        match (object, name) {
            // Every frame and every node leads to them.
            (Value::Unknown | Value::Global(_), "contentWindow" | "defaultView") => Value::Global("".into()),
            (Value::Unknown | Value::Global(_), "contentDocument" | "ownerDocument") => {
                Value::Global("document".into())
            }
            (Value::Global(path), _) => global_member(path, name),
            (Value::Constructor, "constructor") | (Value::Builtin | Value::Function(_), "constructor") => {
                Value::Global("Function".into())
            }
            (Value::Text(_), "constructor") => Value::Global("String".into()),
            (Value::Array(_), "constructor") => Value::Global("Array".into()),
            (Value::Number(_), "constructor") => Value::Global("Number".into()),
            (Value::Bool(_) | Value::Regex { .. } | Value::Object(_), "constructor") => Value::Constructor,
            (Value::Unknown, "constructor") => Value::Constructor,
            // Its places are those of UTF-16, which are not counted here.
            (Value::Text(text), _) if builtins::is_astral(text) && (name == "length" || at().is_some()) => {
                Value::Unknown
            }
            (Value::Text(text), "length") => Value::Number(text.chars().count() as f64),
            (Value::Array(elements), "length") => Value::Number(elements.len() as f64),
            (Value::Text(text), _) => match at() {
                Some(at) => {
                    text.chars().nth(at).map_or(Value::Undefined, |char| Value::text(char.to_string()))
                }
                None => Value::Builtin,
            },
            (Value::Array(elements), _) => match at() {
                Some(at) => elements.get(at).cloned().unwrap_or(Value::Undefined),
                // `[]["flat"]` is a function; what nobody knows of an array is not there.
                None if name.starts_with(|first: char| first.is_ascii_lowercase()) && name != "undefined" => {
                    Value::Builtin
                }
                None => Value::Undefined,
            },
            (Value::Object(object), _) => {
                self.member_named(object, name).map_or(Value::Unknown, |value| self.fold(value, env))
            }
            _ => Value::Unknown,
        }
    }

    /// The last member of that name.
    fn member_named(&self, object: &'a ObjectExpression<'a>, name: &str) -> Option<&'a Expression<'a>> {
        let mut members = self.members.borrow_mut();
        let named = members.entry(object.node_id()).or_insert_with(|| {
            let named = object.properties.iter().filter_map(|property| match property {
                ObjectPropertyKind::ObjectProperty(property) => {
                    Some((property.key.static_name()?, &property.value))
                }
                ObjectPropertyKind::SpreadProperty(_) => None,
            });
            named.collect()
        });
        named.get(name).copied()
    }

    pub(crate) fn call(&self, call: &'a CallExpression<'a>, env: &mut Env<'a>) -> Value<'a> {
        if let Some(member) = call.callee.as_member_expression()
            && let Some((object, method)) = self.method(member, env)
            && let Some(value) = self.call_method(&object, &method, call, env)
        {
            return value;
        }
        let callee = self.fold(&call.callee, env);
        if let Value::Function(callable) = callee
            && !call.callee.is_member_expression()
            && callable.gives_this()
        {
            return Value::Global("".into());
        }
        let Some(arguments) = self.arguments(&call.arguments, env) else { return Value::Unknown };
        self.call_value(&callee, &arguments, env)
    }

    /// The object and the name of the method that is called.
    pub(crate) fn method(
        &self,
        member: &'a oxc_ast::ast::MemberExpression<'a>,
        env: &mut Env<'a>,
    ) -> Option<(Value<'a>, Cow<'a, str>)> {
        use oxc_ast::ast::MemberExpression;
        match member {
            MemberExpression::StaticMemberExpression(member) => {
                Some((self.fold(&member.object, env), member.property.name.as_str().into()))
            }
            MemberExpression::ComputedMemberExpression(member) => {
                let name = self.fold(&member.expression, env).to_text()?;
                Some((self.fold(&member.object, env), name.into()))
            }
            MemberExpression::PrivateFieldExpression(_) => None,
        }
    }

    fn call_method(
        &self,
        object: &Value<'a>,
        method: &str,
        call: &'a CallExpression<'a>,
        env: &mut Env<'a>,
    ) -> Option<Value<'a>> {
        let arguments = |env: &mut Env<'a>| self.arguments(&call.arguments, env);
        match object {
            Value::Text(text) => {
                self.pay(object);
                Some(builtins::of_text(text, method, &arguments(env)?))
            }
            Value::Number(number) if method == "toString" => {
                Some(builtins::number_in_radix(*number, arguments(env)?.first().and_then(Value::to_number)))
            }
            Value::Array(elements) => {
                let arguments = arguments(env)?;
                Some(match (method, arguments.as_slice()) {
                    ("map", [function, ..]) => self.map(elements, function, env),
                    ("reduce", [function, first]) => self.reduce(elements, function, first.clone(), env),
                    _ => builtins::of_array(elements, method, &arguments),
                })
            }
            Value::Function(_) | Value::Global(_) if matches!(method, "call" | "apply" | "bind") => {
                let arguments = arguments(env)?;
                match (method, arguments.as_slice()) {
                    ("bind", _) => Some(object.clone()),
                    ("call", [_, rest @ ..]) => Some(self.call_value(object, rest, env)),
                    ("apply", [_, Value::Array(list), ..]) => Some(self.call_value(object, list, env)),
                    _ => Some(self.call_value(object, &[], env)),
                }
            }
            _ => None,
        }
    }

    pub(crate) fn call_value(
        &self,
        callee: &Value<'a>,
        arguments: &[Value<'a>],
        env: &mut Env<'a>,
    ) -> Value<'a> {
        match callee {
            Value::Global(path) => match (&**path, arguments) {
                ("Reflect.get", [object, name, ..]) => {
                    name.to_text().map_or(Value::Unknown, |name| self.member_of(object, &name, env))
                }
                ("Array.from", [Value::Array(elements), function]) => self.map(elements, function, env),
                ("open", _) => Value::Global("".into()),
                ("document.open", _) => Value::Global("document".into()),
                ("Reflect.apply", [function, _, Value::Array(list)]) => self.call_value(function, list, env),
                _ => builtins::of_global(path, arguments),
            },
            // Decoders are called with what stands there. All else depends on what is not known.
            Value::Function(callable)
                if arguments.iter().all(Value::is_known) && self.calls.get() < CALLS =>
            {
                self.calls.set(self.calls.get() + 1);
                let value = self.run(*callable, arguments, env);
                self.calls.set(self.calls.get() - 1);
                value
            }
            Value::GlobalGetter => Value::Global("".into()),
            _ => Value::Unknown,
        }
    }

    fn map(&self, elements: &[Value<'a>], function: &Value<'a>, env: &mut Env<'a>) -> Value<'a> {
        let each = elements.iter().enumerate().map(|(at, element)| {
            if self.step() {
                self.call_value(function, &[element.clone(), Value::Number(at as f64)], env)
            } else {
                Value::Unknown
            }
        });
        Value::array(each.collect())
    }

    fn reduce(
        &self,
        elements: &[Value<'a>],
        function: &Value<'a>,
        first: Value<'a>,
        env: &mut Env<'a>,
    ) -> Value<'a> {
        elements.iter().enumerate().fold(first, |sum, (at, element)| {
            if sum.is_known() {
                self.call_value(function, &[sum, element.clone(), Value::Number(at as f64)], env)
            } else {
                sum
            }
        })
    }
}

/// Four texts and nothing else: fewer are no table of strings.
fn is_table(array: &ArrayExpression<'_>) -> bool {
    let mut elements = array.elements.iter();
    array.elements.len() >= 4
        && elements.all(|element| matches!(element, ArrayExpressionElement::StringLiteral(_)))
}
