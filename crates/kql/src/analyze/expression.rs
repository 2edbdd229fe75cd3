//! Scalar expressions: names, operators, paths, membership.

use super::convert::{self, comparable, convert, function_to, widest};
use super::scope::Binding;
use super::suggest::did_you_mean;
use super::{Analyzer, Labelled, Outcome, Stop, Value, literal};
use crate::diagnostics::Span;
use crate::syntax::{self, BinaryOp, InOp, TextOp, UnaryOp};
use crate::typed::{Expr, ExprKind, NamedExpr, Operator, Relation, operators};
use crate::types::{Column, Literal, Schema, Type};

pub(super) fn call(function: &str, args: Vec<Expr>, ty: Type, span: Span) -> Expr {
    Expr { kind: ExprKind::Call { function: function.to_owned(), args }, ty, span }
}

pub(super) fn column(column: &Column, span: Span) -> Expr {
    Expr { kind: ExprKind::Column(column.name.clone()), ty: column.ty, span }
}

impl Analyzer<'_> {
    /// An expression that must be scalar.
    pub(super) fn scalar(&mut self, expr: &syntax::Expr) -> Outcome<Expr> {
        match self.value(expr)? {
            Value::Scalar(value) => Ok(value),
            Value::Relation(_) => {
                let help = "take one value of it with toscalar(…)".to_owned();
                Err(Stop::semantic(expr.span, "a table stands where a scalar value is needed").help(help))
            }
            Value::Graph(_) => Err(Stop::semantic(expr.span, "a graph stands where a scalar value is needed")),
        }
    }

    /// A scalar of the given type, converted if the language does so by itself.
    pub(super) fn scalar_as(&mut self, expr: &syntax::Expr, ty: Type, what: &str) -> Outcome<Expr> {
        let value = self.scalar(expr)?;
        convert::implicit(value, ty, what)
    }

    /// A condition: bool, or something that converts to it.
    pub(super) fn condition(&mut self, expr: &syntax::Expr) -> Outcome<Expr> {
        let value = self.scalar(expr)?;
        match value.ty {
            Type::Bool => Ok(value),
            Type::Dynamic | Type::Int | Type::Long => Ok(convert(value, Type::Bool)),
            ty => Err(Stop::semantic(expr.span, format!("a condition must be bool, but this is {ty}"))),
        }
    }

    /// A constant, or a bare word, which stands for itself.
    pub(super) fn word_or_constant(&mut self, expr: &syntax::Expr) -> Outcome<Literal> {
        if let syntax::ExprKind::Name(name) = &expr.kind
            && self.scope.get(name).is_none()
        {
            return Ok(Literal::String(name.clone()));
        }
        let value = self.scalar(expr)?;
        self.constant(&value)
    }

    /// The constant that an expression is, after folding what constants need.
    pub(super) fn constant(&self, value: &Expr) -> Outcome<Literal> {
        fold(value).ok_or_else(|| Stop::semantic(value.span, "a constant is needed here"))
    }

    /// The text that a constant expression is.
    pub(super) fn constant_text(&mut self, expr: &syntax::Expr, what: &str) -> Outcome<String> {
        let value = self.scalar(expr)?;
        match fold(&value) {
            Some(Literal::String(text)) => Ok(text),
            _ => Err(Stop::semantic(expr.span, format!("{what} must be a constant string"))),
        }
    }

    /// An expression of any kind.
    pub(super) fn value(&mut self, expr: &syntax::Expr) -> Outcome<Value> {
        use syntax::ExprKind as Kind;
        let span = expr.span;
        let scalar = match &expr.kind {
            Kind::Error => return Err(Stop::semantic(span, "this could not be read")),
            Kind::Literal(value) => {
                let ty = match value {
                    syntax::Literal::Typed { ty, .. } => *ty,
                    _ => Type::Dynamic,
                };
                let value = literal::typed(value, span)?;
                match &value {
                    Literal::Null(Type::String) => literal::expr(Literal::String(String::new()), span),
                    Literal::Null(null) if *null == Type::Dynamic && ty != Type::Dynamic => {
                        literal::expr(Literal::Null(ty), span)
                    }
                    _ => literal::expr(value, span),
                }
            }
            Kind::Name(name) => return self.name(name, span),
            Kind::Star => return Err(Stop::semantic(span, "`*` cannot stand here")),
            Kind::Wildcard(pattern) => {
                return Err(Stop::semantic(span, format!("the wildcard `{pattern}` cannot stand here")));
            }
            Kind::Unary { op, operand } => self.unary(*op, operand, span)?,
            Kind::Binary { op, left, right } => self.binary(*op, left, right, span)?,
            Kind::In { op, negated, value, items } => self.membership(*op, *negated, value, items, span)?,
            Kind::Between { negated, value, from, to } => self.between(*negated, value, from, to, span)?,
            Kind::Call(call) => return self.call(call, span),
            Kind::Path { base, name } => return self.path(base, name, span),
            Kind::PathCall { base, call } => return self.path_call(base, call, span),
            Kind::Index { base, index } => self.index(base, index, span)?,
            Kind::ToScalar(inner) => self.single_value(inner, span)?,
            Kind::ToTable(inner) => return self.isolated(|analyzer| analyzer.value(inner)),
            Kind::Pipeline(pipeline) => return self.pipeline(pipeline),
            Kind::Datatable { schema, values, .. } => {
                return self.datatable(schema, values, span).map(unlabelled);
            }
            Kind::ExternalData { schema, uris, properties, .. } => {
                return self.external_data(schema, uris, properties, span).map(unlabelled);
            }
            Kind::InlineExternalTable(_) => {
                return Err(Stop::unsupported(span, "inline_external_table is not supported"));
            }
            Kind::EntityGroup(_) => return Err(Stop::unsupported(span, "entity groups are not supported")),
            Kind::TypeOf(syntax::TypeOf::Scalar(ty)) => literal::string(ty.name(), span),
            Kind::TypeOf(_) => return Err(Stop::semantic(span, "typeof of a table cannot stand here")),
            Kind::Named { value, .. } => return self.value(value),
        };
        Ok(Value::Scalar(scalar))
    }

    /// A name: column, state of a scan step, enclosing column, variable, table, saved function without parameters.
    fn name(&mut self, name: &str, span: Span) -> Outcome<Value> {
        if let Some(expr) = self.column_named(name, span) {
            return Ok(Value::Scalar(expr));
        }
        if let Some(binding) = self.scope.get(name).cloned() {
            return self.bound(name, binding, span);
        }
        if let Some(labelled) = self.catalog_table(name, span)? {
            return Ok(Value::Relation(labelled));
        }
        if let Some(function) = self.stored_function(name, span)? {
            return self.invoke_lambda(&function, &[], None, span);
        }
        Err(self.unknown_name(name, span))
    }

    fn column_named(&self, name: &str, span: Span) -> Option<Expr> {
        let row = self.row.as_ref()?;
        if let Some(found) = row.schema.get(name) {
            return Some(column(found, span));
        }
        if let Some(scan) = &row.scan
            && let Some(found) = scan.declared.iter().find(|declared| declared.name == name)
        {
            let kind = ExprKind::StepColumn { step: scan.current.clone(), column: name.to_owned() };
            return Some(Expr { kind, ty: found.ty, span });
        }
        if let Some(graph) = &row.graph
            && let Some(element) = graph.element(name)
        {
            return Some(super::patterns::whole_element(graph, name, element, span));
        }
        let outer = row.outer.as_ref()?;
        let found = outer.schema.get(name)?;
        Some(Expr { kind: ExprKind::Outer(name.to_owned()), ty: found.ty, span })
    }

    fn bound(&mut self, name: &str, binding: Binding, span: Span) -> Outcome<Value> {
        match binding {
            Binding::Scalar { mut expr, row } => {
                let here = self.row.as_ref().map(|row| row.id);
                if row.is_some() && row != here && has_columns(&expr) {
                    let enclosing = self.row.as_ref().and_then(|here| here.outer.as_ref()).map(|outer| outer.id);
                    if row != enclosing {
                        let message = format!(
                            "`{name}` depends on the columns of a row and cannot be used inside another table expression"
                        );
                        return Err(Stop::semantic(span, message));
                    }
                    to_outer(&mut expr);
                }
                expr.span = span;
                Ok(Value::Scalar(expr))
            }
            Binding::Relation { relation, label } => {
                Ok(Value::Relation(Labelled { relation, label: label.or_else(|| Some(name.to_owned())) }))
            }
            Binding::Graph(graph) => Ok(Value::Graph(graph)),
            Binding::Function(lambda) => {
                let value = self.invoke_lambda(&lambda, &[], None, span)?;
                Ok(match value {
                    Value::Relation(labelled) => Value::Relation(Labelled { label: Some(name.to_owned()), ..labelled }),
                    value => value,
                })
            }
            Binding::Other(what) => {
                Err(Stop::unsupported(span, format!("`{name}` is a {what}, which is not supported")))
            }
        }
    }

    pub(super) fn unknown_name(&self, name: &str, span: Span) -> Stop {
        let columns: Vec<String> = match &self.row {
            Some(row) => row.schema.names().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        let variables = self.scope.names();
        let tables = self.catalog.table_names();
        let names = columns.iter().chain(&variables).chain(&tables).map(String::as_str);
        let help = did_you_mean(name, names);
        let what = if self.row.is_some() { "column or variable" } else { "table, function or variable" };
        Stop::unknown(span, format!("there is no {what} named `{name}`")).help(help)
    }

    fn unary(&mut self, op: UnaryOp, operand: &syntax::Expr, span: Span) -> Outcome<Expr> {
        let value = self.scalar(operand)?;
        if op == UnaryOp::Plus {
            return Ok(value);
        }
        let negated = match &value.kind {
            ExprKind::Literal(Literal::Long(number)) => number.checked_neg().map(Literal::Long),
            ExprKind::Literal(Literal::Int(number)) => number.checked_neg().map(Literal::Int),
            ExprKind::Literal(Literal::Real(number)) => Some(Literal::Real(-number)),
            ExprKind::Literal(Literal::Timespan(ticks)) => {
                ticks.0.checked_neg().map(|ticks| Literal::Timespan(crate::types::Ticks(ticks)))
            }
            _ => None,
        };
        if let Some(negated) = negated {
            return Ok(literal::expr(negated, span));
        }
        let value = match value.ty {
            Type::Int => convert(value, Type::Long),
            Type::Dynamic => convert(value, Type::Real),
            ty if ty.is_numeric() || ty == Type::Timespan => value,
            ty => return Err(Stop::semantic(span, format!("`-` cannot be applied to a {ty}"))),
        };
        let ty = value.ty;
        Ok(call(operators::NEGATE, vec![value], ty, span))
    }

    fn binary(&mut self, op: BinaryOp, left: &syntax::Expr, right: &syntax::Expr, span: Span) -> Outcome<Expr> {
        if let BinaryOp::Or | BinaryOp::And = op {
            let name = if op == BinaryOp::Or { operators::OR } else { operators::AND };
            let args = vec![self.condition(left)?, self.condition(right)?];
            return Ok(call(name, args, Type::Bool, span));
        }
        if matches!(left.kind, syntax::ExprKind::Star) {
            return self.any_column(op, right, span);
        }
        let left = self.scalar(left)?;
        let right = self.scalar(right)?;
        self.binary_of(op, left, right, span)
    }

    pub(super) fn binary_of(&mut self, op: BinaryOp, left: Expr, right: Expr, span: Span) -> Outcome<Expr> {
        let comparison = match op {
            BinaryOp::Equal => Some((operators::EQUAL, "==")),
            BinaryOp::NotEqual => Some((operators::NOT_EQUAL, "!=")),
            BinaryOp::Less => Some((operators::LESS, "<")),
            BinaryOp::LessOrEqual => Some((operators::LESS_OR_EQUAL, "<=")),
            BinaryOp::Greater => Some((operators::GREATER, ">")),
            BinaryOp::GreaterOrEqual => Some((operators::GREATER_OR_EQUAL, ">=")),
            _ => None,
        };
        if let Some((name, symbol)) = comparison {
            let (left, right) = comparable(left, right, span, &format!("`{symbol}`"))?;
            return Ok(call(name, vec![left, right], Type::Bool, span));
        }
        match op {
            BinaryOp::Text { op, negated } => Ok(text_predicate(op, negated, left, right, span)),
            _ => arithmetic(op, left, right, span),
        }
    }

    /// `* has "x"`: any column.
    fn any_column(&mut self, op: BinaryOp, right: &syntax::Expr, span: Span) -> Outcome<Expr> {
        let right = self.scalar(right)?;
        let columns = match &self.row {
            Some(row) => row.schema.columns.clone(),
            None => Vec::new(),
        };
        let mut tests = Vec::new();
        for found in &columns {
            let left = column(found, span);
            let text = matches!(op, BinaryOp::Text { .. });
            if text && !matches!(found.ty, Type::String | Type::Dynamic) {
                continue;
            }
            if text || found.ty == right.ty || (found.ty.is_numeric() && right.ty.is_numeric()) {
                tests.push(self.binary_of(op, left, right.clone(), span)?);
            }
        }
        Ok(any_of(tests, span))
    }

    fn membership(
        &mut self,
        op: InOp,
        negated: bool,
        value: &syntax::Expr,
        items: &[syntax::Expr],
        span: Span,
    ) -> Outcome<Expr> {
        if matches!(value.kind, syntax::ExprKind::Star) {
            return Err(Stop::unsupported(value.span, "`*` before `in` is not supported"));
        }
        let value = self.scalar(value)?;
        let mut args = Vec::new();
        for item in items {
            match self.item(item)? {
                Value::Scalar(item) => args.push(item),
                Value::Relation(Labelled { relation, .. }) if items.len() == 1 => {
                    return Ok(not_if(negated, in_relation(op, value, relation, span)?, span));
                }
                Value::Relation(Labelled { relation, .. }) => args.push(list_of(relation, item.span)?),
                Value::Graph(_) => return Err(Stop::semantic(item.span, "a graph cannot be an item of a list")),
            }
        }
        let (name, text) = match op {
            InOp::In => (operators::IN, false),
            InOp::InCi => (operators::IN_CI, true),
            InOp::HasAny => (operators::HAS_ANY, true),
            InOp::HasAll => (operators::HAS_ALL, true),
        };
        let mut all = vec![if text && value.ty != Type::Dynamic { convert(value, Type::String) } else { value }];
        for item in args {
            let ty = all[0].ty;
            let item = match item.ty {
                Type::Dynamic => item,
                _ if text => convert(item, Type::String),
                from if from == ty || ty == Type::Dynamic => item,
                from if from.is_numeric() && ty.is_numeric() && widest(from, ty) == ty => convert(item, ty),
                from if from.is_numeric() && ty.is_numeric() => {
                    let first = std::mem::replace(&mut all[0], item.clone());
                    all[0] = convert(first, from);
                    for before in &mut all[1..] {
                        if before.ty != Type::Dynamic {
                            *before = convert(before.clone(), from);
                        }
                    }
                    item
                }
                _ => {
                    let (_, item) = comparable(all[0].clone(), item, span, "`in`")?;
                    item
                }
            };
            all.push(item);
        }
        Ok(not_if(negated, call(name, all, Type::Bool, span), span))
    }

    /// An item of a list: it may be a table, which cannot see the columns at hand.
    fn item(&mut self, item: &syntax::Expr) -> Outcome<Value> {
        match &item.kind {
            syntax::ExprKind::Pipeline(_) | syntax::ExprKind::ToTable(_) | syntax::ExprKind::Datatable { .. } => {
                self.isolated(|analyzer| analyzer.value(item))
            }
            _ => self.value(item),
        }
    }

    fn between(
        &mut self,
        negated: bool,
        value: &syntax::Expr,
        from: &syntax::Expr,
        to: &syntax::Expr,
        span: Span,
    ) -> Outcome<Expr> {
        let value = self.scalar(value)?;
        let from = self.scalar(from)?;
        let mut to = self.scalar(to)?;
        // `datetime between (start .. 5d)` is a length from the start.
        if value.ty == Type::Datetime && from.ty == Type::Datetime && to.ty == Type::Timespan {
            to = arithmetic(BinaryOp::Add, from.clone(), to, span)?;
        }
        let (value, from) = comparable(value, from, span, "`between`")?;
        let (value, to) = comparable(value, to, span, "`between`")?;
        let (value, from) = comparable(value, from, span, "`between`")?;
        Ok(not_if(negated, call(operators::BETWEEN, vec![value, from, to], Type::Bool, span), span))
    }

    fn path(&mut self, base: &syntax::Expr, name: &syntax::Name, span: Span) -> Outcome<Value> {
        if let syntax::ExprKind::Name(base_name) = &base.kind
            && let Some(expr) = self.qualified(base_name, name, span)?
        {
            return Ok(Value::Scalar(expr));
        }
        if let Some(source) = self.table_source(base)? {
            return self.table_of(source, &name.text, name.span).map(Value::Relation);
        }
        let base = self.scalar(base)?;
        let selector = literal::string(&name.text, name.span);
        self.element(base, selector, span).map(Value::Scalar)
    }

    /// `$left.a`, `$right.a`, `step.a`, `node.a`.
    fn qualified(&mut self, base: &str, name: &syntax::Name, span: Span) -> Outcome<Option<Expr>> {
        let Some(row) = self.row.clone() else { return Ok(None) };
        let schema = match base {
            "$left" => Some(&row.schema),
            "$right" => Some(row.right.as_ref().unwrap_or(&row.schema)),
            _ => None,
        };
        if let Some(schema) = schema {
            let found = schema.get(&name.text).ok_or_else(|| missing_column(&name.text, schema, name.span))?;
            return Ok(Some(column(found, span)));
        }
        let schema = if row.schema.get(base).is_some() {
            None
        } else if let Some(scan) = row.scan.as_ref().filter(|scan| scan.steps.iter().any(|step| step == base)) {
            Some(&scan.state)
        } else if let Some(graph) = &row.graph
            && let Some(element) = graph.element(base)
        {
            let schema = graph.schema_of(element);
            let found = schema.get(&name.text).ok_or_else(|| missing_column(&name.text, schema, name.span))?;
            return Ok(Some(super::patterns::property(graph, base, element, found, span)));
        } else {
            None
        };
        let Some(schema) = schema else { return Ok(None) };
        let found = schema.get(&name.text).ok_or_else(|| missing_column(&name.text, schema, name.span))?;
        let kind = ExprKind::StepColumn { step: base.to_owned(), column: found.name.clone() };
        Ok(Some(Expr { kind, ty: found.ty, span }))
    }

    fn index(&mut self, base: &syntax::Expr, index: &syntax::Expr, span: Span) -> Outcome<Expr> {
        if let syntax::ExprKind::Name(base_name) = &base.kind
            && let syntax::ExprKind::Literal(syntax::Literal::String(text)) = &index.kind
        {
            let name = syntax::Name { text: text.value.clone(), span: index.span };
            if let Some(expr) = self.qualified(base_name, &name, span)? {
                return Ok(expr);
            }
        }
        let base = self.scalar(base)?;
        let index = self.scalar(index)?;
        self.element(base, index, span)
    }

    fn element(&mut self, base: Expr, index: Expr, span: Span) -> Outcome<Expr> {
        if base.ty != Type::Dynamic {
            let help = match base.ty {
                Type::String => Some("read the text with parse_json(…) first".to_owned()),
                _ => None,
            };
            let message = format!("a value of type {} has no properties or elements", base.ty);
            return Err(Stop::semantic(span, message).help(help));
        }
        let index = match index.ty {
            Type::String | Type::Long => index,
            Type::Int => convert(index, Type::Long),
            Type::Dynamic => convert(index, Type::String),
            Type::Real => convert(index, Type::Long),
            ty => {
                return Err(Stop::semantic(
                    index.span,
                    format!("an index must be a string or an integer, but this is {ty}"),
                ));
            }
        };
        Ok(call(operators::INDEX, vec![base, index], Type::Dynamic, span))
    }

    pub(super) fn single_value(&mut self, inner: &syntax::Expr, span: Span) -> Outcome<Expr> {
        match self.isolated(|analyzer| analyzer.value(inner))? {
            Value::Scalar(value) => Ok(value),
            Value::Relation(Labelled { relation, .. }) => {
                let ty = first_column(&relation, span)?.ty;
                Ok(Expr { kind: ExprKind::ToScalar(Box::new(relation)), ty, span })
            }
            Value::Graph(_) => Err(Stop::semantic(span, "toscalar needs a table, not a graph")),
        }
    }
}

fn unlabelled(relation: Relation) -> Value {
    Value::Relation(Labelled { relation, label: None })
}

pub(super) fn missing_column(name: &str, schema: &Schema, span: Span) -> Stop {
    Stop::unknown(span, format!("there is no column named `{name}`")).help(did_you_mean(name, schema.names()))
}

fn first_column(relation: &Relation, span: Span) -> Outcome<&Column> {
    relation.schema.columns.first().ok_or_else(|| Stop::semantic(span, "the table has no columns"))
}

pub(super) fn not_if(negated: bool, expr: Expr, span: Span) -> Expr {
    if negated { call(operators::NOT, vec![expr], Type::Bool, span) } else { expr }
}

/// The disjunction; false if there is nothing to test.
pub(super) fn any_of(tests: Vec<Expr>, span: Span) -> Expr {
    tests
        .into_iter()
        .reduce(|a, b| call(operators::OR, vec![a, b], Type::Bool, span))
        .unwrap_or_else(|| literal::expr(Literal::Bool(false), span))
}

fn in_relation(op: InOp, value: Expr, relation: Relation, span: Span) -> Outcome<Expr> {
    if let InOp::HasAny | InOp::HasAll = op {
        let name = if op == InOp::HasAny { operators::HAS_ANY } else { operators::HAS_ALL };
        let value = if value.ty == Type::Dynamic { value } else { convert(value, Type::String) };
        return Ok(call(name, vec![value, list_of(relation, span)?], Type::Bool, span));
    }
    let first = first_column(&relation, span)?.clone();
    let (value, item) = comparable(value, column(&first, span), span, "`in`")?;
    let relation = if item.ty == first.ty { relation } else { only_column(relation, &first.name, item, span) };
    let kind = ExprKind::InRelation { value: Box::new(value), relation: Box::new(relation), ci: op == InOp::InCi };
    Ok(Expr { kind, ty: Type::Bool, span })
}

fn only_column(relation: Relation, name: &str, expr: Expr, span: Span) -> Relation {
    let schema = Schema::new(vec![Column::new(name, expr.ty)]);
    let columns = vec![NamedExpr { name: name.to_owned(), expr }];
    Relation { operator: Operator::Project { input: Box::new(relation), columns }, schema, open: false, span }
}

/// The first column of a relation as one dynamic array.
fn list_of(relation: Relation, span: Span) -> Outcome<Expr> {
    let first = first_column(&relation, span)?.clone();
    let kind = ExprKind::Aggregate {
        function: "make_set".to_owned(),
        args: vec![column(&first, span)],
        output: crate::typed::AggregateOutput::Only,
    };
    let aggregate = NamedExpr { name: "set_".to_owned(), expr: Expr { kind, ty: Type::Dynamic, span } };
    let schema = Schema::new(vec![Column::new("set_", Type::Dynamic)]);
    let operator = Operator::Summarize { input: Box::new(relation), keys: Vec::new(), aggregates: vec![aggregate] };
    let list = Relation { operator, schema, open: false, span };
    Ok(Expr { kind: ExprKind::ToScalar(Box::new(list)), ty: Type::Dynamic, span })
}

fn text_predicate(op: TextOp, negated: bool, left: Expr, right: Expr, span: Span) -> Expr {
    let name = match op {
        TextOp::EqualCi => operators::EQUAL_CI,
        TextOp::Has => operators::HAS,
        TextOp::HasCs => operators::HAS_CS,
        TextOp::HasPrefix => operators::HAS_PREFIX,
        TextOp::HasPrefixCs => operators::HAS_PREFIX_CS,
        TextOp::HasSuffix => operators::HAS_SUFFIX,
        TextOp::HasSuffixCs => operators::HAS_SUFFIX_CS,
        TextOp::Contains => operators::CONTAINS,
        TextOp::ContainsCs => operators::CONTAINS_CS,
        TextOp::StartsWith => operators::STARTS_WITH,
        TextOp::StartsWithCs => operators::STARTS_WITH_CS,
        TextOp::EndsWith => operators::ENDS_WITH,
        TextOp::EndsWithCs => operators::ENDS_WITH_CS,
        TextOp::MatchesRegex => operators::MATCHES_REGEX,
        TextOp::Like => operators::LIKE,
        TextOp::LikeCs => operators::LIKE_CS,
    };
    let args = vec![convert(left, Type::String), convert(right, Type::String)];
    if op == TextOp::EqualCi && negated {
        return call(operators::NOT_EQUAL_CI, args, Type::Bool, span);
    }
    not_if(negated, call(name, args, Type::Bool, span), span)
}

/// `+ - * / %` by the types of both sides.
pub(super) fn arithmetic(op: BinaryOp, left: Expr, right: Expr, span: Span) -> Outcome<Expr> {
    use Type::{Datetime, Dynamic, Long, Real, Timespan};
    let (name, symbol) = match op {
        BinaryOp::Add => (operators::ADD, "+"),
        BinaryOp::Subtract => (operators::SUBTRACT, "-"),
        BinaryOp::Multiply => (operators::MULTIPLY, "*"),
        BinaryOp::Divide => (operators::DIVIDE, "/"),
        _ => (operators::MODULO, "%"),
    };
    let (left, right) = match (left.ty, right.ty) {
        (Dynamic, Datetime | Timespan) => {
            let other = if op == BinaryOp::Multiply || op == BinaryOp::Divide { Real } else { right.ty };
            (convert(left, other), right)
        }
        (Datetime | Timespan, Dynamic) => {
            let other = if op == BinaryOp::Multiply || op == BinaryOp::Divide { Real } else { Timespan };
            (left, convert(right, other))
        }
        (Dynamic, Dynamic) => (convert(left, Real), convert(right, Real)),
        (Dynamic, ty) if ty.is_numeric() => (convert(left, Real), right),
        (ty, Dynamic) if ty.is_numeric() => (left, convert(right, Real)),
        _ => (left, right),
    };
    let (a, b) = (left.ty, right.ty);
    if a.is_numeric() && b.is_numeric() {
        let mut ty = widest(a, b);
        if ty == Type::Int {
            ty = Long;
        }
        return Ok(call(name, vec![convert(left, ty), convert(right, ty)], ty, span));
    }
    let ty = match (op, a, b) {
        (BinaryOp::Add, Datetime, Timespan) | (BinaryOp::Add, Timespan, Datetime) => Datetime,
        (BinaryOp::Subtract, Datetime, Timespan) => Datetime,
        (BinaryOp::Subtract, Datetime, Datetime) => Timespan,
        (BinaryOp::Add | BinaryOp::Subtract, Timespan, Timespan) => Timespan,
        (BinaryOp::Divide, Timespan, Timespan) => Real,
        (BinaryOp::Modulo, Timespan | Datetime, Timespan) => Timespan,
        (BinaryOp::Multiply, Timespan, _) if b.is_numeric() => Timespan,
        (BinaryOp::Multiply, _, Timespan) if a.is_numeric() => Timespan,
        (BinaryOp::Divide, Timespan, _) if b.is_numeric() => Timespan,
        _ => {
            let message = format!("`{symbol}` cannot be applied to {a} and {b}");
            let help = match (op, a, b) {
                (BinaryOp::Add, Type::String, _) | (BinaryOp::Add, _, Type::String) => {
                    Some("join texts with strcat(…)".to_owned())
                }
                (_, Type::String, other) | (_, other, Type::String) => {
                    Some(format!("convert the string with {}()", function_to(other)))
                }
                _ => None,
            };
            return Err(Stop::semantic(span, message).help(help));
        }
    };
    // A number beside a timespan is an integer or a real.
    let small = |expr: Expr| match expr.ty {
        Type::Int => convert(expr, Long),
        Type::Decimal => convert(expr, Real),
        _ => expr,
    };
    Ok(call(name, vec![small(left), small(right)], ty, span))
}

/// Whether an expression needs a row.
pub(super) fn has_columns(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Column(_) | ExprKind::Outer(_) | ExprKind::StepColumn { .. } => true,
        ExprKind::Literal(_) | ExprKind::ToScalar(_) => false,
        ExprKind::Call { args, .. } | ExprKind::Window { args, .. } | ExprKind::Aggregate { args, .. } => {
            args.iter().any(has_columns)
        }
        ExprKind::InRelation { value, .. } => has_columns(value),
    }
}

fn to_outer(expr: &mut Expr) {
    match &mut expr.kind {
        ExprKind::Column(name) => expr.kind = ExprKind::Outer(std::mem::take(name)),
        ExprKind::Call { args, .. } | ExprKind::Window { args, .. } | ExprKind::Aggregate { args, .. } => {
            args.iter_mut().for_each(to_outer);
        }
        ExprKind::InRelation { value, .. } => to_outer(value),
        _ => {}
    }
}

/// The constant that an expression is: literals, conversions of literals, and simple sums of them.
pub(super) fn fold(expr: &Expr) -> Option<Literal> {
    match &expr.kind {
        ExprKind::Literal(literal) => Some(literal.clone()),
        ExprKind::Call { function, args } => {
            let args = args.iter().map(fold).collect::<Option<Vec<_>>>()?;
            fold_call(function, &args)
        }
        _ => None,
    }
}

fn fold_call(function: &str, args: &[Literal]) -> Option<Literal> {
    use crate::types::Ticks;
    Some(match (function, args) {
        (operators::NEGATE, [Literal::Long(a)]) => Literal::Long(a.checked_neg()?),
        (operators::NEGATE, [Literal::Real(a)]) => Literal::Real(-a),
        (operators::ADD, [Literal::Long(a), Literal::Long(b)]) => Literal::Long(a.checked_add(*b)?),
        (operators::SUBTRACT, [Literal::Long(a), Literal::Long(b)]) => Literal::Long(a.checked_sub(*b)?),
        (operators::MULTIPLY, [Literal::Long(a), Literal::Long(b)]) => Literal::Long(a.checked_mul(*b)?),
        (operators::DIVIDE, [Literal::Long(a), Literal::Long(b)]) if *b != 0 => Literal::Long(a.checked_div(*b)?),
        (operators::ADD, [Literal::Real(a), Literal::Real(b)]) => Literal::Real(a + b),
        (operators::SUBTRACT, [Literal::Real(a), Literal::Real(b)]) => Literal::Real(a - b),
        (operators::MULTIPLY, [Literal::Real(a), Literal::Real(b)]) => Literal::Real(a * b),
        (operators::DIVIDE, [Literal::Real(a), Literal::Real(b)]) => Literal::Real(a / b),
        (operators::MULTIPLY, [Literal::Timespan(a), Literal::Long(b)])
        | (operators::MULTIPLY, [Literal::Long(b), Literal::Timespan(a)]) => {
            Literal::Timespan(Ticks(a.0.checked_mul(*b)?))
        }
        ("tostring", [Literal::String(text)]) => Literal::String(text.clone()),
        ("tostring", [Literal::Long(value)]) => Literal::String(value.to_string()),
        ("tostring", [Literal::Dynamic(text)]) if !text.starts_with(['"', '{', '[']) => Literal::String(text.clone()),
        ("strcat", _) => {
            let mut out = String::new();
            for arg in args {
                match arg {
                    Literal::String(text) => out.push_str(text),
                    Literal::Long(value) => out.push_str(&value.to_string()),
                    _ => return None,
                }
            }
            Literal::String(out)
        }
        ("toupper", [Literal::String(text)]) => Literal::String(text.to_uppercase()),
        ("tolower", [Literal::String(text)]) => Literal::String(text.to_lowercase()),
        _ => return None,
    })
}
