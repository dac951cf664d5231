//! What functions give back, and what the fields of classes are: of both it counts which variables stand in it, however far behind.

use oxc_ast::AstKind;
use oxc_ast::ast::Expression;
use oxc_span::{GetSpan as _, Span};
use rustc_hash::FxHashMap;

use super::Look;
use super::called::Called;

/// Names in what one function gives back.
const GIVES: usize = 64;

/// What each function gives back, by where it begins.
pub(super) type GivenBack<'a> = FxHashMap<u32, Vec<&'a Expression<'a>>>;

impl<'a> Look<'a, '_> {
    /// The variables in what functions give back that stand in a text, and in what fields of classes are.
    pub(super) fn given_back_in(&self, span: Span, called: &Called) -> Vec<u32> {
        let mut gives = Vec::new();
        for body in called.bodies_in(span) {
            let given_back = self.given_back().get(&body.start).into_iter().flatten();
            for given in given_back.map(|given| given.span()) {
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

    pub(super) fn given_back(&self) -> &GivenBack<'a> {
        self.given_back.get_or_init(|| self.all_given_back())
    }

    fn all_given_back(&self) -> GivenBack<'a> {
        let mut given = GivenBack::default();
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
                    arrow.get_expression()
                }
                AstKind::ReturnStatement(given) => given.argument.as_ref(),
                AstKind::YieldExpression(given) => given.argument.as_ref(),
                AstKind::PropertyDefinition(field) => field.value.as_ref(),
                _ => None,
            };
            if let (Some(value), Some(outer)) = (value, around.last()) {
                given.entry(outer.start).or_default().push(value);
            }
        }
        given
    }
}
