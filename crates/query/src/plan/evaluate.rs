//! The plugins `bag_unpack` and `pivot`. Where their columns are known only from the data, [`discovery`] says which
//! rows to look at first.

use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::record_batch::RecordBatch;
use datafusion::logical_expr::Expr as DfExpr;
use sonic_rs::{JsonType, JsonValueTrait};
use watchkeeper_kql::typed::{AggregateOutput, Expr, ExprKind, NamedExpr, Operator, PluginArg, Relation};
use watchkeeper_kql::{Column, Literal, Schema, Type};

use super::{Planned, Planner, column, expr};
use crate::error::QueryError;

/// Columns that a plugin may make from data.
const MAX_COLUMNS: usize = 500;

/// How the rows of a discovery become a schema.
#[derive(Debug, Clone)]
pub enum Discovery {
    /// The first column holds bags: their properties follow `kept`.
    Bags { kept: Vec<Column>, prefix: String },
    /// The first column holds the values that become columns, of the type of the aggregate.
    Values { kept: Vec<Column>, of: Type },
}

/// The input to run, and what to do with its rows, to know the columns of a plugin's output.
pub fn discovery(relation: &Relation) -> Result<(Relation, Discovery), QueryError> {
    let Operator::Evaluate { input: Some(input), plugin, args, .. } = &relation.operator else {
        return Err(QueryError::execution("only a plugin with an input has columns that depend on data"));
    };
    let PluginArg::Scalar(first) = args.first().ok_or_else(|| missing(plugin))? else { return Err(missing(plugin)) };
    let named = NamedExpr { name: "value".to_string(), expr: first.clone() };
    let kept = remaining(input, plugin, args);
    let operator = Operator::Summarize { input: input.clone(), keys: vec![named], aggregates: Vec::new() };
    let schema = Schema::new(vec![Column::new("value", first.ty)]);
    let looked_at = Relation { operator, schema, open: false, span: relation.span };
    match plugin.as_str() {
        "bag_unpack" => Ok((looked_at, Discovery::Bags { kept, prefix: prefix(args) })),
        "pivot" => {
            let of = args.iter().find_map(|arg| match arg {
                PluginArg::Aggregate(aggregate) => Some(aggregate.ty),
                _ => None,
            });
            Ok((looked_at, Discovery::Values { kept, of: of.unwrap_or(Type::Long) }))
        }
        other => {
            Err(QueryError::execution(format!("the columns of the plugin {other} cannot be found from its input")))
        }
    }
}

impl Discovery {
    /// The schema that the rows tell.
    pub fn schema(&self, batches: &[RecordBatch]) -> Result<Schema, QueryError> {
        let texts =
            batches.iter().flat_map(|batch| batch.column(0).as_string_view_opt().into_iter().flatten().flatten());
        let mut schema = Schema::default();
        match self {
            Discovery::Bags { kept, prefix } => {
                schema.columns.extend(kept.iter().cloned());
                let mut found: Vec<Column> = Vec::new();
                for text in texts {
                    for entry in sonic_rs::to_object_iter(text) {
                        let Ok((name, value)) = entry else { break };
                        let ty = type_of(value.as_raw_str(), value.get_type());
                        let name = format!("{prefix}{name}");
                        match (found.iter_mut().find(|column| column.name == name), ty) {
                            (Some(known), Some(ty)) => known.ty = common(known.ty, ty),
                            (None, Some(ty)) => found.push(Column { name, ty }),
                            (_, None) => {}
                        }
                    }
                }
                found.sort_by(|a, b| a.name.cmp(&b.name));
                found.retain(|column| schema.get(&column.name).is_none());
                schema.columns.extend(found);
            }
            Discovery::Values { kept, of } => {
                schema.columns.extend(kept.iter().cloned());
                let mut names = BTreeSet::new();
                for batch in batches {
                    for row in 0..batch.num_rows() {
                        let value = datafusion::common::ScalarValue::try_from_array(batch.column(0), row)?;
                        names.insert(if value.is_null() { String::new() } else { value.to_string() });
                    }
                }
                schema
                    .columns
                    .extend(names.into_iter().filter(|name| !name.is_empty()).map(|name| Column::new(name, *of)));
            }
        }
        if schema.columns.len() > MAX_COLUMNS {
            return Err(QueryError::Limit {
                what: "the number of columns that a plugin makes from data",
                limit: MAX_COLUMNS as u64,
                help: "keep fewer properties or values before it",
            });
        }
        Ok(schema)
    }
}

impl Planner<'_> {
    pub(super) fn evaluate(
        &self,
        schema: &Schema,
        input: Option<&Relation>,
        plugin: &str,
        args: &[PluginArg],
        body: Option<&Planned>,
    ) -> Result<Planned, QueryError> {
        let Some(input) = input else {
            return Err(QueryError::execution(format!("the plugin {plugin} is not available")));
        };
        match plugin {
            "bag_unpack" => self.bag_unpack(schema, input, args, body),
            "pivot" => self.pivot(schema, input, args, body),
            "narrow" => Err(QueryError::execution("the plugin narrow is not available")),
            other => Err(QueryError::execution(format!("the plugin {other} is not available"))),
        }
    }

    fn bag_unpack(
        &self,
        schema: &Schema,
        input: &Relation,
        args: &[PluginArg],
        body: Option<&Planned>,
    ) -> Result<Planned, QueryError> {
        let Some(PluginArg::Scalar(bag)) = args.first() else { return Err(missing("bag_unpack")) };
        let kept = remaining(input, "bag_unpack", args);
        let prefix = prefix(args);
        let input = self.relation(input, body)?;
        let scope = self.scope(&input);
        let bag_value = self.expr(bag, &scope)?;
        let mut columns = Vec::new();
        for output in &schema.columns {
            let from_input = kept.iter().any(|column| column.name == output.name);
            let value = if from_input {
                column(&output.name)
            } else {
                let name = output.name.strip_prefix(&prefix).unwrap_or(&output.name);
                let indexed = expr::bound(
                    watchkeeper_kql::typed::operators::INDEX,
                    &[Type::Dynamic, Type::String],
                    vec![bag_value.clone(), expr::text(name)],
                )?;
                expr::without_null(self.item(indexed, output.ty)?, output.ty)
            };
            columns.push((output.name.clone(), value));
        }
        self.projected(&input, columns)
    }

    /// One aggregation over the kept columns and the pivot column, then one over the kept columns that puts each value's
    /// result into its column.
    fn pivot(
        &self,
        schema: &Schema,
        input: &Relation,
        args: &[PluginArg],
        body: Option<&Planned>,
    ) -> Result<Planned, QueryError> {
        let Some(PluginArg::Scalar(by)) = args.first() else { return Err(missing("pivot")) };
        let kept = remaining(input, "pivot", args);
        let aggregate = args.iter().find_map(|arg| match arg {
            PluginArg::Aggregate(aggregate) => Some(aggregate.clone()),
            _ => None,
        });
        let count = ExprKind::Aggregate { function: "count".to_string(), args: vec![], output: AggregateOutput::Only };
        let aggregate = aggregate.unwrap_or(Expr { kind: count, ty: Type::Long, span: by.span });
        let counts = matches!(&aggregate.kind, ExprKind::Aggregate { function, .. } if function.starts_with("count"));
        let planned = self.relation(input, body)?;
        let as_column = |column: &Column| NamedExpr {
            name: column.name.clone(),
            expr: Expr { kind: ExprKind::Column(column.name.clone()), ty: column.ty, span: by.span },
        };
        let pivot_name = self.fresh("v");
        let value_name = self.fresh("m");
        let mut keys: Vec<NamedExpr> = kept.iter().map(as_column).collect();
        keys.push(NamedExpr { name: pivot_name.clone(), expr: by.clone() });
        let value = NamedExpr { name: value_name.clone(), expr: aggregate.clone() };
        let grouped = self.summarized(planned, &keys, &[value])?;
        let mut group: Vec<DfExpr> = kept.iter().map(|c| column(&c.name).alias(&c.name)).collect();
        group.extend(grouped.groups.iter().map(|name| column(name).alias(name)));
        let mut list = Vec::new();
        let made: Vec<&Column> =
            schema.columns.iter().filter(|output| kept.iter().all(|column| column.name != output.name)).collect();
        for output in &made {
            let text = expr::bound("tostring", &[by.ty], vec![column(&pivot_name)]);
            let text = if by.ty == Type::String { column(&pivot_name) } else { text? };
            let chosen = expr::case(
                vec![(text.eq(expr::text(&output.name)), column(&value_name))],
                datafusion::logical_expr::lit(datafusion::common::ScalarValue::try_new_null(
                    &crate::runtime::arrow_type(aggregate.ty),
                )?),
            );
            list.push(datafusion::functions_aggregate::expr_fn::max(chosen).alias(&output.name));
        }
        let plan = grouped.builder().aggregate(group, list)?.build()?;
        let pivoted = grouped.with_plan(plan);
        let columns = schema
            .columns
            .iter()
            .map(|output| {
                let value = column(&output.name);
                let value = if counts && made.contains(&output) {
                    datafusion::functions::expr_fn::coalesce(vec![value, datafusion::logical_expr::lit(0_i64)])
                } else {
                    expr::without_null(value, output.ty)
                };
                (output.name.clone(), value)
            })
            .collect();
        self.projected(&pivoted, columns)
    }
}

/// The input columns that a plugin hands on: those named by its arguments for `pivot`, else all but the ones it uses.
fn remaining(input: &Relation, plugin: &str, args: &[PluginArg]) -> Vec<Column> {
    let mut used = BTreeSet::new();
    let mut named = Vec::new();
    for (at, arg) in args.iter().enumerate() {
        match arg {
            PluginArg::Scalar(Expr { kind: ExprKind::Column(name), .. }) if at == 0 || plugin != "pivot" => {
                used.insert(name.clone());
            }
            PluginArg::Scalar(Expr { kind: ExprKind::Column(name), .. }) => named.push(name.clone()),
            PluginArg::Aggregate(aggregate) => columns_of(aggregate, &mut used),
            _ => {}
        }
    }
    if !named.is_empty() {
        return named.iter().filter_map(|name| input.schema.get(name).cloned()).collect();
    }
    input.schema.columns.iter().filter(|column| !used.contains(&column.name)).cloned().collect()
}

fn columns_of(expr: &Expr, found: &mut BTreeSet<String>) {
    match &expr.kind {
        ExprKind::Column(name) => {
            found.insert(name.clone());
        }
        ExprKind::Call { args, .. } | ExprKind::Aggregate { args, .. } | ExprKind::Window { args, .. } => {
            args.iter().for_each(|arg| columns_of(arg, found));
        }
        _ => {}
    }
}

/// The second argument of `bag_unpack`: what its columns' names begin with.
fn prefix(args: &[PluginArg]) -> String {
    match args.get(1) {
        Some(PluginArg::Scalar(Expr { kind: ExprKind::Literal(Literal::String(text)), .. })) => text.clone(),
        _ => String::new(),
    }
}

fn type_of(raw: &str, kind: JsonType) -> Option<Type> {
    Some(match kind {
        JsonType::Null => return None,
        JsonType::Boolean => Type::Bool,
        JsonType::Number if raw.parse::<i64>().is_ok() => Type::Long,
        JsonType::Number => Type::Real,
        JsonType::String => Type::String,
        _ => Type::Dynamic,
    })
}

fn common(a: Type, b: Type) -> Type {
    match (a, b) {
        (a, b) if a == b => a,
        (Type::Long, Type::Real) | (Type::Real, Type::Long) => Type::Real,
        _ => Type::Dynamic,
    }
}

fn missing(plugin: &str) -> QueryError {
    QueryError::execution(format!("the plugin {plugin} needs a column as its first argument"))
}
