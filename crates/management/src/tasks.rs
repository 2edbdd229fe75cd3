//! Tasks: submitted by an operator, sent to the agent of the object, failed when nothing comes back in time, with one
//! result each, and every step of them audited (management group specification 8).

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;
use watchkeeper_state::{StateError, TaskRun, TaskStatus};
use watchkeeper_wire::proto::{self, RunTask};

use crate::operational::{Operational, Work};

/// What is left for the way to the agent and back beyond the task's own time.
const TRANSIT: Duration = Duration::from_secs(30);

/// Sends a task to an agent. The id of the command is the run's.
#[async_trait]
pub trait Dispatch: Send + Sync {
    /// Hands it to the agent's session.
    ///
    /// # Errors
    /// When the agent has no session here, with the reason.
    async fn run_task(&self, agent_id: &str, run_id: &str, task: RunTask) -> Result<(), String>;
}

/// A task to be run.
#[derive(Debug, Clone, Default)]
pub struct Submission {
    /// Identity of the task's element.
    pub task_id: String,
    /// Its full name.
    pub task: String,
    /// Identities of the objects.
    pub objects: Vec<String>,
    /// Overrides of its configuration for this run.
    pub parameters: BTreeMap<String, String>,
    /// Who asked for it.
    pub submitted_by: String,
    /// The Run As account, or empty for the task's own.
    pub run_as: String,
    /// How long it may run.
    pub timeout: Duration,
}

impl Operational {
    /// Submits a task for each object; gives the runs, which share a batch. An object whose agent is not connected gets
    /// a failed run that says so.
    ///
    /// # Errors
    /// When the store cannot take it; nothing is then run.
    pub async fn submit_task(&self, task: Submission, dispatch: &dyn Dispatch) -> Result<Vec<TaskRun>, StateError> {
        let shared = self.shared();
        let now = crate::clock::now();
        let batch_id = Uuid::new_v4().to_string();
        let deadline = i64::try_from((task.timeout + TRANSIT).as_micros()).unwrap_or(i64::MAX / 4);
        let mut runs: Vec<TaskRun> = task
            .objects
            .iter()
            .map(|object| {
                let source = shared.catalogue.source(object).unwrap_or_default();
                TaskRun {
                    run_id: Uuid::new_v4().to_string(),
                    batch_id: batch_id.clone(),
                    task: task.task.clone(),
                    object_id: object.clone(),
                    object_name: source.display_name,
                    agent_id: source.agent_id,
                    status: TaskStatus::Scheduled,
                    parameters: task.parameters.clone(),
                    submitted_by: task.submitted_by.clone(),
                    run_as: task.run_as.clone(),
                    submitted_at: now,
                    deadline_at: now + deadline,
                    ..TaskRun::default()
                }
            })
            .collect();
        // known before the agent is: its result may come at once
        let mut changes = shared.begin().await?;
        changes.put_task_runs(&runs).await?;
        Work::new(shared, now).commit(changes).await?;
        let mut refused = Vec::new();
        for run in &mut runs {
            let command = RunTask {
                task: task.task_id.clone(),
                object: run.object_id.clone(),
                parameters: task.parameters.clone().into_iter().collect(),
                timeout_seconds: u32::try_from(task.timeout.as_secs()).unwrap_or(u32::MAX),
            };
            if let Err(reason) = dispatch.run_task(&run.agent_id, &run.run_id, command).await {
                run.status = TaskStatus::Failed;
                run.finished_at = crate::clock::now();
                run.error_message = reason;
                refused.push(run.clone());
            }
        }
        if !refused.is_empty() {
            self.write_runs(&refused, crate::clock::now()).await?;
        }
        Ok(runs)
    }

    /// Fails tasks whose time is up; gives how many. Their results, should they come yet, are not taken.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn expire_tasks(&self, now: i64) -> Result<usize, StateError> {
        let shared = self.shared();
        let mut changes = shared.begin().await?;
        let mut overdue = changes.overdue_task_runs(now).await?;
        for run in &mut overdue {
            run.status = TaskStatus::Failed;
            run.finished_at = now;
            run.error_message = "no result came in time; the agent may be disconnected".to_owned();
        }
        changes.put_task_runs(&overdue).await?;
        let count = overdue.len();
        let mut work = Work::new(shared, now);
        for run in &overdue {
            work.rows.task(run);
        }
        work.applied.tasks = overdue;
        work.commit(changes).await?;
        Ok(count)
    }

    async fn write_runs(&self, runs: &[TaskRun], now: i64) -> Result<(), StateError> {
        let shared = self.shared();
        let mut changes = shared.begin().await?;
        changes.put_task_runs(runs).await?;
        let mut work = Work::new(shared, now);
        for run in runs {
            work.rows.task(run);
        }
        work.commit(changes).await
    }
}

/// The run with what came of it.
pub(crate) fn with_result(run: TaskRun, result: &proto::TaskResult, now: i64) -> TaskRun {
    let (status, missing) = match result.status() {
        proto::TaskStatus::Succeeded => (TaskStatus::Succeeded, ""),
        proto::TaskStatus::Failed => (TaskStatus::Failed, "the task failed"),
        proto::TaskStatus::TimedOut => (TaskStatus::Failed, "the task ran longer than it may and was stopped"),
        proto::TaskStatus::Interrupted => {
            (TaskStatus::Failed, "the agent stopped while the task ran; whether it did anything is not known")
        }
    };
    let error_message = if result.error.is_empty() { missing.to_owned() } else { result.error.clone() };
    let cut = if result.output_cut { "\n(the output was cut here)" } else { "" };
    TaskRun {
        status,
        started_at: result.started,
        finished_at: now,
        output: format!("{}{cut}", result.output),
        error_message: if status == TaskStatus::Succeeded { String::new() } else { error_message },
        ..run
    }
}
