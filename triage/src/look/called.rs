//! What local variables are, whatever a build has called them: where each is declared, and what it comes from: what it is bound to,
//! what patterns, loops and imports give it, what its function is handed to, and what is put into it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use oxc_ast::AstKind;
use oxc_ast::ast::{Argument, CallExpression, Expression, IdentifierReference, PropertyKey};
use oxc_semantic::NodeId;
use oxc_span::{GetSpan as _, Span};
use oxc_syntax::scope::ScopeId;
use oxc_syntax::symbol::SymbolId;
use rustc_hash::{FxHashMap, FxHashSet};

use super::Look;
use super::given::{ACCOUNT, SHORT, hash, hash_each};
use crate::bindings::{Binding, symbol_of};
use crate::lines::Lines;
use crate::locals::{Locals, Place};

/// Bytes of each thing that a variable comes from.
const BOUND: usize = 1024;
/// Bytes of each function, or class, in that.
const OF_FUNCTION: usize = 128;
/// Variables that are followed from one to the next: with more of them, what changes anywhere in a library is a fact at many places.
const FOLLOWED: usize = 3;
/// Of these, those that are followed from a variable that no plain assignment binds.
const NEAR: usize = 2;
/// What is handed to one call, of which each counts by itself.
const ARGUMENTS: usize = 64;
/// Patterns inside each other, around a variable.
pub(super) const PATTERNS: usize = 16;

impl Look<'_, '_> {
    /// So much of a text of the script, with what local variables are in place of what they are called: two that are not the same
    /// are written as two.
    pub(super) fn whatever_it_is_called(&self, span: Span, most: usize) -> String {
        let called = self.called.get_or_init(|| self.all_called());
        let known = |place: &Place| called.node(place).map_or(0, |node| called.named(node));
        self.source().written(span, most, known)
    }

    /// The same with what variables nearby come from alone.
    pub(super) fn nearly_called(&self, name: Span) -> String {
        let called = self.called.get_or_init(|| self.all_called());
        let known = |place: &Place| called.node(place).map_or(0, |node| called.nearby(node));
        self.source().written(name, usize::MAX, known)
    }

    /// Whether one member of a variable is read there, and no other counts.
    pub(super) fn is_read_alone(&self, name: Span) -> bool {
        self.called.get_or_init(|| self.all_called()).alone.contains(&name.start)
    }

    /// What is written into what a variable holds, after it was made.
    pub(super) fn filled(&self, name: &IdentifierReference<'_>) -> Option<u64> {
        let called = self.called.get_or_init(|| self.all_called());
        let symbol = symbol_of(self.folder.scoping, name)?.index() as u32;
        let node = called.members.get(&name.span.start).copied().unwrap_or(symbol);
        let is_filled = called.nodes.get(node as usize).is_some_and(|node| node.is_filled);
        is_filled.then(|| called.nearby(node))
    }

    pub(super) fn source(&self) -> Source<'_> {
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
        let mut called = Called { bodies: self.bodies(), ..Called::default() };
        let groups = self.gather(&mut called);
        self.read(&mut called);
        let depth = |node: &Node| function(SymbolId::from_usize(node.symbol as usize)).1;
        let depths: Vec<_> = called.nodes.iter().map(depth).collect();
        called.steps.push(depths.clone());
        // Of what is written down whole, it is the same which one is read.
        let is_constant = |symbol: SymbolId| match self.folder.bindings.of_symbol(symbol) {
            [Binding::Expression(made)] => made.is_literal(),
            _ => false,
        };
        // What the variables are that it is bound to is known from the last time.
        for step in 0..FOLLOWED {
            if self.limits.is_over() {
                break;
            }
            let mut alike: HashMap<(ScopeId, u64), u64> = HashMap::new();
            let mut pieces: Vec<Option<u64>> = vec![None; called.pieces.len()];
            let mut all = vec![0; called.nodes.len()];
            // What others are made of comes first.
            for at in (groups..called.nodes.len()).chain(0..groups) {
                let (Some(node), Some(depth)) = (called.nodes.get(at), depths.get(at)) else { continue };
                if node.is_for_more {
                    continue;
                }
                let mut parts = Vec::with_capacity(node.plain.pieces.len() + node.plain.groups.len());
                for piece in &node.plain.pieces {
                    let Some(known) = pieces.get_mut(*piece as usize) else { continue };
                    parts.push(*known.get_or_insert_with(|| called.hash_of_piece(*piece, step)));
                }
                parts.extend(node.plain.groups.iter().filter_map(|group| all.get(*group as usize)));
                let bound = hash(parts);
                let mut which = 0;
                let symbol = SymbolId::from_usize(node.symbol as usize);
                if at < groups && !is_constant(symbol) {
                    let (scope, _) = function(symbol);
                    let alike = alike.entry((scope, bound)).or_default();
                    *alike += 1;
                    which = *alike;
                }
                if let Some(one) = all.get_mut(at) {
                    *one = hash((depth, bound, which));
                }
            }
            called.steps.push(all);
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
    pub(super) fn all_declared(&self) -> FxHashMap<SymbolId, Vec<NodeId>> {
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

    /// What a variable is bound to, with or without the members that stand where it is made.
    pub(super) fn bound_to(
        &self,
        symbol: SymbolId,
        declared: Option<&Vec<NodeId>>,
        with_members: bool,
    ) -> Vec<Origin> {
        let mut origins = Vec::new();
        for binding in self.folder.bindings.of_symbol(symbol) {
            match binding {
                Binding::Expression(made) if !with_members && is_of_members(made) => {
                    origins.push(Origin::Word("{".into()));
                }
                Binding::Expression(expression) => origins.push(Origin::Text(expression.span())),
                Binding::Member(expression, name) => {
                    origins.extend([Origin::Text(expression.span()), Origin::member(name)]);
                }
                Binding::Function(function) => origins.push(Origin::Text(function.span())),
                Binding::Open => origins.push(Origin::Word("?".into())),
            }
            origins.push(Origin::Word(";".into()));
        }
        for name in declared.into_iter().flatten() {
            self.declared(*name, with_members, &mut origins);
        }
        origins
    }

    /// Where it is declared, as far as that is not what it is bound to: what patterns take, and from what.
    fn declared(&self, name: NodeId, with_members: bool, origins: &mut Vec<Origin>) {
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
                    let init = declared.init.iter().filter(|init| with_members || !is_of_members(init));
                    origins.extend(init.map(|init| Origin::Text(init.span())));
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
                AstKind::Class(class) => {
                    origins.extend(with_members.then_some(Origin::Text(class.span)));
                    return;
                }
                AstKind::Function(function) if function.id.as_ref().is_none_or(|id| id.span != own) => {
                    return self.handed_to(node, function.span, origins);
                }
                AstKind::ArrowFunctionExpression(arrow) => return self.handed_to(node, arrow.span, origins),
                AstKind::Function(_) | AstKind::FunctionBody(_) | AstKind::BlockStatement(_) => return,
                _ => {}
            }
        }
    }

    /// What calls a function, by which its parameters are given: `secrets.forEach(s => …)`, `field.oninput = e => …`
    fn handed_to(&self, function: NodeId, span: Span, origins: &mut Vec<Origin>) {
        let nodes = self.semantic.nodes();
        match nodes.parent_kind(function) {
            // What one on the spot does with it is seen there.
            AstKind::CallExpression(call) if call.callee.is_function() => {}
            AstKind::CallExpression(call) if call.callee.span() != span => beside(call, origins),
            AstKind::AssignmentExpression(assigned) => origins.push(Origin::Text(assigned.left.span())),
            AstKind::ObjectProperty(property) => self.called_as(&property.key, span, origins),
            AstKind::MethodDefinition(method) => self.called_as(&method.key, span, origins),
            _ => {}
        }
        for name in self.named_as(function) {
            let own = nodes.kind(name).span();
            match nodes.parent_kind(name) {
                // What is handed over one by one, it is bound to.
                AstKind::CallExpression(call) if call.callee.span() == own => {
                    let is_bound =
                        !call.arguments.iter().any(Argument::is_spread) && !self.takes_rest(function);
                    if !is_bound {
                        origins.extend(each(&call.arguments, |_| true));
                    }
                }
                AstKind::CallExpression(call) => beside(call, origins),
                AstKind::NewExpression(made) if made.callee.span() == own => {
                    origins.extend(each(&made.arguments, |_| true));
                }
                AstKind::TaggedTemplateExpression(tagged) if tagged.tag.span() == own => {
                    origins.push(Origin::Text(tagged.quasi.span));
                }
                // `take.bind(null, secret)`
                AstKind::StaticMemberExpression(member) => {
                    let call = nodes.parent_id(nodes.parent_id(name));
                    if let AstKind::CallExpression(called) = nodes.kind(call)
                        && called.callee.span() == member.span
                    {
                        origins.extend(each(&called.arguments, |_| true));
                        self.called_then(call, origins);
                    }
                }
                _ => {}
            }
        }
    }

    /// What a method is called with, if no other has its name, and that name.
    fn called_as(&self, key: &PropertyKey<'_>, method: Span, origins: &mut Vec<Origin>) {
        if let Some(name) = key.static_name()
            && self.method_called(&name).is_some_and(|own| own.span() == method)
        {
            origins.extend(self.calls_of(&name).iter().flat_map(|call| each(&call.arguments, |_| true)));
        }
        origins.extend(of_key(key));
    }

    fn takes_rest(&self, function: NodeId) -> bool {
        match self.semantic.nodes().kind(function) {
            AstKind::Function(function) => function.params.rest.is_some(),
            AstKind::ArrowFunctionExpression(arrow) => arrow.params.rest.is_some(),
            _ => false,
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

/// What a function that is handed to a call is called by, and with.
fn beside(call: &CallExpression<'_>, origins: &mut Vec<Origin>) {
    origins.push(Origin::Text(call.callee.span()));
    let is_function = |argument: &Argument<'_>| argument.as_expression().is_some_and(Expression::is_function);
    origins.extend(each(&call.arguments, |argument| !is_function(argument)));
}

/// What is handed to a call: the first one by one, and the others as one.
fn each(arguments: &[Argument<'_>], is_told: impl Fn(&Argument<'_>) -> bool) -> Vec<Origin> {
    let (first, others) = arguments.split_at(arguments.len().min(ARGUMENTS));
    let mut spans: Vec<_> =
        first.iter().filter(|argument| is_told(argument)).map(|argument| argument.span()).collect();
    if let (Some(first), Some(last)) = (others.first(), others.last()) {
        spans.push(Span::new(first.span().start, last.span().end));
    }
    spans.into_iter().map(Origin::Text).collect()
}

/// Whether something stands in the beginning of a function.
type IsInBody = bool;

/// What each local variable is, by its number, and what it comes from.
///
/// A node is a variable, or one member of it where no other is read, or else what several are made of.
#[derive(Debug, Default)]
pub(crate) struct Called {
    pub(super) nodes: Vec<Node>,
    pub(super) pieces: Vec<Vec<Origin>>,
    /// Nodes of members by where the name stands that they are read of.
    pub(super) members: FxHashMap<u32, u32>,
    /// Where no other member counts.
    pub(super) alone: FxHashSet<u32>,
    /// What is written of each text: read once.
    pub(super) texts: FxHashMap<Span, Text>,
    /// What each is: at first by how deep it stands alone, and then with what the variables are that it comes from.
    steps: Vec<Vec<u64>>,
    /// The same with what counts of those alone that a use names: by steps and nodes, as far as somebody asked.
    near: RefCell<FxHashMap<(usize, u32), u64>>,
    /// Where functions and classes stand, in the order in which they begin.
    bodies: Vec<Span>,
}

/// A variable, or a part of one.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) symbol: u32,
    /// Whether something is written into it after it was made.
    pub(super) is_filled: bool,
    pub(super) plain: Parts,
    /// Whether it is a group that counts where a use names it alone.
    pub(super) is_for_more: bool,
    /// What counts where a use names it, and is not followed from there: what it hangs on, what is written under other names
    /// or by what it is handed to, and all of a class.
    pub(super) more: Parts,
}

/// What a node is made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    pub(super) pieces: Vec<u32>,
    /// Nodes that several are made of.
    pub(super) groups: Vec<u32>,
}

/// What stands somewhere.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// A hash of it without what its variables are.
    pub(super) hash: u64,
    /// These, in order.
    named: Vec<(u32, IsInBody)>,
    /// What functions in it give back.
    gives: Vec<u32>,
    /// What it is after each step, once somebody asks.
    after: [Cell<Option<u64>>; FOLLOWED],
}

impl Called {
    /// Variables that are followed from one to the next.
    pub(crate) fn last_step(&self) -> usize {
        self.steps.len().saturating_sub(1)
    }

    /// What one comes from.
    pub(crate) fn origins(&self, node: u32) -> impl Iterator<Item = &Origin> {
        self.nodes.get(node as usize).into_iter().flat_map(|node| self.of_parts(&node.plain))
    }

    /// What counts besides where a use names it.
    pub(crate) fn more_origins(&self, node: u32) -> impl Iterator<Item = &Origin> {
        self.nodes.get(node as usize).into_iter().flat_map(|node| self.of_parts(&node.more))
    }

    fn of_parts<'c>(&'c self, parts: &'c Parts) -> impl Iterator<Item = &'c Origin> {
        let groups = parts.groups.iter().filter_map(|group| self.nodes.get(*group as usize));
        let pieces = parts.pieces.iter().chain(groups.flat_map(|group| &group.plain.pieces));
        pieces.filter_map(|piece| self.pieces.get(*piece as usize)).flatten()
    }

    /// What the functions give back that one comes from.
    pub(crate) fn given_back(&self, node: u32) -> Vec<u32> {
        let origins = self.origins(node).chain(self.more_origins(node));
        let texts = origins.filter_map(|origin| self.texts.get(&origin.text()?));
        texts.flat_map(|text| &text.gives).copied().collect()
    }

    /// What one is that a use names, with what variables nearby are.
    pub(super) fn nearby(&self, node: u32) -> u64 {
        self.with_more(NEAR.min(self.last_step()), node)
    }

    /// The same with all that is known.
    pub(crate) fn named(&self, node: u32) -> u64 {
        self.with_more(self.last_step(), node)
    }

    fn with_more(&self, step: usize, node: u32) -> u64 {
        let own = self.after(step, node);
        let (Some(of), Some(before)) = (self.nodes.get(node as usize), step.checked_sub(1)) else {
            return own;
        };
        if let Some(known) = self.near.borrow().get(&(step, node)) {
            return *known;
        }
        let pieces = of.more.pieces.iter().map(|piece| self.hash_of_piece(*piece, before));
        let groups = of.more.groups.iter().map(|group| self.group(*group, before));
        let gives = self.given_back(node).into_iter().map(|given| self.after(before, given));
        let more: Vec<_> = pieces.chain(groups).chain(gives).collect();
        let all = if more.is_empty() { own } else { hash((own, more)) };
        self.near.borrow_mut().insert((step, node), all);
        all
    }

    /// What a group of pieces is, which several nodes may have.
    fn group(&self, group: u32, before: usize) -> u64 {
        if let Some(known) = self.near.borrow().get(&(before, group)) {
            return *known;
        }
        let pieces = self.nodes.get(group as usize).into_iter().flat_map(|group| &group.plain.pieces);
        let all = hash_each(pieces.map(|piece| self.hash_of_piece(*piece, before)));
        self.near.borrow_mut().insert((before, group), all);
        all
    }

    /// The variable that a node is of.
    pub(crate) fn symbol(&self, node: u32) -> u32 {
        self.nodes.get(node as usize).map_or(node, |node| node.symbol)
    }

    /// What is read where a name stands.
    pub(crate) fn node(&self, place: &Place) -> Option<u32> {
        self.members.get(&place.start).copied().or(place.symbol)
    }

    /// What one is, with so much as is known after a step.
    pub(crate) fn after(&self, step: usize, node: u32) -> u64 {
        self.steps.get(step).and_then(|step| step.get(node as usize)).copied().unwrap_or_default()
    }

    fn hash_of_piece(&self, piece: u32, step: usize) -> u64 {
        let piece = self.pieces.get(piece as usize);
        hash_each(piece.into_iter().flatten().map(|origin| self.hash_of(origin, step)))
    }

    /// Of an origin, with so much as is known of other variables after a step.
    pub(crate) fn hash_of(&self, origin: &Origin, step: usize) -> u64 {
        let text = match origin {
            Origin::Text(span) => self.texts.get(span),
            Origin::Word(word) => return hash(word),
        };
        let Some(text) = text else { return 0 };
        let known = text.after.get(step);
        if let Some(known) = known.and_then(Cell::get) {
            return known;
        }
        let named = text.named.iter();
        let named = named.map(|(node, is_in_body)| self.after(if *is_in_body { 0 } else { step }, *node));
        let all = hash_each([text.hash].into_iter().chain(named));
        known.inspect(|known| known.set(Some(all)));
        all
    }

    /// A hash of it without what its variables are, and these in order: of one in the beginning of a function it counts how deep
    /// it stands alone.
    pub(crate) fn without_variables(&self, span: Span) -> (u64, &[(u32, IsInBody)]) {
        self.texts.get(&span).map(|text| (text.hash, text.named.as_slice())).unwrap_or_default()
    }

    pub(super) fn text(&self, source: &Source<'_>, span: Span, gives: Vec<u32>) -> Text {
        let named = RefCell::new(Vec::new());
        let note = |is_in_body| {
            let named = &named;
            move |place: &Place| {
                named.borrow_mut().extend(self.node(place).map(|node| (node, is_in_body)));
                0
            }
        };
        let text = self.written(source, span, note(false), note(true));
        Text { hash: hash(text), named: named.into_inner(), gives, after: Default::default() }
    }

    /// Functions and classes in a text that do not stand in another one.
    pub(super) fn bodies_in(&self, span: Span) -> impl Iterator<Item = Span> {
        let mut at = span.start;
        std::iter::from_fn(move || {
            let next = self.bodies.partition_point(|body| body.start < at);
            let body = *self.bodies.get(next).filter(|body| body.start < span.end)?;
            at = body.end.max(at + 1);
            Some(body)
        })
    }

    /// Of a function, or a class, its beginning: what is behind that changes with each version, and is compared by itself.
    fn written(
        &self,
        source: &Source<'_>,
        span: Span,
        called: impl Fn(&Place) -> u64,
        in_bodies: impl Fn(&Place) -> u64,
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
pub(super) struct Source<'n> {
    lines: &'n Lines<'n>,
    locals: &'n Locals,
}

impl Source<'_> {
    /// A name counts as one byte: more of the text is written than with it, and never less.
    fn written(&self, span: Span, most: usize, called: impl Fn(&Place) -> u64) -> String {
        let (mut text, mut at, mut left) = (String::new(), span.start, most);
        let places = &self.locals.places;
        let first = places.partition_point(|place| place.start < span.start);
        let inside = places.iter().skip(first).take_while(|place| place.start < span.end);
        for place in inside.filter(|place| self.locals.is_the_scripts(place)) {
            let name = self.lines.slice(Span::new(place.start, place.end));
            let (before, behind) = place.also.written_out(name);
            add(&mut text, self.lines.slice(Span::new(at, place.start)), &mut left);
            add(&mut text, &before, &mut left);
            if left == 0 {
                return without_versions(text);
            }
            left -= 1;
            // No name has such letters in it.
            let called = called(place);
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
#[derive(Clone, Debug)]
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

    pub(super) fn member(name: &str) -> Self {
        Self::Word(if name.len() > SHORT { format!(".{name}") } else { "._".to_owned() }.into())
    }
}

/// The key that a pattern, or an object, has something under.
pub(super) fn of_key(key: &PropertyKey<'_>) -> Option<Origin> {
    match key.static_name() {
        Some(name) => Some(Origin::member(&name)),
        None => key.as_expression().map(|key| Origin::Text(key.span())),
    }
}

/// Whether it is made of members, each of which is looked at.
fn is_of_members(made: &Expression<'_>) -> bool {
    matches!(made, Expression::ObjectExpression(_) | Expression::ClassExpression(_))
}
