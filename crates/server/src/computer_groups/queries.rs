//! Groups that are queries in the management group: each is asked every few minutes for its computers, which its object
//! then contains. One whose query fails keeps those that it had.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, StringViewArray};
use uuid::Uuid;
use watchkeeper_authorization::Readable;
use watchkeeper_query::QueryError;
use watchkeeper_state::{SavedQuery, StateError};

use super::{ComputerGroups, group_object, is_in_management_group};
use crate::queries::{Asked, Limits, Origin, Queries, ticks_now};

const LIMITS: Limits = Limits { rows: 500_000, bytes: 64 << 20 };
const DEADLINE: Duration = Duration::from_secs(60);
const COLUMN: &str = "Computer";

/// Why the computers of a group that is a query are not known.
#[derive(Debug, thiserror::Error)]
pub enum QueryGroupError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the query of the group fails: {0}")]
    Query(#[from] QueryError),
    #[error("the query of the group gives more than 500,000 computers; end it with | distinct Computer")]
    TooLarge,
    #[error("the query of the group gives no column Computer; end it with | distinct Computer")]
    NoColumn,
}

impl ComputerGroups {
    /// Begins to keep the objects of groups that are queries up to date.
    pub fn follow_queries(self: &Arc<Self>, queries: Arc<Queries>, workspace_id: String, every: Duration) {
        let groups = Arc::clone(self);
        let task = tokio::spawn(async move {
            loop {
                let done = tokio::select! {
                    () = groups.stop.cancelled() => return,
                    done = groups.ask_queries(&queries, &workspace_id) => done,
                };
                if let Err(error) = done {
                    tracing::warn!(%error, "computer groups that are queries are asked later");
                }
                tokio::select! {
                    () = groups.stop.cancelled() => return,
                    () = groups.queries_changed.notified() => {}
                    () = tokio::time::sleep(every) => {}
                }
            }
        });
        self.tasks.lock().push(task);
    }

    /// Groups that are queries were changed or removed.
    pub fn query_changed(&self) {
        self.queries_changed.notify_one();
    }

    async fn ask_queries(&self, queries: &Queries, workspace_id: &str) -> Result<(), StateError> {
        if !self.operations.does("computer-groups/queries") {
            return Ok(());
        }
        let mut saved = self.state.saved_queries(workspace_id).await?;
        saved.retain(is_in_management_group);
        let wanted: Vec<_> = saved.iter().map(|one| group_object(&one.id)).collect();
        self.drop_query_objects(&wanted).await?;
        for one in &saved {
            match self.put_query(queries, workspace_id, one).await {
                Ok(()) => {}
                Err(QueryGroupError::State(error)) => return Err(error),
                Err(error) => {
                    tracing::warn!(group = one.name, %error, "a computer group keeps the computers that it had")
                }
            }
        }
        Ok(())
    }

    /// Asks a group that is a query for its computers, and makes them those of its object.
    ///
    /// # Errors
    /// When the query fails, or the store.
    pub async fn put_query(
        &self,
        queries: &Queries,
        workspace_id: &str,
        saved: &SavedQuery,
    ) -> Result<(), QueryGroupError> {
        let names = self.computers_of(queries, workspace_id, &saved.query).await?;
        let _writing = self.writing.lock().await;
        Ok(self.put_query_object(saved, &names).await?)
    }

    /// The computers that a query gives.
    ///
    /// # Errors
    /// When it fails, or gives no column `Computer`.
    pub async fn computers_of(
        &self,
        queries: &Queries,
        workspace_id: &str,
        text: &str,
    ) -> Result<Vec<String>, QueryGroupError> {
        let activity_id = Uuid::new_v4();
        let asked = Asked {
            text: text.to_owned(),
            timespan: None,
            parameters: BTreeMap::new(),
            now: ticks_now(),
            deadline: DEADLINE,
            limits: LIMITS,
            functions: crate::api::saved_functions(&self.state, workspace_id).await?,
            readable: Readable::All,
            small: true,
            plan: false,
            origin: Origin {
                request_id: format!("computer-group;{activity_id}"),
                activity_id,
                user: "Watchkeeper".to_owned(),
                application: "computer groups".to_owned(),
                ..Origin::default()
            },
        };
        let response = queries.run(asked).await?;
        if response.partial.is_some() {
            return Err(QueryGroupError::TooLarge);
        }
        let mut names = Vec::new();
        for batch in response.tables.iter().flat_map(|table| &table.batches) {
            let column = batch.column_by_name(COLUMN).and_then(|one| one.as_any().downcast_ref::<StringViewArray>());
            let column = column.ok_or(QueryGroupError::NoColumn)?;
            names.extend(column.iter().flatten().filter(|name| !name.is_empty()).map(str::to_owned));
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Has the management group have a group that is a query: at once, with its computers.
    ///
    /// # Errors
    /// When the pack of such groups cannot be imported, the query fails, or the store.
    pub async fn use_query(&self, queries: &Queries, workspace_id: &str, saved: &SavedQuery) -> anyhow::Result<()> {
        if is_in_management_group(saved) {
            self.ensure_pack().await?;
            self.put_query(queries, workspace_id, saved).await?;
        }
        self.query_changed();
        Ok(())
    }
}
