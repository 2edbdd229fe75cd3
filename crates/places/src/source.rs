//! A file that is read again when it changes. One that cannot be read leaves what was read before.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use serde::Serialize;

use crate::FileError;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    /// A file that is put in another's place has another identity.
    identity: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        #[cfg(unix)]
        let identity = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let identity = 0;
        Stamp { modified: metadata.modified().ok(), length: metadata.len(), identity }
    }
}

/// How a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    pub file: PathBuf,
    /// What is in use: the kind of a database, the number of entries of a list. None: nothing.
    pub content: Option<String>,
    /// Why the file as it is now is not in use.
    pub problem: Option<String>,
}

/// What came of a look at a file.
pub enum Looked<T> {
    Same,
    New(Arc<T>),
    Broken(FileError),
}

pub struct Source<T> {
    file: PathBuf,
    read: fn(&Path) -> Result<T, FileError>,
    describe: fn(&T) -> String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Of the file as it was looked at last, whether it could be read or not; none before the first look.
    seen: Option<Option<Stamp>>,
    content: Option<String>,
    problem: Option<String>,
}

impl<T> Source<T> {
    pub fn new(file: PathBuf, read: fn(&Path) -> Result<T, FileError>, describe: fn(&T) -> String) -> Source<T> {
        Source { file, read, describe, state: Mutex::default() }
    }

    /// Reads the file if it is another one than at the last look.
    pub fn look(&self) -> Looked<T> {
        let stamp = std::fs::metadata(&self.file).ok().as_ref().map(Stamp::of);
        if self.state.lock().seen == Some(stamp) {
            return Looked::Same;
        }
        // not under the lock: reading takes its time
        let read = (self.read)(&self.file);
        let mut state = self.state.lock();
        state.seen = Some(stamp);
        match read {
            Ok(thing) => {
                state.content = Some((self.describe)(&thing));
                state.problem = None;
                Looked::New(Arc::new(thing))
            }
            Err(error) => {
                state.problem = Some(error.to_string());
                Looked::Broken(error)
            }
        }
    }

    pub fn status(&self) -> Status {
        let state = self.state.lock();
        Status { file: self.file.clone(), content: state.content.clone(), problem: state.problem.clone() }
    }
}
