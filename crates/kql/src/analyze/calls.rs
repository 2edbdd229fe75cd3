//! Function calls: the query's own functions are put in place, those of the language are checked against their
//! signatures.

use std::rc::Rc;

use super::convert::{self, convert};
use super::expression::call;
use super::scope::{Binding, Lambda};
use super::suggest::did_you_mean;
use super::{Analyzer, Labelled, MAX_CALL_DEPTH, Outcome, Stop, Value, literal};
use crate::diagnostics::{Code, Span};
use crate::functions::{self, Kind, Overload, Returns, Signature};
use crate::syntax;
use crate::typed::{AggregateOutput, Expr, ExprKind, operators};
use crate::types::{Literal, Type};

impl Analyzer<'_> {
    pub(super) fn call(&mut self, written: &syntax::Call, span: Span) -> Outcome<Value> {
        let name = written.name.text.as_str();
        match self.scope.get(name).cloned() {
            Some(Binding::Function(lambda)) => return self.invoke_lambda(&lambda, &written.args, None, span),
            Some(Binding::Relation { relation, label }) if written.args.is_empty() => {
                return Ok(Value::Relation(Labelled { relation, label }));
            }
            _ => {}
        }
        if let Some(value) = self.tabular_call(written, span)? {
            return Ok(value);
        }
        if self.row.as_ref().is_some_and(|row| row.aggregates) && functions::aggregate(name).is_some() {
            return self.aggregate_call(written, span).map(Value::Scalar);
        }
        if let Some(value) = self.special_call(written, span)? {
            return Ok(Value::Scalar(value));
        }
        if let Some(signature) = functions::scalar(name) {
            return self.checked_call(signature, written, span).map(Value::Scalar);
        }
        if let Some(function) = self.stored_function(name, span)? {
            return self.invoke_lambda(&function, &written.args, None, span);
        }
        if functions::aggregate(name).is_some() {
            let message = format!("the aggregate {name}() cannot be used here");
            return Err(Stop::semantic(span, message).help("use it in summarize".to_owned()));
        }
        let variables = self.scope.names();
        let names = functions::scalars().map(|signature| signature.name).chain(variables.iter().map(String::as_str));
        let help = did_you_mean(name, names);
        Err(Stop::unknown(written.name.span, format!("there is no function named `{name}`")).help(help))
    }

    /// A call of a function of the language whose arguments are all scalar.
    fn checked_call(&mut self, signature: &'static Signature, written: &syntax::Call, span: Span) -> Outcome<Expr> {
        check_count(signature, written, span)?;
        let mut args = Vec::new();
        for arg in &written.args {
            args.push(self.scalar(arg)?);
        }
        let (overload, args) = choose(signature, args, span)?;
        let ty = return_type(overload, &args, written);
        let function = signature.name.to_owned();
        if functions::is_window(signature.name) {
            return Ok(Expr { kind: ExprKind::Window { function, args }, ty, span });
        }
        Ok(call(&function, args, ty, span))
    }

    /// An aggregate with one result column, inside summarize and its like.
    pub(super) fn aggregate_call(&mut self, written: &syntax::Call, span: Span) -> Outcome<Expr> {
        let Some(signature) = functions::aggregate(&written.name.text) else {
            return Err(Stop::unknown(span, format!("there is no aggregate named `{}`", written.name.text)));
        };
        check_count(signature, written, span)?;
        let args = self.aggregate_args(&written.args)?;
        let (overload, args) = choose(signature, args, span)?;
        let mut function = signature.name;
        let (ty, output) = match signature.name {
            "percentile" | "percentilew" | "percentiles" | "percentilesw" => {
                (percentile_type(args[0].ty), AggregateOutput::Percentile(0))
            }
            "arg_max" | "arg_min" | "take_any" => (args[0].ty, AggregateOutput::Argument(0)),
            "count" if args.len() == 1 => {
                function = "countif";
                (Type::Long, AggregateOutput::Only)
            }
            _ => (return_type(overload, &args, written), AggregateOutput::Only),
        };
        Ok(Expr { kind: ExprKind::Aggregate { function: function.to_owned(), args, output }, ty, span })
    }

    /// Arguments of an aggregate cannot hold aggregates themselves.
    pub(super) fn aggregate_args(&mut self, written: &[syntax::Expr]) -> Outcome<Vec<Expr>> {
        let before = self.row.clone();
        if let Some(row) = &before {
            let mut inner = row.as_ref().clone();
            inner.aggregates = false;
            self.row = Some(Rc::new(inner));
        }
        let args = written.iter().map(|arg| self.scalar(arg)).collect();
        self.row = before;
        args
    }

    /// Puts a function's body in place of its call. `piped`: the relation that `invoke` gives as first argument.
    pub(super) fn invoke_lambda(
        &mut self,
        lambda: &Rc<Lambda>,
        args: &[syntax::Expr],
        piped: Option<Labelled>,
        span: Span,
    ) -> Outcome<Value> {
        if self.depth >= MAX_CALL_DEPTH {
            return Err(Stop::semantic(span, format!("functions call one another more than {MAX_CALL_DEPTH} deep")));
        }
        let parameters = &lambda.function.parameters;
        let mut given: Vec<Option<Value>> = vec![None; parameters.len()];
        let mut next = 0;
        if let Some(piped) = piped {
            let Some(first) = given.first_mut() else {
                return Err(self.wrong_count(lambda, args.len() + 1, span));
            };
            *first = Some(Value::Relation(piped));
        }
        for arg in args {
            let (index, written) = match &arg.kind {
                syntax::ExprKind::Named { name, value } => {
                    let index = parameters.iter().position(|parameter| parameter.name.text == name.text);
                    let names = parameters.iter().map(|parameter| parameter.name.text.as_str());
                    let index = index.ok_or_else(|| {
                        let message = format!("`{}` has no parameter named `{}`", lambda.name, name.text);
                        Stop::unknown(name.span, message).help(did_you_mean(&name.text, names))
                    })?;
                    (index, value.as_ref())
                }
                _ => {
                    while given.get(next).is_some_and(Option::is_some) {
                        next += 1;
                    }
                    (next, arg)
                }
            };
            if index >= parameters.len() {
                return Err(self.wrong_count(lambda, args.len(), span));
            }
            given[index] = Some(self.item_value(written)?);
        }
        let caller_row = self.row.as_ref().map(|row| row.id);
        let mut scope = lambda.scope.clone();
        for (parameter, given) in parameters.iter().zip(given) {
            let value = match (given, &parameter.default) {
                (Some(value), _) => value,
                (None, Some(default)) => self.isolated(|analyzer| analyzer.value(default))?,
                (None, None) => return Err(self.wrong_count(lambda, args.len(), span)),
            };
            let binding = self.argument(lambda, parameter, value, caller_row)?;
            scope = scope.with(&parameter.name.text, binding);
        }
        let outside = std::mem::replace(&mut self.scope, scope);
        self.depth += 1;
        let result = self.lambda_body(lambda, span);
        self.depth -= 1;
        self.scope = outside;
        result.map_err(|stop| match stop {
            Stop::Error(mut diagnostic) if lambda.foreign => {
                diagnostic.message = format!("in the saved function `{}`: {}", lambda.name, diagnostic.message);
                diagnostic.span = span;
                Stop::Error(diagnostic)
            }
            stop => stop,
        })
    }

    /// An argument of a function: scalar over the row at hand, or a table that cannot see it.
    fn item_value(&mut self, written: &syntax::Expr) -> Outcome<Value> {
        match &written.kind {
            syntax::ExprKind::Pipeline(_) => self.isolated(|analyzer| analyzer.value(written)),
            _ => self.value(written),
        }
    }

    fn argument(
        &mut self,
        lambda: &Lambda,
        parameter: &syntax::Parameter,
        value: Value,
        row: Option<usize>,
    ) -> Outcome<Binding> {
        let what = format!("parameter `{}` of `{}`", parameter.name.text, lambda.name);
        match (&parameter.ty, value) {
            (syntax::ParameterType::Scalar(ty), Value::Scalar(expr)) => {
                let expr = if expr.ty == *ty {
                    expr
                } else if convert::is_implicit(expr.ty, *ty) || (expr.ty.is_numeric() && ty.is_numeric()) {
                    convert(expr, *ty)
                } else {
                    convert::implicit(expr, *ty, &what)?
                };
                Ok(Binding::Scalar { expr, row })
            }
            (syntax::ParameterType::Table(schema), Value::Relation(labelled)) => {
                for declared in &schema.columns {
                    let found = labelled.relation.schema.get(&declared.name.text);
                    let Some(found) = found else {
                        let message = format!("{what} needs a table with the column `{}`", declared.name.text);
                        return Err(Stop::unknown(labelled.relation.span, message));
                    };
                    if found.ty != declared.ty {
                        let message = format!(
                            "{what} needs the column `{}` to be {}, but it is {}",
                            found.name, declared.ty, found.ty
                        );
                        return Err(Stop::semantic(labelled.relation.span, message));
                    }
                }
                Ok(Binding::Relation { relation: labelled.relation, label: labelled.label })
            }
            (syntax::ParameterType::Scalar(_), value) => Err(Stop::semantic(
                span_of(&value, parameter.span),
                format!("{what} must be scalar, but this is a table"),
            )),
            (syntax::ParameterType::Table(_), value) => Err(Stop::semantic(
                span_of(&value, parameter.span),
                format!("{what} must be a table, but this is scalar"),
            )),
        }
    }

    fn lambda_body(&mut self, lambda: &Lambda, span: Span) -> Outcome<Value> {
        let row = self.row.take();
        let outer = self.outer.take();
        let mut result = None;
        for statement in &lambda.function.body {
            let step = match &statement.kind {
                syntax::StatementKind::Expression(expr) => {
                    // The parameters' expressions speak of the caller's row.
                    self.row = row.as_ref().map(|row| {
                        Rc::new(super::Row { id: row.id, outer: row.outer.clone(), ..super::Row::default() })
                    });
                    let value = self.value(expr);
                    self.row = None;
                    value.map(|value| result = Some(value))
                }
                _ => {
                    self.row = row.as_ref().map(|row| {
                        Rc::new(super::Row { id: row.id, outer: row.outer.clone(), ..super::Row::default() })
                    });
                    let step = self.lambda_declaration(statement);
                    self.row = None;
                    step
                }
            };
            if let Err(stop) = step {
                self.row = row;
                self.outer = outer;
                return Err(stop);
            }
        }
        self.row = row;
        self.outer = outer;
        result.ok_or_else(|| Stop::semantic(span, format!("the function `{}` has no value", lambda.name)))
    }

    /// A `let` in a body: scalars may use parameters that speak of the caller's row.
    fn lambda_declaration(&mut self, statement: &syntax::Statement) -> Outcome<()> {
        if let syntax::StatementKind::Let { name, value: syntax::LetValue::Expr(expr) } = &statement.kind
            && !matches!(expr.kind, syntax::ExprKind::EntityGroup(_))
        {
            let value = self.value(expr)?;
            let binding = self.binding(value);
            self.scope = self.scope.with(&name.text, binding);
            return Ok(());
        }
        self.declaration(statement)
    }

    fn wrong_count(&self, lambda: &Lambda, given: usize, span: Span) -> Stop {
        let parameters: Vec<String> = lambda
            .function
            .parameters
            .iter()
            .map(|parameter| match &parameter.ty {
                syntax::ParameterType::Scalar(ty) => format!("{}: {ty}", parameter.name.text),
                syntax::ParameterType::Table(_) => format!("{}: table", parameter.name.text),
            })
            .collect();
        let message = format!("`{}` does not take {given} arguments", lambda.name);
        Stop::semantic(span, message).help(format!("it is {}({})", lambda.name, parameters.join(", ")))
    }

    /// A saved function of the catalog.
    pub(super) fn stored_function(&mut self, name: &str, span: Span) -> Outcome<Option<Rc<Lambda>>> {
        let Some(stored) = self.catalog.function(name) else { return Ok(None) };
        let parameters = stored.parameters.trim();
        let parameters = if parameters.starts_with('(') { parameters.to_owned() } else { format!("({parameters})") };
        let text = format!("let f = {parameters} {{ {} }};", stored.body);
        let parsed = crate::parse(&text);
        if let Some(diagnostic) = parsed.diagnostics.first() {
            let message = format!("the saved function `{name}` does not parse: {}", diagnostic.message);
            return Err(Stop::new(Code::Syntax, span, message));
        }
        for statement in parsed.query.statements {
            if let syntax::StatementKind::Let { value: syntax::LetValue::Function(function), .. } = statement.kind {
                let scope = super::Scope::default();
                return Ok(Some(Rc::new(Lambda { name: name.to_owned(), function, scope, foreign: true })));
            }
        }
        Ok(None)
    }
}

fn span_of(value: &Value, otherwise: Span) -> Span {
    match value {
        Value::Scalar(expr) => expr.span,
        Value::Relation(labelled) => labelled.relation.span,
        Value::Graph(_) => otherwise,
    }
}

pub(super) fn check_count(signature: &Signature, written: &syntax::Call, span: Span) -> Outcome<()> {
    if signature.accepts_count(written.args.len()) {
        return Ok(());
    }
    let count = written.args.len();
    let arguments = if count == 1 { "argument" } else { "arguments" };
    let message = format!("{}() does not take {count} {arguments}", written.name.text);
    Err(Stop::semantic(span, message).help(format!("it is {}", signature.usage())))
}

/// The first overload that takes these arguments, and the arguments converted to its types.
pub(super) fn choose(
    signature: &'static Signature,
    args: Vec<Expr>,
    span: Span,
) -> Outcome<(&'static Overload, Vec<Expr>)> {
    let mut failure = None;
    for overload in signature.overloads.iter().filter(|overload| overload.accepts_count(args.len())) {
        match misfit(overload, &args) {
            None => return Ok((overload, fit(overload, args)?)),
            Some(index) => {
                failure.get_or_insert((overload, index));
            }
        }
    }
    let Some((overload, index)) = failure else {
        return Err(Stop::semantic(span, format!("{}() does not take these arguments", signature.name)));
    };
    let arg = &args[index];
    let needed = overload.parameter(index).map(|parameter| parameter.kinds_text()).unwrap_or_default();
    let message = format!("argument {} of {}() must be {needed}, but this is {}", index + 1, signature.name, arg.ty);
    Err(Stop::semantic(arg.span, message).help(format!("it is {}", signature.usage())))
}

/// The first argument that does not fit.
fn misfit(overload: &Overload, args: &[Expr]) -> Option<usize> {
    args.iter().enumerate().position(|(index, arg)| {
        !overload.parameter(index).is_some_and(|parameter| parameter.kinds.iter().any(|kind| fits(arg, *kind)))
    })
}

fn fits(arg: &Expr, kind: Kind) -> bool {
    let null = matches!(arg.kind, ExprKind::Literal(Literal::Null(_)));
    match kind {
        Kind::Any | Kind::Common => true,
        Kind::Exact(Type::Dynamic) => arg.ty == Type::Dynamic,
        Kind::Exact(Type::Bool) => matches!(arg.ty, Type::Bool | Type::Dynamic | Type::Int | Type::Long),
        Kind::Exact(Type::Long | Type::Int) => arg.ty.is_integer() || arg.ty == Type::Dynamic,
        Kind::Exact(ty) => convert::is_implicit(arg.ty, ty) || (null && arg.ty == Type::Dynamic),
        Kind::Number => arg.ty.is_numeric() || arg.ty == Type::Dynamic,
        Kind::Integer => {
            arg.ty.is_integer() || arg.ty == Type::Dynamic || matches!(arg.kind, ExprKind::Literal(Literal::Real(_)))
        }
        Kind::Summable => {
            arg.ty.is_numeric() || matches!(arg.ty, Type::Dynamic | Type::Datetime | Type::Timespan | Type::Bool)
        }
        Kind::TypeLiteral => matches!(arg.kind, ExprKind::Literal(Literal::String(_))),
        Kind::Column | Kind::Relation => true,
    }
}

/// Converts the arguments to what the overload names.
fn fit(overload: &Overload, args: Vec<Expr>) -> Outcome<Vec<Expr>> {
    let common = common_type(overload, &args)?;
    let widest = args.iter().map(|arg| arg.ty).filter(|ty| ty.is_numeric()).reduce(convert::widest);
    let mut fitted = Vec::with_capacity(args.len());
    for (index, arg) in args.into_iter().enumerate() {
        let Some(parameter) = overload.parameter(index) else { continue };
        let direct = parameter.kinds.iter().find(|kind| match kind {
            Kind::Exact(ty) => *ty == arg.ty,
            Kind::Any => true,
            Kind::Number => arg.ty.is_numeric(),
            Kind::Integer => arg.ty.is_integer(),
            Kind::Summable => arg.ty.is_numeric() || matches!(arg.ty, Type::Datetime | Type::Timespan),
            Kind::TypeLiteral | Kind::Column | Kind::Relation => true,
            Kind::Common => false,
        });
        let arg = match direct {
            Some(Kind::Number) if overload.returns == Returns::Widest => match widest {
                Some(ty) => convert(arg, ty),
                None => arg,
            },
            Some(Kind::Integer) => convert(arg, Type::Long),
            Some(_) => arg,
            None => match parameter.kinds.iter().find(|kind| fits(&arg, **kind)) {
                Some(Kind::Exact(ty)) => convert(arg, *ty),
                Some(Kind::Number | Kind::Summable) => convert(arg, Type::Real),
                Some(Kind::Integer) => convert(arg, Type::Long),
                Some(Kind::Common) => convert(arg, common),
                _ => arg,
            },
        };
        fitted.push(arg);
    }
    Ok(fitted)
}

fn common_type(overload: &Overload, args: &[Expr]) -> Outcome<Type> {
    let of_common = args.iter().enumerate().filter(|(index, arg)| {
        overload.parameter(*index).is_some_and(|parameter| parameter.accepts_kind(Kind::Common))
            && !matches!(arg.kind, ExprKind::Literal(Literal::Null(Type::Dynamic)))
    });
    let mut last = Span::default();
    let types = of_common.map(|(_, arg)| {
        last = arg.span;
        arg.ty
    });
    let types: Vec<Type> = types.collect();
    convert::common(types)
        .map_err(|(a, b)| Stop::semantic(last, format!("the values must have one type, but these are {a} and {b}")))
}

pub(super) fn return_type(overload: &Overload, args: &[Expr], written: &syntax::Call) -> Type {
    let first = args.first().map_or(Type::Dynamic, |arg| arg.ty);
    match &overload.returns {
        Returns::Fixed(ty) => *ty,
        Returns::Same => first,
        Returns::Promoted if first == Type::Int => Type::Long,
        Returns::Promoted => first,
        Returns::Widest => {
            args.iter().map(|arg| arg.ty).filter(|ty| ty.is_numeric()).reduce(convert::widest).unwrap_or(first)
        }
        Returns::Common => args
            .iter()
            .enumerate()
            .find(|(index, _)| overload.parameter(*index).is_some_and(|parameter| parameter.accepts_kind(Kind::Common)))
            .map_or(first, |(_, arg)| arg.ty),
        Returns::TypeArgument => written
            .args
            .iter()
            .find_map(|arg| match &arg.kind {
                syntax::ExprKind::TypeOf(syntax::TypeOf::Scalar(ty)) => Some(*ty),
                _ => None,
            })
            .unwrap_or(Type::String),
        _ => Type::Dynamic,
    }
}

pub(super) const fn percentile_type(ty: Type) -> Type {
    match ty {
        Type::Int => Type::Long,
        Type::Decimal => Type::Real,
        ty => ty,
    }
}

/// A bag of names and values.
pub(super) fn bag_pack(pairs: impl Iterator<Item = (String, Expr)>, span: Span) -> Expr {
    let args = pairs.flat_map(|(name, value)| [literal::string(&name, span), value]).collect();
    call("bag_pack", args, Type::Dynamic, span)
}

/// The instant of the query, moved.
pub(super) fn moved_now(op: &str, by: Expr, span: Span) -> Expr {
    let now = call("now", Vec::new(), Type::Datetime, span);
    call(op, vec![now, by], Type::Datetime, span)
}

pub(super) const SUBTRACT: &str = operators::SUBTRACT;
pub(super) const ADD: &str = operators::ADD;
