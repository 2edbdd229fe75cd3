//! Operations on the bits of longs.

use watchkeeper_kql::Type;

use crate::functions::frame::{Function, Returns, Value};

macro_rules! of_bits {
    ($name:literal, $compute:expr) => {
        Function::row($name, 2, 2, Returns::Always(Type::Long), |_, args| {
            let compute: fn(i64, i64) -> i64 = $compute;
            Value::from_option(args[0].as_i64().zip(args[1].as_i64()), |(left, right)| {
                Value::Long(compute(left, right))
            })
        })
    };
}

pub const FUNCTIONS: &[Function] = &[
    of_bits!("binary_and", |left, right| left & right),
    of_bits!("binary_or", |left, right| left | right),
    of_bits!("binary_xor", |left, right| left ^ right),
    of_bits!("binary_shift_left", |value, count| value.wrapping_shl(count.rem_euclid(64) as u32)),
    of_bits!("binary_shift_right", |value, count| value.wrapping_shr(count.rem_euclid(64) as u32)),
    Function::row("binary_not", 1, 1, Returns::Always(Type::Long), |_, args| {
        Value::from_option(args[0].as_i64(), |value| Value::Long(!value))
    }),
    Function::row("bitset_count_ones", 1, 1, Returns::Always(Type::Long), |_, args| {
        Value::from_option(args[0].as_i64(), |value| Value::Long(i64::from(value.count_ones())))
    }),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::check;

    #[test]
    fn shifts_wrap_at_64() {
        check("binary_shift_left", &[(vec![Value::Long(1), Value::Long(65)], Value::Long(2))]);
        check("binary_xor", &[(vec![Value::Long(6), Value::Long(3)], Value::Long(5))]);
        check("bitset_count_ones", &[(vec![Value::Long(42)], Value::Long(3))]);
    }
}
