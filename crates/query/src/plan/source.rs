//! Where rows come from: tables, constant rows, `print`, `range`, rows computed before.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use watchkeeper_kql::typed::{Expr, NamedExpr, TableSource};
use watchkeeper_kql::{Literal, Schema, Type};

use super::order::OrderKey;
use super::{Planned, Planner, Scope, Stored, column, expr};
use crate::error::QueryError;
use crate::runtime::{arrow_schema, arrow_type, scalar};

/// Rows of one batch that `range` makes at a time.
const RANGE_BATCH: usize = 8192;

impl Planner<'_> {
    pub(super) fn table(&self, name: &str, source: &TableSource, schema: &Schema) -> Result<Planned, QueryError> {
        let provider = self.tables.provider(source, name)?;
        let planned = scan(name, provider, schema)?;
        let (Some(range), Some(time)) = (self.timespan, schema.get("TimeGenerated")) else { return Ok(planned) };
        if time.ty != Type::Datetime {
            return Ok(planned);
        }
        let inside = column("TimeGenerated").gt_eq(lit(range.from.0)).and(column("TimeGenerated").lt(lit(range.to.0)));
        let plan = planned.builder().filter(inside)?.build()?;
        Ok(planned.with_plan(plan))
    }

    pub(super) fn stored(&self, stored: &Stored) -> Result<Planned, QueryError> {
        let schema = arrow_schema(&stored.schema);
        let batches = stored.batches.iter().map(|batch| renamed(batch, &schema)).collect::<Result<Vec<_>, _>>()?;
        let provider = MemTable::try_new(schema, vec![batches])?;
        scan(&self.fresh("rows"), Arc::new(provider), &stored.schema)
    }

    /// Constant rows keep the order in which they are written.
    pub(super) fn datatable(&self, schema: &Schema, rows: &[Vec<Literal>]) -> Result<Planned, QueryError> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(schema.columns.len() + 1);
        for (at, field) in schema.columns.iter().enumerate() {
            let mut values = Vec::with_capacity(rows.len());
            for row in rows {
                let literal = row.get(at).ok_or_else(|| {
                    QueryError::execution(format!("a row of the datatable has no value for column {}", field.name))
                })?;
                values.push(scalar(literal)?);
            }
            arrays.push(match values.is_empty() {
                true => arrow::array::new_empty_array(&arrow_type(field.ty)),
                false => ScalarValue::iter_to_array(values)?,
            });
        }
        let position = self.fresh("o");
        arrays.push(Arc::new(Int64Array::from_iter_values(0..rows.len() as i64)));
        let mut with_position = schema.clone();
        with_position.columns.push(watchkeeper_kql::Column::new(&position, Type::Long));
        let arrow = arrow_schema(&with_position);
        let batch = RecordBatch::try_new(Arc::clone(&arrow), arrays)
            .map_err(|error| QueryError::execution(format!("the datatable does not fit its columns: {error}")))?;
        let provider = MemTable::try_new(arrow, vec![vec![batch]])?;
        let planned = scan(&self.fresh("rows"), Arc::new(provider), &with_position)?;
        Ok(Planned { order: vec![OrderKey { column: position, descending: false, nulls_first: false }], ..planned })
    }

    pub(super) fn print(&self, columns: &[NamedExpr]) -> Result<Planned, QueryError> {
        let scope = Scope::default();
        let list = columns
            .iter()
            .map(|named| Ok(self.expr(&named.expr, &scope)?.alias(&named.name)))
            .collect::<Result<Vec<_>, QueryError>>()?;
        Ok(Planned::new(LogicalPlanBuilder::empty(true).project(list)?.build()?))
    }

    pub(super) fn range(&self, schema: &Schema, from: &Expr, to: &Expr, step: &Expr) -> Result<Planned, QueryError> {
        let Some(output) = schema.columns.first() else {
            return Err(QueryError::execution("range needs a column"));
        };
        let ty = arrow_type(output.ty);
        let bound = |expr: &Expr| -> Result<ScalarValue, QueryError> {
            let value = self.constant(expr)?;
            value.cast_to(&ty).map_err(QueryError::from)
        };
        let values = match (bound(from)?, bound(to)?, bound(step)?) {
            (ScalarValue::Int64(Some(from)), ScalarValue::Int64(Some(to)), ScalarValue::Int64(Some(step))) => {
                Steps::Integers { from, to, step }
            }
            (ScalarValue::Int32(Some(from)), ScalarValue::Int32(Some(to)), ScalarValue::Int32(Some(step))) => {
                Steps::Integers { from: i64::from(from), to: i64::from(to), step: i64::from(step) }
            }
            (ScalarValue::Float64(Some(from)), ScalarValue::Float64(Some(to)), ScalarValue::Float64(Some(step))) => {
                Steps::Reals { from, to, step }
            }
            (from, to, step) => {
                return Err(QueryError::execution(format!("range cannot go from {from} to {to} by {step}")));
            }
        };
        values.check()?;
        let arrow = arrow_schema(schema);
        let stream = RangeStream { schema: Arc::clone(&arrow), values };
        let descending = values.descending();
        let ordering = column(&output.name).sort(!descending, false);
        let provider = StreamingTable::try_new(arrow, vec![Arc::new(stream)])?.with_sort_order(vec![ordering]);
        let planned = scan(&self.fresh("range"), Arc::new(provider), schema)?;
        let name = self.fresh("o");
        let plan = super::order::with_column(&planned.plan, column(&output.name), &name)?;
        Ok(Planned { order: vec![OrderKey { column: name, descending, nulls_first: false }], ..Planned::new(plan) })
    }

    /// No rows, with the columns of a schema.
    pub(super) fn nothing(&self, schema: &Schema) -> Result<Planned, QueryError> {
        let columns = schema.columns.iter().map(|c| Ok(lit(crate::runtime::null_of(c.ty)).alias(&c.name)));
        let columns = columns.collect::<Result<Vec<_>, QueryError>>()?;
        let plan = LogicalPlanBuilder::empty(true).project(columns)?.filter(lit(false))?.build()?;
        Ok(Planned::new(plan))
    }
}

/// A scan of a named table whose columns carry no table name, so that a join of a table with itself is plain.
fn scan(name: &str, provider: Arc<dyn TableProvider>, schema: &Schema) -> Result<Planned, QueryError> {
    let reference = datafusion::common::TableReference::bare(name);
    let scan = LogicalPlanBuilder::scan(reference, expr::provider_source(provider), None)?;
    let columns: Vec<_> = schema.names().map(|name| column(name).alias(name)).collect();
    let plan: LogicalPlan = scan.project(columns)?.build()?;
    Ok(Planned::new(plan))
}

fn renamed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, QueryError> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &options)
        .map_err(|error| QueryError::execution(format!("stored rows do not fit their columns: {error}")))
}

/// The values of a `range`, made as they are read.
#[derive(Debug, Clone, Copy)]
enum Steps {
    Integers { from: i64, to: i64, step: i64 },
    Reals { from: f64, to: f64, step: f64 },
}

impl Steps {
    fn check(&self) -> Result<(), QueryError> {
        let stands = match self {
            Steps::Integers { step, .. } => *step == 0,
            Steps::Reals { step, .. } => *step == 0.0 || step.is_nan(),
        };
        if stands { Err(QueryError::execution("the step of range must not be zero")) } else { Ok(()) }
    }

    fn descending(&self) -> bool {
        match self {
            Steps::Integers { step, .. } => *step < 0,
            Steps::Reals { step, .. } => *step < 0.0,
        }
    }

    /// The values from the `skip`th on, at most one batch of them.
    fn batch(&self, skip: u64, ty: &arrow::datatypes::DataType) -> Option<ArrayRef> {
        match *self {
            Steps::Integers { from, to, step } => {
                let mut values = Vec::new();
                let mut next = i128::from(from) + i128::from(step) * i128::from(skip);
                let inside = |value: i128| {
                    if step > 0 { value <= i128::from(to) } else { value >= i128::from(to) }
                };
                while values.len() < RANGE_BATCH && inside(next) {
                    values.push(next as i64);
                    next += i128::from(step);
                }
                let full: Option<ArrayRef> = (!values.is_empty()).then(|| match ty {
                    arrow::datatypes::DataType::Int32 => {
                        Arc::new(Int32Array::from_iter_values(values.iter().map(|value| *value as i32))) as ArrayRef
                    }
                    _ => Arc::new(Int64Array::from(values)) as ArrayRef,
                });
                full
            }
            Steps::Reals { from, to, step } => {
                let mut values = Vec::new();
                let mut at = skip;
                loop {
                    let value = from + step * at as f64;
                    let inside = if step > 0.0 { value <= to } else { value >= to };
                    if values.len() == RANGE_BATCH || !inside {
                        break;
                    }
                    values.push(value);
                    at += 1;
                }
                (!values.is_empty()).then(|| Arc::new(Float64Array::from(values)) as ArrayRef)
            }
        }
    }
}

#[derive(Debug)]
struct RangeStream {
    schema: SchemaRef,
    values: Steps,
}

impl PartitionStream for RangeStream {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let values = self.values;
        let mut skip = 0_u64;
        let batches = std::iter::from_fn(move || {
            let array = values.batch(skip, schema.field(0).data_type())?;
            skip += array.len() as u64;
            Some(RecordBatch::try_new(Arc::clone(&schema), vec![array]).map_err(Into::into))
        });
        let stream = futures::stream::iter(batches);
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream))
    }
}
