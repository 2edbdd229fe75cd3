//! A rule over physical plans that keeps nodes which make many rows of few interruptible and small: after joins and
//! expansions the scheduler gets its turn (a query that nobody waits for ends there), and lists are made for a few rows
//! at a time.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{exec_datafusion_err, internal_err};
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::Projector;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::StreamExt;

/// Rows of the first slice whose lists are made.
const FIRST_SLICE: usize = 16;
/// Bytes of lists that a slice should give.
const SLICE_BYTES: usize = 4 << 20;
/// Rows of a slice at most.
const MAX_SLICE: usize = 8192;

/// Nodes that give more rows than they take.
const MULTIPLYING: [&str; 5] =
    ["HashJoinExec", "NestedLoopJoinExec", "CrossJoinExec", "SortMergeJoinExec", "UnnestExec"];

#[derive(Debug)]
pub(super) struct Bounded;

impl PhysicalOptimizerRule for Bounded {
    fn name(&self) -> &str {
        "Bounded"
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let result = plan.transform_up(|plan| {
            if MULTIPLYING.contains(&plan.name()) {
                return Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan)) as Arc<dyn ExecutionPlan>));
            }
            match plan.downcast_ref::<ProjectionExec>() {
                Some(projection) if makes_lists(projection)? => {
                    Ok(Transformed::yes(Arc::new(SlicedProjection::new(Arc::clone(&plan))?)))
                }
                _ => Ok(Transformed::no(plan)),
            }
        });
        result.map(|result| result.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn makes_lists(projection: &ProjectionExec) -> Result<bool> {
    let input = projection.input().schema();
    for item in projection.expr() {
        let is_column = item.expr.downcast_ref::<Column>().is_some();
        if !is_column && matches!(item.expr.data_type(&input)?, DataType::List(_)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A projection that works on slices of its batches; their size follows that of the lists.
#[derive(Debug)]
struct SlicedProjection {
    /// A [`ProjectionExec`].
    projection: Arc<dyn ExecutionPlan>,
    projector: Projector,
}

impl SlicedProjection {
    fn new(projection: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let Some(inner) = projection.downcast_ref::<ProjectionExec>() else {
            return internal_err!("a projection is expected, but this is {}", projection.name());
        };
        let input: Arc<Schema> = inner.input().schema();
        let projector = inner.projection_expr().make_projector(&input)?;
        Ok(Self { projection, projector })
    }
}

impl DisplayAs for SlicedProjection {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sliced")?;
        self.projection.fmt_as(format, f)
    }
}

impl ExecutionPlan for SlicedProjection {
    fn name(&self) -> &str {
        "SlicedProjectionExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.projection.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.projection.children()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.projection.maintains_input_order()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.projection.apply_expressions(f)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(child) = children.into_iter().next() else { return internal_err!("a projection without input") };
        let projection = ProjectionExec::try_new(self.projector.projection().iter().cloned(), child)?;
        Ok(Arc::new(Self::new(Arc::new(projection))?))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let children = self.projection.children();
        let input = children.first().ok_or_else(|| exec_datafusion_err!("a projection without input"))?;
        let stream = input.execute(partition, context)?;
        let projector = self.projector.clone();
        let slices = futures::stream::unfold((stream, None::<Slices>), move |(mut stream, mut current)| {
            let projector = projector.clone();
            async move {
                loop {
                    if let Some(slices) = current.as_mut()
                        && let Some(next) = slices.next(&projector)
                    {
                        return Some((next, (stream, current)));
                    }
                    let rows = current.as_ref().map_or(FIRST_SLICE, |slices| slices.rows);
                    match stream.next().await? {
                        Ok(batch) => current = Some(Slices { batch, at: 0, rows }),
                        Err(error) => return Some((Err(error), (stream, current))),
                    }
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), slices)))
    }
}

struct Slices {
    batch: RecordBatch,
    at: usize,
    rows: usize,
}

impl Slices {
    fn next(&mut self, projector: &Projector) -> Option<Result<RecordBatch>> {
        let left = self.batch.num_rows() - self.at;
        if left == 0 {
            return None;
        }
        let slice = self.batch.slice(self.at, left.min(self.rows));
        self.at += slice.num_rows();
        let result = projector.project_batch(&slice);
        if let Ok(made) = &result {
            let per_row = (list_bytes(made) / slice.num_rows()).max(1);
            // lists may be of very different lengths: growth is slow, shrinking is not
            self.rows = (SLICE_BYTES / per_row).clamp(1, (self.rows * 4).min(MAX_SLICE));
        }
        Some(result)
    }
}

fn list_bytes(batch: &RecordBatch) -> usize {
    let lists = batch.columns().iter().filter(|column| matches!(column.data_type(), DataType::List(_)));
    lists.map(|list| list.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}
