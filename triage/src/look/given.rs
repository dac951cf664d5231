//! What a use is given: by it, and not by how many there are, two versions are compared.
//!
//! `fetch("/a")` in the one and `fetch(document.cookie)` in the other are one fetch each. A use is written down without what
//! changes and leaves it the same: local names are what they stand for, numbers are none, and so are the short names of
//! members, which belong to minifiers. What stands there then is compared and never shown.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hash, Hasher as _, RandomState};
use std::sync::LazyLock;

use oxc_ast::AstKind;
use oxc_ast::ast::{
    Argument, ArrayExpressionElement, CallExpression, ChainElement, Expression, IdentifierReference,
    MemberExpression, ObjectPropertyKind, Statement, TemplateLiteral,
};
use oxc_semantic::{AstNode, NodeId};
use oxc_span::{GetSpan as _, Span};
use oxc_syntax::operator::BinaryOperator;

use super::Look;
use crate::bindings::{Binding, symbol_of};
use crate::capability::{Capability, Group, of_global, of_member, of_text};
use crate::hosts::hosts_in;
use crate::operators::operands;
use crate::value::{Callable, Value};

/// Expressions of one use that are written down part by part.
const PARTS: usize = 64;
/// Bytes of each that goes beyond, which is taken as it stands there.
const WRITTEN: usize = 256;
/// Expressions inside each other, through names too.
const DEEPEST: usize = 8;
/// What stands around a use and belongs to it.
const AROUND: usize = 8;
/// Expressions of each thing that a function does.
const BRIEF: usize = 24;
/// Functions that give back what others give back.
const GIVEN_BACK: usize = 3;
/// Things that a function does.
const DONE: usize = 256;
/// Digits of a number that may tell one account from another.
pub(crate) const ACCOUNT: usize = 5;
/// Names of members that minifiers give.
pub(crate) const SHORT: usize = 2;
/// Methods of a request, by which `open` is told from others of that name.
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];

/// Hosts of one use.
const HOSTS: usize = 4;

/// What all uses are given that are not compared by it.
const NOTHING: u64 = 0;

/// What is given to a use.
pub(super) struct GivenTo {
    /// What stands for all of it.
    pub(super) given: u64,
    /// Whether that is what people type or pages keep.
    pub(super) is_of_people: bool,
    /// Hosts that it names, where it is given to the network.
    pub(super) to: Vec<Box<str>>,
    /// Where all of it stands: the use, and the functions that were looked into.
    pub(super) all: Vec<Span>,
}

impl GivenTo {
    fn alike(given: u64) -> Self {
        Self { given, is_of_people: false, to: Vec::new(), all: Vec::new() }
    }
}

impl<'a> Look<'a, '_> {
    /// What is given to the use that the node is part of.
    pub(super) fn given(&self, capability: Capability, node: NodeId, means: Option<&str>) -> GivenTo {
        let of_text = matches!(capability, Capability::PasswordField | Capability::CardField);
        match capability.group() {
            Group::Data if of_text => GivenTo::alike(hash(means.unwrap_or_default())),
            Group::Network | Group::Code | Group::Data if capability != Capability::Miner => {
                let mut given = Given::of(self, capability);
                given.around(self.semantic.nodes().get_node(node));
                let Given { is_of_people, to, all, .. } = given;
                GivenTo { given: hash(&given.text), is_of_people, to, all }
            }
            Group::Network | Group::Code | Group::Data | Group::Environment | Group::Obfuscation => {
                GivenTo::alike(NOTHING)
            }
        }
    }

    /// Of what goes beyond the bounds, so much as is taken: written once for all uses.
    fn brief(&self, span: Span) -> u64 {
        let known = self.briefs.borrow().get(&span).copied();
        let brief = known.unwrap_or_else(|| hash(self.whatever_it_is_called(span, WRITTEN)));
        self.briefs.borrow_mut().insert(span, brief);
        brief
    }

    /// A test, and what it leads to.
    pub(super) fn tested(&self, node: &AstNode<'a>) -> u64 {
        let capability = Capability::Location;
        let mut given = Given::of(self, capability);
        given.test(node);
        hash(&given.text)
    }

    /// What a function of the script does that decides something, where one is called, and where call and function stand.
    pub(super) fn decided(&self, call: &'a CallExpression<'a>) -> (u64, Vec<Span>) {
        let mut given = Given::of(self, Capability::Location);
        given.of_function(&call.callee);
        given.all.insert(0, call.span);
        (hash(&given.text), given.all)
    }

    /// A call by another name of what was named before, and one of a request that was made before: what they are given counts,
    /// and they are no more uses.
    pub(super) fn called_later(&mut self, call: &'a CallExpression<'a>) {
        let function = match call.callee.as_member_expression() {
            Some(member) if matches!(member.static_property_name(), Some("call" | "apply" | "bind")) => {
                member.object()
            }
            Some(member) => return self.sent_later(call, member),
            None => &call.callee,
        };
        let is_local = function
            .get_identifier_reference()
            .is_some_and(|name| symbol_of(self.folder.scoping, name).is_some());
        if is_local
            && let Value::Global(path) = self.folder.value(function)
            && let Some(capability) = crate::capability::of_global(&path)
        {
            self.later(capability, call.span);
        }
    }

    fn sent_later(&mut self, call: &'a CallExpression<'a>, member: &'a MemberExpression<'a>) {
        let first = call.arguments.first().and_then(Argument::as_expression);
        let Some(first) = first.map(|first| self.folder.value(first)) else { return };
        let is_sent = match (member.static_property_name(), call.arguments.len()) {
            (Some("open"), 2..) => {
                first.as_text().is_some_and(|method| METHODS.contains(&&*method.to_ascii_uppercase()))
            }
            (Some("send"), 1) => !matches!(first, Value::Undefined),
            (_, _) => false,
        };
        if is_sent {
            self.later(self.sends_with(member.object()), call.span);
        }
    }

    /// What sends: a request, unless it is known that it was made as something else.
    fn sends_with(&self, object: &'a Expression<'a>) -> Capability {
        let made = match object.get_inner_expression() {
            Expression::Identifier(name) => {
                let symbol = symbol_of(self.folder.scoping, name);
                match symbol.map(|symbol| self.folder.bindings.of_symbol(symbol)) {
                    Some([Binding::Expression(made)]) => made.get_inner_expression(),
                    Some(_) | None => return Capability::Xhr,
                }
            }
            made => made,
        };
        let Expression::NewExpression(made) = made else { return Capability::Xhr };
        let of_path = |path: &str| of_global(path).filter(|made| *made == Capability::WebSocket);
        self.folder.value(&made.callee).as_global().and_then(|path| of_path(path)).unwrap_or(Capability::Xhr)
    }
}

impl Look<'_, '_> {
    /// Where nothing makes requests of that kind, what is sent is sent by what else there is.
    pub(super) fn sent_by_others(&mut self) {
        let uses = &mut self.seen.uses;
        if uses.get(&Capability::Xhr).is_some_and(|sent| sent.iter().any(|one| !one.is_later)) {
            return;
        }
        let sent = uses.remove(&Capability::Xhr).unwrap_or_default();
        let other =
            [Capability::WebSocket, Capability::WebRtc].into_iter().find(|other| uses.contains_key(other));
        if let Some(other) = other {
            uses.entry(other).or_default().extend(sent);
        }
    }
}

/// By chance, and the same for both versions: who wrote them could find two things of one hash otherwise, which would be taken
/// for the same.
static CHANCE: LazyLock<RandomState> = LazyLock::new(RandomState::new);

pub(crate) fn hash(one: impl Hash) -> u64 {
    CHANCE.hash_one(one)
}

/// Of several, in order.
pub(super) fn hash_each(all: impl Iterator<Item = u64>) -> u64 {
    let mut hasher = CHANCE.build_hasher();
    all.for_each(|one| hasher.write_u64(one));
    hasher.finish()
}

/// Where a test leads to: one that leads nowhere guards nothing.
fn follows(statement: &Statement<'_>) -> &'static str {
    match statement {
        Statement::BlockStatement(block) => {
            let all = || block.body.iter().map(follows);
            let leaves = all().find(|word| matches!(*word, "return" | "throw"));
            leaves.or_else(|| all().next()).unwrap_or("nothing")
        }
        Statement::ReturnStatement(_) => "return",
        Statement::ThrowStatement(_) => "throw",
        Statement::EmptyStatement(_) => "nothing",
        _ => "more",
    }
}

/// What one use is given, as it is written down.
struct Given<'l, 'a, 's> {
    look: &'l Look<'a, 's>,
    capability: Capability,
    text: String,
    left: usize,
    /// Whether it is of what a function does that is looked into: of functions inside of it nothing is said.
    is_inside: bool,
    /// Functions inside each other of which it is written what they give back.
    given_back: usize,
    /// Whether anything of what people type or pages keep is given.
    is_of_people: bool,
    /// Hosts that are named, where that is where it goes.
    to: Vec<Box<str>>,
    /// Where it stands.
    all: Vec<Span>,
}

impl<'l, 'a, 's> Given<'l, 'a, 's> {
    fn of(look: &'l Look<'a, 's>, capability: Capability) -> Self {
        let (text, to, all) = (String::new(), Vec::new(), Vec::new());
        let (is_inside, given_back, is_of_people) = (false, 0, false);
        Self { look, capability, text, left: PARTS, is_inside, given_back, is_of_people, to, all }
    }

    /// The node, and what is done with it.
    fn around(&mut self, node: &AstNode<'a>) {
        self.itself(node);
        let nodes = self.look.semantic.nodes();
        let (mut inner, mut whole) = (node, node.kind().span());
        for _ in 0..AROUND {
            let outer = nodes.parent_node(inner.id());
            let goes_on = self.goes_on(inner, outer);
            let is_part = goes_on
                || matches!(outer.kind(), AstKind::CallExpression(_) | AstKind::AssignmentExpression(_));
            whole = if is_part { outer.kind().span() } else { whole };
            if !goes_on {
                break;
            }
            inner = outer;
        }
        self.all.insert(0, whole);
    }

    fn itself(&mut self, node: &AstNode<'a>) {
        match node.kind() {
            AstKind::IdentifierReference(name) => self.name(name, 0),
            AstKind::StaticMemberExpression(member) => {
                self.expression(&member.object, 0);
                self.member(member.property.name.as_str());
            }
            AstKind::ComputedMemberExpression(member) => {
                self.expression(&member.object, 0);
                self.expression(&member.expression, 0);
            }
            AstKind::CallExpression(call) => self.call(&call.callee, &call.arguments, 0),
            AstKind::NewExpression(made) => self.call(&made.callee, &made.arguments, 0),
            AstKind::ImportExpression(import) => self.expression(&import.source, 0),
            AstKind::ImportDeclaration(import) => self.literal(import.source.value.as_str()),
            AstKind::AssignmentExpression(assigned) => {
                if let Some(member) = assigned.left.as_member_expression() {
                    self.member(member.static_property_name().unwrap_or_default());
                }
                self.expression(&assigned.right, 0);
            }
            _ => {}
        }
    }

    fn test(&mut self, node: &AstNode<'a>) {
        let (test, word) = match node.kind() {
            AstKind::IfStatement(tested) => (&tested.test, follows(&tested.consequent)),
            AstKind::SwitchStatement(switched) => (&switched.discriminant, "switch"),
            AstKind::ConditionalExpression(either) => (&either.test, "?"),
            AstKind::UnaryExpression(unary) => (&unary.argument, unary.operator.as_str()),
            AstKind::LogicalExpression(logical) => {
                self.expression(&logical.left, 0);
                (&logical.right, logical.operator.as_str())
            }
            AstKind::BinaryExpression(binary) => {
                self.expression(&binary.left, 0);
                (&binary.right, binary.operator.as_str())
            }
            _ => return self.itself(node),
        };
        self.text.push_str(word);
        self.expression(test, 0);
    }

    /// Writes down what `outer` does with `inner`, and says whether more may be done with what that comes to.
    fn goes_on(&mut self, inner: &AstNode<'a>, outer: &AstNode<'a>) -> bool {
        let span = inner.kind().span();
        match outer.kind() {
            AstKind::CallExpression(call) if call.callee.span() == span => {
                self.arguments(&call.arguments, 0);
                // Of what was read it counts where it goes; an answer is what a use gives and not what it is given.
                return self.capability.group() == Group::Data;
            }
            AstKind::NewExpression(made) if made.callee.span() == span => self.arguments(&made.arguments, 0),
            AstKind::CallExpression(call) => {
                self.text.push('→');
                self.expression(&call.callee, 1);
                return false;
            }
            AstKind::StaticMemberExpression(member) => self.member(member.property.name.as_str()),
            AstKind::ComputedMemberExpression(member) if member.object.span() == span => {
                self.expression(&member.expression, 1);
            }
            AstKind::AssignmentExpression(assigned) => {
                if assigned.left.span() == span {
                    self.text.push('=');
                    self.expression(&assigned.right, 0);
                    self.listener(&assigned.right);
                }
                return false;
            }
            AstKind::BinaryExpression(binary) => return binary.operator == BinaryOperator::Addition,
            AstKind::ChainExpression(_)
            | AstKind::SequenceExpression(_)
            | AstKind::LogicalExpression(_)
            | AstKind::ConditionalExpression(_)
            | AstKind::TemplateLiteral(_)
            | AstKind::ArrayExpression(_)
            | AstKind::ObjectProperty(_)
            | AstKind::ObjectExpression(_) => {}
            _ => return false,
        }
        true
    }

    fn call(&mut self, callee: &'a Expression<'a>, arguments: &'a [Argument<'a>], depth: usize) {
        self.expression(callee, depth);
        self.arguments(arguments, depth);
        if self.capability == Capability::Location {
            self.of_function(callee);
        }
    }

    /// What is done with what people type, where it is listened to.
    fn listener(&mut self, listener: &'a Expression<'a>) {
        if matches!(
            self.capability,
            Capability::KeyListener | Capability::FormListener | Capability::Clipboard
        ) {
            self.of_function(listener);
        }
    }

    /// What a function gives back that is called there, or handed on, and what those do that it calls for it.
    fn gives_back(&mut self, function: Callable<'a>, depth: usize) {
        if self.is_inside || self.capability == Capability::Location || self.given_back == GIVEN_BACK {
            return;
        }
        let left = if self.given_back == 0 { std::mem::replace(&mut self.left, BRIEF) } else { 0 };
        self.given_back += 1;
        let given = self.look.given_back().get(&function.span().start).map(Vec::as_slice).unwrap_or_default();
        for (at, one) in given.iter().enumerate() {
            if self.is_beyond(depth) {
                self.rest(function.span(), at, given.iter().skip(at).map(|rest| rest.span()));
                break;
            }
            self.text.push('←');
            self.expression(one, depth);
        }
        self.given_back -= 1;
        if self.given_back == 0 {
            self.left = left;
        }
    }

    fn of_function(&mut self, expression: &'a Expression<'a>) {
        if !self.is_inside
            && let Some(function) = self.look.function_of(expression)
        {
            self.does(function);
        }
    }

    /// What a function calls, sets, asks and gives back, in whatever order, and whatever it is called.
    fn does(&mut self, function: Callable<'a>) {
        self.all.push(function.span());
        let mut all = BTreeSet::new();
        for node in self.look.inside(function) {
            let mut one = Given { left: BRIEF, is_inside: true, ..Given::of(self.look, self.capability) };
            one.done(node);
            if !one.text.is_empty() {
                all.insert(one.text);
            }
            if all.len() >= DONE {
                break;
            }
        }
        self.text.push('{');
        self.text.extend(all.iter().flat_map(|one| [one, ";"]));
        self.text.push('}');
    }

    fn done(&mut self, node: &AstNode<'a>) {
        match node.kind() {
            AstKind::CallExpression(_) | AstKind::NewExpression(_) | AstKind::AssignmentExpression(_) => {
                self.itself(node);
            }
            AstKind::ArrowFunctionExpression(arrow) => {
                if let Some(expression) = arrow.get_expression() {
                    self.expression(expression, 0);
                }
            }
            AstKind::ReturnStatement(statement) if self.capability == Capability::Location => {
                if let Some(argument) = &statement.argument {
                    self.expression(argument, 0);
                }
            }
            AstKind::IfStatement(_) if self.capability == Capability::Location => self.test(node),
            _ => {}
        }
    }

    fn arguments(&mut self, arguments: &'a [Argument<'a>], depth: usize) {
        self.text.push('(');
        for (at, argument) in arguments.iter().enumerate() {
            if let [first, .., last] = arguments
                && self.is_beyond(depth)
            {
                let all = Span::new(first.span().start, last.span().end);
                self.rest(all, at, arguments.iter().skip(at).map(|rest| rest.span()));
                break;
            }
            match (argument.as_expression(), argument) {
                (Some(argument), _) => {
                    self.expression(argument, depth);
                    self.listener(argument);
                }
                (None, Argument::SpreadElement(spread)) => self.expression(&spread.argument, depth),
                (None, _) => {}
            }
            self.text.push(',');
        }
        self.text.push(')');
    }

    fn member(&mut self, name: &str) {
        self.named(name);
        self.text.push('.');
        self.text.push_str(if name.len() > SHORT { name } else { "_" });
    }

    fn named(&mut self, name: &str) {
        self.is_of_people |= of_member(name).is_some_and(|of| of.group() == Group::Data)
            || matches!(of_text(name), Some(Capability::CardField | Capability::PasswordField));
    }

    fn literal(&mut self, text: &str) {
        if self.capability.group() == Group::Network {
            self.goes_to(text);
        }
        self.text.push('"');
        let is_html = matches!(self.capability, Capability::Html | Capability::DocumentWrite);
        if is_html {
            // Of markup, what loads or runs.
            const TELLING: [&str; 9] = [
                "<script",
                "<iframe",
                "<form",
                "<object",
                "<embed",
                "src=",
                "srcdoc",
                "javascript:",
                "onerror",
            ];
            let text = text.to_ascii_lowercase();
            self.text.extend(TELLING.into_iter().filter(|telling| text.contains(telling)));
        } else {
            self.numbered(text);
        }
        self.text.push('"');
    }

    fn goes_to(&mut self, text: &str) {
        for named in hosts_in(text).take(HOSTS) {
            let host = named.host.into();
            if self.to.len() < HOSTS && !self.to.contains(&host) {
                self.to.push(host);
            }
        }
    }

    /// Versions and numbers in addresses are others in each version; those of accounts are longer, and tell one from another.
    fn numbered(&mut self, text: &str) {
        let is_digit = |char: char| char.is_ascii_digit();
        let is_test = self.capability == Capability::Location;
        let mut rest = text;
        while let Some(at) = rest.find(is_digit) {
            let (before, numbers) = rest.split_at(at);
            let (number, behind) =
                numbers.split_at(numbers.find(|char| !is_digit(char)).unwrap_or(numbers.len()));
            self.text.push_str(before);
            self.text.push_str(if is_test || number.len() >= ACCOUNT { number } else { "#" });
            rest = behind;
        }
        self.text.push_str(rest);
    }

    fn expression(&mut self, expression: &'a Expression<'a>, depth: usize) {
        let Some(left) = self.left.checked_sub(1).filter(|_| depth <= DEEPEST) else {
            return if self.is_inside { self.text.push('…') } else { self.cut(expression.span()) };
        };
        self.left = left;
        let depth = depth + 1;
        match self.value(expression) {
            Value::Text(text) => {
                self.literal(&text);
                return self.filled(expression);
            }
            Value::Global(path) => {
                self.is_of_people |= of_global(&path).is_some_and(|of| of.group() == Group::Data);
                self.named(path.rsplit('.').next().unwrap_or_default());
                self.text.push_str(&path);
                // It may be something else too.
                return of_members(expression).into_iter().for_each(|name| self.origins(name));
            }
            Value::Undefined => {
                self.text.push('#');
                return of_members(expression).into_iter().for_each(|name| self.origins(name));
            }
            Value::Number(_) | Value::Bool(_) => {
                self.text.push('#');
                return self.filled(expression);
            }
            Value::Function(function) => {
                self.text.push('ƒ');
                self.gives_back(function, depth);
                return self.origins_of_member(expression);
            }
            Value::Unknown
            | Value::Regex { .. }
            | Value::Array(_)
            | Value::Object(_)
            | Value::Builtin
            | Value::Constructor
            | Value::GlobalGetter => {}
        }
        match expression {
            Expression::Identifier(name) => self.name(name, depth),
            Expression::CallExpression(call) => self.call(&call.callee, &call.arguments, depth),
            Expression::NewExpression(made) => self.call(&made.callee, &made.arguments, depth),
            Expression::RegExpLiteral(literal) => {
                self.text.push('/');
                self.text.push_str(literal.regex.pattern.text.as_str());
            }
            Expression::ChainExpression(chain) => match &chain.expression {
                ChainElement::CallExpression(call) => self.call(&call.callee, &call.arguments, depth),
                other => self.of_member(other.as_member_expression(), depth),
            },
            Expression::BinaryExpression(sum) if sum.operator == BinaryOperator::Addition => {
                self.sum(operands(sum).into_iter().map(Ok), depth);
            }
            Expression::TemplateLiteral(template) => self.sum(parts(template), depth),
            Expression::TaggedTemplateExpression(tagged) => {
                self.expression(&tagged.tag, depth);
                self.sum(parts(&tagged.quasi), depth);
            }
            Expression::BinaryExpression(binary) => {
                self.expression(&binary.left, depth);
                self.text.push_str(binary.operator.as_str());
                self.expression(&binary.right, depth);
            }
            Expression::LogicalExpression(logical) => {
                self.expression(&logical.left, depth);
                self.text.push_str(logical.operator.as_str());
                self.expression(&logical.right, depth);
            }
            Expression::ConditionalExpression(either) => {
                self.expression(&either.test, depth);
                self.text.push('?');
                self.expression(&either.consequent, depth);
                self.text.push('|');
                self.expression(&either.alternate, depth);
            }
            Expression::SequenceExpression(sequence) => {
                if let Some(last) = sequence.expressions.last() {
                    self.expression(last, depth);
                }
            }
            Expression::AssignmentExpression(assigned) => self.expression(&assigned.right, depth),
            Expression::AwaitExpression(awaited) => self.expression(&awaited.argument, depth),
            Expression::ImportExpression(import) => self.expression(&import.source, depth),
            Expression::UnaryExpression(unary) => {
                self.text.push_str(unary.operator.as_str());
                self.expression(&unary.argument, depth);
            }
            Expression::ObjectExpression(object) => {
                for (at, property) in object.properties.iter().enumerate() {
                    if self.is_beyond(depth) {
                        let rest = object.properties.iter().skip(at).map(|rest| rest.span());
                        return self.rest(object.span, at, rest);
                    }
                    self.property(property, depth);
                }
            }
            Expression::ArrayExpression(array) => {
                let elements = array.elements.iter().filter_map(|element| match element {
                    ArrayExpressionElement::SpreadElement(spread) => Some(&spread.argument),
                    element => element.as_expression(),
                });
                for (at, element) in elements.clone().enumerate() {
                    if self.is_beyond(depth) {
                        return self.rest(array.span, at, elements.skip(at).map(|rest| rest.span()));
                    }
                    self.expression(element, depth);
                    self.text.push(',');
                }
            }
            other => self.of_member(other.as_member_expression(), depth),
        }
    }

    /// What it comes to: a global, though the variable may be something else too, which is written with it, and of all else what is
    /// nothing else.
    fn value(&self, expression: &'a Expression<'a>) -> Value<'a> {
        match self.look.folder.one_value(expression) {
            (global @ Value::Global(_), _) if of_members(expression).is_some() => global,
            (value, false) => value,
            (_, true) => Value::Unknown,
        }
    }

    /// What goes beyond the bounds, as it stands there but for local names: a difference there is rather seen twice than not at all.
    fn cut(&mut self, span: Span) {
        let brief = self.look.brief(span);
        self.text.push_str(&format!("…{brief:x}"));
    }

    fn is_beyond(&self, depth: usize) -> bool {
        self.left == 0 || depth > DEEPEST
    }

    /// The members of a list that go beyond the bounds: read once for all uses that are given it.
    fn rest(&mut self, list: Span, from: usize, rest: impl Iterator<Item = Span>) {
        if self.is_inside {
            return self.text.push('…');
        }
        let known = self.look.rests.borrow().get(&(list, from)).copied();
        let rest = known.unwrap_or_else(|| hash_each(rest.map(|span| self.look.brief(span))));
        self.look.rests.borrow_mut().insert((list, from), rest);
        self.text.push_str(&format!("…{rest:x}"));
    }

    fn of_member(&mut self, member: Option<&'a MemberExpression<'a>>, depth: usize) {
        match member {
            Some(MemberExpression::ComputedMemberExpression(member)) => {
                self.expression(&member.object, depth);
                self.text.push('[');
                self.expression(&member.expression, depth);
            }
            Some(MemberExpression::StaticMemberExpression(member)) => {
                let key = member.property.name.as_str();
                match member.object.get_identifier_reference() {
                    Some(name) if self.look.is_read_alone(name.span) => self.alone(name, key, depth),
                    Some(_) | None => self.expression(&member.object, depth),
                }
                self.member(key);
            }
            Some(MemberExpression::PrivateFieldExpression(_)) | None => self.text.push('?'),
        }
    }

    fn property(&mut self, property: &'a ObjectPropertyKind<'a>, depth: usize) {
        match property {
            ObjectPropertyKind::ObjectProperty(property) => {
                match (property.key.static_name(), property.key.as_expression()) {
                    (None, Some(key)) => self.expression(key, depth),
                    (name, _) => self.member(name.as_deref().unwrap_or_default()),
                }
                self.text.push(':');
                self.expression(&property.value, depth);
            }
            ObjectPropertyKind::SpreadProperty(spread) => self.expression(&spread.argument, depth),
        }
    }

    /// A name is what it stands for, in whatever order that was written.
    fn name(&mut self, name: &'a IdentifierReference<'a>, depth: usize) {
        let Some(symbol) = symbol_of(self.look.folder.scoping, name) else {
            return self.text.push_str(name.name.as_str());
        };
        let before = std::mem::take(&mut self.text);
        let mut ways = BTreeSet::new();
        for binding in self.look.folder.bindings.of_symbol(symbol) {
            match binding {
                Binding::Expression(expression) => self.expression(expression, depth),
                Binding::Member(expression, name) => {
                    self.expression(expression, depth);
                    self.member(name);
                }
                Binding::Function(_) => self.text.push('ƒ'),
                Binding::Open => {}
            }
            ways.insert(std::mem::take(&mut self.text));
        }
        self.text = before;
        self.text.push('$');
        self.text.extend(ways.iter().filter(|way| !way.is_empty()).map(String::as_str));
        self.origins(name);
    }

    /// Of what an object is bound to, the member that is read.
    fn alone(&mut self, name: &'a IdentifierReference<'a>, key: &str, depth: usize) {
        self.text.push('$');
        let symbol = symbol_of(self.look.folder.scoping, name);
        let bound = symbol.map(|symbol| self.look.folder.bindings.of_symbol(symbol)).unwrap_or_default();
        for binding in bound {
            let Binding::Expression(Expression::ObjectExpression(object)) = binding else { continue };
            let mut members = object.properties.iter().take(PARTS);
            let member = members.find_map(|property| match property {
                ObjectPropertyKind::ObjectProperty(property) => Some(property)
                    .filter(|property| property.key.static_name().is_some_and(|name| name == key)),
                ObjectPropertyKind::SpreadProperty(_) => None,
            });
            if let Some(member) = member {
                self.expression(&member.value, depth);
            }
        }
        self.origins(name);
    }

    /// What a function comes from that is a member, which may be run where it is read.
    fn origins_of_member(&mut self, expression: &'a Expression<'a>) {
        if expression.is_member_expression() {
            of_members(expression).into_iter().for_each(|name| self.origins(name));
        }
    }

    /// What is written into an object after it was made, where what a member of it was then is known.
    fn filled(&mut self, expression: &'a Expression<'a>) {
        if self.capability != Capability::Location
            && expression.is_member_expression()
            && let Some(filled) = of_members(expression).and_then(|name| self.look.filled(name))
        {
            self.text.push_str(&format!("={filled:x}"));
        }
    }

    /// What a variable comes from besides what it is bound to: a default, a loop, what is put into it.
    fn origins(&mut self, name: &IdentifierReference<'a>) {
        let is_local = symbol_of(self.look.folder.scoping, name).is_some();
        if is_local && self.capability != Capability::Location {
            self.text.push_str(&self.look.nearly_called(name.span));
        }
    }

    /// A text that is put together: literals next to each other are one.
    fn sum(&mut self, parts: impl Iterator<Item = Result<&'a Expression<'a>, &'a str>>, depth: usize) {
        let mut known = String::new();
        for part in parts {
            let text = match part {
                Ok(part) => self.look.folder.only_value(part).to_text(),
                Err(text) => Some(text.to_owned()),
            };
            match (text, part) {
                (Some(text), _) => known.push_str(&text),
                (None, Ok(part)) => {
                    self.literal(&std::mem::take(&mut known));
                    self.expression(part, depth);
                }
                (None, Err(_)) => {}
            }
        }
        self.literal(&known);
    }
}

/// The name whose member it is, or of that a member, and so on.
fn of_members<'a>(mut expression: &'a Expression<'a>) -> Option<&'a IdentifierReference<'a>> {
    while let Some(member) = expression.as_member_expression() {
        expression = member.object();
    }
    expression.get_identifier_reference()
}

/// Texts and expressions of a template, in order.
fn parts<'a>(template: &'a TemplateLiteral<'a>) -> impl Iterator<Item = Result<&'a Expression<'a>, &'a str>> {
    template.quasis.iter().enumerate().flat_map(|(at, quasi)| {
        let text = quasi.value.cooked.as_ref().map(|cooked| cooked.as_str()).unwrap_or_default();
        [Some(Err(text)), template.expressions.get(at).map(Ok)].into_iter().flatten()
    })
}
