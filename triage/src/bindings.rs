//! What the names of a script stand for, where that can be said: what is bound once, and what functions are called with.

use oxc_ast::AstKind;
use oxc_ast::ast::{
    AssignmentExpression, AssignmentOperator, AssignmentTarget, BindingPattern, CallExpression, Expression,
    FormalParameters, IdentifierReference, MemberExpression,
};
use oxc_semantic::{AstNode, NodeId, Reference, Scoping, Semantic};
use oxc_span::Span;
use oxc_syntax::symbol::SymbolId;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::value::Callable;

/// Calls of one function whose arguments are looked at.
const CALLS: usize = 4;
/// Values of one name that are followed; beyond them it may stand for anything.
const WRITES: usize = 8;
/// Methods that leave an array other than it was.
const MUTATING: [&str; 9] =
    ["push", "pop", "shift", "unshift", "splice", "sort", "reverse", "fill", "copyWithin"];

/// What a name may stand for.
#[derive(Clone)]
pub(crate) enum Binding<'a> {
    Expression(&'a Expression<'a>),
    /// A member of it, by destructuring.
    Member(&'a Expression<'a>, Box<str>),
    Function(Callable<'a>),
    /// Something that is not followed.
    Open,
}

/// All names of a script.
#[derive(Default)]
pub(crate) struct Bindings<'a> {
    bound: FxHashMap<SymbolId, Vec<Binding<'a>>>,
    /// What object patterns take apart.
    pub(crate) taken_apart: FxHashMap<Span, &'a Expression<'a>>,
    /// Whether a list is turned round: in which order one is read is not known then.
    pub(crate) turned: bool,
    /// What `this` is the global object at.
    pub(crate) global_this: FxHashSet<Span>,
}

impl<'a> Bindings<'a> {
    pub(crate) fn of(semantic: &Semantic<'a>) -> Self {
        let mut all = Self::default();
        let scoping = semantic.scoping();
        let mut mutated = FxHashSet::default();
        // Nodes come in the order in which they begin: up to here they are inside of a function or a class.
        let mut inside_until = 0;
        for node in semantic.nodes().iter() {
            match node.kind() {
                AstKind::VariableDeclarator(declared) => {
                    if let Some(init) = &declared.init {
                        all.bind_pattern(&declared.id, init);
                    }
                }
                AstKind::AssignmentExpression(assigned) => {
                    mutated
                        .extend(assigned.left.as_member_expression().and_then(|to| of_object(scoping, to)));
                    all.assigned(scoping, assigned);
                }
                AstKind::IdentifierReference(name) if is_written_otherwise(semantic, node, name) => {
                    if let Some(symbol) = symbol_of(scoping, name) {
                        all.bind(symbol, Binding::Open);
                    }
                }
                AstKind::CallExpression(call) => {
                    all.turned |= is_turned(call);
                    mutated.extend(mutated_by(scoping, call));
                }
                AstKind::Function(function) => {
                    inside_until = inside_until.max(function.span.end);
                    if let Some(symbol) = function.id.as_ref().and_then(|id| id.symbol_id.get()) {
                        all.bind(symbol, Binding::Function(Callable::Function(function)));
                    }
                }
                AstKind::Class(class) => inside_until = inside_until.max(class.span.end),
                AstKind::ThisExpression(this) if this.span.start >= inside_until => {
                    all.global_this.insert(this.span);
                }
                _ => {}
            }
        }
        all.bind_parameters(semantic);
        for symbol in mutated {
            all.open_container(symbol);
        }
        all
    }

    fn assigned(&mut self, scoping: &Scoping, assigned: &'a AssignmentExpression<'a>) {
        let AssignmentTarget::AssignmentTargetIdentifier(target) = &assigned.left else { return };
        let Some(symbol) = symbol_of(scoping, target) else { return };
        // A function that puts another in its own place is called before.
        let puts_in_its_place = self.of_symbol(symbol).iter().any(|binding| match binding {
            Binding::Function(callable) => callable.span().contains_inclusive(assigned.span),
            Binding::Expression(_) | Binding::Member(..) | Binding::Open => false,
        });
        if assigned.operator == AssignmentOperator::Assign && !puts_in_its_place {
            self.bind(symbol, Binding::Expression(&assigned.right));
        }
    }

    /// A list or an object that is changed later is not what stands where it was made.
    fn open_container(&mut self, symbol: SymbolId) {
        let is_container = self.of_symbol(symbol).iter().any(|binding| match binding {
            Binding::Expression(made) => {
                matches!(made, Expression::ArrayExpression(_) | Expression::ObjectExpression(_))
            }
            Binding::Member(..) | Binding::Function(_) | Binding::Open => false,
        });
        if is_container {
            self.bind(symbol, Binding::Open);
        }
    }

    /// What a name may stand for, in the order of the script.
    pub(crate) fn of_symbol(&self, symbol: SymbolId) -> &[Binding<'a>] {
        self.bound.get(&symbol).map(Vec::as_slice).unwrap_or_default()
    }

    fn bind(&mut self, symbol: SymbolId, binding: Binding<'a>) {
        let bound = self.bound.entry(symbol).or_default();
        match bound.len() {
            0..WRITES => bound.push(binding),
            WRITES => bound.push(Binding::Open),
            _ => {}
        }
    }

    fn bind_pattern(&mut self, pattern: &'a BindingPattern<'a>, init: &'a Expression<'a>) {
        match pattern {
            BindingPattern::BindingIdentifier(id) => {
                if let Some(symbol) = id.symbol_id.get() {
                    self.bind(symbol, Binding::Expression(init));
                }
            }
            BindingPattern::ObjectPattern(object) => {
                self.taken_apart.insert(object.span, init);
                for property in &object.properties {
                    let (Some(name), Some(id)) =
                        (property.key.static_name(), property.value.get_binding_identifier())
                    else {
                        continue;
                    };
                    if let Some(symbol) = id.symbol_id.get() {
                        self.bind(symbol, Binding::Member(init, name.into()));
                    }
                }
            }
            BindingPattern::ArrayPattern(array) => {
                for (at, element) in array.elements.iter().enumerate() {
                    let id = element.as_ref().and_then(BindingPattern::get_binding_identifier);
                    if let Some(symbol) = id.and_then(|id| id.symbol_id.get()) {
                        self.bind(symbol, Binding::Member(init, at.to_string().into()));
                    }
                }
            }
            BindingPattern::AssignmentPattern(default) => {
                self.bind_pattern(&default.left, init);
            }
        }
    }

    /// Parameters stand for what the function is called with, where it is called by name or on the spot.
    fn bind_parameters(&mut self, semantic: &Semantic<'a>) {
        let scoping = semantic.scoping();
        let mut calls: FxHashMap<Span, usize> = FxHashMap::default();
        let mut direct: FxHashMap<SymbolId, (usize, Callable<'a>)> = FxHashMap::default();
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
            if let Some(symbol) = callee.get_identifier_reference().and_then(|name| symbol_of(scoping, name))
            {
                direct.entry(symbol).or_insert((0, callable)).0 += 1;
            }
            let count = calls.entry(callable.span()).or_default();
            *count += 1;
            if *count > CALLS {
                self.open_parameters(callable);
                continue;
            }
            let parameters = callable.parameters().items.iter();
            for (parameter, argument) in parameters.zip(call.arguments.iter().skip(skipped)) {
                if let Some(argument) = argument.as_expression() {
                    self.bind_pattern(&parameter.pattern, argument);
                }
            }
        }
        // What is handed on is called with what nobody knows.
        for (symbol, (count, callable)) in direct {
            if scoping.get_resolved_references(symbol).count() > count {
                self.open_parameters(callable);
            }
        }
    }

    fn open_parameters(&mut self, callable: Callable<'a>) {
        for parameter in &callable.parameters().items {
            let id = parameter.pattern.get_binding_identifier();
            if let Some(symbol) = id.and_then(|id| id.symbol_id.get()) {
                self.bind(symbol, Binding::Open);
            }
        }
    }

    /// The function of the script that stands there, or is called so.
    pub(crate) fn callable(&self, scoping: &Scoping, callee: &'a Expression<'a>) -> Option<Callable<'a>> {
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
    pub(crate) fn node(self) -> NodeId {
        match self {
            Self::Function(function) => function.node_id.get(),
            Self::Arrow(arrow) => arrow.node_id.get(),
        }
    }

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

/// Whether a name is written by something else than `=`: what it stands for then is not followed.
fn is_written_otherwise<'a>(
    semantic: &Semantic<'a>,
    node: &AstNode<'a>,
    name: &IdentifierReference<'_>,
) -> bool {
    let reference = name.reference_id.get().map(|id| semantic.scoping().get_reference(id));
    reference.is_some_and(Reference::is_write)
        && match semantic.nodes().parent_kind(node.id()) {
            AstKind::AssignmentExpression(assigned) => assigned.operator != AssignmentOperator::Assign,
            _ => true,
        }
}

/// The name whose member it is.
fn of_object(scoping: &Scoping, member: &MemberExpression<'_>) -> Option<SymbolId> {
    symbol_of(scoping, member.object().get_identifier_reference()?)
}

/// `list.push(list.shift())`
pub(crate) fn is_turned(call: &CallExpression<'_>) -> bool {
    let method = |call: &CallExpression<'_>, names: [&str; 2]| {
        let member = call.callee.as_member_expression();
        member.and_then(|member| member.static_property_name()).is_some_and(|name| names.contains(&name))
    };
    method(call, ["push", "unshift"])
        && call.arguments.iter().any(|argument| match argument.as_expression() {
            Some(Expression::CallExpression(inner)) => method(inner, ["shift", "pop"]),
            _ => false,
        })
}

/// The name of the list or the object that a call changes.
fn mutated_by(scoping: &Scoping, call: &CallExpression<'_>) -> Option<SymbolId> {
    let member = call.callee.as_member_expression()?;
    match member.static_property_name()? {
        method if MUTATING.contains(&method) => of_object(scoping, member),
        "assign" | "defineProperty" | "defineProperties" | "set" => {
            let changed = call.arguments.first()?.as_expression()?.get_identifier_reference()?;
            symbol_of(scoping, changed)
        }
        _ => None,
    }
}

/// What a name in the script refers to; `None` is a global.
pub(crate) fn symbol_of(scoping: &Scoping, name: &IdentifierReference<'_>) -> Option<SymbolId> {
    scoping.get_reference(name.reference_id.get()?).symbol_id()
}
