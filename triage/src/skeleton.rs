//! A script without what may change and leave it the same: names of local variables, and literals.
//!
//! Local names are numbered as they come, so that a script that was only minified anew is the same. Names that must be called as
//! they are (`locals`) stay; so do strings that name a member, as what they name is code.

use oxc_ast::AstKind;
use oxc_ast::ast::Expression;
use oxc_semantic::{AstNode, Semantic};
use oxc_span::{GetSpan as _, Span};
use rustc_hash::FxHashMap;
use sha2::{Digest as _, Sha256};

use crate::findings::{Function, SHOWN, bounded};
use crate::lines::Lines;
use crate::locals::{Locals, Place};

/// Whoever wrote both versions finds no two texts that have the same, so none passes for the other.
type Digest = [u8; 32];

/// What is left of a script.
#[derive(Debug, Default)]
pub(crate) struct Skeleton {
    /// Of all of it, with its literals.
    pub(crate) named: Digest,
    /// Of all of it, without.
    pub(crate) blank: Digest,
    /// Its literals, in order: the line, what is shown, and the digest of what is longer.
    pub(crate) literals: Vec<(usize, Box<str>, Option<Digest>)>,
    /// Its functions, in the order in which they end; all of them are in the last one, which is the script.
    pub(crate) functions: Vec<Own>,
}

/// A function without those that it holds.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) name: Box<str>,
    pub(crate) line: usize,
    /// With its literals.
    pub(crate) named: Digest,
    /// Without.
    pub(crate) blank: Digest,
    /// Bytes of its text.
    pub(crate) len: usize,
    /// The place where it begins. `None` is the script, outside of its functions.
    pub(crate) start: Option<u32>,
    /// Where the function around it begins.
    pub(crate) around: Option<u32>,
    pub(crate) last_line: usize,
}

/// Something in the text.
enum Mark {
    Local(Place),
    Literal,
    /// A string that is code.
    Name,
    Function(Box<str>),
}

/// Takes a formatted script apart.
pub(crate) fn skeleton(text: &str, semantic: &Semantic<'_>, locals: &Locals) -> Skeleton {
    let others = semantic.nodes().iter();
    let others = others.filter_map(|node| mark(semantic, node).map(|mark| (node.kind().span(), mark)));
    let mut others: Vec<(Span, Mark)> = others.collect();
    let order = |(span, mark): &(Span, Mark)| {
        (span.start, std::cmp::Reverse(span.end), !matches!(mark, Mark::Function(_)))
    };
    others.sort_by_key(order);
    let free = locals.places.iter().filter(|place| locals.may_be_renamed(place));
    let mut free = free.map(|place| (Span::new(place.start, place.end), Mark::Local(*place))).peekable();
    let mut others = others.into_iter().peekable();
    let marks = std::iter::from_fn(|| {
        let is_free_next = match (free.peek(), others.peek()) {
            (Some(free), Some(other)) => order(free) <= order(other),
            (free, _) => free.is_some(),
        };
        if is_free_next { free.next() } else { others.next() }
    });
    let lines = Lines::of(text);
    let mut building =
        Building { text, lines, whole: Parts::default(), open: Vec::new(), done: Skeleton::default(), at: 0 };
    building.open.push(Open {
        name: "(top level)".into(),
        span: Span::new(0, text.len() as u32),
        own: Parts::default(),
    });
    for (span, mark) in marks {
        building.close_until(span.start);
        building.copy_to(span.start);
        match mark {
            Mark::Function(name) => {
                building.function();
                building.open.push(Open { name, span, own: Parts::default() });
            }
            Mark::Local(place) => building.local(&place),
            Mark::Literal => building.literal(span),
            Mark::Name => building.name(span),
        }
    }
    building.finished()
}

fn mark(semantic: &Semantic<'_>, node: &AstNode<'_>) -> Option<Mark> {
    Some(match node.kind() {
        AstKind::StringLiteral(literal) => {
            let names = match semantic.nodes().parent_kind(node.id()) {
                AstKind::ComputedMemberExpression(member) => member.expression.span() == literal.span,
                AstKind::ObjectProperty(property) => property.key.span() == literal.span,
                AstKind::BindingProperty(property) => property.key.span() == literal.span,
                AstKind::AssignmentTargetPropertyProperty(property) => property.name.span() == literal.span,
                AstKind::PropertyDefinition(property) => property.key.span() == literal.span,
                AstKind::MethodDefinition(_) | AstKind::ImportDeclaration(_) | AstKind::Directive(_) => true,
                _ => false,
            };
            if names { Mark::Name } else { Mark::Literal }
        }
        AstKind::NumericLiteral(_)
        | AstKind::BigIntLiteral(_)
        | AstKind::RegExpLiteral(_)
        | AstKind::TemplateElement(_) => Mark::Literal,
        AstKind::Function(function) => {
            let own = function.id.as_ref().map(|id| id.name.as_str().to_owned());
            Mark::Function(own.or_else(|| given_name(semantic, node)).unwrap_or_else(anonymous).into())
        }
        AstKind::ArrowFunctionExpression(_) => {
            Mark::Function(given_name(semantic, node).unwrap_or_else(anonymous).into())
        }
        _ => return None,
    })
}

fn anonymous() -> String {
    Function::ANONYMOUS.to_owned()
}

/// What a function without a name is bound to.
fn given_name(semantic: &Semantic<'_>, node: &AstNode<'_>) -> Option<String> {
    let name = match semantic.nodes().parent_kind(node.id()) {
        AstKind::VariableDeclarator(declared) => declared.id.get_binding_identifier()?.name.to_string(),
        AstKind::ObjectProperty(property) => property.key.static_name()?.into_owned(),
        AstKind::MethodDefinition(method) => method.key.static_name()?.into_owned(),
        AstKind::PropertyDefinition(property) => property.key.static_name()?.into_owned(),
        AstKind::AssignmentExpression(assigned) => written(semantic, assigned.left.span())?.to_owned(),
        // Many functions have no name and are handed to something that has.
        AstKind::CallExpression(call) => match &call.callee {
            Expression::FunctionExpression(_) | Expression::ArrowFunctionExpression(_) => return None,
            callee => {
                format!("{}{})", Function::HANDED, bounded(written(semantic, callee.span())?, 40))
            }
        },
        _ => return None,
    };
    Some(bounded(&name, 80).into())
}

fn written<'s>(semantic: &'s Semantic<'_>, span: Span) -> Option<&'s str> {
    let text = semantic.source_text().get(span.start as usize..span.end as usize)?;
    text.lines().next()
}

/// What is left of a text, in octets. Those that mark what is no word stand in no UTF-8.
#[derive(Default)]
struct Parts {
    shape: Vec<u8>,
    literals: Vec<u8>,
    numbers: FxHashMap<u32, u32>,
    len: usize,
}

impl Own {
    /// Whether it is called by what it is handed to, if by anything.
    pub(crate) fn is_nameless(&self) -> bool {
        &*self.name == Function::ANONYMOUS || self.name.starts_with(Function::HANDED)
    }
}

impl Parts {
    const END: u8 = 0xff;
    const NUMBER: u8 = 0xfe;
    const LITERAL: u8 = 0xfd;
    const FUNCTION: u8 = 0xfc;

    /// A word, or what is one with blanks in it.
    fn add(&mut self, text: &str) {
        self.shape.extend_from_slice(text.as_bytes());
        self.shape.push(Self::END);
        self.len += text.len();
    }

    // No text can be taken for it: `ƒ`, or any other sign, is a name.
    fn function(&mut self) {
        self.shape.push(Self::FUNCTION);
        self.len += 1;
    }

    fn local(&mut self, symbol: u32) {
        let next = self.numbers.len() as u32;
        let number = *self.numbers.entry(symbol).or_insert(next);
        self.shape.push(Self::NUMBER);
        self.shape.extend_from_slice(&number.to_le_bytes());
        self.len += 1;
    }

    fn literal(&mut self, text: &str) {
        self.shape.push(Self::LITERAL);
        self.literals.extend_from_slice(text.as_bytes());
        self.literals.push(Self::END);
        self.len += text.len();
    }

    /// With its literals, and without.
    fn digests(&self) -> (Digest, Digest) {
        let blank: Digest = Sha256::digest(&self.shape).into();
        let named = Sha256::new().chain_update(blank).chain_update(&self.literals).finalize();
        (named.into(), blank)
    }
}

struct Open {
    name: Box<str>,
    span: Span,
    own: Parts,
}

struct Building<'t> {
    text: &'t str,
    lines: Lines<'t>,
    whole: Parts,
    open: Vec<Open>,
    done: Skeleton,
    at: u32,
}

impl Building<'_> {
    fn close_until(&mut self, at: u32) {
        while self.open.len() > 1 && self.open.last().is_some_and(|open| open.span.end <= at) {
            self.close();
        }
    }

    fn close(&mut self) {
        let Some(end) = self.open.last().map(|open| open.span.end) else { return };
        self.copy_to(end);
        let Some(Open { name, span, own }) = self.open.pop() else { return };
        let (line, last_line) = (self.lines.line(span.start), self.lines.line(span.end));
        let (named, blank) = own.digests();
        // The first that is open is the script.
        let start = (!self.open.is_empty()).then_some(span.start);
        let around = self.open.get(1..).and_then(<[Open]>::last).map(|around| around.span.start);
        self.done.functions.push(Own { name, line, named, blank, len: own.len, start, around, last_line });
    }

    fn copy_to(&mut self, to: u32) {
        if to > self.at {
            let piece = self.text.get(self.at as usize..to as usize).unwrap_or_default();
            self.add(piece);
            self.at = to;
        }
    }

    fn add(&mut self, piece: &str) {
        // Indentation says how deep it stands, which is no part of a function.
        for word in piece.split_ascii_whitespace() {
            self.whole.add(word);
            if let Some(open) = self.open.last_mut() {
                open.own.add(word);
            }
        }
    }

    /// In one function another begins.
    fn function(&mut self) {
        self.whole.function();
        if let Some(open) = self.open.last_mut() {
            open.own.function();
        }
    }

    // Blanks in it are no indentation: `a["b c"]` is not `a["b  c"]`.
    fn name(&mut self, span: Span) {
        let text = self.lines.slice(span);
        self.whole.add(text);
        if let Some(open) = self.open.last_mut() {
            open.own.add(text);
        }
        self.at = self.at.max(span.end);
    }

    fn local(&mut self, place: &Place) {
        let Some(symbol) = place.symbol.filter(|_| place.end > self.at) else { return };
        let name = self.lines.slice(Span::new(place.start, place.end));
        let (before, behind) = place.also.written_out(name);
        self.add(&before);
        self.whole.local(symbol);
        if let Some(open) = self.open.last_mut() {
            open.own.local(symbol);
        }
        self.add(&behind);
        self.at = self.at.max(place.end);
    }

    fn literal(&mut self, span: Span) {
        if span.end <= self.at {
            return;
        }
        let text = self.lines.slice(span);
        self.whole.literal(text);
        if let Some(open) = self.open.last_mut() {
            open.own.literal(text);
        }
        let shown = bounded(text, SHOWN);
        let whole = (*shown != *text).then(|| Sha256::digest(text).into());
        self.done.literals.push((self.lines.line(span.start), shown, whole));
        self.at = self.at.max(span.end);
    }

    fn finished(mut self) -> Skeleton {
        while !self.open.is_empty() {
            self.close();
        }
        (self.done.named, self.done.blank) = self.whole.digests();
        self.done
    }
}
