//! The way of checked rows into the store, and the workspace's own account of it: `Usage` and `Operation`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use watchkeeper_kql::Column;
use watchkeeper_places::Remotes;
use watchkeeper_store::{Append, Appended, BatchId, Store, StoreError, TableSchema};

use crate::error::IngestError;
use crate::limits::REFUSALS_KEPT;
use crate::remote_ends;
use crate::rows::value::Value;
use crate::rows::{Options, RowsBuilder, TableRows, TimePolicy, Unknown};
use crate::standard_tables::{ensure_standard_tables, standard_table};

/// How often refused data is written to `Operation`.
const OPERATION_INTERVAL: Duration = Duration::from_secs(60);
const HOUR: i64 = 3_600_000_000;
const MEGABYTE: f64 = 1_000_000.0;

/// Takes rows for a workspace. Shared by all protocols.
#[derive(Debug)]
pub struct Ingest {
    store: Arc<Store>,
    workspace_id: String,
    /// Bytes by table and hour (microseconds since 1970 of its start).
    usage: Mutex<HashMap<(i64, String), u64>>,
    refusals: Mutex<HashMap<Refusal, u64>>,
    /// What is known of remote addresses.
    remotes: OnceLock<Arc<Remotes>>,
}

/// Something that was refused, without what differs from time to time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Refusal {
    /// The protocol: `DataCollector`, `LogsIngestion`, `OTLP`, …
    solution: &'static str,
    table: String,
    detail: String,
}

impl Ingest {
    /// Creates the standard tables where they are missing.
    ///
    /// # Errors
    /// When the store cannot write them.
    pub async fn open(store: Arc<Store>, workspace_id: impl Into<String>) -> Result<Arc<Ingest>, StoreError> {
        ensure_standard_tables(&store).await?;
        let workspace_id = workspace_id.into();
        Ok(Arc::new(Ingest {
            store,
            workspace_id,
            usage: Mutex::default(),
            refusals: Mutex::default(),
            remotes: OnceLock::new(),
        }))
    }

    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Fills the columns of places and threats of connections from now on. Only the first call counts.
    pub fn describe_remote_ends(&self, remotes: Arc<Remotes>) {
        let _ = self.remotes.set(remotes);
    }

    pub fn workspace_id(&self) -> &str {
        &self.workspace_id
    }

    /// The columns of a table; none where it is not there yet.
    pub fn columns(&self, table: &str) -> Vec<Column> {
        self.store.schema(table).map(|schema| schema.columns.clone()).unwrap_or_default()
    }

    /// How many days a table keeps rows.
    pub fn retention_days(&self, table: &str) -> u32 {
        self.store.schema(table).map(|schema| schema.retention).unwrap_or_default().total_days
    }

    /// A builder for rows of a table as it is now.
    pub fn rows(&self, table: &str, options: Options) -> RowsBuilder {
        let mut columns = self.columns(table);
        if columns.is_empty() {
            columns = watchkeeper_store::STANDARD_COLUMNS.iter().map(|(name, ty)| Column::new(*name, *ty)).collect();
        }
        RowsBuilder::new(table, &columns, options)
    }

    /// Makes the tables and columns that the rows need, and stores the rows. When this returns `Ok` they are durable
    /// and can be queried.
    ///
    /// # Errors
    /// Nothing of the rows is then stored.
    pub async fn write(&self, mut tables: Vec<TableRows>, batch_id: Option<BatchId>) -> Result<Appended, IngestError> {
        for rows in &mut tables {
            self.describe(rows)?;
        }
        for rows in &tables {
            self.prepare(rows).await?;
        }
        let bytes: Vec<_> = tables.iter().map(|rows| (rows.table.clone(), rows.bytes)).collect();
        let tables = tables.into_iter().map(|rows| (rows.table, rows.batch)).collect();
        let appended = self.store.append(Append { tables, batch_id }).await?;
        if !appended.duplicate {
            let hour = Utc::now().timestamp_micros().div_euclid(HOUR) * HOUR;
            let mut usage = self.usage.lock();
            for (table, bytes) in bytes {
                *usage.entry((hour, table)).or_default() += bytes;
            }
        }
        Ok(appended)
    }

    /// Fills what is known of remote addresses.
    fn describe(&self, rows: &mut TableRows) -> Result<(), IngestError> {
        let Some(remotes) = self.remotes.get().filter(|_| rows.table == remote_ends::TABLE) else { return Ok(()) };
        let described = remote_ends::describe(&remotes.known(), &rows.batch)
            .map_err(|error| IngestError::Schema { table: rows.table.clone(), reason: error.to_string() })?;
        if let Some(batch) = described {
            rows.batch = batch;
        }
        Ok(())
    }

    /// Writes a row of `Operation`: what the server itself found.
    ///
    /// # Errors
    /// When it cannot be stored now.
    pub async fn note(&self, category: &str, status: &str, key: &str, detail: &str) -> Result<(), IngestError> {
        let mut rows = self.account("Operation", Utc::now());
        let cells = [
            ("OperationCategory", category),
            ("OperationStatus", status),
            ("OperationKey", key),
            ("Solution", "Watchkeeper"),
            ("Detail", detail),
        ];
        for (place, (column, value)) in cells.into_iter().enumerate() {
            let slot = rows.slot(place, column);
            rows.set(slot, column, Value::Text(value));
        }
        rows.end_row();
        self.write(vec![rows.finish()], None).await.map(|_| ())
    }

    async fn prepare(&self, rows: &TableRows) -> Result<(), IngestError> {
        match self.store.schema(&rows.table) {
            Some(_) if rows.new_columns.is_empty() => {}
            Some(_) => {
                self.store.add_columns(&rows.table, rows.new_columns.clone()).await?;
            }
            None => {
                let schema = TableSchema::new(&rows.table, rows.new_columns.iter().cloned())?;
                self.store.ensure_table(schema).await?;
            }
        }
        Ok(())
    }

    /// Counts data that was refused, for `Operation`. The detail must not differ from request to request more than
    /// the mistake does.
    pub fn refused(&self, solution: &'static str, table: &str, detail: impl Into<String>, count: u64) {
        let detail: String = detail.into().chars().take(1000).collect();
        tracing::warn!(solution, table, count, %detail, "data was refused");
        let mut refusals = self.refusals.lock();
        let refusal = Refusal { solution, table: table.chars().take(128).collect(), detail };
        if refusals.len() < REFUSALS_KEPT || refusals.contains_key(&refusal) {
            *refusals.entry(refusal).or_default() += count;
        }
    }

    /// Writes `Operation` rows for what was refused since the last time, and `Usage` rows for hours that are over
    /// (for all, when `all`).
    ///
    /// # Errors
    /// When they cannot be stored now; they are kept for the next time.
    pub async fn write_account(&self, now: DateTime<Utc>, all: bool) -> Result<(), IngestError> {
        let this_hour = now.timestamp_micros().div_euclid(HOUR) * HOUR;
        let refusals = std::mem::take(&mut *self.refusals.lock());
        let hours: Vec<_> = {
            let mut usage = self.usage.lock();
            let over: Vec<_> = usage.keys().filter(|(hour, _)| all || *hour < this_hour).cloned().collect();
            over.into_iter().filter_map(|key| usage.remove(&key).map(|bytes| (key, bytes))).collect()
        };
        let mut tables = Vec::new();
        if !refusals.is_empty() {
            tables.push(self.operation_rows(&refusals, now));
        }
        if !hours.is_empty() {
            tables.push(self.usage_rows(&hours, now));
        }
        if tables.is_empty() {
            return Ok(());
        }
        let tables = tables.into_iter().map(|rows| (rows.table, rows.batch)).collect();
        let stored = self.store.append(Append { tables, batch_id: None }).await;
        if let Err(error) = stored {
            let mut kept = self.refusals.lock();
            for (refusal, count) in refusals {
                *kept.entry(refusal).or_default() += count;
            }
            let mut usage = self.usage.lock();
            for (key, bytes) in hours {
                *usage.entry(key).or_default() += bytes;
            }
            return Err(error.into());
        }
        Ok(())
    }

    fn account(&self, table: &str, now: DateTime<Utc>) -> RowsBuilder {
        let options = Options {
            unknown: Unknown::Refuse,
            time: TimePolicy::Keep,
            field_bytes: usize::MAX,
            now: now.timestamp_micros(),
        };
        self.rows(table, options).with_source_system("Watchkeeper")
    }

    fn operation_rows(&self, refusals: &HashMap<Refusal, u64>, now: DateTime<Utc>) -> TableRows {
        let mut rows = self.account("Operation", now);
        for (refusal, count) in refusals {
            let detail = format!("{count} refused for {}: {}", refusal.table, refusal.detail);
            let cells = [
                ("OperationCategory", "Ingestion"),
                ("OperationStatus", "Warning"),
                ("OperationKey", refusal.table.as_str()),
                ("Solution", refusal.solution),
                ("Detail", detail.as_str()),
            ];
            for (place, (column, value)) in cells.into_iter().enumerate() {
                let slot = rows.slot(place, column);
                rows.set(slot, column, Value::Text(value));
            }
            rows.end_row();
        }
        rows.finish()
    }

    fn usage_rows(&self, hours: &[((i64, String), u64)], now: DateTime<Utc>) -> TableRows {
        let mut rows = self.account("Usage", now);
        for ((hour, table), bytes) in hours {
            let start = rfc3339(*hour);
            let end = rfc3339(hour + HOUR);
            let solution = standard_table(table).map_or("CustomLogs", |table| table.solution);
            let cells = [
                ("TimeGenerated", Value::Text(&start)),
                ("StartTime", Value::Text(&start)),
                ("EndTime", Value::Text(&end)),
                ("DataType", Value::Text(table)),
                ("Solution", Value::Text(solution)),
                ("Quantity", Value::Real(*bytes as f64 / MEGABYTE)),
                ("QuantityUnit", Value::Text("MBytes")),
                ("IsBillable", Value::Bool(!matches!(table.as_str(), "Usage" | "Operation" | "Heartbeat"))),
                ("ResourceUri", Value::Text(&self.workspace_id)),
            ];
            for (place, (column, value)) in cells.into_iter().enumerate() {
                let slot = rows.slot(place, column);
                rows.set(slot, column, value);
            }
            rows.end_row();
        }
        rows.finish()
    }

    /// Writes the account every minute until the future is dropped. The last one is for the caller to write, with
    /// [`Ingest::write_account`].
    pub async fn keep_account(&self) {
        let mut ticks = tokio::time::interval(OPERATION_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.write_account(Utc::now(), false).await {
                tracing::warn!(%error, "usage and refused data could not be written; they are kept for later");
            }
        }
    }
}

fn rfc3339(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap_or_default().to_rfc3339()
}

#[cfg(test)]
pub(crate) mod tests {
    use arrow::array::{AsArray, RecordBatch};
    use arrow::datatypes::Float64Type;

    use super::*;
    use crate::rows::json;

    pub(crate) async fn workspace() -> (tempfile::TempDir, Arc<Ingest>) {
        let dir = tempfile::tempdir().unwrap();
        let mut options = watchkeeper_store::StoreOptions::new(dir.path());
        options.tenant_id = "6f1c2d0e-9d7e-4a57-8b3e-0d2f6a1b4c5d".into();
        options.background = None;
        // a test must not depend on how full the disk is
        options.reserve_bytes = 0;
        let store = Store::open(options).await.unwrap();
        let ingest = Ingest::open(store, "6f1c2d0e-9d7e-4a57-8b3e-0d2f6a1b4c5d").await.unwrap();
        (dir, ingest)
    }

    /// All hot rows of a table as one batch.
    pub(crate) fn stored(ingest: &Ingest, table: &str) -> RecordBatch {
        let snapshot = ingest.store().snapshot(table).unwrap();
        let schema = watchkeeper_store::arrow_schema(&snapshot.schema);
        arrow::compute::concat_batches(&schema, snapshot.hot.iter()).unwrap()
    }

    pub(crate) fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
        batch[column].as_string_view().iter().map(|text| text.unwrap_or("<null>").to_owned()).collect()
    }

    fn options(unknown: Unknown) -> Options {
        let now = Utc::now().timestamp_micros();
        Options { unknown, time: TimePolicy::Recent, field_bytes: 1000, now }
    }

    #[tokio::test]
    async fn rows_of_a_new_table_can_be_read_with_every_standard_column() {
        let (_dir, ingest) = workspace().await;
        let mut rows = ingest.rows("App_CL", options(Unknown::Suffix)).with_source_system("RestAPI");
        json::read(br#"[{"text":"a","n":1},{"text":"b","n":2.5}]"#, &mut rows).unwrap();
        ingest.write(vec![rows.finish_whole().unwrap()], None).await.unwrap();
        let batch = stored(&ingest, "App_CL");
        assert_eq!(texts(&batch, "text_s"), ["a", "b"]);
        assert_eq!(batch["n_d"].as_primitive::<Float64Type>().values(), &[1.0, 2.5]);
        assert_eq!(texts(&batch, "Type"), ["App_CL", "App_CL"]);
        assert_eq!(texts(&batch, "TenantId")[0], "6f1c2d0e-9d7e-4a57-8b3e-0d2f6a1b4c5d");
        assert_eq!(texts(&batch, "SourceSystem")[0], "RestAPI");
        let ids = texts(&batch, "_ItemId");
        assert!(ids[0] != ids[1] && ids[0].len() == 36, "{ids:?}");
        for column in ["TimeGenerated", "_IngestionTime"] {
            assert_eq!(batch[column].null_count(), 0, "{column}");
        }
    }

    #[tokio::test]
    async fn a_batch_sent_twice_is_stored_and_counted_once() {
        let (_dir, ingest) = workspace().await;
        for expected in [false, true] {
            let mut rows = ingest.rows("App_CL", options(Unknown::Add));
            json::read(br#"{"text":"0123456789"}"#, &mut rows).unwrap();
            let id = BatchId::new("test", "1");
            let appended = ingest.write(vec![rows.finish_whole().unwrap()], Some(id)).await.unwrap();
            assert_eq!(appended.duplicate, expected);
        }
        assert_eq!(stored(&ingest, "App_CL").num_rows(), 1);
        ingest.write_account(Utc::now(), true).await.unwrap();
        let usage = stored(&ingest, "Usage");
        assert_eq!(texts(&usage, "DataType"), ["App_CL"]);
        assert_eq!(texts(&usage, "Solution"), ["CustomLogs"]);
        assert_eq!(texts(&usage, "QuantityUnit"), ["MBytes"]);
        assert_eq!(usage["Quantity"].as_primitive::<Float64Type>().value(0), 10.0 / 1e6);
    }

    #[tokio::test]
    async fn refused_data_becomes_one_operation_row_a_mistake() {
        let (_dir, ingest) = workspace().await;
        for _ in 0..3 {
            ingest.refused("DataCollector", "App_CL", "not a long", 2);
        }
        ingest.refused("OTLP", "OTelLogs", "other", 1);
        ingest.write_account(Utc::now(), false).await.unwrap();
        ingest.write_account(Utc::now(), false).await.unwrap();
        let operation = stored(&ingest, "Operation");
        let mut details = texts(&operation, "Detail");
        details.sort();
        assert_eq!(details, ["1 refused for OTelLogs: other", "6 refused for App_CL: not a long"]);
        assert_eq!(texts(&operation, "OperationStatus"), ["Warning", "Warning"]);
    }

    #[tokio::test]
    async fn a_column_that_changes_its_type_is_refused_whole() {
        let (_dir, ingest) = workspace().await;
        let mut rows = ingest.rows("App_CL", options(Unknown::Add));
        json::read(br#"{"a":1}"#, &mut rows).unwrap();
        let first = rows.finish_whole().unwrap();
        let mut rows = ingest.rows("App_CL", options(Unknown::Add));
        json::read(br#"{"a":"x"}"#, &mut rows).unwrap();
        let second = rows.finish_whole().unwrap();
        ingest.write(vec![first], None).await.unwrap();
        let error = ingest.write(vec![second], None).await.unwrap_err();
        assert!(error.is_refusal(), "{error}");
        assert!(error.to_string().contains("cannot become string"), "{error}");
        assert_eq!(stored(&ingest, "App_CL").num_rows(), 1);
    }
}
