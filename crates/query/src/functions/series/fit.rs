//! Fitting one line, two lines or a polynomial to a series by least squares.

use serde_json::Value as Tree;
use watchkeeper_kql::Type;

use super::numbers::{bag, mean, real_tree, reals, reals_tree};
use crate::functions::frame::{Call, Function, Returns, Value};

const DYNAMIC: Returns = Returns::Always(Type::Dynamic);
/// The highest degree of a polynomial.
const DEGREE_MOST: i64 = 20;

pub const FUNCTIONS: &[Function] = &[
    Function::row("series_fit_line", 1, 1, DYNAMIC, |_, args| fit_line(args)),
    Function::row("series_fit_line_dynamic", 1, 1, DYNAMIC, |_, args| fit_line(args)),
    Function::row("series_fit_2lines", 1, 1, DYNAMIC, |_, args| two_lines(args, false)),
    Function::row("series_fit_2lines_dynamic", 1, 1, DYNAMIC, |_, args| two_lines(args, true)),
    Function::row("series_fit_poly", 1, 3, DYNAMIC, fit_poly),
];

/// A fitted line with the variances of samples.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    pub slope: f64,
    pub interception: f64,
    rsquare: f64,
    variance: f64,
    rvariance: f64,
    /// The squared distances that are left.
    residual: f64,
}

impl Line {
    pub fn at(&self, place: f64) -> f64 {
        self.interception + self.slope * place
    }
}

fn per_sample(squares: f64, count: usize) -> f64 {
    if count < 2 { 0.0 } else { squares / (count - 1) as f64 }
}

fn rsquare(residual: f64, total: f64) -> f64 {
    if total == 0.0 {
        return 1.0;
    }
    1.0 - residual / total
}

/// The line through the points at `first`, `first` + 1, …; missing numbers (NaN) are left out.
pub fn line(y: &[f64], first: usize) -> Option<Line> {
    let points: Vec<(f64, f64)> =
        y.iter().enumerate().filter(|(_, y)| y.is_finite()).map(|(place, y)| ((first + place) as f64, *y)).collect();
    if points.is_empty() {
        return None;
    }
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let (mut xx, mut xy, mut total) = (0.0, 0.0, 0.0);
    for (x, y) in &points {
        xx += (x - mean_x).powi(2);
        xy += (x - mean_x) * (y - mean_y);
        total += (y - mean_y).powi(2);
    }
    let slope = if xx == 0.0 { 0.0 } else { xy / xx };
    let interception = mean_y - slope * mean_x;
    let residual = points.iter().map(|(x, y)| (y - interception - slope * x).powi(2)).sum();
    Some(Line {
        slope,
        interception,
        rsquare: rsquare(residual, total),
        variance: per_sample(total, points.len()),
        rvariance: per_sample(residual, points.len()),
        residual,
    })
}

fn fit_line<'a>(args: &[Value<'_>]) -> Value<'a> {
    let fit = reals(&args[0]).and_then(|y| Some((line(&y, 0)?, y.len())));
    Value::from_option(fit, |(line, length)| {
        let fitted: Vec<f64> = (0..length).map(|place| line.at(place as f64)).collect();
        bag([
            ("rsquare", real_tree(line.rsquare)),
            ("slope", real_tree(line.slope)),
            ("variance", real_tree(line.variance)),
            ("rvariance", real_tree(line.rvariance)),
            // the reference counts the places from one here
            ("interception", real_tree(line.at(-1.0))),
            ("line_fit", reals_tree(&fitted)),
        ])
    })
}

/// Sums of x, y, xx, xy and yy up to each place, from which the residual of any part follows at once.
struct Sums(Vec<[f64; 6]>);

impl Sums {
    fn of(y: &[f64]) -> Sums {
        let mut sums = vec![[0.0; 6]];
        let mut at = [0.0; 6];
        for (place, y) in y.iter().enumerate() {
            if y.is_finite() {
                let x = place as f64;
                for (sum, term) in at.iter_mut().zip([1.0, x, *y, x * x, x * y, y * y]) {
                    *sum += term;
                }
            }
            sums.push(at);
        }
        Sums(sums)
    }

    fn residual(&self, from: usize, to: usize) -> f64 {
        let part: Vec<f64> = (0..6).map(|of| self.0[to][of] - self.0[from][of]).collect();
        let count = part[0];
        if count < 1.0 {
            return 0.0;
        }
        let xx = part[3] - part[1] * part[1] / count;
        let xy = part[4] - part[1] * part[2] / count;
        let yy = part[5] - part[2] * part[2] / count;
        let explained = if xx > 0.0 { xy * xy / xx } else { 0.0 };
        (yy - explained).max(0.0)
    }
}

/// The split that leaves the least distance; both parts have at least two points.
fn two_lines<'a>(args: &[Value<'_>], nested: bool) -> Value<'a> {
    let Some(mut y) = reals(&args[0]) else {
        return Value::Null;
    };
    let middle = mean(&y.iter().copied().filter(|y| y.is_finite()).collect::<Vec<f64>>());
    let length = y.len();
    if length < 4 {
        return Value::Null;
    }
    // centred, so that the sums stay small
    y.iter_mut().for_each(|y| *y -= middle);
    let sums = Sums::of(&y);
    let split = (2..=length - 2).min_by(|left, right| {
        let cost = |at: usize| sums.residual(0, at) + sums.residual(at, length);
        cost(*left).total_cmp(&cost(*right))
    });
    y.iter_mut().for_each(|y| *y += middle);
    let fit = split.and_then(|split| {
        let (left, right) = (line(&y[..split], 0)?, line(&y[split..], split)?);
        Some((split, line(&y, 0)?, left, right))
    });
    let Some((split, whole, left, right)) = fit else {
        return Value::Null;
    };
    let points = y.iter().filter(|y| y.is_finite()).count();
    let residual = left.residual + right.residual;
    let total = whole.variance * points.saturating_sub(1) as f64;
    let fitted: Vec<f64> = (0..length).map(|place| if place < split { left } else { right }.at(place as f64)).collect();
    let mut entries = vec![
        ("rsquare", real_tree(rsquare(residual, total))),
        ("split_idx", Tree::from(split)),
        ("variance", real_tree(whole.variance)),
        ("rvariance", real_tree(per_sample(residual, points))),
        ("line_fit", reals_tree(&fitted)),
    ];
    // the interception of the right line counts from the split
    let start = right.at(split as f64);
    if nested {
        let side = |line: Line, interception: f64| {
            serde_json::json!({
                "rsquare": real_tree(line.rsquare), "slope": real_tree(line.slope),
                "interception": real_tree(interception), "variance": real_tree(line.variance),
                "rvariance": real_tree(line.rvariance),
            })
        };
        entries.push(("right", side(right, start)));
        entries.push(("left", side(left, left.interception)));
    } else {
        entries.extend([
            ("right_rsquare", real_tree(right.rsquare)),
            ("right_slope", real_tree(right.slope)),
            ("right_interception", real_tree(start)),
            ("right_variance", real_tree(right.variance)),
            ("right_rvariance", real_tree(right.rvariance)),
            ("left_rsquare", real_tree(left.rsquare)),
            ("left_slope", real_tree(left.slope)),
            ("left_interception", real_tree(left.interception)),
            ("left_variance", real_tree(left.variance)),
            ("left_rvariance", real_tree(left.rvariance)),
        ]);
    }
    bag(entries)
}

/// `series_fit_poly(y, [x], [degree])`; the coefficients start with that of the highest power.
fn fit_poly<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let Some(y) = reals(&args[0]) else {
        return Value::Null;
    };
    let given_x = args.get(1).and_then(reals);
    let degree = match (&given_x, args.get(1), args.get(2)) {
        (_, _, Some(degree)) => degree.as_i64(),
        (None, Some(degree), None) => degree.as_i64(),
        _ => Some(1),
    };
    let Some(degree) = degree.filter(|degree| (1..=DEGREE_MOST).contains(degree)) else {
        return Value::Null;
    };
    let x = given_x.unwrap_or_else(|| (0..y.len()).map(|place| place as f64).collect());
    if x.len() != y.len() || x.len() <= degree as usize {
        return Value::Null;
    }
    let Some(coefficients) = polynomial(&x, &y, degree as usize) else {
        return Value::Null;
    };
    let fitted: Vec<f64> = x.iter().map(|x| coefficients.iter().fold(0.0, |sum, by| sum * x + by)).collect();
    let middle = mean(&y);
    let total: f64 = y.iter().map(|y| (y - middle).powi(2)).sum();
    let residual: f64 = y.iter().zip(&fitted).map(|(y, fit)| (y - fit).powi(2)).sum();
    bag([
        ("rsquare", real_tree(rsquare(residual, total))),
        ("coefficients", reals_tree(&coefficients)),
        ("variance", real_tree(per_sample(total, y.len()))),
        ("rvariance", real_tree(per_sample(residual, y.len()))),
        ("poly_fit", reals_tree(&fitted)),
    ])
}

/// By Householder's QR of the powers of x scaled to 1, highest power first in the result.
fn polynomial(x: &[f64], y: &[f64], degree: usize) -> Option<Vec<f64>> {
    let scale = x.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    if scale == 0.0 || !scale.is_finite() || y.iter().any(|y| !y.is_finite()) {
        return None;
    }
    let columns = degree + 1;
    let mut rows: Vec<Vec<f64>> = x
        .iter()
        .zip(y)
        .map(|(x, y)| {
            let mut row: Vec<f64> = (0..columns).map(|power| (x / scale).powi((degree - power) as i32)).collect();
            row.push(*y);
            row
        })
        .collect();
    for column in 0..columns {
        let norm = rows[column..].iter().map(|row| row[column] * row[column]).sum::<f64>().sqrt();
        if norm < 1e-13 {
            return None;
        }
        let norm = if rows[column][column] > 0.0 { -norm } else { norm };
        let mut reflector: Vec<f64> = rows[column..].iter().map(|row| row[column]).collect();
        reflector[0] -= norm;
        let length: f64 = reflector.iter().map(|part| part * part).sum();
        for target in column..=columns {
            let along: f64 = reflector.iter().zip(&rows[column..]).map(|(part, row)| part * row[target]).sum();
            for (part, row) in reflector.iter().zip(&mut rows[column..]) {
                row[target] -= 2.0 * along / length * part;
            }
        }
    }
    let mut coefficients = vec![0.0; columns];
    for column in (0..columns).rev() {
        let known: f64 = (column + 1..columns).map(|other| rows[column][other] * coefficients[other]).sum();
        coefficients[column] = (rows[column][columns] - known) / rows[column][column];
    }
    for (place, coefficient) in coefficients.iter_mut().enumerate() {
        *coefficient /= scale.powi((degree - place) as i32);
    }
    Some(coefficients)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::frame::json::tree_of;
    use crate::functions::testing::{dynamic, run};

    fn fit(name: &str, args: &[Value<'static>]) -> Tree {
        let types: Vec<Type> = args.iter().map(crate::functions::testing::type_of).collect();
        tree_of(&run(name, &types, args, false))
    }

    fn near(tree: &Tree, want: f64) {
        let got = tree.as_f64().unwrap();
        assert!((got - want).abs() < 5e-4 * want.abs().max(1.0), "{got} {want}");
    }

    #[test]
    fn a_line_is_fitted() {
        let got = fit("series_fit_line", &[dynamic("[2,5,6,8,11,15,17,18,25,26,30,30]")]);
        for (name, want) in [
            ("rsquare", 0.9829),
            ("slope", 2.730),
            ("variance", 98.628),
            ("rvariance", 1.686),
            ("interception", -1.666),
        ] {
            near(&got[name], want);
        }
        near(&got["line_fit"][10], 28.371);
    }

    #[test]
    fn two_lines_meet_where_the_trend_changes() {
        let got = fit("series_fit_2lines", &[dynamic("[0,1,2,3,4,20,18,16,14]")]);
        assert_eq!(got["split_idx"], Tree::from(5));
        near(&got["rsquare"], 1.0);
        near(&got["left_slope"], 1.0);
        near(&got["right_slope"], -2.0);
        near(&got["right_interception"], 20.0);
        let nested = fit("series_fit_2lines_dynamic", &[dynamic("[0,1,2,3,4,20,18,16,14]")]);
        near(&nested["right"]["slope"], -2.0);
    }

    #[test]
    fn a_polynomial_is_found_again() {
        let got = fit("series_fit_poly", &[dynamic("[3,4,9,18,31]"), Value::Long(2)]);
        for (place, want) in [2.0, -1.0, 3.0].into_iter().enumerate() {
            near(&got["coefficients"][place], want);
        }
        near(&got["rsquare"], 1.0);
        let got = fit("series_fit_poly", &[dynamic("[1,5,9]"), dynamic("[0,2,4]")]);
        near(&got["coefficients"][0], 2.0);
    }
}
