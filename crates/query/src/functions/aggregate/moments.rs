//! Standard deviation, variance and covariance, by Welford's method with Chan's merge.

use watchkeeper_kql::Type;

use super::state::{Reader, State, put_f64};
use super::{Aggregate, Output};
use crate::functions::frame::value::Value;

macro_rules! moment {
    ($name:literal, $arguments:literal, $sample:literal, $root:literal) => {
        Aggregate {
            name: $name,
            least: $arguments,
            most: $arguments,
            output: |_| Some(Output::One(Type::Real)),
            state: |_| Box::new(Moments { sample: $sample, root: $root, ..Moments::default() }),
            fast: None,
        }
    };
}

pub const AGGREGATES: &[Aggregate] = &[
    moment!("stdev", 1, true, true),
    moment!("stdevp", 1, false, true),
    moment!("variance", 1, true, false),
    moment!("variancep", 1, false, false),
    moment!("covariance", 2, true, false),
    moment!("covariancep", 2, false, false),
];

#[derive(Debug, Default)]
struct Moments {
    sample: bool,
    root: bool,
    count: f64,
    mean_x: f64,
    mean_y: f64,
    /// Sum of the products of the distances from the means.
    products: f64,
}

impl State for Moments {
    fn update(&mut self, row: &[Value<'_>]) {
        let (Some(x), Some(y)) = (row[0].as_f64(), row.get(1).unwrap_or(&row[0]).as_f64()) else {
            return;
        };
        self.count += 1.0;
        let distance = x - self.mean_x;
        self.mean_x += distance / self.count;
        self.mean_y += (y - self.mean_y) / self.count;
        self.products += distance * (y - self.mean_y);
    }

    fn save(&self, out: &mut Vec<u8>) {
        for number in [self.count, self.mean_x, self.mean_y, self.products] {
            put_f64(out, number);
        }
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        let (count, mean_x, mean_y, products) = (saved.f64()?, saved.f64()?, saved.f64()?, saved.f64()?);
        if count == 0.0 {
            return Some(());
        }
        let total = self.count + count;
        let (distance_x, distance_y) = (mean_x - self.mean_x, mean_y - self.mean_y);
        self.products += products + distance_x * distance_y * self.count * count / total;
        self.mean_x += distance_x * count / total;
        self.mean_y += distance_y * count / total;
        self.count = total;
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        let result = match (self.count, self.sample) {
            (0.0, _) => f64::NAN,
            (1.0, true) => 0.0,
            (count, true) => self.products / (count - 1.0),
            (count, false) => self.products / count,
        };
        vec![Value::Real(if self.root { result.sqrt() } else { result })]
    }

    fn size(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{longs, run};
    use super::*;
    use datafusion::common::ScalarValue;

    fn close(value: ScalarValue, want: f64) {
        let ScalarValue::Float64(Some(got)) = value else { panic!("{value:?}") };
        assert!((got - want).abs() < 1e-9, "{got} {want}");
    }

    #[test]
    fn spreads_are_of_the_sample_or_the_population() {
        let rows = longs(&[1, 2, 3, 4]);
        close(run("variancep", &[Type::Long], &rows), 1.25);
        close(run("variance", &[Type::Long], &rows), 5.0 / 3.0);
        close(run("stdevp", &[Type::Long], &rows), 1.25f64.sqrt());
        let pairs: Vec<Vec<Value<'static>>> = [(1.0, 14.0), (2.0, 10.0), (3.0, 17.0), (4.0, 20.0)]
            .iter()
            .map(|(x, y)| vec![Value::Real(*x), Value::Real(*y)])
            .collect();
        close(run("covariancep", &[Type::Real, Type::Real], &pairs), 3.125);
    }
}
