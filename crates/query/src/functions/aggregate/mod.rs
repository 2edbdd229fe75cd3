//! The aggregates of the language. [`AGGREGATES`] is the one list; [`bind_aggregate`] makes one callable for given KQL
//! argument types. An aggregate of several results (`arg_max`, `arg_min`, `take_any` of several, `percentiles`) gives
//! one struct whose fields are named `0`, `1`, …; see [`aggregate_outputs`].

mod adapter;
mod distinct;
mod fast;
mod kept_rows;
mod lists;
mod moments;
mod quantiles;
mod schema;
mod single;
mod state;

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;
use watchkeeper_kql::Type;

use super::FunctionError;
use super::frame::Function;
use adapter::BoundAggregate;
use state::State;

/// The types of what an aggregate gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    One(Type),
    /// A struct with one field each.
    Many(Vec<Type>),
}

/// An aggregate as the list describes it.
pub struct Aggregate {
    name: &'static str,
    least: usize,
    most: usize,
    /// None: the types do not fit.
    output: fn(&[Type]) -> Option<Output>,
    state: fn(&[Type]) -> Box<dyn State>,
    /// Counts, sums and extremes of numbers have an accumulator of their own.
    fast: Option<fast::Kind>,
}

/// Every aggregate; the forms with a condition are in [`CONDITIONAL`].
const AGGREGATES: &[&[Aggregate]] = &[
    single::AGGREGATES,
    lists::AGGREGATES,
    distinct::AGGREGATES,
    moments::AGGREGATES,
    quantiles::AGGREGATES,
    schema::AGGREGATES,
];

/// Scalar functions over the states of aggregates (`dcount_hll`, `percentile_tdigest`, …).
pub const SCALARS: &[Function] = &[
    distinct::DCOUNT_HLL,
    distinct::HLL_MERGE,
    quantiles::PERCENTILE_TDIGEST,
    quantiles::PERCENTILES_ARRAY_TDIGEST,
    quantiles::RANK_TDIGEST,
    quantiles::TDIGEST_MERGE,
];

/// Name, the aggregate it restricts, and the place of the condition among the arguments.
const CONDITIONAL: &[(&str, &str, usize)] = &[
    ("countif", "count", 0),
    ("sumif", "sum", 1),
    ("avgif", "avg", 1),
    ("minif", "min", 1),
    ("maxif", "max", 1),
    ("dcountif", "dcount", 1),
    ("count_distinctif", "count_distinct", 1),
    ("make_list_if", "make_list", 1),
    ("make_set_if", "make_set", 1),
    ("make_bag_if", "make_bag", 1),
    ("take_anyif", "take_any", 1),
    ("anyif", "take_any", 1),
    ("hll_if", "hll", 1),
    ("stdevif", "stdev", 1),
    ("stdevpif", "stdevp", 1),
    ("varianceif", "variance", 1),
    ("variancepif", "variancep", 1),
    ("covarianceif", "covariance", 2),
    ("covariancepif", "covariancep", 2),
];

/// Older and alternative names.
const ALIASES: &[(&str, &str)] = &[
    ("cnt", "count"),
    ("any", "take_any"),
    ("argmax", "arg_max"),
    ("argmin", "arg_min"),
    ("makelist", "make_list"),
    ("makeset", "make_set"),
    ("make_dictionary", "make_bag"),
    ("merge_tdigest", "tdigest_merge"),
];

fn find(name: &str) -> Result<(&'static Aggregate, Option<usize>), FunctionError> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
    let (base, condition) = CONDITIONAL
        .iter()
        .find(|(conditional, _, _)| *conditional == name)
        .map_or((name, None), |(_, base, place)| (*base, Some(*place)));
    let aggregate = AGGREGATES.iter().flat_map(|family| family.iter()).find(|aggregate| aggregate.name == base);
    aggregate.map(|aggregate| (aggregate, condition)).ok_or_else(|| FunctionError::Unknown { name: name.to_owned() })
}

/// Whether [`bind_aggregate`] knows this aggregate.
pub fn is_aggregate_implemented(name: &str) -> bool {
    find(name).is_ok()
}

/// The aggregate, the place of its condition, the types without it, and what it gives.
type Resolved = (&'static Aggregate, Option<usize>, Vec<Type>, Output);

fn output_of(name: &str, arg_types: &[Type]) -> Result<Resolved, FunctionError> {
    let (aggregate, condition) = find(name)?;
    let mut types = arg_types.to_vec();
    let unfit = || {
        let names: Vec<&str> = arg_types.iter().map(|ty| ty.name()).collect();
        FunctionError::Arguments { name: name.to_owned(), types: names.join(", ") }
    };
    if let Some(place) = condition {
        if place >= types.len() {
            return Err(unfit());
        }
        types.remove(place);
    }
    if types.len() < aggregate.least || types.len() > aggregate.most {
        return Err(unfit());
    }
    let output = (aggregate.output)(&types).ok_or_else(unfit)?;
    Ok((aggregate, condition, types, output))
}

/// What the aggregate gives for arguments of these types.
pub fn aggregate_outputs(name: &str, arg_types: &[Type]) -> Result<Output, FunctionError> {
    output_of(name, arg_types).map(|(_, _, _, output)| output)
}

/// The aggregate for arguments of these types.
pub fn bind_aggregate(name: &str, arg_types: &[Type]) -> Result<Arc<AggregateUDF>, FunctionError> {
    let (aggregate, condition, inner, output) = output_of(name, arg_types)?;
    let bound = BoundAggregate::new(name, aggregate, arg_types.to_vec(), inner, condition, output);
    Ok(Arc::new(AggregateUDF::new_from_impl(bound)))
}

/// The bound aggregate of this name, as [`bind_aggregate`] names it: `agg:sum(long)`.
pub fn rebuild_aggregate(bound: &str) -> Result<Arc<AggregateUDF>, FunctionError> {
    let error = || FunctionError::Name { name: bound.to_owned() };
    let (name, types, _) = bound.strip_prefix("agg:").and_then(super::split_bound_name).ok_or_else(error)?;
    bind_aggregate(name, &types)
}

#[cfg(test)]
pub(crate) mod testing {
    //! Runs an aggregate over rows: at once, in two merged parts, and grouped.

    use std::sync::Arc;

    use arrow::array::ArrayRef;
    use arrow::datatypes::{Field, Schema};
    use datafusion::common::ScalarValue;
    use datafusion::logical_expr::EmitTo;
    use datafusion::logical_expr::function::AccumulatorArgs;
    use watchkeeper_kql::Type;

    use crate::functions::frame::value::{Builder, Value};

    pub fn run(name: &str, types: &[Type], rows: &[Vec<Value<'static>>]) -> ScalarValue {
        let udf = super::bind_aggregate(name, types).unwrap();
        let schema = Schema::empty();
        let return_field = Arc::new(Field::new("r", udf.return_type(&[]).unwrap(), true));
        let args = || AccumulatorArgs {
            return_field: Arc::clone(&return_field),
            schema: &schema,
            ignore_nulls: false,
            order_bys: &[],
            is_reversed: false,
            name: "r",
            is_distinct: false,
            exprs: &[],
            expr_fields: &[],
        };
        let columns = |rows: &[Vec<Value<'static>>]| -> Vec<ArrayRef> {
            types
                .iter()
                .enumerate()
                .map(|(place, ty)| {
                    let mut builder = Builder::new(*ty, rows.len());
                    for row in rows {
                        builder.push(&row[place]);
                    }
                    builder.finish()
                })
                .collect()
        };
        // in two halves that are merged
        let mut merged = udf.accumulator(args()).unwrap();
        for half in [&rows[..rows.len() / 2], &rows[rows.len() / 2..]] {
            let mut part = udf.accumulator(args()).unwrap();
            if !types.is_empty() {
                part.update_batch(&columns(half)).unwrap();
            }
            let state: Vec<ArrayRef> = part.state().unwrap().iter().map(|state| state.to_array().unwrap()).collect();
            merged.merge_batch(&state).unwrap();
        }
        let merged = merged.evaluate().unwrap();
        // grouped, with a second group that gets no row
        let mut groups = udf.create_groups_accumulator(args()).unwrap();
        let indices: Vec<usize> = vec![1; rows.len()];
        groups.update_batch(&columns(rows), &indices, None, 2).unwrap();
        let grouped = groups.evaluate(EmitTo::All).unwrap();
        assert_eq!(grouped.len(), 2);
        let grouped = ScalarValue::try_from_array(&grouped, 1).unwrap();
        assert_eq!(merged, grouped, "{name}: merged halves and groups differ");
        grouped
    }

    pub fn longs(numbers: &[i64]) -> Vec<Vec<Value<'static>>> {
        numbers.iter().map(|number| vec![Value::Long(*number)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_aggregate_is_rebuilt_from_its_name() {
        let bound = bind_aggregate("sumif", &[Type::Long, Type::Bool]).unwrap();
        assert_eq!(rebuild_aggregate(bound.name()).unwrap().name(), "agg:sumif(long,bool)");
        assert!(rebuild_aggregate("sum(long)").is_err());
        assert!(bind_aggregate("sumif", &[Type::Long]).is_err());
    }

    #[test]
    fn every_conditional_form_and_alias_leads_somewhere() {
        for (name, _, _) in CONDITIONAL {
            assert!(is_aggregate_implemented(name), "{name}");
        }
        for (alias, _) in ALIASES {
            assert!(is_aggregate_implemented(alias), "{alias}");
        }
    }
}
