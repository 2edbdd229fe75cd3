//! `make_list`, `make_set`, `make_bag`: dynamic values gathered from rows.

use std::collections::HashSet;

use serde_json::{Map, Value as Tree};
use watchkeeper_kql::Type;

use super::state::{Reader, State, put_text, put_u64};
use super::{Aggregate, Output};
use crate::functions::frame::json;
use crate::functions::frame::value::Value;

/// Items of a list or set where the query gives no maximum.
pub const DEFAULT_MOST: usize = 1_048_576;

pub const AGGREGATES: &[Aggregate] = &[
    Aggregate {
        name: "make_list",
        least: 1,
        most: 2,
        output: dynamic,
        state: |_| Box::new(List::new(false)),
        fast: None,
    },
    Aggregate {
        name: "make_list_with_nulls",
        least: 1,
        most: 1,
        output: dynamic,
        state: |_| Box::new(List::new(true)),
        fast: None,
    },
    Aggregate { name: "make_set", least: 1, most: 2, output: dynamic, state: |_| Box::new(Set::new()), fast: None },
    Aggregate {
        name: "make_bag",
        least: 1,
        most: 2,
        output: dynamic,
        state: |_| Box::new(Bag { map: Map::new(), most: DEFAULT_MOST }),
        fast: None,
    },
];

fn dynamic(_: &[Type]) -> Option<Output> {
    Some(Output::One(Type::Dynamic))
}

fn limit(row: &[Value<'_>]) -> Option<usize> {
    row.get(1).and_then(Value::as_i64).and_then(|most| usize::try_from(most).ok())
}

/// The items of an array, which are taken one by one (reference "make_set()", its example of arrays; "geo_h3cell_rings()",
/// its example of `make_list`).
fn items_of(value: &Value<'_>) -> Option<Vec<Tree>> {
    match value {
        Value::Dynamic(json) if json.starts_with('[') => json::array_of(value),
        _ => None,
    }
}

/// Items as JSON text with commas between them.
#[derive(Debug)]
struct List {
    with_nulls: bool,
    items: String,
    count: usize,
    most: usize,
}

impl List {
    fn new(with_nulls: bool) -> List {
        List { with_nulls, items: String::new(), count: 0, most: DEFAULT_MOST }
    }

    /// Adds an item, unless there are as many as there may be.
    fn push(&mut self, write: impl FnOnce(&mut String)) {
        if self.count >= self.most {
            return;
        }
        if self.count > 0 {
            self.items.push(',');
        }
        write(&mut self.items);
        self.count += 1;
    }
}

impl State for List {
    fn update(&mut self, row: &[Value<'_>]) {
        self.most = limit(row).unwrap_or(self.most);
        if let Some(items) = items_of(&row[0]) {
            let with_nulls = self.with_nulls;
            for item in items.iter().filter(|item| with_nulls || !item.is_null()) {
                self.push(|out| out.push_str(&item.to_string()));
            }
        } else if !row[0].is_null() || self.with_nulls {
            self.push(|out| json::write(out, &row[0]));
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        put_u64(out, self.count as u64);
        put_u64(out, self.most as u64);
        put_text(out, &self.items);
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        let count = usize::try_from(saved.u64()?).ok()?;
        let most = usize::try_from(saved.u64()?).ok()?;
        let items = saved.text()?;
        self.most = self.most.min(most);
        if count == 0 || self.count >= self.most {
            return Some(());
        }
        if self.count + count <= self.most {
            if self.count > 0 {
                self.items.push(',');
            }
            self.items.push_str(items);
            self.count += count;
            return Some(());
        }
        let all: Vec<Tree> = serde_json::from_str(&format!("[{items}]")).ok()?;
        for item in all.into_iter().take(self.most - self.count) {
            if self.count > 0 {
                self.items.push(',');
            }
            self.items.push_str(&item.to_string());
            self.count += 1;
        }
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        vec![Value::Dynamic(format!("[{}]", self.items).into())]
    }

    fn size(&self) -> usize {
        self.items.capacity()
    }
}

/// Different items in the order they came.
#[derive(Debug)]
struct Set {
    seen: HashSet<Box<str>>,
    order: Vec<Box<str>>,
    bytes: usize,
    most: usize,
    scratch: String,
}

impl Set {
    fn new() -> Set {
        Set { seen: HashSet::new(), order: Vec::new(), bytes: 0, most: DEFAULT_MOST, scratch: String::new() }
    }

    fn insert(&mut self, json: &str) {
        if self.order.len() < self.most && !self.seen.contains(json) {
            self.bytes += 2 * json.len() + 48;
            self.seen.insert(json.into());
            self.order.push(json.into());
        }
    }
}

impl State for Set {
    fn update(&mut self, row: &[Value<'_>]) {
        self.most = limit(row).unwrap_or(self.most);
        if row[0].is_null() {
            return;
        }
        if let Some(items) = items_of(&row[0]) {
            items.iter().filter(|item| !item.is_null()).for_each(|item| self.insert(&item.to_string()));
            return;
        }
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        json::write(&mut text, &row[0]);
        self.insert(&text);
        self.scratch = text;
    }

    fn save(&self, out: &mut Vec<u8>) {
        put_u64(out, self.most as u64);
        for item in &self.order {
            put_text(out, item);
        }
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        self.most = self.most.min(usize::try_from(saved.u64()?).ok()?);
        while !saved.is_empty() {
            self.insert(saved.text()?);
        }
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        vec![Value::Dynamic(format!("[{}]", self.order.join(",")).into())]
    }

    fn size(&self) -> usize {
        self.bytes
    }
}

/// Bags merged into one; the first value of a property stays.
#[derive(Debug)]
struct Bag {
    map: Map<String, Tree>,
    most: usize,
}

impl Bag {
    fn take(&mut self, bag: Map<String, Tree>) {
        for (key, value) in bag {
            if self.map.len() < self.most || self.map.contains_key(&key) {
                self.map.entry(key).or_insert(value);
            }
        }
    }
}

impl State for Bag {
    fn update(&mut self, row: &[Value<'_>]) {
        self.most = limit(row).unwrap_or(self.most);
        if let Some(bag) = json::bag_of(&row[0]) {
            self.take(bag);
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        put_u64(out, self.most as u64);
        put_text(out, &serde_json::to_string(&self.map).unwrap_or_default());
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        self.most = self.most.min(usize::try_from(saved.u64()?).ok()?);
        self.take(serde_json::from_str(saved.text()?).ok()?);
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        vec![Value::Dynamic(serde_json::to_string(&self.map).unwrap_or_default().into())]
    }

    fn size(&self) -> usize {
        self.map.len() * 96
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::run;
    use super::*;
    use crate::functions::testing::{dynamic, string};
    use datafusion::common::ScalarValue;

    fn gives(name: &str, types: &[Type], rows: &[Vec<Value<'static>>], want: &str) {
        assert_eq!(run(name, types, rows), ScalarValue::Utf8View(Some(want.to_owned())), "{name}");
    }

    #[test]
    fn lists_keep_order_and_sets_keep_the_first_of_equals() {
        let rows = vec![vec![string("b")], vec![string("a\"")], vec![string("b")]];
        gives("make_list", &[Type::String], &rows, r#"["b","a\"","b"]"#);
        gives("make_set", &[Type::String], &rows, r#"["b","a\""]"#);
        let limited: Vec<Vec<Value<'static>>> =
            (1..=5).map(|number| vec![Value::Long(number), Value::Long(3)]).collect();
        gives("make_list", &[Type::Long, Type::Long], &limited, "[1,2,3]");
        gives("make_set", &[Type::Long, Type::Long], &limited, "[1,2,3]");
    }

    #[test]
    fn nulls_are_left_out_unless_asked_for() {
        let rows = vec![vec![Value::Null], vec![Value::Long(1)]];
        gives("make_list", &[Type::Long], &rows, "[1]");
        gives("make_list_with_nulls", &[Type::Long], &rows, "[null,1]");
        gives("make_set", &[Type::Long], &[], "[]");
        let arrays = [vec![dynamic("[1,2]")], vec![dynamic("[2,3]")], vec![dynamic("4")]];
        gives("make_set", &[Type::Dynamic], &arrays, "[1,2,3,4]");
        gives("make_list", &[Type::Dynamic], &arrays, "[1,2,2,3,4]");
    }

    #[test]
    fn bags_are_merged() {
        let rows = vec![vec![dynamic(r#"{"a":1}"#)], vec![dynamic("5")], vec![dynamic(r#"{"b":2.0,"a":3}"#)]];
        gives("make_bag", &[Type::Dynamic], &rows, r#"{"a":1,"b":2.0}"#);
    }
}
