//! Operators that need all rows at once: what [`crate::whole`] runs, as nodes of the plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr as DfExpr, LogicalPlan, lit};
use watchkeeper_kql::typed::{Expr, ExprKind, PluginArg, Relation, ScanStep};
use watchkeeper_kql::{Literal, Schema, Type};

use super::order::OrderKey;
use super::{Planned, Planner, Scope, column, expr};
use crate::error::QueryError;
use crate::runtime::{arrow_type, null_of};
use crate::whole::Work;
use crate::whole::expr::Compiled;
use crate::whole::lookup::Lookup;
use crate::whole::node::{What, WholeNode};
use crate::whole::plugins::{Narrow, RollingPercentile, RowsNear, SchemaMerge, SlidingWindowCounts};
use crate::whole::reduce::Reduce;
use crate::whole::scan::{Formula, Scan, Source, StateColumn, Step};
use crate::whole::shapes::ShapeLookup;

/// The parts of `scan` as the typed tree has them.
pub(super) struct ScanParts<'s> {
    pub partition_by: &'s [Expr],
    pub declare: &'s [(String, Type, Option<Expr>)],
    pub match_id: Option<&'s str>,
    pub steps: &'s [ScanStep],
}

impl Planner<'_> {
    /// A work over `first`, in its order and within its groups, and `others` as they are.
    pub(super) fn whole(
        &self,
        first: Planned,
        others: Vec<Planned>,
        schema: &Schema,
        work: Arc<dyn Work>,
    ) -> Result<Planned, QueryError> {
        let position = self.fresh("o");
        let carried: Vec<String> = first.outer.iter().map(|(_, hidden)| hidden.clone()).collect();
        let mut fields: Vec<Field> =
            schema.columns.iter().map(|column| Field::new(&column.name, arrow_type(column.ty), true)).collect();
        for name in first.groups.iter().chain(&carried) {
            let known = first.plan.schema().field_with_unqualified_name(name)?;
            fields.push(Field::new(name, known.data_type().clone(), true));
        }
        fields.push(Field::new(&position, DataType::Int64, true));
        let output = Arc::new(DFSchema::try_from(Arc::new(ArrowSchema::new(fields)))?);
        let what = What { work, order: first.order.clone(), groups: first.groups.clone(), carried };
        let mut inputs = vec![first.plan.clone()];
        inputs.extend(others.into_iter().map(|planned| planned.plan));
        let plan = WholeNode::plan(inputs, output, what);
        let order = vec![OrderKey { column: position, descending: false, nulls_first: false }];
        Ok(Planned { order, ..first.with_plan(plan) })
    }

    /// Adds expressions as columns; gives their names.
    pub(super) fn with_values(
        &self,
        input: Planned,
        values: Vec<DfExpr>,
    ) -> Result<(Planned, Vec<String>), QueryError> {
        let mut columns: Vec<DfExpr> =
            input.plan.schema().fields().iter().map(|field| column(field.name()).alias(field.name())).collect();
        let mut names = Vec::new();
        for value in values {
            let name = self.fresh("v");
            columns.push(value.alias(&name));
            names.push(name);
        }
        let plan: LogicalPlan = input.builder().project(columns)?.build()?;
        Ok((input.with_plan(plan), names))
    }

    pub(super) fn scan(
        &self,
        input: Planned,
        input_schema: &Schema,
        schema: &Schema,
        parts: &ScanParts<'_>,
    ) -> Result<Planned, QueryError> {
        let state: Vec<(String, Type, ScalarValue, bool)> = schema
            .columns
            .iter()
            .filter(|known| Some(known.name.as_str()) != parts.match_id)
            .map(|known| {
                let declared = parts.declare.iter().find(|(name, _, _)| *name == known.name);
                let default = match declared {
                    Some((_, _, Some(default))) => self.constant(default)?.cast_to(&arrow_type(known.ty))?,
                    _ => null_of(known.ty),
                };
                Ok((known.name.clone(), known.ty, default, declared.is_some()))
            })
            .collect::<Result<_, QueryError>>()?;
        let mut read = BTreeSet::new();
        let mut assigned = BTreeSet::new();
        for step in parts.steps {
            for formula in std::iter::once(&step.condition).chain(step.assign.iter().map(|named| &named.expr)) {
                step_columns(formula, &mut |_, name| {
                    read.insert(name.to_string());
                });
            }
            assigned.extend(step.assign.iter().map(|named| named.name.clone()));
        }
        let scope = self.scope(&input);
        let mut values = Vec::new();
        for key in parts.partition_by {
            values.push(self.expr(key, &scope)?);
        }
        let prefix = self.fresh("s");
        let partition: Vec<String> = (0..values.len()).map(|at| format!("{prefix}.{at}")).collect();
        let names: Vec<String> = parts.steps.iter().map(|step| step.name.clone()).collect();
        let mut steps = Vec::new();
        for step in parts.steps {
            let mut formula = |expr: &Expr| -> Result<Formula, QueryError> {
                let mut stateful = Vec::new();
                step_columns(expr, &mut |step, name| stateful.push((step.to_string(), name.to_string())));
                if stateful.is_empty() {
                    values.push(self.expr(expr, &scope)?);
                    return Ok(Formula::Ahead(format!("{prefix}.{}", values.len() - 1)));
                }
                let mut columns = Vec::new();
                let mut sources = Vec::new();
                for (step, name) in stateful {
                    let full = format!("{step}.{name}");
                    if columns.iter().any(|(known, _)| *known == full) {
                        continue;
                    }
                    let (Some(number), Some(at)) = (
                        names.iter().position(|known| *known == step),
                        state.iter().position(|(known, ..)| *known == name),
                    ) else {
                        return Err(QueryError::execution(format!("scan has no {full}")));
                    };
                    columns.push((full, arrow_type(state[at].1)));
                    sources.push(Source::State(number, at));
                }
                let logical = self.expr(expr, &Scope { elements: true, ..scope.clone() })?;
                for used in logical.column_refs() {
                    let known = input.plan.schema().field_with_unqualified_name(&used.name);
                    if let (false, Ok(field)) = (columns.iter().any(|(name, _)| *name == used.name), known) {
                        columns.push((used.name.clone(), field.data_type().clone()));
                        sources.push(Source::Input(used.name.clone()));
                    }
                }
                Ok(Formula::Each { expr: Compiled::new(&logical, &columns)?, columns: sources })
            };
            let condition = formula(&step.condition)?;
            let mut assign = Vec::new();
            for named in &step.assign {
                let at = state.iter().position(|(known, ..)| *known == named.name);
                let at = at.ok_or_else(|| QueryError::execution(format!("scan has no column {}", named.name)))?;
                assign.push((at, formula(&named.expr)?));
            }
            steps.push(Step { optional: step.optional, output: step.output, condition, assign });
        }
        let columns = state
            .into_iter()
            .map(|(name, _, default, declared)| StateColumn {
                // a declared column with the name of an input column takes its place
                declared: declared || input_schema.get(&name).is_none(),
                read: read.contains(&name),
                assigned: assigned.contains(&name),
                name,
                default,
            })
            .collect();
        let mut list: Vec<DfExpr> =
            input.plan.schema().fields().iter().map(|field| column(field.name()).alias(field.name())).collect();
        list.extend(values.into_iter().enumerate().map(|(at, value)| value.alias(format!("{prefix}.{at}"))));
        let input = input.with_plan(input.builder().project(list)?.build()?);
        let work = Scan { partition, columns, match_id: parts.match_id.is_some(), steps };
        self.whole(input, Vec::new(), schema, Arc::new(work))
    }

    pub(super) fn reduce(
        &self,
        input: Planned,
        schema: &Schema,
        of: &Expr,
        options: &[(String, Literal)],
    ) -> Result<Planned, QueryError> {
        let scope = self.scope(&input);
        let text = self.expr(of, &scope)?;
        let (input, names) = self.with_values(input, vec![text])?;
        let option = |name: &str| options.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let threshold = match option("threshold") {
            Some(Literal::Real(value)) => *value,
            Some(Literal::Long(value)) => *value as f64,
            Some(Literal::Int(value)) => f64::from(*value),
            _ => 0.1,
        };
        if !(0.0..=1.0).contains(&threshold) {
            return Err(QueryError::execution(format!("the threshold of reduce is between 0 and 1, not {threshold}")));
        }
        let characters = match option("characters") {
            Some(Literal::String(text)) => text.clone(),
            _ => String::new(),
        };
        let text = names.into_iter().next().unwrap_or_default();
        self.whole(input, Vec::new(), schema, Arc::new(Reduce { text, threshold, characters }))
    }

    /// Plugins that are works; none where the plugin is another's.
    pub(super) fn whole_plugin(
        &self,
        schema: &Schema,
        relation: &Relation,
        plugin: &str,
        args: &[PluginArg],
        body: Option<&Planned>,
    ) -> Result<Option<Planned>, QueryError> {
        let call = Plugin { planner: self, plugin, args };
        let columns: Vec<String> = relation.schema.names().map(str::to_string).collect();
        let input = || self.relation(relation, body);
        Ok(Some(match plugin {
            "rows_near" => {
                let (input, names) = call.computed(input()?, &[0])?;
                let before = call.whole_number(1)?;
                let after = if args.len() > 2 { call.whole_number(2)? } else { before };
                let count = |number: i64| usize::try_from(number).unwrap_or(0);
                let condition = names.into_iter().next().unwrap_or_default();
                let work = RowsNear { condition, before: count(before), after: count(after), columns };
                self.whole(input, Vec::new(), schema, Arc::new(work))?
            }
            "rolling_percentile" => {
                let dimensions: Vec<usize> = (5..args.len()).collect();
                let wanted: Vec<usize> = [0, 2].into_iter().chain(dimensions).collect();
                let (input, names) = call.computed(input()?, &wanted)?;
                let result = schema.columns.last().map_or(DataType::Float64, |last| arrow_type(last.ty));
                let work = RollingPercentile {
                    value: names[0].clone(),
                    index: names[1].clone(),
                    percentile: call.number(1)?,
                    bin: call.number(3)?,
                    bins: usize::try_from(call.whole_number(4)?).unwrap_or(0),
                    dimensions: names[2..].to_vec(),
                    result,
                };
                self.whole(input, Vec::new(), schema, Arc::new(work))?
            }
            "sliding_window_counts" => {
                let dimensions: Vec<usize> = (6..args.len()).collect();
                let wanted: Vec<usize> = [0, 1].into_iter().chain(dimensions).collect();
                let (input, names) = call.computed(input()?, &wanted)?;
                let work = SlidingWindowCounts {
                    id: names[0].clone(),
                    timeline: names[1].clone(),
                    from: call.whole_number(2)?,
                    to: call.whole_number(3)?,
                    lookback: call.whole_number(4)?,
                    bin: call.whole_number(5)?,
                    dimensions: names[2..].to_vec(),
                };
                self.whole(input, Vec::new(), schema, Arc::new(work))?
            }
            "active_users_count"
            | "activity_counts_metrics"
            | "activity_engagement"
            | "activity_metrics"
            | "new_activity_metrics"
            | "session_count" => call.activity(input()?, schema, body)?,
            "sequence_detect" => call.sequence_detect(input()?, schema)?,
            "funnel_sequence" => call.funnel_sequence(input()?, schema)?,
            "funnel_sequence_completion" => call.funnel_completion(input()?, schema)?,
            "narrow" => {
                let input = input()?;
                let texts = relation
                    .schema
                    .columns
                    .iter()
                    .map(|known| match known.ty {
                        Type::String => Ok(column(&known.name)),
                        ty => Ok(expr::without_null(
                            expr::bound("tostring", &[ty], vec![column(&known.name)])?,
                            Type::String,
                        )),
                    })
                    .collect::<Result<Vec<_>, QueryError>>()?;
                let (input, names) = self.with_values(input, texts)?;
                let work = Narrow { columns: columns.into_iter().zip(names).collect() };
                self.whole(input, Vec::new(), schema, Arc::new(work))?
            }
            "schema_merge" => {
                for needed in ["ColumnName", "ColumnOrdinal", "DataType", "ColumnType"] {
                    if relation.schema.get(needed).is_none() {
                        return Err(QueryError::execution(format!(
                            "schema_merge reads the result of getschema, which has a column {needed}"
                        )));
                    }
                }
                let keep = call.option("PreserveOrder").or_else(|| match args.first() {
                    Some(PluginArg::Scalar(Expr { kind: ExprKind::Literal(literal), .. })) => Some(literal),
                    _ => None,
                });
                let preserve_order = keep != Some(&Literal::Bool(false));
                self.whole(input()?, Vec::new(), schema, Arc::new(SchemaMerge { preserve_order }))?
            }
            "preview" => self.limited(input()?, usize::try_from(call.whole_number(0)?).unwrap_or(0))?,
            "identity" | "identity_v3" => input()?,
            "estimate_rows_count" => {
                let counted = datafusion::functions_aggregate::expr_fn::count(lit(1_i64)).alias("EstimatedRowsCount");
                let counted = input()?.builder().aggregate(Vec::<DfExpr>::new(), vec![counted])?.build()?;
                Planned::new(counted)
            }
            "dcount_intersect" => self.dcount_intersect(input()?, schema, &columns, args)?,
            "ipv4_lookup" | "ipv6_lookup" => {
                let Some(PluginArg::Relation(table)) = args.first() else { return Err(call.wrong(0)) };
                let (input, names) = call.computed(input()?, &[1])?;
                let Some(PluginArg::Scalar(Expr { kind: ExprKind::Column(network), .. })) = args.get(2) else {
                    return Err(call.wrong(2));
                };
                let keys = args[3..].iter().filter_map(|arg| match arg {
                    PluginArg::Scalar(Expr { kind: ExprKind::Column(name), .. }) => Some((name.clone(), name.clone())),
                    _ => None,
                });
                let work = Lookup {
                    address: names.into_iter().next().unwrap_or_default(),
                    network: network.clone(),
                    keys: keys.collect(),
                    v6: plugin == "ipv6_lookup",
                    return_unmatched: call.option("return_unmatched") == Some(&Literal::Bool(true)),
                    input_columns: columns,
                    table_columns: table
                        .schema
                        .columns
                        .iter()
                        .map(|known| (known.name.clone(), known.ty == Type::String))
                        .collect(),
                };
                let table = self.relation(table, body)?;
                self.whole(input, vec![table], schema, Arc::new(work))?
            }
            "autocluster" | "basket" | "diffpatterns" => self.segment_plugin(schema, relation, plugin, args, body)?,
            "geo_line_lookup" | "geo_polygon_lookup" => call.shapes(input()?, columns, schema, body)?,
            _ => return Ok(None),
        }))
    }

    /// How many values the first one, two, … sketches have in common, by the counts of their unions.
    fn dcount_intersect(
        &self,
        input: Planned,
        schema: &Schema,
        columns: &[String],
        args: &[PluginArg],
    ) -> Result<Planned, QueryError> {
        const MOST: usize = 8;
        let scope = self.scope(&input);
        let sketches = args
            .iter()
            .map(|arg| match arg {
                PluginArg::Scalar(expr) => self.expr(expr, &scope),
                _ => Err(QueryError::execution("dcount_intersect takes columns with the results of hll()")),
            })
            .collect::<Result<Vec<_>, _>>()?;
        if sketches.len() > MOST {
            return Err(QueryError::Limit {
                what: "the number of sketches of dcount_intersect",
                limit: MOST as u64,
                help: "intersect fewer of them at a time",
            });
        }
        let count = |set: usize| -> Result<DfExpr, QueryError> {
            let chosen: Vec<DfExpr> =
                (0..sketches.len()).filter(|at| set & (1 << at) != 0).map(|at| sketches[at].clone()).collect();
            let union = match <[DfExpr; 1]>::try_from(chosen) {
                Ok([only]) => only,
                Err(several) => expr::bound("hll_merge", &vec![Type::Dynamic; several.len()], several)?,
            };
            expr::bound("dcount_hll", &[Type::Dynamic], vec![union])
        };
        let mut output: Vec<(String, DfExpr)> = columns.iter().map(|name| (name.clone(), column(name))).collect();
        for (at, made) in schema.columns[columns.len()..].iter().enumerate() {
            let mut total = lit(0_i64);
            for set in 1_usize..1 << (at + 1) {
                let counted = count(set)?;
                total = if set.count_ones() % 2 == 1 { total + counted } else { total - counted };
            }
            output.push((made.name.clone(), total));
        }
        self.projected(&input, output)
    }
}

/// An argument of a plugin, counted from 0, that is of another kind than the plugin takes.
pub(super) fn wrong_argument(plugin: &str, at: usize) -> QueryError {
    QueryError::execution(format!("argument {} of the plugin {plugin} is not what it needs", at + 1))
}

/// A plugin's call.
pub(super) struct Plugin<'p> {
    pub(super) planner: &'p Planner<'p>,
    pub(super) plugin: &'p str,
    pub(super) args: &'p [PluginArg],
}

impl Plugin<'_> {
    pub(super) fn wrong(&self, at: usize) -> QueryError {
        wrong_argument(self.plugin, at)
    }

    fn option(&self, name: &str) -> Option<&Literal> {
        self.args.iter().find_map(|arg| match arg {
            PluginArg::Option(known, value) if known == name => Some(value),
            _ => None,
        })
    }

    /// Arguments over the rows as columns of the input.
    pub(super) fn computed(&self, input: Planned, at: &[usize]) -> Result<(Planned, Vec<String>), QueryError> {
        let scope = self.planner.scope(&input);
        let values = at
            .iter()
            .map(|at| match self.args.get(*at) {
                Some(PluginArg::Scalar(expr)) => self.planner.expr(expr, &scope),
                _ => Err(self.wrong(*at)),
            })
            .collect::<Result<Vec<_>, _>>()?;
        self.planner.with_values(input, values)
    }

    pub(super) fn scalar(&self, at: usize) -> Result<ScalarValue, QueryError> {
        match self.args.get(at) {
            Some(PluginArg::Scalar(expr)) => self.planner.constant(expr),
            _ => Err(self.wrong(at)),
        }
    }

    fn number(&self, at: usize) -> Result<f64, QueryError> {
        match self.scalar(at)?.cast_to(&DataType::Float64)? {
            ScalarValue::Float64(Some(value)) => Ok(value),
            _ => Err(self.wrong(at)),
        }
    }

    pub(super) fn whole_number(&self, at: usize) -> Result<i64, QueryError> {
        match self.scalar(at)?.cast_to(&DataType::Int64)? {
            ScalarValue::Int64(Some(value)) => Ok(value),
            _ => Err(self.wrong(at)),
        }
    }
}

impl Plugin<'_> {
    /// `geo_line_lookup(table, line, longitude, latitude, radius)`; `geo_polygon_lookup` without the radius, which is
    /// an option there. The hint about joining changes nothing here.
    fn shapes(
        &self,
        input: Planned,
        input_columns: Vec<String>,
        schema: &Schema,
        body: Option<&Planned>,
    ) -> Result<Planned, QueryError> {
        let Some(PluginArg::Relation(table)) = self.args.first() else { return Err(self.wrong(0)) };
        let Some(PluginArg::Scalar(Expr { kind: ExprKind::Column(shape), .. })) = self.args.get(1) else {
            return Err(self.wrong(1));
        };
        let (input, names) = self.computed(input, &[2, 3])?;
        let [longitude, latitude] = names.as_slice() else { return Err(self.wrong(2)) };
        let radius = match self.plugin {
            "geo_line_lookup" => Some(self.number(4)?),
            _ => match self.option("radius") {
                Some(Literal::Real(meters)) => Some(*meters),
                Some(Literal::Long(meters)) => Some(*meters as f64),
                _ => None,
            },
        };
        let shape_of = if self.plugin == "geo_line_lookup" { "line" } else { "polygon" };
        let types = [Type::Real, Type::Real, Type::Dynamic];
        let values = vec![column("longitude"), column("latitude"), column("shape")];
        let matches = match radius {
            Some(radius) => {
                expr::bound(&format!("geo_distance_point_to_{shape_of}"), &types, values)?.lt_eq(lit(radius))
            }
            None => expr::bound("geo_point_in_polygon", &types, values)?,
        };
        let named = ["longitude", "latitude", "shape"].into_iter().zip(types);
        let named: Vec<(String, DataType)> = named.map(|(name, ty)| (name.to_string(), arrow_type(ty))).collect();
        // the shape is a column of the output only where it was asked for
        let kept = schema.columns.len() - input_columns.len() == table.schema.columns.len();
        let table_columns = table.schema.columns.iter().filter(|known| kept || known.name != *shape);
        let work = ShapeLookup {
            longitude: longitude.clone(),
            latitude: latitude.clone(),
            shape: shape.clone(),
            matches: Compiled::new(&matches, &named)?,
            return_unmatched: self.option("return_unmatched") == Some(&Literal::Bool(true)),
            input_columns,
            table_columns: table_columns.map(|known| (known.name.clone(), known.ty == Type::String)).collect(),
        };
        let table = self.planner.relation(table, body)?;
        self.planner.whole(input, vec![table], schema, Arc::new(work))
    }
}

/// The states that an expression looks at.
fn step_columns(expr: &Expr, found: &mut dyn FnMut(&str, &str)) {
    match &expr.kind {
        ExprKind::StepColumn { step, column } => found(step, column),
        ExprKind::Call { args, .. } | ExprKind::Aggregate { args, .. } | ExprKind::Window { args, .. } => {
            args.iter().for_each(|arg| step_columns(arg, found));
        }
        ExprKind::InRelation { value, .. } => step_columns(value, found),
        _ => {}
    }
}
