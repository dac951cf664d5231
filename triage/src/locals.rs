//! The names in a script, and which of them are its own: what may be called otherwise without being anything else.
//!
//! A name is fixed where something outside of the tree can ask for it: a global, an export, what code in a string (`eval`) or the
//! members of an object (`with`) can meet, and where browsers bind it in two places. Whoever reads the text of a function or its
//! `name` at run time can see any name; that is not followed.

use std::collections::{HashMap, HashSet};

use oxc_ast::AstKind;
use oxc_ast::ast::{BindingPattern, Expression, Statement};
use oxc_semantic::{AstNode, Reference, Scoping, Semantic};
use oxc_span::GetSpan as _;
use oxc_syntax::scope::{ScopeFlags, ScopeId};
use oxc_syntax::symbol::SymbolId;
use rustc_hash::FxHashMap;

use crate::bindings::symbol_of;

/// The names of one script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Locals {
    /// Every place of a name, in order.
    pub(crate) places: Vec<Place>,
    /// Whether each symbol, by its number, must be called as it is.
    pub(crate) fixed: Vec<bool>,
    /// Whether that is for code in a string alone (`eval`), which could ask for it by its name.
    for_eval: Vec<bool>,
}

/// A name in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// The number of its symbol. `None` is a global of the page.
    pub(crate) symbol: Option<u32>,
    /// What else it names.
    pub(crate) also: Also,
}

/// What a name of a variable names besides: `a` in `{ a }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Also {
    #[default]
    Nothing,
    /// A property.
    Property,
    /// What another module exports.
    Import,
    /// What this module exports.
    Export,
}

impl Also {
    /// In front of the variable and behind it, where both are written out.
    pub(crate) fn written_out(self, name: &str) -> (String, String) {
        match self {
            Self::Nothing => Default::default(),
            // Written out, it would be no property but the prototype.
            Self::Property if name == "__proto__" => (String::new(), name.to_owned()),
            Self::Property => (format!("{name}: "), String::new()),
            Self::Import => (format!("{name} as "), String::new()),
            Self::Export => (String::new(), format!(" as {name}")),
        }
    }
}

impl Locals {
    /// The names of a script.
    pub(crate) fn of(semantic: &Semantic<'_>) -> Self {
        let also = also(semantic);
        let (scoping, names) = (semantic.scoping(), semantic.nodes().iter());
        let mut places = Vec::with_capacity(scoping.references_len() + scoping.symbols_len());
        places.extend(names.filter_map(|node| place(semantic, node)));
        for place in &mut places {
            place.also = also.get(&place.start).copied().unwrap_or_default();
        }
        // What stands for two parts of the tree, as in `{ a }`, is one place.
        places.sort_by_key(|place| (place.start, place.symbol.is_none()));
        places.dedup_by_key(|place| place.start);
        let (fixed, for_eval) = fixed(semantic).into_iter().unzip();
        Self { places, fixed, for_eval }
    }

    /// Whether it may be called otherwise without being anything else.
    pub(crate) fn may_be_renamed(&self, place: &Place) -> bool {
        let fixed = place.symbol.and_then(|symbol| self.fixed.get(symbol as usize));
        fixed.is_some_and(|is_fixed| !is_fixed)
    }

    /// Whether it is a variable of the script, which is the same one whatever it is called. Code in a string may ask for another then,
    /// but what the code around it does with this one is the same.
    pub(crate) fn is_the_scripts(&self, place: &Place) -> bool {
        let for_eval = place.symbol.and_then(|symbol| self.for_eval.get(symbol as usize));
        self.may_be_renamed(place) || for_eval.is_some_and(|for_eval| *for_eval)
    }
}

fn place(semantic: &Semantic<'_>, node: &AstNode<'_>) -> Option<Place> {
    let (span, symbol) = match node.kind() {
        AstKind::BindingIdentifier(id) => (id.span, id.symbol_id.get()),
        AstKind::IdentifierReference(name) => (name.span, symbol_of(semantic.scoping(), name)),
        _ => return None,
    };
    let symbol = symbol.map(|symbol| symbol.index() as u32);
    Some(Place { start: span.start, end: span.end, symbol, also: Also::Nothing })
}

/// What the names that begin somewhere name besides.
fn also(semantic: &Semantic<'_>) -> FxHashMap<u32, Also> {
    let named = semantic.nodes().iter().filter_map(|node| match node.kind() {
        AstKind::ObjectProperty(property) if property.shorthand => match &property.value {
            Expression::Identifier(name) => Some((name.span.start, Also::Property)),
            _ => None,
        },
        AstKind::BindingProperty(property) if property.shorthand => {
            Some((property.value.span().start, Also::Property))
        }
        AstKind::AssignmentTargetPropertyIdentifier(property) => {
            Some((property.binding.span.start, Also::Property))
        }
        AstKind::ImportSpecifier(import) => {
            (import.imported.span() == import.local.span).then_some((import.local.span.start, Also::Import))
        }
        AstKind::ExportSpecifier(export) => {
            let local = export.local.span();
            (export.exported.span() == local).then_some((local.start, Also::Export))
        }
        _ => None,
    });
    named.collect()
}

/// Whether each symbol must be called as it is, and whether for code in a string alone.
fn fixed(semantic: &Semantic<'_>) -> Vec<(bool, bool)> {
    let scoping = semantic.scoping();
    let [met_by_eval, met] = met_by_name(scoping);
    let bodies = bodies(semantic);
    let hoisted_over = hoisted_over(semantic);
    // The parser takes both in scripts; what has one is a module or nothing.
    let is_module = semantic.nodes().program().body.iter().any(Statement::is_module_declaration);
    let is_fixed = |symbol: SymbolId| {
        let scope = scoping.symbol_scope_id(symbol);
        let declared = semantic.nodes().ancestors(scoping.symbol_declaration(symbol));
        met.contains(&scope)
            // A call of something that is named `eval` can be one that sees all names around it.
            || matches!(scoping.symbol_name(symbol), "eval" | "arguments")
            || (scope == scoping.root_scope_id() && (!is_module || is_exported(declared)))
            || is_bound_twice(semantic, symbol)
            || hoisted_over.contains(&symbol)
            || bodies.get(&scope).is_some_and(|body| is_asked_for_in_front(semantic, symbol, *body))
    };
    let each = scoping.symbol_ids().map(|symbol| {
        let is_fixed = is_fixed(symbol);
        let for_eval = !is_fixed && met_by_eval.contains(&scoping.symbol_scope_id(symbol));
        (is_fixed || for_eval, for_eval)
    });
    each.collect()
}

/// Scopes whose names code in a string, or the members of an object, can meet.
fn met_by_name(scoping: &Scoping) -> [HashSet<ScopeId>; 2] {
    let (mut met_by_eval, mut met) = (HashSet::new(), HashSet::new());
    for scope in scoping.scope_descendants_from_root() {
        let flags = scoping.scope_flags(scope);
        if flags.contains_direct_eval() {
            met_by_eval.insert(scope);
        }
        if flags.contains(ScopeFlags::With) {
            // All that lies around one that is known has been walked already.
            met.extend(
                scoping.scope_ancestors(scope).take_while(|around| !met.contains(around)).collect::<Vec<_>>(),
            );
        }
    }
    [met_by_eval, met]
}

/// Where the body begins of each function that works something out among its parameters.
fn bodies(semantic: &Semantic<'_>) -> HashMap<ScopeId, u32> {
    let bodies = semantic.nodes().iter().filter_map(|node| {
        let AstKind::FormalParameters(parameters) = node.kind() else { return None };
        let is_simple = parameters.items.iter().all(|parameter| {
            parameter.initializer.is_none()
                && matches!(parameter.pattern, BindingPattern::BindingIdentifier(_))
        });
        let scope = match semantic.nodes().parent_kind(node.id()) {
            AstKind::Function(function) => function.scope_id.get()?,
            AstKind::ArrowFunctionExpression(arrow) => arrow.scope_id.get()?,
            _ => return None,
        };
        (!is_simple || parameters.rest.is_some()).then_some((scope, parameters.span.end))
    });
    bodies.collect()
}

/// Names of a body are not there yet among the parameters, though the tree has both in one scope.
fn is_asked_for_in_front(semantic: &Semantic<'_>, symbol: SymbolId, body: u32) -> bool {
    let scoping = semantic.scoping();
    let start = |reference: &Reference| semantic.nodes().kind(reference.node_id()).span().start;
    scoping.symbol_span(symbol).start >= body
        && scoping.get_resolved_references(symbol).any(|reference| start(reference) < body)
}

fn is_exported<'a, 's>(mut around: impl Iterator<Item = &'s AstNode<'a>>) -> bool
where
    'a: 's,
{
    around.any(|node| matches!(node.kind(), AstKind::ExportDeclaration(_)))
}

/// What a function that is declared inside a block meets where its name goes to the function around: a variable that it is
/// written into, or one further out that it hides, though the tree has neither.
fn hoisted_over(semantic: &Semantic<'_>) -> HashSet<SymbolId> {
    let scoping = semantic.scoping();
    let mut met = HashSet::new();
    for symbol in scoping.symbol_ids().filter(|symbol| is_bound_twice(semantic, *symbol)) {
        let name = scoping.symbol_ident(symbol);
        for scope in scoping.scope_ancestors(scoping.symbol_scope_id(symbol)).skip(1) {
            let Some(around) = scoping.get_binding(scope, name) else { continue };
            // What lies around one that is known was walked already; around a function's own, nothing is met.
            if !met.insert(around) || scoping.scope_flags(scope).is_var() {
                break;
            }
        }
    }
    met
}

/// A function that is declared inside a block has its name in the block, and mostly in the function around it too.
fn is_bound_twice(semantic: &Semantic<'_>, symbol: SymbolId) -> bool {
    let mut declarations = semantic.scoping().symbol_declarations(symbol);
    declarations.any(|declaration| match semantic.nodes().kind(declaration) {
        AstKind::Function(function) if function.is_declaration() => !matches!(
            semantic.nodes().parent_kind(declaration),
            AstKind::Program(_)
                | AstKind::FunctionBody(_)
                | AstKind::ExportDeclaration(_)
                | AstKind::ExportDefaultDeclaration(_)
        ),
        _ => false,
    })
}
