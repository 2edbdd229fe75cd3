//! Maintenance that somebody on the machine asks for, before a restart for instance (management group specification
//! 1.11). The command leaves a file in the data folder; the running agent puts what it says into the disk queue, so that
//! it reaches the server also when that is away now.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use watchkeeper_model::maintenance::{DURATION_MINUTES, REASONS};
use watchkeeper_wire::encode_operational;
use watchkeeper_wire::proto::operational_item::Item;
use watchkeeper_wire::proto::{MaintenanceRequest, OperationalItem};

use crate::connection::SharedQueue;
use crate::queue::Class;
use crate::system::{Microseconds, microseconds, stopped};

const LOOK: Duration = Duration::from_secs(1);
/// Files that are no request wait so long for their writer.
const MOST_BYTES: u64 = 64 * 1024;
const MOST_COMMENT: usize = 1024;

/// Why maintenance cannot be asked for.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Too short or too long.
    #[error(
        "maintenance of {0} minutes is not possible; it takes {least} to {most} minutes",
        least = DURATION_MINUTES.start(),
        most = DURATION_MINUTES.end()
    )]
    Duration(u32),
    /// Not a documented reason.
    #[error("{0:?} is not a reason for maintenance; the reasons are {list}", list = REASONS.join(", "))]
    Reason(String),
    /// Too long a comment.
    #[error("the comment has {0} bytes, {MOST_COMMENT} are allowed")]
    Comment(usize),
    /// The data folder.
    #[error("cannot write {}: {source}; is the agent enrolled, and may you write there?", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    minutes: u32,
    reason: String,
    comment: String,
    at: Microseconds,
}

fn folder(data: &Path) -> PathBuf {
    data.join("maintenance")
}

impl Asked {
    /// Maintenance of this machine from now on.
    ///
    /// # Errors
    /// When duration, reason or comment are not possible.
    pub fn new(minutes: u32, reason: &str, comment: &str) -> Result<Self, AskError> {
        if !DURATION_MINUTES.contains(&minutes) {
            return Err(AskError::Duration(minutes));
        }
        if !REASONS.contains(&reason) {
            return Err(AskError::Reason(reason.to_owned()));
        }
        if comment.len() > MOST_COMMENT {
            return Err(AskError::Comment(comment.len()));
        }
        let at = microseconds(SystemTime::now());
        Ok(Self { minutes, reason: reason.to_owned(), comment: comment.to_owned(), at })
    }

    /// Leaves it for the running agent of a data folder.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn leave(&self, data: &Path) -> Result<(), AskError> {
        let name = uuid::Uuid::new_v4().to_string();
        let (written, path) = (folder(data).join(format!("{name}.new")), folder(data).join(format!("{name}.json")));
        let write = || {
            std::fs::create_dir_all(folder(data))?;
            std::fs::write(&written, serde_json::to_vec(self)?)?;
            std::fs::rename(&written, &path)
        };
        write().map_err(|source| AskError::Write { path: path.clone(), source })
    }
}

/// Puts what is asked for into the disk queue, until told to stop.
pub async fn pass_on(data: PathBuf, queue: SharedQueue, mut stop: watch::Receiver<bool>) {
    loop {
        for path in waiting(&folder(&data)) {
            match pass(&path, &queue) {
                Ok(()) => tracing::info!(path = %path.display(), "maintenance of this machine is asked for"),
                Err(reason) => tracing::error!(path = %path.display(), reason, "maintenance cannot be asked for"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stopped(&mut stop) => return,
        }
    }
}

fn waiting(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

/// The name of the file is the identity of the maintenance: one that comes twice, after a crash between the two steps,
/// is one.
fn pass(path: &Path, queue: &SharedQueue) -> Result<(), String> {
    let read = || {
        if std::fs::metadata(path)?.len() > MOST_BYTES {
            return Err(io::Error::other("it is too large"));
        }
        std::fs::read(path)
    };
    let asked = read().map_err(|error| error.to_string());
    let asked = asked.and_then(|bytes| serde_json::from_slice::<Asked>(&bytes).map_err(|error| error.to_string()));
    let outcome = asked.and_then(|asked| {
        let request = MaintenanceRequest {
            id: path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            minutes: asked.minutes,
            reason: asked.reason,
            comments: asked.comment,
        };
        let item = OperationalItem { time: asked.at, item: Some(Item::Maintenance(request)) };
        let (compression, payload) = encode_operational(vec![item]).map_err(|error| error.to_string())?;
        queue
            .lock()
            .append_operational(Class::Alert, 1, compression.into(), payload)
            .map_err(|error| error.to_string())?;
        queue.notify();
        Ok(())
    });
    // one that cannot be read is not tried for ever
    std::fs::remove_file(path).map_err(|error| error.to_string())?;
    outcome
}
