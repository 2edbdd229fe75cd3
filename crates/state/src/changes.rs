//! Changes to operational data: one transaction for a group of them, one at a time over all servers of the store, so
//! that what is read within it holds until it is committed.

use std::collections::HashMap;

use sqlx::{Any, AnyConnection, Row, Transaction};

use crate::batch::{self, row};
use crate::following::Follower;
use crate::{State, StateError};

/// An open group of changes. Dropped without [`Changes::commit`], nothing of it happened.
pub struct Changes {
    pub(crate) transaction: Transaction<'static, Any>,
    pub(crate) number: i64,
    pub(crate) settled: i64,
    pub(crate) follower: Follower,
}

/// A lane of a queue of an agent: sequence numbers rise within it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    pub agent_id: String,
    pub queue: String,
    pub lane: String,
}

impl State {
    /// Begins a group of changes; waits for the one that is open.
    pub async fn change(&self) -> Result<Changes, StateError> {
        let mut transaction = self.writer.begin().await?;
        // the first statement writes: SQLite then waits for its turn instead of failing later, PostgreSQL locks the row
        let sql = "UPDATE locks SET taken = taken + 1 WHERE name = 'operational' RETURNING taken";
        let rows = sqlx::query(sql).fetch_all(&mut *transaction).await?;
        let row = rows.first().ok_or_else(|| StateError::Missing { what: "lock", name: "operational".to_owned() })?;
        let number: i64 = row.try_get(0)?;
        self.follower.began(number);
        Ok(Changes { transaction, number, settled: number - 1, follower: self.follower.clone() })
    }
}

impl Changes {
    /// Makes the changes last.
    pub async fn commit(self) -> Result<(), StateError> {
        self.transaction.commit().await?;
        self.follower.reached(self.number);
        Ok(())
    }

    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    /// The last applied sequence numbers; a lane that never sent is missing.
    pub async fn high_water(&mut self, lanes: &[Lane]) -> Result<HashMap<Lane, u64>, StateError> {
        let keys: Vec<_> = lanes.iter().map(|lane| row![&lane.agent_id, &lane.queue, &lane.lane]).collect();
        let head = "SELECT agent_id, queue, lane, sequence FROM high_water WHERE (agent_id, queue, lane) IN (";
        let rows = batch::fetch(self.connection(), head, ")", &keys).await?;
        rows.iter()
            .map(|row| {
                let lane = Lane { agent_id: row.try_get(0)?, queue: row.try_get(1)?, lane: row.try_get(2)? };
                Ok((lane, row.try_get::<i64, _>(3)?.unsigned_abs()))
            })
            .collect()
    }

    /// Notes what has been applied, in the same transaction as its effects. Numbers never fall.
    pub async fn raise_high_water(&mut self, to: &HashMap<Lane, u64>, at: i64) -> Result<(), StateError> {
        let mut rows: Vec<_> = to.iter().collect();
        rows.sort();
        let rows: Vec<_> = rows
            .into_iter()
            .map(|(lane, sequence)| {
                let sequence = i64::try_from(*sequence).unwrap_or(i64::MAX);
                row![&lane.agent_id, &lane.queue, &lane.lane, sequence, at]
            })
            .collect();
        batch::execute(
            self.connection(),
            "INSERT INTO high_water (agent_id, queue, lane, sequence, changed_at)",
            "ON CONFLICT (agent_id, queue, lane) DO UPDATE SET sequence = excluded.sequence, \
             changed_at = excluded.changed_at WHERE high_water.sequence < excluded.sequence",
            &rows,
        )
        .await?;
        Ok(())
    }
}
