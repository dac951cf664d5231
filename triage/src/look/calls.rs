//! What calls do: by what they call, and with what.

use oxc_ast::ast::{
    Argument, BinaryExpression, CallExpression, Expression, NewExpression, ObjectPropertyKind,
};
use oxc_semantic::AstNode;
use oxc_span::{GetSpan as _, Span};
use oxc_syntax::operator::BinaryOperator;

use super::Look;
use crate::bindings::is_turned;
use crate::capability::{Capability, Group, of_element, of_event, of_global, of_member};
use crate::fold::Env;
use crate::operators::operands;
use crate::value::Value;

impl<'a> Look<'a, '_> {
    pub(super) fn call(&mut self, node: &AstNode<'a>, call: &'a CallExpression<'a>) {
        let callee = self.folder.value(&call.callee);
        let arguments: Vec<_> = call.arguments.iter().map(|argument| self.argument(Some(argument))).collect();
        let member = call.callee.as_member_expression();
        self.by_name(node, call, &callee, &arguments);
        self.called_later(call);
        match (callee, member.and_then(|member| self.folder.method(member, &mut Env::new()))) {
            (Value::Global(path), _) if &*path == "Reflect.apply" => {
                if let [function, _, Value::Array(list)] = arguments.as_slice() {
                    self.invoked(function, list, call.span);
                }
            }
            (_, Some((function @ Value::Global(_), method)))
                if matches!(&*method, "call" | "apply" | "bind") =>
            {
                match (&*method, arguments.as_slice()) {
                    ("apply", [_, Value::Array(list), ..]) => self.invoked(&function, list, call.span),
                    (_, [_, rest @ ..]) => self.invoked(&function, rest, call.span),
                    (_, []) => {}
                }
            }
            (function @ Value::Global(_), _) => self.invoked(&function, &arguments, call.span),
            (_, Some((_, method))) => {
                if is_turned(call) {
                    self.at(Capability::ShuffledTable, call.span, None);
                }
                self.invoked_by_name(&method, &arguments, call.span);
            }
            (_, None) => {}
        }
        // `Reflect.get(window, "fetch")`: what it gives is used where it is called.
        match self.folder.call(call, &mut Env::new()) {
            Value::Global(path) if of_global(&path).is_some() => self.named(node, &path, call.span, true),
            Value::Text(text) => self.text(&text, call.span),
            _ => {}
        }
    }

    /// Functions of the language that reach members by their names.
    fn by_name(
        &mut self,
        node: &AstNode<'a>,
        call: &'a CallExpression<'a>,
        callee: &Value<'a>,
        arguments: &[Value<'a>],
    ) {
        let Value::Global(path) = callee else { return };
        match (&**path, arguments) {
            ("Reflect.set", [object, name, ..]) => {
                let name = name.to_text();
                self.member(node, object, name.as_deref(), call.span, true);
                self.loaded_by(name.as_deref(), call.span);
            }
            (
                "Object.defineProperty"
                | "Object.getOwnPropertyDescriptor"
                | "Reflect.getOwnPropertyDescriptor"
                | "Reflect.defineProperty",
                [object, name, ..],
            ) => self.member(node, object, name.to_text().as_deref(), call.span, true),
            ("Reflect.get", [Value::Unknown, name, ..]) => {
                self.member(node, &Value::Unknown, name.to_text().as_deref(), call.span, true);
            }
            ("addEventListener", [Value::Text(event), ..]) if &**event == "message" => {
                self.listens_to_messages(call.arguments.get(1), call);
            }
            ("Object.assign", [_, sources @ ..]) => {
                for source in sources {
                    self.members_set(node, source, call.span);
                }
            }
            (
                "Object.keys"
                | "Object.values"
                | "Object.entries"
                | "Object.getOwnPropertyNames"
                | "Object.getOwnPropertyDescriptors"
                | "Reflect.ownKeys",
                [Value::Global(of), ..],
            ) if matches!(&**of, "" | "document" | "navigator") => {
                self.at(Capability::ListedGlobals, call.span, None);
            }
            ("setTimeout" | "setInterval" | "setImmediate", [first, ..]) => {
                let code = call.arguments.first().and_then(Argument::as_expression);
                if first.as_text().is_none() && code.is_some_and(is_text) {
                    self.at(Capability::StringTimer, call.span, None);
                }
            }
            _ => {}
        }
    }

    /// `Object.assign(element, { innerHTML: text })`
    fn members_set(&mut self, node: &AstNode<'a>, source: &Value<'a>, span: Span) {
        let Value::Object(source) = source else { return };
        for property in &source.properties {
            if let ObjectPropertyKind::ObjectProperty(property) = property
                && let Some(name) = property.key.static_name()
            {
                self.member(node, &Value::Unknown, Some(&name), span, false);
                self.loaded_by(Some(&name), span);
            }
        }
    }

    /// A member that makes an element load something once it is set, however it is set.
    fn loaded_by(&mut self, name: Option<&str>, span: Span) {
        if matches!(name, Some("src" | "srcset" | "ping")) {
            self.at(Capability::Resource, span, None);
        }
    }

    pub(super) fn made(&mut self, made: &'a NewExpression<'a>) {
        let Value::Global(path) = self.folder.value(&made.callee) else { return };
        match &*path {
            "Function" => self.run(&self.argument(made.arguments.last()), made.span),
            "FormData" if !made.arguments.is_empty() => {
                self.at(Capability::FormListener, made.span, None);
            }
            "Date" => {
                let [argument] = made.arguments.as_slice() else { return };
                let given = self.argument(Some(argument));
                if matches!(given, Value::Text(_) | Value::Number(_)) {
                    self.at(Capability::Date, made.span, time(&given));
                }
            }
            _ => {}
        }
    }

    /// Something of the browser is called.
    fn invoked(&mut self, function: &Value<'a>, arguments: &[Value<'a>], span: Span) {
        let Value::Global(path) = function else { return };
        let unknown = Value::Unknown;
        let (first, last) = (arguments.first().unwrap_or(&unknown), arguments.last().unwrap_or(&unknown));
        match &**path {
            "eval" | "execScript" | "document.write" | "document.writeln" => self.run(first, span),
            "Function" => self.run(last, span),
            "setTimeout" | "setInterval" | "setImmediate" => {
                if first.as_text().is_some() {
                    self.at(Capability::StringTimer, span, None);
                    self.run(first, span);
                }
            }
            path => self.invoked_by_name(path.rsplit('.').next().unwrap_or(path), arguments, span),
        }
    }

    /// A method of whatever is called.
    fn invoked_by_name(&mut self, method: &str, arguments: &[Value<'a>], span: Span) {
        let text = |at: usize| arguments.get(at).and_then(Value::to_text);
        let known = match method {
            "createElement" => element(text(0)),
            "createElementNS" => element(text(1)),
            "__lookupGetter__" | "__lookupSetter__" => text(0).and_then(|name| of_member(&name)),
            "execCommand" => text(0).and_then(|name| match &*name {
                "insertHTML" => Some(Capability::Html),
                name => of_event(name).filter(|of| *of == Capability::Clipboard),
            }),
            "addEventListener" if !arguments.is_empty() && text(0).is_none() => {
                Some(Capability::UnknownEvent)
            }
            "on" | "one" | "once" if matches!(arguments.first(), Some(Value::Object(_))) => {
                self.listens_to_each(arguments.first(), span);
                None
            }
            "addEventListener" | "attachEvent" | "on" | "one" | "once" => {
                let events = text(0).unwrap_or_default();
                self.listens_to(&events, span);
                None
            }
            "keydown" | "keyup" | "keypress" if !arguments.is_empty() => Some(Capability::KeyListener),
            "submit" if arguments.is_empty() => Some(Capability::Form),
            "requestSubmit" => Some(Capability::Form),
            "postMessage" => {
                self.posted(arguments.get(1), span);
                None
            }
            "setAttribute" | "getAttributeNode" | "createAttribute" => attribute(text(0)),
            "setAttributeNS" | "getAttributeNodeNS" | "createAttributeNS" => attribute(text(1)),
            _ => None,
        };
        if let Some(capability) = known {
            self.at(capability, span, None);
        }
    }

    /// `"keydown.menu paste"`
    fn listens_to(&mut self, events: &str, span: Span) {
        for event in events.split_whitespace().take(8) {
            let event = event.split('.').next().unwrap_or(event);
            if let Some(capability) = of_event(event.strip_prefix("on").unwrap_or(event)) {
                self.at(capability, span, None);
            }
        }
    }

    /// `{ keydown: f, paste: g }`
    fn listens_to_each(&mut self, listeners: Option<&Value<'a>>, span: Span) {
        let Some(Value::Object(listeners)) = listeners else { return };
        for property in &listeners.properties {
            if let ObjectPropertyKind::ObjectProperty(property) = property
                && let Some(events) = property.key.static_name()
            {
                self.listens_to(&events, span);
            }
        }
    }

    /// `"webdriver" in navigator`: what is asked of the environment is asked.
    fn asked(&mut self, node: &AstNode<'a>, binary: &'a BinaryExpression<'a>) {
        let Some(name) = self.folder.value(&binary.left).to_text() else { return };
        let object = self.folder.value(&binary.right);
        let Value::Global(path) = self.folder.member_of(&object, &name, &mut Env::new()) else { return };
        if of_global(&path).is_some_and(|capability| capability.group() == Group::Environment) {
            self.named(node, &path, binary.span(), false);
        }
    }

    fn argument(&self, argument: Option<&'a Argument<'a>>) -> Value<'a> {
        argument
            .and_then(Argument::as_expression)
            .map_or(Value::Unknown, |argument| self.folder.value(argument))
    }

    /// A text that is run.
    fn run(&mut self, code: &Value<'a>, span: Span) {
        if let Value::Text(code) = code {
            self.read_as_code(code, span);
        }
    }

    pub(super) fn binary(&mut self, node: &AstNode<'a>, binary: &'a BinaryExpression<'a>) {
        match binary.operator {
            BinaryOperator::Addition => self.sum(node, binary),
            BinaryOperator::In => self.asked(node, binary),
            BinaryOperator::LessThan
            | BinaryOperator::LessEqualThan
            | BinaryOperator::GreaterThan
            | BinaryOperator::GreaterEqualThan => {
                if let Some(time) = self.time(&binary.left).or_else(|| self.time(&binary.right)) {
                    self.at(Capability::Date, binary.span(), Some(time));
                }
            }
            _ => {}
        }
    }

    /// Which time a number is, where it is written down or worked out of others.
    fn time(&self, expression: &'a Expression<'a>) -> Option<Box<str>> {
        let is_number = matches!(expression, Expression::NumericLiteral(_) | Expression::BinaryExpression(_));
        if is_number { time(&self.folder.value(expression)) } else { None }
    }
}

/// An element that is made: one whose name is not known may be any.
fn element(tag: Option<String>) -> Option<Capability> {
    tag.map_or(Some(Capability::UnknownElement), |tag| of_element(&tag.to_ascii_lowercase()))
}

/// What is a text by what it is made with, whatever stands in it.
fn is_text(expression: &Expression<'_>) -> bool {
    match expression {
        Expression::TemplateLiteral(_) => true,
        Expression::BinaryExpression(sum) if sum.operator == BinaryOperator::Addition => operands(sum)
            .into_iter()
            .any(|part| matches!(part, Expression::StringLiteral(_)) || is_text_made(part)),
        other => is_text_made(other),
    }
}

fn is_text_made(expression: &Expression<'_>) -> bool {
    match expression {
        Expression::TemplateLiteral(_) => true,
        Expression::CallExpression(call) => match &call.callee {
            Expression::Identifier(name) => {
                matches!(name.name.as_str(), "atob" | "String" | "unescape" | "decodeURIComponent")
            }
            Expression::StaticMemberExpression(member) => {
                matches!(member.property.name.as_str(), "join" | "fromCharCode" | "replace" | "substring")
            }
            _ => false,
        },
        _ => false,
    }
}

/// An attribute that is set, with the prefix of its namespace or without.
fn attribute(name: Option<String>) -> Option<Capability> {
    let name = name?.to_ascii_lowercase();
    match name.rsplit(':').next().unwrap_or_default() {
        "srcdoc" => Some(Capability::Html),
        "action" | "formaction" => Some(Capability::Form),
        "src" | "srcset" | "ping" => Some(Capability::Resource),
        handler if handler.starts_with("on") && handler.len() > 4 => Some(Capability::InlineHandler),
        _ => None,
    }
}

/// A number that is a time of our days, in seconds or milliseconds since 1970.
fn time(value: &Value<'_>) -> Option<Box<str>> {
    let Value::Number(number) = value else { return None };
    let seconds = if (1.5e9..2.1e9).contains(number) {
        *number
    } else if (1.5e12..4.2e12).contains(number) {
        number / 1000.0
    } else {
        return None;
    };
    let time = jiff::Timestamp::from_second(seconds as i64).ok()?;
    Some(time.strftime("%Y-%m-%d %H:%M UTC").to_string().into())
}
