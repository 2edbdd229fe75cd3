//! The write-ahead log: an append is acknowledged when its frame is synced here. Knows bytes, log sequence
//! numbers and batch identities; not tables or hot rows.

pub(crate) mod identities;
pub(crate) mod record;
pub(crate) mod segment;
pub(crate) mod writer;

/// Who sent a batch, and which of the sender's batches it is. Seen before, a batch is acknowledged but not stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BatchId {
    pub sender: String,
    /// A sequence number or any other text that is unique for the sender.
    pub identity: String,
}

impl BatchId {
    pub fn new(sender: impl Into<String>, identity: impl Into<String>) -> BatchId {
        BatchId { sender: sender.into(), identity: identity.into() }
    }
}
