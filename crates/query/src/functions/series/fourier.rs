//! The discrete Fourier transform: radix 2 where the length is a power of two, Bluestein's way for all others.

use std::f64::consts::PI;

use watchkeeper_kql::Type;

use super::numbers::{bag, reals, reals_tree};
use crate::functions::frame::{Function, Returns, Value};

const DYNAMIC: Returns = Returns::Always(Type::Dynamic);

pub const FUNCTIONS: &[Function] = &[
    Function::row("series_fft", 1, 2, DYNAMIC, |_, args| transform(args, false)),
    Function::row("series_ifft", 1, 2, DYNAMIC, |_, args| transform(args, true)),
];

type Complex = (f64, f64);

fn multiply(left: Complex, right: Complex) -> Complex {
    (left.0 * right.0 - left.1 * right.1, left.0 * right.1 + left.1 * right.0)
}

fn turn(angle: f64) -> Complex {
    (angle.cos(), angle.sin())
}

fn transform<'a>(args: &[Value<'a>], inverse: bool) -> Value<'a> {
    let Some(real) = reals(&args[0]) else {
        return Value::Null;
    };
    let imaginary = match args.get(1) {
        Some(arg) => match reals(arg) {
            Some(imaginary) if imaginary.len() == real.len() => imaginary,
            _ => return Value::Null,
        },
        None => vec![0.0; real.len()],
    };
    let mut values: Vec<Complex> = real.into_iter().zip(imaginary).collect();
    fourier(&mut values, inverse);
    let (real, imaginary): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
    bag([("real", reals_tree(&real)), ("imag", reals_tree(&imaginary))])
}

/// The transform in place; the inverse is divided by the length.
pub fn fourier(values: &mut [Complex], inverse: bool) {
    let length = values.len();
    if length < 2 {
        return;
    }
    let sign = if inverse { 1.0 } else { -1.0 };
    if length.is_power_of_two() {
        radix_two(values, sign);
    } else {
        bluestein(values, sign);
    }
    if inverse {
        for value in values {
            value.0 /= length as f64;
            value.1 /= length as f64;
        }
    }
}

fn radix_two(values: &mut [Complex], sign: f64) {
    let length = values.len();
    let bits = length.trailing_zeros();
    for place in 0..length {
        let other = place.reverse_bits() >> (usize::BITS - bits);
        if other > place {
            values.swap(place, other);
        }
    }
    let mut half = 1;
    while half < length {
        for start in (0..length).step_by(2 * half) {
            for offset in 0..half {
                let by = turn(sign * PI * offset as f64 / half as f64);
                let upper = multiply(by, values[start + offset + half]);
                let lower = values[start + offset];
                values[start + offset] = (lower.0 + upper.0, lower.1 + upper.1);
                values[start + offset + half] = (lower.0 - upper.0, lower.1 - upper.1);
            }
        }
        half *= 2;
    }
}

/// As a convolution with a chirp, of a length that is a power of two.
fn bluestein(values: &mut [Complex], sign: f64) {
    let length = values.len();
    let chirp: Vec<Complex> = (0..length)
        .map(|place| {
            // the square is taken modulo the period, which keeps the angle exact
            let square = (place * place) % (2 * length);
            turn(sign * PI * square as f64 / length as f64)
        })
        .collect();
    let padded = (2 * length - 1).next_power_of_two();
    let mut left = vec![(0.0, 0.0); padded];
    let mut right = vec![(0.0, 0.0); padded];
    for place in 0..length {
        left[place] = multiply(values[place], chirp[place]);
        let back = (chirp[place].0, -chirp[place].1);
        right[place] = back;
        right[(padded - place) % padded] = back;
    }
    radix_two(&mut left, -1.0);
    radix_two(&mut right, -1.0);
    let mut product: Vec<Complex> = left.into_iter().zip(right).map(|(left, right)| multiply(left, right)).collect();
    radix_two(&mut product, 1.0);
    for (place, value) in values.iter_mut().enumerate() {
        let scaled = (product[place].0 / padded as f64, product[place].1 / padded as f64);
        *value = multiply(scaled, chirp[place]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_agrees_with_the_definition_and_comes_back() {
        for length in [1usize, 2, 3, 8, 12, 17] {
            let values: Vec<Complex> =
                (0..length).map(|place| ((place * place % 7) as f64, (place % 3) as f64)).collect();
            let mut got = values.clone();
            fourier(&mut got, false);
            for (frequency, got) in got.iter().enumerate() {
                let want = values.iter().enumerate().fold((0.0, 0.0), |sum, (place, value)| {
                    let angle = -2.0 * PI * (place * frequency) as f64 / length as f64;
                    let term = multiply(*value, turn(angle));
                    (sum.0 + term.0, sum.1 + term.1)
                });
                assert!((got.0 - want.0).abs() < 1e-9 && (got.1 - want.1).abs() < 1e-9, "{length}");
            }
            fourier(&mut got, true);
            for (got, want) in got.iter().zip(&values) {
                assert!((got.0 - want.0).abs() < 1e-9 && (got.1 - want.1).abs() < 1e-9, "{length}");
            }
        }
    }
}
