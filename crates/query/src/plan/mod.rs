//! From the typed tree to DataFusion logical plans, one file for each group of operators.
//!
//! Columns whose name begins with `$` are the planner's own: `$o…` carry the order asked for by `sort` to where it is
//! needed (a `take`, a window function, the result), `$g…` the row or group in whose body an operator runs
//! (`mv-apply`, `partition`). Operators hand them on; the result drops them.

mod activity;
mod aggregate;
mod evaluate;
mod expand;
mod expr;
mod graph;
mod join;
mod order;
mod parse;
mod relation;
mod segments;
mod sequences;
mod series;
mod source;
mod whole;
mod window;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::common::{Column, ScalarValue};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::{Expr as DfExpr, LogicalPlan, LogicalPlanBuilder};
use watchkeeper_kql::typed::{Expr, Relation, SharedId};
use watchkeeper_kql::{Schema, Ticks};

use crate::error::QueryError;
use crate::tables::Tables;

pub use evaluate::discovery;
pub use order::OrderKey;

/// Rows that were computed before the plan was made.
#[derive(Debug, Clone)]
pub struct Stored {
    pub schema: Schema,
    pub batches: Vec<RecordBatch>,
}

/// What had to run before planning: by the address of its node in the typed tree, which does not move meanwhile.
#[derive(Default)]
pub struct Resolved {
    /// `toscalar(…)`: its value.
    pub scalars: HashMap<usize, ScalarValue>,
    /// `in (relation)`: the distinct values.
    pub sets: HashMap<usize, Vec<ScalarValue>>,
    /// Operators whose result was computed already (plugins, relations of unknown columns).
    pub stored: HashMap<usize, Stored>,
    pub shared: HashMap<SharedId, Stored>,
    /// `make-series` without written limits: the smallest and largest value of its axis.
    pub limits: HashMap<usize, (ScalarValue, ScalarValue)>,
}

/// The address of a node, as key of [`Resolved`].
pub fn key<T>(node: &T) -> usize {
    std::ptr::from_ref(node) as usize
}

/// A plan with what the planner knows about its rows.
#[derive(Debug, Clone)]
pub struct Planned {
    pub plan: LogicalPlan,
    /// The order that `sort` asked for and that nothing undid since; not yet part of the plan.
    pub order: Vec<OrderKey>,
    /// The planner's columns that identify the group in whose body this runs.
    pub groups: Vec<String>,
    /// Other columns of the enclosing row, by outer name: hidden name.
    pub outer: Vec<(String, String)>,
}

impl Planned {
    pub fn new(plan: LogicalPlan) -> Planned {
        Planned { plan, order: Vec::new(), groups: Vec::new(), outer: Vec::new() }
    }

    /// The hidden columns that each operator hands on.
    pub fn hidden(&self) -> Vec<String> {
        let order = self.order.iter().map(|key| key.column.clone());
        let outer = self.outer.iter().map(|(_, hidden)| hidden.clone());
        order.chain(self.groups.iter().cloned()).chain(outer).collect()
    }

    /// The same knowledge about another plan that has the hidden columns too.
    pub fn with_plan(&self, plan: LogicalPlan) -> Planned {
        Planned { plan, order: self.order.clone(), groups: self.groups.clone(), outer: self.outer.clone() }
    }

    pub fn builder(&self) -> LogicalPlanBuilder {
        LogicalPlanBuilder::from(self.plan.clone())
    }
}

/// A column by its exact name; never parsed, so that dots, spaces and capitals are kept.
pub fn column(name: &str) -> DfExpr {
    DfExpr::Column(Column::new_unqualified(name))
}

/// Plans one query. Made new for each, since `now()` is one instant per query.
pub struct Planner<'a> {
    pub tables: &'a dyn Tables,
    pub now: Ticks,
    pub resolved: &'a Resolved,
    /// Restricts the `TimeGenerated` of every table: from inclusive, to exclusive.
    pub timespan: Option<crate::engine::TimeRange>,
    next_name: Cell<usize>,
}

impl<'a> Planner<'a> {
    pub fn new(tables: &'a dyn Tables, request: &crate::engine::Request, resolved: &'a Resolved) -> Planner<'a> {
        Planner { tables, now: request.now, resolved, timespan: request.timespan, next_name: Cell::new(0) }
    }

    /// The plan of a result: in its order, with exactly the columns of its schema.
    pub fn result(&self, relation: &Relation) -> Result<LogicalPlan, QueryError> {
        let planned = order::applied(self.relation(relation, None)?)?;
        let columns = relation.schema.names().map(|name| column(name).alias(name));
        Ok(planned.builder().project(columns)?.build()?)
    }

    /// A name for a column of the planner's own.
    fn fresh(&self, prefix: &str) -> String {
        let number = self.next_name.get();
        self.next_name.set(number + 1);
        format!("${prefix}{number}")
    }

    /// The value of an expression without columns.
    fn constant(&self, expr: &Expr) -> Result<ScalarValue, QueryError> {
        let logical = self.expr(expr, &Scope::default())?;
        constant(&logical)
    }

    /// A count of rows, as `take`, `top` and `limit` have.
    fn count(&self, expr: &Expr) -> Result<usize, QueryError> {
        let value = self.constant(expr)?;
        let number = match &value {
            ScalarValue::Int64(Some(number)) => Some(*number),
            ScalarValue::Int32(Some(number)) => Some(i64::from(*number)),
            ScalarValue::Float64(Some(number)) => Some(*number as i64),
            _ => None,
        };
        match number {
            Some(number) => Ok(usize::try_from(number).unwrap_or(0)),
            None => Err(QueryError::execution(format!("`{value}` is not a number of rows"))),
        }
    }
}

/// Evaluates a logical expression that has no columns.
pub fn constant(expr: &DfExpr) -> Result<ScalarValue, QueryError> {
    use datafusion::common::DFSchema;
    use datafusion::logical_expr::ColumnarValue;
    use datafusion::optimizer::simplify_expressions::{ExprSimplifier, SimplifyContext};
    if let DfExpr::Literal(value, _) = expr {
        return Ok(value.clone());
    }
    let schema = Arc::new(DFSchema::empty());
    let simplifier = ExprSimplifier::new(SimplifyContext::builder().with_schema(Arc::clone(&schema)).build());
    let coerced = simplifier.coerce(expr.clone(), &schema)?;
    let physical = datafusion::physical_expr::create_physical_expr(
        &coerced,
        &schema,
        &ExecutionProps::new(),
        &datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext::default(),
    )?;
    let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(1));
    let batch = RecordBatch::try_new_with_options(Arc::new(arrow::datatypes::Schema::empty()), vec![], &options)
        .map_err(|error| QueryError::execution(format!("a constant could not be computed: {error}")))?;
    Ok(match physical.evaluate(&batch)? {
        ColumnarValue::Scalar(value) => value,
        ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0)?,
    })
}

/// What the columns of an expression may refer to beside the operator's input.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Columns of the enclosing row of `mv-apply`, by name: the hidden column that carries them.
    pub outer: Vec<(String, String)>,
    /// Window calls that an earlier step computed, by the address of the call: the column with the value.
    pub windows: HashMap<usize, String>,
    /// `step.column` is a column of that name (in `scan` and in graph patterns).
    pub elements: bool,
    /// Aggregates that the aggregation below computes, by the address of the call.
    pub aggregates: HashMap<usize, DfExpr>,
}
