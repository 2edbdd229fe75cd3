//! One file of the queue: a header record, then batch records, each `length, crc32, protobuf`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use prost::Message;

use super::{MAX_PAYLOAD, Positions, QueueError};

const PREFIX: usize = 8;
/// A length above this is damage, not a record.
const MAX_RECORD: usize = MAX_PAYLOAD + 1024 * 1024;

/// A batch as it is stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredRecord {
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    #[prost(uint32, tag = "2")]
    pub rows: u32,
    #[prost(int32, tag = "3")]
    pub compression: i32,
    #[prost(bytes = "vec", tag = "4")]
    pub payload: Vec<u8>,
    #[prost(message, repeated, tag = "5")]
    pub positions: Vec<StoredPosition>,
    #[prost(bool, tag = "6")]
    pub operational: bool,
}

/// A position with the number of its batch (in a header; in a batch record the record's own number holds).
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredPosition {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
    #[prost(uint64, tag = "3")]
    sequence: u64,
}

/// The first record of a segment: what must survive when older segments go.
#[derive(Clone, PartialEq, Message)]
struct Header {
    #[prost(uint64, tag = "1")]
    next_sequence: u64,
    #[prost(message, repeated, tag = "2")]
    positions: Vec<StoredPosition>,
}

impl StoredRecord {
    pub(super) fn set_positions(&mut self, positions: &[(String, Vec<u8>)]) {
        self.positions = positions
            .iter()
            .map(|(key, value)| StoredPosition { key: key.clone(), value: value.clone(), sequence: 0 })
            .collect();
    }
}

struct Place {
    sequence: u64,
    offset: u64,
    length: u32,
    rows: u32,
}

pub(super) struct Segment {
    path: PathBuf,
    file: File,
    bytes: u64,
    places: Vec<Place>,
    damaged: bool,
}

pub(super) struct Opened {
    pub segment: Segment,
    pub positions: Positions,
    pub next_sequence: u64,
    pub damaged_bytes: u64,
}

impl Segment {
    pub(super) fn create(path: &Path, next_sequence: u64, positions: &Positions) -> Result<Self, QueueError> {
        let header = Header {
            next_sequence,
            positions: positions
                .iter()
                .map(|(key, sequence, value)| StoredPosition { key: key.to_owned(), value: value.to_vec(), sequence })
                .collect(),
        };
        let framed = frame(&header);
        let write = || -> io::Result<File> {
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
            file.write_all(&framed)?;
            file.sync_data()?;
            Ok(file)
        };
        match write() {
            Ok(file) => {
                let bytes = framed.len() as u64;
                Ok(Self { path: path.to_path_buf(), file, bytes, places: Vec::new(), damaged: false })
            }
            Err(error) => {
                let _ = std::fs::remove_file(path);
                Err(QueueError::file("create", path)(error))
            }
        }
    }

    /// Reads a segment through; what is damaged at its end is cut off.
    pub(super) fn open(path: &Path) -> Result<Opened, QueueError> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(QueueError::file("open", path))?;
        let length = file.metadata().map_err(QueueError::file("open", path))?.len();
        let mut reader = BufReader::new(&file);
        let mut positions = Positions::default();
        let mut next_sequence = 1;
        let mut places: Vec<Place> = Vec::new();
        let mut offset = 0;
        while let Some(body) = read_record(&mut reader).map_err(QueueError::file("read", path))? {
            if offset == 0 {
                let Ok(header) = Header::decode(body.as_slice()) else { break };
                next_sequence = header.next_sequence;
                for position in &header.positions {
                    positions.put(&position.key, position.sequence, &position.value);
                }
            } else {
                let Ok(record) = StoredRecord::decode(body.as_slice()) else { break };
                next_sequence = next_sequence.max(record.sequence + 1);
                for position in &record.positions {
                    positions.put(&position.key, record.sequence, &position.value);
                }
                places.push(Place {
                    sequence: record.sequence,
                    offset,
                    length: u32::try_from(body.len()).unwrap_or(u32::MAX),
                    rows: record.rows,
                });
            }
            offset += (PREFIX + body.len()) as u64;
        }
        drop(reader);
        let damaged_bytes = length - offset;
        if damaged_bytes > 0 {
            file.set_len(offset).and_then(|()| file.sync_data()).map_err(QueueError::file("repair", path))?;
        }
        // without its header a file is not written to again
        let damaged = offset == 0;
        let segment = Self { path: path.to_path_buf(), file, bytes: offset, places, damaged };
        Ok(Opened { segment, positions, next_sequence, damaged_bytes })
    }

    pub(super) fn append(&mut self, record: &StoredRecord) -> Result<(), QueueError> {
        let framed = frame(record);
        let written = self.file.write_all_at(&framed, self.bytes).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // what did arrive is taken back; where even that fails the file is given up, because its end is unknown
            if self.file.set_len(self.bytes).and_then(|()| self.file.sync_data()).is_err() {
                self.damaged = true;
            }
            return Err(QueueError::file("write", &self.path)(error));
        }
        self.places.push(Place {
            sequence: record.sequence,
            offset: self.bytes,
            length: u32::try_from(framed.len() - PREFIX).unwrap_or(u32::MAX),
            rows: record.rows,
        });
        self.bytes += framed.len() as u64;
        Ok(())
    }

    /// The record with a number; none when the disk gave back something else.
    pub(super) fn read(&self, sequence: u64) -> Result<Option<StoredRecord>, QueueError> {
        let Ok(index) = self.places.binary_search_by_key(&sequence, |place| place.sequence) else { return Ok(None) };
        let place = &self.places[index];
        let mut bytes = vec![0; PREFIX + place.length as usize];
        self.file.read_exact_at(&mut bytes, place.offset).map_err(QueueError::file("read", &self.path))?;
        let body = read_record(&mut bytes.as_slice()).map_err(QueueError::file("read", &self.path))?;
        Ok(body.and_then(|body| StoredRecord::decode(body.as_slice()).ok()))
    }

    pub(super) fn next_after(&self, sequence: u64) -> Option<u64> {
        let index = self.places.partition_point(|place| place.sequence <= sequence);
        self.places.get(index).map(|place| place.sequence)
    }

    /// 0 when there is no batch.
    pub(super) fn last_sequence(&self) -> u64 {
        self.places.last().map_or(0, |place| place.sequence)
    }

    /// Batches and rows above an acknowledged number.
    pub(super) fn waiting(&self, acknowledged: u64) -> (u64, u64) {
        let first = self.places.partition_point(|place| place.sequence <= acknowledged);
        let waiting = &self.places[first..];
        (waiting.len() as u64, waiting.iter().map(|place| u64::from(place.rows)).sum())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.damaged
    }

    pub(super) fn remove(self) -> Result<(), QueueError> {
        std::fs::remove_file(&self.path).map_err(QueueError::file("remove", &self.path))
    }
}

fn frame(message: &impl Message) -> Vec<u8> {
    let body = message.encode_to_vec();
    let mut framed = Vec::with_capacity(PREFIX + body.len());
    framed.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    framed.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    framed.extend_from_slice(&body);
    framed
}

/// The next record's body; none at the end and where the bytes are not a record.
fn read_record(reader: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut prefix = [0; PREFIX];
    if !read_whole(reader, &mut prefix)? {
        return Ok(None);
    }
    let [a, b, c, d, e, f, g, h] = prefix;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let checksum = u32::from_le_bytes([e, f, g, h]);
    // zeros, as some file systems leave them after a crash, are not an empty record
    if length > MAX_RECORD || length == 0 {
        return Ok(None);
    }
    let mut body = Vec::new();
    reader.take(length as u64).read_to_end(&mut body)?;
    Ok((body.len() == length && crc32fast::hash(&body) == checksum).then_some(body))
}

fn read_whole(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
