//! Numbers that describe one or two series.

use serde_json::Value as Tree;
use watchkeeper_kql::Type;

use super::arithmetic::operands;
use super::numbers::{bag, mean, real_tree, reals};
use crate::functions::frame::{Function, Returns, Value};

const REAL: Returns = Returns::Always(Type::Real);
const DYNAMIC: Returns = Returns::Always(Type::Dynamic);

pub const FUNCTIONS: &[Function] = &[
    Function::row("series_sum", 1, 1, REAL, |_, args| over(&args[0], |numbers| numbers.iter().sum())),
    Function::row("series_product", 1, 1, REAL, |_, args| over(&args[0], |numbers| numbers.iter().product())),
    Function::row("series_magnitude", 1, 1, REAL, |_, args| over(&args[0], |numbers| dot(numbers, numbers).sqrt())),
    Function::row("series_dot_product", 2, 2, REAL, |_, args| {
        Value::from_option(operands(args), |(left, right, length)| {
            let product = |place| Some(left.at(place).as_f64()? * right.at(place).as_f64()?);
            Value::Real((0..length).filter_map(product).sum())
        })
    }),
    Function::row_with_nulls("series_cosine_similarity", 2, 4, REAL, |_, args| {
        Value::from_option(cosine_similarity(args), Value::Real)
    }),
    Function::row("series_pearson_correlation", 2, 2, REAL, |_, args| {
        Value::from_option(correlation(args), Value::Real)
    }),
    Function::row("series_stats", 1, 2, DYNAMIC, |_, args| stats(args, false)),
    Function::row("series_stats_dynamic", 1, 2, DYNAMIC, |_, args| stats(args, true)),
];

fn over<'a>(series: &Value<'_>, compute: impl FnOnce(&[f64]) -> f64) -> Value<'a> {
    Value::from_option(reals(series), |numbers| {
        let known: Vec<f64> = numbers.into_iter().filter(|real| !real.is_nan()).collect();
        Value::Real(compute(&known))
    })
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// Two series of one length, without empty ones.
fn pair(args: &[Value<'_>]) -> Option<(Vec<f64>, Vec<f64>)> {
    let (left, right) = (reals(&args[0])?, reals(&args[1])?);
    (left.len() == right.len() && !left.is_empty()).then_some((left, right))
}

fn cosine_similarity(args: &[Value<'_>]) -> Option<f64> {
    let (left, right) = pair(args)?;
    let magnitude = |place: usize, series: &[f64]| {
        let given = args.get(place).and_then(Value::as_f64);
        given.unwrap_or_else(|| dot(series, series).sqrt())
    };
    Some(dot(&left, &right) / (magnitude(2, &left) * magnitude(3, &right)))
}

fn correlation(args: &[Value<'_>]) -> Option<f64> {
    let (left, right) = pair(args)?;
    let centred = |series: &[f64]| -> Vec<f64> {
        let mean = mean(series);
        series.iter().map(|number| number - mean).collect()
    };
    let (left, right) = (centred(&left), centred(&right));
    Some(dot(&left, &right) / (dot(&left, &left) * dot(&right, &right)).sqrt())
}

/// Extremes with their first places, mean, and the variance of a sample. A number that is not finite spoils the
/// result unless the second argument says to leave such numbers out.
fn stats<'a>(args: &[Value<'_>], with_totals: bool) -> Value<'a> {
    let Some(numbers) = reals(&args[0]) else {
        return Value::Null;
    };
    let ignore = args.get(1).and_then(Value::as_bool).unwrap_or(false);
    let known: Vec<(usize, f64)> =
        numbers.iter().copied().enumerate().filter(|(_, number)| number.is_finite()).collect();
    if known.is_empty() || (known.len() < numbers.len() && !ignore) {
        return Value::Null;
    }
    let values: Vec<f64> = known.iter().map(|(_, number)| *number).collect();
    let (mut least, mut most) = (known[0], known[0]);
    for found in &known {
        if found.1 < least.1 {
            least = *found;
        }
        if found.1 > most.1 {
            most = *found;
        }
    }
    let average = mean(&values);
    let squares: f64 = values.iter().map(|number| (number - average).powi(2)).sum();
    let variance = match values.len() {
        1 => 0.0,
        count => squares / (count - 1) as f64,
    };
    let mut entries = vec![
        ("min", real_tree(least.1)),
        ("min_idx", Tree::from(least.0)),
        ("max", real_tree(most.1)),
        ("max_idx", Tree::from(most.0)),
        ("avg", real_tree(average)),
        ("stdev", real_tree(variance.sqrt())),
        ("variance", real_tree(variance)),
    ];
    if with_totals {
        entries.push(("sum", real_tree(values.iter().sum())));
        entries.push(("len", Tree::from(numbers.len())));
    }
    bag(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic};

    #[test]
    fn series_have_sums_and_products() {
        let series = dynamic("[3,4,null]");
        check("series_sum", &[(vec![series.clone()], Value::Real(7.0))]);
        check("series_product", &[(vec![series.clone()], Value::Real(12.0))]);
        check("series_magnitude", &[(vec![series.clone()], Value::Real(5.0))]);
        check("series_dot_product", &[(vec![series, Value::Long(2)], Value::Real(14.0))]);
        check(
            "series_cosine_similarity",
            &[
                (vec![dynamic("[0.1,0.2,0.1,0.2]"), dynamic("[1,2,3,4]")], Value::Real(0.923_760_430_703_400_9)),
                (vec![dynamic("[1]"), dynamic("[1,2]")], Value::Null),
            ],
        );
        check("series_pearson_correlation", &[(vec![dynamic("[1,2,3]"), dynamic("[6,4,2]")], Value::Real(-1.0))]);
    }

    #[test]
    fn statistics_name_the_extremes_and_their_places() {
        check(
            "series_stats_dynamic",
            &[
                (
                    vec![dynamic("[2,4,4,4,5,5,7,9]")],
                    dynamic(concat!(
                        r#"{"min":2.0,"min_idx":0,"max":9.0,"max_idx":7,"avg":5.0,"stdev":2.138089935299395,"#,
                        r#""variance":4.571428571428571,"sum":40.0,"len":8}"#
                    )),
                ),
                (vec![dynamic("[1,null]")], Value::Null),
            ],
        );
        check(
            "series_stats",
            &[(
                vec![dynamic("[3,null,1]"), Value::Bool(true)],
                dynamic(concat!(
                    r#"{"min":1.0,"min_idx":2,"max":3.0,"max_idx":0,"avg":2.0,"stdev":1.4142135623730951,"#,
                    r#""variance":2.0}"#
                )),
            )],
        );
    }
}
