//! `join`, `lookup`, `union`.

use super::convert::convert;
use super::expression::{column, missing_column};
use super::naming::Names;
use super::scope::Row;
use super::sources::{null, relation};
use super::{Analyzer, Labelled, Outcome, Stop, Value, convert, literal};
use crate::diagnostics::{Code, Span};
use crate::syntax::{self, BinaryOp};
use crate::typed::{Expr, JoinColumn, JoinKind, NamedExpr, Operator, Relation, Side, UnionInput};
use crate::types::{Column, Schema, Type};

/// The value of an operator's parameter as a word.
pub(super) fn word<'a>(operator: &'a syntax::Operator, name: &str) -> Option<(&'a str, Span)> {
    let property = operator.parameters.iter().find(|property| property.name.text == name)?;
    match &property.value.kind {
        syntax::ExprKind::Name(word) => Some((word, property.value.span)),
        syntax::ExprKind::Literal(syntax::Literal::String(text)) => Some((&text.value, property.value.span)),
        syntax::ExprKind::Literal(syntax::Literal::Bool(value)) => {
            Some((if *value { "true" } else { "false" }, property.value.span))
        }
        _ => None,
    }
}

impl Analyzer<'_> {
    /// A table that an operator names beside its input.
    pub(super) fn other_table(&mut self, table: &syntax::Expr) -> Outcome<Labelled> {
        match self.isolated(|analyzer| analyzer.value(table))? {
            Value::Relation(labelled) => Ok(labelled),
            Value::Scalar(_) => Err(Stop::semantic(table.span, "a table is needed here, but this is a scalar value")),
            Value::Graph(_) => Err(Stop::semantic(table.span, "a table is needed here, but this is a graph")),
        }
    }

    pub(super) fn join(
        &mut self,
        left: Relation,
        operator: &syntax::Operator,
        table: &syntax::Expr,
        on: &[syntax::Expr],
    ) -> Outcome<Relation> {
        let kind = match word(operator, "kind") {
            None => JoinKind::InnerUnique,
            Some((kind, span)) => {
                join_kind(kind).ok_or_else(|| Stop::semantic(span, format!("there is no join kind `{kind}`")))?
            }
        };
        let right = self.other_table(table)?.relation;
        let pairs = self.conditions(&left.schema, &right.schema, on)?;
        let mut columns = Vec::new();
        let mut names = Names::default();
        let (with_left, with_right) = match kind {
            JoinKind::LeftSemi | JoinKind::LeftAnti => (true, false),
            JoinKind::RightSemi | JoinKind::RightAnti => (false, true),
            _ => (true, true),
        };
        for (wanted, side, schema) in [(with_left, Side::Left, &left.schema), (with_right, Side::Right, &right.schema)]
        {
            for found in schema.columns.iter().filter(|_| wanted) {
                columns.push(JoinColumn { name: names.unique(&found.name), side, source: found.name.clone() });
            }
        }
        Ok(joined(left, right, kind, pairs, columns, operator.span))
    }

    /// A join that leaves out the keys of the right side.
    pub(super) fn lookup(
        &mut self,
        left: Relation,
        operator: &syntax::Operator,
        table: &syntax::Expr,
        on: &[syntax::Expr],
    ) -> Outcome<Relation> {
        let kind = match word(operator, "kind") {
            None | Some(("leftouter", _)) => JoinKind::LeftOuter,
            Some(("inner", _)) => JoinKind::Inner,
            Some((kind, span)) => {
                return Err(Stop::semantic(span, format!("lookup has the kinds leftouter and inner, not `{kind}`")));
            }
        };
        let right = self.other_table(table)?.relation;
        let pairs = self.conditions(&left.schema, &right.schema, on)?;
        let keys: Vec<String> = pairs.iter().filter_map(|(_, key)| key_column(key)).collect();
        let mut names = Names::default();
        let mut columns = Vec::new();
        for found in &left.schema.columns {
            columns.push(JoinColumn { name: names.unique(&found.name), side: Side::Left, source: found.name.clone() });
        }
        for found in right.schema.columns.iter().filter(|found| !keys.contains(&found.name)) {
            columns.push(JoinColumn { name: names.unique(&found.name), side: Side::Right, source: found.name.clone() });
        }
        Ok(joined(left, right, kind, pairs, columns, operator.span))
    }

    /// Pairs of equal expressions: `a`, `$left.a == $right.b`, and conjunctions of these.
    fn conditions(&mut self, left: &Schema, right: &Schema, on: &[syntax::Expr]) -> Outcome<Vec<(Expr, Expr)>> {
        let mut pairs = Vec::new();
        for condition in on {
            self.condition_pairs(left, right, condition, &mut pairs)?;
        }
        Ok(pairs)
    }

    fn condition_pairs(
        &mut self,
        left: &Schema,
        right: &Schema,
        condition: &syntax::Expr,
        pairs: &mut Vec<(Expr, Expr)>,
    ) -> Outcome<()> {
        let span = condition.span;
        match &condition.kind {
            syntax::ExprKind::Binary { op: BinaryOp::And, left: a, right: b } => {
                self.condition_pairs(left, right, a, pairs)?;
                self.condition_pairs(left, right, b, pairs)
            }
            syntax::ExprKind::Name(name) => {
                let a = left.get(name).ok_or_else(|| missing_on(name, left, span, "left"))?;
                let b = right.get(name).ok_or_else(|| missing_on(name, right, span, "right"))?;
                pairs.push(key_pair(column(a, span), column(b, span), span)?);
                Ok(())
            }
            syntax::ExprKind::Binary { op: BinaryOp::Equal, left: a, right: b } => {
                let (a_right, b_right) = (mentions(a, "$right"), mentions(b, "$right"));
                let (a_left, b_left) = (mentions(a, "$left"), mentions(b, "$left"));
                let (of_left, of_right) = match (a_left, a_right, b_left, b_right) {
                    (true, false, false, _) | (false, false, false, true) => (a, b),
                    (false, true, _, false) | (false, false, true, false) => (b, a),
                    _ => {
                        let help = "write $left.a == $right.b".to_owned();
                        return Err(Stop::semantic(span, "a join condition must compare the left side with the right")
                            .help(help));
                    }
                };
                let row = Row { schema: left.clone(), right: Some(right.clone()), ..Row::default() };
                let first = self.with_row(row, |analyzer| analyzer.scalar(of_left))?;
                let row = Row { schema: right.clone(), right: Some(right.clone()), ..Row::default() };
                let second = self.with_row(row, |analyzer| analyzer.scalar(of_right))?;
                pairs.push(key_pair(first, second, span)?);
                Ok(())
            }
            _ => {
                let help =
                    "join on columns of both sides, or on $left.a == $right.b; filter afterwards with where".to_owned();
                Err(Stop::semantic(span, "only equality can be a join condition").help(help))
            }
        }
    }

    pub(super) fn union(
        &mut self,
        input: Option<Labelled>,
        operator: &syntax::Operator,
        tables: &[syntax::Expr],
    ) -> Outcome<Relation> {
        let fuzzy = word(operator, "isfuzzy").is_some_and(|(value, _)| value == "true");
        let inner = word(operator, "kind").is_some_and(|(kind, _)| kind == "inner");
        let source =
            word(operator, "withsource").or_else(|| word(operator, "with_source")).map(|(name, _)| name.to_owned());
        let mut inputs: Vec<Labelled> = input.into_iter().collect();
        let mut failure = None;
        for table in tables {
            match self.union_tables(table) {
                Ok(found) => inputs.extend(found),
                Err(Stop::Error(diagnostic)) if fuzzy && diagnostic.code == Code::UnknownName => {
                    failure.get_or_insert(Stop::Error(diagnostic));
                }
                Err(stop) => return Err(stop),
            }
        }
        if inputs.is_empty() {
            return Err(failure.unwrap_or_else(|| Stop::semantic(operator.span, "union needs a table")));
        }
        Ok(union_of(inputs, inner, source.as_deref(), operator.span))
    }

    /// A table, or the tables and views that a wildcard means.
    pub(super) fn union_tables(&mut self, table: &syntax::Expr) -> Outcome<Vec<Labelled>> {
        let pattern = match &table.kind {
            syntax::ExprKind::Wildcard(pattern) => pattern.as_str(),
            syntax::ExprKind::Star => "*",
            _ => return Ok(vec![self.other_table(table)?]),
        };
        let mut found = Vec::new();
        let mut names: Vec<String> = self.catalog.table_names();
        names.retain(|name| super::naming::matches_wildcard(pattern, name));
        names.sort();
        for name in names {
            if let Some(labelled) = self.catalog_table(&name, table.span)? {
                found.push(labelled);
            }
        }
        let views: Vec<(String, super::Binding)> =
            self.scope.iter().map(|(name, binding)| (name.to_owned(), binding.clone())).collect();
        for (name, binding) in views.into_iter().rev() {
            if let super::Binding::Function(lambda) = binding
                && lambda.function.view
                && lambda.function.parameters.is_empty()
                && super::naming::matches_wildcard(pattern, &name)
                && let Value::Relation(labelled) = self.invoke_lambda(&lambda, &[], None, table.span)?
            {
                found.push(Labelled { label: Some(name), ..labelled });
            }
        }
        if found.is_empty() {
            return Err(Stop::unknown(table.span, format!("no table fits `{pattern}`")));
        }
        Ok(found)
    }
}

/// Columns by name; where types differ, one column for each type with the type's name appended.
pub(super) fn union_of(inputs: Vec<Labelled>, inner: bool, source: Option<&str>, span: Span) -> Relation {
    let mut found: Vec<Column> = Vec::new();
    for column in inputs.iter().flat_map(|input| &input.relation.schema.columns) {
        if !found.contains(column) {
            found.push(column.clone());
        }
    }
    if inner {
        found.retain(|column| inputs.iter().all(|input| input.relation.schema.columns.contains(column)));
    }
    found.retain(|column| Some(column.name.as_str()) != source);
    let mut names = Names::default();
    let mut outputs: Vec<(String, Column)> = Vec::new();
    for column in &found {
        let conflict = found.iter().any(|other| other.name == column.name && other.ty != column.ty);
        let name = if conflict { format!("{}_{}", column.name, column.ty) } else { column.name.clone() };
        outputs.push((names.unique(&name), column.clone()));
    }
    let mut schema = Vec::new();
    if let Some(source) = source {
        schema.push(Column::new(source, Type::String));
    }
    schema.extend(outputs.iter().map(|(name, column)| Column::new(name, column.ty)));
    let inputs = inputs
        .into_iter()
        .enumerate()
        .map(|(index, input)| {
            let mut columns = Vec::new();
            if let Some(source) = source {
                let label = input.label.unwrap_or_else(|| format!("union_arg{index}"));
                columns.push(NamedExpr { name: source.to_owned(), expr: literal::string(&label, span) });
            }
            for (name, wanted) in &outputs {
                let has = input.relation.schema.columns.contains(wanted);
                let expr = if has { column(wanted, span) } else { null(wanted.ty, span) };
                columns.push(NamedExpr { name: name.clone(), expr });
            }
            UnionInput { relation: input.relation, columns }
        })
        .collect();
    relation(Operator::Union { inputs }, Schema::new(schema), span)
}

fn joined(
    left: Relation,
    right: Relation,
    kind: JoinKind,
    on: Vec<(Expr, Expr)>,
    columns: Vec<JoinColumn>,
    span: Span,
) -> Relation {
    let type_of = |column: &JoinColumn| {
        let schema = if column.side == Side::Left { &left.schema } else { &right.schema };
        schema.get(&column.source).map_or(Type::Dynamic, |found| found.ty)
    };
    let schema = Schema::new(columns.iter().map(|column| Column::new(&column.name, type_of(column))).collect());
    relation(Operator::Join { left: Box::new(left), right: Box::new(right), kind, on, columns }, schema, span)
}

fn join_kind(kind: &str) -> Option<JoinKind> {
    Some(match kind {
        "innerunique" => JoinKind::InnerUnique,
        "inner" => JoinKind::Inner,
        "leftouter" => JoinKind::LeftOuter,
        "rightouter" => JoinKind::RightOuter,
        "fullouter" => JoinKind::FullOuter,
        "leftsemi" => JoinKind::LeftSemi,
        "rightsemi" => JoinKind::RightSemi,
        "leftanti" | "anti" | "leftantisemi" => JoinKind::LeftAnti,
        "rightanti" | "rightantisemi" => JoinKind::RightAnti,
        _ => return None,
    })
}

fn key_pair(a: Expr, b: Expr, span: Span) -> Outcome<(Expr, Expr)> {
    let (a, b) = convert::comparable(a, b, span, "a join condition")?;
    let ty = if a.ty == Type::Dynamic { b.ty } else { a.ty };
    let ty = if ty == Type::Dynamic { Type::String } else { ty };
    Ok((convert(a, ty), convert(b, ty)))
}

fn key_column(key: &Expr) -> Option<String> {
    match &key.kind {
        crate::typed::ExprKind::Call { args, .. } if args.len() == 1 => key_column(&args[0]),
        _ => super::aggregate::plain_column(key),
    }
}

fn missing_on(name: &str, schema: &Schema, span: Span, side: &str) -> Stop {
    match missing_column(name, schema, span) {
        Stop::Error(mut diagnostic) => {
            diagnostic.message = format!("the {side} side of the join has no column named `{name}`");
            Stop::Error(diagnostic)
        }
        stop => stop,
    }
}

fn mentions(expr: &syntax::Expr, side: &str) -> bool {
    match &expr.kind {
        syntax::ExprKind::Name(name) => name == side,
        syntax::ExprKind::Path { base, .. } => mentions(base, side),
        syntax::ExprKind::Index { base, index } => mentions(base, side) || mentions(index, side),
        syntax::ExprKind::Call(call) => call.args.iter().any(|arg| mentions(arg, side)),
        syntax::ExprKind::Binary { left, right, .. } => mentions(left, side) || mentions(right, side),
        syntax::ExprKind::Unary { operand, .. } => mentions(operand, side),
        _ => false,
    }
}
