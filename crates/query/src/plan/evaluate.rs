//! The plugins `bag_unpack` and `pivot`. Where their columns are known only from the data, [`discovery`] says which
//! rows to look at first.

use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use datafusion::logical_expr::expr::{Cast, WindowFunction};
use datafusion::logical_expr::{Expr as DfExpr, ExprFunctionExt, lit};
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
    Bags { kept: Vec<Column>, bags: Bags },
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
        "bag_unpack" => Ok((looked_at, Discovery::Bags { kept, bags: Bags::of(args)? })),
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
            Discovery::Bags { kept, bags } => {
                schema.columns.extend(kept.iter().cloned());
                let mut found: Vec<Column> = Vec::new();
                for text in texts {
                    for entry in sonic_rs::to_object_iter(text) {
                        let Ok((name, value)) = entry else { break };
                        let ty = type_of(value.as_raw_str(), value.get_type());
                        if bags.ignored.contains(name.as_ref() as &str) {
                            continue;
                        }
                        let name = format!("{}{name}", bags.prefix);
                        match (found.iter_mut().find(|column| column.name == name), ty) {
                            (Some(known), Some(ty)) => known.ty = common(known.ty, ty),
                            (None, Some(ty)) => found.push(Column { name, ty }),
                            (_, None) => {}
                        }
                    }
                }
                found.sort_by(|a, b| a.name.cmp(&b.name));
                for column in found {
                    match (schema.columns.iter_mut().find(|known| known.name == column.name), bags.conflict) {
                        (None, _) => schema.columns.push(column),
                        (Some(_), Conflict::KeepSource) => {}
                        (Some(known), Conflict::ReplaceSource) => known.ty = column.ty,
                        (Some(_), Conflict::Error) => {
                            return Err(QueryError::execution(format!(
                                "bag_unpack would make a second column {}; give it a prefix, or the option \
                                 columnsConflict=\"keep_source\" or \"replace_source\"",
                                column.name
                            )));
                        }
                    }
                }
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
        if let Some(planned) = self.whole_plugin(schema, input, plugin, args, body)? {
            return Ok(planned);
        }
        match plugin {
            "bag_unpack" => self.bag_unpack(schema, input, args, body),
            "pivot" => self.pivot(schema, input, args, body),
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
        let bags = Bags::of(args)?;
        let mut input = self.relation(input, body)?;
        let scope = self.scope(&input);
        let bag_value = self.expr(bag, &scope)?;
        let mut columns = Vec::new();
        for output in &schema.columns {
            let name = output.name.strip_prefix(&bags.prefix).unwrap_or(&output.name);
            let indexed = expr::bound(
                watchkeeper_kql::typed::operators::INDEX,
                &[Type::Dynamic, Type::String],
                vec![bag_value.clone(), expr::text(name)],
            )?;
            let property = expr::without_null(self.item(indexed.clone(), output.ty)?, output.ty);
            let value = match kept.iter().find(|column| column.name == output.name) {
                None => property,
                Some(source) if bags.conflict == Conflict::ReplaceSource && source.ty != output.ty => property,
                Some(_) if bags.conflict == Conflict::ReplaceSource => {
                    // replaced in all rows as soon as one of them has the property
                    let found = self.fresh("w");
                    let has = DfExpr::Cast(Cast::new(Box::new(indexed.is_not_null()), DataType::Int32));
                    let DfExpr::AggregateFunction(any) = datafusion::functions_aggregate::expr_fn::max(has) else {
                        return Err(missing("bag_unpack"));
                    };
                    let any = DfExpr::from(WindowFunction::new(any.func, any.params.args))
                        .partition_by(input.groups.iter().map(|group| column(group)).collect())
                        .build()?;
                    let plan = input.builder().window(vec![any.alias(&found)])?.build()?;
                    input = input.with_plan(plan);
                    expr::case(vec![(column(&found).eq(lit(1_i32)), property)], column(&output.name))
                }
                Some(_) => column(&output.name),
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

/// What `bag_unpack` does with a property that has the name of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conflict {
    Error,
    KeepSource,
    ReplaceSource,
}

/// The arguments of `bag_unpack` after the bag: prefix, `columnsConflict`, `ignoredProperties`.
#[derive(Debug, Clone)]
pub struct Bags {
    prefix: String,
    conflict: Conflict,
    ignored: BTreeSet<String>,
}

impl Bags {
    fn of(args: &[PluginArg]) -> Result<Bags, QueryError> {
        let written = |name: &str, at: usize| {
            let named = args.iter().find_map(|arg| match arg {
                PluginArg::Option(known, value) if known == name => Some(value),
                _ => None,
            });
            named.or_else(|| match args.get(at) {
                Some(PluginArg::Scalar(Expr { kind: ExprKind::Literal(literal), .. })) => Some(literal),
                _ => None,
            })
        };
        let prefix = match written("OutputColumnPrefix", 1) {
            Some(Literal::String(text)) => text.clone(),
            _ => String::new(),
        };
        let conflict = match written("columnsConflict", 2) {
            Some(Literal::String(text)) => match text.as_str() {
                "error" => Conflict::Error,
                "keep_source" => Conflict::KeepSource,
                "replace_source" => Conflict::ReplaceSource,
                other => {
                    return Err(QueryError::execution(format!(
                        "columnsConflict of bag_unpack is error, keep_source or replace_source, not {other}"
                    )));
                }
            },
            _ => Conflict::Error,
        };
        let ignored = match written("ignoredProperties", 3) {
            Some(Literal::Dynamic(json)) => serde_json::from_str(json).unwrap_or_default(),
            _ => BTreeSet::new(),
        };
        Ok(Bags { prefix, conflict, ignored })
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
