//! A table's schema: its columns, how they are stored, how long rows are kept. Columns are only ever added,
//! so the number of columns names a version of the schema.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use watchkeeper_kql::{Column, Type};

use crate::error::StoreError;
use crate::limits::{MAX_COLUMNS, MAX_NAME_BYTES};

/// The key of a stored field's metadata that holds the column's KQL type.
pub const KQL_TYPE: &str = "kql.type";
/// The Delta partition column: the UTC day of `TimeGenerated`. Not a column of the KQL table.
pub const PARTITION_COLUMN: &str = "_PartitionDate";
/// When the event happened; rows are sorted and partitioned by it.
pub const TIME_GENERATED: &str = "TimeGenerated";

/// The columns that every table has, in the order in which they come first.
pub const STANDARD_COLUMNS: [(&str, Type); 7] = [
    (TIME_GENERATED, Type::Datetime),
    ("TenantId", Type::Guid),
    ("Type", Type::String),
    ("_ResourceId", Type::String),
    ("_ItemId", Type::String),
    ("_IngestionTime", Type::Datetime),
    ("SourceSystem", Type::String),
];

/// How long rows are kept, in days of `TimeGenerated`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Retention {
    /// Days that interactive queries see.
    pub interactive_days: u32,
    /// Days after which rows are deleted.
    pub total_days: u32,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { interactive_days: 90, total_days: 90 }
    }
}

/// A table: name, columns, retention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    pub name: String,
    pub columns: Vec<Column>,
    pub retention: Retention,
}

impl TableSchema {
    /// The standard columns, then these; a column that repeats a standard one is dropped if it has its type.
    pub fn new(name: impl Into<String>, columns: impl IntoIterator<Item = Column>) -> Result<TableSchema, StoreError> {
        let standard = STANDARD_COLUMNS.iter().map(|(name, ty)| Column::new(*name, *ty)).collect();
        let mut schema = TableSchema { name: name.into(), columns: standard, retention: Retention::default() };
        check_name(&schema.name, "table", &schema.name)?;
        schema.add(columns)?;
        Ok(schema)
    }

    pub fn with_retention(mut self, retention: Retention) -> TableSchema {
        self.retention = retention;
        self
    }

    /// Adds what is missing; returns how many columns are new.
    ///
    /// # Errors
    /// A column with another type than before, two names that differ by case alone (Delta cannot hold both),
    /// a bad name, more than [`MAX_COLUMNS`]. The schema is then as before.
    pub fn add(&mut self, columns: impl IntoIterator<Item = Column>) -> Result<usize, StoreError> {
        let before = self.columns.len();
        let result = columns.into_iter().try_for_each(|column| self.add_one(column));
        if let Err(error) = result {
            self.columns.truncate(before);
            return Err(error);
        }
        Ok(self.columns.len() - before)
    }

    fn add_one(&mut self, column: Column) -> Result<(), StoreError> {
        let refuse = |reason: String| Err(StoreError::Schema { table: self.name.clone(), reason });
        if let Some(present) = self.columns.iter().find(|present| present.name.eq_ignore_ascii_case(&column.name)) {
            if present.name != column.name {
                return refuse(format!("column {} differs from {} by case alone", column.name, present.name));
            }
            if present.ty != column.ty {
                return refuse(format!("column {} is {}, and cannot become {}", column.name, present.ty, column.ty));
            }
            return Ok(());
        }
        check_name(&column.name, "column", &self.name)?;
        if column.name.eq_ignore_ascii_case(PARTITION_COLUMN) {
            return refuse(format!("the column name {PARTITION_COLUMN} is reserved"));
        }
        if self.columns.len() == MAX_COLUMNS {
            return refuse(format!("column {} would be one more than the limit of {MAX_COLUMNS}", column.name));
        }
        self.columns.push(column);
        Ok(())
    }
}

fn check_name(name: &str, kind: &str, table: &str) -> Result<(), StoreError> {
    // what Delta forbids in a column name without column mapping, and what a folder cannot be called
    let forbidden = |c: char| " ,;{}()\n\t=/\\\"".contains(c) || c.is_control();
    let reason = if name.is_empty() {
        format!("a {kind} name is empty")
    } else if name.len() > MAX_NAME_BYTES {
        format!("{kind} name {name:.32}… has {} bytes, the limit is {MAX_NAME_BYTES}", name.len())
    } else if let Some(c) = name.chars().find(|c| forbidden(*c)) {
        format!("{kind} name {name:?} contains {c:?}, which is not allowed")
    } else if name.starts_with('.') {
        format!("{kind} name {name:?} starts with a dot")
    } else {
        return Ok(());
    };
    Err(StoreError::Schema { table: table.to_owned(), reason })
}

/// How a KQL type is stored (ARCHITECTURE, "Types, three times").
pub fn storage_type(ty: Type) -> DataType {
    match ty {
        Type::Bool => DataType::Boolean,
        Type::Int => DataType::Int32,
        Type::Long | Type::Timespan => DataType::Int64,
        Type::Real => DataType::Float64,
        Type::Decimal => DataType::Decimal128(38, 18),
        Type::Datetime => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Type::String | Type::Guid | Type::Dynamic => DataType::Utf8View,
    }
}

/// The stored form of one column, with its KQL type as metadata.
pub fn storage_field(column: &Column) -> Field {
    // nullable for every type: files written before the column was added do not have it
    Field::new(&column.name, storage_type(column.ty), true)
        .with_metadata(HashMap::from([(KQL_TYPE.to_owned(), column.ty.name().to_owned())]))
}

/// The stored form of a table: every field nullable and with its KQL type as metadata; strings are never null.
pub fn arrow_schema(schema: &TableSchema) -> SchemaRef {
    arrow_schema_of(&schema.columns)
}

pub(crate) fn arrow_schema_of(columns: &[Column]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(storage_field).collect::<Vec<_>>()))
}

/// What `table.json` holds.
#[derive(serde::Serialize, serde::Deserialize)]
struct Stored {
    name: String,
    columns: Vec<(String, String)>,
    retention: Retention,
}

pub(crate) fn to_json(schema: &TableSchema) -> Vec<u8> {
    let columns = schema.columns.iter().map(|column| (column.name.clone(), column.ty.name().to_owned())).collect();
    let stored = Stored { name: schema.name.clone(), columns, retention: schema.retention };
    serde_json::to_vec_pretty(&stored).expect("strings and numbers always serialize")
}

pub(crate) fn from_json(bytes: &[u8]) -> Result<TableSchema, String> {
    let stored: Stored = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let column = |(name, ty): (String, String)| match Type::from_name(&ty) {
        Some(ty) => Ok(Column { name, ty }),
        None => Err(format!("column {name} has the unknown type {ty}")),
    };
    let columns = stored.columns.into_iter().map(column).collect::<Result<_, _>>()?;
    Ok(TableSchema { name: stored.name, columns, retention: stored.retention })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_columns_come_first_and_are_not_repeated() {
        let columns = [Column::new("Computer", Type::String), Column::new("TimeGenerated", Type::Datetime)];
        let schema = TableSchema::new("Heartbeat", columns).unwrap();
        assert_eq!(schema.columns.len(), 8);
        assert_eq!(schema.columns[0].name, "TimeGenerated");
        assert_eq!(schema.columns[7].name, "Computer");
        assert_eq!(from_json(&to_json(&schema)).unwrap(), schema);
        assert_eq!(arrow_schema(&schema).field(1).metadata()[KQL_TYPE], "guid");
    }

    #[test]
    fn bad_columns_are_refused_and_change_nothing() {
        let mut schema = TableSchema::new("T_CL", [Column::new("a_s", Type::String)]).unwrap();
        let cases = [
            ("a_s", Type::Long, "is string, and cannot become long"),
            ("A_s", Type::String, "by case alone"),
            ("", Type::String, "empty"),
            ("a b", Type::String, "not allowed"),
            (PARTITION_COLUMN, Type::String, "reserved"),
            (&"x".repeat(MAX_NAME_BYTES + 1), Type::String, "the limit is 128"),
        ];
        for (name, ty, expected) in cases {
            let columns = [Column::new("new_s", Type::String), Column::new(name, ty)];
            let error = schema.add(columns).unwrap_err().to_string();
            assert!(error.contains(expected), "{name}: {error}");
            assert_eq!(schema.columns.len(), 8);
        }
        let many = (0..493).map(|i| Column::new(format!("c{i}"), Type::Long));
        assert!(schema.add(many).unwrap_err().to_string().contains("limit of 500"));
        assert!(TableSchema::new("../evil", []).is_err());
    }
}
