//! Where addresses are, and which of them are known to be malicious: from a database of places (MaxMind DB) and a list
//! of threats (CSV) that an administrator provides, read again when they change. This crate knows no table, no clock and
//! no network; it reads two files.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod network;
mod place;
mod remotes;
mod source;
mod threat;

pub use place::{Place, Places};
pub use remotes::{Files, Known, News, Remote, Remotes};
pub use source::Status;
pub use threat::{COLUMNS, Threat, Threats};

use std::path::PathBuf;

/// Why a file cannot be used. The text says which, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{file} cannot be read: {source}", file = file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{file} is no MaxMind DB file, or only a part of one: {reason}; download it again", file = file.display())]
    Database { file: PathBuf, reason: String },
    #[error("{file} has no countries ({kind}); take a database of countries or cities", file = file.display())]
    NoCountries { file: PathBuf, kind: String },
    #[error("{file} is no list of threats: {reason}", file = file.display())]
    Header { file: PathBuf, reason: String },
    #[error("{file}, line {line}: {reason}", file = file.display())]
    Line { file: PathBuf, line: u64, reason: String },
}
