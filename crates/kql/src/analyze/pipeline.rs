//! Pipelines: each operator takes the relation before it and gives the next.

use super::naming::result_name;
use super::scope::Binding;
use super::sources::relation;
use super::{Analyzer, Labelled, Outcome, Stop, Value, convert, literal};
use crate::diagnostics::Span;
use crate::syntax::{self, Nulls, OperatorKind, Order};
use crate::typed::{self, NamedExpr, Operator, Relation, SortKey};
use crate::types::{Column, Literal, Schema, Type};

impl Analyzer<'_> {
    pub(super) fn pipeline(&mut self, pipeline: &syntax::Pipeline) -> Outcome<Value> {
        let scope = self.scope.clone();
        let result = self.operators(pipeline);
        self.scope = scope;
        result
    }

    fn operators(&mut self, pipeline: &syntax::Pipeline) -> Outcome<Value> {
        let mut value = match &pipeline.source {
            Some(source) => Some(self.value(source)?),
            None => self.body_source.take().map(|relation| Value::Relation(Labelled { relation, label: None })),
        };
        for operator in &pipeline.operators {
            value = Some(self.step(value, operator)?);
        }
        value.ok_or_else(|| Stop::semantic(pipeline.span, "a table is needed here"))
    }

    /// One operator.
    fn step(&mut self, input: Option<Value>, operator: &syntax::Operator) -> Outcome<Value> {
        let span = operator.span;
        let input = match input {
            Some(Value::Relation(labelled)) => Some(labelled),
            Some(Value::Graph(graph)) => return self.graph_step(graph, operator),
            Some(Value::Scalar(value)) => {
                let message = format!("an operator needs a table before it, but this is a {}", value.ty);
                return Err(Stop::semantic(value.span, message));
            }
            None => None,
        };
        match &operator.kind {
            OperatorKind::Print { columns } => return self.print(columns, span).map(plain),
            OperatorKind::Range { name, from, to, step } => return self.range(name, from, to, step, span).map(plain),
            OperatorKind::Union { tables } => return self.union(input, operator, tables).map(plain),
            OperatorKind::Find { .. } => return self.find(operator).map(plain),
            OperatorKind::Search { sources, predicate } => {
                return self.search(input, sources, predicate, span).map(plain);
            }
            OperatorKind::Evaluate { call, schema } => {
                let input = input.map(|labelled| labelled.relation);
                return self.evaluate(input, call, schema.as_ref(), span).map(plain);
            }
            OperatorKind::MacroExpand { .. } => return Err(Stop::unsupported(span, "macro-expand is not supported")),
            OperatorKind::Error => return Err(Stop::semantic(span, "this operator could not be read")),
            _ => {}
        }
        let Some(Labelled { relation: input, label }) = input else {
            return Err(Stop::semantic(span, "this operator needs a table before it"));
        };
        if let OperatorKind::Invoke { call } = &operator.kind {
            return self.invoke(Labelled { relation: input, label }, call, span);
        }
        if let OperatorKind::MakeGraph { .. } = &operator.kind {
            return self.make_graph(input, operator);
        }
        if let OperatorKind::As { name } = &operator.kind {
            let relation = self.share(input);
            let binding = Binding::Relation { relation: relation.clone(), label: Some(name.text.clone()) };
            self.scope = self.scope.with(&name.text, binding);
            return Ok(Value::Relation(Labelled { relation, label: Some(name.text.clone()) }));
        }
        let keeps_label = matches!(operator.kind, OperatorKind::Where { .. } | OperatorKind::Take { .. });
        let relation = self.relation_step(input, operator)?;
        Ok(Value::Relation(Labelled { relation, label: label.filter(|_| keeps_label) }))
    }

    fn relation_step(&mut self, input: Relation, operator: &syntax::Operator) -> Outcome<Relation> {
        let span = operator.span;
        let schema = input.schema.clone();
        match &operator.kind {
            OperatorKind::Where { predicate } => {
                let predicate = self.over(&schema, |analyzer| analyzer.condition(predicate))?;
                Ok(relation(Operator::Where { input: Box::new(input), predicate }, schema, span))
            }
            OperatorKind::Project { columns } => self.project_operator(input, columns, span),
            OperatorKind::Extend { columns } => self.extend_operator(input, columns, span),
            OperatorKind::ProjectAway { columns } => self.project_away(input, columns, span),
            OperatorKind::ProjectKeep { columns } => self.project_keep(input, columns, span),
            OperatorKind::ProjectByNames { names } => self.project_by_names(input, names, span),
            OperatorKind::ProjectRename { columns } => self.project_rename(input, columns, span),
            OperatorKind::ProjectReorder { columns } => self.project_reorder(input, columns, span),
            OperatorKind::Distinct { columns } => self.distinct(input, columns, span),
            OperatorKind::Count { name } => {
                let name = name.as_ref().map_or("Count", |name| name.text.as_str());
                Ok(self.count_rows(input, name, span))
            }
            OperatorKind::Summarize { aggregates, by, bin } => {
                self.summarize(input, aggregates, by, bin.as_ref(), span)
            }
            OperatorKind::Sort { keys } => {
                let keys = self.sort_keys(&schema, keys)?;
                Ok(relation(Operator::Sort { input: Box::new(input), keys }, schema, span))
            }
            OperatorKind::Take { count } => {
                let count = self.row_count(&count.expr)?;
                Ok(relation(Operator::Take { input: Box::new(input), count }, schema, span))
            }
            OperatorKind::Top { count, by } => {
                let count = self.row_count(&count.expr)?;
                let keys = self.sort_keys(&schema, by)?;
                Ok(relation(Operator::Top { input: Box::new(input), count, keys }, schema, span))
            }
            OperatorKind::Sample { count } => {
                let count = self.row_count(&count.expr)?;
                Ok(relation(Operator::Sample { input: Box::new(input), count }, schema, span))
            }
            OperatorKind::SampleDistinct { count, of } => {
                let count = self.row_count(&count.expr)?;
                let of = self.named(&schema, of)?;
                let schema = Schema::new(vec![Column::new(&of.name, of.expr.ty)]);
                Ok(relation(Operator::SampleDistinct { input: Box::new(input), count, of }, schema, span))
            }
            OperatorKind::TopHitters { count, of, by } => {
                let count = self.row_count(&count.expr)?;
                let of = self.named(&schema, of)?;
                let (by, name, ty) = match by {
                    Some(key) => {
                        let by = self.over(&schema, |analyzer| analyzer.scalar(&key.key.expr))?;
                        let name = result_name(&key.key.expr, &schema).unwrap_or_default();
                        let ty = if by.ty == Type::Int { Type::Long } else { by.ty };
                        (Some(by), format!("approximate_sum_{name}"), ty)
                    }
                    None => (None, format!("approximate_count_{}", of.name), Type::Long),
                };
                let schema = Schema::new(vec![Column::new(&of.name, of.expr.ty), Column::new(name, ty)]);
                Ok(relation(Operator::TopHitters { input: Box::new(input), count, of, by }, schema, span))
            }
            OperatorKind::Serialize { columns } => {
                let serialized = relation(Operator::Serialize { input: Box::new(input) }, schema, span);
                match columns.is_empty() {
                    true => Ok(serialized),
                    false => self.extend_operator(serialized, columns, span),
                }
            }
            OperatorKind::Consume => Ok(relation(Operator::Consume { input: Box::new(input) }, schema, span)),
            OperatorKind::AssertSchema { schema: wanted } => {
                let wanted = super::sources::table_schema(wanted);
                if let Some(missing) = wanted.columns.iter().find(|column| !schema.columns.contains(column)) {
                    let message = format!("the table has no column `{}` of type {}", missing.name, missing.ty);
                    return Err(Stop::semantic(span, message));
                }
                Ok(relation(Operator::AssertSchema { input: Box::new(input) }, schema, span))
            }
            OperatorKind::ExecuteAndCache => Ok(input),
            OperatorKind::Getschema => Ok(getschema(&schema, span)),
            OperatorKind::Join { table, on, .. } => self.join(input, operator, table, on),
            OperatorKind::Lookup { table, on } => self.lookup(input, operator, table, on),
            OperatorKind::Render { kind, properties } => {
                let mut typed = Vec::new();
                for property in properties {
                    for value in &property.values {
                        let value = self.isolated(|analyzer| analyzer.word_or_constant(value))?;
                        typed.push((property.name.text.clone(), value));
                    }
                }
                self.render = Some(typed::Render { kind: kind.text.clone(), properties: typed });
                Ok(input)
            }
            OperatorKind::Reduce { by, with } => {
                let expr =
                    self.over(&schema, |analyzer| analyzer.scalar_as(&by.expr, Type::String, "the column of reduce"))?;
                let mut options = Vec::new();
                for property in operator.parameters.iter() {
                    options.push((property.name.text.clone(), self.word_or_constant(&property.value)?));
                }
                for item in with {
                    let value = self.word_or_constant(&item.expr)?;
                    options.push((item.names.first().map(|name| name.text.clone()).unwrap_or_default(), value));
                }
                let columns = [("Pattern", Type::String), ("Count", Type::Long), ("Representative", Type::String)];
                let schema = Schema::new(columns.map(|(name, ty)| Column::new(name, ty)).to_vec());
                Ok(relation(Operator::Reduce { input: Box::new(input), expr, options }, schema, span))
            }
            OperatorKind::Fork { legs } => self.fork(input, legs),
            OperatorKind::Facet { by, with } => self.facet(input, by, with.as_ref(), span),
            _ => self.row_operator(input, operator),
        }
    }

    /// A number of rows.
    pub(super) fn row_count(&mut self, count: &syntax::Expr) -> Outcome<typed::Expr> {
        let value = self.isolated(|analyzer| analyzer.scalar(count))?;
        let value = match &value.kind {
            typed::ExprKind::Literal(Literal::Real(number)) => literal::long(*number as i64, value.span),
            _ => value,
        };
        convert::implicit(value, Type::Long, "the number of rows")
    }

    pub(super) fn sort_keys(&mut self, schema: &Schema, written: &[syntax::SortKey]) -> Outcome<Vec<SortKey>> {
        let mut keys = Vec::new();
        for key in written {
            let expr = self.over(schema, |analyzer| analyzer.scalar(&key.key.expr))?;
            let descending = !matches!(key.order, Some(Order::Ascending));
            let nulls_first = match key.nulls {
                Some(nulls) => nulls == Nulls::First,
                None => !descending,
            };
            keys.push(SortKey { expr, descending, nulls_first });
        }
        Ok(keys)
    }

    /// An item with a name, its own or its expression's.
    pub(super) fn named(&mut self, schema: &Schema, item: &syntax::NamedExpr) -> Outcome<NamedExpr> {
        let expr = self.over(schema, |analyzer| analyzer.scalar(&item.expr))?;
        let given = item.names.first().map(|name| name.text.clone());
        let name = given.or_else(|| result_name(&item.expr, schema)).unwrap_or_else(|| "Column1".to_owned());
        Ok(NamedExpr { name, expr })
    }

    /// `invoke f(…)`: the input is the function's first argument.
    fn invoke(&mut self, input: Labelled, call: &syntax::Expr, span: Span) -> Outcome<Value> {
        let call = match &call.kind {
            syntax::ExprKind::Call(call) | syntax::ExprKind::PathCall { call, .. } => call,
            _ => return Err(Stop::semantic(span, "invoke needs a function call")),
        };
        let lambda = match self.scope.get(&call.name.text).cloned() {
            Some(Binding::Function(lambda)) => Some(lambda),
            _ => self.stored_function(&call.name.text, span)?,
        };
        let Some(lambda) = lambda else {
            let names = self.scope.names();
            let help = super::suggest::did_you_mean(&call.name.text, names.iter().map(String::as_str));
            return Err(
                Stop::unknown(call.name.span, format!("there is no function named `{}`", call.name.text)).help(help)
            );
        };
        self.invoke_lambda(&lambda, &call.args, Some(input), span)
    }

    /// The body of an operator, on the source that it gives.
    pub(super) fn body(&mut self, source: Relation, body: &syntax::Pipeline) -> Outcome<Labelled> {
        let before = self.body_source.replace(source);
        let result = self.pipeline(body);
        self.body_source = before;
        match result? {
            Value::Relation(labelled) => Ok(labelled),
            _ => Err(Stop::semantic(body.span, "a table is needed here")),
        }
    }

    fn fork(&mut self, input: Relation, legs: &[syntax::ForkLeg]) -> Outcome<Relation> {
        let source = self.share(input);
        let mut last = source.clone();
        for leg in legs {
            let labelled = self.body(source.clone(), &leg.body)?;
            let name = leg.name.as_ref().map(|name| name.text.clone()).or(labelled.label);
            let render = self.render.take();
            last = labelled.relation.clone();
            self.extra.push(typed::QueryResult { name, relation: labelled.relation, render });
        }
        Ok(last)
    }

    /// A table of counts for each column, and the result of `with`.
    fn facet(
        &mut self,
        input: Relation,
        by: &[syntax::Expr],
        with: Option<&syntax::Pipeline>,
        span: Span,
    ) -> Outcome<Relation> {
        let source = self.share(input);
        let mut last = source.clone();
        for expr in by {
            let item = syntax::NamedExpr { names: Vec::new(), expr: expr.clone(), span: expr.span };
            let key = self.named(&source.schema, &item)?;
            let mut counted = self.count_rows(source.clone(), &format!("count_{}", key.name), span);
            counted.schema.columns.insert(0, Column::new(&key.name, key.expr.ty));
            if let Operator::Summarize { keys, .. } = &mut counted.operator {
                keys.push(key);
            }
            last = counted.clone();
            self.extra.push(typed::QueryResult { name: None, relation: counted, render: None });
        }
        if let Some(with) = with {
            let labelled = self.body(source, with)?;
            last = labelled.relation.clone();
            self.extra.push(typed::QueryResult { name: labelled.label, relation: labelled.relation, render: None });
        }
        Ok(last)
    }
}

pub(super) fn plain(relation: Relation) -> Value {
    Value::Relation(Labelled { relation, label: None })
}

/// The columns of a table as rows.
fn getschema(schema: &Schema, span: Span) -> Relation {
    let rows = schema
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            vec![
                Literal::String(column.name.clone()),
                Literal::Long(index as i64),
                Literal::String(system_type(column.ty).to_owned()),
                Literal::String(column.ty.name().to_owned()),
            ]
        })
        .collect();
    let columns = [
        ("ColumnName", Type::String),
        ("ColumnOrdinal", Type::Long),
        ("DataType", Type::String),
        ("ColumnType", Type::String),
    ];
    let schema = Schema::new(columns.map(|(name, ty)| Column::new(name, ty)).to_vec());
    relation(Operator::Datatable { rows }, schema, span)
}

/// The name of a type in the system that the language came from, which `getschema` and the REST API print.
pub(super) const fn system_type(ty: Type) -> &'static str {
    match ty {
        Type::Bool => "System.SByte",
        Type::Int => "System.Int32",
        Type::Long => "System.Int64",
        Type::Real => "System.Double",
        Type::Decimal => "System.Data.SqlTypes.SqlDecimal",
        Type::Datetime => "System.DateTime",
        Type::Timespan => "System.TimeSpan",
        Type::String => "System.String",
        Type::Guid => "System.Guid",
        Type::Dynamic => "System.Object",
    }
}
