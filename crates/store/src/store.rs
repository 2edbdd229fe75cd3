//! The store's front: opening with recovery, tables, appends, snapshots. Flushing is in `flush.rs`, upkeep of the
//! files in `upkeep.rs`.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::Utc;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, oneshot};
use watchkeeper_kql::Column;

use crate::delta::log;
use crate::error::{AppendError, StoreError};
use crate::hot::{Defaults, conform};
use crate::io::{Io, RealIo};
use crate::limits::{MAX_APPEND_BYTES, MAX_IDENTITY_BYTES};
use crate::schema::{self, Retention, TableSchema, arrow_schema_of};
use crate::table::{Table, TableInfo, TableSnapshot};
use crate::wal::BatchId;
use crate::wal::identities::Identities;
use crate::wal::record;
use crate::wal::segment::{Lsn, Segment, read_log};
use crate::wal::writer::{Appended, Job, Log, LogState, SegmentInfo};

/// How a store runs. [`StoreOptions::new`] has defaults that work.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    pub dir: PathBuf,
    pub io: Arc<dyn Io>,
    /// The `TenantId` of rows that come without one.
    pub tenant_id: String,
    /// A table's hot rows are written to files past this many bytes in the log …
    pub flush_bytes: u64,
    /// … or when the oldest is older than this.
    pub flush_age: Duration,
    /// Past this many bytes in the log but not in files, appends are told to come back later.
    pub max_unflushed_bytes: u64,
    /// Bytes of the disk that appends leave free, so that flushing and compaction still can write.
    pub reserve_bytes: u64,
    /// Compaction joins a day's files up to about this size.
    pub compaction_bytes: u64,
    /// Files of a day that wait to be joined.
    pub compaction_files: usize,
    /// How long a file stays after its table stopped naming it; longer than any query of another process.
    pub vacuum_grace: Duration,
    /// How often files are looked after; `None`: only when [`crate::Store::upkeep`] is called, and flushing too.
    pub background: Option<Duration>,
}

impl StoreOptions {
    pub fn new(dir: impl Into<PathBuf>) -> StoreOptions {
        StoreOptions {
            dir: dir.into(),
            io: Arc::new(RealIo),
            tenant_id: String::new(),
            flush_bytes: 64 << 20,
            flush_age: Duration::from_secs(120),
            max_unflushed_bytes: 512 << 20,
            reserve_bytes: 256 << 20,
            compaction_bytes: 32 << 20,
            compaction_files: 8,
            vacuum_grace: Duration::from_secs(2 * 3600),
            background: Some(Duration::from_secs(30)),
        }
    }
}

/// Rows for one or more tables, which are stored all or none.
#[derive(Debug, Clone)]
pub struct Append {
    /// Rows in the stored form; columns are matched by name, missing ones are filled.
    pub tables: Vec<(String, RecordBatch)>,
    pub batch_id: Option<BatchId>,
}

/// Tables on disk. All methods may be called from many tasks at once.
pub struct Store {
    pub(crate) options: StoreOptions,
    /// Names this store in its tables' Delta logs.
    pub(crate) node: String,
    pub(crate) tables: RwLock<BTreeMap<Arc<str>, Arc<Table>>>,
    pub(crate) log: Log,
    pub(crate) unflushed: Arc<AtomicU64>,
    pub(crate) flush_wanted: Arc<Notify>,
    /// Whether an append was refused since the last flush.
    pub(crate) turned_away: AtomicBool,
    pub(crate) unreferenced: Mutex<std::collections::HashMap<PathBuf, std::time::Instant>>,
    closing: AtomicBool,
    schema_changes: tokio::sync::Mutex<()>,
    background: Mutex<Option<tokio::task::JoinHandle<()>>>,
    /// Held while the store lives; another process cannot open the folder.
    /// Held until the store is closed.
    lock: Mutex<Option<File>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.options.dir).finish_non_exhaustive()
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Identity {
    node: String,
    format: u32,
}

impl Store {
    /// Opens a data folder, creating it if needed: reads the tables' newest versions, then replays the log.
    ///
    /// # Errors
    /// Damage that would lose acknowledged rows is an error, with the file and what to do.
    pub async fn open(options: StoreOptions) -> Result<Arc<Store>, StoreError> {
        let io = options.io.clone();
        let (wal, tables_folder) = (options.dir.join("wal"), options.dir.join("tables"));
        for folder in [&options.dir, &wal, &tables_folder] {
            io.create_dir_all(folder).map_err(StoreError::io("create", folder))?;
        }
        io.sync_dir(&options.dir).map_err(StoreError::io("sync", &options.dir))?;
        let lock = lock(&options.dir)?;
        let node = node(&*io, &options.dir)?;
        let mut tables = BTreeMap::new();
        for entry in io.list(&tables_folder).map_err(StoreError::io("list", &tables_folder))? {
            if let Some(table) = open_table(&*io, &entry.path, &node).await? {
                tables.insert(table.name.clone(), Arc::new(table));
            }
        }
        let unflushed = Arc::new(AtomicU64::new(0));
        let recovery = {
            let (io, wal, tables, unflushed) = (io.clone(), wal.clone(), tables.clone(), unflushed.clone());
            blocking(move || recover(&*io, &wal, &tables, &unflushed)).await?
        };
        let log = Log::start(io, wal, recovery.state, recovery.next, recovery.segment, options.reserve_bytes)?;
        let interval = options.background;
        let store = Arc::new(Store {
            options,
            node,
            tables: RwLock::new(tables),
            log,
            unflushed,
            flush_wanted: Arc::new(Notify::new()),
            turned_away: AtomicBool::new(false),
            unreferenced: Mutex::default(),
            closing: AtomicBool::new(false),
            schema_changes: tokio::sync::Mutex::new(()),
            background: Mutex::new(None),
            lock: Mutex::new(Some(lock)),
        });
        store.drop_flushed_log().await?;
        if let Some(interval) = interval {
            *store.background.lock() = Some(crate::upkeep::spawn(&store, interval));
        }
        Ok(store)
    }

    /// All tables, by name.
    pub fn tables(&self) -> Vec<TableInfo> {
        self.tables.read().values().map(|table| table.info()).collect()
    }

    pub fn schema(&self, table: &str) -> Option<Arc<TableSchema>> {
        Some(self.table(table)?.state.lock().schema.clone())
    }

    /// The table as it is now; cheap.
    pub fn snapshot(&self, table: &str) -> Option<TableSnapshot> {
        Some(self.table(table)?.snapshot())
    }

    /// Bytes that are in the log but not yet in files.
    pub fn unflushed_bytes(&self) -> u64 {
        self.unflushed.load(Ordering::Relaxed)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    pub(crate) fn table(&self, name: &str) -> Option<Arc<Table>> {
        self.tables.read().get(name).cloned()
    }

    /// Creates a table, or brings the one that is there to these columns and this retention. Durable on return.
    pub async fn ensure_table(&self, wanted: TableSchema) -> Result<Arc<TableSchema>, StoreError> {
        let _changing = self.schema_changes.lock().await;
        let Some(table) = self.table(&wanted.name) else {
            let folder = self.options.dir.join("tables").join(&wanted.name);
            self.write_schema(&folder, &wanted).await?;
            let table = Table::new(folder, wanted, log::Head::default(), Vec::new());
            let schema = table.state.lock().schema.clone();
            self.tables.write().insert(table.name.clone(), Arc::new(table));
            return Ok(schema);
        };
        let mut schema = TableSchema::clone(&table.state.lock().schema);
        let added = schema.add(wanted.columns)?;
        if added > 0 || schema.retention != wanted.retention {
            schema.retention = wanted.retention;
            self.write_schema(&table.folder, &schema).await?;
            table.set_schema(schema);
        }
        let schema = table.state.lock().schema.clone();
        Ok(schema)
    }

    /// Adds columns to a table; those that are there with the same type are left. Durable on return.
    pub async fn add_columns(&self, table: &str, columns: Vec<Column>) -> Result<Arc<TableSchema>, StoreError> {
        let _changing = self.schema_changes.lock().await;
        let table = self.table(table).ok_or_else(|| StoreError::UnknownTable(table.to_owned()))?;
        let mut schema = TableSchema::clone(&table.state.lock().schema);
        if schema.add(columns)? > 0 {
            self.write_schema(&table.folder, &schema).await?;
            table.set_schema(schema);
        }
        let schema = table.state.lock().schema.clone();
        Ok(schema)
    }

    /// Changes how long a table's rows are kept. Durable on return; rows that are too old go in the next round.
    pub async fn set_retention(&self, table: &str, retention: Retention) -> Result<(), StoreError> {
        let _changing = self.schema_changes.lock().await;
        let table = self.table(table).ok_or_else(|| StoreError::UnknownTable(table.to_owned()))?;
        let schema = TableSchema { retention, ..TableSchema::clone(&table.state.lock().schema) };
        self.write_schema(&table.folder, &schema).await?;
        table.set_schema(schema);
        Ok(())
    }

    async fn write_schema(&self, folder: &Path, schema: &TableSchema) -> Result<(), StoreError> {
        let (io, folder, bytes) = (self.options.io.clone(), folder.to_owned(), schema::to_json(schema));
        blocking(move || {
            io.create_dir_all(&folder).map_err(StoreError::io("create", &folder))?;
            let parent = folder.parent().unwrap_or(&folder);
            io.sync_dir(parent).map_err(StoreError::io("sync", parent))?;
            let path = folder.join("table.json");
            io.write_atomic(&path, &bytes).map_err(StoreError::io("write", &path))
        })
        .await
    }

    /// Stores rows. On return they are durable and the next snapshot has them.
    ///
    /// # Errors
    /// Nothing of the append is then visible; it may be sent again. With a batch identity that is always safe.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let now = Utc::now().timestamp_micros();
        let mut targets = Vec::with_capacity(append.tables.len());
        for (name, rows) in &append.tables {
            let table = self.table(name).ok_or_else(|| AppendError::UnknownTable(name.clone()))?;
            let (schema, arrow) = {
                let state = table.state.lock();
                (state.schema.clone(), state.arrow.clone())
            };
            let defaults = Defaults { table: name, tenant: &self.options.tenant_id, now };
            let rows = conform(rows, &schema.columns, &arrow, &defaults)?;
            if rows.num_rows() > 0 {
                targets.push((table, rows));
            }
        }
        check_identity(append.batch_id.as_ref())?;
        let parts: Vec<_> = targets.iter().map(|(table, rows)| (&*table.name, rows)).collect();
        let record = record::encode(append.batch_id.as_ref(), now, &parts)
            .map_err(|error| AppendError::Io { reason: format!("the rows cannot be encoded: {error}") })?;
        if record.len() > MAX_APPEND_BYTES {
            let reason = format!("{} bytes in one append, the limit is {MAX_APPEND_BYTES}; split it", record.len());
            return Err(AppendError::Schema { table: append.tables[0].0.clone(), reason });
        }
        let reservation = self.reserve(record.len() as u64)?;
        let names = targets.iter().map(|(table, _)| table.name.clone()).collect();
        let (done, answer) = oneshot::channel();
        let (flush_bytes, flush_wanted) = (self.options.flush_bytes, self.flush_wanted.clone());
        let on_durable = Box::new(move |lsn: Lsn| {
            let bytes = reservation.keep();
            let share = bytes / targets.len().max(1) as u64;
            let rest = bytes - share * targets.len().max(1) as u64;
            for (at, (table, rows)) in targets.into_iter().enumerate() {
                table.publish(lsn, rows, share + if at == 0 { rest } else { 0 });
            }
            if bytes >= flush_bytes {
                flush_wanted.notify_one();
            }
        });
        let job = Job { record, batch_id: append.batch_id, taken_at: now, tables: names, on_durable, done };
        self.log.send(job)?;
        answer.await.unwrap_or(Err(AppendError::Closed))
    }

    /// How near the store is to refusing rows.
    pub fn room(&self) -> Room {
        let folder = self.options.dir.join("wal");
        Room {
            // a file system that cannot be asked takes nothing either
            free_bytes: self.options.io.free_space(&folder).unwrap_or(0),
            reserve_bytes: self.options.reserve_bytes,
            unflushed_bytes: self.unflushed.load(Ordering::Acquire),
            max_unflushed_bytes: self.options.max_unflushed_bytes,
        }
    }

    fn reserve(&self, bytes: u64) -> Result<Reservation, AppendError> {
        let limit = self.options.max_unflushed_bytes;
        let before = self.unflushed.fetch_add(bytes, Ordering::AcqRel);
        let reservation = Reservation { unflushed: self.unflushed.clone(), bytes };
        // one append is always let in, however large
        if before > 0 && before + bytes > limit {
            // an append that alone is near the limit needs everything else out of the way
            self.turned_away.store(true, Ordering::Release);
            self.flush_wanted.notify_one();
            let retry_after = Duration::from_secs(2);
            return Err(AppendError::BackPressure { unflushed: before, limit, retry_after });
        }
        if before + bytes > limit / 2 {
            self.flush_wanted.notify_one();
        }
        Ok(reservation)
    }

    /// Writes everything to files and ends the store; later appends are refused. What cannot be written stays in
    /// the log and is there again after the next open.
    pub async fn close(&self) -> Result<(), StoreError> {
        let background = self.background.lock().take();
        if let Some(task) = background {
            self.closing.store(true, Ordering::Release);
            self.flush_wanted.notify_one();
            if task.await.is_err() {
                tracing::error!("the background task had panicked");
            }
        }
        self.log.close();
        let flushed = self.flush_all().await;
        self.lock.lock().take();
        flushed
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.log.close();
    }
}

/// What the store has and may have, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Of the file system of the log.
    pub free_bytes: u64,
    /// Below so many free ones rows are refused.
    pub reserve_bytes: u64,
    /// In the log and not in files.
    pub unflushed_bytes: u64,
    /// From so many on senders are told to come back later.
    pub max_unflushed_bytes: u64,
}

/// Bytes counted as unflushed until they turn out not to be stored.
struct Reservation {
    unflushed: Arc<AtomicU64>,
    bytes: u64,
}

impl Reservation {
    fn keep(mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.unflushed.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

fn check_identity(id: Option<&BatchId>) -> Result<(), AppendError> {
    let Some(id) = id else { return Ok(()) };
    for text in [&id.sender, &id.identity] {
        if text.len() > MAX_IDENTITY_BYTES {
            let reason = format!("{} bytes in a batch identity, the limit is {MAX_IDENTITY_BYTES}", text.len());
            return Err(AppendError::Schema { table: String::new(), reason });
        }
    }
    Ok(())
}

/// Runs file work where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(StoreError::Closed),
    }
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(StoreError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::Locked(dir.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(StoreError::io("lock", &path)(error)),
    }
}

/// The store's own name, made once.
fn node(io: &dyn Io, dir: &Path) -> Result<String, StoreError> {
    let path = dir.join("store.json");
    match io.read(&path) {
        Ok(bytes) => {
            let identity: Identity = serde_json::from_slice(&bytes)
                .map_err(|error| StoreError::Corrupt { path: path.clone(), reason: error.to_string() })?;
            if identity.format != 1 {
                let reason = format!("format {} is newer than this program", identity.format);
                return Err(StoreError::Corrupt { path, reason });
            }
            Ok(identity.node)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let identity = Identity { node: format!("watchkeeper-{}", uuid::Uuid::new_v4()), format: 1 };
            let bytes = serde_json::to_vec(&identity).expect("strings and numbers always serialize");
            io.write_atomic(&path, &bytes).map_err(StoreError::io("write", &path))?;
            Ok(identity.node)
        }
        Err(error) => Err(StoreError::io("read", &path)(error)),
    }
}

async fn open_table(io: &dyn Io, folder: &Path, node: &str) -> Result<Option<Table>, StoreError> {
    let path = folder.join("table.json");
    let bytes = match io.read(&path) {
        // its creation was never finished
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(StoreError::io("read", &path))?,
    };
    let schema = schema::from_json(&bytes).map_err(|reason| StoreError::Corrupt { path, reason })?;
    let (head, files) = if log::exists(io, folder)? {
        log::load(io, &schema.name, folder, node, &schema.columns).await?
    } else {
        Default::default()
    };
    Ok(Some(Table::new(folder.to_owned(), schema, head, files)))
}

struct Recovery {
    state: LogState,
    next: Lsn,
    segment: u64,
}

/// Replays the log: what is not in files becomes hot again.
fn recover(
    io: &dyn Io,
    wal: &Path,
    tables: &BTreeMap<Arc<str>, Arc<Table>>,
    unflushed: &AtomicU64,
) -> Result<Recovery, StoreError> {
    let mut identities = Identities::load(io, wal)?;
    let segments = read_log(io, wal)?;
    let flushed = tables.values().map(|table| table.state.lock().head.flushed).max().unwrap_or(0);
    let next = segments.last().map_or(1, |segment| segment.end).max(flushed + 1);
    let last = segments.last().map_or(0, |segment| segment.number).max(identities.last_segment());
    let mut infos = VecDeque::new();
    for segment in segments {
        infos.push_back(replay(&segment, tables, &mut identities, unflushed)?);
    }
    Ok(Recovery { state: LogState { identities, segments: infos }, next, segment: last + 1 })
}

fn replay(
    segment: &Segment,
    tables: &BTreeMap<Arc<str>, Arc<Table>>,
    identities: &mut Identities,
    unflushed: &AtomicU64,
) -> Result<SegmentInfo, StoreError> {
    let schema_of = |name: &str, columns: usize| -> Option<SchemaRef> {
        let state = tables.get(name)?.state.lock();
        match columns {
            all if all == state.arrow.fields().len() => Some(state.arrow.clone()),
            some => Some(arrow_schema_of(state.schema.columns.get(..some)?)),
        }
    };
    let mut info = SegmentInfo { number: segment.number, ..SegmentInfo::default() };
    for (lsn, bytes) in segment.records() {
        let record = record::decode(bytes, schema_of).map_err(|reason| StoreError::Corrupt {
            path: segment.path.clone(),
            reason: format!("record {lsn} cannot be read: {reason}"),
        })?;
        if let Some(id) = record.batch_id
            && !identities.insert(segment.number, record.taken_at, id)
        {
            continue;
        }
        let share = bytes.len() as u64 / record.tables.len().max(1) as u64;
        for (name, rows) in record.tables {
            let Some((name, table)) = tables.get_key_value(name.as_str()) else { continue };
            info.last.insert(name.clone(), lsn);
            if lsn > table.state.lock().head.flushed {
                unflushed.fetch_add(share, Ordering::AcqRel);
                table.publish(lsn, rows, share);
            }
        }
    }
    Ok(info)
}
