//! Where reading of a file stands, and whether it is still the same file.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How many bytes before the offset the checksum covers.
const CHECKED: u64 = 256;

/// A file, whatever its name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    pub(super) fn key(self, prefix: &str) -> String {
        format!("{prefix}/{:x}-{:x}", self.device, self.inode)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (device, inode) = text.split_once('-')?;
        Some(Self { device: u64::from_str_radix(device, 16).ok()?, inode: u64::from_str_radix(inode, 16).ok()? })
    }
}

/// The first byte that is not in any kept line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) offset: u64,
    /// In the middle of a line that is left out up to its end.
    pub(super) skipping: bool,
    /// CRC-32 of the bytes before the offset.
    pub(super) check: u32,
    /// The name at that time.
    pub(super) path: PathBuf,
}

impl Position {
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // only a path that is not UTF-8 cannot be written; the name alone is then lost
        serde_json::to_vec(self)
            .or_else(|_| serde_json::to_vec(&Self { path: PathBuf::new(), ..self.clone() }))
            .unwrap_or_default()
    }

    /// Whether a file still holds before the offset what was read there.
    pub(super) fn fits(&self, file: &File) -> bool {
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        size >= self.offset && checksum(file, self.offset) == Some(self.check)
    }
}

/// The checksum of what lies before an offset.
pub(super) fn checksum(file: &File, offset: u64) -> Option<u32> {
    before(file, offset).map(|bytes| crc32fast::hash(&bytes))
}

/// Whether two files have the same bytes before an offset, or (`at` 0) at their beginning, within a size.
pub(super) fn same_bytes(one: &File, other: &File, at: u64, size: u64) -> bool {
    let end = if at == 0 { CHECKED.min(size) } else { at };
    matches!((before(one, end), before(other, end)), (Some(first), Some(second)) if first == second)
}

fn before(file: &File, offset: u64) -> Option<Vec<u8>> {
    let start = offset.saturating_sub(CHECKED);
    let mut bytes = vec![0; usize::try_from(offset - start).ok()?];
    file.read_exact_at(&mut bytes, start).ok()?;
    Some(bytes)
}
