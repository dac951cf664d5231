//! What local variables are, whatever a build has called them: where each is declared, and what it comes from: what it is bound to,
//! what patterns, loops and imports give it, what its function is handed to, and what is put into it.

use std::cell::RefCell;
use std::collections::HashMap;

use oxc_ast::AstKind;
use oxc_ast::ast::{Expression, PropertyKey};
use oxc_semantic::{NodeId, Reference};
use oxc_span::{GetSpan as _, Span};
use oxc_syntax::scope::ScopeId;
use oxc_syntax::symbol::SymbolId;
use rustc_hash::FxHashMap;

use super::Look;
use super::given::{ACCOUNT, SHORT, hash};
use crate::bindings::Binding;
use crate::lines::Lines;
use crate::locals::Locals;

/// Bytes of each thing that a variable comes from.
const BOUND: usize = 1024;
/// Bytes of each function, or class, in that.
const OF_FUNCTION: usize = 128;
/// Variables that are followed from one to the next: with more of them, what changes anywhere in a library is a fact at many places.
const FOLLOWED: usize = 3;
/// Of these, those that are followed from a variable that no plain assignment binds.
const NEAR: usize = 2;
/// Methods that put something into what they are called on.
const FILLS: [&str; 6] = ["push", "unshift", "add", "set", "append", "splice"];
/// Patterns inside each other, around a variable.
const PATTERNS: usize = 16;

impl Look<'_, '_> {
    /// So much of a text of the script, with what local variables are in place of what they are called: two that are not the same
    /// are written as two.
    pub(super) fn whatever_it_is_called(&self, span: Span, most: usize) -> String {
        let called = self.called.get_or_init(|| self.all_called());
        let last = called.steps.last().map(Vec::as_slice).unwrap_or_default();
        self.source().written(span, most, |symbol| last.get(symbol as usize).copied().unwrap_or_default())
    }

    /// The same with what variables nearby come from alone.
    pub(super) fn nearly_called(&self, name: Span) -> String {
        let called = self.called.get_or_init(|| self.all_called());
        self.source().written(name, usize::MAX, |symbol| called.after(NEAR, symbol))
    }

    fn source(&self) -> Source<'_> {
        Source { lines: &self.lines, locals: self.locals }
    }

    /// What each is bound to, but for functions.
    pub(super) fn bound(&self) -> FxHashMap<u32, Vec<Span>> {
        let symbols = self.semantic.scoping().symbol_ids();
        let bound = symbols.filter_map(|symbol| {
            let of_symbol = self.folder.bindings.of_symbol(symbol).iter();
            let spans: Vec<_> = of_symbol
                .filter_map(|binding| match binding {
                    Binding::Expression(expression) | Binding::Member(expression, _) => {
                        Some(expression.span())
                    }
                    Binding::Function(_) | Binding::Open => None,
                })
                .collect();
            (!spans.is_empty()).then(|| (symbol.index() as u32, spans))
        });
        bound.collect()
    }

    /// For each symbol: how deep inside of functions it is declared, what it is bound to, and which it is of those of its
    /// function that are bound to the same. From one place, no two are the same.
    fn all_called(&self) -> Called {
        let scoping = self.semantic.scoping();
        let functions = self.functions_of_scopes();
        let function = |symbol: SymbolId| {
            let scope = scoping.symbol_scope_id(symbol);
            functions.get(&scope).copied().unwrap_or((scope, 0))
        };
        let declared = self.all_declared();
        let origins: Vec<_> =
            scoping.symbol_ids().map(|symbol| self.origins(symbol, declared.get(&symbol))).collect();
        let depths: Vec<_> = scoping.symbol_ids().map(|symbol| function(symbol).1).collect();
        let mut called = Called { steps: vec![depths], origins, bodies: self.bodies() };
        let source = self.source();
        // What the variables are that it is bound to is known from the last time.
        for step in 0..FOLLOWED {
            if self.limits.is_over() {
                break;
            }
            let mut known = FxHashMap::default();
            let mut alike: HashMap<(ScopeId, u64), u64> = HashMap::new();
            let each = scoping.symbol_ids().map(|symbol| {
                let (scope, depth) = function(symbol);
                let origins = called.origins(symbol.index() as u32).iter();
                let hashes = origins.map(|origin| match origin {
                    Origin::Text(span) => {
                        *known.entry(*span).or_insert_with(|| called.hash_of_text(&source, *span, step))
                    }
                    Origin::Word(word) => hash(word),
                });
                let bound = hash(hashes.collect::<Vec<_>>());
                let which = alike.entry((scope, bound)).or_default();
                *which += 1;
                hash((depth, bound, *which))
            });
            let each = each.collect();
            called.steps.push(each);
        }
        called
    }

    /// The innermost function around each scope, and how many are around that.
    fn functions_of_scopes(&self) -> FxHashMap<ScopeId, (ScopeId, u64)> {
        let scoping = self.semantic.scoping();
        let mut functions: FxHashMap<ScopeId, (ScopeId, u64)> = FxHashMap::default();
        // What is around a scope comes before it.
        for scope in scoping.scope_descendants_from_root() {
            let around = scoping.scope_parent_id(scope).and_then(|around| functions.get(&around).copied());
            let own = match around {
                Some((_, depth)) if scoping.scope_flags(scope).is_var() => (scope, depth + 1),
                Some(around) => around,
                None => (scope, 0),
            };
            functions.insert(scope, own);
        }
        functions
    }

    /// Where each is named as it is declared.
    fn all_declared(&self) -> FxHashMap<SymbolId, Vec<NodeId>> {
        let mut declared: FxHashMap<_, Vec<_>> = FxHashMap::default();
        for node in self.semantic.nodes().iter() {
            if let AstKind::BindingIdentifier(id) = node.kind()
                && let Some(symbol) = id.symbol_id.get()
            {
                declared.entry(symbol).or_default().push(node.id());
            }
        }
        declared
    }

    /// What a variable comes from.
    fn origins(&self, symbol: SymbolId, declared: Option<&Vec<NodeId>>) -> Vec<Origin> {
        let mut origins = Vec::new();
        for binding in self.folder.bindings.of_symbol(symbol) {
            match binding {
                Binding::Expression(expression) => origins.push(Origin::Text(expression.span())),
                Binding::Member(expression, name) => {
                    origins.extend([Origin::Text(expression.span()), Origin::member(name)]);
                }
                Binding::Function(function) => origins.push(Origin::Text(function.span())),
                Binding::Open => origins.push(Origin::Word("?".into())),
            }
            origins.push(Origin::Word(";".into()));
        }
        let scoping = self.semantic.scoping();
        for name in declared.into_iter().flatten() {
            self.declared(*name, &mut origins);
        }
        for reference in scoping.get_resolved_references(symbol) {
            if Reference::is_write(reference) {
                self.written_by(reference.node_id(), &mut origins);
            }
            self.filled_by(reference.node_id(), &mut origins);
        }
        origins
    }

    /// Where it is declared, as far as that is not what it is bound to: what patterns take, and from what.
    fn declared(&self, name: NodeId, origins: &mut Vec<Origin>) {
        let nodes = self.semantic.nodes();
        let own = nodes.kind(name).span();
        for node in nodes.ancestor_ids(name).take(PATTERNS) {
            match nodes.kind(node) {
                AstKind::BindingProperty(property) => origins.extend(of_key(&property.key)),
                AstKind::AssignmentPattern(pattern) => origins.push(Origin::Text(pattern.right.span())),
                AstKind::BindingRestElement(_) => origins.push(Origin::Word("...".into())),
                AstKind::FormalParameter(parameter) => {
                    origins.extend(parameter.initializer.iter().map(|init| Origin::Text(init.span())));
                }
                AstKind::VariableDeclarator(declared) => {
                    origins.extend(declared.init.iter().map(|init| Origin::Text(init.span())));
                }
                AstKind::ForOfStatement(repeated) => {
                    return origins.push(Origin::Text(repeated.right.span()));
                }
                AstKind::ForInStatement(repeated) => {
                    return origins.push(Origin::Text(repeated.right.span()));
                }
                AstKind::TryStatement(tried) => return origins.push(Origin::Text(tried.block.span)),
                AstKind::ImportSpecifier(import) => {
                    origins.push(Origin::Word(import.imported.name().as_str().into()));
                }
                AstKind::ImportNamespaceSpecifier(_) => origins.push(Origin::Word("*".into())),
                AstKind::ImportDeclaration(import) => {
                    return origins.push(Origin::Word(import.source.value.as_str().into()));
                }
                AstKind::Class(class) => return origins.push(Origin::Text(class.span)),
                AstKind::Function(function) if function.id.as_ref().is_none_or(|id| id.span != own) => {
                    return self.handed_to(node, function.span, origins);
                }
                AstKind::ArrowFunctionExpression(arrow) => return self.handed_to(node, arrow.span, origins),
                AstKind::Function(_) | AstKind::FunctionBody(_) | AstKind::BlockStatement(_) => return,
                _ => {}
            }
        }
    }

    /// What calls a function that is handed on, by which its parameters are given: `secrets.forEach(s => …)`, `field.oninput = e => …`
    fn handed_to(&self, function: NodeId, span: Span, origins: &mut Vec<Origin>) {
        match self.semantic.nodes().parent_kind(function) {
            // What one on the spot does with it is seen there.
            AstKind::CallExpression(call) if call.callee.is_function() => {}
            AstKind::CallExpression(call) if call.callee.span() != span => {
                origins.push(Origin::Text(call.callee.span()));
                let others = call
                    .arguments
                    .iter()
                    .filter(|other| !other.as_expression().is_some_and(Expression::is_function));
                origins.extend(others.map(|other| Origin::Text(other.span())));
            }
            AstKind::AssignmentExpression(assigned) => origins.push(Origin::Text(assigned.left.span())),
            AstKind::ObjectProperty(property) => origins.extend(of_key(&property.key)),
            AstKind::MethodDefinition(method) => origins.extend(of_key(&method.key)),
            _ => {}
        }
    }

    /// What is written where it is named, by an assignment, a pattern or a loop.
    fn written_by(&self, name: NodeId, origins: &mut Vec<Origin>) {
        let nodes = self.semantic.nodes();
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
                _ => {}
            }
        }
    }

    /// What is put into a list or an object: `list.push(secret)`, `body.text = secret`
    fn filled_by(&self, name: NodeId, origins: &mut Vec<Origin>) {
        let nodes = self.semantic.nodes();
        let (own, member) = (nodes.kind(name).span(), nodes.parent_node(name));
        let key = match member.kind() {
            AstKind::StaticMemberExpression(member) => Origin::member(member.property.name.as_str()),
            AstKind::ComputedMemberExpression(member) if member.object.span() == own => {
                Origin::Text(member.expression.span())
            }
            _ => return,
        };
        let span = member.kind().span();
        match nodes.parent_kind(member.id()) {
            AstKind::AssignmentExpression(assigned) if assigned.left.span() == span => {
                origins.extend([key, Origin::Text(assigned.right.span())]);
            }
            AstKind::CallExpression(call) if call.callee.span() == span => {
                let is_filled = match member.kind() {
                    AstKind::StaticMemberExpression(member) => FILLS.contains(&member.property.name.as_str()),
                    _ => false,
                };
                if is_filled {
                    origins.push(key);
                    origins.extend(call.arguments.iter().map(|argument| Origin::Text(argument.span())));
                }
            }
            _ => {}
        }
    }

    /// Where functions and classes stand, in the order in which they begin.
    fn bodies(&self) -> Vec<Span> {
        let bodies = self.semantic.nodes().iter().filter_map(|node| match node.kind() {
            AstKind::Function(function) => Some(function.span),
            AstKind::ArrowFunctionExpression(arrow) => Some(arrow.span),
            AstKind::Class(class) => Some(class.span),
            _ => None,
        });
        bodies.collect()
    }
}

/// Whether something stands in the beginning of a function.
type IsInBody = bool;

/// What each local variable is, by its number, and what it comes from.
#[derive(Debug)]
pub(crate) struct Called {
    /// What each is: at first by how deep it stands alone, and then with what the variables are that it comes from.
    steps: Vec<Vec<u64>>,
    origins: Vec<Vec<Origin>>,
    /// Where functions and classes stand, in the order in which they begin.
    bodies: Vec<Span>,
}

impl Called {
    /// Variables that are followed from one to the next.
    pub(crate) fn last_step(&self) -> usize {
        self.steps.len().saturating_sub(1)
    }

    pub(crate) fn origins(&self, symbol: u32) -> &[Origin] {
        self.origins.get(symbol as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// What one is, with so much as is known after a step.
    pub(crate) fn after(&self, step: usize, symbol: u32) -> u64 {
        self.steps.get(step).and_then(|step| step.get(symbol as usize)).copied().unwrap_or_default()
    }

    /// Of an origin, with so much as is known of other variables after a step.
    pub(crate) fn hash_of(&self, source: &Source<'_>, origin: &Origin, step: usize) -> u64 {
        match origin {
            Origin::Text(span) => self.hash_of_text(source, *span, step),
            Origin::Word(word) => hash(word),
        }
    }

    fn hash_of_text(&self, source: &Source<'_>, span: Span, step: usize) -> u64 {
        hash(self.written(source, span, |symbol| self.after(step, symbol), |symbol| self.after(0, symbol)))
    }

    /// A hash of it without what its variables are, and these in order: of one in the beginning of a function it counts how deep
    /// it stands alone.
    pub(crate) fn without_variables(&self, source: &Source<'_>, span: Span) -> (u64, Vec<(u32, IsInBody)>) {
        let named = RefCell::new(Vec::new());
        let note = |is_in_body| {
            let named = &named;
            move |symbol| {
                named.borrow_mut().push((symbol, is_in_body));
                0
            }
        };
        let text = self.written(source, span, note(false), note(true));
        (hash(text), named.into_inner())
    }

    /// Of a function, or a class, its beginning: what is behind that changes with each version, and is compared by itself.
    fn written(
        &self,
        source: &Source<'_>,
        span: Span,
        called: impl Fn(u32) -> u64,
        in_bodies: impl Fn(u32) -> u64,
    ) -> String {
        let (mut text, mut at) = (String::new(), span.start);
        while at < span.end && text.len() < BOUND {
            let next = self.bodies.partition_point(|body| body.start < at);
            let body = self.bodies.get(next).filter(|body| body.start < span.end);
            let until = body.map_or(span.end, |body| body.start);
            text.push_str(&source.written(Span::new(at, until), BOUND - text.len(), &called));
            text.extend(body.map(|body| source.written(*body, OF_FUNCTION, &in_bodies)));
            at = body.map_or(span.end, |body| body.end);
        }
        text
    }
}

/// A text, and its names.
pub(crate) struct Source<'n> {
    pub(crate) lines: &'n Lines<'n>,
    pub(crate) locals: &'n Locals,
}

impl Source<'_> {
    /// A name counts as one byte: more of the text is written than with it, and never less.
    fn written(&self, span: Span, most: usize, called: impl Fn(u32) -> u64) -> String {
        let (mut text, mut at, mut left) = (String::new(), span.start, most);
        let places = &self.locals.places;
        let first = places.partition_point(|place| place.start < span.start);
        let inside = places.iter().skip(first).take_while(|place| place.start < span.end);
        for place in inside.filter(|place| self.locals.is_the_scripts(place)) {
            let Some(symbol) = place.symbol else { continue };
            let name = self.lines.slice(Span::new(place.start, place.end));
            let (before, behind) = place.also.written_out(name);
            add(&mut text, self.lines.slice(Span::new(at, place.start)), &mut left);
            add(&mut text, &before, &mut left);
            if left == 0 {
                return without_versions(text);
            }
            left -= 1;
            // No name has such letters in it.
            let called = called(symbol);
            let letter = |part: u32| char::from_u32(0xF_0000 | ((called >> (16 * part)) as u32 & 0xFFFF));
            text.push('\u{1}');
            text.extend((0..4).filter_map(letter));
            text.push('\u{1}');
            add(&mut text, &behind, &mut left);
            at = place.end;
        }
        add(&mut text, self.lines.slice(Span::new(at.min(span.end), span.end)), &mut left);
        without_versions(text)
    }
}

/// A version is another one each time, and nothing else with it: three short numbers with points between them, and no more of
/// these, for an address has four. One where a host stands is an address too: `//45.33.777/` is `45.33.3.9` to browsers.
fn without_versions(text: String) -> String {
    let is_of_number = |char: char| char.is_ascii_digit() || char == '.';
    let is_inside = |three: &[u8]| matches!(three, [before, b'.', behind] if before.is_ascii_digit() && behind.is_ascii_digit());
    let Some(first) = text.as_bytes().windows(3).position(is_inside) else { return text };
    let first = text.get(..=first).unwrap_or_default().trim_end_matches(is_of_number).len();
    let (before, mut rest) = text.split_at(first);
    let mut shorter = before.to_owned();
    while let Some(at) = rest.find(is_of_number) {
        let (before, number) = rest.split_at(at);
        let (number, behind) =
            number.split_at(number.find(|char| !is_of_number(char)).unwrap_or(number.len()));
        let parts = || number.split('.');
        let is_version = parts().count() == 3 && parts().all(|part| (1..ACCOUNT).contains(&part.len()));
        shorter.push_str(before);
        shorter.push_str(if is_version && !is_of_host(&shorter) { "#" } else { number });
        rest = behind;
    }
    shorter.push_str(rest);
    shorter
}

/// Whether what follows is part of the host of a URL, as browsers read one: `//a@`, `https:/`, `https:`.
fn is_of_host(before: &str) -> bool {
    let is_end = |char: char| {
        char.is_whitespace() || matches!(char, '/' | '\\' | '?' | '#' | '"' | '\'' | '`' | '\u{1}')
    };
    let (ahead, own) = before.split_at(before.rfind(is_end).unwrap_or_default());
    let is_slash = own.starts_with(['/', '\\']);
    own.contains(':') || (is_slash && ahead.ends_with(['/', '\\', ':']))
}

/// As much of a piece as there is room for.
fn add(text: &mut String, piece: &str, left: &mut usize) {
    let len = piece.floor_char_boundary(*left);
    text.push_str(piece.get(..len).unwrap_or_default());
    *left = if len < piece.len() { 0 } else { *left - len };
}

/// What a variable comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// What stands there.
    Text(Span),
    Word(Box<str>),
}

impl Origin {
    pub(crate) fn text(&self) -> Option<Span> {
        match self {
            Self::Text(span) => Some(*span),
            Self::Word(_) => None,
        }
    }

    fn member(name: &str) -> Self {
        Self::Word(if name.len() > SHORT { format!(".{name}") } else { "._".to_owned() }.into())
    }
}

/// The key that a pattern, or an object, has something under.
fn of_key(key: &PropertyKey<'_>) -> Option<Origin> {
    match key.static_name() {
        Some(name) => Some(Origin::member(&name)),
        None => key.as_expression().map(|key| Origin::Text(key.span())),
    }
}
