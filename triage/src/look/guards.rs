//! Guards, as they are written: a look at each node for the words of each.

use oxc_ast::AstKind;
use oxc_ast::ast::{CallExpression, Expression};
use oxc_semantic::AstNode;
use oxc_span::Span;
use oxc_syntax::operator::BinaryOperator;

use super::{Look, REMEMBERED, Stands, Use};
use crate::bindings::{Binding, symbol_of};
use crate::findings::NotAnalysed;
use crate::guard::Guard;
use crate::value::Value;

/// What a test is part of, to all of it.
const AROUND: usize = 16;

impl<'a> Look<'a, '_> {
    pub(super) fn guards(&mut self, node: &AstNode<'a>) {
        match node.kind() {
            AstKind::StaticMemberExpression(member) => {
                let name = member.property.name.as_str();
                self.guard_by_member(node, &member.object, name, member.span);
            }
            AstKind::ComputedMemberExpression(member) => {
                if let Value::Text(name) = self.folder.value(&member.expression) {
                    self.guard_by_member(node, &member.object, &name, member.span);
                }
            }
            AstKind::IdentifierReference(name) if name.name == "trustedTypes" => {
                self.guard(Guard::ContentSecurityPolicy, name.span, 0);
            }
            AstKind::ObjectProperty(property)
                if property.key.static_name().is_some_and(|name| name == "integrity") =>
            {
                self.guard(Guard::Integrity, property.span, 0);
            }
            AstKind::StringLiteral(literal) => {
                if let Some(guard) = of_text(literal.value.as_str()) {
                    self.guard(guard, literal.span, 0);
                }
            }
            AstKind::CallExpression(call) => {
                if let Some(guard) = self.guard_by_call(call) {
                    if guard == Guard::Cleaning {
                        let (given, all) = self.decided(call);
                        self.guard_of(guard, call.span, given, all);
                    } else {
                        let test = self.test(node).filter(|_| guard == Guard::Signature);
                        self.guard(guard, call.span, test.unwrap_or_default());
                    }
                }
            }
            AstKind::VariableDeclarator(_) | AstKind::BindingProperty(_) => self.guard_by_name(node),
            AstKind::TryStatement(tried) if tried.handler.is_some() => {
                self.guard(Guard::Catch, tried.span, 0);
            }
            _ => {}
        }
    }

    fn guard_by_member(&mut self, node: &AstNode<'a>, object: &'a Expression<'a>, name: &str, span: Span) {
        let guard = match name {
            "origin" if self.is_of_message(object) => Guard::MessageOrigin,
            "source" if self.is_of_message(object) && self.is_equated(node) => Guard::MessageSource,
            "isTrusted" => Guard::Trusted,
            "integrity" => return self.guard(Guard::Integrity, span, 0),
            "nonce" => return self.guard(Guard::ContentSecurityPolicy, span, 0),
            "sandbox" => return self.guard(Guard::Sandbox, span, 0),
            _ => return,
        };
        if let Some(test) = self.test(node) {
            self.guard(guard, span, test);
        }
    }

    /// Whether it may be an event: neither where a page is nor an address that the script takes apart.
    pub(super) fn is_of_message(&self, object: &'a Expression<'a>) -> bool {
        match object.get_inner_expression() {
            Expression::Identifier(name) => match symbol_of(self.folder.scoping, name) {
                Some(symbol) => !self
                    .folder
                    .bindings
                    .of_symbol(symbol)
                    .iter()
                    .any(|bound| matches!(bound, Binding::Expression(Expression::NewExpression(_)))),
                None => name.name == "event",
            },
            Expression::StaticMemberExpression(member) => member.property.name == "originalEvent",
            _ => false,
        }
    }

    pub(super) fn is_equated(&self, node: &AstNode<'a>) -> bool {
        match self.semantic.nodes().parent_kind(node.id()) {
            AstKind::BinaryExpression(binary) => is_equation(binary.operator),
            _ => false,
        }
    }

    /// What all of the test says that a member is part of, and what follows from it; none where it is part of none.
    pub(super) fn test(&self, node: &AstNode<'a>) -> Option<u64> {
        let nodes = self.semantic.nodes();
        let (mut inner, mut whole) = (node, None);
        for _ in 0..AROUND {
            let outer = nodes.parent_node(inner.id());
            let is_part = match outer.kind() {
                AstKind::BinaryExpression(binary) => is_equation(binary.operator),
                AstKind::CallExpression(call) => name_of(&call.callee) != Some("postMessage"),
                AstKind::UnaryExpression(_)
                | AstKind::LogicalExpression(_)
                | AstKind::ConditionalExpression(_)
                | AstKind::SwitchStatement(_)
                | AstKind::IfStatement(_) => true,
                AstKind::StaticMemberExpression(_) | AstKind::ChainExpression(_) => {
                    inner = outer;
                    continue;
                }
                _ => false,
            };
            if !is_part {
                break;
            }
            (inner, whole) = (outer, Some(outer));
            if matches!(outer.kind(), AstKind::IfStatement(_) | AstKind::SwitchStatement(_)) {
                break;
            }
        }
        whole.map(|whole| self.tested(whole))
    }

    fn guard_by_call(&self, call: &'a CallExpression<'a>) -> Option<Guard> {
        let name = name_of(&call.callee)?;
        if matches!(name, "freeze" | "seal" | "preventExtensions") {
            let callee = self.folder.value(&call.callee);
            return callee
                .as_global()
                .is_some_and(|path| path.starts_with("Object."))
                .then_some(Guard::Frozen);
        }
        let lower = name.to_ascii_lowercase();
        let is_cleaning = lower.contains("sanitize")
            || lower.contains("sanitise")
            || lower.contains("purify")
            || lower.contains("escapehtml")
            || (lower == "escape" && call.callee.as_member_expression().is_some());
        let is_check = lower.starts_with("verify")
            || matches!(&*lower, "timingsafeequal" | "checksignature" | "checkintegrity" | "checkhash")
            || (lower == "digest" && call.arguments.len() == 2);
        match (is_cleaning, is_check) {
            (true, _) => Some(Guard::Cleaning),
            (_, true) => Some(Guard::Signature),
            (_, _) => None,
        }
    }

    pub(super) fn guard(&mut self, guard: Guard, span: Span, given: u64) {
        self.guard_of(guard, span, given, Vec::new());
    }

    /// One of which it is known where all of it stands.
    fn guard_of(&mut self, guard: Guard, span: Span, given: u64, all: Vec<Span>) {
        let is_known = self.inside.strings == 0 && !all.is_empty();
        let at = is_known.then_some(Stands { start: span.start, all });
        let used = Use { at, ..self.unread(span.start, given) };
        let guards = self.seen.guards.entry(guard).or_default();
        if guards.len() >= REMEMBERED {
            self.seen.cut_short.get_or_insert(NotAnalysed::TooMuch);
            return;
        }
        guards.push(used);
        if matches!(guard, Guard::MessageOrigin | Guard::MessageSource) {
            self.checks.push(span.start);
        }
    }
}

fn is_equation(operator: BinaryOperator) -> bool {
    matches!(
        operator,
        BinaryOperator::Equality
            | BinaryOperator::StrictEquality
            | BinaryOperator::Inequality
            | BinaryOperator::StrictInequality
    )
}

/// The last name of what is called.
fn name_of<'a>(callee: &Expression<'a>) -> Option<&'a str> {
    match callee.get_inner_expression() {
        Expression::Identifier(name) => Some(name.name.as_str()),
        Expression::StaticMemberExpression(member) => Some(member.property.name.as_str()),
        _ => None,
    }
}

fn of_text(text: &str) -> Option<Guard> {
    if text.len() > 256 {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    match &*lower {
        "content-security-policy" | "nonce" => Some(Guard::ContentSecurityPolicy),
        "integrity" => Some(Guard::Integrity),
        "sandbox" => Some(Guard::Sandbox),
        text if text.contains("noopener") || text.contains("noreferrer") => Some(Guard::Noopener),
        _ => None,
    }
}
