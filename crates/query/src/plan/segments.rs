//! The arguments of `autocluster`, `basket` and `diffpatterns`. They go by place; `'~'` stands for the default, and
//! what follows the last of them are values that stand for "any" in columns of their types.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use watchkeeper_kql::typed::{Expr, ExprKind, PluginArg, Relation};
use watchkeeper_kql::{Literal, Schema, Type};

use super::whole::wrong_argument;
use super::{Planned, Planner, expr};
use crate::error::QueryError;
use crate::runtime::null_of;
use crate::whole::segments::{SegmentSearch, Segments};

/// The thresholds that are allowed (reference "basket plugin", "diffpatterns plugin").
const THRESHOLDS: std::ops::RangeInclusive<f64> = 0.015..=1.0;
const DEFAULT_THRESHOLD: f64 = 0.05;
/// Values of a pattern of `basket` that do not follow from others.
const DEFAULT_DIMENSIONS: usize = 5;
const DEFAULT_SEEDS: usize = 25;

impl Planner<'_> {
    pub(super) fn segment_plugin(
        &self,
        schema: &Schema,
        relation: &Relation,
        plugin: &str,
        args: &[PluginArg],
        body: Option<&Planned>,
    ) -> Result<Planned, QueryError> {
        let call = SegmentCall { planner: self, plugin, args };
        let input = self.relation(relation, body)?;
        let scope = self.scope(&input);
        let mut values = Vec::new();
        let mut taken = Vec::new();
        let (weight_at, wildcards_at) = if plugin == "diffpatterns" { (3, 6) } else { (1, 3) };
        let weight = call.column(weight_at)?;
        if let Some((name, weight)) = &weight {
            if !weight.ty.is_numeric() {
                return Err(QueryError::execution(format!(
                    "the weight of {plugin} must be a number, not {}",
                    weight.ty
                )));
            }
            values.push(expr::bound("toreal", &[weight.ty], vec![self.expr(weight, &scope)?])?);
            taken.push(name.clone());
        }
        let search = match plugin {
            "autocluster" => SegmentSearch::Autocluster {
                size_weight: call.number(0, 0.5, 0.0..=1.0)?,
                seeds: call.number(2, DEFAULT_SEEDS as f64, 1.0..=1000.0)? as usize,
            },
            "basket" => SegmentSearch::Basket {
                threshold: call.number(0, DEFAULT_THRESHOLD, THRESHOLDS)?,
                most: call.number(2, DEFAULT_DIMENSIONS as f64, 1.0..=1000.0)? as usize,
            },
            _ => {
                let Some((name, split)) = call.column(0)? else { return Err(call.wrong(0)) };
                values.push(expr::bound("tostring", &[split.ty], vec![self.expr(split, &scope)?])?);
                taken.push(name);
                SegmentSearch::Differences {
                    split: String::new(),
                    sides: [call.text(1)?, call.text(2)?],
                    threshold: call.number(4, DEFAULT_THRESHOLD, THRESHOLDS)?,
                    most: call.number(5, relation.schema.columns.len() as f64, 1.0..=1000.0)? as usize,
                }
            }
        };
        let (input, names) = self.with_values(input, values)?;
        let mut names = names.into_iter();
        let weight_name = weight.and_then(|_| names.next());
        let search = match search {
            SegmentSearch::Differences { sides, threshold, most, .. } => {
                SegmentSearch::Differences { split: names.next().unwrap_or_default(), sides, threshold, most }
            }
            other => other,
        };
        let own: Vec<ScalarValue> =
            (wildcards_at..args.len()).filter_map(|at| call.constant(at).transpose()).collect::<Result<_, _>>()?;
        let any = |ty: Type| {
            let null = null_of(ty);
            own.iter().find(|value| value.data_type() == null.data_type()).cloned().unwrap_or(null)
        };
        let split = (plugin == "diffpatterns").then(|| taken.last().cloned()).flatten();
        let shown = relation.schema.columns.iter().filter(|known| Some(&known.name) != split.as_ref());
        let mut dimensions = Vec::new();
        let mut constant = Vec::new();
        for (at, known) in shown.enumerate() {
            match taken.contains(&known.name) {
                true => constant.push((at, any(known.ty))),
                false => dimensions.push((known.name.clone(), any(known.ty))),
            }
        }
        let work = Segments { search, dimensions, constant, weight: weight_name };
        self.whole(input, Vec::new(), schema, Arc::new(work))
    }
}

struct SegmentCall<'c> {
    planner: &'c Planner<'c>,
    plugin: &'c str,
    args: &'c [PluginArg],
}

impl SegmentCall<'_> {
    fn wrong(&self, at: usize) -> QueryError {
        wrong_argument(self.plugin, at)
    }

    /// An argument that is given and not `'~'`.
    fn given(&self, at: usize) -> Option<&Expr> {
        match self.args.get(at) {
            Some(PluginArg::Scalar(expr)) if expr.kind != ExprKind::Literal(Literal::String("~".to_owned())) => {
                Some(expr)
            }
            _ => None,
        }
    }

    fn column(&self, at: usize) -> Result<Option<(String, &Expr)>, QueryError> {
        match self.given(at) {
            None => Ok(None),
            Some(expr) => match &expr.kind {
                ExprKind::Column(name) => Ok(Some((name.clone(), expr))),
                _ => Err(QueryError::execution(format!(
                    "argument {} of the plugin {} is the name of a column, or '~' for none",
                    at + 1,
                    self.plugin
                ))),
            },
        }
    }

    fn constant(&self, at: usize) -> Result<Option<ScalarValue>, QueryError> {
        self.given(at).map(|expr| self.planner.constant(expr)).transpose()
    }

    fn number(&self, at: usize, default: f64, range: std::ops::RangeInclusive<f64>) -> Result<f64, QueryError> {
        let Some(value) = self.constant(at)? else { return Ok(default) };
        let ScalarValue::Float64(Some(number)) = value.cast_to(&DataType::Float64)? else { return Err(self.wrong(at)) };
        if !range.contains(&number) {
            return Err(QueryError::execution(format!(
                "argument {} of the plugin {} is between {} and {}, not {number}",
                at + 1,
                self.plugin,
                range.start(),
                range.end()
            )));
        }
        Ok(number)
    }

    fn text(&self, at: usize) -> Result<String, QueryError> {
        let Some(given) = self.given(at) else { return Err(self.wrong(at)) };
        let text = expr::bound("tostring", &[given.ty], vec![self.planner.expr(given, &super::Scope::default())?])?;
        match super::constant(&text)? {
            ScalarValue::Utf8View(Some(text)) => Ok(text),
            _ => Err(self.wrong(at)),
        }
    }
}
