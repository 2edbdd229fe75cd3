//! `evaluate`: plugins, their arguments, and their columns.

use super::expression::missing_column;
use super::naming::{Names, result_name};
use super::scope::Row;
use super::sources::{relation, table_schema};
use super::suggest::did_you_mean;
use super::{Analyzer, Outcome, Stop, Value};
use crate::diagnostics::Span;
use crate::functions::{self, Returns};
use crate::syntax;
use crate::typed::{Expr, ExprKind, Operator, PluginArg, Relation};
use crate::types::{Column, Literal, Schema, Type};

impl Analyzer<'_> {
    pub(super) fn evaluate(
        &mut self,
        input: Option<Relation>,
        call: &syntax::Call,
        declared: Option<&syntax::TableSchema>,
        span: Span,
    ) -> Outcome<Relation> {
        let name = call.name.text.as_str();
        let Some(signature) = functions::plugin(name) else {
            let help = did_you_mean(name, functions::plugins().map(|signature| signature.name));
            return Err(Stop::unknown(call.name.span, format!("there is no plugin named `{name}`")).help(help));
        };
        super::calls::check_count(signature, call, span)?;
        // its three tables are of one input
        let input = if name == "funnel_sequence" { input.map(|input| self.share(input)) } else { input };
        let schema = input.as_ref().map(|input| input.schema.clone()).unwrap_or_default();
        let mut args = Vec::new();
        for arg in &call.args {
            let typed = self.plugin_arg(name, &schema, &args, arg)?;
            args.push(typed);
        }
        let written = Written { call, args: &args, input: &schema };
        let columns = match (declared, &signature.overloads[0].returns) {
            (Some(declared), _) => Some(declared_columns(declared, &written)),
            (None, Returns::Columns(columns)) => Some(columns.clone()),
            (None, Returns::Open) => None,
            (None, _) => written.columns(name, span)?,
        };
        let mut known = None;
        let columns = match columns {
            Some(columns) => columns,
            None => match self.options.known.get(self.met) {
                Some(schema) => {
                    known = Some(self.met);
                    self.met += 1;
                    schema.columns.clone()
                }
                None => {
                    let operator =
                        Operator::Evaluate { input: input.map(Box::new), plugin: name.to_owned(), args, known: None };
                    let open = Relation { operator, schema: Schema::default(), open: true, span };
                    return Err(Stop::Open(Box::new(open)));
                }
            },
        };
        let operator = Operator::Evaluate { input: input.map(Box::new), plugin: name.to_owned(), args, known };
        Ok(relation(operator, Schema::new(columns), span))
    }

    fn plugin_arg(
        &mut self,
        plugin: &str,
        schema: &Schema,
        before: &[PluginArg],
        arg: &syntax::Expr,
    ) -> Outcome<PluginArg> {
        // the names of steps are names of columns, not of options
        let arg = match &arg.kind {
            syntax::ExprKind::Named { value, .. } if plugin == "sequence_detect" => value,
            _ => arg,
        };
        if let syntax::ExprKind::Named { name, value } = &arg.kind {
            let literal = match &value.kind {
                syntax::ExprKind::Name(word) if schema.get(word).is_some() => Literal::String(word.clone()),
                _ => self.isolated(|analyzer| analyzer.word_or_constant(value))?,
            };
            return Ok(PluginArg::Option(name.text.clone(), literal));
        }
        let mut schema = schema.clone();
        if let Some(PluginArg::Relation(table)) = before.first() {
            // Columns of a lookup table may be named as well.
            let further = table.schema.columns.iter().filter(|column| schema.get(&column.name).is_none());
            let further: Vec<Column> = further.cloned().collect();
            schema.columns.extend(further);
        }
        let row = Row { schema, aggregates: true, ..Row::default() };
        match self.with_row(row, |analyzer| analyzer.value(arg))? {
            Value::Relation(labelled) => Ok(PluginArg::Relation(labelled.relation)),
            Value::Scalar(expr) if has_aggregate(&expr) => Ok(PluginArg::Aggregate(expr)),
            Value::Scalar(expr) => Ok(PluginArg::Scalar(expr)),
            Value::Graph(_) => Err(Stop::semantic(arg.span, "a plugin does not take a graph")),
        }
    }
}

fn has_aggregate(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Aggregate { .. } => true,
        ExprKind::Call { args, .. } => args.iter().any(has_aggregate),
        _ => false,
    }
}

/// A plugin call with what its columns depend on.
struct Written<'a> {
    call: &'a syntax::Call,
    args: &'a [PluginArg],
    input: &'a Schema,
}

impl Written<'_> {
    /// The column that the argument names.
    fn column(&self, index: usize) -> Outcome<Column> {
        let Some(arg) = self.call.args.get(index) else {
            return Err(Stop::semantic(self.call.span, format!("argument {} is missing", index + 1)));
        };
        let Some(PluginArg::Scalar(expr)) = self.args.get(index) else {
            return Err(Stop::semantic(arg.span, "a column is needed here"));
        };
        let name = result_name(arg, self.input).unwrap_or_else(|| format!("Column{}", index + 1));
        Ok(Column::new(name, expr.ty))
    }

    /// The columns named by arguments from `from` on.
    fn dimensions(&self, from: usize) -> Outcome<Vec<Column>> {
        (from..self.call.args.len())
            .filter(|index| matches!(self.args[*index], PluginArg::Scalar(_)))
            .filter(|index| matches!(self.call.args[*index].kind, syntax::ExprKind::Name(_)))
            .map(|index| self.column(index))
            .collect()
    }

    fn option(&self, name: &str) -> Option<&Literal> {
        self.args.iter().find_map(|arg| match arg {
            PluginArg::Option(found, value) if found == name => Some(value),
            _ => None,
        })
    }

    fn number(&self, index: usize) -> String {
        match self.args.get(index) {
            Some(PluginArg::Scalar(expr)) => match super::expression::fold(expr) {
                Some(Literal::Long(value)) => value.to_string(),
                Some(Literal::Int(value)) => value.to_string(),
                Some(Literal::Real(value)) => value.to_string().replace('.', "_"),
                _ => String::new(),
            },
            _ => String::new(),
        }
    }

    /// Columns that follow from the arguments; none if only the data tells.
    fn columns(&self, name: &str, span: Span) -> Outcome<Option<Vec<Column>>> {
        use Type::{Long, Real};
        let plain = |names: &[(&str, Type)]| -> Vec<Column> {
            names.iter().map(|(name, ty)| Column::new(*name, *ty)).collect()
        };
        let columns = match name {
            "ipv4_lookup" | "ipv6_lookup" | "geo_line_lookup" | "geo_polygon_lookup" => self.lookup(name, span)?,
            "rows_near" | "preview" | "identity" | "identity_v3" => self.input.columns.clone(),
            "dcount_intersect" => {
                let mut names = Names::of(self.input);
                let mut columns = self.input.columns.clone();
                for index in 0..self.call.args.len() {
                    columns.push(Column::new(names.unique(&format!("s{index}")), Long));
                }
                columns
            }
            "rolling_percentile" => {
                let value = self.column(0)?;
                let index = self.column(2)?;
                let ty = if value.ty == Type::Int { Long } else { value.ty };
                let named = format!("rolling_{}_percentile_{}_{}", self.number(4), value.name, self.number(1));
                let mut columns = vec![index];
                columns.extend(self.dimensions(5)?);
                columns.push(Column::new(named, ty));
                columns
            }
            "sliding_window_counts" => {
                let mut columns = vec![self.column(1)?];
                columns.extend(self.dimensions(6)?);
                columns.extend(plain(&[("Count", Long), ("dcount", Long)]));
                columns
            }
            "active_users_count" => {
                let mut columns = vec![self.column(1)?];
                columns.extend(self.dimensions(8)?);
                columns.push(Column::new(format!("dcount_{}", self.column(0)?.name), Long));
                columns
            }
            "activity_counts_metrics" => {
                let mut columns = vec![self.column(1)?];
                columns.extend(self.dimensions(5)?);
                columns.extend(plain(&[
                    ("count", Long),
                    ("dcount", Long),
                    ("new_dcount", Long),
                    ("aggregated_dcount", Long),
                ]));
                columns
            }
            "activity_engagement" => {
                let mut columns = vec![self.column(1)?];
                columns.extend(self.dimensions(6)?);
                columns.extend(plain(&[
                    ("dcount_activities_inner", Long),
                    ("dcount_activities_outer", Long),
                    ("activity_ratio", Real),
                ]));
                columns
            }
            "activity_metrics" => {
                let mut columns = vec![self.column(1)?];
                columns.extend(self.dimensions(5)?);
                columns.extend(plain(&[
                    ("dcount_values", Long),
                    ("dcount_newvalues", Long),
                    ("retention_rate", Real),
                    ("churn_rate", Real),
                ]));
                columns
            }
            "new_activity_metrics" => {
                let timeline = self.column(1)?;
                let mut columns: Vec<Column> =
                    ["from", "to"].map(|end| Column::new(format!("{end}_{}", timeline.name), timeline.ty)).into();
                // the cohort may be a name too, of a constant
                let dimensions = self.args.iter().skip(5).filter_map(|arg| match arg {
                    PluginArg::Scalar(Expr { kind: ExprKind::Column(name), ty, .. }) => Some(Column::new(name, *ty)),
                    _ => None,
                });
                columns.extend(dimensions);
                columns.extend(plain(&[
                    ("dcount_new_values", Long),
                    ("dcount_retained_values", Long),
                    ("dcount_churn_values", Long),
                    ("retention_rate", Real),
                    ("churn_rate", Real),
                ]));
                columns
            }
            "session_count" => {
                let mut columns = vec![self.column(1)?];
                columns.extend(self.dimensions(6)?);
                columns.push(Column::new(format!("count_sessions_{}", self.column(0)?.name), Long));
                columns
            }
            "funnel_sequence" => {
                let state = self.column(6)?;
                let mut columns = vec![self.column(1)?];
                columns.extend(plain(&[("prev", state.ty), ("next", state.ty), ("dcount", Long)]));
                columns.push(Column::new("samples", Type::Dynamic));
                columns
            }
            "funnel_sequence_completion" => {
                let (timeline, state) = (self.column(1)?, self.column(5)?);
                let period = if timeline.ty == Type::Datetime { Type::Timespan } else { Long };
                vec![timeline, state, Column::new("Period", period), Column::new("dcount", Long)]
            }
            "sequence_detect" => self.sequence()?,
            "autocluster" | "basket" => {
                let mut columns = plain(&[("SegmentId", Long), ("Count", Long), ("Percent", Real)]);
                columns.extend(self.input.columns.iter().cloned());
                columns
            }
            "diffpatterns" => {
                let split = self.column(0)?;
                let mut columns = plain(&[
                    ("SegmentId", Long),
                    ("CountA", Long),
                    ("CountB", Long),
                    ("PercentA", Real),
                    ("PercentB", Real),
                    ("PercentDiffAB", Real),
                ]);
                columns.extend(self.input.columns.iter().filter(|column| column.name != split.name).cloned());
                columns
            }
            _ => return Ok(None),
        };
        Ok(Some(columns))
    }

    /// Columns of `sequence_detect`: its dimensions, a time for each of its conditions, and how long it lasted.
    fn sequence(&self) -> Outcome<Vec<Column>> {
        let timeline = self.column(0)?;
        let is_step = |arg: &&PluginArg| matches!(arg, PluginArg::Scalar(expr) if expr.ty == Type::Bool);
        let steps = self.args.iter().skip(3).take_while(is_step).count();
        if steps == 0 {
            let help = "name conditions after the two windows: opened = (EventType == \"Open\")".to_owned();
            return Err(Stop::semantic(self.call.span, "sequence_detect() needs at least one condition").help(help));
        }
        let mut names = Names::default();
        let mut columns = Vec::new();
        for index in 3 + steps..self.args.len() {
            let column = self.column(index)?;
            columns.push(Column::new(names.unique(&column.name), column.ty));
        }
        for step in 0..steps {
            let arg = &self.call.args[3 + step];
            let name = result_name(arg, self.input).unwrap_or_else(|| format!("Expr{}", step + 1));
            columns.push(Column::new(names.unique(&format!("{name}_{}", timeline.name)), timeline.ty));
        }
        let length = if timeline.ty == Type::Datetime { Type::Timespan } else { Type::Long };
        columns.push(Column::new(names.unique("Duration"), length));
        Ok(columns)
    }

    /// The input's columns and the table's, without its key unless asked for.
    fn lookup(&self, plugin: &str, span: Span) -> Outcome<Vec<Column>> {
        let table = self.args.iter().find_map(|arg| match arg {
            PluginArg::Relation(table) => Some(table),
            _ => None,
        });
        let Some(table) = table else {
            return Err(Stop::semantic(span, format!("{plugin}() needs a table as its first argument")));
        };
        let key_index = if plugin.starts_with("ip") { 2 } else { 1 };
        let key = match self.call.args.get(key_index).map(|arg| (&arg.kind, arg.span)) {
            Some((syntax::ExprKind::Name(name), _)) => name.clone(),
            Some((_, span)) => return Err(Stop::semantic(span, "the name of a column of the table is needed here")),
            None => String::new(),
        };
        if table.schema.get(&key).is_none() {
            return Err(missing_column(&key, &table.schema, span));
        }
        let keep_key = plugin.starts_with("ip") || self.option("return_lookup_key") == Some(&Literal::Bool(true));
        let mut names = Names::default();
        let mut columns = Vec::new();
        for column in &self.input.columns {
            columns.push(Column::new(names.unique(&column.name), column.ty));
        }
        for column in table.schema.columns.iter().filter(|column| keep_key || column.name != key) {
            columns.push(Column::new(names.unique(&column.name), column.ty));
        }
        Ok(columns)
    }
}

/// The three tables of `funnel_sequence` from its first: with the states before and after, before alone, after alone.
pub(super) fn funnel_tables(relation: &Relation) -> Option<[Relation; 3]> {
    match &relation.operator {
        Operator::Evaluate { plugin, .. } if plugin == "funnel_sequence" && relation.schema.get("prev").is_some() => {}
        _ => return None,
    }
    let without = |name: &str| {
        let mut table = relation.clone();
        table.schema.columns.retain(|column| column.name != name);
        table
    };
    Some([relation.clone(), without("next"), without("prev")])
}

/// The columns of `evaluate … : (schema)`; a star stands for the input's columns that are not taken apart.
fn declared_columns(declared: &syntax::TableSchema, written: &Written<'_>) -> Vec<Column> {
    let own = table_schema(declared).columns;
    if !declared.open {
        return own;
    }
    let unpacked = match written.call.args.first().map(|arg| &arg.kind) {
        Some(syntax::ExprKind::Name(name)) if written.call.name.text == "bag_unpack" => Some(name.as_str()),
        _ => None,
    };
    let kept = written.input.columns.iter().filter(|column| {
        Some(column.name.as_str()) != unpacked && !own.iter().any(|declared| declared.name == column.name)
    });
    let kept: Vec<Column> = kept.cloned().collect();
    if declared.star_first { kept.into_iter().chain(own).collect() } else { own.into_iter().chain(kept).collect() }
}
