//! `project` and its family, `extend`, `distinct`: all complete lists of output columns.

use super::expression::{column, missing_column};
use super::naming::{Names, matches_wildcard, result_name};
use super::sources::{property, relation, schema_of};
use super::{Analyzer, Outcome, Stop, literal};
use crate::diagnostics::Span;
use crate::functions::{self, Returns};
use crate::syntax::{self, Order};
use crate::typed::{Expr, NamedExpr, Operator, Relation, operators};
use crate::types::{Column, Literal, Schema, Type};

/// A column that an item of a list gives. `declared`: the name is the query's own.
pub(super) struct Output {
    pub name: Option<String>,
    pub declared: bool,
    pub expr: Expr,
}

pub(super) fn project(input: Relation, columns: Vec<NamedExpr>, span: Span) -> Relation {
    let schema = schema_of(&columns);
    relation(Operator::Project { input: Box::new(input), columns }, schema, span)
}

/// The column itself.
pub(super) fn keep(found: &Column, span: Span) -> NamedExpr {
    NamedExpr { name: found.name.clone(), expr: column(found, span) }
}

impl Analyzer<'_> {
    /// The columns that one item gives: one, or several for functions with several results.
    pub(super) fn output(&mut self, item: &syntax::NamedExpr) -> Outcome<Vec<Output>> {
        let row = self.row.as_ref().map(|row| row.schema.clone()).unwrap_or_default();
        if let syntax::ExprKind::Call(call) = &item.expr.kind
            && let Some(signature) = functions::scalar(&call.name.text)
            && self.scope.get(&call.name.text).is_none()
        {
            if let Returns::Tuple(columns) = &signature.overloads[0].returns {
                return self.tuple(item, call, columns, &row);
            }
            if matches!(signature.name, "array_sort_asc" | "array_sort_desc") {
                return self.sorted_arrays(item, call, &row);
            }
        }
        let expr = self.scalar(&item.expr)?;
        let declared = item.names.first().map(|name| name.text.clone());
        let is_declared = declared.is_some();
        let name = declared.or_else(|| result_name(&item.expr, &row)).filter(|name| !name.is_empty());
        Ok(vec![Output { name, declared: is_declared, expr }])
    }

    fn tuple(
        &mut self,
        item: &syntax::NamedExpr,
        call: &syntax::Call,
        columns: &[Column],
        row: &Schema,
    ) -> Outcome<Vec<Output>> {
        let value = self.scalar(&item.expr)?;
        let first = call.args.first().and_then(|arg| result_name(arg, row)).unwrap_or_default();
        let prefix = format!("{}_{first}", call.name.text);
        Ok(columns
            .iter()
            .enumerate()
            .map(|(index, found)| {
                let given = item.names.get(index).map(|name| name.text.clone());
                let declared = given.is_some();
                let name = given.or_else(|| Some(format!("{prefix}_{}", found.name)));
                Output { name, declared, expr: property(&value, &found.name, found.ty, item.span) }
            })
            .collect())
    }

    fn sorted_arrays(&mut self, item: &syntax::NamedExpr, call: &syntax::Call, row: &Schema) -> Outcome<Vec<Output>> {
        let value = self.scalar(&item.expr)?;
        let crate::typed::ExprKind::Call { args, .. } = &value.kind else { return Ok(Vec::new()) };
        let arrays = args.iter().filter(|arg| arg.ty == Type::Dynamic).count();
        let name = |index: usize| {
            item.names.get(index).map(|name| name.text.clone()).or_else(|| {
                let written = call.args.get(index).and_then(|arg| result_name(arg, row));
                Some(format!("{}_sorted", written.unwrap_or_else(|| format!("array{index}"))))
            })
        };
        if arrays <= 1 {
            return Ok(vec![Output { name: name(0), declared: !item.names.is_empty(), expr: value }]);
        }
        Ok((0..arrays)
            .map(|index| {
                let args = vec![value.clone(), literal::long(index as i64, item.span)];
                let expr = super::expression::call(operators::INDEX, args, Type::Dynamic, item.span);
                Output { name: name(index), declared: item.names.len() > index, expr }
            })
            .collect())
    }

    pub(super) fn project_operator(
        &mut self,
        input: Relation,
        written: &[syntax::NamedExpr],
        span: Span,
    ) -> Outcome<Relation> {
        let schema = input.schema.clone();
        let mut names = Names::default();
        let mut columns = Vec::new();
        for item in written {
            if let Some(matching) = starred(&item.expr, &schema) {
                for found in matching {
                    if names.take(&found.name) {
                        columns.push(keep(&found, item.span));
                    }
                }
                continue;
            }
            for output in self.over(&schema, |analyzer| analyzer.output(item))? {
                let name = match (&output.name, output.declared) {
                    (Some(name), true) => {
                        if !names.take(name) {
                            return Err(Stop::semantic(item.span, format!("the column `{name}` is given twice")));
                        }
                        name.clone()
                    }
                    (Some(name), false) => names.unique(name),
                    (None, _) => names.next_column(),
                };
                columns.push(NamedExpr { name, expr: output.expr });
            }
        }
        Ok(project(input, columns, span))
    }

    pub(super) fn extend_operator(
        &mut self,
        input: Relation,
        written: &[syntax::NamedExpr],
        span: Span,
    ) -> Outcome<Relation> {
        let schema = input.schema.clone();
        let mut names = Names::of(&schema);
        let mut columns: Vec<NamedExpr> = schema.columns.iter().map(|found| keep(found, span)).collect();
        for item in written {
            for output in self.over(&schema, |analyzer| analyzer.output(item))? {
                let name = match (&output.name, output.declared) {
                    (Some(name), true) => {
                        names.take(name);
                        name.clone()
                    }
                    (Some(name), false) if schema.get(name).is_some() && is_column(&output.expr, name) => name.clone(),
                    (Some(name), false) => names.unique(name),
                    (None, _) => names.next_column(),
                };
                match columns.iter_mut().find(|column| column.name == name) {
                    Some(column) => column.expr = output.expr,
                    None => columns.push(NamedExpr { name, expr: output.expr }),
                }
            }
        }
        Ok(project(input, columns, span))
    }

    /// The columns that names and wildcards mean, in the input's order for each.
    fn chosen(&mut self, written: &[syntax::Expr], schema: &Schema) -> Outcome<Vec<Column>> {
        let mut chosen: Vec<Column> = Vec::new();
        for expr in written {
            let found = match starred(expr, schema) {
                Some(found) => found,
                None => {
                    let name = name_of(expr)?;
                    let found = schema.get(&name).ok_or_else(|| missing_column(&name, schema, expr.span))?;
                    vec![found.clone()]
                }
            };
            for column in found {
                if !chosen.contains(&column) {
                    chosen.push(column);
                }
            }
        }
        Ok(chosen)
    }

    pub(super) fn project_away(&mut self, input: Relation, written: &[syntax::Expr], span: Span) -> Outcome<Relation> {
        let away = self.chosen(written, &input.schema)?;
        let kept = input.schema.columns.iter().filter(|column| !away.contains(column));
        let columns = kept.map(|column| keep(column, span)).collect();
        Ok(project(input, columns, span))
    }

    pub(super) fn project_keep(&mut self, input: Relation, written: &[syntax::Expr], span: Span) -> Outcome<Relation> {
        let chosen = self.chosen(written, &input.schema)?;
        let kept = input.schema.columns.iter().filter(|column| chosen.contains(column));
        let columns = kept.map(|column| keep(column, span)).collect();
        Ok(project(input, columns, span))
    }

    /// Names as constants: strings with wildcards, or arrays of them; names that do not exist are left out.
    pub(super) fn project_by_names(
        &mut self,
        input: Relation,
        written: &[syntax::Expr],
        span: Span,
    ) -> Outcome<Relation> {
        let mut patterns = Vec::new();
        for expr in written {
            let value = self.isolated(|analyzer| analyzer.scalar(expr))?;
            match self.constant(&value)? {
                Literal::String(text) => patterns.push(text),
                Literal::Dynamic(json) => patterns.extend(strings_in(&json)),
                other => {
                    return Err(Stop::semantic(
                        expr.span,
                        format!("names must be strings, but this is {}", other.ty()),
                    ));
                }
            }
        }
        let mut columns: Vec<NamedExpr> = Vec::new();
        for pattern in &patterns {
            for found in input.schema.columns.iter().filter(|found| matches_wildcard(pattern, &found.name)) {
                if !columns.iter().any(|column| column.name == found.name) {
                    columns.push(keep(found, span));
                }
            }
        }
        Ok(project(input, columns, span))
    }

    pub(super) fn project_rename(
        &mut self,
        input: Relation,
        written: &[syntax::NamedExpr],
        span: Span,
    ) -> Outcome<Relation> {
        let mut renames = Vec::new();
        for item in written {
            let old = name_of(&item.expr)?;
            input.schema.get(&old).ok_or_else(|| missing_column(&old, &input.schema, item.expr.span))?;
            let Some(new) = item.names.first() else {
                return Err(Stop::semantic(item.span, "project-rename needs new = old"));
            };
            renames.push((old, new.text.clone()));
        }
        let mut names = Names::default();
        let mut columns = Vec::new();
        for found in &input.schema.columns {
            let new = renames.iter().find(|(old, _)| *old == found.name).map_or(&found.name, |(_, new)| new);
            if !names.take(new) {
                return Err(Stop::semantic(span, format!("there would be two columns named `{new}`")));
            }
            columns.push(NamedExpr { name: new.clone(), expr: column(found, span) });
        }
        Ok(project(input, columns, span))
    }

    pub(super) fn project_reorder(
        &mut self,
        input: Relation,
        written: &[(syntax::Expr, Option<Order>)],
        span: Span,
    ) -> Outcome<Relation> {
        let mut ordered: Vec<Column> = Vec::new();
        for (expr, order) in written {
            let mut found = self.chosen(std::slice::from_ref(expr), &input.schema)?;
            match order {
                Some(Order::Ascending) => found.sort_by(|a, b| a.name.cmp(&b.name)),
                Some(Order::Descending) => found.sort_by(|a, b| b.name.cmp(&a.name)),
                Some(Order::GrannyAscending) => found.sort_by_key(|column| granny(&column.name)),
                Some(Order::GrannyDescending) => found.sort_by_key(|column| std::cmp::Reverse(granny(&column.name))),
                None => {}
            }
            for column in found {
                if !ordered.contains(&column) {
                    ordered.push(column);
                }
            }
        }
        let rest = input.schema.columns.iter().filter(|column| !ordered.contains(column));
        let columns = ordered.iter().chain(rest).map(|column| keep(column, span)).collect();
        Ok(project(input, columns, span))
    }

    pub(super) fn distinct(&mut self, input: Relation, written: &[syntax::Expr], span: Span) -> Outcome<Relation> {
        let schema = input.schema.clone();
        let mut names = Names::default();
        let mut keys = Vec::new();
        for expr in written {
            if let Some(found) = starred(expr, &schema) {
                for found in found {
                    if names.take(&found.name) {
                        keys.push(keep(&found, expr.span));
                    }
                }
                continue;
            }
            let value = self.over(&schema, |analyzer| analyzer.scalar(expr))?;
            let name = match result_name(expr, &schema) {
                Some(name) => names.unique(&name),
                None => names.next_column(),
            };
            keys.push(NamedExpr { name, expr: value });
        }
        let schema = schema_of(&keys);
        let operator = Operator::Summarize { input: Box::new(input), keys, aggregates: Vec::new() };
        Ok(relation(operator, schema, span))
    }
}

fn is_column(expr: &Expr, name: &str) -> bool {
    matches!(&expr.kind, crate::typed::ExprKind::Column(column) if column == name)
}

/// The columns that `*` or a wildcard means; none for other expressions.
fn starred(expr: &syntax::Expr, schema: &Schema) -> Option<Vec<Column>> {
    match &expr.kind {
        syntax::ExprKind::Star => Some(schema.columns.clone()),
        syntax::ExprKind::Wildcard(pattern) => {
            let found = schema.columns.iter().filter(|column| matches_wildcard(pattern, &column.name));
            Some(found.cloned().collect())
        }
        _ => None,
    }
}

/// The name of a column that stands alone.
pub(super) fn name_of(expr: &syntax::Expr) -> Outcome<String> {
    match &expr.kind {
        syntax::ExprKind::Name(name) => Ok(name.clone()),
        _ => Err(Stop::semantic(expr.span, "the name of a column is needed here")),
    }
}

/// Runs of digits compare by value.
fn granny(name: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 {
            parts.push((rest[..digits].parse().unwrap_or(u64::MAX), String::new()));
            rest = &rest[digits..];
        } else {
            let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            parts.push((0, rest[..text].to_owned()));
            rest = &rest[text..];
        }
    }
    parts
}

/// The strings of a compact JSON array of strings.
pub(super) fn strings_in(json: &str) -> Vec<String> {
    let parsed = crate::parse(&format!("print dynamic({json})"));
    let mut found = Vec::new();
    for statement in &parsed.query.statements {
        if let syntax::StatementKind::Expression(expr) = &statement.kind
            && let syntax::ExprKind::Pipeline(pipeline) = &expr.kind
            && let Some(syntax::OperatorKind::Print { columns }) =
                pipeline.operators.first().map(|operator| &operator.kind)
            && let Some(item) = columns.first()
            && let syntax::ExprKind::Literal(syntax::Literal::Dynamic(syntax::Json::Array(items))) = &item.expr.kind
        {
            found.extend(items.iter().filter_map(|item| match item {
                syntax::Json::String(text) => Some(text.clone()),
                _ => None,
            }));
        }
    }
    found
}
