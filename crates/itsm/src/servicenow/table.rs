//! The Table API: reading rows and writing one.

use http::Method;
use serde_json::{Map, Value};

use super::ServiceNow;
use crate::http::{Answer, Request};
use crate::problem::{Part, Problem};

/// Rows of one answer.
pub struct Rows {
    pub rows: Vec<Value>,
    /// `X-Total-Count`: how many the query has.
    pub total: Option<u64>,
    /// The header `Link` names a next page.
    pub more: bool,
}

impl ServiceNow {
    /// Sends with a token.
    async fn sent(&self, request: Request) -> Result<Answer, Problem> {
        self.session.send(&self.http, self, request).await
    }

    /// Rows of a table, with values and display values.
    pub(super) async fn table_rows(
        &self,
        table: &str,
        query: &str,
        fields: &[&str],
        limit: u32,
    ) -> Result<Rows, Problem> {
        self.table_page(table, query, fields, limit, 0).await
    }

    /// The same from a row on.
    pub(super) async fn table_page(
        &self,
        table: &str,
        query: &str,
        fields: &[&str],
        limit: u32,
        offset: u32,
    ) -> Result<Rows, Problem> {
        let mut request = Request::get(format!("/api/now/table/{table}")).with_query([
            ("sysparm_fields", fields.join(",")),
            ("sysparm_display_value", "all".to_owned()),
            ("sysparm_exclude_reference_link", "true".to_owned()),
            ("sysparm_limit", limit.to_string()),
        ]);
        if !query.is_empty() {
            request = request.with_query([("sysparm_query", query)]);
        }
        if offset > 0 {
            request = request.with_query([("sysparm_offset", offset.to_string())]);
        }
        let answer = self.sent(request).await?;
        // a query without a row: 404 in old versions, with the words below
        if answer.status == 404
            && answer.value().is_some_and(|body| body["error"]["message"].as_str() == Some("No Record found"))
        {
            return Ok(Rows { rows: Vec::new(), total: Some(0), more: false });
        }
        if !answer.is_success() {
            return Err(self.problem(&answer));
        }
        let total = answer.header("x-total-count").and_then(|text| text.trim().parse().ok());
        let more = answer.header("link").is_some_and(|links| links.contains("rel=\"next\""));
        let mut body = answer.json()?;
        let Value::Array(rows) = body["result"].take() else { return Err(no_result(&answer)) };
        Ok(Rows { rows, total, more })
    }

    /// Makes or changes a row; gives it as it is then.
    pub(super) async fn write_row(
        &self,
        table: &str,
        key: Option<&str>,
        fields: Map<String, Value>,
    ) -> Result<Value, Problem> {
        let body = Value::Object(fields);
        let request = match key {
            None => Request::post(format!("/api/now/table/{table}"), body),
            Some(key) => Request::change(Method::PATCH, format!("/api/now/table/{table}/{key}"), body),
        };
        let request = request.with_query([
            ("sysparm_display_value", "all"),
            ("sysparm_exclude_reference_link", "true"),
            ("sysparm_input_display_value", "false"),
        ]);
        let answer = self.sent(request).await?;
        if !answer.is_success() {
            return Err(self.problem(&answer));
        }
        let mut body = answer.json()?;
        match body["result"].take() {
            row @ Value::Object(_) => Ok(row),
            _ => Err(no_result(&answer)),
        }
    }
}

fn no_result(answer: &Answer) -> Problem {
    let message = format!("{} answered {} without a result: {}", answer.path, answer.status, answer.shown());
    let advice = "disable scripts in ServiceNow that change what the Table API answers";
    Problem::new(Part::Product, message, advice).with_status(answer.status)
}

/// The value of a field as the database has it.
pub fn value<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field]["value"].as_str().unwrap_or_default()
}

/// The value of a field as people see it.
pub fn shown<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field]["display_value"].as_str().unwrap_or_default()
}
