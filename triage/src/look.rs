//! Looks at every node of a script once: which capabilities it names, and which texts it holds.

mod called;
mod calls;
mod conditions;
mod equal;
mod functions;
mod given;
mod guards;
mod members;
mod returns;
mod texts;
mod windows;
mod written;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use oxc_ast::AstKind;
use oxc_ast::ast::{
    AssignmentExpression, AssignmentTarget, AssignmentTargetProperty, CallExpression, Expression,
    ObjectAssignmentTarget, ObjectPattern, PropertyKey,
};
use oxc_semantic::{AstNode, NodeId, Semantic};
use oxc_span::{GetSpan as _, Span};
use oxc_syntax::operator::{BinaryOperator, UnaryOperator};
use rustc_hash::FxHashMap;

use crate::capability::{Capability, Group, of_global, of_member};
use crate::findings::{NotAnalysed, Site, bounded};
use crate::fold::{Env, Folder};
use crate::guard::Guard;
use crate::limits::Limits;
use crate::lines::Lines;
use crate::locals::Locals;
use crate::value::{Callable, Value};

pub(crate) use self::called::{Called, Origin};
use self::conditions::Exits;
pub(crate) use self::equal::{sites, to_name, without_equal};
use self::functions::{LOOKED_INTO, Listener};
use self::given::GivenTo;
pub(crate) use self::given::{ACCOUNT, SHORT, hash};
use self::returns::GivenBack;
use self::windows::OwnPost;

/// Places of one capability that are remembered.
const REMEMBERED: usize = 2000;
/// Strings inside of strings that are read as code.
pub(crate) const NESTED: usize = 3;

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) uses: HashMap<Capability, Vec<Use>>,
    pub(crate) guards: HashMap<Guard, Vec<Use>>,
    /// Each text that the script holds or comes to.
    pub(crate) texts: Vec<Held>,
    /// Bytes of them.
    text_bytes: usize,
    /// Why not all was seen, if it was not.
    pub(crate) cut_short: Option<NotAnalysed>,
    /// What each local variable is bound to, by its number, where that is followed.
    pub(crate) bound: FxHashMap<u32, Vec<Span>>,
    /// What each is, where somebody asked.
    pub(crate) called: Option<Called>,
}

/// A place where something is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) site: Site,
    /// What stands for all that it is given.
    pub(crate) given: u64,
    /// Whether what is used was named before: it is no further use.
    pub(crate) is_later: bool,
    /// Whether it is hidden, or given what people type or pages keep: shown first of many.
    pub(crate) is_telling: bool,
    /// Where the innermost function around it begins; nothing outside of functions.
    pub(crate) function: Option<u32>,
    /// Hosts that it goes to, as far as what it is given names them.
    pub(crate) to: Vec<Box<str>>,
    /// Where it stands in the text of the script; nowhere, if it is in a string.
    pub(crate) at: Option<Stands>,
}

/// Where a use stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stands {
    /// Where what is shown of it is.
    pub(crate) start: u32,
    /// All of it, and the functions that were looked into.
    pub(crate) all: Vec<Span>,
}

/// A text that the script holds or comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// The line it is at.
    pub(crate) line: usize,
    /// Where the innermost function around it begins.
    pub(crate) function: Option<u32>,
    pub(crate) text: Box<str>,
}

/// How the code that is looked at came to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inside {
    /// Strings around it.
    pub(crate) strings: usize,
    /// The line of the outermost one.
    pub(crate) line: Option<usize>,
    /// Where the function around that begins.
    pub(crate) function: Option<u32>,
}

impl Inside {
    pub(crate) const NOTHING: Self = Self { strings: 0, line: None, function: None };
}

/// Looks at a formatted script.
pub(crate) fn look(text: &str, semantic: &Semantic<'_>, locals: &Locals, limits: &Limits) -> Seen {
    look_inside(text, semantic, locals, limits, Inside::NOTHING)
}

fn look_inside(
    text: &str,
    semantic: &Semantic<'_>,
    locals: &Locals,
    limits: &Limits,
    inside: Inside,
) -> Seen {
    let is_over = || limits.is_over();
    let folder = Folder::new(semantic, &is_over);
    let mut look = Look {
        semantic,
        folder,
        lines: Lines::of(text),
        locals,
        called: OnceCell::new(),
        briefs: RefCell::default(),
        rests: RefCell::default(),
        given_back: OnceCell::new(),
        exits: OnceCell::new(),
        this: OnceCell::new(),
        limits,
        inside,
        node: NodeId::ROOT,
        functions: Vec::new(),
        seen: Seen::default(),
        covered: Vec::new(),
        withs: 0,
        read_as_code: 0,
        methods: OnceCell::new(),
        calls: OnceCell::new(),
        looked_into: Cell::new(LOOKED_INTO),
        own_posts: Vec::new(),
        listeners: Vec::new(),
        checks: Vec::new(),
    };
    for (at, node) in semantic.nodes().iter().enumerate() {
        if at.is_multiple_of(256) && limits.is_over() {
            look.seen.cut_short = Some(NotAnalysed::TimeOver);
            break;
        }
        look.folder.begin();
        look.node(node);
    }
    look.unchecked_listeners();
    look.sent_by_others();
    look.sent_to_itself();
    if look.folder.is_empty() {
        look.seen.cut_short.get_or_insert(NotAnalysed::TooMuch);
    }
    if inside.strings == 0 {
        look.seen.bound = look.bound();
        look.seen.called = look.called.take();
    }
    look.seen
}

struct Look<'a, 's> {
    semantic: &'s Semantic<'a>,
    folder: Folder<'a, 's>,
    lines: Lines<'s>,
    locals: &'s Locals,
    /// What each local variable is, by its number, once somebody asks.
    called: OnceCell<Called>,
    /// What texts come to that go beyond the bounds.
    briefs: RefCell<FxHashMap<Span, u64>>,
    /// What members of a list come to that go beyond the bounds, from one of them on.
    rests: RefCell<FxHashMap<(Span, usize), u64>>,
    /// What each function gives back, once somebody asks.
    given_back: OnceCell<GivenBack<'a>>,
    /// Where blocks are left by a test, once somebody asks.
    exits: OnceCell<Exits>,
    /// Where `this` stands, once somebody asks.
    this: OnceCell<Vec<u32>>,
    limits: &'s Limits,
    inside: Inside,
    /// The one that is looked at.
    node: NodeId,
    /// The functions around it.
    functions: Vec<Span>,
    seen: Seen,
    /// Where every text is part of one that was seen.
    covered: Vec<Span>,
    /// Where the last `with` ends.
    withs: u32,
    read_as_code: usize,
    /// The functions that are members, by their names, once somebody asks.
    methods: OnceCell<HashMap<&'a str, Option<Callable<'a>>>>,
    /// Calls of methods, by their names, once somebody asks.
    calls: OnceCell<HashMap<&'a str, Vec<&'a CallExpression<'a>>>>,
    /// Nodes of functions that may still be looked at.
    looked_into: Cell<usize>,
    /// Messages that go to the own window, unless something else is put in its place.
    own_posts: Vec<OwnPost>,
    listeners: Vec<Listener<'a>>,
    /// Where it is checked from where a message comes, in order once all was seen.
    checks: Vec<u32>,
}

impl<'a> Look<'a, '_> {
    fn node(&mut self, node: &AstNode<'a>) {
        self.node = node.id();
        self.enter(node);
        self.guards(node);
        match node.kind() {
            AstKind::IdentifierReference(name) => {
                if let Some(path) = self.folder.global_name(name) {
                    self.named(node, &path, name.span, false);
                    self.in_with(&path, name.span);
                }
            }
            AstKind::StaticMemberExpression(member) => {
                let object = self.folder.value(&member.object);
                let name = member.property.name.as_str();
                self.member(node, &object, Some(name), member.span, false);
                self.maker(node, name, member.span);
            }
            AstKind::ComputedMemberExpression(member) => {
                let object = self.folder.value(&member.object);
                let key = self.folder.value(&member.expression);
                let plain =
                    matches!(member.expression, Expression::StringLiteral(_) | Expression::NumericLiteral(_));
                let name = key.to_text();
                self.member(node, &object, name.as_deref(), member.span, !plain);
                self.text_of_member(&object, &key, member.span);
            }
            AstKind::ObjectPattern(pattern) => self.taken_apart(node, pattern),
            AstKind::WithStatement(with) => {
                self.withs = self.withs.max(with.span.end);
                self.at(Capability::UnknownGlobal, with.span, None);
            }
            AstKind::AssignmentExpression(assigned) => self.assigned(node, assigned),
            AstKind::CallExpression(call) => self.call(node, call),
            AstKind::NewExpression(made) => self.made(made),
            AstKind::ImportExpression(import) => self.at(Capability::DynamicImport, import.span, None),
            AstKind::ImportDeclaration(import) => self.at(Capability::DynamicImport, import.span, None),
            AstKind::ExportAllDeclaration(export) => self.at(Capability::DynamicImport, export.span, None),
            AstKind::DebuggerStatement(statement) => self.at(Capability::Debugger, statement.span, None),
            AstKind::BinaryExpression(binary) => self.binary(node, binary),
            AstKind::TemplateLiteral(template) => self.template(template),
            AstKind::StringLiteral(literal) => self.text(literal.value.as_str(), literal.span),
            AstKind::RegExpLiteral(literal) => {
                self.pattern(literal.regex.pattern.text.as_str(), literal.span);
            }
            AstKind::ArrayExpression(array) => self.array(array),
            _ => {}
        }
    }

    /// Nodes come in the order in which they begin.
    fn enter(&mut self, node: &AstNode<'a>) {
        let span = node.kind().span();
        while self.functions.last().is_some_and(|around| around.end <= span.start) {
            self.functions.pop();
        }
        if matches!(node.kind(), AstKind::Function(_) | AstKind::ArrowFunctionExpression(_)) {
            self.functions.push(span);
        }
    }

    /// Where the innermost function begins around what is looked at; of code in a string, around that.
    fn function(&self) -> Option<u32> {
        match self.inside.strings {
            0 => self.functions.last().map(|around| around.start),
            _ => self.inside.function,
        }
    }

    /// `document.createElement` that is handed to what calls it: nobody knows with which name.
    fn maker(&mut self, node: &AstNode<'a>, name: &str, span: Span) {
        if matches!(name, "createElement" | "createElementNS")
            && let AstKind::CallExpression(call) = self.semantic.nodes().parent_kind(node.id())
            && call.callee.span() != span
            && self.folder.value(&call.callee).as_global().is_none()
        {
            self.at(Capability::UnknownElement, span, None);
        }
    }

    /// Inside of `with`, a name may be a member of anything.
    fn in_with(&mut self, name: &str, span: Span) {
        if span.start < self.withs
            && let Some(capability) = of_member(name)
        {
            self.at(capability, span, None);
        }
    }

    /// `{ fetch: f }`, where something is taken apart.
    fn taken_apart(&mut self, node: &AstNode<'a>, pattern: &'a ObjectPattern<'a>) {
        let init = self.folder.bindings.taken_apart.get(&pattern.span).copied();
        let object = init.map_or(Value::Unknown, |init| self.folder.value(init));
        for property in &pattern.properties {
            self.property(node, &object, &property.key, property.span);
        }
    }

    fn property(&mut self, node: &AstNode<'a>, object: &Value<'a>, key: &'a PropertyKey<'a>, span: Span) {
        match key.static_name() {
            Some(name) => self.member(node, object, Some(&name), span, false),
            None => {
                let name = key.as_expression().and_then(|name| self.folder.value(name).to_text());
                self.member(node, object, name.as_deref(), span, true);
            }
        }
    }

    /// A name without an object before it.
    fn named(&mut self, node: &AstNode<'a>, path: &Rc<str>, span: Span, hidden: bool) {
        let of_path = of_global(path)
            .or_else(|| (&**path == "location" && self.is_text(node, span)).then_some(Capability::Location));
        let Some(capability) = of_path else { return };
        if !self.is_used(node, capability, span) {
            return;
        }
        let means = self.lines_other_than(span, path);
        if hidden {
            self.at(Capability::HiddenGlobal, span, means.clone());
        }
        let capability = if capability == Capability::Location && self.is_assigned(node, span) {
            Capability::Navigation
        } else {
            capability
        };
        self.at(capability, span, means);
    }

    /// A member, by a name that is written or worked out.
    fn member(
        &mut self,
        node: &AstNode<'a>,
        object: &Value<'a>,
        name: Option<&str>,
        span: Span,
        computed: bool,
    ) {
        let Some(name) = name else {
            // Of what is not known nobody expects that its members are.
            if object
                .as_global()
                .is_some_and(|path| matches!(&**path, "" | "document" | "navigator" | "location"))
            {
                self.at(Capability::UnknownGlobal, span, None);
            }
            return;
        };
        let value = self.folder.member_of(object, name, &mut Env::new());
        match value.as_global() {
            Some(path) if of_global(path).is_some() => self.named(node, path, span, computed),
            _ => {
                // Who puts the name of a global together has the global in hand, whatever holds it.
                let put_together = of_global(name).filter(|capability| {
                    computed && !matches!(capability, Capability::Navigation | Capability::Location)
                });
                let Some(capability) = of_member(name).or(put_together) else { return };
                if computed {
                    self.at(Capability::HiddenGlobal, span, Some(name.into()));
                }
                self.at(capability, span, computed.then(|| name.into()));
            }
        }
    }

    /// Whether a name is used, and not only asked for: `typeof fetch`, `x instanceof Function`. What is asked of the
    /// environment is asked.
    fn is_used(&self, node: &AstNode<'a>, capability: Capability, span: Span) -> bool {
        let parent = self.semantic.nodes().parent_kind(node.id());
        match capability.group() {
            Group::Network | Group::Code | Group::Obfuscation => {}
            Group::Data | Group::Environment => return true,
        }
        let called = match parent {
            AstKind::UnaryExpression(unary) => return unary.operator != UnaryOperator::Typeof,
            AstKind::BinaryExpression(binary) => return binary.operator == BinaryOperator::Addition,
            AstKind::CallExpression(call) => call.callee.span() == span,
            _ => false,
        };
        match capability {
            // A method of many things.
            Capability::Navigation => called || self.is_handed_on(node, span),
            Capability::FunctionConstructor => match parent {
                AstKind::StaticMemberExpression(member) => {
                    matches!(member.property.name.as_str(), "call" | "apply" | "bind")
                }
                AstKind::ComputedMemberExpression(member) => {
                    let name = self.folder.value(&member.expression).to_text();
                    name.is_none_or(|name| matches!(&*name, "call" | "apply" | "bind"))
                }
                _ => true,
            },
            _ => true,
        }
    }

    /// Whether a function is kept under another name, or given to what calls it.
    fn is_handed_on(&self, node: &AstNode<'a>, span: Span) -> bool {
        match self.semantic.nodes().parent_kind(node.id()) {
            AstKind::StaticMemberExpression(member) => {
                matches!(member.property.name.as_str(), "call" | "apply" | "bind")
            }
            AstKind::AssignmentExpression(assigned) => assigned.right.span() == span,
            AstKind::VariableDeclarator(_)
            | AstKind::CallExpression(_)
            | AstKind::ArrayExpression(_)
            | AstKind::ObjectProperty(_) => true,
            _ => false,
        }
    }

    /// Whether it is made a text, or handed to what makes it one.
    fn is_text(&self, node: &AstNode<'a>, span: Span) -> bool {
        match self.semantic.nodes().parent_kind(node.id()) {
            AstKind::CallExpression(call) => call.callee.span() != span,
            AstKind::BinaryExpression(_) | AstKind::TemplateLiteral(_) => true,
            _ => false,
        }
    }

    fn is_assigned(&self, node: &AstNode<'a>, span: Span) -> bool {
        match self.semantic.nodes().parent_kind(node.id()) {
            AstKind::AssignmentExpression(assigned) => assigned.left.span() == span,
            _ => false,
        }
    }

    fn assigned(&mut self, node: &AstNode<'a>, assigned: &'a AssignmentExpression<'a>) {
        let span = assigned.left.span();
        if let AssignmentTarget::AssignmentTargetIdentifier(name) = &assigned.left {
            let global = self.folder.global_name(name);
            match global.as_deref() {
                Some("location") => self.at(Capability::Navigation, span, None),
                Some("onmessage") => self.hears(&assigned.right, span.start),
                Some(_) | None => {}
            }
            return;
        }
        if let AssignmentTarget::ObjectAssignmentTarget(target) = &assigned.left {
            return self.assigned_apart(node, target, &assigned.right);
        }
        let Some(member) = assigned.left.as_member_expression() else { return };
        let Some((object, name)) = self.folder.method(member, &mut Env::new()) else { return };
        match (&object, &*name) {
            (Value::Global(path), "onmessage") if path.is_empty() => self.hears(&assigned.right, span.start),
            (Value::Global(path), "location") if matches!(&**path, "" | "document") => {
                self.at(Capability::Navigation, span, None);
            }
            (_, "action") if self.folder.value(&assigned.right).as_text().is_some() => {
                self.at(Capability::Form, span, None);
            }
            (_, "src" | "srcset") if self.is_new_image(member.object()) => {}
            (_, "src" | "srcset" | "ping") => self.at(Capability::Resource, span, None),
            _ => {}
        }
    }

    /// `new Image`, which is a fact of its own: that it loads something is the same fact.
    fn is_new_image(&self, object: &'a Expression<'a>) -> bool {
        match object.get_inner_expression() {
            Expression::NewExpression(made) => {
                matches!(self.folder.value(&made.callee), Value::Global(path) if &*path == "Image")
            }
            _ => false,
        }
    }

    /// `({ fetch: f } = window)`
    fn assigned_apart(
        &mut self,
        node: &AstNode<'a>,
        target: &'a ObjectAssignmentTarget<'a>,
        right: &'a Expression<'a>,
    ) {
        let object = self.folder.value(right);
        for property in &target.properties {
            match property {
                AssignmentTargetProperty::AssignmentTargetPropertyIdentifier(short) => {
                    self.member(node, &object, Some(short.binding.name.as_str()), short.span, false);
                }
                AssignmentTargetProperty::AssignmentTargetPropertyProperty(named) => {
                    self.property(node, &object, &named.name, named.span);
                }
            }
        }
    }

    /// What a place means, where that does not stand there.
    fn lines_other_than(&self, span: Span, path: &str) -> Option<Box<str>> {
        let written = self.lines.slice(span);
        let last = path.rsplit('.').next().unwrap_or(path);
        (!written.ends_with(last)).then(|| path.into())
    }

    /// Notes that something is done at a place.
    fn at(&mut self, capability: Capability, span: Span, means: Option<Box<str>>) {
        self.used(capability, span, means, false);
    }

    /// Notes what is given to something that was named before.
    fn later(&mut self, capability: Capability, span: Span) {
        self.used(capability, span, None, true);
    }

    fn used(
        &mut self,
        capability: Capability,
        span: Span,
        means: Option<Box<str>>,
        is_later: bool,
    ) -> Option<&mut Use> {
        if self.seen.uses.get(&capability).is_some_and(|uses| uses.len() >= REMEMBERED) {
            self.seen.cut_short.get_or_insert(NotAnalysed::TooMuch);
            return None;
        }
        let GivenTo { given, is_of_people, to, all } = self.given(capability, self.node, means.as_deref());
        let is_telling = is_of_people || means.is_some();
        let site = self.site(span.start, means.map(|means| bounded(&means, 60)));
        let function = self.function();
        let at = (self.inside.strings == 0).then_some(Stands { start: span.start, all });
        let used = Use { site, given, is_later, is_telling, function, to, at };
        let uses = self.seen.uses.entry(capability).or_default();
        uses.push(used);
        uses.last_mut()
    }

    /// A use of which it is not read where it goes.
    fn unread(&self, start: u32, given: u64) -> Use {
        let (site, function) = (self.site(start, None), self.function());
        Use { site, given, is_later: false, is_telling: false, function, to: Vec::new(), at: None }
    }

    fn site(&self, start: u32, means: Option<Box<str>>) -> Site {
        let line = self.inside.line.unwrap_or_else(|| self.lines.line(start));
        let in_string = self.inside.strings > 0;
        Site {
            line,
            excerpt: self.lines.excerpt(start),
            means,
            in_string,
            differs: None,
            origins: Vec::new(),
            are_more_origins: false,
        }
    }
}
