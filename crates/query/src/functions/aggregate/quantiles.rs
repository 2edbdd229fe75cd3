//! Percentiles by nearest rank: exact while the values are few, then over centroids of at most 1/8192 of the weight.

use watchkeeper_kql::Type;

use super::state::{Reader, State, put_i64};
use super::{Aggregate, Output};
use crate::functions::frame::value::Value;
use crate::functions::frame::{Function, Returns, json};

/// Values that a state keeps before it joins neighbours.
const EXACT: usize = 65_536;
/// Parts of the weight that a centroid may have after joining.
const CENTROIDS: i64 = 8192;

macro_rules! quantile {
    ($name:literal, $least:expr, $most:expr, $output:expr, $weighted:literal, $result:expr) => {
        Aggregate {
            name: $name,
            least: $least,
            most: $most,
            output: $output,
            state: |types| Box::new(Quantiles::new(types[0], $weighted, $result)),
            fast: None,
        }
    };
}

pub const AGGREGATES: &[Aggregate] = &[
    quantile!("percentile", 2, 2, |types| Some(Output::One(value_type(types[0]))), false, Result::Columns),
    quantile!("percentilew", 3, 3, |types| Some(Output::One(value_type(types[0]))), true, Result::Columns),
    quantile!(
        "percentiles",
        2,
        usize::MAX,
        |types| Some(Output::Many(vec![value_type(types[0]); types.len() - 1])),
        false,
        Result::Columns
    ),
    quantile!(
        "percentilesw",
        3,
        usize::MAX,
        |types| Some(Output::Many(vec![value_type(types[0]); types.len() - 2])),
        true,
        Result::Columns
    ),
    quantile!("percentiles_array", 2, usize::MAX, |_| Some(Output::One(Type::Dynamic)), false, Result::Array),
    quantile!("percentilesw_array", 3, usize::MAX, |_| Some(Output::One(Type::Dynamic)), true, Result::Array),
    Aggregate {
        name: "tdigest",
        least: 1,
        most: 2,
        output: |_| Some(Output::One(Type::Dynamic)),
        state: |types| Box::new(Quantiles::new(types[0], types.len() > 1, Result::Digest)),
        fast: None,
    },
    Aggregate {
        name: "tdigest_merge",
        least: 1,
        most: 1,
        output: |_| Some(Output::One(Type::Dynamic)),
        state: |_| Box::new(Quantiles::new(Type::Dynamic, false, Result::Merged)),
        fast: None,
    },
];

pub const PERCENTILE_TDIGEST: Function =
    Function::row("percentile_tdigest", 2, 3, Returns::Always(Type::Dynamic), |_, args| {
        let value = || Digest::from_json(args[0].text())?.percentile(args[1].as_f64()?);
        match value() {
            Some(value) => Value::Dynamic(json::encode(&value).into()),
            None => Value::Null,
        }
    });

pub const PERCENTILES_ARRAY_TDIGEST: Function =
    Function::row("percentiles_array_tdigest", 2, usize::MAX, Returns::Always(Type::Dynamic), |_, args| {
        match Digest::from_json(args[0].text()) {
            Some(mut digest) => digest.array(&percents(&args[1..])),
            None => Value::Null,
        }
    });

pub const RANK_TDIGEST: Function = Function::row("rank_tdigest", 2, 2, Returns::Always(Type::Real), |_, args| {
    let rank = || {
        let digest = Digest::from_json(args[0].text())?;
        let key = digest.key(&args[1])?;
        Some(digest.points.iter().filter(|(point, _)| *point < key).map(|(_, weight)| *weight).sum::<i64>() as f64)
    };
    Value::from_option(rank(), Value::Real)
});

pub const TDIGEST_MERGE: Function =
    Function::row_with_nulls("tdigest_merge", 1, usize::MAX, Returns::Always(Type::Dynamic), |_, args| {
        let mut merged: Option<Digest> = None;
        for digest in args.iter().filter_map(|value| Digest::from_json(value.text())) {
            match &mut merged {
                Some(merged) => merged.points.extend(digest.points),
                None => merged = Some(digest),
            }
        }
        merged.map_or(Value::Null, |digest| Value::Dynamic(digest.into_json().into()))
    });

fn value_type(ty: Type) -> Type {
    match ty {
        Type::Int | Type::Long | Type::Datetime | Type::Timespan => ty,
        _ => Type::Real,
    }
}

/// The percents among arguments, arrays taken apart.
fn percents(args: &[Value<'_>]) -> Vec<f64> {
    let mut percents = Vec::new();
    for arg in args {
        match json::array_of(arg) {
            Some(items) => percents.extend(items.iter().filter_map(serde_json::Value::as_f64)),
            None => percents.extend(arg.as_f64()),
        }
    }
    percents
}

/// Reals as integers of the same order.
fn order_of(real: f64) -> i64 {
    let bits = real.to_bits() as i64;
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

fn real_of(order: i64) -> f64 {
    f64::from_bits(if order < 0 { order ^ i64::MAX } else { order } as u64)
}

/// Weighted values of one type.
#[derive(Debug, Clone)]
struct Digest {
    ty: Type,
    points: Vec<(i64, i64)>,
}

impl Digest {
    fn key(&self, value: &Value<'_>) -> Option<i64> {
        if self.ty == Type::Real { value.as_f64().filter(|real| !real.is_nan()).map(order_of) } else { value.as_i64() }
    }

    fn value<'a>(&self, key: i64) -> Value<'a> {
        match self.ty {
            Type::Real => Value::Real(real_of(key)),
            Type::Datetime => Value::Datetime(key),
            Type::Timespan => Value::Timespan(key),
            Type::Int => Value::from_option(i32::try_from(key).ok(), Value::Int),
            _ => Value::Long(key),
        }
    }

    fn push(&mut self, key: i64, weight: i64) {
        self.points.push((key, weight));
        if self.points.len() >= EXACT {
            self.join();
        }
    }

    /// Joins neighbours; a centroid keeps its greatest value.
    fn join(&mut self) {
        self.points.sort_unstable();
        let total: i64 = self.points.iter().map(|(_, weight)| *weight).sum();
        let most = total / CENTROIDS;
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (key, weight) in self.points.drain(..) {
            match joined.last_mut() {
                Some(last) if last.0 == key || last.1 + weight <= most => *last = (key, last.1 + weight),
                _ => joined.push((key, weight)),
            }
        }
        self.points = joined;
    }

    /// The least value that at least this percentage of the weight does not exceed.
    fn percentile<'a>(&mut self, percent: f64) -> Option<Value<'a>> {
        self.points.sort_unstable();
        let total: i64 = self.points.iter().map(|(_, weight)| *weight).sum();
        let wanted = total as f64 * percent / 100.0;
        let mut reached = 0;
        for (key, weight) in &self.points {
            reached += weight;
            if reached as f64 >= wanted - 1e-9 && reached > 0 {
                return Some(self.value(*key));
            }
        }
        self.points.last().map(|(key, _)| self.value(*key))
    }

    fn array<'a>(&mut self, percents: &[f64]) -> Value<'a> {
        if self.points.is_empty() {
            return Value::Null;
        }
        let items: Vec<String> = percents
            .iter()
            .map(|percent| self.percentile(*percent).map_or_else(|| "null".to_owned(), |value| json::encode(&value)))
            .collect();
        Value::Dynamic(format!("[{}]", items.join(",")).into())
    }

    /// `["tdigest", "type", [keys], [weights]]`.
    fn into_json(mut self) -> String {
        self.join();
        let keys: Vec<String> = self.points.iter().map(|(key, _)| key.to_string()).collect();
        let weights: Vec<String> = self.points.iter().map(|(_, weight)| weight.to_string()).collect();
        format!("[\"tdigest\",\"{}\",[{}],[{}]]", self.ty.name(), keys.join(","), weights.join(","))
    }

    fn from_json(text: &str) -> Option<Digest> {
        let (kind, name, keys, weights): (String, String, Vec<i64>, Vec<i64>) = serde_json::from_str(text).ok()?;
        let ty = Type::from_name(&name)?;
        (kind == "tdigest").then(|| Digest { ty, points: keys.into_iter().zip(weights).collect() })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Result {
    Columns,
    Array,
    Digest,
    /// The argument is a digest.
    Merged,
}

#[derive(Debug)]
struct Quantiles {
    digest: Digest,
    weighted: bool,
    result: Result,
    percents: Vec<f64>,
}

impl Quantiles {
    fn new(ty: Type, weighted: bool, result: Result) -> Quantiles {
        Quantiles { digest: Digest { ty: value_type(ty), points: Vec::new() }, weighted, result, percents: Vec::new() }
    }
}

impl State for Quantiles {
    fn update(&mut self, row: &[Value<'_>]) {
        if self.result == Result::Merged {
            if let Some(other) = Digest::from_json(row[0].text()) {
                self.digest.ty = other.ty;
                other.points.into_iter().for_each(|(key, weight)| self.digest.push(key, weight));
            }
            return;
        }
        let first = if self.weighted { 2 } else { 1 };
        if self.percents.is_empty() && row.len() > first {
            self.percents = percents(&row[first..]);
        }
        let weight = if self.weighted { row[1].as_i64().unwrap_or(0) } else { 1 };
        if let Some(key) = self.digest.key(&row[0])
            && weight > 0
        {
            self.digest.push(key, weight);
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        out.push(Type::ALL.iter().position(|ty| *ty == self.digest.ty).unwrap_or(0) as u8);
        put_i64(out, self.percents.len() as i64);
        for percent in &self.percents {
            put_i64(out, percent.to_bits() as i64);
        }
        for (key, weight) in &self.digest.points {
            put_i64(out, *key);
            put_i64(out, *weight);
        }
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        let ty = *Type::ALL.get(usize::from(saved.byte()?))?;
        let count = saved.i64()?;
        let percents: Vec<f64> =
            (0..count).map(|_| saved.i64().map(|bits| f64::from_bits(bits as u64))).collect::<Option<_>>()?;
        if self.percents.is_empty() {
            self.percents = percents;
        }
        if !saved.is_empty() {
            self.digest.ty = ty;
        }
        while !saved.is_empty() {
            let (key, weight) = (saved.i64()?, saved.i64()?);
            self.digest.push(key, weight);
        }
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        let mut digest = self.digest.clone();
        match self.result {
            Result::Columns if self.percents.is_empty() => vec![Value::Null; 256],
            Result::Columns => {
                self.percents.iter().map(|percent| digest.percentile(*percent).unwrap_or(Value::Null)).collect()
            }
            Result::Array => vec![digest.array(&self.percents)],
            Result::Digest | Result::Merged => vec![Value::Dynamic(digest.into_json().into())],
        }
    }

    fn size(&self) -> usize {
        self.digest.points.capacity() * 16
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::run;
    use super::*;
    use datafusion::common::ScalarValue;

    #[test]
    fn percentiles_are_values_of_the_data() {
        let rows: Vec<Vec<Value<'static>>> =
            (1..=100).map(|number| vec![Value::Long(number), Value::Long(95)]).collect();
        assert_eq!(run("percentile", &[Type::Long, Type::Long], &rows), ScalarValue::Int64(Some(95)));
    }

    #[test]
    fn weights_count_as_repeated_values() {
        let rows: Vec<Vec<Value<'static>>> = [(10, 8), (20, 6), (30, 3), (40, 1)]
            .iter()
            .map(|(value, weight)| vec![Value::Long(*value), Value::Long(*weight), Value::dynamic("[50,75,99.9]")])
            .collect();
        let got = run("percentilesw_array", &[Type::Long, Type::Long, Type::Dynamic], &rows);
        assert_eq!(got, ScalarValue::Utf8View(Some("[20,20,40]".to_owned())));
    }

    #[test]
    fn joined_centroids_stay_near_the_rank() {
        let mut digest = Digest { ty: Type::Real, points: Vec::new() };
        (0..300_000_i64).for_each(|number| digest.push(order_of(((number * 7919) % 300_000) as f64 - 1000.0), 1));
        for percent in [1.0, 50.0, 99.0] {
            let got = digest.percentile(percent).unwrap().as_f64().unwrap();
            let want = 3000.0 * percent - 1000.0;
            assert!((got - want).abs() < 300.0, "{percent}: {got} {want}");
        }
    }
}
