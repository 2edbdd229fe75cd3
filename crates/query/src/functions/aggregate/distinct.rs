//! Counting different values: exactly, and by HyperLogLog (exact while few hashes are kept as they are).

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use watchkeeper_kql::Type;
use xxhash_rust::xxh64::xxh64;

use super::state::{Reader, State, put_u64, put_value};
use super::{Aggregate, Output};
use crate::functions::frame::value::Value;
use crate::functions::frame::{Function, Returns, json};

/// Hashes that a sketch keeps before it becomes registers.
const SPARSE: usize = 4096;
/// Registers are 2 to the power of this, by the accuracy 0 to 4 (reference: "dcount", "Estimation accuracy").
const PRECISION: [u8; 5] = [12, 14, 16, 17, 18];

pub const AGGREGATES: &[Aggregate] = &[
    Aggregate {
        name: "dcount",
        least: 1,
        most: 2,
        output: |_| Some(Output::One(Type::Long)),
        state: |_| Box::new(Distinct::new(true)),
        fast: None,
    },
    Aggregate {
        name: "count_distinct",
        least: 1,
        most: 1,
        output: |_| Some(Output::One(Type::Long)),
        state: |_| Box::new(Exact { seen: HashSet::new(), bytes: 0 }),
        fast: None,
    },
    Aggregate {
        name: "hll",
        least: 1,
        most: 2,
        output: |_| Some(Output::One(Type::Dynamic)),
        state: |_| Box::new(Distinct::new(false)),
        fast: None,
    },
    Aggregate {
        name: "hll_merge",
        least: 1,
        most: 1,
        output: |_| Some(Output::One(Type::Dynamic)),
        state: |_| Box::new(Merged(Sketch::new())),
        fast: None,
    },
];

pub const DCOUNT_HLL: Function = Function::row("dcount_hll", 1, 1, Returns::Always(Type::Long), |_, args| {
    Value::from_option(Sketch::from_json(args[0].text()), |sketch| Value::Long(sketch.estimate()))
});

pub const HLL_MERGE: Function =
    Function::row_with_nulls("hll_merge", 1, usize::MAX, Returns::Always(Type::Dynamic), |_, args| {
        let mut merged = Sketch::new();
        for sketch in args.iter().filter_map(|value| Sketch::from_json(value.text())) {
            merged.merge(&sketch);
        }
        Value::Dynamic(merged.to_json().into())
    });

/// A HyperLogLog sketch.
#[derive(Debug, Clone)]
struct Sketch {
    precision: u8,
    hashes: HashSet<u64>,
    /// Empty while the hashes are few.
    registers: Vec<u8>,
}

impl Sketch {
    fn new() -> Sketch {
        Sketch { precision: PRECISION[1], hashes: HashSet::new(), registers: Vec::new() }
    }

    fn insert(&mut self, hash: u64) {
        if self.registers.is_empty() {
            self.hashes.insert(hash);
            if self.hashes.len() > SPARSE {
                self.densify();
            }
        } else {
            self.register(hash);
        }
    }

    fn densify(&mut self) {
        self.registers = vec![0; 1 << self.precision];
        for hash in std::mem::take(&mut self.hashes) {
            self.register(hash);
        }
    }

    fn register(&mut self, hash: u64) {
        let place = (hash >> (64 - self.precision)) as usize;
        let rest = (hash << self.precision) | (1 << (self.precision - 1));
        let rank = rest.leading_zeros() as u8 + 1;
        self.registers[place] = self.registers[place].max(rank);
    }

    fn merge(&mut self, other: &Sketch) {
        if other.registers.is_empty() {
            for hash in &other.hashes {
                self.insert(*hash);
            }
            return;
        }
        if self.registers.is_empty() {
            self.precision = other.precision;
            self.densify();
        }
        if self.precision == other.precision {
            for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
                *mine = (*mine).max(*theirs);
            }
        }
    }

    /// The bias-free estimate of Ertl, "New cardinality estimation algorithms for HyperLogLog sketches".
    fn estimate(&self) -> i64 {
        if self.registers.is_empty() {
            return self.hashes.len() as i64;
        }
        let registers = self.registers.len() as f64;
        let top = usize::from(64 - self.precision) + 1;
        let mut histogram = vec![0u32; top + 1];
        for register in &self.registers {
            histogram[usize::from(*register).min(top)] += 1;
        }
        let mut sum = registers * tau(1.0 - f64::from(histogram[top]) / registers);
        for rank in (1..top).rev() {
            sum = 0.5 * (sum + f64::from(histogram[rank]));
        }
        sum += registers * sigma(f64::from(histogram[0]) / registers);
        (registers * registers / (2.0 * std::f64::consts::LN_2 * sum)).round() as i64
    }

    fn save(&self, out: &mut Vec<u8>) {
        out.push(self.precision);
        out.push(u8::from(!self.registers.is_empty()));
        if self.registers.is_empty() {
            for hash in &self.hashes {
                put_u64(out, *hash);
            }
        } else {
            out.extend_from_slice(&self.registers);
        }
    }

    fn read(saved: &mut Reader<'_>) -> Option<Sketch> {
        let mut sketch = Sketch { precision: saved.byte()?, hashes: HashSet::new(), registers: Vec::new() };
        if !PRECISION.contains(&sketch.precision) {
            return None;
        }
        if saved.byte()? == 1 {
            sketch.registers = saved.take(1 << sketch.precision)?.to_vec();
        } else {
            while !saved.is_empty() {
                sketch.hashes.insert(saved.u64()?);
            }
        }
        Some(sketch)
    }

    /// `["hll", "base64 of the saved sketch"]`.
    fn to_json(&self) -> String {
        let mut bytes = Vec::new();
        self.save(&mut bytes);
        format!("[\"hll\",\"{}\"]", STANDARD.encode(bytes))
    }

    fn from_json(text: &str) -> Option<Sketch> {
        let (kind, sketch) = (json::unquote(json::item(text, 0)?)?, json::unquote(json::item(text, 1)?)?);
        let bytes = STANDARD.decode(sketch.as_bytes()).ok()?;
        if kind == "hll" { Sketch::read(&mut Reader::new(&bytes)) } else { None }
    }

    fn size(&self) -> usize {
        self.hashes.capacity() * 16 + self.registers.capacity()
    }
}

fn sigma(x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut z) = (x, 1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut z) = (x, 1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

/// A hash of the value; equal numbers of different types differ.
fn hash(value: &Value<'_>) -> u64 {
    match value {
        Value::String(text) | Value::Guid(text) | Value::Dynamic(text) => xxh64(text.as_bytes(), 0x5ca1_ab1e),
        other => {
            let mut bytes = Vec::with_capacity(17);
            put_value(&mut bytes, other);
            xxh64(&bytes, 0x5ca1_ab1e)
        }
    }
}

#[derive(Debug)]
struct Distinct {
    sketch: Sketch,
    count: bool,
}

impl Distinct {
    fn new(count: bool) -> Distinct {
        Distinct { sketch: Sketch::new(), count }
    }
}

impl State for Distinct {
    fn update(&mut self, row: &[Value<'_>]) {
        if self.sketch.registers.is_empty()
            && let Some(accuracy) =
                row.get(1).and_then(Value::as_i64).and_then(|accuracy| usize::try_from(accuracy).ok())
        {
            self.sketch.precision = PRECISION[accuracy.min(4)];
        }
        if !row[0].is_null() {
            self.sketch.insert(hash(&row[0]));
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        self.sketch.save(out);
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        let other = Sketch::read(saved)?;
        if self.sketch.registers.is_empty() && self.sketch.hashes.is_empty() {
            self.sketch = other;
        } else {
            self.sketch.merge(&other);
        }
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        vec![if self.count {
            Value::Long(self.sketch.estimate())
        } else {
            Value::Dynamic(self.sketch.to_json().into())
        }]
    }

    fn size(&self) -> usize {
        self.sketch.size()
    }
}

#[derive(Debug)]
struct Merged(Sketch);

impl State for Merged {
    fn update(&mut self, row: &[Value<'_>]) {
        if let Some(sketch) = Sketch::from_json(row[0].text()) {
            self.0.merge(&sketch);
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        self.0.save(out);
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        self.0.merge(&Sketch::read(saved)?);
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        vec![Value::Dynamic(self.0.to_json().into())]
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}

#[derive(Debug)]
struct Exact {
    seen: HashSet<Box<[u8]>>,
    bytes: usize,
}

impl Exact {
    fn insert(&mut self, bytes: &[u8]) {
        if !self.seen.contains(bytes) {
            self.bytes += bytes.len() + 32;
            self.seen.insert(bytes.into());
        }
    }
}

impl State for Exact {
    fn update(&mut self, row: &[Value<'_>]) {
        if !row[0].is_null() {
            let mut bytes = Vec::new();
            put_value(&mut bytes, &row[0]);
            self.insert(&bytes);
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        for value in &self.seen {
            put_u64(out, value.len() as u64);
            out.extend_from_slice(value);
        }
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        while !saved.is_empty() {
            let length = usize::try_from(saved.u64()?).ok()?;
            self.insert(saved.take(length)?);
        }
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        vec![Value::Long(self.seen.len() as i64)]
    }

    fn size(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{longs, run};
    use super::*;
    use datafusion::common::ScalarValue;

    #[test]
    fn few_values_are_counted_exactly() {
        let rows = longs(&(0..3000).map(|number| number % 1000).collect::<Vec<_>>());
        assert_eq!(run("dcount", &[Type::Long], &rows), ScalarValue::Int64(Some(1000)));
        assert_eq!(run("count_distinct", &[Type::Long], &rows), ScalarValue::Int64(Some(1000)));
        assert_eq!(run("dcount", &[Type::Long], &[vec![Value::Null]]), ScalarValue::Int64(Some(0)));
    }

    #[test]
    fn many_values_are_estimated_within_two_percent() {
        for count in [10_000_u64, 300_000] {
            let mut sketch = Sketch::new();
            for number in 0..count {
                sketch.insert(xxh64(&number.to_le_bytes(), 0));
            }
            let error = (sketch.estimate() as f64 / count as f64 - 1.0).abs();
            assert!(error < 0.02, "{count}: {error}");
        }
    }

    #[test]
    fn sketches_travel_as_json() {
        let mut sketch = Sketch::new();
        (0..10_000u64).for_each(|number| sketch.insert(xxh64(&number.to_le_bytes(), 0)));
        assert_eq!(Sketch::from_json(&sketch.to_json()).unwrap().estimate(), sketch.estimate());
        assert!(Sketch::from_json("[1]").is_none());
    }
}
