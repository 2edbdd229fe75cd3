//! The table that a management command answers: as version 1 JSON, and as a query's text where a command is followed
//! by operators.

use serde_json::{Value, json};
use watchkeeper_kql::Type;
use watchkeeper_query::shape;

/// One table with typed columns. A cell is JSON: text for datetimes, timespans, guids.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub columns: Vec<(&'static str, Type)>,
    pub rows: Vec<Vec<Value>>,
}

impl Answer {
    pub fn new(columns: &[(&'static str, Type)], rows: Vec<Vec<Value>>) -> Answer {
        Answer { columns: columns.to_vec(), rows }
    }

    /// `{"Tables":[…]}` with the one table.
    pub fn to_json(&self) -> Vec<u8> {
        let columns = shape::v1_columns(&self.columns);
        json!({"Tables": [{"TableName": "Table_0", "Columns": columns, "Rows": self.rows}]}).to_string().into_bytes()
    }

    /// A `datatable` with the same columns and rows.
    pub fn to_kql(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(|(name, ty)| format!("{name}:{}", ty.name())).collect();
        let cells = self.rows.iter().flat_map(|row| row.iter().zip(&self.columns));
        let cells: Vec<String> = cells.map(|(cell, (_, ty))| literal(cell, *ty)).collect();
        format!("datatable({})[{}]", columns.join(","), cells.join(","))
    }
}

fn literal(cell: &Value, ty: Type) -> String {
    match (cell, ty) {
        (Value::String(text), Type::String) => quoted(text),
        (Value::Null, Type::String) => "\"\"".to_owned(),
        (other, Type::String) => quoted(&other.to_string()),
        (Value::Null, ty) => format!("{}(null)", ty.name()),
        (Value::String(text), ty) => format!("{}({text})", ty.name()),
        (other, ty) => format!("{}({other})", ty.name()),
    }
}

/// A string literal; everything but plain letters is escaped.
fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for letter in text.chars() {
        match letter {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            control if u32::from(control) < 0x20 => literal.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_datatable_that_parses() {
        let answer = Answer::new(
            &[("Name", Type::String), ("On", Type::Datetime), ("Rows", Type::Long), ("Is", Type::Bool)],
            vec![vec![json!("a \"b\" \\ \n\u{1}"), json!(null), json!(3), json!(true)]],
        );
        let text = answer.to_kql();
        assert_eq!(
            text,
            "datatable(Name:string,On:datetime,Rows:long,Is:bool)[\"a \\\"b\\\" \\\\ \\n\\u0001\",datetime(null),long(3),bool(true)]"
        );
        assert_eq!(watchkeeper_kql::parse(&text).diagnostics, vec![]);
    }
}
