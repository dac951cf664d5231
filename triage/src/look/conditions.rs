//! What it hangs on whether something is written: the nearest tests around it, and what the function is left by before.

use std::collections::HashMap;

use oxc_ast::AstKind;
use oxc_ast::ast::Statement;
use oxc_semantic::NodeId;
use oxc_span::{GetSpan as _, Span};

use super::Look;
use super::called::Origin;

/// Tests, the nearest first, that one assignment hangs on.
const TESTS: usize = 2;
/// Of these, those after which a block is left.
const EXITS: usize = 1;
/// Statements and expressions around an assignment in which tests are looked for.
const HANGS: usize = 64;
/// In front of a test that is followed where it holds.
const THEN: &str = "";
/// Where blocks are left by a test: where that ends, and by what.
pub(super) type Exits = HashMap<NodeId, Vec<(u32, Asked)>>;

/// What a test asks, and in front of it which way is taken.
type Asked = (&'static str, Span);

impl Look<'_, '_> {
    /// What it hangs on whether something is done.
    pub(super) fn tests(&self, done: NodeId) -> Vec<Origin> {
        let mut tests = Vec::new();
        let nodes = self.semantic.nodes();
        let (mut inner, mut left) = (nodes.kind(done).span(), TESTS);
        for outer in nodes.ancestor_ids(done).take(HANGS) {
            let kind = nodes.kind(outer);
            let asked = match kind {
                AstKind::IfStatement(tested) => {
                    Some((way(tested.consequent.span() == inner), tested.test.span()))
                }
                AstKind::ConditionalExpression(either) => {
                    Some((way(either.consequent.span() == inner), either.test.span()))
                }
                AstKind::LogicalExpression(either) if either.right.span() == inner => {
                    Some((either.operator.as_str(), either.left.span()))
                }
                AstKind::WhileStatement(repeated) => Some((THEN, repeated.test.span())),
                AstKind::DoWhileStatement(repeated) => Some((THEN, repeated.test.span())),
                AstKind::ForStatement(repeated) => repeated.test.as_ref().map(|test| (THEN, test.span())),
                AstKind::ForOfStatement(repeated) => Some((THEN, repeated.right.span())),
                AstKind::ForInStatement(repeated) => Some((THEN, repeated.right.span())),
                AstKind::SwitchCase(case) => case.test.as_ref().map(|test| (THEN, test.span())),
                AstKind::SwitchStatement(switched) => Some((THEN, switched.discriminant.span())),
                AstKind::BlockStatement(_) | AstKind::FunctionBody(_) | AstKind::Program(_) => {
                    let exits = self.exits.get_or_init(|| self.all_exits());
                    let here = exits.get(&outer).map(Vec::as_slice).unwrap_or_default();
                    let before = here.partition_point(|(end, _)| *end <= inner.start);
                    let nearest = here.iter().take(before).rev().take(EXITS.min(left));
                    for (_, (way, test)) in nearest {
                        tests.extend([Origin::Word((*way).into()), Origin::Text(*test)]);
                        left = left.saturating_sub(1);
                    }
                    None
                }
                AstKind::Function(_) | AstKind::ArrowFunctionExpression(_) => {
                    match nodes.parent_kind(outer) {
                        AstKind::CallExpression(call) if call.callee.span() == kind.span() => None,
                        _ => return tests,
                    }
                }
                _ => None,
            };
            if let Some((way, test)) = asked.filter(|(_, test)| *test != inner) {
                let Some(fewer) = left.checked_sub(1) else { return tests };
                left = fewer;
                tests.extend([Origin::Word(way.into()), Origin::Text(test)]);
            }
            inner = kind.span();
        }
        tests
    }

    fn all_exits(&self) -> Exits {
        let nodes = self.semantic.nodes();
        let mut exits = Exits::new();
        for node in nodes.iter() {
            let AstKind::IfStatement(tested) = node.kind() else { continue };
            let is_by_then = leaves(&tested.consequent);
            if is_by_then || tested.alternate.as_ref().is_some_and(leaves) {
                let here = exits.entry(nodes.parent_id(node.id())).or_default();
                here.push((tested.span.end, (way(is_by_then), tested.test.span())));
            }
        }
        exits
    }
}

fn way(is_then: bool) -> &'static str {
    if is_then { THEN } else { "else" }
}

fn leaves(statement: &Statement<'_>) -> bool {
    match statement {
        Statement::ReturnStatement(_)
        | Statement::ThrowStatement(_)
        | Statement::ContinueStatement(_)
        | Statement::BreakStatement(_) => true,
        Statement::BlockStatement(block) => block.body.last().is_some_and(leaves),
        _ => false,
    }
}
