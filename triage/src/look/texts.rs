//! The texts of a script: as they stand there, put together, and hidden in others. What could be code is looked at as code.

use oxc_ast::AstKind;
use oxc_ast::ast::{ArrayExpression, BinaryExpression, TemplateLiteral};
use oxc_semantic::AstNode;
use oxc_span::{GetSpan as _, Span};
use oxc_syntax::operator::BinaryOperator;

use super::{Held, Inside, Look, NESTED, look_inside};
use crate::capability::{of_pattern, of_text};
use crate::findings::{NotAnalysed, bounded};
use crate::hidden::{decoded, looks_like_code, of_numbers};
use crate::locals::Locals;
use crate::operators::operands;
use crate::script;
use crate::value::Value;

/// Texts of one script that are read as code.
const READ_AS_CODE: usize = 200;
/// All texts of a script.
const TEXTS: usize = 200_000;
/// Bytes of them: what stands in the largest script, and as much again many times.
const TEXT_BYTES: usize = 64 << 20;

impl<'a> Look<'a, '_> {
    /// A text that the script comes to, unless it is part of one that was seen.
    pub(super) fn text(&mut self, text: &str, span: Span) {
        // Nodes come in the order in which they begin.
        self.covered.retain(|whole| whole.end > span.start);
        if self.covered.iter().any(|whole| whole.start <= span.start && span.end <= whole.end) {
            return;
        }
        self.covered.push(span);
        self.text_at(text, span, 0);
    }

    /// A pattern by which a script may pick fields: their names stand in it.
    pub(super) fn pattern(&mut self, pattern: &str, span: Span) {
        if let Some(capability) = of_pattern(pattern) {
            self.at(capability, span, Some(bounded(pattern, 60)));
        }
    }

    fn text_at(&mut self, text: &str, span: Span, encodings: usize) {
        if text.len() < 3 {
            return;
        }
        self.seen.text_bytes += text.len();
        if self.seen.texts.len() >= TEXTS || self.seen.text_bytes > TEXT_BYTES {
            self.seen.cut_short.get_or_insert(NotAnalysed::TooMuch);
            return;
        }
        if let Some(capability) = of_text(text) {
            self.at(capability, span, Some(bounded(text, 60)));
        }
        let line = self.inside.line.unwrap_or_else(|| self.lines.line(span.start));
        self.seen.texts.push(Held { line, function: self.function(), text: text.into() });
        if looks_like_code(text) {
            self.read_as_code(text, span);
        }
        if encodings < NESTED {
            for inner in decoded(text) {
                self.text_at(&inner, span, encodings + 1);
            }
        }
    }

    /// Looks at a text as code, if it is some.
    pub(super) fn read_as_code(&mut self, code: &str, span: Span) {
        if self.inside.strings >= NESTED || self.read_as_code >= READ_AS_CODE {
            return;
        }
        self.read_as_code += 1;
        let line = self.inside.line.unwrap_or_else(|| self.lines.line(span.start));
        let inside = Inside { strings: self.inside.strings + 1, line: Some(line), function: self.function() };
        let Ok((text, source_type)) = script::formatted(code, self.limits) else { return };
        let seen = script::with_tree(&text, source_type, |semantic| {
            look_inside(&text, semantic, &Locals::of(semantic), self.limits, inside)
        });
        let Ok(seen) = seen else { return };
        for (capability, uses) in seen.uses {
            let known = self.seen.uses.entry(capability).or_default();
            known.extend(uses.into_iter().filter(|one| !known.contains(one)).collect::<Vec<_>>());
        }
        for (guard, uses) in seen.guards {
            self.seen.guards.entry(guard).or_default().extend(uses);
        }
        self.seen.text_bytes += seen.text_bytes;
        self.seen.texts.extend(seen.texts);
        self.seen.cut_short = self.seen.cut_short.take().or(seen.cut_short);
    }

    /// A chain of additions: all of it, or the runs of it that can be worked out.
    pub(super) fn sum(&mut self, node: &AstNode<'a>, binary: &'a BinaryExpression<'a>) {
        if let AstKind::BinaryExpression(outer) = self.semantic.nodes().parent_kind(node.id())
            && outer.operator == BinaryOperator::Addition
            && outer.span.start == binary.span.start
        {
            return;
        }
        let parts = operands(binary);
        let mut runs = Runs::default();
        for part in parts {
            runs.add(self.folder.value(part), part.span());
        }
        self.runs(runs);
    }

    pub(super) fn template(&mut self, template: &'a TemplateLiteral<'a>) {
        let mut runs = Runs::default();
        for (at, quasi) in template.quasis.iter().enumerate() {
            let cooked = quasi.value.cooked.as_ref().map(|cooked| cooked.as_str()).unwrap_or_default();
            if !cooked.is_empty() {
                runs.add(Value::text(cooked), quasi.span);
            }
            if let Some(expression) = template.expressions.get(at) {
                runs.add(self.folder.value(expression), expression.span());
            }
        }
        self.runs(runs);
    }

    fn runs(&mut self, runs: Runs) {
        for (text, span) in runs.ended() {
            self.text(&text, span);
        }
    }

    pub(super) fn array(&mut self, array: &'a ArrayExpression<'a>) {
        if let Some(text) = of_numbers(array) {
            self.text_at(&text, array.span, 0);
        }
    }

    /// `strings[3]`, `"evil"[0]`
    pub(super) fn text_of_member(&mut self, object: &Value<'a>, key: &Value<'a>, span: Span) {
        let Some(at) = key.to_number().filter(|at| *at >= 0.0) else { return };
        if let Value::Array(elements) = object
            && let Some(Value::Text(text)) = elements.get(at as usize)
        {
            self.text(text, span);
        }
    }
}

/// Pieces of a text next to each other that are known.
#[derive(Default)]
struct Runs {
    done: Vec<(String, Span)>,
    open: Option<(String, Span)>,
}

impl Runs {
    fn add(&mut self, value: Value<'_>, span: Span) {
        match (value.to_text(), &mut self.open) {
            (Some(text), Some((run, around))) => {
                run.push_str(&text);
                around.end = span.end;
            }
            (Some(text), None) => self.open = Some((text, span)),
            (None, _) => self.done.extend(self.open.take()),
        }
    }

    fn ended(mut self) -> Vec<(String, Span)> {
        self.done.extend(self.open.take());
        self.done
    }
}
