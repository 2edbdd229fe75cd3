//! Batches of one agent on disk, by lane, until the server has them. A record is length, checksum and envelope; what is
//! torn at the end was never acknowledged. What the server acknowledged may be read again after a crash: it knows the
//! agents' numbers, so that is harmless.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prost::Message;
use watchkeeper_wire::MAX_MESSAGE_BYTES;
use watchkeeper_wire::proto::{Envelope, Hello};

const HEADER: u64 = 8;

/// One lane.
pub struct LaneQueue {
    file: File,
    end: u64,
    waiting: VecDeque<Place>,
    last: u64,
    used: Arc<AtomicU64>,
}

#[derive(Clone, Copy)]
struct Place {
    sequence: u64,
    offset: u64,
    length: u32,
    /// Rows or items in it, as the agent said.
    rows: u32,
    /// Microseconds since the Unix epoch; 0 where it is not known.
    kept_at: i64,
}

impl Place {
    fn of(envelope: &Envelope, offset: u64, length: u32) -> Self {
        Self { sequence: envelope.sequence, offset, length, rows: envelope.rows, kept_at: envelope.kept_at }
    }
}

/// What waits for the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    pub batches: u64,
    /// Rows or items, as the agents said.
    pub rows: u64,
    pub bytes: u64,
    /// When the oldest came here, microseconds since the Unix epoch; 0 for nothing.
    pub oldest: i64,
}

impl Waiting {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        let oldest = match (self.oldest, other.oldest) {
            (0, time) | (time, 0) => time,
            (one, two) => one.min(two),
        };
        Self {
            batches: self.batches + other.batches,
            rows: self.rows + other.rows,
            bytes: self.bytes + other.bytes,
            oldest,
        }
    }
}

impl LaneQueue {
    fn open(path: &Path, used: Arc<AtomicU64>) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let size = file.metadata()?.len();
        let mut queue = Self { file, end: 0, waiting: VecDeque::new(), last: 0, used };
        while let Some(envelope) = queue.read_at(queue.end, size)? {
            let length = u32::try_from(envelope.encoded_len()).unwrap_or(u32::MAX);
            queue.waiting.push_back(Place::of(&envelope, queue.end, length));
            queue.last = envelope.sequence;
            queue.end += HEADER + u64::from(length);
        }
        queue.file.set_len(queue.end)?;
        queue.used.fetch_add(queue.end, Ordering::Relaxed);
        Ok(queue)
    }

    fn read_at(&self, offset: u64, size: u64) -> io::Result<Option<Envelope>> {
        let mut header = [0; HEADER as usize];
        if offset + HEADER > size {
            return Ok(None);
        }
        self.file.read_exact_at(&mut header, offset)?;
        let [a, b, c, d, e, f, g, h] = header;
        let (length, checksum) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if length as usize > MAX_MESSAGE_BYTES || offset + HEADER + u64::from(length) > size {
            return Ok(None);
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, offset + HEADER)?;
        if crc32fast::hash(&bytes) != checksum {
            return Ok(None);
        }
        Ok(Envelope::decode(bytes.as_slice()).ok())
    }

    /// Puts a batch on the disk; when this returns it survives a crash. One that is here already is not put again.
    pub fn append(&mut self, envelope: &Envelope) -> io::Result<()> {
        if envelope.sequence <= self.last {
            return Ok(());
        }
        let bytes = envelope.encode_to_vec();
        let length = u32::try_from(bytes.len()).map_err(|_| io::Error::other("a batch of more than 4 GB"))?;
        let mut record = Vec::with_capacity(bytes.len() + HEADER as usize);
        record.write_all(&length.to_le_bytes())?;
        record.write_all(&crc32fast::hash(&bytes).to_le_bytes())?;
        record.write_all(&bytes)?;
        self.file.write_all_at(&record, self.end)?;
        self.file.sync_data()?;
        self.waiting.push_back(Place::of(envelope, self.end, length));
        self.last = envelope.sequence;
        self.end += record.len() as u64;
        self.used.fetch_add(record.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// The first batch with a number above this one.
    pub fn after(&self, sequence: u64) -> io::Result<Option<Envelope>> {
        let at = self.waiting.partition_point(|place| place.sequence <= sequence);
        let Some(place) = self.waiting.get(at) else { return Ok(None) };
        let end = place.offset + HEADER + u64::from(place.length);
        let damaged = || io::Error::new(ErrorKind::InvalidData, format!("batch {} is damaged", place.sequence));
        self.read_at(place.offset, end)?.ok_or_else(damaged).map(Some)
    }

    /// The server has everything up to this number.
    pub fn acknowledge(&mut self, sequence: u64) -> io::Result<()> {
        while self.waiting.front().is_some_and(|place| place.sequence <= sequence) {
            self.waiting.pop_front();
        }
        if self.waiting.is_empty() && self.end > 0 {
            self.file.set_len(0)?;
            self.used.fetch_sub(self.end, Ordering::Relaxed);
            self.end = 0;
        }
        Ok(())
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How much waits.
    pub fn waiting(&self) -> Waiting {
        let one = |place: &Place| Waiting {
            batches: 1,
            rows: u64::from(place.rows),
            bytes: HEADER + u64::from(place.length),
            oldest: place.kept_at,
        };
        self.waiting.iter().map(one).fold(Waiting::default(), Waiting::and)
    }
}

/// The lanes of one disk queue of an agent, and how the agent said hello.
pub struct AgentQueue {
    folder: PathBuf,
    /// By number of the lane.
    pub lanes: [LaneQueue; 2],
    /// As it came last.
    pub hello: Hello,
}

impl AgentQueue {
    /// Opens the queue of an agent's hello, in the agent's folder.
    pub fn open(agent: &Path, hello: Hello, used: Arc<AtomicU64>) -> io::Result<Self> {
        let folder = agent.join(folder_name(&hello));
        std::fs::create_dir_all(&folder)?;
        keep(&folder, &hello)?;
        Self::in_folder(folder, hello, used)
    }

    fn in_folder(folder: PathBuf, hello: Hello, used: Arc<AtomicU64>) -> io::Result<Self> {
        let lanes =
            [LaneQueue::open(&folder.join("bulk"), Arc::clone(&used))?, LaneQueue::open(&folder.join("urgent"), used)?];
        File::open(&folder)?.sync_all()?;
        if let Some(agent) = folder.parent() {
            File::open(agent)?.sync_all()?;
        }
        Ok(Self { folder, lanes, hello })
    }

    /// The queues of an agent that an earlier run of the gateway has left in its folder.
    pub fn left(agent: &Path, used: &Arc<AtomicU64>) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        for folder in std::fs::read_dir(agent)? {
            let folder = folder?.path();
            let bytes = match std::fs::read(folder.join("hello")) {
                Ok(bytes) => bytes,
                // not a queue
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
                Err(error) => return Err(error),
            };
            let hello = Hello::decode(bytes.as_slice()).map_err(|error| {
                io::Error::other(format!("{}: {error}; move the folder away", folder.join("hello").display()))
            })?;
            found.push(Self::in_folder(folder, hello, Arc::clone(used))?);
        }
        Ok(found)
    }

    /// Keeps how the agent says hello now, for the time when it is away.
    pub fn say(&mut self, hello: Hello) -> io::Result<()> {
        if hello != self.hello {
            keep(&self.folder, &hello)?;
            self.hello = hello;
        }
        Ok(())
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(LaneQueue::is_empty)
    }

    /// How much waits.
    pub fn waiting(&self) -> Waiting {
        self.lanes.iter().map(LaneQueue::waiting).fold(Waiting::default(), Waiting::and)
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The folder of a queue. The names were checked before.
pub fn folder_name(hello: &Hello) -> String {
    format!("{}_{}", hello.queue_id, hello.urgent_queue_id)
}

fn keep(folder: &Path, hello: &Hello) -> io::Result<()> {
    watchkeeper_wire::write_private(&folder.join("hello"), &hello.encode_to_vec()).map_err(io::Error::other)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn envelope(sequence: u64) -> Envelope {
        let kept_at = i64::try_from(sequence).unwrap() * 1000;
        Envelope { sequence, payload: vec![7; 100], rows: 10, kept_at, ..Envelope::default() }
    }

    #[test]
    fn batches_survive_a_crash_and_a_torn_end_and_go_when_they_are_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bulk");
        let used = Arc::new(AtomicU64::new(0));
        let mut queue = LaneQueue::open(&path, Arc::clone(&used)).unwrap();
        for sequence in [3, 5, 5, 4, 9] {
            queue.append(&envelope(sequence)).unwrap();
        }
        drop(queue);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&[100, 0, 0, 0, 1, 2]).unwrap();
        let used = Arc::new(AtomicU64::new(0));
        let mut queue = LaneQueue::open(&path, Arc::clone(&used)).unwrap();
        let mut numbers = Vec::new();
        while let Some(next) = queue.after(numbers.last().copied().unwrap_or(0)).unwrap() {
            numbers.push(next.sequence);
        }
        assert_eq!(numbers, [3, 5, 9]);
        let all = queue.waiting();
        assert_eq!((all.batches, all.rows, all.oldest), (3, 30, 3000));
        assert_eq!(all.bytes, std::fs::metadata(&path).unwrap().len());
        queue.acknowledge(5).unwrap();
        let left = queue.waiting();
        assert_eq!((left.batches, left.rows, left.oldest), (1, 10, 9000));
        assert_eq!(left.and(Waiting::default()), left);
        assert_eq!(Waiting::default().and(left), left);
        assert_eq!(queue.after(0).unwrap().unwrap().sequence, 9);
        queue.acknowledge(9).unwrap();
        assert!(queue.is_empty() && used.load(Ordering::Relaxed) == 0);
        assert_eq!(queue.waiting(), Waiting::default());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        queue.append(&envelope(10)).unwrap();
        assert_eq!(queue.after(0).unwrap().unwrap().sequence, 10);
    }
}
