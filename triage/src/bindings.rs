//! What the names of a script stand for, where that can be said: what is bound once, and what functions are called with.

use std::collections::{HashMap, HashSet};

use oxc_ast::AstKind;
use oxc_ast::ast::{AssignmentOperator, AssignmentTarget, BindingPattern, Expression, FormalParameters};
use oxc_semantic::{Scoping, Semantic};
use oxc_span::Span;
use oxc_syntax::symbol::SymbolId;

use crate::value::Callable;

/// Calls of one function whose arguments are looked at.
const CALLS: usize = 4;

/// What a name may stand for.
#[derive(Clone)]
pub(crate) enum Binding<'a> {
    Expression(&'a Expression<'a>),
    /// A member of it, by destructuring.
    Member(&'a Expression<'a>, Box<str>),
    Function(Callable<'a>),
}

/// All names of a script.
#[derive(Default)]
pub(crate) struct Bindings<'a> {
    bound: HashMap<SymbolId, Vec<Binding<'a>>>,
    /// What `this` is the global object at.
    pub(crate) global_this: HashSet<Span>,
}

impl<'a> Bindings<'a> {
    pub(crate) fn of(semantic: &Semantic<'a>) -> Self {
        let mut all = Self::default();
        let scoping = semantic.scoping();
        for node in semantic.nodes().iter() {
            match node.kind() {
                AstKind::VariableDeclarator(declared) => {
                    if let Some(init) = &declared.init {
                        all.bind_pattern(scoping, &declared.id, init, 0);
                    }
                }
                AstKind::AssignmentExpression(assigned)
                    if assigned.operator == AssignmentOperator::Assign =>
                {
                    if let AssignmentTarget::AssignmentTargetIdentifier(target) = &assigned.left
                        && let Some(symbol) = symbol_of(scoping, target)
                        // A function that puts another in its place is called before.
                        && !scoping.symbol_flags(symbol).is_function()
                    {
                        all.bind(scoping, symbol, Binding::Expression(&assigned.right), 1);
                    }
                }
                AstKind::Function(function) => {
                    if let Some(symbol) = function.id.as_ref().and_then(|id| id.symbol_id.get()) {
                        all.bind(scoping, symbol, Binding::Function(Callable::Function(function)), 1);
                    }
                }
                AstKind::ThisExpression(this) => {
                    let inside = semantic
                        .nodes()
                        .ancestor_kinds(node.id())
                        .any(|kind| matches!(kind, AstKind::Function(_) | AstKind::Class(_)));
                    if !inside {
                        all.global_this.insert(this.span);
                    }
                }
                _ => {}
            }
        }
        all.bind_parameters(semantic);
        all
    }

    /// What a name may stand for, in the order of the script.
    pub(crate) fn of_symbol(&self, symbol: SymbolId) -> &[Binding<'a>] {
        self.bound.get(&symbol).map(Vec::as_slice).unwrap_or_default()
    }

    /// A name that is written more often than that stands for nothing in particular.
    fn bind(&mut self, scoping: &Scoping, symbol: SymbolId, binding: Binding<'a>, writes: usize) {
        let is_write =
            scoping.get_resolved_references(symbol).filter(|reference| reference.is_write()).count();
        if is_write <= writes {
            self.bound.entry(symbol).or_default().push(binding);
        }
    }

    fn bind_pattern(
        &mut self,
        scoping: &Scoping,
        pattern: &'a BindingPattern<'a>,
        init: &'a Expression<'a>,
        writes: usize,
    ) {
        match pattern {
            BindingPattern::BindingIdentifier(id) => {
                if let Some(symbol) = id.symbol_id.get() {
                    self.bind(scoping, symbol, Binding::Expression(init), writes);
                }
            }
            BindingPattern::ObjectPattern(object) => {
                for property in &object.properties {
                    let (Some(name), Some(id)) =
                        (property.key.static_name(), property.value.get_binding_identifier())
                    else {
                        continue;
                    };
                    if let Some(symbol) = id.symbol_id.get() {
                        self.bind(scoping, symbol, Binding::Member(init, name.into()), writes);
                    }
                }
            }
            BindingPattern::ArrayPattern(array) => {
                for (at, element) in array.elements.iter().enumerate() {
                    let id = element.as_ref().and_then(BindingPattern::get_binding_identifier);
                    if let Some(symbol) = id.and_then(|id| id.symbol_id.get()) {
                        self.bind(scoping, symbol, Binding::Member(init, at.to_string().into()), writes);
                    }
                }
            }
            BindingPattern::AssignmentPattern(default) => {
                self.bind_pattern(scoping, &default.left, init, writes);
            }
        }
    }

    /// Parameters stand for what the function is called with, where it is called by name or on the spot.
    fn bind_parameters(&mut self, semantic: &Semantic<'a>) {
        let scoping = semantic.scoping();
        let mut calls: HashMap<Span, usize> = HashMap::new();
        for node in semantic.nodes().iter() {
            let AstKind::CallExpression(call) = node.kind() else { continue };
            // `f.call(this, a)` passes what follows the first.
            let (callee, skipped) = match &call.callee {
                Expression::StaticMemberExpression(member) if member.property.name == "call" => {
                    (&member.object, 1)
                }
                other => (other, 0),
            };
            let Some(callable) = self.callable(scoping, callee) else { continue };
            let count = calls.entry(callable.span()).or_default();
            *count += 1;
            if *count > CALLS {
                continue;
            }
            let parameters = callable.parameters().items.iter();
            for (parameter, argument) in parameters.zip(call.arguments.iter().skip(skipped)) {
                if let Some(argument) = argument.as_expression() {
                    self.bind_pattern(scoping, &parameter.pattern, argument, 0);
                }
            }
        }
    }

    fn callable(&self, scoping: &Scoping, callee: &'a Expression<'a>) -> Option<Callable<'a>> {
        match callee {
            Expression::FunctionExpression(function) => Some(Callable::Function(function)),
            Expression::ArrowFunctionExpression(arrow) => Some(Callable::Arrow(arrow)),
            Expression::Identifier(name) => match self.of_symbol(symbol_of(scoping, name)?) {
                [Binding::Function(callable)] => Some(*callable),
                [Binding::Expression(Expression::FunctionExpression(function))] => {
                    Some(Callable::Function(function))
                }
                [Binding::Expression(Expression::ArrowFunctionExpression(arrow))] => {
                    Some(Callable::Arrow(arrow))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

impl<'a> Callable<'a> {
    pub(crate) fn span(self) -> Span {
        match self {
            Self::Function(function) => function.span,
            Self::Arrow(arrow) => arrow.span,
        }
    }

    pub(crate) fn parameters(self) -> &'a FormalParameters<'a> {
        match self {
            Self::Function(function) => &function.params,
            Self::Arrow(arrow) => &arrow.params,
        }
    }
}

/// What a name in the script refers to; `None` is a global.
pub(crate) fn symbol_of(scoping: &Scoping, name: &oxc_ast::ast::IdentifierReference<'_>) -> Option<SymbolId> {
    scoping.get_reference(name.reference_id.get()?).symbol_id()
}
