//! Which batches were stored. Identities live in the log; when a segment is dropped they go to a small file
//! beside it, and are forgotten file by file: after [`IDENTITY_RETENTION`], or when there are too many.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::BatchId;
use super::record::{Input, put_text};
use crate::error::StoreError;
use crate::io::Io;
use crate::limits::{IDENTITY_RETENTION, MAX_IDENTITIES};

const MAGIC: &[u8; 8] = b"WKIDS\0\0\x01";

/// Identities of one log segment.
#[derive(Debug, Default)]
struct Group {
    segment: u64,
    /// When the last of them was taken, in microseconds since the Unix epoch.
    newest: i64,
    ids: Vec<Arc<BatchId>>,
}

/// The window of remembered identities.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    seen: HashSet<Arc<BatchId>>,
    /// By segment, oldest first.
    groups: VecDeque<Group>,
}

impl Identities {
    pub fn contains(&self, id: &BatchId) -> bool {
        self.seen.contains(id)
    }

    /// The newest segment with identities; 0 if there is none.
    pub fn last_segment(&self) -> u64 {
        self.groups.back().map_or(0, |group| group.segment)
    }

    /// Remembers an identity of a segment; segments come in order. False if it was there.
    pub fn insert(&mut self, segment: u64, taken_at: i64, id: BatchId) -> bool {
        let id = Arc::new(id);
        if !self.seen.insert(id.clone()) {
            return false;
        }
        if self.groups.back().is_none_or(|group| group.segment != segment) {
            self.groups.push_back(Group { segment, ..Group::default() });
        }
        let group = self.groups.back_mut().expect("one was pushed");
        group.newest = group.newest.max(taken_at);
        group.ids.push(id);
        true
    }

    /// Reads the identities of dropped segments. Call before the log's own are inserted.
    pub fn load(io: &dyn Io, folder: &Path) -> Result<Identities, StoreError> {
        let mut identities = Identities::default();
        for entry in io.list(folder).map_err(StoreError::io("list", folder))? {
            let name = entry.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(segment) = name.strip_suffix(".ids").and_then(|number| number.parse().ok()) else { continue };
            let bytes = io.read(&entry.path).map_err(StoreError::io("read", &entry.path))?;
            decode(&bytes, |taken_at, id| {
                identities.insert(segment, taken_at, id);
            })
            .map_err(|reason| StoreError::Corrupt { path: entry.path, reason })?;
        }
        Ok(identities)
    }

    /// The file content for a segment that is about to be dropped; `None` if it has no identities.
    pub fn encode(&self, segment: u64) -> Option<Vec<u8>> {
        let group = self.groups.iter().find(|group| group.segment == segment)?;
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&group.newest.to_le_bytes());
        for id in &group.ids {
            put_text(&mut out, &id.sender);
            put_text(&mut out, &id.identity);
        }
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        Some(out)
    }

    /// Forgets old groups of dropped segments (numbers below `first_kept`); returns the segments to delete the
    /// files of.
    pub fn forget(&mut self, now: i64, first_kept: u64) -> Vec<u64> {
        let oldest = now - IDENTITY_RETENTION.as_micros() as i64;
        let mut forgotten = Vec::new();
        while let Some(group) = self.groups.front()
            && group.segment < first_kept
            && (group.newest < oldest || self.seen.len() > MAX_IDENTITIES)
        {
            for id in &group.ids {
                self.seen.remove(id);
            }
            forgotten.push(group.segment);
            self.groups.pop_front();
        }
        forgotten
    }
}

pub(crate) fn identities_path(folder: &Path, segment: u64) -> PathBuf {
    folder.join(format!("{segment:016}.ids"))
}

fn decode(bytes: &[u8], mut each: impl FnMut(i64, BatchId)) -> Result<(), String> {
    let body = bytes.len().checked_sub(4).filter(|len| *len >= 16).ok_or("it is cut off")?;
    let (body, checksum) = bytes.split_at(body);
    if crc32fast::hash(body).to_le_bytes() != checksum || &body[..8] != MAGIC {
        return Err("its checksum is wrong; batches sent again would be stored again".to_owned());
    }
    let newest = i64::from_le_bytes(body[8..16].try_into().expect("eight bytes"));
    let mut input = Input(&body[16..]);
    while !input.0.is_empty() {
        each(newest, BatchId { sender: input.text()?, identity: input.text()? });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::RealIo;

    #[test]
    fn identities_outlive_their_segment_until_they_are_old() {
        let folder = tempfile::tempdir().unwrap();
        let mut identities = Identities::default();
        assert!(identities.insert(1, 10, BatchId::new("a", "1")));
        assert!(!identities.insert(2, 20, BatchId::new("a", "1")));
        assert!(identities.insert(2, 20, BatchId::new("a", "2")));
        let path = identities_path(folder.path(), 1);
        RealIo.write_atomic(&path, &identities.encode(1).unwrap()).unwrap();
        let mut loaded = Identities::load(&RealIo, folder.path()).unwrap();
        assert!(loaded.contains(&BatchId::new("a", "1")) && !loaded.contains(&BatchId::new("a", "2")));
        let retention = IDENTITY_RETENTION.as_micros() as i64;
        assert_eq!(loaded.forget(10 + retention, 2), Vec::<u64>::new());
        assert_eq!(loaded.forget(11 + retention, 1), Vec::<u64>::new(), "its segment is still there");
        assert_eq!(loaded.forget(11 + retention, 2), vec![1]);
        assert!(!loaded.contains(&BatchId::new("a", "1")));

        let mut damaged = std::fs::read(&path).unwrap();
        damaged[20] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        assert!(matches!(Identities::load(&RealIo, folder.path()), Err(StoreError::Corrupt { .. })));
    }
}
