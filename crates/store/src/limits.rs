//! Every limit of the store has its name here; nothing else does.

use std::time::Duration;

/// Columns of one table, standard ones included (Log Analytics: 500).
pub const MAX_COLUMNS: usize = 500;
/// Bytes of a table's name and of a column's name.
pub const MAX_NAME_BYTES: usize = 128;
/// Bytes of a sender or of an identity in a [`crate::BatchId`].
pub const MAX_IDENTITY_BYTES: usize = 1024;
/// Bytes of one append, encoded. A larger one has to be split by its sender.
pub const MAX_APPEND_BYTES: usize = 256 << 20;
/// Bytes that one group commit collects before it is synced.
pub const GROUP_BYTES: usize = 16 << 20;
/// A log segment is closed past this size.
pub const SEGMENT_BYTES: u64 = 128 << 20;
/// Hot batches below this many rows are joined when enough of them follow each other.
pub const SMALL_BATCH_ROWS: usize = 2048;
/// How many small hot batches may follow each other before they are joined.
pub const SMALL_BATCH_RUN: usize = 64;
/// Rows of a Parquet row group: small enough for the term index to skip well, large enough to compress.
pub const ROW_GROUP_ROWS: usize = 65_536;
/// Columns for which files carry minimum, maximum and null count in the Delta log.
pub const STATISTICS_COLUMNS: usize = 64;
/// Characters of a string kept in a file's minimum and maximum.
pub const STATISTICS_TEXT_CHARS: usize = 32;
/// Terms longer than this are indexed by their first bytes.
pub const MAX_TERM_BYTES: usize = 64;
/// A Delta checkpoint is written after this many commits.
pub const COMMITS_PER_CHECKPOINT: u64 = 20;
/// Batch identities remembered, whatever their age.
pub const MAX_IDENTITIES: usize = 1_000_000;
/// How long a batch identity is remembered at least, unless there are more than [`MAX_IDENTITIES`].
pub const IDENTITY_RETENTION: Duration = Duration::from_secs(48 * 3600);
