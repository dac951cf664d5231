//! What functions give back, and what the fields of classes are: of both it counts which variables stand in it, however far behind.

use oxc_ast::AstKind;
use oxc_span::{GetSpan as _, Span};
use rustc_hash::FxHashMap;

use super::Look;
use super::called::Called;

/// Names in what one function gives back.
const GIVES: usize = 64;

impl Look<'_, '_> {
    /// The variables in what functions give back that stand in a text, and in what fields of classes are.
    pub(super) fn given_back_in(
        &self,
        span: Span,
        given_back: &FxHashMap<u32, Vec<Span>>,
        called: &Called,
    ) -> Vec<u32> {
        let mut gives = Vec::new();
        for body in called.bodies_in(span) {
            let spans = given_back.get(&body.start).map(Vec::as_slice).unwrap_or_default();
            for given in spans {
                let places = &self.locals.places;
                let first = places.partition_point(|place| place.start < given.start);
                let named = places.iter().skip(first).take_while(|place| place.start < given.end);
                gives.extend(named.filter_map(|place| called.node(place)));
                if gives.len() > GIVES {
                    gives.truncate(GIVES);
                    return gives;
                }
            }
        }
        gives
    }

    /// What each function gives back, by where it begins.
    pub(super) fn all_given_back(&self) -> FxHashMap<u32, Vec<Span>> {
        let mut given: FxHashMap<u32, Vec<Span>> = FxHashMap::default();
        let mut around: Vec<Span> = Vec::new();
        for node in self.semantic.nodes().iter() {
            let span = node.kind().span();
            while around.last().is_some_and(|outer| outer.end <= span.start) {
                around.pop();
            }
            let value = match node.kind() {
                AstKind::Function(_) | AstKind::Class(_) => {
                    around.push(span);
                    None
                }
                AstKind::ArrowFunctionExpression(arrow) => {
                    around.push(span);
                    arrow.get_expression().map(|given| given.span())
                }
                AstKind::ReturnStatement(given) => given.argument.as_ref().map(|given| given.span()),
                AstKind::PropertyDefinition(field) => field.value.as_ref().map(|value| value.span()),
                _ => None,
            };
            if let (Some(value), Some(outer)) = (value, around.last()) {
                given.entry(outer.start).or_default().push(value);
            }
        }
        given
    }
}
