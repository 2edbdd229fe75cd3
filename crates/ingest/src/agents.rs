//! Batches of agents: columns of the agent protocol become Arrow columns, and are stored under the sender's sequence.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::Schema;
use async_trait::async_trait;
use watchkeeper_kql::{Column, Type};
use watchkeeper_management::{AgentIdentity, AgentSink, SinkError};
use watchkeeper_store::{BatchId, storage_field};
use watchkeeper_wire::{Batch, Table, Values};

use crate::error::IngestError;
use crate::rows::TableRows;
use crate::rows::item_ids;
use crate::writer::Ingest;

const SOLUTION: &str = "Agent";

#[async_trait]
impl AgentSink for Ingest {
    async fn accept(&self, agent: &AgentIdentity, batch: Batch) -> Result<(), SinkError> {
        let id = BatchId::new(agent.sender(), batch.sequence.to_string());
        let mut tables = Vec::with_capacity(batch.tables.len());
        for table in batch.tables.into_iter().filter(|table| table.rows > 0) {
            let name = table.name.clone();
            let count = u64::from(table.rows);
            tables.push(self.table_rows(table).map_err(|error| self.refuse(&name, count, &error))?);
        }
        // a batch without rows is remembered nowhere and needs no place
        if tables.is_empty() {
            return Ok(());
        }
        let first = tables[0].table.clone();
        let count = tables.iter().map(|rows| rows.batch.num_rows() as u64).sum();
        match self.write(tables, Some(id)).await {
            Ok(_) => Ok(()),
            Err(IngestError::BackPressure { retry_after }) => Err(SinkError::BackPressure { retry_after }),
            Err(IngestError::Unavailable { reason }) => Err(SinkError::Unavailable { reason }),
            Err(error) => Err(self.refuse(&first, count, &error)),
        }
    }
}

impl Ingest {
    fn refuse(&self, table: &str, count: u64, error: &IngestError) -> SinkError {
        self.refused(SOLUTION, table, error.to_string(), count);
        SinkError::Refused { reason: error.to_string() }
    }

    /// A table of the protocol in the stored form. Tables and columns that are not there yet are made.
    fn table_rows(&self, table: Table) -> Result<TableRows, IngestError> {
        let known = self.store().schema(&table.name);
        let rows = table.rows as usize;
        let mut new_columns = Vec::new();
        let mut fields = Vec::with_capacity(table.columns.len() + 1);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(table.columns.len() + 1);
        let mut bytes = 0;
        for column in table.columns {
            let nulls = nulls(&column.nulls, rows);
            let Some(values) = column.values else { continue };
            let wanted =
                known.as_ref().and_then(|schema| schema.columns.iter().find(|known| known.name == column.name));
            let ty = type_of(&values);
            // an agent sends texts where the table has a more special text
            let ty = match wanted.map(|wanted| wanted.ty) {
                Some(Type::String) if matches!(ty, Type::Guid | Type::Dynamic) => Type::String,
                _ => ty,
            };
            let described = Column::new(&column.name, ty);
            if let Some(wanted) = wanted
                && wanted.ty != ty
            {
                let reason = format!("column {} is {}, the agent sent {ty}", column.name, wanted.ty);
                return Err(IngestError::Schema { table: table.name, reason });
            }
            if wanted.is_none() {
                new_columns.push(described.clone());
            }
            let (array, size) = array(values, nulls, ty);
            if array.len() != rows {
                let reason = format!("column {} has {} values for {rows} rows", column.name, array.len());
                return Err(IngestError::Schema { table: table.name, reason });
            }
            bytes += size;
            if column.name == "_ItemId" {
                continue;
            }
            fields.push(storage_field(&described));
            arrays.push(array);
        }
        fields.push(storage_field(&Column::new("_ItemId", Type::String)));
        arrays.push(item_ids(rows));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|error| IngestError::Schema { table: table.name.clone(), reason: error.to_string() })?;
        Ok(TableRows { table: table.name, new_columns, batch, bytes })
    }
}

fn type_of(values: &Values) -> Type {
    match values {
        Values::Bools(_) => Type::Bool,
        Values::Ints(_) => Type::Int,
        Values::Longs(_) => Type::Long,
        Values::Reals(_) => Type::Real,
        Values::Strings(_) => Type::String,
        Values::Datetimes(_) => Type::Datetime,
        Values::Timespans(_) => Type::Timespan,
        Values::Dynamics(_) => Type::Dynamic,
        Values::Guids(_) => Type::Guid,
    }
}

/// Bit i set in the protocol: row i is null; Arrow has the opposite.
fn nulls(bitmap: &[u8], rows: usize) -> Option<NullBuffer> {
    if bitmap.is_empty() {
        return None;
    }
    let valid: Vec<u8> = bitmap.iter().map(|byte| !byte).collect();
    let rows = rows.min(valid.len() * 8);
    Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(valid), 0, rows)))
}

fn array(values: Values, nulls: Option<NullBuffer>, ty: Type) -> (ArrayRef, u64) {
    let nulls = nulls.filter(|nulls| nulls.len() == values.len());
    match values {
        Values::Bools(holder) => {
            let size = holder.values.len() as u64;
            (Arc::new(BooleanArray::new(holder.values.into(), nulls)), size)
        }
        Values::Ints(holder) => {
            let size = 4 * holder.values.len() as u64;
            (Arc::new(Int32Array::new(holder.values.into(), nulls)), size)
        }
        Values::Longs(holder) | Values::Timespans(holder) => {
            let size = 8 * holder.values.len() as u64;
            (Arc::new(Int64Array::new(holder.values.into(), nulls)), size)
        }
        Values::Datetimes(holder) => {
            let size = 8 * holder.values.len() as u64;
            (Arc::new(TimestampMicrosecondArray::new(holder.values.into(), nulls).with_timezone("UTC")), size)
        }
        Values::Reals(holder) => {
            let size = 8 * holder.values.len() as u64;
            (Arc::new(Float64Array::new(holder.values.into(), nulls)), size)
        }
        Values::Strings(holder) | Values::Dynamics(holder) | Values::Guids(holder) => {
            let size = holder.values.iter().map(|text| text.len() as u64).sum();
            let array: StringViewArray = match nulls.filter(|_| ty != Type::String) {
                None => StringViewArray::from_iter_values(holder.values),
                Some(nulls) => {
                    let valid = nulls.iter();
                    holder.values.into_iter().zip(valid).map(|(text, valid)| valid.then_some(text)).collect()
                }
            };
            (Arc::new(array), size)
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
    use watchkeeper_wire::TableBuilder;

    use super::*;
    use crate::writer::tests::{stored, texts, workspace};

    fn agent() -> AgentIdentity {
        AgentIdentity { agent_id: "a1".into(), computer: "host".into(), queue: "q1".into() }
    }

    fn heartbeat(computer: &str) -> Table {
        let mut table = TableBuilder::new("Heartbeat");
        table
            .row()
            .datetime("TimeGenerated", 1_700_000_000_000_000)
            .string("Computer", computer)
            .bool("IsGatewayInstalled", false)
            .dynamic("ComputerPrivateIPs", "[\"10.0.0.1\"]")
            .string("SourceSystem", "OpsManager");
        table.finish()
    }

    #[tokio::test]
    async fn a_batch_is_stored_once_and_its_old_time_is_kept() {
        let (_dir, ingest) = workspace().await;
        for _ in 0..2 {
            ingest.accept(&agent(), Batch { sequence: 7, tables: vec![heartbeat("host")] }).await.unwrap();
        }
        let other = AgentIdentity { queue: "q2".into(), ..agent() };
        ingest.accept(&other, Batch { sequence: 7, tables: vec![heartbeat("other")] }).await.unwrap();
        let batch = stored(&ingest, "Heartbeat");
        assert_eq!(texts(&batch, "Computer"), ["host", "other"]);
        assert_eq!(texts(&batch, "ComputerPrivateIPs")[0], "[\"10.0.0.1\"]");
        let times = batch["TimeGenerated"].as_primitive::<TimestampMicrosecondType>();
        assert_eq!(times.value(0), 1_700_000_000_000_000);
    }

    #[tokio::test]
    async fn nulls_stay_nulls_and_unknown_columns_are_added() {
        let (_dir, ingest) = workspace().await;
        let mut table = TableBuilder::new("App_CL");
        table.row().long("n", 1).string("s", "x").guid("g", "6f1c2d0e-9d7e-4a57-8b3e-0d2f6a1b4c5d");
        table.row().timespan("t", 5);
        ingest.accept(&agent(), Batch { sequence: 1, tables: vec![table.finish()] }).await.unwrap();
        let batch = stored(&ingest, "App_CL");
        assert_eq!(batch["n"].as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), None]);
        assert_eq!(texts(&batch, "s"), ["x", ""]);
        assert!(batch["g"].is_null(1) && batch["t"].is_null(0));
    }

    #[tokio::test]
    async fn a_wrong_type_refuses_the_batch_with_table_and_column() {
        let (_dir, ingest) = workspace().await;
        let mut table = TableBuilder::new("Heartbeat");
        table.row().long("Computer", 1);
        let tables = vec![heartbeat("host"), table.finish()];
        let error = ingest.accept(&agent(), Batch { sequence: 1, tables }).await.unwrap_err();
        assert!(matches!(error, SinkError::Refused { .. }));
        assert!(error.to_string().contains("column Computer is string, the agent sent long"), "{error}");
        assert_eq!(stored(&ingest, "Heartbeat").num_rows(), 0);
    }
}
