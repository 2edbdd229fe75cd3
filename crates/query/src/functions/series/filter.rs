//! Finite and infinite impulse response filters.

use watchkeeper_kql::Type;

use super::numbers::{reals, series};
use crate::functions::frame::{Call, Function, Returns, Value};

const DYNAMIC: Returns = Returns::Always(Type::Dynamic);

pub const FUNCTIONS: &[Function] =
    &[Function::row("series_fir", 2, 4, DYNAMIC, fir), Function::row("series_iir", 3, 3, DYNAMIC, iir)];

/// Items before and after the series count as zero.
fn fir<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let (Some(x), Some(filter)) = (reals(&args[0]), reals(&args[1])) else {
        return Value::Null;
    };
    let negative = filter.iter().any(|coefficient| *coefficient < 0.0);
    let normalize = args.get(2).and_then(Value::as_bool).unwrap_or(!negative);
    if normalize && negative {
        return Value::Null;
    }
    let ahead = if args.get(3).and_then(Value::as_bool).unwrap_or(false) { filter.len() / 2 } else { 0 };
    let sum: f64 = filter.iter().sum();
    let scale = if normalize { 1.0 / sum } else { 1.0 };
    let at = |place: usize| -> f64 {
        let terms = filter.iter().enumerate().filter_map(|(back, coefficient)| {
            let from = (place + ahead).checked_sub(back)?;
            Some(coefficient * scale * x.get(from)?)
        });
        terms.sum()
    };
    series(&(0..x.len()).map(at).collect::<Vec<f64>>())
}

fn iir<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let (Some(x), Some(numerators), Some(denominators)) = (reals(&args[0]), reals(&args[1]), reals(&args[2])) else {
        return Value::Null;
    };
    let Some(first) = denominators.first().filter(|first| **first != 0.0) else {
        return Value::Null;
    };
    let mut y: Vec<f64> = Vec::with_capacity(x.len());
    for place in 0..x.len() {
        let forward: f64 = numerators
            .iter()
            .take(place + 1)
            .enumerate()
            .map(|(back, coefficient)| coefficient * x[place - back])
            .sum();
        let feedback: f64 = denominators
            .iter()
            .take(place + 1)
            .enumerate()
            .skip(1)
            .map(|(back, coefficient)| coefficient * y[place - back])
            .sum();
        y.push((forward - feedback) / first);
    }
    series(&y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, dynamic};

    #[test]
    fn a_filter_is_normalized_unless_it_has_negative_coefficients() {
        let spike = dynamic("[0,0,3,0,0]");
        for (args, want) in [
            (vec![spike.clone(), dynamic("[1,1,1]")], "[0.0,0.0,1.0,1.0,1.0]"),
            (vec![spike.clone(), dynamic("[1,1,1]"), Value::Bool(true), Value::Bool(true)], "[0.0,1.0,1.0,1.0,0.0]"),
            (vec![spike.clone(), dynamic("[1,-1]")], "[0.0,0.0,3.0,-3.0,0.0]"),
            (vec![spike.clone(), dynamic("[1,1]"), Value::Bool(false)], "[0.0,0.0,3.0,3.0,0.0]"),
        ] {
            check("series_fir", &[(args, dynamic(want))]);
        }
        check("series_fir", &[(vec![spike, dynamic("[1,-1]"), Value::Bool(true)], Value::Null)]);
    }

    #[test]
    fn feedback_sums_up() {
        check(
            "series_iir",
            &[(vec![dynamic("[1,2,3,4]"), dynamic("[1]"), dynamic("[1,-1]")], dynamic("[1.0,3.0,6.0,10.0]"))],
        );
    }
}
