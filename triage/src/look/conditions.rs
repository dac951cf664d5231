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
/// Where blocks are left by a test: where that ends, and what it asks.
pub(super) type Exits = HashMap<NodeId, Vec<(u32, Span)>>;

impl Look<'_, '_> {
    /// What it hangs on whether something is done.
    pub(super) fn tests(&self, done: NodeId) -> Vec<Origin> {
        let mut tests = Vec::new();
        let nodes = self.semantic.nodes();
        let (mut inner, mut left) = (nodes.kind(done).span(), TESTS);
        for outer in nodes.ancestor_ids(done).take(HANGS) {
            let kind = nodes.kind(outer);
            let asked = match kind {
                AstKind::IfStatement(tested) if tested.test.span() != inner => Some(tested.test.span()),
                AstKind::ConditionalExpression(either) if either.test.span() != inner => {
                    Some(either.test.span())
                }
                AstKind::LogicalExpression(either) if either.right.span() == inner => {
                    Some(either.left.span())
                }
                AstKind::WhileStatement(repeated) => Some(repeated.test.span()),
                AstKind::ForStatement(repeated) => repeated.test.as_ref().map(|test| test.span()),
                AstKind::SwitchCase(case) => case.test.as_ref().map(|test| test.span()),
                AstKind::SwitchStatement(switched) => Some(switched.discriminant.span()),
                AstKind::BlockStatement(_) | AstKind::FunctionBody(_) | AstKind::Program(_) => {
                    let exits = self.exits.get_or_init(|| self.all_exits());
                    let here = exits.get(&outer).map(Vec::as_slice).unwrap_or_default();
                    let before = here.partition_point(|(end, _)| *end <= inner.start);
                    let nearest = here.iter().take(before).rev().take(EXITS.min(left));
                    for (_, test) in nearest {
                        tests.push(Origin::Text(*test));
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
            if let Some(asked) = asked.filter(|asked| *asked != inner) {
                let Some(fewer) = left.checked_sub(1) else { return tests };
                left = fewer;
                tests.push(Origin::Text(asked));
            }
            inner = kind.span();
        }
        tests
    }

    fn all_exits(&self) -> Exits {
        let nodes = self.semantic.nodes();
        let mut exits = Exits::new();
        for node in nodes.iter() {
            if let AstKind::IfStatement(tested) = node.kind()
                && leaves(&tested.consequent)
            {
                let here = exits.entry(nodes.parent_id(node.id())).or_default();
                here.push((tested.span.end, tested.test.span()));
            }
        }
        exits
    }
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
