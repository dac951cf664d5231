//! What functions do that stand elsewhere than where they are given: listeners, and those that decide what passes.

use std::collections::HashMap;

use oxc_ast::AstKind;
use oxc_ast::ast::{Argument, AssignmentTarget, CallExpression, Expression, PropertyKey};
use oxc_semantic::AstNode;
use oxc_span::GetSpan as _;

use super::{Look, Use};
use crate::capability::Capability;
use crate::findings::NotAnalysed;
use crate::guard::Guard;
use crate::value::{Callable, Value};

/// Calls of one function that are looked at.
pub(super) const CALLS: usize = 4;
/// Nodes of all functions that are looked into, each time that they are.
pub(super) const LOOKED_INTO: usize = 1 << 20;

/// A listener to messages, and what it is if nothing in it checks where they come from.
pub(super) struct Listener<'a> {
    function: Callable<'a>,
    used: Use,
}

impl<'a> Look<'a, '_> {
    /// The function that an expression stands for: itself, by its name, the only method of that name, any of these bound.
    pub(super) fn function_of(&self, expression: &'a Expression<'a>) -> Option<Callable<'a>> {
        if let Value::Function(callable) = self.folder.value(expression) {
            return Some(callable);
        }
        match expression.get_inner_expression() {
            Expression::CallExpression(call) => match &call.callee {
                Expression::StaticMemberExpression(member) if member.property.name == "bind" => {
                    match member.object.get_inner_expression() {
                        Expression::CallExpression(_) => None,
                        object => self.function_of(object),
                    }
                }
                _ => None,
            },
            Expression::StaticMemberExpression(member) => self.method_called(member.property.name.as_str()),
            _ => None,
        }
    }

    /// The only method of the script that is called so.
    pub(super) fn method_called(&self, name: &str) -> Option<Callable<'a>> {
        self.methods.get_or_init(|| self.all_methods()).get(name).copied().flatten()
    }

    /// Where a method of that name is called: the first places.
    pub(super) fn calls_of(&self, method: &str) -> &[&'a CallExpression<'a>] {
        let calls = self.calls.get_or_init(|| self.all_calls());
        calls.get(method).map(Vec::as_slice).unwrap_or_default()
    }

    fn all_calls(&self) -> HashMap<&'a str, Vec<&'a CallExpression<'a>>> {
        let mut calls: HashMap<&str, Vec<_>> = HashMap::new();
        for node in self.semantic.nodes().iter() {
            if let AstKind::CallExpression(call) = node.kind()
                && let Expression::StaticMemberExpression(member) = &call.callee
            {
                let of_name = calls.entry(member.property.name.as_str()).or_default();
                if of_name.len() < CALLS {
                    of_name.push(call);
                }
            }
        }
        calls
    }

    /// By their names; none where several have the same.
    fn all_methods(&self) -> HashMap<&'a str, Option<Callable<'a>>> {
        let mut methods = HashMap::new();
        for node in self.semantic.nodes().iter() {
            if let Some((name, callable)) = method(node) {
                methods.entry(name).and_modify(|known| *known = None).or_insert(Some(callable));
            }
        }
        methods
    }

    /// The nodes of a function, in their order, as far as there is room to look at them.
    pub(super) fn inside(&self, callable: Callable<'a>) -> impl Iterator<Item = &AstNode<'a>> {
        let nodes = self.semantic.nodes().iter().skip(callable.node().index() + 1);
        let inside = nodes.take_while(move |node| node.kind().span().start < callable.span().end);
        inside.take_while(|_| {
            let left = self.looked_into.get();
            self.looked_into.set(left.saturating_sub(1));
            left > 0
        })
    }

    /// `addEventListener("message", f)` on the window: whether it checks anything is known once all of it was seen.
    pub(super) fn listens_to_messages(
        &mut self,
        listener: Option<&'a Argument<'a>>,
        call: &CallExpression<'a>,
    ) {
        if let Some(listener) = listener.and_then(Argument::as_expression) {
            self.hears(listener, call.span.start);
        }
    }

    pub(super) fn hears(&mut self, listener: &'a Expression<'a>, start: u32) {
        let Some(function) = self.function_of(listener) else { return };
        self.listeners.push(Listener { function, used: self.unread(start, 0) });
    }

    /// Those that check nothing before they go on.
    pub(super) fn unchecked_listeners(&mut self) {
        self.checks.sort_unstable();
        for listener in std::mem::take(&mut self.listeners) {
            if !self.is_checked(listener.function) {
                self.seen.uses.entry(Capability::UncheckedMessage).or_default().push(listener.used);
            }
        }
        if self.looked_into.get() == 0 {
            self.seen.cut_short.get_or_insert(NotAnalysed::TooMuch);
        }
    }

    /// Whether a function checks where a message comes from, or calls at once one that does, and hands on nothing before.
    fn is_checked(&self, function: Callable<'a>) -> bool {
        let is_check = |function: Callable<'a>| {
            let span = function.span();
            let behind = self.checks.partition_point(|check| *check < span.start);
            self.checks.get(behind).filter(|check| **check < span.end).copied()
        };
        let check = is_check(function).unwrap_or(u32::MAX);
        for node in self.inside(function) {
            let AstKind::CallExpression(call) = node.kind() else { continue };
            if call.span.start > check {
                return true;
            }
            if let Value::Function(called) = self.folder.value(&call.callee)
                && is_check(called).is_some()
            {
                return true;
            }
            if hands_on(call) && !is_of_language(&self.folder.value(&call.callee)) {
                return false;
            }
        }
        check < u32::MAX
    }

    /// What stands under a name for what a guard looks at: `const { origin } = event`, `var from = event.origin`.
    pub(super) fn guard_by_name(&mut self, node: &AstNode<'a>) {
        let (symbol, guard) = match node.kind() {
            AstKind::VariableDeclarator(declared) => {
                let (Some(id), Some(Expression::StaticMemberExpression(member))) =
                    (declared.id.get_binding_identifier(), &declared.init)
                else {
                    return;
                };
                let guard = of_message(member.property.name.as_str());
                (id.symbol_id.get(), guard.filter(|_| self.is_of_message(&member.object)))
            }
            AstKind::BindingProperty(property) => {
                let name = property.key.static_name().unwrap_or_default();
                let id = property.value.get_binding_identifier();
                (id.and_then(|id| id.symbol_id.get()), of_message(&name))
            }
            _ => return,
        };
        let (Some(symbol), Some(guard)) = (symbol, guard) else { return };
        let references: Vec<_> = self
            .folder
            .scoping
            .get_resolved_references(symbol)
            .map(oxc_semantic::Reference::node_id)
            .collect();
        for reference in references {
            let node = self.semantic.nodes().get_node(reference);
            if (guard == Guard::MessageOrigin || self.is_equated(node))
                && let Some(test) = self.test(node)
            {
                self.guard(guard, node.kind().span(), test);
            }
        }
    }
}

fn of_message(name: &str) -> Option<Guard> {
    match name {
        "origin" => Some(Guard::MessageOrigin),
        "source" => Some(Guard::MessageSource),
        _ => None,
    }
}

/// `JSON.parse`, `String`
fn is_of_language(callee: &Value<'_>) -> bool {
    callee
        .as_global()
        .is_some_and(|path| path.contains('.') || path.starts_with(|first: char| first.is_ascii_uppercase()))
}

/// `run(event.data)`
fn hands_on(call: &CallExpression<'_>) -> bool {
    call.arguments.iter().any(|argument| match argument.as_expression() {
        Some(Expression::StaticMemberExpression(member)) => member.property.name == "data",
        _ => false,
    })
}

/// A function under the name of a member.
fn method<'a>(node: &AstNode<'a>) -> Option<(&'a str, Callable<'a>)> {
    match node.kind() {
        AstKind::MethodDefinition(method) => {
            Some((name_of_key(&method.key)?, Callable::Function(&method.value)))
        }
        AstKind::PropertyDefinition(property) => {
            Some((name_of_key(&property.key)?, callable(property.value.as_ref()?)?))
        }
        AstKind::ObjectProperty(property) => Some((name_of_key(&property.key)?, callable(&property.value)?)),
        AstKind::AssignmentExpression(assigned) => match &assigned.left {
            AssignmentTarget::StaticMemberExpression(member) => {
                Some((member.property.name.as_str(), callable(&assigned.right)?))
            }
            _ => None,
        },
        _ => None,
    }
}

fn name_of_key<'a>(key: &'a PropertyKey<'a>) -> Option<&'a str> {
    match key {
        PropertyKey::StaticIdentifier(name) => Some(name.name.as_str()),
        PropertyKey::StringLiteral(name) => Some(name.value.as_str()),
        _ => None,
    }
}

fn callable<'a>(expression: &'a Expression<'a>) -> Option<Callable<'a>> {
    match expression {
        Expression::FunctionExpression(function) => Some(Callable::Function(function)),
        Expression::ArrowFunctionExpression(arrow) => Some(Callable::Arrow(arrow)),
        _ => None,
    }
}
