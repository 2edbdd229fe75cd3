//! Many rows in one statement. Sizes are powers of two, so that a connection keeps a handful of prepared statements.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection};

use crate::StateError;

/// SQLite takes 32,766 parameters a statement, PostgreSQL 65,535.
const MAX_PARAMETERS: usize = 8192;
const MAX_ROWS: usize = 512;

/// A value of a row.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(String),
    Int(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}
impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Int(yes.into())
    }
}

/// `head`, `VALUES` with all rows, `tail`; the number of rows that it changed.
pub(crate) async fn execute(
    connection: &mut AnyConnection,
    head: &str,
    tail: &str,
    rows: &[Vec<Value>],
) -> Result<u64, StateError> {
    let mut changed = 0;
    for part in parts(rows) {
        let sql = statement(head, tail, part);
        changed += bind(&sql, part).execute(&mut *connection).await?.rows_affected();
    }
    Ok(changed)
}

/// The same for statements that return rows.
pub(crate) async fn fetch(
    connection: &mut AnyConnection,
    head: &str,
    tail: &str,
    rows: &[Vec<Value>],
) -> Result<Vec<AnyRow>, StateError> {
    let mut found = Vec::new();
    for part in parts(rows) {
        let sql = statement(head, tail, part);
        found.extend(bind(&sql, part).fetch_all(&mut *connection).await?);
    }
    Ok(found)
}

/// The same for a statement whose text will not come again.
pub(crate) async fn fetch_once(
    connection: &mut AnyConnection,
    head: &str,
    tail: &str,
    rows: &[Vec<Value>],
) -> Result<Vec<AnyRow>, StateError> {
    let mut found = Vec::new();
    for part in parts(rows) {
        let sql = statement(head, tail, part);
        found.extend(bind(&sql, part).persistent(false).fetch_all(&mut *connection).await?);
    }
    Ok(found)
}

/// A row of values.
macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$($crate::batch::Value::from($value)),*] };
}
pub(crate) use row;

fn parts(mut rows: &[Vec<Value>]) -> Vec<&[Vec<Value>]> {
    let width = rows.first().map_or(1, Vec::len).max(1);
    let most = (MAX_PARAMETERS / width).clamp(1, MAX_ROWS);
    let mut parts = Vec::new();
    while !rows.is_empty() {
        let size = rows.len().min(most);
        let size = 1 << size.ilog2();
        let (part, rest) = rows.split_at(size);
        parts.push(part);
        rows = rest;
    }
    parts
}

fn statement(head: &str, tail: &str, rows: &[Vec<Value>]) -> String {
    let mut sql = format!("{head} VALUES ");
    let mut number = 0;
    for (index, row) in rows.iter().enumerate() {
        sql.push_str(if index == 0 { "(" } else { ",(" });
        for (column, value) in row.iter().enumerate() {
            number += 1;
            let comma = if column == 0 { "" } else { "," };
            // PostgreSQL takes a parameter of a VALUES list for text unless told otherwise
            match value {
                Value::Text(_) => sql.push_str(&format!("{comma}${number}")),
                Value::Int(_) => sql.push_str(&format!("{comma}CAST(${number} AS BIGINT)")),
            }
        }
        sql.push(')');
    }
    sql.push(' ');
    sql.push_str(tail);
    sql
}

fn bind<'q>(sql: &str, rows: &[Vec<Value>]) -> Query<'q, Any, AnyArguments> {
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()));
    for value in rows.iter().flatten() {
        query = match value {
            // PostgreSQL keeps no text with a zero in it, and one agent's must not stop a group
            Value::Text(text) if text.contains('\0') => query.bind(text.replace('\0', "")),
            Value::Text(text) => query.bind(text.clone()),
            Value::Int(number) => query.bind(*number),
        };
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_powers_of_two() {
        let rows = vec![row!["a", 1_i64]; 1500];
        let sizes: Vec<_> = parts(&rows).iter().map(|part| part.len()).collect();
        assert_eq!(sizes, [512, 512, 256, 128, 64, 16, 8, 4]);
        assert!(parts(&[]).is_empty());
        assert_eq!(
            statement("INSERT INTO t (a, b)", "ON CONFLICT DO NOTHING", &rows[..2]),
            "INSERT INTO t (a, b) VALUES ($1,CAST($2 AS BIGINT)),($3,CAST($4 AS BIGINT)) ON CONFLICT DO NOTHING"
        );
    }
}
