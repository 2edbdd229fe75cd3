//! `buildschema`: the least schema that admits all values of a group (reference "buildschema()", "Schema model").

use serde_json::{Map, Value as Tree, json};
use watchkeeper_kql::Type;

use super::state::{Reader, State, put_text};
use super::{Aggregate, Output};
use crate::functions::frame::json;
use crate::functions::frame::value::Value;

/// The name under which the type of an array's items stands among the properties.
const INDEXER: &str = "indexer";

pub const AGGREGATES: &[Aggregate] = &[Aggregate {
    name: "buildschema",
    least: 1,
    most: 1,
    output: |_| Some(Output::One(Type::Dynamic)),
    state: |_| Box::new(Shape::default()),
    fast: None,
}];

/// What the values at one place are: primitive types, containers, or several of them.
#[derive(Debug, Default)]
struct Shape {
    /// In the order in which they came.
    primitives: Vec<String>,
    /// Properties, and the items of arrays under [`INDEXER`], in the order in which they came.
    properties: Option<Vec<(String, Shape)>>,
}

impl Shape {
    fn take(&mut self, value: &Tree) {
        let primitive = match value {
            Tree::Null => return,
            Tree::Bool(_) => "bool",
            Tree::Number(number) if number.is_f64() => "double",
            Tree::Number(_) => "long",
            Tree::String(_) => "string",
            Tree::Object(bag) => {
                self.properties.get_or_insert_default();
                bag.iter().for_each(|(name, value)| self.property(name).take(value));
                return;
            }
            Tree::Array(items) => {
                let indexer = self.property(INDEXER);
                items.iter().for_each(|item| indexer.take(item));
                return;
            }
        };
        self.primitive(primitive);
    }

    fn primitive(&mut self, name: &str) {
        if !self.primitives.iter().any(|known| known == name) {
            self.primitives.push(name.to_owned());
        }
    }

    fn property(&mut self, name: &str) -> &mut Shape {
        let properties = self.properties.get_or_insert_default();
        let at = properties.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            properties.push((name.to_owned(), Shape::default()));
            properties.len() - 1
        });
        &mut properties[at].1
    }

    /// The schema as JSON.
    fn printed(&self) -> Tree {
        let mut types: Vec<Tree> = self.primitives.iter().map(|name| json!(name)).collect();
        if let Some(properties) = &self.properties {
            let bag: Map<String, Tree> =
                properties.iter().map(|(name, shape)| (name.clone(), shape.printed())).collect();
            types.push(Tree::Object(bag));
        }
        match types.len() {
            1 => types.remove(0),
            _ => Tree::Array(types),
        }
    }

    /// Adds what another shape printed.
    fn admit(&mut self, schema: &Tree) {
        match schema {
            Tree::String(name) => self.primitive(name),
            Tree::Array(types) => types.iter().for_each(|schema| self.admit(schema)),
            Tree::Object(bag) => {
                self.properties.get_or_insert_default();
                bag.iter().for_each(|(name, schema)| self.property(name).admit(schema));
            }
            _ => {}
        }
    }

    fn heap(&self) -> usize {
        let properties = self.properties.iter().flatten();
        48 * self.primitives.len() + properties.map(|(name, shape)| name.len() + 96 + shape.heap()).sum::<usize>()
    }
}

impl State for Shape {
    fn update(&mut self, row: &[Value<'_>]) {
        if !row[0].is_null() {
            self.take(&json::tree_of(&row[0]));
        }
    }

    fn save(&self, out: &mut Vec<u8>) {
        put_text(out, &self.printed().to_string());
    }

    fn merge(&mut self, saved: &mut Reader<'_>) -> Option<()> {
        self.admit(&serde_json::from_str(saved.text()?).ok()?);
        Some(())
    }

    fn finish(&self) -> Vec<Value<'static>> {
        vec![Value::json(&self.printed())]
    }

    fn size(&self) -> usize {
        self.heap()
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::ScalarValue;
    use watchkeeper_kql::Type;

    use super::super::testing::run;
    use crate::functions::testing::dynamic;

    #[test]
    fn a_schema_admits_all_values_of_the_group() {
        for (values, want) in [
            (&["1", "2"][..], r#""long""#),
            (&["1", "\"a\"", "null", "1.5"], r#"["long","string","double"]"#),
            (&[r#"{"a":1}"#, r#"{"a":[true],"b":{}}"#], r#"{"a":["long",{"indexer":"bool"}],"b":{}}"#),
            (&["[]"], r#"{"indexer":[]}"#),
        ] {
            let rows: Vec<_> = values.iter().map(|value| vec![dynamic(value)]).collect();
            assert_eq!(run("buildschema", &[Type::Dynamic], &rows), ScalarValue::Utf8View(Some(want.to_owned())));
        }
    }
}
