//! Rows of the table `ComputerGroup`: one a member, all of one source with the same time. A part that was written before
//! the server was stopped is known by its number and not written twice.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use watchkeeper_management::{AgentIdentity, AgentSink, SinkError};
use watchkeeper_state::{GroupSource, StateError};
use watchkeeper_wire::proto::Table;
use watchkeeper_wire::{Batch, TableBuilder};

use super::ComputerGroups;

/// Rows of one batch, about.
const BATCH_ROWS: usize = 5_000;
/// What wrote the rows.
const SOURCE_SYSTEM: &str = "Watchkeeper";

/// Why rows wait.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Sink(#[from] SinkError),
}

/// Batches of one source and time, numbered.
struct Batches {
    sender: AgentIdentity,
    sequence: u64,
    table: TableBuilder,
}

impl ComputerGroups {
    /// Writes the rows of a source.
    pub(super) async fn write_rows(&self, source: &GroupSource) -> Result<(), RowsError> {
        let sender = AgentIdentity {
            agent_id: format!("computer-groups/{}", source.source_id),
            computer: String::new(),
            queue: "operational".to_owned(),
        };
        let mut batches =
            Batches { sender, sequence: source.rows_at.unsigned_abs(), table: TableBuilder::new("ComputerGroup") };
        let computers = self.computers();
        // of different computers, their hashes: the number is for people
        let mut different = HashSet::new();
        for group in self.state.computer_groups(Some(&source.source_id)).await? {
            let mut after = -1;
            while let Some((part, names)) =
                self.state.computer_group_part(&group.group_id, group.version, after).await?
            {
                after = part;
                for name in self.full_names(&computers, &names) {
                    different.insert(hash(&name));
                    batches
                        .table
                        .row()
                        .datetime("TimeGenerated", source.rows_at)
                        .string("SourceSystem", SOURCE_SYSTEM)
                        .string("Computer", &name)
                        .string("Group", &group.name)
                        .string("GroupFullName", &group.full_name)
                        .string("GroupId", &group.source_key)
                        .string("GroupSource", &source.kind)
                        .string("GroupSourceName", &group.source_name);
                }
                if batches.table.rows() >= BATCH_ROWS {
                    self.write(&mut batches).await?;
                }
            }
        }
        self.write(&mut batches).await?;
        let computers = i64::try_from(different.len()).unwrap_or(i64::MAX);
        self.state.group_rows_done(&source.source_id, source.rows_at, computers).await?;
        tracing::info!(source = source.source_id, computers, "rows of computer groups written");
        Ok(())
    }

    async fn write(&self, batches: &mut Batches) -> Result<(), RowsError> {
        let table = std::mem::replace(&mut batches.table, TableBuilder::new("ComputerGroup"));
        if table.rows() == 0 {
            return Ok(());
        }
        batches.sequence += 1;
        Ok(self.write_batch(&batches.sender, batches.sequence, table.finish()).await?)
    }

    /// Writes a batch of rows once, and waits while too many wait.
    ///
    /// # Errors
    /// When the rows cannot be taken.
    pub async fn write_batch(&self, sender: &AgentIdentity, sequence: u64, table: Table) -> Result<(), SinkError> {
        let sink: &dyn AgentSink = self.ingest.as_ref();
        loop {
            let batch = Batch { sequence, tables: vec![table.clone()] };
            match sink.accept(sender, batch).await {
                Err(SinkError::BackPressure { retry_after }) => {
                    tokio::time::sleep(retry_after.max(Duration::from_millis(50))).await;
                }
                outcome => return outcome,
            }
        }
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.to_lowercase().hash(&mut hasher);
    hasher.finish()
}
