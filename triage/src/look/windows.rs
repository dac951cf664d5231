//! Messages between windows: to which window and which origin they go.

use std::collections::HashMap;

use oxc_ast::AstKind;
use oxc_ast::ast::{
    Argument, BinaryExpression, BindingPattern, CallExpression, Expression, FormalParameter, ReturnStatement,
};
use oxc_semantic::{AstNode, Reference};
use oxc_span::{GetSpan as _, Span};
use oxc_syntax::operator::{BinaryOperator, LogicalOperator, UnaryOperator};
use oxc_syntax::symbol::SymbolId;

use super::Look;
use crate::bindings::symbol_of;
use crate::capability::Capability;
use crate::fold::Env;
use crate::hidden::looks_like_code;
use crate::hosts::hosts_in;
use crate::value::{Callable, Value};

/// Expressions inside each other, through names too.
const DEEPEST: usize = 8;
/// Names of a page's own window.
const OWN: [&str; 3] = ["window", "self", "globalThis"];
/// What is called of it.
const METHOD: &str = "postMessage";

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
            let own = self.own_window();
            if self.used(Capability::PostMessageAny, span, None, false).is_some()
                && let Some(names) = own
            {
                let at = self.seen.uses.get(&Capability::PostMessageAny).map_or(0, Vec::len) - 1;
                self.own_posts.push(OwnPost { at, names });
            }
            return;
        }
        let Value::Text(origin) = origin else { return };
        let to: Vec<_> = hosts_in(&origin).take(1).map(|named| named.host.into()).collect();
        if !to.is_empty()
            && let Some(used) = self.used(Capability::PostMessage, span, None, false)
        {
            used.to = to;
        }
    }

    /// Of a member of the window that the script runs in, that is called: the names by which it is known to be one. They stand for no
    /// other, unless something else is put in their place.
    fn own_window(&self) -> Option<Vec<Box<str>>> {
        let AstKind::CallExpression(call) = self.semantic.nodes().kind(self.node) else { return None };
        // Code in a string may run in another window, or write any name.
        let meets_any_name = self.inside.strings > 0
            || call.span.start < self.withs
            || self.folder.scoping.root_scope_flags().contains_direct_eval();
        let mut names = vec![METHOD.into()];
        let is_own = !meets_any_name
            && self.is_own_window(call.callee.as_member_expression()?.object(), &mut names, 0);
        is_own.then_some(names)
    }

    /// Tells the messages to the own window from others, once all was seen that could be put in its place.
    pub(super) fn sent_to_itself(&mut self) {
        let own_posts = std::mem::take(&mut self.own_posts);
        if own_posts.is_empty() {
            return;
        }
        let set = self.set_names(own_posts.iter().flat_map(|post| &post.names));
        let is_own: Vec<_> =
            own_posts.iter().filter(|post| !post.names.iter().any(|name| set.has(name))).collect();
        let mut all = self.seen.uses.remove(&Capability::PostMessageAny).unwrap_or_default();
        let own: Vec<_> =
            is_own.iter().rev().filter(|post| post.at < all.len()).map(|post| post.at).collect();
        let mut own: Vec<_> = own.into_iter().map(|at| all.remove(at)).collect();
        own.reverse();
        for (capability, uses) in [(Capability::PostMessageAny, all), (Capability::PostMessageOwn, own)] {
            if !uses.is_empty() {
                self.seen.uses.entry(capability).or_default().extend(uses);
            }
        }
    }

    fn is_own_window(&self, expression: &'a Expression<'a>, names: &mut Vec<Box<str>>, depth: usize) -> bool {
        if depth > DEEPEST {
            return false;
        }
        let depth = depth + 1;
        match expression.get_inner_expression() {
            Expression::Identifier(name) => match symbol_of(self.folder.scoping, name) {
                None => {
                    names.push(name.name.as_str().into());
                    OWN.contains(&name.name.as_str())
                }
                Some(symbol) => {
                    let stands_for = self.stands_for(symbol, names);
                    stands_for.is_some_and(|stands_for| self.is_own_window(stands_for, names, depth))
                }
            },
            Expression::ConditionalExpression(either) => {
                self.is_own_window(&either.consequent, names, depth)
                    && (self.is_there_on_pages(&either.test, names)
                        || self.is_own_window(&either.alternate, names, depth))
            }
            Expression::LogicalExpression(logical) => {
                self.is_own_window(&logical.right, names, depth)
                    && match logical.operator {
                        LogicalOperator::And => self.is_there_on_pages(&logical.left, names),
                        LogicalOperator::Or | LogicalOperator::Coalesce => {
                            self.is_own_window(&logical.left, names, depth)
                        }
                    }
            }
            Expression::CallExpression(call) => self.gives_own_window(call, names, depth),
            _ => false,
        }
    }

    /// What a name stands for that is declared once and never written: where it is declared, or what a function that is called on
    /// the spot, and nowhere else, is given.
    fn stands_for(&self, symbol: SymbolId, names: &mut Vec<Box<str>>) -> Option<&'a Expression<'a>> {
        let scoping = self.folder.scoping;
        if !scoping.symbol_redeclarations(symbol).is_empty() || scoping.symbol_is_mutated(symbol) {
            return None;
        }
        if scoping.symbol_scope_id(symbol) == scoping.root_scope_id() {
            names.push(scoping.symbol_name(symbol).into());
        } else if self.locals.fixed.get(symbol.index()).is_none_or(|is_fixed| *is_fixed) {
            return None;
        }
        let nodes = self.semantic.nodes();
        let declaration = nodes.get_node(scoping.symbol_declaration(symbol));
        let around = std::iter::once(declaration.kind()).chain(nodes.ancestor_kinds(declaration.id()));
        let is_it = |pattern: &BindingPattern<'_>| {
            pattern.get_binding_identifier().is_some_and(|id| id.symbol_id.get() == Some(symbol))
                && matches!(pattern, BindingPattern::BindingIdentifier(_))
        };
        for kind in around.take(3) {
            match kind {
                AstKind::VariableDeclarator(declared) if is_it(&declared.id) => {
                    return declared.init.as_ref();
                }
                AstKind::FormalParameter(parameter) if is_it(&parameter.pattern) => {
                    return self.given_on_the_spot(parameter);
                }
                _ => {}
            }
        }
        None
    }

    /// `(function (w) { … })(window)`
    fn given_on_the_spot(&self, parameter: &'a FormalParameter<'a>) -> Option<&'a Expression<'a>> {
        let nodes = self.semantic.nodes();
        let parameters = nodes.parent_node(parameter.node_id.get());
        let AstKind::FormalParameters(all) = parameters.kind() else { return None };
        let at = all.items.iter().position(|one| one.span == parameter.span)?;
        let function = nodes.parent_node(parameters.id());
        let has_name = matches!(function.kind(), AstKind::Function(function) if function.id.is_some());
        let AstKind::CallExpression(call) = nodes.parent_kind(function.id()) else { return None };
        let (inside, scoping) = (function.kind().span(), self.folder.scoping);
        // By these what it is given can be written, and it can be called again.
        let takes_all = scoping.root_unresolved_references().get("arguments").is_some_and(|references| {
            let mut places = references.iter().map(|id| scoping.get_reference(*id).node_id());
            places.any(|node| inside.contains_inclusive(nodes.kind(node).span()))
        });
        let given = call.arguments.get(..=at)?;
        let are_known = given.iter().all(Argument::is_expression) && parameter.initializer.is_none();
        let is_called = call.callee.span() == inside && are_known && !has_name && !takes_all;
        given.last().filter(|_| is_called)?.as_expression()
    }

    /// `function () { if (typeof globalThis !== "undefined") return globalThis; return window }()`
    fn gives_own_window(
        &self,
        call: &'a CallExpression<'a>,
        names: &mut Vec<Box<str>>,
        depth: usize,
    ) -> bool {
        // One that has a name can be put in its place.
        let function = match call.callee.get_inner_expression() {
            Expression::FunctionExpression(function) => Callable::Function(function),
            Expression::ArrowFunctionExpression(arrow) => Callable::Arrow(arrow),
            _ => return false,
        };
        if let Callable::Arrow(arrow) = function
            && let Some(expression) = arrow.get_expression()
        {
            return self.is_own_window(expression, names, depth);
        }
        let mut given = 0;
        for node in self.inside(function) {
            match node.kind() {
                AstKind::ReturnStatement(ReturnStatement { argument: Some(argument), .. })
                    if self.is_own_window(argument, names, depth) =>
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

    /// Whether it asks for what every page has: `typeof window !== "undefined"`, `"u" > typeof self`.
    fn is_there_on_pages(&self, test: &'a Expression<'a>, names: &mut Vec<Box<str>>) -> bool {
        let Expression::BinaryExpression(binary) = test.get_inner_expression() else { return false };
        let BinaryExpression { left, operator, right, .. } = &**binary;
        let mut is_asked = |side: &'a Expression<'a>| match side {
            Expression::UnaryExpression(unary) if unary.operator == UnaryOperator::Typeof => {
                match &unary.argument {
                    Expression::Identifier(name) => {
                        names.push(name.name.as_str().into());
                        matches!(name.name.as_str(), "window" | "self")
                            && symbol_of(self.folder.scoping, name).is_none()
                    }
                    _ => false,
                }
            }
            _ => false,
        };
        let is_text = |side: &Expression<'_>, text: &str| matches!(side, Expression::StringLiteral(literal) if literal.value.as_str() == text);
        match operator {
            BinaryOperator::Inequality | BinaryOperator::StrictInequality => {
                (is_text(right, "undefined") && is_asked(left))
                    || (is_text(left, "undefined") && is_asked(right))
            }
            BinaryOperator::LessThan => is_text(right, "u") && is_asked(left),
            BinaryOperator::GreaterThan => is_text(left, "u") && is_asked(right),
            _ => false,
        }
    }

    /// Of some names, those that the script gives to something otherwise than where a variable of its own is declared.
    fn set_names<'n>(&self, asked: impl Iterator<Item = &'n Box<str>>) -> SetNames {
        let asked = asked.map(|name| (name.to_string(), false)).collect();
        let mut set = SetNames { asked, any: false };
        let scoping = self.folder.scoping;
        for (name, references) in scoping.root_unresolved_references() {
            let mut references = references.iter().map(|id| scoping.get_reference(*id));
            set.add(name.as_str(), references.any(Reference::is_write));
        }
        for symbol in scoping.symbol_ids() {
            let (name, is_at_root) =
                (scoping.symbol_name(symbol), scoping.symbol_scope_id(symbol) == scoping.root_scope_id());
            // What is declared at the root is a member of the window, and so may be a function that is declared in a block.
            let is_function = !is_at_root && scoping.symbol_flags(symbol).is_function();
            set.add(name, is_function || (is_at_root && name == METHOD));
        }
        for held in &self.seen.texts {
            set.add(&held.text, true);
            if looks_like_code(&held.text) {
                held.text.split(|char| !is_of_word(char)).for_each(|word| set.add(word, true));
            }
        }
        for node in self.semantic.nodes().iter() {
            self.folder.begin();
            match node.kind() {
                AstKind::StaticMemberExpression(member) if self.is_target(node) => {
                    set.add(member.property.name.as_str(), true);
                }
                AstKind::ComputedMemberExpression(member) if self.is_target(node) => {
                    let is_window = self.is_window(&member.object);
                    set.add_text(self.folder.value(&member.expression).to_text(), is_window);
                }
                AstKind::ObjectProperty(property) => {
                    let name = match property.key.static_name() {
                        Some(name) => Some(name.into_owned()),
                        None => property.key.as_expression().and_then(|key| self.folder.value(key).to_text()),
                    };
                    set.add_text(name, false);
                }
                AstKind::CallExpression(call) => self.set_by(call, &mut set),
                _ => {}
            }
        }
        set
    }

    /// `Object.assign(window, x)`, `Reflect.set(window, "self", x)`
    fn set_by(&self, call: &'a CallExpression<'a>, set: &mut SetNames) {
        let text = |at: usize| {
            let argument = call.arguments.get(at).and_then(Argument::as_expression);
            argument.and_then(|argument| self.folder.value(argument).to_text())
        };
        let is_first =
            call.arguments.first().and_then(Argument::as_expression).is_some_and(|of| self.is_window(of));
        let member = call.callee.as_member_expression();
        match member.and_then(|member| self.folder.method(member, &mut Env::new())) {
            Some((_, name)) if matches!(&*name, "__defineGetter__") => set.add_text(text(0), true),
            Some((_, name)) if matches!(&*name, "defineProperty" | "set") => set.add_text(text(1), is_first),
            // Of an object that is written out, the keys are seen.
            Some((_, name)) if matches!(&*name, "assign" | "defineProperties" | "extend") => {
                let others = call.arguments.iter().skip(1).filter_map(Argument::as_expression);
                let mut others = others.map(|other| self.folder.value(other));
                set.any |= is_first && !others.all(|other| matches!(other, Value::Object(_)));
            }
            Some(_) | None => {}
        }
    }

    fn is_window(&self, expression: &'a Expression<'a>) -> bool {
        self.folder.value(expression).as_global().is_some_and(|path| path.is_empty())
    }

    /// Whether a member is written.
    fn is_target(&self, node: &AstNode<'a>) -> bool {
        let span = node.kind().span();
        match self.semantic.nodes().parent_kind(node.id()) {
            AstKind::AssignmentExpression(assigned) => assigned.left.span() == span,
            AstKind::AssignmentTargetWithDefault(target) => target.binding.span() == span,
            AstKind::AssignmentTargetPropertyProperty(target) => target.binding.span() == span,
            AstKind::ForInStatement(repeated) => repeated.left.span() == span,
            AstKind::ForOfStatement(repeated) => repeated.left.span() == span,
            AstKind::ArrayAssignmentTarget(_)
            | AstKind::AssignmentTargetRest(_)
            | AstKind::UpdateExpression(_) => true,
            AstKind::UnaryExpression(unary) => unary.operator == UnaryOperator::Delete,
            _ => false,
        }
    }
}

/// A message that goes to the own window, if nothing was put in place of what it is known by.
pub(super) struct OwnPost {
    /// Which it is of the uses.
    at: usize,
    names: Vec<Box<str>>,
}

/// Which of some names are given to something.
struct SetNames {
    asked: HashMap<String, bool>,
    /// Whether a member of the window is, of which the name is not known.
    any: bool,
}

impl SetNames {
    /// Nothing can be put in place of `window`.
    fn has(&self, name: &str) -> bool {
        name != "window" && (self.any || self.asked.get(name).is_some_and(|is_set| *is_set))
    }

    fn add(&mut self, name: &str, is_set: bool) {
        if let Some(known) = self.asked.get_mut(name) {
            *known |= is_set;
        }
    }

    fn add_text(&mut self, name: Option<String>, is_of_window: bool) {
        self.any |= is_of_window && name.is_none();
        self.add(name.as_deref().unwrap_or_default(), true);
    }
}

fn is_of_word(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '$')
}
