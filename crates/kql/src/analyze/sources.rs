//! Where relations come from: tables, saved data, `datatable`, `range`, `print`, and the functions that name tables.

use super::convert;
use super::expression::call;
use super::suggest::did_you_mean;
use super::{Analyzer, Labelled, Outcome, Stop, Value, literal};
use crate::diagnostics::Span;
use crate::syntax;
use crate::typed::{Expr, ExprKind, NamedExpr, Operator, Relation, TableSource};
use crate::types::{Column, Literal, Schema, Type};

pub(super) fn relation(operator: Operator, schema: Schema, span: Span) -> Relation {
    Relation { operator, schema, open: false, span }
}

impl Analyzer<'_> {
    /// A table of the query's own workspace.
    pub(super) fn catalog_table(&mut self, name: &str, span: Span) -> Outcome<Option<Labelled>> {
        let Some(schema) = self.catalog.table(&TableSource::Local, name) else { return Ok(None) };
        if let Some(allowed) = &self.allowed
            && !allowed.iter().any(|pattern| super::naming::matches_wildcard(pattern, name))
        {
            return Err(Stop::unknown(
                span,
                format!("the query restricts access, and `{name}` is not among what it allows"),
            ));
        }
        let operator = Operator::Table { name: name.to_owned(), source: TableSource::Local };
        Ok(Some(Labelled { relation: relation(operator, schema, span), label: Some(name.to_owned()) }))
    }

    /// A table of another workspace, cluster or database.
    pub(super) fn table_of(&mut self, source: TableSource, name: &str, span: Span) -> Outcome<Labelled> {
        let Some(schema) = self.catalog.table(&source, name) else {
            return Err(Stop::unknown(span, format!("there is no table named `{name}` in {}", describe(&source))));
        };
        let operator = Operator::Table { name: name.to_owned(), source };
        Ok(Labelled { relation: relation(operator, schema, span), label: Some(name.to_owned()) })
    }

    /// `workspace("w")`, `app("a")`, `resource("r")`, `database("d")`, `cluster("c").database("d")` before a dot.
    pub(super) fn table_source(&mut self, base: &syntax::Expr) -> Outcome<Option<TableSource>> {
        let (cluster, call) = match &base.kind {
            syntax::ExprKind::Call(call) => (None, call),
            syntax::ExprKind::PathCall { base, call } => match &base.kind {
                syntax::ExprKind::Call(outer) if outer.name.text == "cluster" => (Some(outer), call),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let name = call.name.text.as_str();
        if !matches!(name, "workspace" | "app" | "resource" | "database") || self.scope.get(name).is_some() {
            return Ok(None);
        }
        let argument = match call.args.first() {
            Some(arg) => self.constant_text(arg, "the name")?,
            None => String::new(),
        };
        if name != "database" {
            return Ok(Some(TableSource::Workspace(argument)));
        }
        let cluster = match cluster.and_then(|call| call.args.first()) {
            Some(arg) => self.constant_text(arg, "the name of the cluster")?,
            None => String::new(),
        };
        Ok(Some(TableSource::Cluster { cluster, database: argument }))
    }

    /// `database("d").f(…)`, `cluster("c").database("d").table("T")`.
    pub(super) fn path_call(&mut self, base: &syntax::Expr, call: &syntax::Call, span: Span) -> Outcome<Value> {
        if let Some(source) = self.table_source(base)? {
            if call.name.text == "table" && !call.args.is_empty() {
                let name = self.constant_text(&call.args[0], "the name of the table")?;
                return self.table_of(source, &name, call.span).map(Value::Relation);
            }
            if let Some(function) = self.stored_function(&call.name.text, span)? {
                return self.invoke_lambda(&function, &call.args, None, span);
            }
            return Err(Stop::unknown(call.name.span, format!("there is no function named `{}`", call.name.text)));
        }
        Err(Stop::semantic(span, format!("`{}` cannot be called on this", call.name.text)))
    }

    /// Calls that give tables: `table("T")`, `materialize(…)`, `view(…)`; none for other functions.
    pub(super) fn tabular_call(&mut self, written: &syntax::Call, span: Span) -> Outcome<Option<Value>> {
        let name = written.name.text.as_str();
        match name {
            "table" => {
                let Some(arg) = written.args.first() else {
                    return Err(Stop::semantic(span, "table() needs the name of a table"));
                };
                let table = self.constant_text(arg, "the name of the table")?;
                match self.catalog_table(&table, arg.span)? {
                    Some(labelled) => Ok(Some(Value::Relation(labelled))),
                    None => Err(self.unknown_table(&table, arg.span)),
                }
            }
            "materialize" => {
                let [arg] = written.args.as_slice() else {
                    return Err(Stop::semantic(span, "materialize() takes one table"));
                };
                match self.isolated(|analyzer| analyzer.value(arg))? {
                    Value::Relation(labelled) => {
                        let relation = self.share(labelled.relation);
                        Ok(Some(Value::Relation(Labelled { relation, label: None })))
                    }
                    value => Ok(Some(value)),
                }
            }
            "external_table"
            | "materialized_view"
            | "stored_query_result"
            | "graph"
            | "cluster"
            | "database"
            | "workspace"
            | "app"
            | "resource"
            | "entity_group" => {
                if written.args.is_empty() {
                    return Ok(None);
                }
                Err(Stop::unsupported(span, format!("{name}() is not supported here")))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn unknown_table(&self, name: &str, span: Span) -> Stop {
        let tables = self.catalog.table_names();
        let variables = self.scope.names();
        let help = did_you_mean(name, tables.iter().chain(&variables).map(String::as_str));
        Stop::unknown(span, format!("there is no table named `{name}`")).help(help)
    }

    pub(super) fn datatable(
        &mut self,
        schema: &syntax::TableSchema,
        values: &[syntax::Expr],
        span: Span,
    ) -> Outcome<Relation> {
        let schema = table_schema(schema);
        let width = schema.columns.len();
        if width == 0 || !values.len().is_multiple_of(width) {
            let message = format!("datatable has {width} columns, and {} values do not make whole rows", values.len());
            return Err(Stop::semantic(span, message));
        }
        let mut rows = Vec::with_capacity(values.len() / width);
        for cells in values.chunks(width) {
            let mut row = Vec::with_capacity(width);
            for (cell, column) in cells.iter().zip(&schema.columns) {
                row.push(self.isolated(|analyzer| analyzer.cell(cell, column))?);
            }
            rows.push(row);
        }
        Ok(relation(Operator::Datatable { rows }, schema, span))
    }

    /// A cell as a constant of its column's type.
    fn cell(&mut self, cell: &syntax::Expr, column: &Column) -> Outcome<Literal> {
        let value = self.scalar(cell)?;
        let from = self.constant(&value)?;
        let ty = column.ty;
        let converted = match (&from, ty) {
            (value, ty) if value.ty() == ty => Some(from.clone()),
            (Literal::Null(_), Type::String) => Some(Literal::String(String::new())),
            (Literal::Null(_), ty) => Some(Literal::Null(ty)),
            (Literal::String(text), Type::Dynamic) => Some(Literal::Dynamic(literal::json_string(text))),
            (Literal::String(text), ty) => literal::from_text(ty, text).or(Some(Literal::Null(ty))),
            (Literal::Long(value), Type::Bool) => Some(Literal::Bool(*value != 0)),
            (Literal::Long(value), Type::Int) => i32::try_from(*value).ok().map(Literal::Int),
            (Literal::Real(value), Type::Long) => Some(Literal::Long(*value as i64)),
            (Literal::Real(value), Type::Int) => Some(Literal::Int(*value as i32)),
            (Literal::Real(value), Type::Decimal) => Some(Literal::Decimal(value.to_string())),
            (Literal::Decimal(text), Type::Real) => text.parse().ok().map(Literal::Real),
            (Literal::Long(value), Type::String) => Some(Literal::String(value.to_string())),
            (Literal::Real(value), Type::String) => Some(Literal::String(value.to_string())),
            (Literal::Bool(value), Type::String) => Some(Literal::String(value.to_string())),
            (Literal::Datetime(ticks), Type::String) => Some(Literal::String(literal::datetime_text(*ticks))),
            (Literal::Timespan(ticks), Type::String) => Some(Literal::String(literal::timespan_text(ticks.0))),
            (Literal::Dynamic(text), Type::String) => Some(Literal::String(text.clone())),
            (Literal::Datetime(ticks), Type::Dynamic) => {
                Some(Literal::Dynamic(literal::json_string(&literal::datetime_text(*ticks))))
            }
            (Literal::Timespan(ticks), Type::Dynamic) => {
                Some(Literal::Dynamic(literal::json_string(&literal::timespan_text(ticks.0))))
            }
            (Literal::Real(value), Type::Dynamic) => Some(Literal::Dynamic(value.to_string())),
            _ => super::expression::fold(&convert::convert(value.clone(), ty)),
        };
        converted.ok_or_else(|| {
            let message = format!("column `{}` is {ty}, but this value is {}", column.name, from.ty());
            Stop::semantic(cell.span, message)
        })
    }

    pub(super) fn external_data(
        &mut self,
        schema: &syntax::TableSchema,
        uris: &[syntax::Expr],
        properties: &[syntax::Property],
        span: Span,
    ) -> Outcome<Relation> {
        let mut addresses = Vec::new();
        for uri in uris {
            addresses.push(self.constant_text(uri, "an address")?);
        }
        let options = self.properties(properties)?;
        Ok(relation(Operator::ExternalData { uris: addresses, options }, table_schema(schema), span))
    }

    /// `name = value` pairs as constants.
    pub(super) fn properties(&mut self, properties: &[syntax::Property]) -> Outcome<Vec<(String, Literal)>> {
        let mut options = Vec::new();
        for property in properties {
            options.push((property.name.text.clone(), self.word_or_constant(&property.value)?));
        }
        Ok(options)
    }

    pub(super) fn range(
        &mut self,
        name: &syntax::Name,
        from: &syntax::Expr,
        to: &syntax::Expr,
        step: &syntax::Expr,
        span: Span,
    ) -> Outcome<Relation> {
        let (from, to, step) = (self.scalar(from)?, self.scalar(to)?, self.scalar(step)?);
        let mut args = super::special::range_types(from, to, step, span)?;
        let (Some(step), Some(to), Some(from)) = (args.pop(), args.pop(), args.pop()) else {
            return Err(Stop::semantic(span, "range needs three values"));
        };
        let schema = Schema::new(vec![Column::new(&name.text, from.ty)]);
        Ok(relation(Operator::Range { from, to, step }, schema, span))
    }

    pub(super) fn print(&mut self, written: &[syntax::NamedExpr], span: Span) -> Outcome<Relation> {
        let mut columns: Vec<NamedExpr> = Vec::new();
        let mut names = super::naming::Names::default();
        for (index, item) in written.iter().enumerate() {
            let item = self.isolated(|analyzer| analyzer.over(&Schema::default(), |analyzer| analyzer.output(item)))?;
            for (at, output) in item.into_iter().enumerate() {
                let name = match output.name {
                    Some(name) => names.unique(&name),
                    None => names.unique(&format!("print_{}", index + at)),
                };
                columns.push(NamedExpr { name, expr: output.expr });
            }
        }
        let schema = schema_of(&columns);
        Ok(relation(Operator::Print { columns }, schema, span))
    }
}

pub(super) fn schema_of(columns: &[NamedExpr]) -> Schema {
    Schema::new(columns.iter().map(|column| Column::new(&column.name, column.expr.ty)).collect())
}

pub(super) fn table_schema(schema: &syntax::TableSchema) -> Schema {
    Schema::new(schema.columns.iter().map(|column| Column::new(&column.name.text, column.ty)).collect())
}

/// A null of the type; for a string the empty string.
pub(super) fn null(ty: Type, span: Span) -> Expr {
    match ty {
        Type::String => literal::string("", span),
        ty => Expr { kind: ExprKind::Literal(Literal::Null(ty)), ty, span },
    }
}

fn describe(source: &TableSource) -> String {
    match source {
        TableSource::Local => "this workspace".to_owned(),
        TableSource::Workspace(name) => format!("workspace `{name}`"),
        TableSource::Cluster { cluster, database } if cluster.is_empty() => format!("database `{database}`"),
        TableSource::Cluster { cluster, database } => format!("database `{database}` of cluster `{cluster}`"),
    }
}

/// The first property of a bag-valued call, as a column of its type.
pub(super) fn property(of: &Expr, name: &str, ty: Type, span: Span) -> Expr {
    let index =
        call(crate::typed::operators::INDEX, vec![of.clone(), literal::string(name, span)], Type::Dynamic, span);
    convert::convert(index, ty)
}
