//! Which members of local variables are followed by themselves: where it is clear that no other one is read.
//!
//! `held.text` comes from what is written to `held.text`, and what `held.more` is does not matter. That is known of objects that
//! are written down, of functions and of classes alone, and not where a getter or a method reads the others.

use std::collections::HashMap;

use oxc_ast::AstKind;
use oxc_ast::ast::{Class, ClassElement, Expression, MethodDefinitionKind, ObjectPropertyKind, PropertyKind};
use oxc_semantic::NodeId;
use oxc_span::{GetSpan as _, Span};
use oxc_syntax::symbol::SymbolId;
use rustc_hash::{FxHashMap, FxHashSet};

use super::Look;
use super::called::{Called, Node, Origin, Parts};
use super::written::{Alias, How, Written, key_of};
use crate::bindings::Binding;

/// Other names of a variable that are followed. Where there are more, it counts how many.
const ALIASES: usize = 16;
/// What browsers give, and no script sets: whatever else is written to the window is nothing to these.
const PLATFORM: [&str; 8] =
    ["document", "navigator", "setTimeout", "XMLHttpRequest", "DOMParser", "FormData", "WebSocket", "fetch"];

/// What one variable is made of.
#[derive(Default)]
struct Made {
    /// What it is bound to, and the same but for members, where it is nothing else than these.
    base: [u32; 2],
    /// What counts besides where a use names it.
    more: Vec<u32>,
    /// Members that stand where it is made.
    own: Vec<Member>,
    /// Those that are written to it later, under this name.
    fills: Vec<Member>,
    /// Nodes of these.
    groups: Option<Groups>,
    /// A node of all of `own`, where that is a class.
    class: Option<u32>,
    /// And one of those whose name is not known, for what is read of it.
    rest: Option<u32>,
    /// Members by their names, `own` and `fills`, once somebody asks.
    by_key: Option<FxHashMap<Box<str>, [Vec<u32>; 2]>>,
    /// Whether it is nothing else than members.
    is_clear: bool,
    is_class: bool,
}

/// Nodes of what is written to a variable.
#[derive(Clone, Copy)]
struct Groups {
    all: u32,
    /// Where it is named.
    here: u32,
    /// Of that, under a name that is not known.
    unknown_here: u32,
    /// Under a name that is not known.
    unknown: u32,
}

struct Member {
    key: Option<Box<str>>,
    piece: u32,
    /// What it hangs on.
    tests: Option<u32>,
    how: How,
    /// What stands there, where reading or calling it runs it.
    runs: Option<(Span, Runs)>,
}

/// What runs something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    Read,
    Call,
    /// A call, and nobody knows what that does.
    Elsewhere,
}

impl<'a> Look<'a, '_> {
    /// Makes nodes of all variables, and then of what they are made of; where the latter begin.
    pub(super) fn gather(&self, called: &mut Called) -> usize {
        let scoping = self.semantic.scoping();
        let declared = self.all_declared();
        let parameters = self.parameters();
        let symbols: Vec<_> = scoping.symbol_ids().collect();
        let written: Vec<_> = symbols.iter().map(|symbol| self.written_to(*symbol)).collect();
        let closures: Vec<_> = symbols.iter().map(|symbol| closure(*symbol, &written)).collect();
        let mut made: Vec<_> = symbols
            .iter()
            .map(|symbol| {
                let of = (declared.get(symbol), parameters.contains(symbol));
                self.made_of(*symbol, of, &written, &closures, called)
            })
            .collect();
        called.nodes.extend(symbols.iter().map(|symbol| Node::of(symbol.index() as u32)));
        for (symbol, made) in symbols.iter().zip(&mut made) {
            group(*symbol, made, called);
        }
        for (symbol, closure) in symbols.iter().zip(&closures) {
            let (Some(node), Some(of)) = (called.nodes.get_mut(symbol.index()), made.get(symbol.index()))
            else {
                continue;
            };
            let [whole, _] = of.base;
            node.plain.pieces.push(whole);
            node.plain.groups.extend(of.groups.map(|groups| groups.here));
            node.more.pieces.extend(of.more.iter().copied());
            node.more.groups.extend(of.groups.map(|groups| groups.all));
            node.more.groups.extend(of.class);
            for (alias, held) in closure {
                let Some(alias) = made.get_mut(alias.index()) else { continue };
                match held {
                    Alias::Same | Alias::Parameter => {
                        node.more.groups.extend(alias.groups.map(|groups| groups.all));
                    }
                    Alias::In(key) => node.more.pieces.extend(alias.lying_under(key.as_deref())),
                    Alias::Of(_) => {}
                }
            }
            node.is_filled = !node.more.groups.is_empty();
        }
        self.read_members(&closures, &mut made, called);
        symbols.len()
    }

    fn parameters(&self) -> FxHashSet<SymbolId> {
        let parameters = self.semantic.nodes().iter().filter_map(|node| match node.kind() {
            AstKind::FormalParameter(parameter) => Some(parameter.pattern.get_binding_identifiers()),
            _ => None,
        });
        parameters.flatten().filter_map(|id| id.symbol_id.get()).collect()
    }

    fn made_of(
        &self,
        symbol: SymbolId,
        (declared, is_parameter): (Option<&Vec<NodeId>>, bool),
        written: &[Written],
        closures: &[Vec<(SymbolId, Alias)>],
        called: &mut Called,
    ) -> Made {
        let mut made = Made::default();
        let Some(writes) = written.get(symbol.index()) else { return made };
        let mut whole = self.bound_to(symbol, declared, true);
        let bound = self.folder.bindings.of_symbol(symbol);
        let is_more = |binding: &Binding<'_>| match binding {
            Binding::Expression(bound) => !matches!(
                bound,
                Expression::ObjectExpression(_)
                    | Expression::ClassExpression(_)
                    | Expression::FunctionExpression(_)
                    | Expression::ArrowFunctionExpression(_)
            ),
            Binding::Member(..) => true,
            Binding::Function(_) | Binding::Open => false,
        };
        let class = self.class_of(declared);
        made.is_clear = !is_parameter
            && !writes.is_open
            && !bound.iter().any(is_more)
            && (class.is_some() || bound.iter().any(|binding| !matches!(binding, Binding::Open)));
        let mut base = if made.is_clear { self.bound_to(symbol, declared, false) } else { Vec::new() };
        for binding in bound {
            match binding {
                Binding::Expression(Expression::ObjectExpression(object)) => {
                    let mut behind = 0;
                    for property in &object.properties {
                        let key = key_of(property);
                        behind += usize::from(key.is_none());
                        let mut origins = vec![Origin::Text(property.span())];
                        if behind > 0 && key.is_some() {
                            origins.push(Origin::Word(format!("behind {behind}").into()));
                        }
                        let piece = called.piece(origins);
                        let runs = self.runs_of(property);
                        made.own.push(Member { key, piece, tests: None, how: How::Here, runs });
                    }
                }
                Binding::Expression(Expression::ClassExpression(class)) => {
                    of_class(class, &mut base, &mut made, called);
                }
                Binding::Expression(_) | Binding::Member(..) | Binding::Function(_) | Binding::Open => {}
            }
        }
        if let Some(class) = class {
            of_class(class, &mut base, &mut made, called);
        }
        for (parameter, others) in &writes.handed {
            let is_filled = |symbol: SymbolId| {
                written.get(symbol.index()).is_some_and(|written| !written.fills.is_empty())
            };
            let closure = closures.get(parameter.index()).map(Vec::as_slice).unwrap_or_default();
            if !others.is_empty()
                && (is_filled(*parameter) || closure.iter().any(|(alias, _)| is_filled(*alias)))
            {
                let piece = called.piece(others.clone());
                let how = How::Elsewhere;
                made.fills.push(Member { key: None, piece, tests: None, how, runs: None });
            }
        }
        for fill in &writes.fills {
            let piece = called.piece(fill.origins.clone());
            let tests = (!fill.tests.is_empty()).then(|| called.piece(fill.tests.clone()));
            let how = if fill.is_made_elsewhere { Runs::Elsewhere } else { Runs::Call };
            let runs = fill.origins.iter().rev().find_map(Origin::text).map(|span| (span, how));
            made.fills.push(Member { key: fill.key.clone(), piece, tests, how: fill.how, runs });
        }
        if closures.get(symbol.index()).is_some_and(|closure| closure.len() >= ALIASES) {
            let names = Origin::Word(format!("{} names", writes.aliases.len()).into());
            made.more.push(called.piece(vec![names]));
        }
        if !writes.tests.is_empty() {
            made.more.push(called.piece(writes.tests.clone()));
        }
        for base in [&mut whole, &mut base] {
            base.extend(writes.itself.iter().cloned());
        }
        made.base = [whole, base].map(|base| called.piece(base));
        made
    }

    fn class_of(&self, declared: Option<&Vec<NodeId>>) -> Option<&'a Class<'a>> {
        let name = declared?.first()?;
        match self.semantic.nodes().parent_kind(*name) {
            AstKind::Class(class) if class.is_declaration() => Some(class),
            _ => None,
        }
    }

    /// Makes nodes of members that are read alone.
    fn read_members(&self, closures: &[Vec<(SymbolId, Alias)>], made: &mut [Made], called: &mut Called) {
        let mut known: HashMap<(u32, Box<str>, bool), (u32, bool)> = HashMap::new();
        for place in &self.locals.places {
            let Some(symbol) = place.symbol else { continue };
            let Some(of) = made.get(symbol as usize) else { continue };
            let closure = closures.get(symbol as usize).map(Vec::as_slice).unwrap_or_default();
            if of.own.is_empty() && of.fills.is_empty() && closure.is_empty() {
                continue;
            }
            let Some((key, is_called)) = self.member_behind(place.end) else { continue };
            let (node, is_alone) = *known.entry((symbol, key.into(), is_called)).or_insert_with(|| {
                let alone = self.read_member(symbol, (key, is_called), closure, made);
                let is_alone = alone.is_some();
                let mut node = alone.unwrap_or_else(|| {
                    let mut node = read_of_more(symbol, key, closure, made);
                    if let Some(of) = called.nodes.get(symbol as usize) {
                        node.plain = of.plain.clone();
                    }
                    node
                });
                node.is_filled = node.is_filled || !node.more.groups.is_empty();
                called.nodes.push(node);
                ((called.nodes.len() - 1) as u32, is_alone)
            });
            called.members.insert(place.start, node);
            if is_alone {
                called.alone.insert(place.start);
            }
        }
    }

    /// The member that is read of what ends there, and whether that is called.
    fn member_behind(&self, end: u32) -> Option<(&str, bool)> {
        let behind = self.lines.behind(end).trim_start();
        let behind = behind.strip_prefix("?.").or_else(|| behind.strip_prefix('.'))?;
        let is_of_name = |char: char| char.is_alphanumeric() || matches!(char, '_' | '$');
        let (key, behind) = behind.split_at(behind.find(|char| !is_of_name(char)).unwrap_or(behind.len()));
        let behind = behind.trim_start();
        let is_called = behind.starts_with(['(', '`']) || behind.starts_with("?.(");
        (!key.is_empty()).then_some((key, is_called))
    }

    /// A member where no other one counts.
    fn read_member(
        &self,
        symbol: u32,
        (key, is_called): (&str, bool),
        closure: &[(SymbolId, Alias)],
        made: &mut [Made],
    ) -> Option<Node> {
        let is_platform = PLATFORM.contains(&key);
        let mut node = read_of_more(symbol, key, closure, made);
        let of = made.get_mut(symbol as usize).filter(|of| of.is_clear || is_platform)?;
        let [whole, base] = of.base;
        node.plain.pieces.push(if of.is_clear { base } else { whole });
        node.plain.groups.extend(of.groups.map(|groups| groups.unknown_here));
        node.plain.groups.extend(of.rest);
        let mut are_some = is_platform;
        for (own, member) in of.under(key) {
            are_some = true;
            if self.may_read_others(symbol, member, is_called) {
                return None;
            }
            if own || member.how == How::Here {
                node.plain.pieces.push(member.piece);
            }
        }
        let is_filled = of.under(key).iter().any(|(own, _)| !own);
        let same = closure.iter().filter(|(_, held)| !matches!(held, Alias::In(_)));
        for (alias, _) in same {
            let members = made.get_mut(alias.index()).map(|alias| alias.under(key)).unwrap_or_default();
            for (_, member) in members.into_iter().filter(|(own, _)| !own) {
                are_some = true;
                if self.may_read_others(symbol, member, is_called) {
                    return None;
                }
            }
        }
        node.is_filled = is_filled;
        // A method that is not known is one of all objects, which may read any member.
        (are_some || !is_called).then_some(node)
    }

    /// Whether what is run by reading a member, or by calling it, may read others.
    fn may_read_others(&self, symbol: u32, member: &Member, is_called: bool) -> bool {
        let Some((span, how)) = member.runs.filter(|(_, how)| is_called || *how == Runs::Read) else {
            // Text that is called is no function, and what is made of something else may be any.
            return false;
        };
        if how == Runs::Elsewhere || self.has_this(span) {
            return true;
        }
        let places = &self.locals.places;
        let first = places.partition_point(|place| place.start < span.start);
        let mut named = places.iter().skip(first).take_while(|place| place.start < span.end);
        named.any(|place| match place.symbol {
            Some(other) if other == symbol => true,
            // A function that it is, or that makes it.
            Some(other) if how == Runs::Call && is_called => {
                let other = SymbolId::from_usize(other as usize);
                self.folder.bindings.of_symbol(other).iter().any(|binding| {
                    let span = match binding {
                        Binding::Expression(made) => made.span(),
                        Binding::Function(function) => function.span(),
                        Binding::Member(..) | Binding::Open => return false,
                    };
                    self.has_this(span)
                })
            }
            Some(_) | None => false,
        })
    }

    fn runs_of(&self, property: &ObjectPropertyKind<'a>) -> Option<(Span, Runs)> {
        let runs = match property {
            ObjectPropertyKind::ObjectProperty(property) if property.kind == PropertyKind::Get => Runs::Read,
            ObjectPropertyKind::ObjectProperty(property) if self.is_made_elsewhere(&property.value) => {
                Runs::Elsewhere
            }
            ObjectPropertyKind::ObjectProperty(_) | ObjectPropertyKind::SpreadProperty(_) => Runs::Call,
        };
        Some((property.span(), runs))
    }

    /// A member of something else that is no function of the script, as far as is known: what it does where it is called is not seen.
    pub(super) fn is_made_elsewhere(&self, value: &Expression<'a>) -> bool {
        let member = value.get_inner_expression().as_member_expression();
        member.is_some_and(|member| {
            member.static_property_name().is_none_or(|name| self.method_called(name).is_none())
        })
    }

    /// Whether `this` stands in a text.
    pub(super) fn has_this(&self, span: Span) -> bool {
        let this = self.this.get_or_init(|| self.all_this());
        let at = this.partition_point(|start| *start < span.start);
        this.get(at).is_some_and(|start| *start < span.end)
    }

    /// Where `this` stands.
    fn all_this(&self) -> Vec<u32> {
        let this = self.semantic.nodes().iter().filter_map(|node| match node.kind() {
            AstKind::ThisExpression(this) => Some(this.span.start),
            AstKind::Super(this) => Some(this.span.start),
            _ => None,
        });
        this.collect()
    }

    /// Reads each text once.
    pub(super) fn read(&self, called: &mut Called) {
        let parts = called.nodes.iter().flat_map(|node| [&node.plain, &node.more]);
        let pieces = parts.flat_map(|parts| &parts.pieces);
        let origins = pieces.filter_map(|piece| called.pieces.get(*piece as usize)).flatten();
        let spans: FxHashSet<_> = origins.filter_map(Origin::text).collect();
        let source = self.source();
        let texts: Vec<_> = spans
            .into_iter()
            .map(|span| {
                let gives = self.given_back_in(span, called);
                (span, called.text(&source, span, gives))
            })
            .collect();
        called.texts.extend(texts);
    }
}

impl Called {
    fn piece(&mut self, origins: Vec<Origin>) -> u32 {
        self.pieces.push(origins);
        (self.pieces.len() - 1) as u32
    }
}

/// The other names of a variable, the nearest first. Through functions it is followed once.
fn closure(symbol: SymbolId, written: &[Written]) -> Vec<(SymbolId, Alias)> {
    let aliases = |symbol: SymbolId| {
        written.get(symbol.index()).map(|written| written.aliases.as_slice()).unwrap_or_default()
    };
    let mut all: Vec<(SymbolId, Alias)> = Vec::new();
    let (mut next, mut from) = (0, (symbol, Alias::Same));
    loop {
        for (alias, held) in aliases(from.0).iter().take(2 * ALIASES) {
            let held = match (&from.1, held) {
                (Alias::Same, held @ (Alias::Same | Alias::Parameter | Alias::In(_))) => held.clone(),
                (Alias::Parameter, Alias::Same) => Alias::Parameter,
                (held @ Alias::In(_), Alias::Same) => held.clone(),
                (Alias::In(key), Alias::Of(taken)) if key.is_none() || taken.is_none() || key == taken => {
                    Alias::Same
                }
                (_, Alias::Of(_)) | (Alias::Of(_), _) => continue,
                (Alias::Parameter | Alias::In(_), Alias::Parameter | Alias::In(_)) => continue,
            };
            let is_known = *alias == symbol || all.iter().any(|(known, _)| known == alias);
            if !is_known && all.len() < ALIASES {
                all.push((*alias, held));
            }
        }
        match all.get(next) {
            Some(alias) => from = alias.clone(),
            None => return all,
        }
        next += 1;
    }
}

/// Makes nodes of what is written to a variable, and of members that stand where it is made.
fn group(symbol: SymbolId, made: &mut Made, called: &mut Called) {
    let symbol = symbol.index() as u32;
    let mut node = |is_for_more: bool, pieces: Vec<u32>| {
        let plain = Parts { pieces, groups: Vec::new() };
        called.nodes.push(Node { plain, is_for_more, ..Node::of(symbol) });
        (called.nodes.len() - 1) as u32
    };
    if !made.fills.is_empty() {
        let mut all = |is_part: fn(&Member) -> bool| {
            let members = made.fills.iter().filter(|member| is_part(member));
            node(true, members.flat_map(|member| [member.piece].into_iter().chain(member.tests)).collect())
        };
        let (all, unknown) = (all(|_| true), all(|member| member.key.is_none()));
        let mut here = |is_part: fn(&Member) -> bool| {
            let members = made.fills.iter().filter(|member| member.how == How::Here && is_part(member));
            node(false, members.map(|member| member.piece).collect())
        };
        let unknown_here = here(|member| member.key.is_none());
        made.groups = Some(Groups { all, here: here(|_| true), unknown_here, unknown });
    }
    if made.is_class {
        made.class = Some(node(true, made.own.iter().map(|member| member.piece).collect()));
    }
    let unknown = made.own.iter().filter(|member| member.key.is_none());
    let unknown: Vec<_> = unknown.map(|member| member.piece).collect();
    made.rest = (!unknown.is_empty()).then(|| node(false, unknown));
}

/// Of what counts besides, what is written under a name, or under one that is not known.
fn read_of_more(symbol: u32, key: &str, closure: &[(SymbolId, Alias)], made: &mut [Made]) -> Node {
    let mut node = Node::of(symbol);
    let names = [(SymbolId::from_usize(symbol as usize), Alias::Same)];
    for (at, (name, held)) in names.iter().chain(closure).enumerate() {
        let Some(of) = made.get_mut(name.index()) else { continue };
        if let Alias::In(key) = held {
            node.more.pieces.extend(of.lying_under(key.as_deref()));
            continue;
        }
        node.more.groups.extend(of.groups.map(|groups| groups.unknown));
        if at == 0 {
            node.more.pieces.extend(of.more.iter().copied());
        }
        for (_, member) in of.under(key).into_iter().filter(|(own, _)| !own) {
            node.more.pieces.extend([member.piece].into_iter().chain(member.tests));
        }
    }
    node
}

impl Made {
    /// What is written into what lies there.
    fn lying_under(&mut self, key: Option<&str>) -> Vec<u32> {
        let is_deep = |member: &&Member| member.how == How::Deep;
        let pieces = |member: &Member| [member.piece].into_iter().chain(member.tests);
        match key {
            Some(key) => {
                let members = self.under(key).into_iter().map(|(_, member)| member);
                members.filter(is_deep).flat_map(pieces).collect()
            }
            None => {
                let unknown = self.fills.iter().filter(|member| member.key.is_none());
                unknown.filter(is_deep).take(ALIASES).flat_map(pieces).collect()
            }
        }
    }

    /// Members of a name, and whether each stands where it is made.
    fn under(&mut self, key: &str) -> Vec<(bool, &Member)> {
        let by_key = self.by_key.get_or_insert_with(|| by_key(&self.own, &self.fills));
        let Some([own, fills]) = by_key.get(key) else { return Vec::new() };
        let own = own.iter().filter_map(|at| self.own.get(*at as usize)).map(|member| (true, member));
        let fills = fills.iter().filter_map(|at| self.fills.get(*at as usize));
        own.chain(fills.map(|member| (false, member))).collect()
    }
}

impl Node {
    fn of(symbol: u32) -> Self {
        Self { symbol, is_filled: false, is_for_more: false, plain: Parts::default(), more: Parts::default() }
    }
}

fn by_key(own: &[Member], fills: &[Member]) -> FxHashMap<Box<str>, [Vec<u32>; 2]> {
    let mut all: FxHashMap<Box<str>, [Vec<u32>; 2]> = FxHashMap::default();
    for (which, members) in [own, fills].into_iter().enumerate() {
        for (at, member) in members.iter().enumerate() {
            let Some(key) = &member.key else { continue };
            if let Some(places) = all.entry(key.clone()).or_default().get_mut(which) {
                places.push(at as u32);
            }
        }
    }
    all
}

fn of_class(class: &Class<'_>, base: &mut Vec<Origin>, made: &mut Made, called: &mut Called) {
    made.is_class = true;
    base.extend(class.heritage_expression().map(|of| Origin::Text(of.span())));
    for element in &class.body.body {
        let span = element.span();
        let key = element.static_name().map(|name| Box::from(&*name));
        let is_getter = matches!(element, ClassElement::MethodDefinition(method) if method.kind == MethodDefinitionKind::Get);
        let piece = called.piece(vec![Origin::Text(span)]);
        let runs = Some((span, if is_getter { Runs::Read } else { Runs::Call }));
        made.own.push(Member { key, piece, tests: None, how: How::Here, runs });
    }
}
