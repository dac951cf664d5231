//! What writes to a variable, or into what it holds: assignments, patterns and loops, methods that fill, what it is handed to, and
//! other names of it.

use oxc_ast::AstKind;
use oxc_ast::ast::{
    Argument, AssignmentTarget, BindingIdentifier, BindingPattern, ClassElement, Expression,
    ForStatementLeft, MemberExpression, MethodDefinitionKind, ObjectExpression, ObjectPropertyKind,
};
use oxc_semantic::{NodeId, Reference};
use oxc_span::{GetSpan as _, Span};
use oxc_syntax::operator::UnaryOperator;
use oxc_syntax::symbol::SymbolId;

use super::Look;
use super::called::{Origin, PATTERNS, of_key};
use super::functions::CALLS;
use crate::bindings::{Binding, symbol_of};
use crate::value::Callable;

/// Methods that put something into what they are called on.
const FILLS: [&str; 8] = ["push", "unshift", "add", "set", "append", "splice", "fill", "__defineGetter__"];
/// The name of what gives members to an object that it does not have itself: under it, all of them are written.
const PROTOTYPE: &str = "__proto__";
/// Globals whose functions leave what they are handed as it is, but for those that are looked at.
const READING: [&str; 9] =
    ["Object", "Reflect", "Array", "JSON", "Math", "console", "Number", "String", "Promise"];
/// Expressions around a name that come to it.
const AROUND: usize = 8;
/// Elements of a pattern of which it is told which one they are.
const ELEMENTS: usize = 64;

/// Something that is written into what a variable holds.
pub(super) struct Fill {
    /// Under which name, where that is known.
    pub(super) key: Option<Box<str>>,
    pub(super) origins: Vec<Origin>,
    /// What it hangs on.
    pub(super) tests: Vec<Origin>,
    pub(super) how: How,
    /// Whether it is something of which nobody knows what it does where it is called.
    pub(super) is_made_elsewhere: bool,
}

/// How something is written into what a variable holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Where it is named.
    Here,
    /// Into something that lies in it.
    Deep,
    /// By what it is handed to.
    Elsewhere,
}

/// All that writes to one variable.
#[derive(Default)]
pub(super) struct Written {
    /// To itself.
    pub(super) itself: Vec<Origin>,
    /// What that hangs on.
    pub(super) tests: Vec<Origin>,
    pub(super) fills: Vec<Fill>,
    /// Variables that hold the same, or something that it lies in.
    pub(super) aliases: Vec<(SymbolId, Alias)>,
    /// Parameters that it is handed to, and what else is handed over.
    pub(super) handed: Vec<(SymbolId, Vec<Origin>)>,
    /// Whether it is written otherwise than by `=`.
    pub(super) is_open: bool,
}

/// What another variable has of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Alias {
    Same,
    /// The same, as a parameter that it is handed to.
    Parameter,
    /// It lies in that, under a name that is known or not.
    In(Option<Box<str>>),
    /// That lies in it.
    Of(Option<Box<str>>),
}

impl Written {
    fn fill(&mut self, key: Option<&str>, how: How, (origins, tests): (Vec<Origin>, Vec<Origin>)) {
        let key = key.filter(|key| *key != PROTOTYPE);
        let (key, is_made_elsewhere) = (key.map(Into::into), false);
        self.fills.push(Fill { key, origins, tests, how, is_made_elsewhere });
    }
}

impl<'a> Look<'a, '_> {
    pub(super) fn written_to(&self, symbol: SymbolId) -> Written {
        let mut written = Written::default();
        for reference in self.semantic.scoping().get_resolved_references(symbol) {
            let name = reference.node_id();
            if Reference::is_write(reference) {
                written.is_open |= !self.assigned_plainly(name);
                self.written_by(name, &mut written.itself);
                written.tests.extend(self.tests(name));
            }
            self.used_by(name, true, &mut written);
        }
        written
    }

    fn assigned_plainly(&self, name: NodeId) -> bool {
        matches!(self.semantic.nodes().parent_kind(name), AstKind::AssignmentExpression(_))
    }

    /// What is written where it is named, by an assignment, a pattern or a loop.
    fn written_by(&self, name: NodeId, origins: &mut Vec<Origin>) {
        let nodes = self.semantic.nodes();
        let mut inner = nodes.kind(name).span();
        for kind in nodes.ancestor_kinds(name).take(PATTERNS) {
            match kind {
                AstKind::AssignmentExpression(assigned) => {
                    origins.push(Origin::Word(assigned.operator.as_str().into()));
                    return origins.push(Origin::Text(assigned.right.span()));
                }
                AstKind::ForOfStatement(repeated) => {
                    return origins.push(Origin::Text(repeated.right.span()));
                }
                AstKind::ForInStatement(repeated) => {
                    return origins.push(Origin::Text(repeated.right.span()));
                }
                AstKind::UpdateExpression(_) => return origins.push(Origin::Word("++".into())),
                AstKind::AssignmentTargetPropertyIdentifier(property) => {
                    origins.push(Origin::member(property.binding.name.as_str()));
                    origins.extend(property.init.iter().map(|init| Origin::Text(init.span())));
                }
                AstKind::AssignmentTargetPropertyProperty(property) => origins.extend(of_key(&property.name)),
                AstKind::AssignmentTargetWithDefault(target) => {
                    origins.push(Origin::Text(target.init.span()));
                }
                AstKind::ArrayAssignmentTarget(target) => {
                    let mut elements = target.elements.iter().take(ELEMENTS);
                    let which = elements.position(|element| {
                        element.as_ref().is_some_and(|element| element.span().contains_inclusive(inner))
                    });
                    origins.push(Origin::Word(format!("[{}]", which.unwrap_or(ELEMENTS)).into()));
                }
                _ => {}
            }
            inner = kind.span();
        }
    }

    /// What is done with it where it is named, and where a function is called that gives it back.
    fn used_by(&self, name: NodeId, is_named: bool, written: &mut Written) {
        let nodes = self.semantic.nodes();
        let (mut inner, mut held) = (nodes.kind(name).span(), Alias::Same);
        for outer in nodes.ancestor_ids(name).take(AROUND) {
            match nodes.kind(outer) {
                AstKind::LogicalExpression(_)
                | AstKind::SequenceExpression(_)
                | AstKind::ChainExpression(_)
                | AstKind::AwaitExpression(_) => {}
                AstKind::ConditionalExpression(either) if either.test.span() != inner => {}
                AstKind::ObjectExpression(_) => {}
                AstKind::ObjectProperty(property) => {
                    held = Alias::In(property.key.static_name().map(Into::into));
                }
                AstKind::ArrayExpression(_) | AstKind::SpreadElement(_) => held = Alias::In(None),
                AstKind::AssignmentExpression(assigned) if assigned.right.span() == inner => {
                    self.also_called_target(&assigned.left, &held, written);
                }
                AstKind::VariableDeclarator(declared) => {
                    return self.also_called(&declared.id, &held, written);
                }
                AstKind::AssignmentPattern(pattern) => {
                    return self.also_called(&pattern.left, &held, written);
                }
                AstKind::FormalParameter(parameter) => {
                    return self.also_called(&parameter.pattern, &held, written);
                }
                AstKind::ForOfStatement(repeated) if repeated.right.span() == inner => {
                    return self.repeated_as(&repeated.left, written);
                }
                AstKind::ReturnStatement(_) | AstKind::ArrowFunctionExpression(_) if is_named => {
                    return self.given_back_by(outer, held == Alias::Same, written);
                }
                AstKind::StaticMemberExpression(member) => {
                    let key = Some(member.property.name.as_str());
                    return self.member_written(outer, key, held != Alias::Same, written);
                }
                AstKind::ComputedMemberExpression(member) if member.object.span() == inner => {
                    let key = member.expression.get_inner_expression();
                    let key = match key {
                        Expression::StringLiteral(key) => Some(key.value.as_str()),
                        _ => None,
                    };
                    return self.member_written(outer, key, held != Alias::Same, written);
                }
                // `new Proxy(u, …)`, `Object(u)`
                AstKind::NewExpression(made) if self.unbound(&made.callee) == Some("Proxy") => {}
                AstKind::CallExpression(call) if self.unbound(&call.callee) == Some("Object") => {}
                AstKind::CallExpression(call) if call.callee.span() != inner => {
                    let handed = Handed { call: outer, callee: &call.callee, all: &call.arguments, inner };
                    return self.handed(&handed, &held, written);
                }
                AstKind::NewExpression(made) if made.callee.span() != inner => {
                    let handed = Handed { call: outer, callee: &made.callee, all: &made.arguments, inner };
                    return self.handed(&handed, &held, written);
                }
                _ => return,
            }
            inner = nodes.kind(outer).span();
        }
    }

    /// A name that the script does not bind.
    fn unbound(&self, expression: &Expression<'a>) -> Option<&'a str> {
        let name = expression.get_identifier_reference()?;
        symbol_of(self.semantic.scoping(), name).is_none().then_some(name.name.as_str())
    }

    /// A function gives it back, on the spot or where it is called by its name.
    fn given_back_by(&self, back: NodeId, is_same: bool, written: &mut Written) {
        let nodes = self.semantic.nodes();
        let mut around = std::iter::once(back).chain(nodes.ancestor_ids(back));
        let function = around.find(|node| {
            matches!(nodes.kind(*node), AstKind::Function(_) | AstKind::ArrowFunctionExpression(_))
        });
        let Some(function) = function.filter(|_| is_same) else { return };
        let span = nodes.kind(function).span();
        let is_call = |call: NodeId, callee: Span| matches!(nodes.kind(call), AstKind::CallExpression(call) if call.callee.span() == callee);
        if is_call(nodes.parent_id(function), span) {
            return self.used_by(nodes.parent_id(function), false, written);
        }
        for name in self.named_as(function) {
            let call = nodes.parent_id(name);
            if is_call(call, nodes.kind(name).span()) {
                self.used_by(call, false, written);
            }
        }
    }

    /// Where something is named that a variable is bound to on the spot: the first places.
    pub(super) fn named_as(&self, made: NodeId) -> impl Iterator<Item = NodeId> {
        let nodes = self.semantic.nodes();
        let id = |id: Option<&BindingIdentifier<'_>>| id.and_then(|id| id.symbol_id.get());
        let symbol = match (nodes.kind(made), nodes.parent_kind(made)) {
            (AstKind::Function(function), _) if function.is_declaration() => id(function.id.as_ref()),
            (_, AstKind::VariableDeclarator(declared)) => id(declared.id.get_binding_identifier()),
            (_, AstKind::AssignmentExpression(assigned)) => match &assigned.left {
                AssignmentTarget::AssignmentTargetIdentifier(name) => {
                    symbol_of(self.semantic.scoping(), name)
                }
                _ => None,
            },
            (_, _) => None,
        };
        let references =
            symbol.into_iter().flat_map(|symbol| self.semantic.scoping().get_resolved_references(symbol));
        references.filter(|reference| !reference.is_write()).map(Reference::node_id).take(CALLS)
    }

    fn also_called(&self, pattern: &BindingPattern<'a>, held: &Alias, written: &mut Written) {
        let held = match (pattern, held) {
            (BindingPattern::BindingIdentifier(_), held) => held,
            (_, Alias::Parameter) => &Alias::Parameter,
            (_, _) => &Alias::Same,
        };
        let is_part = *held == Alias::Same && !pattern.is_binding_identifier();
        let part = is_part.then_some(Alias::Of(None));
        let all = pattern.get_binding_identifiers();
        for symbol in all.into_iter().filter_map(|id| id.symbol_id.get()).take(ELEMENTS) {
            written.aliases.extend(part.iter().chain([held]).map(|held| (symbol, held.clone())));
        }
    }

    fn also_called_target(&self, target: &AssignmentTarget<'a>, held: &Alias, written: &mut Written) {
        let scoping = self.semantic.scoping();
        let (object, held) = match target {
            AssignmentTarget::AssignmentTargetIdentifier(name) => (Some(&**name), held.clone()),
            target => {
                let Some(member) = target.as_member_expression() else { return };
                let first = member.object().get_identifier_reference();
                let key = first.and_then(|_| member.static_property_name()).map(Into::into);
                (first.or_else(|| innermost(member)), Alias::In(key))
            }
        };
        let symbol = object.and_then(|name| symbol_of(scoping, name));
        written.aliases.extend(symbol.map(|symbol| (symbol, held)));
    }

    fn repeated_as(&self, left: &ForStatementLeft<'a>, written: &mut Written) {
        match left {
            ForStatementLeft::VariableDeclaration(declared) => {
                for one in &declared.declarations {
                    self.also_called(&one.id, &Alias::Same, written);
                }
            }
            left => {
                if let Some(target) = left.as_assignment_target() {
                    self.also_called_target(target, &Alias::Same, written);
                }
            }
        }
    }

    /// What becomes of a member of it.
    fn member_written(&self, mut member: NodeId, key: Option<&str>, is_held: bool, written: &mut Written) {
        let nodes = self.semantic.nodes();
        let (mut names, mut is_deep) = (Vec::new(), false);
        // What lies in it, and in that.
        for _ in 0..AROUND {
            match nodes.kind(member) {
                AstKind::StaticMemberExpression(one) => {
                    names.push(Origin::member(one.property.name.as_str()));
                }
                AstKind::ComputedMemberExpression(one) => names.push(Origin::Text(one.expression.span())),
                _ => {}
            }
            let span = nodes.kind(member).span();
            match nodes.parent_kind(member) {
                AstKind::StaticMemberExpression(_) | AstKind::ChainExpression(_) => {}
                AstKind::ComputedMemberExpression(outer) if outer.object.span() == span => {}
                _ => break,
            }
            member = nodes.parent_id(member);
            is_deep = true;
        }
        let (parent, span) = (nodes.parent_id(member), nodes.kind(member).span());
        match nodes.kind(parent) {
            AstKind::AssignmentExpression(assigned) if assigned.left.span() == span => {
                let operator = Origin::Word(assigned.operator.as_str().into());
                names.extend([operator, Origin::Text(assigned.right.span())]);
            }
            AstKind::UpdateExpression(_) => names.push(Origin::Word("++".into())),
            AstKind::UnaryExpression(unary) if unary.operator == UnaryOperator::Delete => {
                names.push(Origin::Word("delete".into()));
            }
            AstKind::ArrayAssignmentTarget(_)
            | AstKind::AssignmentTargetPropertyProperty(_)
            | AstKind::AssignmentTargetWithDefault(_)
            | AstKind::AssignmentTargetRest(_) => self.written_by(member, &mut names),
            AstKind::ForOfStatement(repeated) if repeated.left.span() == span => {
                names.push(Origin::Text(repeated.right.span()));
            }
            AstKind::ForInStatement(repeated) if repeated.left.span() == span => {
                names.push(Origin::Text(repeated.right.span()));
            }
            AstKind::CallExpression(call) if call.callee.span() == span => {
                return self.method(parent, (key, names), (is_deep, is_held), written);
            }
            AstKind::VariableDeclarator(declared) if !is_deep && !is_held => {
                return self.also_called(&declared.id, &Alias::Of(key.map(Into::into)), written);
            }
            AstKind::AssignmentExpression(assigned) if !is_deep && !is_held => {
                if let AssignmentTarget::AssignmentTargetIdentifier(_) = &assigned.left {
                    self.also_called_target(&assigned.left, &Alias::Of(key.map(Into::into)), written);
                }
                return;
            }
            _ => return,
        }
        let how = if is_deep { How::Deep } else { How::Here };
        written.fill(key, how, (names, self.tests(member)));
        if let (AstKind::AssignmentExpression(assigned), Some(fill)) =
            (nodes.kind(parent), written.fills.last_mut())
        {
            fill.is_made_elsewhere = self.is_made_elsewhere(&assigned.right);
        }
    }

    /// A method of it, or of what lies in it, is called.
    fn method(
        &self,
        call: NodeId,
        (key, mut origins): (Option<&str>, Vec<Origin>),
        (is_deep, is_held): (bool, bool),
        written: &mut Written,
    ) {
        let AstKind::CallExpression(called) = self.semantic.nodes().kind(call) else { return };
        let Some(member) = called.callee.as_member_expression() else { return };
        let arguments = called.arguments.iter();
        if is_held {
            // `[u].forEach(v => …)`
            let functions = arguments.filter_map(Argument::as_expression);
            for function in functions.filter_map(|argument| self.callable(argument)) {
                for parameter in function.parameters().items.iter().take(ELEMENTS) {
                    self.also_called(&parameter.pattern, &Alias::Parameter, written);
                }
            }
            return;
        }
        let is_filled = member.static_property_name().is_some_and(|name| FILLS.contains(&name));
        if is_filled {
            origins.extend(arguments.map(|argument| Origin::Text(argument.span())));
            let how = if is_deep { How::Deep } else { How::Here };
            written.fill(key.filter(|_| is_deep), how, (origins, self.tests(call)));
        } else if !is_deep && self.is_for_its_effect(call) {
            // `u.extend({ … })`
            for literal in called.arguments.iter().filter_map(literal) {
                self.fill_by_literal(literal, call, written);
            }
            let own = member.static_property_name().and_then(|name| self.method_called(name));
            if own.is_some_and(|own| self.has_this(own.span())) {
                origins.extend(arguments.map(|argument| Origin::Text(argument.span())));
                written.fill(None, How::Elsewhere, (origins, self.tests(call)));
            }
        }
    }

    /// Each member of an object that another takes over.
    fn fill_by_literal(&self, literal: &ObjectExpression<'a>, call: NodeId, written: &mut Written) {
        for property in &literal.properties {
            let origins = vec![Origin::Text(property.span())];
            let key = key_of(property);
            written.fill(key.as_deref(), How::Elsewhere, (origins, self.tests(call)));
        }
    }

    /// It is handed to something.
    fn handed(&self, handed: &Handed<'a, '_>, held: &Alias, written: &mut Written) {
        let at = handed.all.iter().position(|argument| argument.span().contains_inclusive(handed.inner));
        let Some(at) = at else { return };
        let others = || handed.all.iter().enumerate().filter(|(other, _)| *other != at);
        let texts = || others().map(|(_, argument)| Origin::Text(argument.span()));
        if let Some(member) = handed.callee.as_member_expression()
            && let Some(method) = member.static_property_name()
        {
            if let Some(global) = self.unbound(member.object()).filter(|global| READING.contains(global)) {
                return self.handed_to_global(handed, (global, method, at), written);
            }
            match (method, at) {
                ("call" | "apply" | "bind", 0) => {
                    let mut origins = vec![Origin::Text(member.object().span())];
                    origins.extend(texts());
                    self.called_then(handed.call, &mut origins);
                    return written.fill(None, How::Elsewhere, (origins, self.tests(handed.call)));
                }
                ("call" | "bind", _) => {
                    if let Some(function) = self.callable(member.object())
                        && self.handed_over(function, handed, (at, 1), held, written)
                    {
                        return;
                    }
                }
                // It may be a method of another object too.
                (_, _) => {
                    if let Some(function) = self.method_called(method) {
                        self.handed_over(function, handed, (at, 0), held, written);
                    }
                }
            }
        }
        let function = self.callable(handed.callee).or_else(|| self.constructor(handed.callee));
        if let Some(function) = function
            && self.handed_over(function, handed, (at, 0), held, written)
        {
            return;
        }
        if self.is_for_its_effect(handed.call) {
            let mut origins = vec![Origin::Text(handed.callee.span())];
            origins.extend(texts());
            written.fill(None, How::Elsewhere, (origins, self.tests(handed.call)));
        }
    }

    fn handed_to_global(
        &self,
        handed: &Handed<'a, '_>,
        (global, method, at): (&str, &str, usize),
        written: &mut Written,
    ) {
        let key = handed.all.get(1).and_then(|key| match key {
            Argument::StringLiteral(key) => Some(key.value.as_str()),
            _ => None,
        });
        let rest = handed.all.iter().skip(1);
        let mut origins = vec![Origin::Word(format!("{global}.{method}").into())];
        match (global, method, at) {
            ("Object", "assign" | "defineProperties", 0) => {
                for literal in rest.clone().filter_map(literal) {
                    self.fill_by_literal(literal, handed.call, written);
                }
                let others = rest.filter(|argument| literal(argument).is_none());
                origins.extend(others.map(|argument| Origin::Text(argument.span())));
                if origins.len() > 1 {
                    written.fill(None, How::Elsewhere, (origins, self.tests(handed.call)));
                }
            }
            ("Object" | "Reflect", "defineProperty" | "set" | "deleteProperty" | "setPrototypeOf", 0) => {
                origins.extend(rest.map(|argument| Origin::Text(argument.span())));
                let key = key.filter(|_| method != "setPrototypeOf");
                written.fill(key, How::Elsewhere, (origins, self.tests(handed.call)));
            }
            ("Reflect", "apply", 1) => {
                origins.extend(handed.all.first().map(|function| Origin::Text(function.span())));
                origins.extend(rest.skip(1).map(|argument| Origin::Text(argument.span())));
                written.fill(None, How::Elsewhere, (origins, self.tests(handed.call)));
            }
            (_, _, _) => {}
        }
    }

    /// It is handed to a function of the script: under the name that it has there, if it has one.
    fn handed_over(
        &self,
        function: Callable<'a>,
        handed: &Handed<'a, '_>,
        (at, skipped): (usize, usize),
        held: &Alias,
        written: &mut Written,
    ) -> bool {
        let parameters = function.parameters();
        let place = at - skipped;
        // Behind a list that is spread out, it may be any.
        let is_any = handed.all.iter().take(at + 1).any(Argument::is_spread);
        let before = written.aliases.len();
        let held = if *held == Alias::Same { &Alias::Parameter } else { held };
        let (first, count) = if is_any { (0, ELEMENTS) } else { (place, 1) };
        for parameter in parameters.items.iter().skip(first).take(count) {
            self.also_called(&parameter.pattern, held, written);
        }
        if let Some(rest) = parameters.rest.as_ref().filter(|_| is_any || place >= parameters.items.len()) {
            self.also_called(&rest.rest.argument, &Alias::In(None), written);
        }
        let Some((symbol, _)) = written.aliases.get(before) else { return false };
        let others = handed.all.iter().enumerate().filter(|(other, _)| *other != at);
        let mut origins: Vec<_> = others.map(|(_, argument)| Origin::Text(argument.span())).collect();
        origins.extend(self.tests(handed.call));
        written.handed.push((*symbol, origins));
        true
    }

    /// What a function is called with that was made of another, on the spot or under its name.
    pub(super) fn called_then(&self, made: NodeId, origins: &mut Vec<Origin>) {
        let nodes = self.semantic.nodes();
        let arguments = |call: NodeId, callee: Span, origins: &mut Vec<Origin>| {
            if let AstKind::CallExpression(called) = nodes.kind(call)
                && called.callee.span() == callee
            {
                origins.extend(called.arguments.iter().map(|argument| Origin::Text(argument.span())));
            }
        };
        arguments(nodes.parent_id(made), nodes.kind(made).span(), origins);
        for name in self.named_as(made) {
            arguments(nodes.parent_id(name), nodes.kind(name).span(), origins);
        }
    }

    /// The function of the script that stands there, or is called so.
    pub(super) fn callable(&self, callee: &'a Expression<'a>) -> Option<Callable<'a>> {
        self.folder.bindings.callable(self.semantic.scoping(), callee.get_inner_expression())
    }

    /// What makes objects of a class that is called so.
    fn constructor(&self, callee: &'a Expression<'a>) -> Option<Callable<'a>> {
        let symbol = symbol_of(self.semantic.scoping(), callee.get_identifier_reference()?)?;
        let declared = self.semantic.scoping().symbol_declaration(symbol);
        let class = match (self.semantic.nodes().kind(declared), self.folder.bindings.of_symbol(symbol)) {
            (AstKind::Class(class), _) => class,
            (_, [Binding::Expression(Expression::ClassExpression(class))]) => class,
            (_, _) => return None,
        };
        class.body.body.iter().find_map(|element| match element {
            ClassElement::MethodDefinition(method) if method.kind == MethodDefinitionKind::Constructor => {
                Some(Callable::Function(&method.value))
            }
            _ => None,
        })
    }

    /// Whether nothing is done with what a call gives.
    fn is_for_its_effect(&self, call: NodeId) -> bool {
        let nodes = self.semantic.nodes();
        let mut inner = nodes.kind(call).span();
        for kind in nodes.ancestor_kinds(call).take(AROUND) {
            match kind {
                AstKind::ExpressionStatement(_) => return true,
                AstKind::ChainExpression(_)
                | AstKind::AwaitExpression(_)
                | AstKind::SequenceExpression(_) => {}
                AstKind::LogicalExpression(either) if either.right.span() == inner => {}
                AstKind::ConditionalExpression(either) if either.test.span() != inner => {}
                _ => return false,
            }
            inner = kind.span();
        }
        false
    }
}

/// A call that something is handed to.
struct Handed<'a, 'c> {
    call: NodeId,
    callee: &'a Expression<'a>,
    all: &'c [Argument<'a>],
    /// What is handed to it.
    inner: Span,
}

fn literal<'c, 'a>(argument: &'c Argument<'a>) -> Option<&'c ObjectExpression<'a>> {
    match argument {
        Argument::ObjectExpression(literal) => Some(literal),
        _ => None,
    }
}

/// What a member of an object is called; nothing where that is not known.
pub(super) fn key_of(property: &ObjectPropertyKind<'_>) -> Option<Box<str>> {
    match property {
        ObjectPropertyKind::ObjectProperty(property) => {
            let key = property.key.static_name().filter(|key| *key != PROTOTYPE);
            key.map(Into::into)
        }
        ObjectPropertyKind::SpreadProperty(_) => None,
    }
}

/// The name that a member is of, or of that a member, and so on.
fn innermost<'c, 'a>(member: &'c MemberExpression<'a>) -> Option<&'c oxc_ast::ast::IdentifierReference<'a>> {
    let mut object = member.object();
    while let Some(member) = object.as_member_expression() {
        object = member.object();
    }
    object.get_identifier_reference()
}
