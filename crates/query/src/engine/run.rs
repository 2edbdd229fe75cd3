//! One query's session: running plans, counting what they read, cutting results at their limits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use datafusion::catalog::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::Optimizer;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig;
use futures::StreamExt;
use parking_lot::Mutex;
use watchkeeper_kql::typed::{Query, Relation};

use super::size::{Held, row_bytes};
use super::{EngineOptions, PartialFailure, Request, Response, ResultTable, Statistics};
use crate::error::QueryError;
use crate::plan::{Planner, Resolved, Stored};
use crate::tables::Tables;

/// Rows that a relation computed ahead (`materialize`, the input of a plugin) may have.
const MAX_STORED_ROWS: usize = 20_000_000;

/// How much is done to make a plan better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// As much as helps a query over many rows.
    Full,
    /// Little: planning would take longer than running.
    Small,
}

impl Effort {
    /// So often at most a plan is looked through for something to make better; mostly the second time finds nothing.
    fn passes(self) -> usize {
        match self {
            Effort::Full => 3,
            Effort::Small => 1,
        }
    }

    /// Whether a rule of the planner is used. No plan needs one of those that are left out: they save computing an
    /// expression twice, or reading rows that a join or `top` has no use for.
    fn takes(self, rule: &str) -> bool {
        match self {
            Effort::Full => true,
            Effort::Small => {
                !["common_sub_expression_eliminate", "FilterPushdown", "FilterPushdown(Post)", "SanityCheckPlan"]
                    .contains(&rule)
            }
        }
    }
}

/// What all sessions of an engine have in common: making it for each query would cost more than many a query.
pub(super) fn common_state(threads: usize, effort: Effort) -> SessionState {
    let mut config = SessionConfig::new().with_target_partitions(threads.max(1));
    // our own files have none of them, and those of others are asked for them where that may save much
    config.options_mut().execution.parquet.bloom_filter_on_read = effort == Effort::Full;
    config.options_mut().execution.parquet.pushdown_filters = true;
    config.options_mut().execution.parquet.reorder_filters = true;
    config.options_mut().optimizer.max_passes = effort.passes();
    // it names the fields that `parse` takes apart twice where rows pass several projections
    config.options_mut().optimizer.enable_leaf_expression_pushdown = false;
    config.options_mut().sql_parser.enable_ident_normalization = false;
    let mut rules = Optimizer::new().rules;
    rules.retain(|rule| effort.takes(rule.name()));
    let mut physical_rules = PhysicalOptimizer::new().rules;
    physical_rules.retain(|rule| effort.takes(rule.name()));
    SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_optimizer_rules(rules)
        .with_physical_optimizer_rules(physical_rules)
        .with_query_planner(Arc::new(crate::whole::node::WholePlanner))
        .with_physical_optimizer_rule(Arc::new(super::bounded::Bounded))
        .build()
}

/// Runs the plans of one query.
pub(super) struct Session<'r> {
    state: Arc<SessionState>,
    task: Arc<TaskContext>,
    runtime: Arc<RuntimeEnv>,
    memory_limit: usize,
    pub(super) request: &'r Request,
    statistics: Mutex<Statistics>,
    /// The plans that ran, in their order.
    plans: Mutex<Vec<String>>,
}

impl<'r> Session<'r> {
    pub(super) fn new(
        state: Arc<SessionState>,
        runtime: Arc<RuntimeEnv>,
        options: &EngineOptions,
        request: &'r Request,
    ) -> Session<'r> {
        // plans hold their functions, so nothing is looked up by name
        let functions = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        let task = TaskContext::new(
            None,
            state.session_id().to_owned(),
            state.config().clone(),
            functions.0,
            functions.1,
            functions.2,
            functions.3,
            Arc::clone(&runtime),
        );
        Session {
            state,
            task: Arc::new(task),
            runtime,
            memory_limit: options.memory_limit,
            request,
            statistics: Mutex::new(Statistics::default()),
            plans: Mutex::default(),
        }
    }

    pub(super) async fn query(&self, query: &Query, tables: &dyn Tables) -> Result<Response, QueryError> {
        let mut resolved = Resolved::default();
        self.resolve_shared(query, tables, &mut resolved).await?;
        let mut results = Vec::new();
        let mut partial = None;
        let mut rows_left = self.request.max_rows;
        let mut bytes_left = self.request.max_bytes;
        for (at, result) in query.results.iter().enumerate() {
            self.resolve_result(&result.relation, tables, &mut resolved).await?;
            let schema = result.relation.schema.clone();
            let plan = Planner::new(tables, self.request, &resolved).result(&result.relation)?;
            let mut batches = Vec::new();
            self.each(plan, |batch| {
                let mut batch = batch;
                if batch.num_rows() > rows_left {
                    batch = batch.slice(0, rows_left);
                    partial = Some(truncated("rows", self.request.max_rows));
                }
                let bytes = row_bytes(&batch);
                if bytes > bytes_left {
                    partial = Some(truncated("bytes", self.request.max_bytes));
                    return false;
                }
                rows_left -= batch.num_rows();
                bytes_left -= bytes;
                batches.push(batch);
                partial.is_none()
            })
            .await?;
            let name = match (&result.name, at) {
                (Some(name), _) => name.clone(),
                (None, 0) => "PrimaryResult".to_string(),
                (None, at) => format!("Table_{at}"),
            };
            results.push(ResultTable { name, schema, batches });
        }
        let mut statistics = self.statistics.lock().clone();
        statistics.memory_peak = statistics.memory_peak.max(self.runtime.memory_pool.reserved());
        let render = query.results.iter().rev().find_map(|result| result.render.clone());
        let plan = self.request.plan.then(|| self.plans.lock().join("\n"));
        Ok(Response {
            tables: results,
            render,
            statistics,
            partial,
            advice: Vec::new(),
            plan,
            finished: self.request.now,
        })
    }

    /// Runs a plan and hands on each batch until `take` says no.
    pub(super) async fn each(
        &self,
        plan: LogicalPlan,
        mut take: impl FnMut(RecordBatch) -> bool + Send,
    ) -> Result<(), QueryError> {
        let wrong = |error| QueryError::from_datafusion(error, self.memory_limit);
        let physical = self.state.create_physical_plan(&plan).await.map_err(wrong)?;
        let mut stream = execute_stream(Arc::clone(&physical), Arc::clone(&self.task)).map_err(wrong)?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(wrong)?;
            let reserved = self.runtime.memory_pool.reserved();
            {
                let mut statistics = self.statistics.lock();
                statistics.memory_peak = statistics.memory_peak.max(reserved);
            }
            if batch.num_rows() > 0 && !take(batch) {
                break;
            }
        }
        drop(stream);
        if self.request.plan {
            let shown = DisplayableExecutionPlan::with_metrics(physical.as_ref()).indent(false).to_string();
            self.plans.lock().push(without_folders(&shown));
        }
        self.count(physical.as_ref(), true);
        Ok(())
    }

    /// Runs a relation and keeps its rows.
    pub(super) async fn store(
        &self,
        relation: &Relation,
        tables: &dyn Tables,
        resolved: &Resolved,
    ) -> Result<Stored, QueryError> {
        let plan = Planner::new(tables, self.request, resolved).result(relation)?;
        let batches = self.collect(plan).await?;
        Ok(Stored { schema: relation.schema.clone(), batches })
    }

    /// Runs a plan and keeps its rows, as far as memory goes.
    pub(super) async fn collect(&self, plan: LogicalPlan) -> Result<Vec<RecordBatch>, QueryError> {
        let mut batches = Vec::new();
        let mut rows = 0;
        let mut bytes = 0;
        let mut held = Held::default();
        let memory_limit = self.memory_limit;
        let mut full = None;
        self.each(plan, |batch| {
            rows += batch.num_rows();
            bytes += held.add(&batch);
            if rows > MAX_STORED_ROWS {
                full = Some(QueryError::Limit {
                    what: "the number of rows kept for a later step (materialize, in, a plugin)",
                    limit: MAX_STORED_ROWS as u64,
                    help: "filter or summarize its input first",
                });
            } else if bytes > memory_limit {
                full =
                    Some(QueryError::Memory { limit: memory_limit, detail: "rows kept for a later step".to_string() });
            }
            batches.push(batch);
            full.is_none()
        })
        .await?;
        match full {
            Some(error) => Err(error),
            None => Ok(batches),
        }
    }

    /// Adds what a plan read: the leaves' rows and bytes, every node's computing time.
    fn count(&self, plan: &dyn ExecutionPlan, root: bool) {
        if let Some(metrics) = plan.metrics() {
            let mut statistics = self.statistics.lock();
            if plan.children().is_empty() && !root {
                let rows = metrics.output_rows().unwrap_or(0) + rows_in_memory(plan);
                statistics.rows_scanned += rows as u64;
                let sum = |name: &str| metrics.sum_by_name(name).map_or(0, |value| value.as_usize() as u64);
                statistics.bytes_scanned += sum("bytes_scanned");
                statistics.files_scanned += sum("files_opened");
            }
            statistics.cpu_time += Duration::from_nanos(metrics.elapsed_compute().unwrap_or(0) as u64);
        }
        for child in plan.children() {
            self.count(child.as_ref(), false);
        }
    }
}

/// Rows of the batches that a leaf hands on, which it does not count.
fn rows_in_memory(plan: &dyn ExecutionPlan) -> usize {
    let source = plan.downcast_ref::<DataSourceExec>().map(DataSourceExec::data_source);
    let memory = source.and_then(|source| source.downcast_ref::<MemorySourceConfig>());
    memory.map_or(0, |memory| memory.partitions().iter().flatten().map(RecordBatch::num_rows).sum())
}

/// A plan names the files that it read, whose folders are nobody's business.
fn without_folders(plan: &str) -> String {
    let is_outside = |c: char| c.is_whitespace() || ['[', ']', ','].contains(&c);
    plan.split_inclusive(is_outside).map(|part| part.rsplit_once('/').map_or(part, |(_, name)| name)).collect()
}

fn truncated(what: &str, limit: usize) -> PartialFailure {
    PartialFailure {
        code: "E_QUERY_RESULT_SET_TOO_LARGE",
        message: format!(
            "the result has more than the limit of {limit} {what} and was cut there; summarize it, take fewer rows, or \
             raise the limit with the request's options"
        ),
    }
}
