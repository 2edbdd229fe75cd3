//! Operators that take rows apart or group them: `mv-expand`, `mv-apply`, `parse`, `parse-kv`, `partition`, `scan`,
//! `top-nested`.

use super::convert::convert;
use super::naming::{Names, result_name};
use super::scope::{Row, ScanRow};
use super::sources::{relation, table_schema};
use super::{Analyzer, Outcome, Stop, convert};
use crate::diagnostics::Span;
use crate::syntax::{self, OperatorKind};
use crate::typed::{
    ExpandColumn, Expr, NamedExpr, Operator, ParseKind, ParsePiece, Relation, ScanOutput, ScanStep, TopNestedLevel,
};
use crate::types::{Column, Schema, Type};
use std::rc::Rc;

/// What `mv-expand` and `mv-apply` expand.
struct Expanded {
    columns: Vec<ExpandColumn>,
    item_index: Option<String>,
    limit: Option<Expr>,
}

impl Analyzer<'_> {
    pub(super) fn row_operator(&mut self, input: Relation, operator: &syntax::Operator) -> Outcome<Relation> {
        let span = operator.span;
        match &operator.kind {
            OperatorKind::MvExpand { items, limit } => {
                let expanded = self.expanded(&input.schema, operator, items, limit.as_ref())?;
                let schema = expanded_schema(&input.schema, &expanded);
                let kind =
                    super::joins::word(operator, "kind").or_else(|| super::joins::word(operator, "bagexpansion"));
                let bag_as_array = kind.is_some_and(|(kind, _)| kind == "array");
                let Expanded { columns, item_index, limit } = expanded;
                Ok(relation(
                    Operator::MvExpand { input: Box::new(input), columns, item_index, bag_as_array, limit },
                    schema,
                    span,
                ))
            }
            OperatorKind::MvApply { items, limit, body } => self.mv_apply(input, operator, items, limit.as_ref(), body),
            OperatorKind::Parse { only_matches, kind, flags, expr, pieces } => {
                let kind = match kind.as_ref().map(|kind| kind.text.as_str()) {
                    None | Some("simple") => ParseKind::Simple,
                    Some("relaxed") => ParseKind::Relaxed,
                    Some("regex") => ParseKind::Regex,
                    Some(other) => return Err(Stop::semantic(span, format!("there is no parse kind `{other}`"))),
                };
                let flags = flags.as_ref().map(|flags| flags.text.clone()).unwrap_or_default();
                self.parse(input, expr, (*only_matches, kind, flags), pieces, span)
            }
            OperatorKind::ParseKv { expr, schema: wanted, properties } => {
                let schema = input.schema.clone();
                let expr =
                    self.over(&schema, |analyzer| analyzer.scalar_as(expr, Type::String, "the text of parse-kv"))?;
                let options = self.isolated(|analyzer| analyzer.properties(properties))?;
                let found = table_schema(wanted).columns;
                let mut output = schema;
                found.iter().for_each(|column| put(&mut output, column.clone()));
                let columns = found.into_iter().map(|column| (column.name, column.ty)).collect();
                Ok(relation(Operator::ParseKv { input: Box::new(input), expr, columns, options }, output, span))
            }
            OperatorKind::Partition { by, of, braces, body } => {
                self.partition(input, by, of.as_ref(), *braces, body, span)
            }
            OperatorKind::PartitionBy { by, body } => self.partition(input, by, None, false, body, span),
            OperatorKind::Scan { order_by, partition_by, declare, steps } => {
                let input = match order_by.is_empty() {
                    true => input,
                    false => {
                        let keys = self.sort_keys(&input.schema, order_by)?;
                        let schema = input.schema.clone();
                        relation(Operator::Sort { input: Box::new(input), keys }, schema, span)
                    }
                };
                self.scan(input, operator, partition_by, declare, steps)
            }
            OperatorKind::TopNested { parts } => self.top_nested(input, parts, span),
            OperatorKind::MakeSeries { aggregates, axis, range, by } => {
                self.make_series(input, operator, aggregates, axis, range, by)
            }
            _ => Err(Stop::unsupported(span, "this operator is not supported on a table")),
        }
    }

    fn expanded(
        &mut self,
        schema: &Schema,
        operator: &syntax::Operator,
        items: &[syntax::ExpandItem],
        limit: Option<&syntax::Expr>,
    ) -> Outcome<Expanded> {
        let mut columns = Vec::new();
        let mut names = Names::default();
        for item in items {
            let expr = self.over(schema, |analyzer| analyzer.scalar(&item.item.expr))?;
            if !matches!(expr.ty, Type::Dynamic) {
                let message = format!("only dynamic values can be expanded, but this is {}", expr.ty);
                return Err(Stop::semantic(item.item.span, message));
            }
            let given = item.item.names.first().map(|name| name.text.clone());
            let name = match given.or_else(|| result_name(&item.item.expr, schema)) {
                Some(name) => names.unique(&name),
                None => names.next_column(),
            };
            columns.push(ExpandColumn { name, expr, to: item.to.unwrap_or(Type::Dynamic) });
        }
        let item_index = super::joins::word(operator, "with_itemindex").map(|(name, _)| name.to_owned());
        let limit = match limit {
            Some(limit) => Some(self.row_count(limit)?),
            None => None,
        };
        Ok(Expanded { columns, item_index, limit })
    }

    fn mv_apply(
        &mut self,
        input: Relation,
        operator: &syntax::Operator,
        items: &[syntax::ExpandItem],
        limit: Option<&syntax::Expr>,
        body: &syntax::Pipeline,
    ) -> Outcome<Relation> {
        let span = operator.span;
        let Expanded { columns, item_index, limit } = self.expanded(&input.schema, operator, items, limit)?;
        let mut inner = Schema::new(columns.iter().map(|column| Column::new(&column.name, column.to)).collect());
        if let Some(index) = &item_index {
            inner.columns.push(Column::new(index, Type::Long));
        }
        let source = relation(Operator::RowTable, inner.clone(), span);
        self.next_row += 1;
        let enclosing = Row { id: self.next_row, schema: input.schema.clone(), outer: None, ..Row::default() };
        let outer = self.outer.replace(Rc::new(enclosing));
        let row = self.row.take();
        let result = self.body(source, body);
        self.row = row;
        self.outer = outer;
        let body = result?.relation;
        let kept = input
            .schema
            .columns
            .iter()
            .filter(|column| inner.get(&column.name).is_none() && body.schema.get(&column.name).is_none());
        let mut schema = Schema::new(kept.cloned().collect());
        schema.columns.extend(body.schema.columns.iter().cloned());
        let body = Box::new(body);
        Ok(relation(Operator::MvApply { input: Box::new(input), columns, item_index, limit, body }, schema, span))
    }

    fn parse(
        &mut self,
        input: Relation,
        expr: &syntax::Expr,
        (only_matches, kind, flags): (bool, ParseKind, String),
        written: &[syntax::ParsePiece],
        span: Span,
    ) -> Outcome<Relation> {
        let mut schema = input.schema.clone();
        let expr = self.over(&schema, |analyzer| analyzer.scalar(expr))?;
        let expr = convert(expr, Type::String);
        let mut pieces = Vec::new();
        for piece in written {
            pieces.push(match piece {
                syntax::ParsePiece::Text(text) => ParsePiece::Text(text.clone()),
                syntax::ParsePiece::Star => ParsePiece::Skip,
                syntax::ParsePiece::Column { name, ty } => {
                    let ty = ty.unwrap_or(Type::String);
                    put(&mut schema, Column::new(&name.text, ty));
                    ParsePiece::Column { name: name.text.clone(), ty }
                }
            });
        }
        Ok(relation(Operator::Parse { input: Box::new(input), kind, flags, expr, pieces, only_matches }, schema, span))
    }

    fn partition(
        &mut self,
        input: Relation,
        by: &syntax::Expr,
        of: Option<&syntax::Expr>,
        braces: bool,
        body: &syntax::Pipeline,
        span: Span,
    ) -> Outcome<Relation> {
        if braces || of.is_some() {
            return Err(Stop::unsupported(
                span,
                "partition with a body in braces is not supported; write partition by column (operators)",
            ));
        }
        let schema = input.schema.clone();
        let by = self.over(&schema, |analyzer| analyzer.scalar(by))?;
        let body = self.body(relation(Operator::RowTable, schema, span), body)?.relation;
        let schema = body.schema.clone();
        Ok(relation(Operator::Partition { input: Box::new(input), by, body: Box::new(body) }, schema, span))
    }

    fn scan(
        &mut self,
        input: Relation,
        operator: &syntax::Operator,
        partition_by: &[syntax::Expr],
        declare: &[syntax::ScanDeclaration],
        steps: &[syntax::ScanStep],
    ) -> Outcome<Relation> {
        let mut partition = Vec::new();
        for expr in partition_by {
            partition.push(self.over(&input.schema, |analyzer| analyzer.scalar(expr))?);
        }
        let mut state = input.schema.clone();
        let mut declared = Vec::new();
        for declaration in declare {
            let default = match &declaration.default {
                Some(default) => {
                    let value = self.isolated(|analyzer| analyzer.scalar(default))?;
                    Some(convert::implicit(value, declaration.ty, "the default")?)
                }
                None => None,
            };
            put(&mut state, Column::new(&declaration.name.text, declaration.ty));
            declared.push((declaration.name.text.clone(), declaration.ty, default));
        }
        let names: Vec<String> = steps.iter().map(|step| step.name.text.clone()).collect();
        let declared_columns: Vec<Column> = declared.iter().map(|(name, ty, _)| Column::new(name, *ty)).collect();
        let mut typed = Vec::new();
        for step in steps {
            let scan = ScanRow {
                steps: names.clone(),
                state: state.clone(),
                declared: declared_columns.clone(),
                current: step.name.text.clone(),
            };
            let row = || Row { schema: input.schema.clone(), scan: Some(scan.clone()), ..Row::default() };
            let condition = self.with_row(row(), |analyzer| analyzer.condition(&step.condition))?;
            let mut assign = Vec::new();
            for assignment in &step.assignments {
                let Some(column) = state.get(&assignment.name.text) else {
                    let message = format!("`{}` is neither declared nor a column", assignment.name.text);
                    return Err(Stop::unknown(assignment.name.span, message));
                };
                let value = self.with_row(row(), |analyzer| analyzer.scalar(&assignment.value))?;
                let expr = match value.ty.is_numeric() && column.ty.is_numeric() {
                    true => convert(value, column.ty),
                    false => convert::implicit(value, column.ty, "the value")?,
                };
                assign.push(NamedExpr { name: column.name.clone(), expr });
            }
            let output = match step.output {
                None | Some(syntax::ScanOutput::All) => ScanOutput::All,
                Some(syntax::ScanOutput::Last) => ScanOutput::Last,
                Some(syntax::ScanOutput::None) => ScanOutput::None,
            };
            typed.push(ScanStep { name: step.name.text.clone(), optional: step.optional, output, condition, assign });
        }
        let match_id = super::joins::word(operator, "with_match_id").map(|(name, _)| name.to_owned());
        if let Some(name) = &match_id {
            put(&mut state, Column::new(name, Type::Long));
        }
        let operator_ = Operator::Scan {
            input: Box::new(input),
            partition_by: partition,
            declare: declared,
            match_id,
            steps: typed,
        };
        Ok(relation(operator_, state, operator.span))
    }

    fn top_nested(&mut self, input: Relation, parts: &[syntax::TopNestedPart], span: Span) -> Outcome<Relation> {
        let schema = input.schema.clone();
        let mut names = Names::default();
        let mut columns = Vec::new();
        let mut levels = Vec::new();
        for part in parts {
            let count = match &part.count {
                Some(count) => Some(self.row_count(&count.expr)?),
                None => None,
            };
            let mut key = self.named(&schema, &part.of)?;
            key.name = names.unique(&key.name);
            let others = match &part.others {
                Some(others) => Some(self.isolated(|analyzer| analyzer.scalar(&others.expr))?),
                None => None,
            };
            let row = Row { schema: schema.clone(), aggregates: true, ..Row::default() };
            let expr = self.with_row(row, |analyzer| analyzer.scalar(&part.by.key.expr))?;
            let given = part.by.key.names.first().map(|name| name.text.clone());
            let name = names.unique(&given.unwrap_or_else(|| format!("aggregated_{}", key.name)));
            columns.push(Column::new(&key.name, key.expr.ty));
            columns.push(Column::new(&name, expr.ty));
            let descending = !matches!(part.by.order, Some(syntax::Order::Ascending));
            levels.push(TopNestedLevel { count, key, others, aggregate: NamedExpr { name, expr }, descending });
        }
        Ok(relation(Operator::TopNested { input: Box::new(input), levels }, Schema::new(columns), span))
    }

    fn make_series(
        &mut self,
        input: Relation,
        operator: &syntax::Operator,
        written: &[(syntax::NamedExpr, Option<syntax::Expr>)],
        axis: &syntax::NamedExpr,
        range: &syntax::SeriesRange,
        by: &[syntax::NamedExpr],
    ) -> Outcome<Relation> {
        let schema = input.schema.clone();
        let mut names = Names::default();
        let keys = self.keys(&schema, by, None, &mut names)?;
        let mut aggregates = Vec::new();
        for (item, default) in written {
            let default = match default {
                Some(default) => Some(self.isolated(|analyzer| analyzer.scalar(default))?),
                None => None,
            };
            for output in self.aggregated(&schema, item, &[])? {
                let name = match output.name.filter(|name| !name.is_empty()) {
                    Some(name) => names.unique(&name),
                    None => names.next_column(),
                };
                aggregates.push((NamedExpr { name, expr: output.expr }, default.clone()));
            }
        }
        let mut axis = self.named(&schema, axis)?;
        axis.name = names.unique(&axis.name);
        let (from, to, step, include_end) = match range {
            syntax::SeriesRange::FromToStep { from, to, step } => (from.as_ref(), to.as_ref(), step, false),
            syntax::SeriesRange::InRange { from, to, step } => (Some(from), Some(to), step, true),
        };
        let mut limits = Vec::new();
        for limit in [from, to] {
            limits.push(match limit {
                Some(limit) => {
                    Some(self.isolated(|analyzer| analyzer.scalar_as(limit, axis.expr.ty, "a limit of the axis"))?)
                }
                None => None,
            });
        }
        let step = self.isolated(|analyzer| analyzer.scalar(step))?;
        let step_type = if axis.expr.ty.is_numeric() { axis.expr.ty } else { Type::Timespan };
        let step = convert::implicit(step, step_type, "the step")?;
        let to = limits.pop().flatten();
        let from = limits.pop().flatten();
        let mut columns: Vec<Column> = keys.iter().map(|key| Column::new(&key.name, key.expr.ty)).collect();
        columns.extend(aggregates.iter().map(|(aggregate, _)| Column::new(&aggregate.name, Type::Dynamic)));
        columns.push(Column::new(&axis.name, Type::Dynamic));
        let nonempty = super::joins::word(operator, "kind").is_some_and(|(kind, _)| kind == "nonempty");
        let made = Operator::MakeSeries {
            input: Box::new(input),
            aggregates,
            axis,
            from,
            to,
            step,
            keys,
            include_end,
            nonempty,
        };
        Ok(relation(made, Schema::new(columns), operator.span))
    }
}

fn expanded_schema(input: &Schema, expanded: &Expanded) -> Schema {
    let mut schema = input.clone();
    for column in &expanded.columns {
        put(&mut schema, Column::new(&column.name, column.to));
    }
    if let Some(index) = &expanded.item_index {
        put(&mut schema, Column::new(index, Type::Long));
    }
    schema
}

/// Replaces the column of that name, or appends it.
pub(super) fn put(schema: &mut Schema, column: Column) {
    match schema.columns.iter_mut().find(|found| found.name == column.name) {
        Some(found) => *found = column,
        None => schema.columns.push(column),
    }
}
