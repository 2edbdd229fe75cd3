//! `summarize`, `count`, and what they have in common with other operators that aggregate.

use super::calls::{check_count, choose, percentile_type};
use super::expression::{column, fold};
use super::naming::{Names, aggregate_name, result_name};
use super::scope::Row;
use super::sources::{relation, schema_of};
use super::{Analyzer, Outcome, convert};
use crate::diagnostics::Span;
use crate::functions;
use crate::syntax;
use crate::typed::{AggregateOutput, Expr, ExprKind, NamedExpr, Operator, Relation};
use crate::types::{Column, Literal, Schema, Type};

/// A column that an aggregate item gives, before names are made unique.
pub(super) struct Aggregated {
    pub name: Option<String>,
    pub expr: Expr,
}

impl Analyzer<'_> {
    pub(super) fn summarize(
        &mut self,
        input: Relation,
        aggregates: &[syntax::NamedExpr],
        by: &[syntax::NamedExpr],
        bin: Option<&syntax::Expr>,
        span: Span,
    ) -> Outcome<Relation> {
        let schema = input.schema.clone();
        let mut names = Names::default();
        let keys = self.keys(&schema, by, bin, &mut names)?;
        let key_columns: Vec<String> = keys.iter().filter_map(|key| plain_column(&key.expr)).collect();
        let mut outputs = Vec::new();
        for item in aggregates {
            for output in self.aggregated(&schema, item, &key_columns)? {
                let name = match output.name.filter(|name| !name.is_empty()) {
                    Some(name) => names.unique(&name),
                    None => names.next_column(),
                };
                outputs.push(NamedExpr { name, expr: output.expr });
            }
        }
        let mut columns = schema_of(&keys).columns;
        columns.extend(schema_of(&outputs).columns);
        let operator = Operator::Summarize { input: Box::new(input), keys, aggregates: outputs };
        Ok(relation(operator, Schema::new(columns), span))
    }

    /// The keys of a `by` clause.
    pub(super) fn keys(
        &mut self,
        schema: &Schema,
        by: &[syntax::NamedExpr],
        bin: Option<&syntax::Expr>,
        names: &mut Names,
    ) -> Outcome<Vec<NamedExpr>> {
        let mut keys = Vec::new();
        for (index, item) in by.iter().enumerate() {
            for output in self.over(schema, |analyzer| analyzer.output(item))? {
                let mut expr = output.expr;
                if let Some(bin) = bin.filter(|_| index + 1 == by.len()) {
                    let size = self.over(schema, |analyzer| analyzer.scalar(bin))?;
                    expr = binned(expr, size)?;
                }
                let name = match output.name {
                    Some(name) => names.unique(&name),
                    None => names.next_column(),
                };
                keys.push(NamedExpr { name, expr });
            }
        }
        Ok(keys)
    }

    /// The columns that one aggregate item gives.
    pub(super) fn aggregated(
        &mut self,
        schema: &Schema,
        item: &syntax::NamedExpr,
        keys: &[String],
    ) -> Outcome<Vec<Aggregated>> {
        let given = |index: usize| item.names.get(index).map(|name| name.text.clone());
        if let syntax::ExprKind::Call(call) = &item.expr.kind
            && self.scope.get(&call.name.text).is_none()
            && let Some(signature) = functions::aggregate(&call.name.text)
        {
            match signature.name {
                "arg_max" | "arg_min" | "take_any" => return self.chosen_row(schema, item, call, signature, keys),
                "percentile" | "percentiles" | "percentilew" | "percentilesw" => {
                    return self.percentiles(schema, item, call, signature);
                }
                _ => {}
            }
            let row = Row { schema: schema.clone(), aggregates: true, ..Row::default() };
            let expr = self.with_row(row, |analyzer| analyzer.scalar(&item.expr))?;
            let name = given(0).or_else(|| aggregate_name(call, schema));
            return Ok(vec![Aggregated { name, expr }]);
        }
        let row = Row { schema: schema.clone(), aggregates: true, ..Row::default() };
        let expr = self.with_row(row, |analyzer| analyzer.scalar(&item.expr))?;
        let name = given(0).or_else(|| nested_name(&item.expr, schema));
        Ok(vec![Aggregated { name, expr }])
    }

    /// `arg_max(x, a, *)`, `arg_min`, `take_any(a, b)`: columns of one row.
    fn chosen_row(
        &mut self,
        schema: &Schema,
        item: &syntax::NamedExpr,
        call: &syntax::Call,
        signature: &'static functions::Signature,
        keys: &[String],
    ) -> Outcome<Vec<Aggregated>> {
        check_count(signature, call, item.span)?;
        let star = call.args.iter().any(|arg| matches!(arg.kind, syntax::ExprKind::Star));
        let any = signature.name == "take_any";
        let prefix = signature.name.trim_start_matches("arg_");
        let primary = call.args.first().and_then(|arg| result_name(arg, schema));
        let mut args: Vec<Expr> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        let mut used: Vec<String> = Vec::new();
        for (index, arg) in call.args.iter().enumerate() {
            if matches!(arg.kind, syntax::ExprKind::Star) {
                for found in &schema.columns {
                    if !used.contains(&found.name) && !keys.contains(&found.name) {
                        used.push(found.name.clone());
                        names.push(found.name.clone());
                        args.push(column(found, arg.span));
                    }
                }
                continue;
            }
            let expr = self.over(schema, |analyzer| analyzer.scalar(arg))?;
            if let Some(name) = plain_column(&expr) {
                if star && (index > 0 || any) && (used.contains(&name) || keys.contains(&name)) {
                    continue;
                }
                used.push(name);
            }
            let name = result_name(arg, schema).filter(|name| !name.is_empty()).unwrap_or_else(|| match (any, index) {
                (true, _) => format!("any_arg{index}"),
                (false, 0) => format!("{prefix}_"),
                (false, _) => format!("{prefix}_{}_arg{index}", primary.clone().unwrap_or_default()),
            });
            names.push(name);
            args.push(expr);
        }
        Ok(names
            .into_iter()
            .enumerate()
            .map(|(index, name)| {
                let given = item.names.get(index).map(|name| name.text.clone());
                let kind = ExprKind::Aggregate {
                    function: signature.name.to_owned(),
                    args: args.clone(),
                    output: AggregateOutput::Argument(index),
                };
                Aggregated { name: given.or(Some(name)), expr: Expr { kind, ty: args[index].ty, span: item.span } }
            })
            .collect())
    }

    fn percentiles(
        &mut self,
        schema: &Schema,
        item: &syntax::NamedExpr,
        call: &syntax::Call,
        signature: &'static functions::Signature,
    ) -> Outcome<Vec<Aggregated>> {
        check_count(signature, call, item.span)?;
        let mut args = Vec::new();
        for arg in &call.args {
            args.push(self.over(schema, |analyzer| analyzer.scalar(arg))?);
        }
        let (_, args) = choose(signature, args, item.span)?;
        let first = if signature.name.ends_with('w') { 2 } else { 1 };
        let ty = percentile_type(args[0].ty);
        let of = call.args.first().and_then(|arg| result_name(arg, schema)).unwrap_or_default();
        let mut outputs = Vec::new();
        for (index, percentile) in args.iter().enumerate().skip(first) {
            let number = match fold(percentile) {
                Some(Literal::Long(value)) => value.to_string(),
                Some(Literal::Int(value)) => value.to_string(),
                Some(Literal::Real(value)) => value.to_string(),
                _ => String::new(),
            };
            let given = item.names.get(index - first).map(|name| name.text.clone());
            let name = given.unwrap_or_else(|| format!("percentile_{of}_{}", number.replace('.', "_")));
            let kind = ExprKind::Aggregate {
                function: signature.name.to_owned(),
                args: args.clone(),
                output: AggregateOutput::Percentile(index - first),
            };
            outputs.push(Aggregated { name: Some(name), expr: Expr { kind, ty, span: item.span } });
        }
        Ok(outputs)
    }

    pub(super) fn count_rows(&mut self, input: Relation, name: &str, span: Span) -> Relation {
        let kind =
            ExprKind::Aggregate { function: "count".to_owned(), args: Vec::new(), output: AggregateOutput::Only };
        let expr = Expr { kind, ty: Type::Long, span };
        let schema = Schema::new(vec![Column::new(name, Type::Long)]);
        let aggregates = vec![NamedExpr { name: name.to_owned(), expr }];
        relation(Operator::Summarize { input: Box::new(input), keys: Vec::new(), aggregates }, schema, span)
    }
}

/// The name of an expression around aggregates: `round(avg(x), 2)` is named after `avg(x)`.
fn nested_name(expr: &syntax::Expr, schema: &Schema) -> Option<String> {
    let syntax::ExprKind::Call(call) = &expr.kind else { return result_name(expr, schema) };
    if functions::aggregate(&call.name.text).is_some() && functions::scalar(&call.name.text).is_none() {
        return aggregate_name(call, schema);
    }
    match functions::scalar(&call.name.text)?.overloads.first()?.naming {
        functions::Naming::First => call.args.first().and_then(|arg| nested_name(arg, schema)),
        _ => result_name(expr, schema),
    }
}

/// The name of the column that an expression is.
pub(super) fn plain_column(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Column(name) => Some(name.clone()),
        _ => None,
    }
}

fn binned(expr: Expr, size: Expr) -> Outcome<Expr> {
    let span = expr.span;
    let ty = expr.ty;
    let size = if ty.is_numeric() { convert::implicit(size, ty, "the bin")? } else { size };
    Ok(super::expression::call("bin", vec![expr, size], ty, span))
}
