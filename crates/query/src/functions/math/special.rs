//! Gamma and error functions.

use std::f64::consts::PI;

/// Lanczos coefficients for g = 7.
const LANCZOS: [f64; 9] = [
    0.999_999_999_999_809_9,
    676.520_368_121_885_1,
    -1_259.139_216_722_402_8,
    771.323_428_777_653_1,
    -176.615_029_162_140_6,
    12.507_343_278_686_905,
    -0.138_571_095_265_720_12,
    9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

fn lanczos(x: f64) -> (f64, f64) {
    let mut sum = LANCZOS[0];
    for (place, coefficient) in LANCZOS.iter().enumerate().skip(1) {
        sum += coefficient / (x + place as f64);
    }
    (sum, x + 7.5)
}

pub fn gamma(x: f64) -> f64 {
    if x < 0.5 {
        return PI / ((PI * x).sin() * gamma(1.0 - x));
    }
    let x = x - 1.0;
    let (sum, t) = lanczos(x);
    (2.0 * PI).sqrt() * t.powf(x + 0.5) * (-t).exp() * sum
}

pub fn log_gamma(x: f64) -> f64 {
    if x < 0.5 {
        return (PI / (PI * x).sin()).abs().ln() - log_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let (sum, t) = lanczos(x);
    0.5 * (2.0 * PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// By its series near zero, by the continued fraction of the complement further out.
pub fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x.abs() > 2.5 {
        return x.signum() * (1.0 - complement(x.abs()));
    }
    let mut term = x;
    let mut sum = x;
    let mut n = 0.0;
    while term.abs() > 1e-17 * sum.abs() && n < 200.0 {
        n += 1.0;
        term *= -x * x / n;
        sum += term / (2.0 * n + 1.0);
    }
    2.0 / PI.sqrt() * sum
}

pub fn erfc(x: f64) -> f64 {
    if x > 2.5 { complement(x) } else { 1.0 - erf(x) }
}

fn complement(x: f64) -> f64 {
    let mut fraction = 0.0;
    for n in (1..=120).rev() {
        fraction = f64::from(n) / 2.0 / (x + fraction);
    }
    (-x * x).exp() / PI.sqrt() / (x + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_are_met() {
        for (got, want) in [
            (gamma(5.0), 24.0),
            (gamma(0.5), PI.sqrt()),
            (log_gamma(10.0), 362_880f64.ln()),
            (erf(1.0), 0.842_700_792_949_714_9),
            (erf(-3.0), -0.999_977_909_503_001_4),
            (erfc(3.0), 2.209_049_699_858_544e-5),
        ] {
            assert!((got - want).abs() <= 1e-12 * want.abs(), "{got} {want}");
        }
    }
}
