//! The disk queue: batches wait here until the server has them for good.
//!
//! Each class of data has its own chain of segments, so that the least important is dropped first when the queue is
//! full. A record holds a batch together with the positions of the collectors that it was read from: after a crash
//! either both are there or neither, so a log line is neither lost nor doubled. Sequence numbers are one series over
//! all classes; a number is given to one batch only, and a batch is given out only after it is synced.
//!
//! The classes form two lanes that are given out and acknowledged each for itself, so that an alert does not wait for
//! an hour of samples. For the server a lane is a queue with an identity of its own, whose numbers rise with gaps.

mod positions;
mod segment;

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use positions::Positions;
use segment::{Segment, StoredRecord};

/// What kind of data a batch holds, the least important first (management group specification 1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Samples: the first to go.
    Performance,
    /// Log lines and events.
    Event,
    /// State changes.
    State,
    /// What was discovered about the machine.
    Discovery,
    /// Alerts: the last to go.
    Alert,
}

impl Class {
    /// All classes, the least important first.
    pub const ALL: [Class; 5] = [Class::Performance, Class::Event, Class::State, Class::Discovery, Class::Alert];

    /// The name in file names and rows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Class::Performance => "performance",
            Class::Event => "event",
            Class::State => "state",
            Class::Discovery => "discovery",
            Class::Alert => "alert",
        }
    }
}

/// Classes that are sent one after the other; the lanes do not wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Samples and events.
    Bulk,
    /// State, discovery, alerts, results of tasks.
    Urgent,
}

impl Lane {
    /// Both, the first to be sent first.
    pub const ALL: [Lane; 2] = [Lane::Urgent, Lane::Bulk];

    /// The lane of a class.
    #[must_use]
    pub fn of(class: Class) -> Self {
        match class {
            Class::Performance | Class::Event => Lane::Bulk,
            Class::State | Class::Discovery | Class::Alert => Lane::Urgent,
        }
    }
}

/// What a payload is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// Rows of tables.
    #[default]
    Rows,
    /// Alerts, state changes and the like.
    Operational,
}

/// How large the queue may become and how its files are cut.
#[derive(Debug, Clone, Copy)]
pub struct QueueLimits {
    /// Bytes on disk over all segments; what is past it is dropped, lowest class first, oldest first.
    pub max_bytes: u64,
    /// A segment is closed at this size; the unit in which data is dropped.
    pub segment_bytes: u64,
}

impl QueueLimits {
    /// Limits with segments of a sixteenth of the whole.
    #[must_use]
    pub fn with_max_bytes(max_bytes: u64) -> Self {
        Self { max_bytes, segment_bytes: (max_bytes / 16).clamp(64 * 1024, 4 * 1024 * 1024) }
    }
}

/// A batch that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Its number.
    pub sequence: u64,
    /// What the payload is.
    pub kind: Kind,
    /// How many rows or items.
    pub rows: u32,
    /// How the payload is compressed ([`watchkeeper_wire::proto::Compression`]).
    pub compression: i32,
    /// The encoded rows or items.
    pub payload: Vec<u8>,
}

/// What was dropped since the queue was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Batches.
    pub batches: u64,
    /// Rows in them.
    pub rows: u64,
}

/// The queue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// A file or folder of the queue.
    #[error("cannot {action} {} of the disk queue: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A batch larger than a message may be.
    #[error("a batch of {bytes} bytes is larger than a message may be ({limit} bytes)")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
}

impl QueueError {
    fn file<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::File { action, path: path.to_path_buf(), source }
    }
}

/// One chain of segments; the last is written to.
struct Chain {
    class: Class,
    segments: VecDeque<Segment>,
}

/// The queue. One process at a time uses a folder; the agent's lock file sees to that.
pub struct Queue {
    folder: PathBuf,
    limits: QueueLimits,
    id: String,
    chains: Vec<Chain>,
    positions: Positions,
    next_sequence: u64,
    next_file: u64,
    lanes: [LaneState; 2],
    dropped: Dropped,
    dropped_by_class: [Dropped; Class::ALL.len()],
    damaged_bytes: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct LaneState {
    acknowledged: u64,
    /// The last record that was given out, for reading on.
    read_to: u64,
}

const MAX_PAYLOAD: usize = watchkeeper_wire::MAX_MESSAGE_BYTES - 64 * 1024;

impl Queue {
    /// Opens the queue in a folder, or makes one there. A torn end of a segment, as a crash leaves it, is cut off.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn open(folder: &Path, limits: QueueLimits) -> Result<Self, QueueError> {
        fs::create_dir_all(folder).map_err(QueueError::file("create the folder", folder))?;
        let id = open_id(folder)?;
        let mut files: Vec<(u64, Class, PathBuf)> = Vec::new();
        let entries = fs::read_dir(folder).map_err(QueueError::file("list the folder", folder))?;
        for entry in entries {
            let path = entry.map_err(QueueError::file("list the folder", folder))?.path();
            if let Some((number, class)) = path.file_name().and_then(|name| parse_file_name(name.to_str()?)) {
                files.push((number, class, path));
            }
        }
        files.sort();
        let mut queue = Self {
            folder: folder.to_path_buf(),
            limits,
            id,
            chains: Class::ALL.iter().map(|class| Chain { class: *class, segments: VecDeque::new() }).collect(),
            positions: Positions::default(),
            next_sequence: 1,
            next_file: files.last().map_or(1, |(number, _, _)| number + 1),
            lanes: Default::default(),
            dropped: Dropped::default(),
            dropped_by_class: Default::default(),
            damaged_bytes: 0,
        };
        for (_, class, path) in files {
            let opened = Segment::open(&path)?;
            queue.positions.merge(&opened.positions);
            queue.next_sequence = queue.next_sequence.max(opened.next_sequence);
            queue.damaged_bytes += opened.damaged_bytes;
            queue.chains[class as usize].segments.push_back(opened.segment);
        }
        // a queue from before there were lanes has one number for both
        let bulk = read_acknowledged(&folder.join(acknowledged_name(Lane::Bulk))).unwrap_or(0);
        let urgent_path = folder.join(acknowledged_name(Lane::Urgent));
        let urgent = match read_acknowledged(&urgent_path) {
            Some(urgent) => urgent,
            None => {
                let urgent = if urgent_path.exists() { 0 } else { bulk };
                fs::write(&urgent_path, urgent.to_string()).map_err(QueueError::file("write", &urgent_path))?;
                urgent
            }
        };
        queue.lanes = [bulk, urgent].map(|acknowledged| LaneState { acknowledged, read_to: acknowledged });
        queue.next_sequence = queue.next_sequence.max(bulk + 1).max(urgent + 1);
        queue.remove_acknowledged()?;
        Ok(queue)
    }

    /// Names a lane; a queue that was made anew has other names, so its numbers do not meet the old ones.
    #[must_use]
    pub fn id(&self, lane: Lane) -> String {
        match lane {
            Lane::Bulk => self.id.clone(),
            Lane::Urgent => format!("{}-urgent", self.id),
        }
    }

    /// Where the collectors stood when their last rows were put here.
    #[must_use]
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Writes a batch of rows with the positions that go with it, and syncs it. On an error nothing has happened: the
    /// collectors keep their positions and read the same rows again.
    ///
    /// # Errors
    /// When the disk is full or fails, or the batch is too large.
    pub fn append(
        &mut self,
        class: Class,
        rows: u32,
        compression: i32,
        payload: Vec<u8>,
        positions: &[(String, Vec<u8>)],
    ) -> Result<u64, QueueError> {
        self.append_kind(Kind::Rows, class, rows, compression, payload, positions)
    }

    /// Writes operational items, as [`Queue::append`] does rows.
    ///
    /// # Errors
    /// As there.
    pub fn append_operational(
        &mut self,
        class: Class,
        items: u32,
        compression: i32,
        payload: Vec<u8>,
    ) -> Result<u64, QueueError> {
        self.append_kind(Kind::Operational, class, items, compression, payload, &[])
    }

    fn append_kind(
        &mut self,
        kind: Kind,
        class: Class,
        rows: u32,
        compression: i32,
        payload: Vec<u8>,
        positions: &[(String, Vec<u8>)],
    ) -> Result<u64, QueueError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(QueueError::TooLarge { bytes: payload.len(), limit: MAX_PAYLOAD });
        }
        self.make_room(payload.len() as u64)?;
        let sequence = self.next_sequence;
        let mut record = StoredRecord {
            sequence,
            rows,
            compression,
            payload,
            positions: Vec::new(),
            operational: kind == Kind::Operational,
        };
        record.set_positions(positions);
        // the number is used up even where writing fails: parts of the record may be on the disk
        self.next_sequence += 1;
        self.writable(class)?.append(&record)?;
        self.positions.set(sequence, positions);
        Ok(sequence)
    }

    /// The segment to write to, a new one where there is none or the last is full.
    fn writable(&mut self, class: Class) -> Result<&mut Segment, QueueError> {
        let full = self.limits.segment_bytes;
        let chain = &mut self.chains[class as usize];
        if chain.segments.back().is_none_or(|segment| segment.bytes() >= full || segment.is_damaged()) {
            let path = self.folder.join(file_name(self.next_file, class));
            let segment = Segment::create(&path, self.next_sequence, &self.positions)?;
            sync_folder(&self.folder)?;
            self.next_file += 1;
            chain.segments.push_back(segment);
        }
        Ok(chain.segments.back_mut().expect("a segment was just put there"))
    }

    /// The next batch of a lane after the last one given out, in the order of numbers; none when all were given out.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn read_next(&mut self, lane: Lane) -> Result<Option<Queued>, QueueError> {
        loop {
            let after = self.lanes[lane as usize].read_to;
            let mut first: Option<(u64, usize, usize)> = None;
            for (chain_number, chain) in
                self.chains.iter().enumerate().filter(|(_, chain)| Lane::of(chain.class) == lane)
            {
                for (segment_number, segment) in chain.segments.iter().enumerate() {
                    if let Some(sequence) = segment.next_after(after) {
                        if first.is_none_or(|(lowest, _, _)| sequence < lowest) {
                            first = Some((sequence, chain_number, segment_number));
                        }
                        break;
                    }
                }
            }
            let Some((sequence, chain_number, segment_number)) = first else { return Ok(None) };
            self.lanes[lane as usize].read_to = sequence;
            match self.chains[chain_number].segments[segment_number].read(sequence)? {
                Some(record) => {
                    return Ok(Some(Queued {
                        sequence,
                        kind: if record.operational { Kind::Operational } else { Kind::Rows },
                        rows: record.rows,
                        compression: record.compression,
                        payload: record.payload,
                    }));
                }
                None => {
                    // the disk gave back something else than was written
                    self.count_dropped(self.chains[chain_number].class, 1, 0);
                }
            }
        }
    }

    /// Begins a lane again with the first batch that is not acknowledged: after a reconnect or a retry.
    pub fn rewind(&mut self, lane: Lane) {
        let lane = &mut self.lanes[lane as usize];
        lane.read_to = lane.acknowledged;
    }

    /// Forgets everything of a lane up to a number, which the server has for good. An older number changes nothing.
    ///
    /// # Errors
    /// When the files cannot be changed.
    pub fn acknowledge(&mut self, lane: Lane, sequence: u64) -> Result<(), QueueError> {
        let state = &mut self.lanes[lane as usize];
        if sequence <= state.acknowledged || sequence >= self.next_sequence {
            return Ok(());
        }
        state.acknowledged = sequence;
        state.read_to = state.read_to.max(sequence);
        // not synced: an older number after a power cut means that the server sees some batches again and knows them
        let path = self.folder.join(acknowledged_name(lane));
        fs::write(&path, sequence.to_string()).map_err(QueueError::file("write", &path))?;
        self.remove_acknowledged()
    }

    fn remove_acknowledged(&mut self) -> Result<(), QueueError> {
        for index in 0..self.chains.len() {
            while let Some(segment) = self.chains[index].segments.front() {
                let last = self.chains[index].segments.len() == 1;
                let done = segment.last_sequence() <= self.acknowledged_of(self.chains[index].class);
                // the file that is written to goes only when it has some size, and never before another file holds
                // the positions and the next number
                if !done || (last && segment.bytes() < self.limits.segment_bytes / 4) {
                    break;
                }
                self.remove_front(index)?;
            }
        }
        Ok(())
    }

    /// Removes the oldest segment of a chain. What it alone knows — positions, the next number — is first written into
    /// a new segment when no later file can hold it.
    fn remove_front(&mut self, chain: usize) -> Result<(), QueueError> {
        if self.chains[chain].segments.len() == 1 {
            let class = self.chains[chain].class;
            let path = self.folder.join(file_name(self.next_file, class));
            let segment = Segment::create(&path, self.next_sequence, &self.positions)?;
            sync_folder(&self.folder)?;
            self.next_file += 1;
            self.chains[chain].segments.push_back(segment);
        }
        if let Some(segment) = self.chains[chain].segments.pop_front() {
            segment.remove()?;
        }
        Ok(())
    }

    /// Drops segments, lowest class first and oldest first, until there is room.
    fn make_room(&mut self, bytes: u64) -> Result<(), QueueError> {
        while self.bytes() + bytes > self.limits.max_bytes {
            let victim =
                self.chains.iter().position(|chain| chain.segments.iter().any(|segment| segment.last_sequence() > 0));
            let Some(victim) = victim else { return Ok(()) };
            let class = self.chains[victim].class;
            let (batches, rows) = match self.chains[victim].segments.front() {
                Some(segment) => segment.waiting(self.acknowledged_of(class)),
                None => return Ok(()),
            };
            self.remove_front(victim)?;
            self.count_dropped(class, batches, rows);
        }
        Ok(())
    }

    fn count_dropped(&mut self, class: Class, batches: u64, rows: u64) {
        self.dropped.batches += batches;
        self.dropped.rows += rows;
        let of_class = &mut self.dropped_by_class[class as usize];
        of_class.batches += batches;
        of_class.rows += rows;
    }

    /// Counts rows that the server will never take.
    pub fn count_refused(&mut self, rows: u32) {
        self.dropped.batches += 1;
        self.dropped.rows += u64::from(rows);
    }

    /// What was dropped since the last call, by class; to be reported.
    pub fn take_dropped(&mut self) -> Vec<(Class, Dropped)> {
        let taken = std::mem::take(&mut self.dropped_by_class);
        Class::ALL.into_iter().zip(taken).filter(|(_, dropped)| dropped.batches > 0).collect()
    }

    /// All that was dropped since the queue was opened.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// Bytes that were cut off or skipped when the queue was opened, because a crash or the disk damaged them.
    #[must_use]
    pub fn damaged_bytes(&self) -> u64 {
        self.damaged_bytes
    }

    /// Bytes on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.chains.iter().flat_map(|chain| &chain.segments).map(Segment::bytes).sum()
    }

    /// What the queue may grow to.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.limits.max_bytes
    }

    /// Batches that wait for acknowledgement.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        let of_chain = |chain: &Chain| -> u64 {
            let acknowledged = self.acknowledged_of(chain.class);
            chain.segments.iter().map(|segment| segment.waiting(acknowledged).0).sum()
        };
        self.chains.iter().map(of_chain).sum()
    }

    /// The number up to which everything of a lane is acknowledged.
    #[must_use]
    pub fn acknowledged(&self, lane: Lane) -> u64 {
        self.lanes[lane as usize].acknowledged
    }

    fn acknowledged_of(&self, class: Class) -> u64 {
        self.acknowledged(Lane::of(class))
    }
}

fn file_name(number: u64, class: Class) -> String {
    format!("{number:012}-{}.segment", class.name())
}

fn parse_file_name(name: &str) -> Option<(u64, Class)> {
    let (number, class) = name.strip_suffix(".segment")?.split_once('-')?;
    let class = Class::ALL.into_iter().find(|candidate| candidate.name() == class)?;
    Some((number.parse().ok()?, class))
}

fn open_id(folder: &Path) -> Result<String, QueueError> {
    let path = folder.join("id");
    match fs::read_to_string(&path) {
        Ok(id) if !id.trim().is_empty() => Ok(id.trim().to_owned()),
        Ok(_) => new_id(folder, &path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => new_id(folder, &path),
        Err(error) => Err(QueueError::file("read", &path)(error)),
    }
}

fn new_id(folder: &Path, path: &Path) -> Result<String, QueueError> {
    let id = format!("{:032x}", rand::random::<u128>());
    let temporary = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(&temporary)?;
        io::Write::write_all(&mut file, id.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(QueueError::file("write", path))?;
    sync_folder(folder)?;
    Ok(id)
}

fn sync_folder(folder: &Path) -> Result<(), QueueError> {
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(QueueError::file("sync", folder))
}

fn acknowledged_name(lane: Lane) -> &'static str {
    match lane {
        Lane::Bulk => "acknowledged",
        Lane::Urgent => "acknowledged-urgent",
    }
}

/// A missing or damaged file counts as nothing acknowledged: the server knows what it has.
fn read_acknowledged(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok())
}
