//! The log's one writer: collects the appends that wait, writes them as one frame, syncs once, makes them visible,
//! acknowledges them. After a failed write or sync the segment is never written to again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::BatchId;
use super::identities::{Identities, identities_path};
use super::segment::{Lsn, frame, segment_header, segment_path};
use crate::error::{AppendError, StoreError, is_disk_full};
use crate::io::{Io, IoFile};
use crate::limits::{GROUP_BYTES, SEGMENT_BYTES};

/// How an append ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The batch was stored before, and was not stored again.
    pub duplicate: bool,
}

/// An encoded append on its way to the log.
pub(crate) struct Job {
    pub record: Vec<u8>,
    pub batch_id: Option<BatchId>,
    pub taken_at: i64,
    pub tables: Vec<Arc<str>>,
    /// Called on the writer's thread, in log order, when the append is durable and before it is acknowledged.
    pub on_durable: Box<dyn FnOnce(Lsn) + Send>,
    pub done: oneshot::Sender<Result<Appended, AppendError>>,
}

/// A closed or open segment: what has to be flushed before it can go.
#[derive(Debug, Default, Clone)]
pub(crate) struct SegmentInfo {
    pub number: u64,
    /// The last record of each table in it.
    pub last: HashMap<Arc<str>, Lsn>,
}

/// What the writer shares with the rest of the store.
#[derive(Debug)]
pub(crate) struct LogState {
    pub identities: Identities,
    /// Oldest first; the last may be the one being written.
    pub segments: VecDeque<SegmentInfo>,
}

enum Message {
    Append(Job),
    Close,
}

/// The log's front: appends go in here.
pub(crate) struct Log {
    sender: Sender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
    pub state: Arc<Mutex<LogState>>,
    io: Arc<dyn Io>,
    folder: PathBuf,
}

impl Log {
    /// Starts the writer; its first record gets the number `next`, its first segment the number `segment`.
    pub fn start(
        io: Arc<dyn Io>,
        folder: PathBuf,
        state: LogState,
        next: Lsn,
        segment: u64,
        reserve: u64,
    ) -> Result<Log, StoreError> {
        let state = Arc::new(Mutex::new(state));
        let (sender, receiver) = channel();
        let mut writer =
            Writer { io: io.clone(), folder: folder.clone(), state: state.clone(), next, segment, reserve, open: None };
        // a full disk must not keep what is stored from being read
        match writer.open_segment() {
            Err(error) if !is_disk_full(&error) => {
                return Err(StoreError::io("create a log segment in", &folder)(error));
            }
            _ => {}
        }
        let thread = std::thread::Builder::new()
            .name("wal".into())
            .spawn(move || writer.run(receiver))
            .map_err(StoreError::io("start the log writer for", &folder))?;
        Ok(Log { sender, thread: Mutex::new(Some(thread)), state, io, folder })
    }

    pub fn send(&self, job: Job) -> Result<(), AppendError> {
        self.sender.send(Message::Append(job)).map_err(|_| AppendError::Closed)
    }

    /// Ends the writer after the appends that came before.
    pub fn close(&self) {
        // a second close finds the writer gone, which is what it wants
        let _ = self.sender.send(Message::Close);
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the log writer panicked");
        }
    }

    /// Drops the oldest segments whose every record is in table files; `flushed` says up to where a table's are.
    pub fn drop_segments(&self, now: i64, flushed: impl Fn(&str) -> Lsn) -> Result<usize, StoreError> {
        let mut dropped = 0;
        loop {
            let (number, identities) = {
                let state = self.state.lock();
                match state.segments.front() {
                    Some(first)
                        if state.segments.len() > 1 && first.last.iter().all(|(table, lsn)| flushed(table) >= *lsn) =>
                    {
                        (first.number, state.identities.encode(first.number))
                    }
                    _ => break,
                }
            };
            if let Some(bytes) = identities {
                let path = identities_path(&self.folder, number);
                self.io.write_atomic(&path, &bytes).map_err(StoreError::io("write", &path))?;
            }
            let path = segment_path(&self.folder, number);
            match self.io.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::io("remove", &path)(error));
                }
                _ => {}
            }
            self.state.lock().segments.pop_front();
            dropped += 1;
        }
        let forgotten = {
            let mut state = self.state.lock();
            let first = state.segments.front().map_or(u64::MAX, |segment| segment.number);
            state.identities.forget(now, first)
        };
        for number in forgotten {
            let path = identities_path(&self.folder, number);
            match self.io.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::io("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(dropped)
    }
}

struct OpenSegment {
    file: Box<dyn IoFile>,
    path: PathBuf,
    /// Bytes of it that are synced.
    len: u64,
}

struct Writer {
    io: Arc<dyn Io>,
    folder: PathBuf,
    state: Arc<Mutex<LogState>>,
    next: Lsn,
    /// The number of the next segment to create.
    segment: u64,
    /// Bytes of the disk that appends leave free.
    reserve: u64,
    open: Option<OpenSegment>,
}

impl Writer {
    fn run(&mut self, receiver: Receiver<Message>) {
        let mut open = true;
        while open {
            let Ok(first) = receiver.recv() else { return };
            let mut group = Vec::new();
            let mut bytes = 0;
            let mut message = Some(first);
            while let Some(next) = message.take() {
                match next {
                    Message::Append(job) => {
                        bytes += job.record.len();
                        group.push(job);
                    }
                    Message::Close => {
                        open = false;
                        break;
                    }
                }
                if bytes < GROUP_BYTES {
                    message = receiver.try_recv().ok();
                }
            }
            self.commit(group);
        }
    }

    /// Takes a group: duplicates apart, writes the rest, then answers everybody.
    fn commit(&mut self, group: Vec<Job>) {
        let mut fresh = Vec::with_capacity(group.len());
        let mut repeated = Vec::new();
        {
            let state = self.state.lock();
            let mut in_group: HashSet<&BatchId> = HashSet::new();
            let mut is_fresh = Vec::with_capacity(group.len());
            for job in &group {
                let seen =
                    job.batch_id.as_ref().is_some_and(|id| state.identities.contains(id) || !in_group.insert(id));
                is_fresh.push(!seen);
            }
            for (job, is_fresh) in group.into_iter().zip(is_fresh) {
                if is_fresh { fresh.push(job) } else { repeated.push(job) }
            }
        }
        let written = if fresh.is_empty() { Ok(()) } else { self.write(&fresh) };
        match written {
            Ok(()) => self.publish(fresh, repeated),
            Err(error) => {
                let answer = if is_disk_full(&error) {
                    AppendError::DiskFull { reason: error.to_string() }
                } else {
                    AppendError::Io { reason: error.to_string() }
                };
                tracing::error!(%error, appends = fresh.len(), "appends are not acknowledged");
                // the first of a repeated pair may be one that just failed, so neither is acknowledged
                for job in fresh.into_iter().chain(repeated) {
                    let _ = job.done.send(Err(answer.clone()));
                }
            }
        }
    }

    fn publish(&mut self, fresh: Vec<Job>, repeated: Vec<Job>) {
        let mut answers = Vec::with_capacity(fresh.len());
        let first = self.next;
        self.next += fresh.len() as u64;
        {
            let mut state = self.state.lock();
            for (lsn, job) in (first..).zip(&fresh) {
                let segment = state.segments.back_mut().expect("records were just written to one");
                let number = segment.number;
                for table in &job.tables {
                    segment.last.insert(table.clone(), lsn);
                }
                if let Some(id) = &job.batch_id {
                    state.identities.insert(number, job.taken_at, id.clone());
                }
            }
        }
        for (lsn, job) in (first..).zip(fresh) {
            (job.on_durable)(lsn);
            answers.push(job.done);
        }
        // a sender that went away does not read its answer
        for done in answers {
            let _ = done.send(Ok(Appended { duplicate: false }));
        }
        for job in repeated {
            let _ = job.done.send(Ok(Appended { duplicate: true }));
        }
    }

    fn write(&mut self, jobs: &[Job]) -> io::Result<()> {
        let bytes = frame(self.next, jobs.iter().map(|job| job.record.as_slice()));
        let free = self.io.free_space(&self.folder)?;
        if free < self.reserve.saturating_add(bytes.len() as u64) {
            let reason = format!("{free} bytes are free, and {} are kept in reserve", self.reserve);
            return Err(io::Error::new(io::ErrorKind::StorageFull, reason));
        }
        if self.open.as_ref().is_none_or(|open| open.len >= SEGMENT_BYTES) {
            self.open_segment()?;
        }
        let open = self.open.as_mut().expect("it was just opened");
        if let Err(error) = open.file.write_all(&bytes).and_then(|()| open.file.sync()) {
            let OpenSegment { path, len, .. } = self.open.take().expect("it was just used");
            // only tidiness: the next segment's first number says that what follows here does not count
            if let Err(error) = self.io.truncate(&path, len) {
                tracing::warn!(segment = %path.display(), %error, "cannot cut off a failed write");
            }
            return Err(error);
        }
        open.len += bytes.len() as u64;
        Ok(())
    }

    fn open_segment(&mut self) -> io::Result<()> {
        self.open = None;
        let number = self.segment;
        self.segment += 1;
        let path = segment_path(&self.folder, number);
        let header = segment_header(self.next);
        let created = create_segment(&*self.io, &self.folder, &path, &header);
        if created.is_err() {
            // recovery removes it too; without a whole header it holds nothing
            let _ = self.io.remove(&path);
        }
        self.open = Some(OpenSegment { file: created?, path, len: header.len() as u64 });
        self.state.lock().segments.push_back(SegmentInfo { number, last: HashMap::new() });
        Ok(())
    }
}

fn create_segment(io: &dyn Io, folder: &Path, path: &Path, header: &[u8]) -> io::Result<Box<dyn IoFile>> {
    let mut file = io.create(path)?;
    file.write_all(header)?;
    file.sync()?;
    io.sync_dir(folder)?;
    Ok(file)
}
