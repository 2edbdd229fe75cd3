//! Expressions that a [`super::Work`] computes itself, over columns it puts together.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::Expr as DfExpr;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::optimizer::simplify_expressions::{ExprSimplifier, SimplifyContext};
use datafusion::physical_expr::PhysicalExpr;

/// An expression over columns in a known order.
#[derive(Debug, Clone)]
pub struct Compiled {
    physical: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
}

impl Compiled {
    /// `columns` are all that the expression may name.
    pub fn new(expr: &DfExpr, columns: &[(String, DataType)]) -> Result<Compiled> {
        let fields: Vec<Field> = columns.iter().map(|(name, ty)| Field::new(name, ty.clone(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let named = Arc::new(DFSchema::try_from(Arc::clone(&schema))?);
        let simplifier = ExprSimplifier::new(SimplifyContext::builder().with_schema(Arc::clone(&named)).build());
        let coerced = simplifier.coerce(expr.clone(), &named)?;
        let physical = datafusion::physical_expr::create_physical_expr(
            &coerced,
            &named,
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        )?;
        Ok(Compiled { physical, schema })
    }

    /// The value in each of `rows` rows; `arrays` are the columns in their order.
    pub fn values(&self, arrays: Vec<ArrayRef>, rows: usize) -> Result<ArrayRef> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?;
        self.physical.evaluate(&batch)?.into_array(rows)
    }
}
