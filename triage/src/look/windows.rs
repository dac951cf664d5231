//! Messages between windows: to which window and which origin they go.

use oxc_ast::AstKind;
use oxc_ast::ast::{BinaryExpression, CallExpression, Expression, ReturnStatement};
use oxc_semantic::Reference;
use oxc_span::Span;
use oxc_syntax::operator::{BinaryOperator, LogicalOperator, UnaryOperator};

use super::Look;
use crate::bindings::{Binding, symbol_of};
use crate::capability::Capability;
use crate::fold::Env;
use crate::hosts::hosts_in;
use crate::value::{Callable, Value};

/// Expressions inside each other, through names too.
const DEEPEST: usize = 8;
/// Names of a page's own window that something else can be put in place of.
const REPLACEABLE: [&str; 2] = ["self", "globalThis"];

impl<'a> Look<'a, '_> {
    /// `w.postMessage(text, origin)`
    pub(super) fn posted(&mut self, target: Option<&Value<'a>>, span: Span) {
        let origin = match target {
            Some(target @ Value::Object(_)) => self.folder.member_of(target, "targetOrigin", &mut Env::new()),
            Some(other) => other.clone(),
            None => Value::Undefined,
        };
        let is_any = match &origin {
            Value::Text(origin) => &**origin == "*",
            Value::Unknown => true,
            Value::Global(path) => !path.contains("origin") && !path.contains("location"),
            _ => false,
        };
        if is_any {
            let to_itself = self.is_to_own_window();
            let capability = if to_itself { Capability::PostMessageOwn } else { Capability::PostMessageAny };
            return self.at(capability, span, None);
        }
        let Value::Text(origin) = origin else { return };
        let to: Vec<_> = hosts_in(&origin).take(1).map(|named| named.host.into()).collect();
        if !to.is_empty()
            && let Some(used) = self.used(Capability::PostMessage, span, None, false)
        {
            used.to = to;
        }
    }

    /// Whether what is called is a member of the window that the script runs in, by one of the names that stand for no other.
    fn is_to_own_window(&self) -> bool {
        let AstKind::CallExpression(call) = self.semantic.nodes().kind(self.node) else { return false };
        let member = call.callee.as_member_expression();
        member.is_some_and(|member| self.is_own_window(member.object(), 0))
    }

    fn is_own_window(&self, expression: &'a Expression<'a>, depth: usize) -> bool {
        if depth > DEEPEST {
            return false;
        }
        let depth = depth + 1;
        match expression.get_inner_expression() {
            Expression::Identifier(name) => match symbol_of(self.folder.scoping, name) {
                None => self.names_own_window(name.name.as_str()),
                Some(symbol) => {
                    let bindings = self.folder.bindings.of_symbol(symbol);
                    let is_own = |binding: &Binding<'a>| match binding {
                        Binding::Expression(expression) => self.is_own_window(expression, depth),
                        Binding::Member(..) | Binding::Function(_) | Binding::Open => false,
                    };
                    !bindings.is_empty() && bindings.iter().all(is_own)
                }
            },
            Expression::ConditionalExpression(either) => {
                self.is_own_window(&either.consequent, depth)
                    && (is_there_on_pages(&either.test) || self.is_own_window(&either.alternate, depth))
            }
            Expression::LogicalExpression(logical) => {
                self.is_own_window(&logical.right, depth)
                    && match logical.operator {
                        LogicalOperator::And => is_there_on_pages(&logical.left),
                        LogicalOperator::Or | LogicalOperator::Coalesce => {
                            self.is_own_window(&logical.left, depth)
                        }
                    }
            }
            Expression::CallExpression(call) => self.gives_own_window(call, depth),
            _ => false,
        }
    }

    /// Nothing can be put in place of `window`.
    fn names_own_window(&self, name: &str) -> bool {
        name == "window"
            || (REPLACEABLE.contains(&name) && !*self.is_replaced.get_or_init(|| self.replaced()))
    }

    /// Whether something is written where the page's own window stands: `self = top`, `window.self = top`.
    fn replaced(&self) -> bool {
        let scoping = self.folder.scoping;
        let unresolved = scoping.root_unresolved_references();
        let is_written = REPLACEABLE.into_iter().any(|name| {
            let references = unresolved.get(name).into_iter().flatten();
            references.map(|id| scoping.get_reference(*id)).any(Reference::is_write)
        });
        is_written
            || self.semantic.nodes().iter().any(|node| match node.kind() {
                AstKind::AssignmentExpression(assigned) => {
                    let member = assigned.left.as_member_expression();
                    let set = member.and_then(|member| self.folder.method(member, &mut Env::new()));
                    set.is_some_and(|(_, name)| REPLACEABLE.contains(&&*name))
                }
                _ => false,
            })
    }

    /// `function () { if (typeof globalThis !== "undefined") return globalThis; return window }()`
    fn gives_own_window(&self, call: &'a CallExpression<'a>, depth: usize) -> bool {
        let function = match self.folder.value(&call.callee) {
            Value::Function(function) if call.arguments.is_empty() => function,
            _ => return false,
        };
        if let Callable::Arrow(arrow) = function
            && let Some(expression) = arrow.get_expression()
        {
            return self.is_own_window(expression, depth);
        }
        let mut given = 0;
        for node in self.inside(function) {
            match node.kind() {
                AstKind::ReturnStatement(ReturnStatement { argument: Some(argument), .. })
                    if self.is_own_window(argument, depth) =>
                {
                    given += 1;
                }
                AstKind::ReturnStatement(_) | AstKind::Function(_) | AstKind::ArrowFunctionExpression(_) => {
                    return false;
                }
                _ => {}
            }
        }
        given > 0
    }
}

/// Whether it asks for what every page has: `typeof window !== "undefined"`, `"u" > typeof self`.
fn is_there_on_pages(test: &Expression<'_>) -> bool {
    let Expression::BinaryExpression(binary) = test.get_inner_expression() else { return false };
    let BinaryExpression { left, operator, right, .. } = &**binary;
    let is_asked = |side: &Expression<'_>| match side {
        Expression::UnaryExpression(unary) if unary.operator == UnaryOperator::Typeof => {
            matches!(&unary.argument, Expression::Identifier(name) if matches!(name.name.as_str(), "window" | "self"))
        }
        _ => false,
    };
    let is_text = |side: &Expression<'_>, text: &str| matches!(side, Expression::StringLiteral(literal) if literal.value.as_str() == text);
    match operator {
        BinaryOperator::Inequality | BinaryOperator::StrictInequality => {
            (is_asked(left) && is_text(right, "undefined")) || (is_asked(right) && is_text(left, "undefined"))
        }
        BinaryOperator::LessThan => is_asked(left) && is_text(right, "u"),
        BinaryOperator::GreaterThan => is_text(left, "u") && is_asked(right),
        _ => false,
    }
}
