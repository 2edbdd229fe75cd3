//! Where collectors stand in what they read, each with the number of the batch that it belongs to.

use std::collections::HashMap;

/// Positions by the collector's key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions {
    entries: HashMap<String, (u64, Vec<u8>)>,
}

impl Positions {
    /// The position under a key. An empty one was removed.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.entries.get(key).map(|(_, value)| value.as_slice()).filter(|value| !value.is_empty())
    }

    /// All keys that begin with a prefix.
    pub fn keys<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.entries
            .iter()
            .filter(move |(key, (_, value))| key.starts_with(prefix) && !value.is_empty())
            .map(|(key, _)| key.as_str())
    }

    /// The positions under a prefix, without it.
    #[must_use]
    pub fn scoped(&self, prefix: &str) -> Positions {
        let within = self.entries.iter().filter_map(|(key, entry)| Some((key.strip_prefix(prefix)?, entry)));
        Positions { entries: within.map(|(key, entry)| (key.to_owned(), entry.clone())).collect() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u64, &[u8])> {
        self.entries.iter().map(|(key, (sequence, value))| (key.as_str(), *sequence, value.as_slice()))
    }

    pub(super) fn set(&mut self, sequence: u64, changes: &[(String, Vec<u8>)]) {
        for (key, value) in changes {
            self.put(key, sequence, value);
        }
    }

    pub(super) fn put(&mut self, key: &str, sequence: u64, value: &[u8]) {
        match self.entries.get_mut(key) {
            Some(entry) if entry.0 <= sequence => *entry = (sequence, value.to_vec()),
            Some(_) => {}
            None => {
                self.entries.insert(key.to_owned(), (sequence, value.to_vec()));
            }
        }
    }

    /// Takes over what is newer; files are read in any order of their batches.
    pub(super) fn merge(&mut self, other: &Positions) {
        for (key, sequence, value) in other.iter() {
            self.put(key, sequence, value);
        }
    }
}
