//! Tasks that were submitted, and their results (specification 8). Times are microseconds since the Unix epoch.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::batch::{self, row};
use crate::{Changes, State, StateError, documents};

/// Where a task stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TaskStatus {
    #[default]
    Scheduled = 0,
    Started = 1,
    Succeeded = 2,
    Failed = 3,
}

/// One task for one object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskRun {
    pub run_id: String,
    /// The same for all objects that it was submitted for at once.
    pub batch_id: String,
    /// The task, by its full name.
    pub task: String,
    pub object_id: String,
    pub object_name: String,
    pub agent_id: String,
    pub status: TaskStatus,
    pub parameters: BTreeMap<String, String>,
    pub submitted_by: String,
    pub run_as: String,
    pub submitted_at: i64,
    pub started_at: i64,
    /// When it fails though nothing was heard.
    pub deadline_at: i64,
    pub finished_at: i64,
    pub output: String,
    pub error_code: i64,
    pub error_message: String,
}

impl State {
    pub async fn task_run(&self, run_id: &str) -> Result<Option<TaskRun>, StateError> {
        let sql = "SELECT document FROM task_runs WHERE run_id = $1";
        let row = sqlx::query(sql).bind(run_id).fetch_optional(&self.pool).await?;
        row.map(|row| documents::read("the task", &row, 0)).transpose()
    }

    pub async fn task_batch(&self, batch_id: &str) -> Result<Vec<TaskRun>, StateError> {
        let sql = "SELECT document FROM task_runs WHERE batch_id = $1 ORDER BY run_id";
        documents::read_all("the task", &sqlx::query(sql).bind(batch_id).fetch_all(&self.pool).await?, 0)
    }

    /// The latest first.
    pub async fn task_runs(&self, limit: u32) -> Result<Vec<TaskRun>, StateError> {
        let sql = "SELECT document FROM task_runs ORDER BY submitted_at DESC, run_id LIMIT $1";
        documents::read_all("the task", &sqlx::query(sql).bind(i64::from(limit)).fetch_all(&self.pool).await?, 0)
    }
}

impl Changes {
    pub async fn task_runs(&mut self, run_ids: &[String]) -> Result<Vec<TaskRun>, StateError> {
        let ids: Vec<_> = run_ids.iter().map(|id| row![id]).collect();
        let head = "SELECT document FROM task_runs WHERE run_id IN (";
        documents::read_all("the task", &batch::fetch(self.connection(), head, ")", &ids).await?, 0)
    }

    /// Unfinished tasks whose time is up.
    pub async fn overdue_task_runs(&mut self, now: i64) -> Result<Vec<TaskRun>, StateError> {
        let sql = "SELECT document FROM task_runs WHERE status < 2 AND deadline_at <= $1 ORDER BY deadline_at, run_id";
        documents::read_all("the task", &sqlx::query(sql).bind(now).fetch_all(self.connection()).await?, 0)
    }

    /// Writes tasks, new or changed. One that has finished stays as it is: a result counts once.
    pub async fn put_task_runs(&mut self, runs: &[TaskRun]) -> Result<(), StateError> {
        let last: BTreeMap<&str, &TaskRun> = runs.iter().map(|run| (run.run_id.as_str(), run)).collect();
        let rows = last
            .into_values()
            .map(|run| {
                Ok(row![
                    &run.run_id,
                    &run.batch_id,
                    &run.agent_id,
                    run.status as i64,
                    run.submitted_at,
                    run.deadline_at,
                    run.finished_at,
                    documents::write("the task", run)?,
                ])
            })
            .collect::<Result<Vec<_>, StateError>>()?;
        batch::execute(
            self.connection(),
            "INSERT INTO task_runs (run_id, batch_id, agent_id, status, submitted_at, deadline_at, finished_at, \
             document)",
            "ON CONFLICT (run_id) DO UPDATE SET status = excluded.status, deadline_at = excluded.deadline_at, \
             finished_at = excluded.finished_at, document = excluded.document WHERE task_runs.status < 2",
            &rows,
        )
        .await?;
        Ok(())
    }
}
