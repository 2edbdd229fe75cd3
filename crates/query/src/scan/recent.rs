//! Columns of small files, decoded and kept in memory while queries come back to them: alert rules and dashboards read
//! the rows of the last minutes over and over, and decoding them costs more than computing with them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::error::Result;
use datafusion::physical_plan::collect;
use parking_lot::Mutex;
use watchkeeper_store::DataFile;

use super::form::parquet;
use crate::engine::size::Held;

/// Bytes of all columns that are kept.
const KEPT_BYTES: usize = 96 << 20;
/// A query that reads more rows than this reads them from the files.
const SMALL_QUERY_ROWS: u64 = 1 << 20;
/// So long a file stays that nobody asks for.
const UNUSED: Duration = Duration::from_secs(180);

/// The columns that are kept. Files never change, and a file that is gone is no longer asked for.
#[derive(Default)]
pub struct Recent {
    files: Mutex<HashMap<PathBuf, Kept>>,
}

/// A file, without columns until a second query wants it: most files are read once.
struct Kept {
    columns: Arc<tokio::sync::Mutex<Columns>>,
    bytes: usize,
    used: Instant,
}

/// The batches of each column by its name. All columns of a file have batches of the same lengths.
type Columns = HashMap<String, Vec<ArrayRef>>;

impl Recent {
    /// Whether a query over so many rows of files is one that finds them here.
    pub fn suits(rows: u64) -> bool {
        rows <= SMALL_QUERY_ROWS
    }

    /// All rows of the file in stored form; none where no query wanted it lately, or where no column is wanted.
    pub async fn rows(
        &self,
        state: &dyn Session,
        (file, part): (&DataFile, &PartitionedFile),
        stored: &SchemaRef,
        projection: &[usize],
    ) -> Result<Option<Vec<RecordBatch>>> {
        if projection.is_empty() {
            return Ok(None);
        }
        let Some(columns) = self.wanted_again(&file.path) else { return Ok(None) };
        let mut columns = columns.lock().await;
        let is_known = |at: &usize| {
            let field = stored.field(*at);
            columns
                .get(field.name())
                .is_some_and(|batches| batches.iter().all(|batch| batch.data_type() == field.data_type()))
        };
        let missing: Vec<usize> = projection.iter().copied().filter(|at| !is_known(at)).collect();
        if !missing.is_empty() {
            let files = vec![FileGroup::new(vec![part.clone()])];
            let plan = parquet(state, Arc::clone(stored).into(), files, Precision::Absent, None, &missing)?;
            let batches = match plan {
                Some(plan) => collect(plan, state.task_ctx()).await?,
                None => Vec::new(),
            };
            for (place, at) in missing.iter().enumerate() {
                let arrays = batches.iter().map(|batch| Arc::clone(batch.column(place))).collect();
                columns.insert(stored.field(*at).name().clone(), arrays);
            }
            self.keep(&file.path, bytes(&columns));
        }
        let schema = Arc::new(stored.project(projection)?);
        let wanted: Vec<&Vec<ArrayRef>> = projection.iter().map(|at| &columns[stored.field(*at).name()]).collect();
        let batch = |number: usize| {
            let arrays = wanted.iter().map(|arrays| Arc::clone(&arrays[number])).collect();
            RecordBatch::try_new(Arc::clone(&schema), arrays)
        };
        Ok(Some((0..wanted[0].len()).map(batch).collect::<Result<_, _>>()?))
    }

    /// The columns of a file that was wanted before.
    fn wanted_again(&self, path: &Path) -> Option<Arc<tokio::sync::Mutex<Columns>>> {
        let now = Instant::now();
        let mut files = self.files.lock();
        if let Some(kept) = files.get_mut(path) {
            kept.used = now;
            return Some(Arc::clone(&kept.columns));
        }
        files.retain(|_, kept| now - kept.used < UNUSED);
        files.insert(path.to_owned(), Kept { columns: Arc::default(), bytes: 0, used: now });
        None
    }

    /// Notes what a file's columns hold, and lets go of what was not used for longest where all is too much.
    fn keep(&self, path: &Path, bytes: usize) {
        let mut files = self.files.lock();
        if let Some(kept) = files.get_mut(path) {
            kept.bytes = bytes;
        }
        let mut sum: usize = files.values().map(|kept| kept.bytes).sum();
        while sum > KEPT_BYTES {
            let oldest = files.iter().filter(|(_, kept)| kept.bytes > 0).min_by_key(|(_, kept)| kept.used);
            let Some(oldest) = oldest.map(|(path, _)| path.clone()) else { break };
            sum -= files.remove(&oldest).map_or(0, |kept| kept.bytes);
        }
    }
}

/// What the columns hold, buffers that several batches share counted once.
fn bytes(columns: &Columns) -> usize {
    let mut held = Held::default();
    columns.values().flatten().map(|array| held.add_array(array.as_ref())).sum()
}
