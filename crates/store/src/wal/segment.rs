//! The format of a log segment, and reading one back.
//!
//! A segment is a header (magic, first log sequence number, checksum) and frames. A frame is what one group
//! commit wrote and synced at once: magic, length, checksum, first sequence number, number of records; then the
//! records, each with its length. A frame follows another only after that one was synced, so a bad frame with a
//! good one behind it is damage, while a bad frame at the end is a write that was never acknowledged.

use std::path::{Path, PathBuf};

use super::record::Input;
use crate::error::StoreError;
use crate::io::Io;

const SEGMENT_MAGIC: &[u8; 8] = b"WKWAL\0\0\x01";
const SEGMENT_HEADER: usize = 20;
const FRAME_MAGIC: &[u8; 4] = b"WKF\x01";
const FRAME_HEADER: usize = 24;

/// The position of an append in the log; the first is 1.
pub(crate) type Lsn = u64;

pub(crate) fn segment_header(first: Lsn) -> Vec<u8> {
    let mut header = SEGMENT_MAGIC.to_vec();
    header.extend_from_slice(&first.to_le_bytes());
    header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    header
}

pub(crate) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016}.wal"))
}

/// The bytes of a frame with these records.
pub(crate) fn frame<'a>(first: Lsn, records: impl ExactSizeIterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
    let size: usize = records.clone().map(|record| record.len() + 4).sum();
    let mut out = Vec::with_capacity(FRAME_HEADER + size);
    out.extend_from_slice(FRAME_MAGIC);
    out.extend_from_slice(&(size as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&first.to_le_bytes());
    out.extend_from_slice(&(records.len() as u32).to_le_bytes());
    for record in records {
        out.extend_from_slice(&(record.len() as u32).to_le_bytes());
        out.extend_from_slice(record);
    }
    let checksum = frame_checksum(&out);
    out[8..12].copy_from_slice(&checksum.to_le_bytes());
    out
}

/// Over the whole frame except its magic and the checksum itself.
fn frame_checksum(frame: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&frame[4..8]);
    hasher.update(&frame[12..]);
    hasher.finalize()
}

/// A frame at the start of the bytes, if there is a whole one with the right checksum.
struct Frame<'a> {
    first: Lsn,
    records: Vec<&'a [u8]>,
    len: usize,
}

fn read_frame(bytes: &[u8]) -> Result<Frame<'_>, String> {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    if bytes.len() < FRAME_HEADER {
        return Err("the frame's header is cut off".into());
    }
    if &bytes[..4] != FRAME_MAGIC {
        return Err("no frame starts here".into());
    }
    let len = FRAME_HEADER + number(4) as usize;
    if bytes.len() < len {
        return Err(format!("the frame is cut off after {} of {len} bytes", bytes.len()));
    }
    if frame_checksum(&bytes[..len]) != number(8) {
        return Err("the frame's checksum is wrong".into());
    }
    let mut input = Input(&bytes[FRAME_HEADER..len]);
    let mut records = Vec::with_capacity(number(20) as usize);
    for _ in 0..number(20) {
        let len = u32::from_le_bytes(input.take(4)?.try_into().expect("four bytes")) as usize;
        records.push(input.take(len)?);
    }
    Ok(Frame { first: u64::from_le_bytes(bytes[12..20].try_into().expect("eight bytes")), records, len })
}

/// What a log folder's segments say, before their records are decoded.
pub(crate) struct Segment {
    pub number: u64,
    pub path: PathBuf,
    bytes: Vec<u8>,
    first: Lsn,
    /// The number after its last good record, which is where the next segment must begin.
    pub end: Lsn,
    /// Bytes up to the end of the last good frame.
    good: usize,
    damage: Option<String>,
}

impl Segment {
    fn read(io: &dyn Io, number: u64, path: PathBuf) -> Result<Option<Segment>, StoreError> {
        let bytes = io.read(&path).map_err(StoreError::io("read", &path))?;
        let header = bytes.get(..SEGMENT_HEADER).filter(|header| {
            &header[..8] == SEGMENT_MAGIC && crc32fast::hash(&header[..16]).to_le_bytes() == header[16..]
        });
        let Some(header) = header else {
            if good_frame_after(&bytes, 0, 0) {
                let reason = "the segment's header is wrong".to_owned();
                return Err(StoreError::CorruptLog { path, offset: 0, reason });
            }
            // its creation was never finished, so nothing in it was acknowledged
            return Ok(None);
        };
        let first = u64::from_le_bytes(header[8..16].try_into().expect("eight bytes"));
        let mut segment = Segment { number, path, bytes, first, end: first, good: SEGMENT_HEADER, damage: None };
        while segment.good < segment.bytes.len() {
            match read_frame(&segment.bytes[segment.good..]) {
                Ok(frame) if frame.first == segment.end => {
                    segment.end += frame.records.len() as u64;
                    segment.good += frame.len;
                }
                Ok(frame) => {
                    segment.damage = Some(format!("record {} follows record {}", frame.first, segment.end - 1));
                    break;
                }
                Err(reason) => {
                    segment.damage = Some(reason);
                    break;
                }
            }
        }
        Ok(Some(segment))
    }

    fn corrupt(&self) -> StoreError {
        let reason = self.damage.clone().unwrap_or_else(|| "records are missing at its end".to_owned());
        StoreError::CorruptLog { path: self.path.clone(), offset: self.good as u64, reason }
    }

    /// The good records with their numbers.
    pub fn records(&self) -> impl Iterator<Item = (Lsn, &[u8])> {
        let mut at = SEGMENT_HEADER;
        let mut frames = Vec::new();
        while at < self.good {
            let frame = read_frame(&self.bytes[at..self.good]).expect("it was read before");
            at += frame.len;
            frames.push(frame);
        }
        frames.into_iter().flat_map(|frame| (frame.first..).zip(frame.records)).filter(|(lsn, _)| *lsn < self.end)
    }
}

fn good_frame_after(bytes: &[u8], from: usize, at_least: Lsn) -> bool {
    let tail = bytes.get(from..).unwrap_or_default();
    tail.windows(4)
        .enumerate()
        .filter(|(_, window)| window == FRAME_MAGIC)
        .any(|(at, _)| read_frame(&tail[at..]).is_ok_and(|frame| frame.first >= at_least))
}

/// Reads all segments of a log folder. A tail that was never acknowledged is cut off; records that a later
/// segment takes the place of (their sync failed) are left out.
///
/// # Errors
/// [`StoreError::CorruptLog`] if acknowledged records are damaged or missing.
pub(crate) fn read_log(io: &dyn Io, folder: &Path) -> Result<Vec<Segment>, StoreError> {
    let mut segments: Vec<Segment> = Vec::new();
    for entry in io.list(folder).map_err(StoreError::io("list", folder))? {
        let name = entry.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(number) = name.strip_suffix(".wal").and_then(|number| number.parse().ok()) else { continue };
        match Segment::read(io, number, entry.path.clone())? {
            Some(segment) => segments.push(segment),
            None => io.remove(&entry.path).map_err(StoreError::io("remove unfinished", &entry.path))?,
        }
    }
    for at in 1..segments.len() {
        let (before, next) = segments.split_at_mut(at);
        let (before, next) = (&mut before[at - 1], &next[0]);
        if before.end < next.first {
            return Err(before.corrupt());
        }
        before.end = next.first;
    }
    if let Some(last) = segments.last()
        && let Some(reason) = &last.damage
    {
        if good_frame_after(&last.bytes, last.good + 1, last.end) {
            return Err(last.corrupt());
        }
        let cut = last.bytes.len() - last.good;
        tracing::warn!(segment = %last.path.display(), bytes = cut, reason, "cut off an unacknowledged log tail");
        io.truncate(&last.path, last.good as u64).map_err(StoreError::io("cut", &last.path))?;
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::RealIo;
    use proptest::prelude::*;

    proptest! {
        /// Against a model: a list of groups of records, of which a damaged log gives a beginning or an error.
        #[test]
        fn a_damaged_log_gives_whole_groups_or_an_error(
            groups in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..4), 1..6),
            cut in any::<prop::sample::Index>(),
            flip in prop::option::of((any::<prop::sample::Index>(), 0..8_u8)),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut bytes = segment_header(1);
            let mut ends = vec![(bytes.len(), 0)];
            let mut next = 1;
            for group in &groups {
                bytes.extend(frame(next, group.iter().map(Vec::as_slice)));
                next += group.len() as u64;
                ends.push((bytes.len(), next as usize - 1));
            }
            let records: Vec<Vec<u8>> = groups.concat();
            let mut len = SEGMENT_HEADER + cut.index(bytes.len() - SEGMENT_HEADER + 1);
            bytes.truncate(len);
            if let Some((at, bit)) = flip {
                let at = at.index(len);
                bytes[at] ^= 1 << bit;
                len = len.min(at);
            }
            std::fs::write(segment_path(folder.path(), 1), &bytes).unwrap();
            let expected = ends.iter().take_while(|(end, _)| *end <= len).last().map_or(0, |(_, count)| *count);
            match read_log(&RealIo, folder.path()) {
                Ok(segments) => {
                    let found = segments.first().map(|segment| segment.records().map(|(_, record)| record.to_vec()).collect());
                    let found: Vec<Vec<u8>> = found.unwrap_or_default();
                    prop_assert_eq!(&found[..], &records[..expected]);
                    // what was cut off is gone for good
                    let again = read_log(&RealIo, folder.path()).unwrap();
                    prop_assert!(again.iter().all(|segment| segment.damage.is_none()));
                }
                Err(error) => {
                    let whole_after = ends.iter().any(|(end, count)| *end > len && *count > expected && *end <= bytes.len());
                    prop_assert!(flip.is_some() && whole_after, "{}", error);
                }
            }
        }
    }
}
