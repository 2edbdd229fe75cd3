//! Mathematical functions of reals, and random numbers.

pub mod beta;
pub mod bits;
pub mod round;
mod special;

use rand::Rng;
use watchkeeper_kql::Type;

use super::frame::{Function, Returns, Value};

macro_rules! of_real {
    ($name:literal, $compute:expr) => {
        Function::row($name, 1, 1, Returns::Always(Type::Real), |_, args| {
            let compute: fn(f64) -> f64 = $compute;
            Value::from_option(args[0].as_f64(), |number| Value::Real(compute(number)))
        })
    };
}

pub const FUNCTIONS: &[Function] = &[
    of_real!("sqrt", f64::sqrt),
    of_real!("exp", f64::exp),
    of_real!("exp2", f64::exp2),
    of_real!("exp10", |x| 10f64.powf(x)),
    of_real!("log", f64::ln),
    of_real!("log2", f64::log2),
    of_real!("log10", f64::log10),
    of_real!("sin", f64::sin),
    of_real!("cos", f64::cos),
    of_real!("tan", f64::tan),
    of_real!("cot", |x| 1.0 / x.tan()),
    of_real!("asin", f64::asin),
    of_real!("acos", f64::acos),
    of_real!("atan", f64::atan),
    of_real!("degrees", f64::to_degrees),
    of_real!("radians", f64::to_radians),
    of_real!("gamma", special::gamma),
    of_real!("loggamma", special::log_gamma),
    of_real!("erf", special::erf),
    of_real!("erfc", special::erfc),
    Function::row("pow", 2, 2, Returns::Always(Type::Real), |_, args| pair(args, f64::powf)),
    Function::row("atan2", 2, 2, Returns::Always(Type::Real), |_, args| pair(args, f64::atan2)),
    Function::row("pi", 0, 0, Returns::Always(Type::Real), |_, _| Value::Real(std::f64::consts::PI)),
    Function::row("isnan", 1, 1, Returns::Always(Type::Bool), |_, args| test(args, f64::is_nan)),
    Function::row("isinf", 1, 1, Returns::Always(Type::Bool), |_, args| test(args, f64::is_infinite)),
    Function::row("isfinite", 1, 1, Returns::Always(Type::Bool), |_, args| test(args, f64::is_finite)),
    Function::row("rand", 0, 1, Returns::Always(Type::Real), |_, args| rand(args)).volatile(),
    Function::row("new_guid", 0, 0, Returns::Always(Type::Guid), |_, _| {
        Value::Guid(uuid::Uuid::new_v4().to_string().into())
    })
    .volatile(),
];

fn pair<'a>(args: &[Value<'a>], compute: fn(f64, f64) -> f64) -> Value<'a> {
    Value::from_option(args[0].as_f64().zip(args[1].as_f64()), |(left, right)| Value::Real(compute(left, right)))
}

fn test<'a>(args: &[Value<'a>], accept: fn(f64) -> bool) -> Value<'a> {
    Value::from_option(args[0].as_f64(), |number| Value::Bool(accept(number)))
}

/// `rand()` lies in [0, 1); `rand(n)` is one of 0, 1, … n-1.
fn rand<'a>(args: &[Value<'a>]) -> Value<'a> {
    match args.first().and_then(Value::as_i64) {
        Some(bound) if bound > 1 => Value::Real(rand::rng().random_range(0..bound) as f64),
        _ => Value::Real(rand::rng().random()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{check, run};

    #[test]
    fn reals_are_computed_and_nan_is_a_value() {
        check("pow", &[(vec![Value::Long(2), Value::Long(3)], Value::Real(8.0))]);
        check("sqrt", &[(vec![Value::Real(-1.0)], Value::Real(f64::NAN))]);
        check("isnan", &[(vec![Value::Real(f64::NAN)], Value::Bool(true))]);
        check("atan2", &[(vec![Value::Long(1), Value::Long(1)], Value::Real(std::f64::consts::FRAC_PI_4))]);
    }

    #[test]
    fn random_numbers_stay_in_their_range() {
        for _ in 0..100 {
            let number = run("rand", &[Type::Long], &[Value::Long(3)], false).as_f64().unwrap();
            assert!([0.0, 1.0, 2.0].contains(&number));
            assert!((0.0..1.0).contains(&run("rand", &[], &[], false).as_f64().unwrap()));
        }
    }
}
