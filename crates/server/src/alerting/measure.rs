//! Queries of rules: run with their range of time, read as series and bins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, Float64Array, Int64Array, StringViewArray};
use arrow::record_batch::RecordBatch;
use uuid::Uuid;
use watchkeeper_alerting::kql;
use watchkeeper_alerting::kql::Span;
use watchkeeper_alerting::observed::{Bin, Observed};
use watchkeeper_alerting::rule::{AlertRule, Condition};
use watchkeeper_authorization::Readable;
use watchkeeper_kql::{StoredFunction, Ticks};
use watchkeeper_query::{QueryError, Response, TimeRange};
use watchkeeper_state::StateError;

use super::Alerting;
use crate::computer_groups::{self, FindError};
use crate::queries::{Asked, Functions, Limits, Origin};

/// Documented: the results of a rule's query are at most 20 MB.
const LIMITS: Limits = Limits { rows: 500_000, bytes: 20 << 20 };
const DEADLINE: Duration = Duration::from_secs(120);
/// Saved functions are read again after so long.
const FUNCTIONS_AGE: Duration = Duration::from_secs(10);

pub type CachedFunctions = Option<(Instant, Arc<Functions>)>;

/// Why a query of a rule gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the result is larger than 20 MB or 500,000 rows; split it by fewer dimensions")]
    TooLarge,
    #[error("the result has no column {0} of the type it needs")]
    Column(String),
    #[error(
        "the result has no column Computer, by which its rows are cut to the computer groups of properties.scopes; keep \
         it in the result"
    )]
    NoComputer,
    /// A computer group that is a scope of the rule.
    #[error("a scope of the rule cannot be used: {0}")]
    Group(#[from] FindError),
}

/// The columns of a query, by name and type.
pub type Columns = Vec<(String, String)>;

impl Alerting {
    /// Measures a condition over a span; the query sees rows from `from` on.
    pub(super) async fn measure(
        &self,
        condition: &Condition,
        text: &str,
        time_column: Option<&str>,
        from: i64,
        span: &Span,
        rule: &AlertRule,
    ) -> Result<Observed, MeasureError> {
        let (text, functions) = self.within_groups(rule, text).await?;
        let text = kql::measured(condition, &text, time_column, span);
        let response = self.ask(text, functions, (from, span.end), &rule.resource.name).await?;
        if response.partial.is_some() {
            return Err(MeasureError::TooLarge);
        }
        let dimensions = condition.dimensions.len() + usize::from(condition.resource_id_column.is_some());
        let mut observed = Observed::default();
        for batch in response.tables.iter().flat_map(|table| &table.batches) {
            read(batch, dimensions, &mut observed)?;
        }
        Ok(observed)
    }

    /// A query cut down to the computers of the groups that a rule has as its scopes, as they are now, with the functions
    /// that it calls for them.
    async fn within_groups(&self, rule: &AlertRule, text: &str) -> Result<(String, Functions), MeasureError> {
        let groups = rule.computer_groups();
        if groups.is_empty() {
            return Ok((text.to_owned(), Functions::new()));
        }
        let mut functions = Functions::new();
        for (number, group) in groups.iter().enumerate() {
            let found = computer_groups::find(&self.state, &self.workspace_id, group).await?;
            let body = format!("{}\n| project {}", kql::trimmed(&found.query()), kql::COMPUTER);
            functions
                .insert(format!("_computers_of_scope_{number}"), StoredFunction { parameters: String::new(), body });
        }
        let names: Vec<String> = functions.keys().cloned().collect();
        Ok((kql::of_computers(text, &names), functions))
    }

    /// Runs a query over a range of time; `own` are functions of its own.
    pub(super) async fn ask(
        &self,
        text: String,
        own: Functions,
        (from, to): (i64, i64),
        rule: &str,
    ) -> Result<Response, MeasureError> {
        let mut functions = self.saved_functions().await?.as_ref().clone();
        functions.extend(own);
        let ticks = Ticks::from_unix_micros;
        let activity_id = Uuid::new_v4();
        let asked = Asked {
            text,
            timespan: Some(TimeRange { from: ticks(from), to: ticks(to) }),
            parameters: BTreeMap::new(),
            now: ticks(to),
            deadline: DEADLINE,
            limits: LIMITS,
            functions,
            readable: Readable::All,
            small: true,
            plan: false,
            origin: Origin {
                request_id: format!("alert-rule;{activity_id}"),
                activity_id,
                subject: String::new(),
                user: format!("alert rule {rule}"),
                application: "alert rules".to_owned(),
            },
        };
        Ok(self.queries.run(asked).await?)
    }

    /// The columns of the result of a rule's query.
    pub(super) async fn columns(&self, rule: &AlertRule, text: &str, now: i64) -> Result<Columns, MeasureError> {
        let columns = self.columns_of(text, Functions::new(), now).await?;
        if !rule.computer_groups().is_empty() {
            let is_there = columns.iter().any(|(name, of)| name == kql::COMPUTER && of == "string");
            if !is_there {
                return Err(MeasureError::NoComputer);
            }
            // the groups are there, and their queries can be asked
            let (text, functions) = self.within_groups(rule, text).await?;
            self.columns_of(&text, functions, now).await?;
        }
        Ok(columns)
    }

    async fn columns_of(&self, text: &str, functions: Functions, now: i64) -> Result<Columns, MeasureError> {
        let text = format!("{}\n| getschema\n| project ColumnName, ColumnType", kql::trimmed(text));
        let response = self.ask(text, functions, (now, now + 1), "check").await?;
        let mut columns = Vec::new();
        for batch in response.tables.iter().flat_map(|table| &table.batches) {
            let names = column::<StringViewArray>(batch, "ColumnName")?;
            let types = column::<StringViewArray>(batch, "ColumnType")?;
            for row in 0..batch.num_rows() {
                columns.push((names.value(row).to_owned(), types.value(row).to_owned()));
            }
        }
        Ok(columns)
    }

    async fn saved_functions(&self) -> Result<Arc<Functions>, StateError> {
        if let Some((at, known)) = self.functions.lock().as_ref()
            && at.elapsed() < FUNCTIONS_AGE
        {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(crate::api::saved_functions(&self.state, &self.workspace_id).await?);
        *self.functions.lock() = Some((Instant::now(), Arc::clone(&read)));
        Ok(read)
    }
}

fn column<'b, A: Array + 'static>(batch: &'b RecordBatch, name: &str) -> Result<&'b A, MeasureError> {
    let found = batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref::<A>());
    found.ok_or_else(|| MeasureError::Column(name.to_owned()))
}

fn read(batch: &RecordBatch, dimensions: usize, observed: &mut Observed) -> Result<(), MeasureError> {
    let keys = (0..dimensions)
        .map(|number| column::<StringViewArray>(batch, &format!("D{number}")))
        .collect::<Result<Vec<_>, _>>()?;
    let has = |name: &str| batch.column_by_name(name).is_some();
    let optional = |name: &str| has(name).then(|| column::<Float64Array>(batch, name)).transpose();
    let bins = has(kql::BIN).then(|| column::<Int64Array>(batch, kql::BIN)).transpose()?;
    let values = has(kql::VALUES).then(|| column::<Int64Array>(batch, kql::VALUES)).transpose()?;
    let rows = column::<Int64Array>(batch, kql::ROWS)?;
    let (sum, least, most) = (optional(kql::SUM)?, optional(kql::LEAST)?, optional(kql::MOST)?);
    let float = |array: Option<&Float64Array>, row: usize| {
        array.filter(|array| array.is_valid(row)).map_or(0.0, |array| array.value(row))
    };
    for row in 0..batch.num_rows() {
        let count = u64::try_from(rows.value(row)).unwrap_or(0);
        // without dimensions a result has one row even where there are none
        if count == 0 {
            continue;
        }
        let key = keys.iter().map(|array| if array.is_null(row) { "" } else { array.value(row) }.to_owned()).collect();
        let bin = Bin {
            rows: count,
            values: values.map_or(0, |array| u64::try_from(array.value(row)).unwrap_or(0)),
            sum: float(sum, row),
            least: float(least, row),
            most: float(most, row),
        };
        observed.add(key, bins.map_or(0, |array| array.value(row)), bin);
    }
    Ok(())
}
