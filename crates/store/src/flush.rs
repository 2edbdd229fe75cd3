//! Moving hot rows into files: write the files, commit them together with the log position, then forget the log.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::Utc;
use tokio::sync::OwnedMutexGuard;

use crate::delta::DataFile;
use crate::delta::file::{sort_into_days, write_data_file};
use crate::delta::log::{self, Change, Head};
use crate::error::StoreError;
use crate::store::{Store, blocking};
use crate::table::Table;

impl Store {
    /// Writes a table's hot rows to files.
    pub async fn flush(&self, table: &str) -> Result<(), StoreError> {
        let table = self.table(table).ok_or_else(|| StoreError::UnknownTable(table.to_owned()))?;
        self.flush_table(&table).await?;
        self.drop_flushed_log().await
    }

    /// Writes all hot rows to files; goes on with the other tables when one fails, and returns the first error.
    pub async fn flush_all(&self) -> Result<(), StoreError> {
        let tables: Vec<_> = self.tables.read().values().cloned().collect();
        let mut result = Ok(());
        for table in tables {
            let flushed = self.flush_table(&table).await;
            result = result.and(flushed);
        }
        result.and(self.drop_flushed_log().await)
    }

    /// Flushes what is large or old enough, or everything when appends are close to the limit.
    pub(crate) async fn flush_due(&self) -> Result<(), StoreError> {
        let turned_away = self.turned_away.swap(false, Ordering::AcqRel);
        let pressed = turned_away || self.unflushed.load(Ordering::Acquire) > self.options.max_unflushed_bytes / 2;
        let tables: Vec<_> = self.tables.read().values().cloned().collect();
        let mut flushed = false;
        for table in tables {
            let due = {
                let state = table.state.lock();
                let old = state.hot_since.is_some_and(|since| since.elapsed() >= self.options.flush_age);
                old || pressed || state.hot.bytes() >= self.options.flush_bytes
            };
            if due {
                self.flush_table(&table).await?;
                flushed = true;
            }
        }
        if flushed { self.drop_flushed_log().await } else { Ok(()) }
    }

    async fn flush_table(&self, table: &Arc<Table>) -> Result<(), StoreError> {
        let writing = table.writing.clone().lock_owned().await;
        self.settle(table).await?;
        let (batches, last, schema, arrow, head) = {
            let mut state = table.state.lock();
            state.hot.seal();
            let batches: Vec<_> = state.hot.batches().iter().map(|batch| batch.rows.clone()).collect();
            let Some(last) = state.hot.batches().last().map(|batch| batch.last) else { return Ok(()) };
            (batches, last, state.schema.clone(), state.arrow.clone(), state.head.clone())
        };
        let (io, folder, name) = (self.options.io.clone(), table.folder.clone(), table.name.clone());
        let files = blocking(move || {
            sort_into_days(&name, &arrow, &batches)?
                .iter()
                .map(|(date, rows)| write_data_file(&*io, &name, &folder, *date, rows).map(Arc::new))
                .collect::<Result<Vec<_>, _>>()
        })
        .await?;
        let (io, folder, node, add) = (self.options.io.clone(), table.folder.clone(), self.node.clone(), files.clone());
        self.commit(table, writing, files, Vec::new(), move || {
            let change = Change { operation: "WRITE", add: &add, remove: &[], data_change: true, flushed: Some(last) };
            log::commit(&*io, &folder, &node, &schema, &head, &change)
        })
        .await
    }

    /// Commits and takes the new version over. The lock goes along, so that it is held until the commit has ended
    /// even if nobody waits for it any more.
    pub(crate) async fn commit(
        &self,
        table: &Arc<Table>,
        writing: OwnedMutexGuard<()>,
        add: Vec<Arc<DataFile>>,
        remove: Vec<Arc<DataFile>>,
        commit: impl FnOnce() -> Result<Head, StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        // set before: if this task is cancelled meanwhile, the commit happens without it
        table.state.lock().uncertain = true;
        let (head, _writing) = blocking(move || commit().map(|head| (head, writing))).await?;
        let freed = {
            let mut state = table.state.lock();
            state.uncertain = false;
            state.advance(head, &add, &remove)
        };
        self.unflushed.fetch_sub(freed, Ordering::AcqRel);
        Ok(())
    }

    /// After a commit of which nobody knows whether it happened: reads the log and takes over what it says.
    pub(crate) async fn settle(&self, table: &Arc<Table>) -> Result<(), StoreError> {
        let (uncertain, schema) = {
            let state = table.state.lock();
            (state.uncertain, state.schema.clone())
        };
        if !uncertain {
            return Ok(());
        }
        let io = &*self.options.io;
        if !log::exists(io, &table.folder)? {
            table.state.lock().uncertain = false;
            return Ok(());
        }
        // what is seen now must also be seen after a power cut, because the write-ahead log will forget the rows
        log::sync(io, &table.folder)?;
        let (head, files) = log::load(io, &table.name, &table.folder, &self.node, &schema.columns).await?;
        let mut state = table.state.lock();
        let before = state.files.clone();
        let missing = |of: &[Arc<DataFile>], from: &[Arc<DataFile>]| -> Vec<Arc<DataFile>> {
            of.iter().filter(|file| from.iter().all(|other| other.name != file.name)).cloned().collect()
        };
        let (add, remove) = (missing(&files, &before), missing(&before, &files));
        let freed = state.advance(head, &add, &remove);
        state.uncertain = false;
        self.unflushed.fetch_sub(freed, Ordering::AcqRel);
        Ok(())
    }

    /// Removes log segments of which every row is in files.
    pub(crate) async fn drop_flushed_log(&self) -> Result<(), StoreError> {
        let flushed: std::collections::HashMap<Arc<str>, u64> = {
            let tables = self.tables.read();
            tables.iter().map(|(name, table)| (name.clone(), table.state.lock().head.flushed)).collect()
        };
        let now = Utc::now().timestamp_micros();
        self.log.drop_segments(now, |table| flushed.get(table).copied().unwrap_or(0)).map(|_| ())
    }
}
