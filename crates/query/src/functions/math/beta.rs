//! The beta distribution, and Welch's test that stands on it.

use watchkeeper_kql::Type;

use super::special::log_gamma;
use crate::functions::frame::{Function, Returns, Value};

const REAL: Returns = Returns::Always(Type::Real);

pub const FUNCTIONS: &[Function] =
    &[
        Function::row("beta_cdf", 3, 3, REAL, |_, args| {
            of_three(args, |x, a, b| {
                if (0.0..=1.0).contains(&x) && a > 0.0 && b > 0.0 { Some(cdf(x, a, b)) } else { Some(f64::NAN) }
            })
        }),
        Function::row("beta_pdf", 3, 3, REAL, |_, args| {
            of_three(args, |x, a, b| {
                if (0.0..=1.0).contains(&x) && a > 0.0 && b > 0.0 { Some(pdf(x, a, b)) } else { Some(f64::NAN) }
            })
        }),
        Function::row("beta_inv", 3, 3, REAL, |_, args| {
            of_three(args, |p, a, b| {
                if a <= 0.0 || b <= 0.0 { Some(f64::NAN) } else { (0.0..=1.0).contains(&p).then(|| inverse(p, a, b)) }
            })
        }),
        Function::row("welch_test", 6, 6, REAL, |_, args| Value::from_option(welch(args), Value::Real)),
    ];

fn of_three<'a>(args: &[Value<'a>], compute: impl Fn(f64, f64, f64) -> Option<f64>) -> Value<'a> {
    let result = || compute(args[0].as_f64()?, args[1].as_f64()?, args[2].as_f64()?);
    Value::from_option(result(), Value::Real)
}

fn log_beta(a: f64, b: f64) -> f64 {
    log_gamma(a) + log_gamma(b) - log_gamma(a + b)
}

fn pdf(x: f64, a: f64, b: f64) -> f64 {
    x.powf(a - 1.0) * (1.0 - x).powf(b - 1.0) * (-log_beta(a, b)).exp()
}

/// The regularized incomplete beta function, by its continued fraction (Lentz's way).
pub fn cdf(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - cdf(1.0 - x, b, a);
    }
    let front = (a * x.ln() + b * (1.0 - x).ln() - log_beta(a, b)).exp() / a;
    let small = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut d = 1.0 / small(1.0 - (a + b) * x / (a + 1.0));
    let mut c = 1.0;
    let mut fraction = d;
    for step in 1..=500 {
        let m = f64::from(step);
        for numerator in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / small(1.0 + numerator * d);
            c = small(1.0 + numerator / c);
            fraction *= d * c;
        }
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front * fraction
}

/// By halving: the distribution function only grows.
fn inverse(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if cdf(middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// The two-sided probability that the means are equal: mean, variance and count of both samples.
fn welch(args: &[Value<'_>]) -> Option<f64> {
    let numbers: Vec<f64> = args.iter().map(Value::as_f64).collect::<Option<_>>()?;
    let [mean1, variance1, count1, mean2, variance2, count2] = numbers[..] else {
        return None;
    };
    if variance1 < 0.0 || variance2 < 0.0 || count1 < 2.0 || count2 < 2.0 {
        return None;
    }
    let (share1, share2) = (variance1 / count1, variance2 / count2);
    let error = share1 + share2;
    if error == 0.0 {
        return Some(if mean1 == mean2 { 1.0 } else { 0.0 });
    }
    let t = (mean1 - mean2) / error.sqrt();
    let freedom = error * error / (share1 * share1 / (count1 - 1.0) + share2 * share2 / (count2 - 1.0));
    Some(cdf(freedom / (freedom + t * t), freedom / 2.0, 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, run};

    fn reals(numbers: &[f64]) -> Vec<Value<'static>> {
        numbers.iter().map(|number| Value::Real(*number)).collect()
    }

    #[test]
    fn the_distribution_meets_known_values() {
        for (name, args, want) in [
            ("beta_cdf", [0.9, 10.0, 20.0], 0.999_999_999_999_959),
            ("beta_pdf", [0.5, 10.0, 20.0], 0.746_176_019_310_951),
            ("beta_inv", [0.1, 10.0, 20.0], 0.226_415_022_388_749),
        ] {
            let got = run(name, &[Type::Real; 3], &reals(&args), false).as_f64().unwrap();
            assert!((got - want).abs() < 1e-9, "{name}: {got}");
        }
        for (name, args, want) in [
            ("beta_cdf", [1.5, 10.0, 20.0], Value::Real(f64::NAN)),
            ("beta_inv", [1.5, 10.0, 20.0], Value::Null),
            ("beta_inv", [0.1, -1.0, 20.0], Value::Real(f64::NAN)),
        ] {
            check(name, &[(reals(&args), want)]);
        }
    }

    #[test]
    fn welch_gives_a_probability() {
        let far = run("welch_test", &[Type::Real; 6], &reals(&[1.0, 1.0, 30.0, 9.0, 1.0, 30.0]), true);
        assert!(far.as_f64().unwrap() < 1e-9);
        // Student's t with 10 degrees of freedom at 2.228139 leaves 5 %
        let t = 2.228_138_851_964_939 * (2.0f64 / 6.0).sqrt();
        let half = run("welch_test", &[Type::Real; 6], &reals(&[t, 1.0, 6.0, 0.0, 1.0, 6.0]), true);
        assert!((half.as_f64().unwrap() - 0.05).abs() < 1e-9, "{half:?}");
    }
}
