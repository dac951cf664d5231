//! What local variables are, whatever a build has called them: where each is declared, and what it is bound to.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use oxc_span::{GetSpan as _, Span};
use oxc_syntax::scope::ScopeId;
use oxc_syntax::symbol::SymbolId;
use rustc_hash::FxHashMap;

use super::Look;
use super::given::SHORT;
use crate::bindings::Binding;

/// Bytes of each thing that a variable is bound to.
const BOUND: usize = 128;

impl Look<'_, '_> {
    /// So much of a text of the script, with what local variables are in place of what they are called: two that are not the same
    /// are written as two.
    pub(super) fn whatever_it_is_called(&self, span: Span, most: usize) -> String {
        let called = self.called.get_or_init(|| self.all_called());
        let mut text = String::new();
        self.write(&mut text, span, most, |symbol| called.get(symbol as usize).copied().unwrap_or_default());
        text
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
    fn all_called(&self) -> Vec<u64> {
        let scoping = self.semantic.scoping();
        let functions = self.functions_of_scopes();
        let function = |symbol: SymbolId| {
            let scope = scoping.symbol_scope_id(symbol);
            functions.get(&scope).copied().unwrap_or((scope, 0))
        };
        let depth = |symbol: u32| {
            let symbol = SymbolId::from_usize(symbol as usize);
            function(symbol).1
        };
        let mut alike: FxHashMap<(ScopeId, u64), u64> = FxHashMap::default();
        let mut bound = String::new();
        let each = scoping.symbol_ids().map(|symbol| {
            let (scope, depth_of_it) = function(symbol);
            bound.clear();
            self.bound_to(symbol, &depth, &mut bound);
            let mut hasher = DefaultHasher::new();
            (depth_of_it, &bound).hash(&mut hasher);
            let which = alike.entry((scope, hasher.finish())).or_default();
            *which += 1;
            which.hash(&mut hasher);
            hasher.finish()
        });
        each.collect()
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

    fn bound_to(&self, symbol: SymbolId, depth: &dyn Fn(u32) -> u64, bound: &mut String) {
        for binding in self.folder.bindings.of_symbol(symbol) {
            match binding {
                Binding::Expression(expression) => {
                    self.write(bound, expression.span(), BOUND, depth);
                }
                Binding::Member(expression, name) => {
                    self.write(bound, expression.span(), BOUND, depth);
                    bound.extend([".", if name.len() > SHORT { name } else { "_" }]);
                }
                Binding::Function(function) => {
                    self.write(bound, function.span(), BOUND, depth);
                }
                Binding::Open => bound.push('?'),
            }
            bound.push(';');
        }
    }

    /// A name counts as one byte: more of the text is written than with it, and never less.
    fn write(&self, text: &mut String, span: Span, most: usize, called: impl Fn(u32) -> u64) {
        let (mut at, mut left) = (span.start, most);
        let places = &self.locals.places;
        let first = places.partition_point(|place| place.start < span.start);
        let inside = places.iter().skip(first).take_while(|place| place.start < span.end);
        for place in inside.filter(|place| self.locals.is_the_scripts(place)) {
            let Some(symbol) = place.symbol else { continue };
            let name = self.lines.slice(Span::new(place.start, place.end));
            let (before, behind) = place.also.written_out(name);
            add(text, self.lines.slice(Span::new(at, place.start)), &mut left);
            add(text, &before, &mut left);
            if left == 0 {
                return;
            }
            left -= 1;
            // No name has such a letter in it. What is written to a text is written.
            let _ = write!(text, "\u{1}{:x}\u{1}", called(symbol));
            add(text, &behind, &mut left);
            at = place.end;
        }
        add(text, self.lines.slice(Span::new(at.min(span.end), span.end)), &mut left);
    }
}

/// As much of a piece as there is room for.
fn add(text: &mut String, piece: &str, left: &mut usize) {
    let len = piece.floor_char_boundary(*left);
    text.push_str(piece.get(..len).unwrap_or_default());
    *left = if len < piece.len() { 0 } else { *left - len };
}
