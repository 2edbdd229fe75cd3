//! A [`Work`] as a node of DataFusion's plans: it reads its inputs to their end, the first in the order asked for, and
//! runs the work once, or once for each group of a body.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{ArrayRef, Int64Array, UInt32Array};
use arrow::compute::{SortOptions, concat_batches, take, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchemaRef, ScalarValue, exec_datafusion_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, OrderingRequirements, Partitioning, PhysicalExpr,
    PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    SendableRecordBatchStream,
};
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use futures::{StreamExt, TryStreamExt};

use super::{Room, Work, column, key_of};
use crate::engine::size::Held;
use crate::plan::OrderKey;

/// Rows that are handed on at a time.
const BATCH: usize = 8192;

/// What a node does beside its inputs.
#[derive(Debug, Clone)]
pub struct What {
    pub work: Arc<dyn Work>,
    /// The order of the first input.
    pub order: Vec<OrderKey>,
    /// Hidden columns that tell groups apart.
    pub groups: Vec<String>,
    /// Further hidden columns, constant within a group.
    pub carried: Vec<String>,
}

/// The logical node. Its columns: those of the work, groups, carried ones, the number of the row.
#[derive(Debug, Clone)]
pub struct WholeNode {
    inputs: Vec<LogicalPlan>,
    schema: DFSchemaRef,
    what: What,
}

impl WholeNode {
    pub fn plan(inputs: Vec<LogicalPlan>, schema: DFSchemaRef, what: What) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(WholeNode { inputs, schema, what }) })
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(&self.what.work).cast::<()>() as usize
    }
}

impl PartialEq for WholeNode {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity() && self.inputs == other.inputs
    }
}

impl Eq for WholeNode {}

impl Hash for WholeNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
        self.inputs.hash(state);
    }
}

impl PartialOrd for WholeNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for WholeNode {
    fn name(&self) -> &str {
        self.what.work.name()
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Whole: {}", self.what.work.name())
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        Ok(WholeNode { inputs, ..self.clone() })
    }
}

/// Plans queries with the nodes of this module.
#[derive(Debug)]
pub struct WholePlanner;

#[async_trait]
impl QueryPlanner for WholePlanner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(WholePlanner)]);
        planner.create_physical_plan(logical_plan, session).await
    }
}

#[async_trait]
impl ExtensionPlanner for WholePlanner {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<WholeNode>() else { return Ok(None) };
        let schema: SchemaRef = Arc::clone(node.schema.inner());
        Ok(Some(Arc::new(WholeExec::new(physical_inputs.to_vec(), schema, node.what.clone()))))
    }
}

#[derive(Debug)]
struct WholeExec {
    children: Vec<Arc<dyn ExecutionPlan>>,
    schema: SchemaRef,
    what: What,
    properties: Arc<PlanProperties>,
}

impl WholeExec {
    fn new(children: Vec<Arc<dyn ExecutionPlan>>, schema: SchemaRef, what: What) -> WholeExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        WholeExec { children, schema, what, properties: Arc::new(properties) }
    }
}

impl DisplayAs for WholeExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WholeExec: {}", self.what.work.name())
    }
}

impl ExecutionPlan for WholeExec {
    fn name(&self) -> &str {
        "WholeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition; self.children.len()])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        let mut required = vec![None; self.children.len()];
        let Some(first) = self.children.first() else { return required };
        let keys = self.what.order.iter().filter_map(|key| {
            let column = Column::new_with_schema(&key.column, &first.schema()).ok()?;
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            Some(PhysicalSortExpr::new(Arc::new(column), options))
        });
        required[0] = LexOrdering::new(keys.collect::<Vec<_>>()).map(OrderingRequirements::from);
        required
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.children.iter().collect()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(WholeExec::new(children, Arc::clone(&self.schema), self.what.clone())))
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let streams =
            self.children.iter().map(|child| child.execute(0, Arc::clone(&context))).collect::<Result<Vec<_>>>()?;
        let memory = MemoryConsumer::new(self.what.work.name()).register(context.memory_pool());
        let (what, schema) = (self.what.clone(), Arc::clone(&self.schema));
        let result = async move {
            let guard = StopOnDrop(Arc::new(AtomicBool::new(false)));
            let room = Room::new(Arc::clone(&guard.0), memory);
            let mut held = Held::default();
            let mut inputs = Vec::with_capacity(streams.len());
            for mut stream in streams {
                let mut batches = Vec::new();
                while let Some(batch) = stream.next().await {
                    let batch = batch?;
                    room.grow(held.add(&batch))?;
                    batches.push(batch);
                }
                inputs.push(concat_batches(&stream.schema(), &batches)?);
            }
            let running = tokio::task::spawn_blocking(move || output(&what, &inputs, &schema, &room));
            let batch = running.await.map_err(|error| exec_datafusion_err!("a step ended abnormally: {error}"))??;
            drop(guard);
            let parts = (0..batch.num_rows()).step_by(BATCH).map(move |at| {
                let part: Result<RecordBatch> = Ok(batch.slice(at, BATCH.min(batch.num_rows() - at)));
                part
            });
            Ok::<_, DataFusionError>(futures::stream::iter(parts))
        };
        let stream = futures::stream::once(result).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream)))
    }
}

/// Tells the work that nobody waits for it any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// The whole output.
fn output(what: &What, inputs: &[RecordBatch], schema: &SchemaRef, room: &Room) -> Result<RecordBatch> {
    let Some((first, others)) = inputs.split_first() else { return Ok(RecordBatch::new_empty(Arc::clone(schema))) };
    if what.groups.is_empty() {
        return finished(what.work.run(inputs, room)?, &[], first, schema, 0);
    }
    let keys = what.groups.iter().map(|name| column(first, name).cloned()).collect::<Result<Vec<ArrayRef>>>()?;
    let mut rows: HashMap<Vec<ScalarValue>, usize> = HashMap::new();
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for row in 0..first.num_rows() {
        let next = groups.len();
        let group = *rows.entry(key_of(&keys, row)?).or_insert(next);
        if group == next {
            groups.push(Vec::new());
        }
        groups[group].push(row as u32);
    }
    let hidden: Vec<&String> = what.groups.iter().chain(&what.carried).collect();
    let mut parts = Vec::new();
    let mut number = 0;
    for group in groups {
        room.check()?;
        let own = take_record_batch(first, &UInt32Array::from(group))?;
        let mut group_inputs = vec![own];
        group_inputs.extend(others.iter().cloned());
        let columns = what.work.run(&group_inputs, room)?;
        let part = finished(columns, &hidden, &group_inputs[0], schema, number)?;
        number += part.num_rows() as i64;
        parts.push(part);
    }
    Ok(concat_batches(schema, &parts)?)
}

/// The work's columns, then the hidden ones, then the number of the row.
fn finished(
    mut columns: Vec<ArrayRef>,
    hidden: &[&String],
    input: &RecordBatch,
    schema: &SchemaRef,
    from: i64,
) -> Result<RecordBatch> {
    let rows = columns.first().map_or(0, |array| array.len());
    let first_row = UInt32Array::from(vec![0_u32; rows]);
    for name in hidden {
        columns.push(take(column(input, name)?, &first_row, None)?);
    }
    columns.push(Arc::new(Int64Array::from_iter_values(from..from + rows as i64)));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
