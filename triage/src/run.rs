//! Works out what a function gives back for arguments that are known: decoders are short, and take no part in the page.

use oxc_ast::ast::{
    ArrowFunctionBody, AssignmentExpression, AssignmentTarget, BindingPattern, Expression, ForStatement,
    ForStatementInit, SimpleAssignmentTarget, Statement, UpdateExpression, VariableDeclaration,
};
use oxc_syntax::operator::{AssignmentOperator, UpdateOperator};

use crate::bindings::symbol_of;
use crate::fold::{Env, Folder};
use crate::operators::operate;
use crate::value::{Callable, Value};

/// How a statement ends.
enum Flow<'a> {
    Next,
    Break,
    Continue,
    Return(Value<'a>),
    /// It does something that is not worked out.
    Lost,
}

impl Callable<'_> {
    /// `function () { return this }`, which is the global object where it is called by itself.
    pub(crate) fn gives_this(self) -> bool {
        let body = match self {
            Self::Function(function) => function.body.as_ref(),
            Self::Arrow(_) => None,
        };
        body.is_some_and(|body| match body.statements.first() {
            Some(Statement::ReturnStatement(back)) => {
                matches!(back.argument, Some(Expression::ThisExpression(_)))
            }
            _ => false,
        })
    }
}

impl<'a> Folder<'a, '_> {
    /// What a function gives back.
    pub(crate) fn run(
        &self,
        callable: Callable<'a>,
        arguments: &[Value<'a>],
        env: &mut Env<'a>,
    ) -> Value<'a> {
        let mut inner = env.clone();
        for (at, parameter) in callable.parameters().items.iter().enumerate() {
            let BindingPattern::BindingIdentifier(id) = &parameter.pattern else { return Value::Unknown };
            if let Some(symbol) = id.symbol_id.get() {
                inner.insert(symbol, arguments.get(at).cloned().unwrap_or(Value::Undefined));
            }
        }
        let flow = match callable {
            Callable::Function(function) if function.r#async || function.generator => Flow::Lost,
            Callable::Function(function) => match &function.body {
                Some(body) => self.statements(&body.statements, &mut inner),
                None => Flow::Lost,
            },
            Callable::Arrow(arrow) if arrow.r#async => Flow::Lost,
            Callable::Arrow(arrow) => match &arrow.body {
                ArrowFunctionBody::FunctionBody(body) => self.statements(&body.statements, &mut inner),
                other => Flow::Return(
                    other.as_expression().map_or(Value::Unknown, |body| self.fold(body, &mut inner)),
                ),
            },
        };
        match flow {
            Flow::Return(value) => value,
            Flow::Next => Value::Undefined,
            Flow::Break | Flow::Continue | Flow::Lost => Value::Unknown,
        }
    }

    fn statements(&self, statements: &'a [Statement<'a>], env: &mut Env<'a>) -> Flow<'a> {
        for statement in statements {
            match self.statement(statement, env) {
                Flow::Next => {}
                ended => return ended,
            }
        }
        Flow::Next
    }

    fn statement(&self, statement: &'a Statement<'a>, env: &mut Env<'a>) -> Flow<'a> {
        if !self.step() {
            return Flow::Lost;
        }
        match statement {
            Statement::ReturnStatement(back) => {
                Flow::Return(back.argument.as_ref().map_or(Value::Undefined, |value| self.fold(value, env)))
            }
            Statement::ExpressionStatement(expression) => {
                self.fold(&expression.expression, env);
                Flow::Next
            }
            Statement::VariableDeclaration(declared) => {
                self.declare(declared, env);
                Flow::Next
            }
            Statement::BlockStatement(block) => self.statements(&block.body, env),
            Statement::IfStatement(branch) => {
                match (self.fold(&branch.test, env).to_bool(), &branch.alternate) {
                    (Some(true), _) => self.statement(&branch.consequent, env),
                    (Some(false), Some(alternate)) => self.statement(alternate, env),
                    (Some(false), None) => Flow::Next,
                    (None, _) => Flow::Lost,
                }
            }
            Statement::ForStatement(repeated) => self.repeat(repeated, env),
            Statement::WhileStatement(repeated) => loop {
                if let Some(ended) = self.turn(Some(&repeated.test), &repeated.body, env) {
                    return ended;
                }
            },
            Statement::BreakStatement(ended) if ended.label.is_none() => Flow::Break,
            Statement::ContinueStatement(ended) if ended.label.is_none() => Flow::Continue,
            Statement::EmptyStatement(_) | Statement::FunctionDeclaration(_) => Flow::Next,
            _ => Flow::Lost,
        }
    }

    fn declare(&self, declared: &'a VariableDeclaration<'a>, env: &mut Env<'a>) {
        for one in &declared.declarations {
            let Some(symbol) = one.id.get_binding_identifier().and_then(|id| id.symbol_id.get()) else {
                continue;
            };
            let value = one.init.as_ref().map_or(Value::Undefined, |init| self.fold(init, env));
            env.insert(symbol, value);
        }
    }

    fn repeat(&self, repeated: &'a ForStatement<'a>, env: &mut Env<'a>) -> Flow<'a> {
        match &repeated.init {
            Some(ForStatementInit::VariableDeclaration(declared)) => self.declare(declared, env),
            Some(other) => {
                other.as_expression().map(|init| self.fold(init, env));
            }
            None => {}
        }
        loop {
            if let Some(ended) = self.turn(repeated.test.as_ref(), &repeated.body, env) {
                return ended;
            }
            if let Some(update) = &repeated.update {
                self.fold(update, env);
            }
            if !self.step() {
                return Flow::Lost;
            }
        }
    }

    /// One turn of a loop: how the loop ends, if it does.
    fn turn(
        &self,
        test: Option<&'a Expression<'a>>,
        body: &'a Statement<'a>,
        env: &mut Env<'a>,
    ) -> Option<Flow<'a>> {
        match test.map_or(Some(true), |test| self.fold(test, env).to_bool()) {
            Some(true) => {}
            Some(false) => return Some(Flow::Next),
            None => return Some(Flow::Lost),
        }
        match self.statement(body, env) {
            Flow::Next | Flow::Continue => None,
            Flow::Break => Some(Flow::Next),
            ended @ (Flow::Return(_) | Flow::Lost) => Some(ended),
        }
    }

    /// What is assigned; a name of the function that is worked out stands for it from now on.
    pub(crate) fn assign(&self, assigned: &'a AssignmentExpression<'a>, env: &mut Env<'a>) -> Value<'a> {
        let right = self.fold(&assigned.right, env);
        let AssignmentTarget::AssignmentTargetIdentifier(target) = &assigned.left else { return right };
        let Some(symbol) = symbol_of(self.scoping, target) else { return right };
        let value = match (assigned.operator, assigned.operator.to_binary_operator()) {
            (AssignmentOperator::Assign, _) => right,
            (_, Some(operator)) => match env.get(&symbol) {
                Some(left) if operator == oxc_syntax::operator::BinaryOperator::Addition => left.plus(&right),
                Some(left) => operate(operator, left, &right),
                None => Value::Unknown,
            },
            (_, None) => Value::Unknown,
        };
        // A table of strings that puts a function in its own place is the table from then on.
        if env.contains_key(&symbol) || (!env.is_empty() && self.scoping.symbol_flags(symbol).is_function()) {
            env.insert(symbol, value.clone());
        }
        value
    }

    pub(crate) fn update(&self, update: &UpdateExpression<'a>, env: &mut Env<'a>) -> Value<'a> {
        let SimpleAssignmentTarget::AssignmentTargetIdentifier(target) = &update.argument else {
            return Value::Unknown;
        };
        let known = symbol_of(self.scoping, target).and_then(|symbol| env.get_mut(&symbol));
        let Some(known) = known else { return Value::Unknown };
        let Some(before) = known.to_number() else { return Value::Unknown };
        let after = match update.operator {
            UpdateOperator::Increment => before + 1.0,
            UpdateOperator::Decrement => before - 1.0,
        };
        *known = Value::Number(after);
        Value::Number(if update.prefix { after } else { before })
    }
}
