//! What is known of remote addresses: the files of places and threats that an administrator names, read at the start and
//! again when they change. A file that is broken leaves what was read before; the log and `Operation` say so.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use watchkeeper_ingest::Ingest;
use watchkeeper_places::{Files, News, Remotes};

use crate::config::MapConfig;

/// `OperationCategory` of what is said of the files.
const CATEGORY: &str = "Map data";

/// Reads the files and gives them to all that ask for addresses. A broken file does not keep the server from starting.
pub async fn open(config: &MapConfig, ingest: &Arc<Ingest>) -> Arc<Remotes> {
    let named = |file: &Path| (!file.as_os_str().is_empty()).then(|| file.to_owned());
    let remotes = Arc::new(Remotes::new(Files { places: named(&config.places), threats: named(&config.threats) }));
    look(&remotes, ingest).await;
    ingest.describe_remote_ends(Arc::clone(&remotes));
    watchkeeper_query::functions::use_places(Arc::clone(&remotes));
    remotes
}

/// Looks for changed files until the server stops; nothing where none is named.
pub fn follow(
    remotes: Arc<Remotes>,
    ingest: Arc<Ingest>,
    every: Duration,
    stop: CancellationToken,
) -> Option<JoinHandle<()>> {
    remotes.has_files().then(|| {
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(every) => look(&remotes, &ingest).await,
                }
            }
        })
    })
}

async fn look(remotes: &Arc<Remotes>, ingest: &Arc<Ingest>) {
    let looking = Arc::clone(remotes);
    // reading a large database takes a while: not on a thread that serves requests
    let Ok(news) = tokio::task::spawn_blocking(move || looking.look()).await else { return };
    for one in news {
        let (status, detail) = match one {
            News::Read { file, content } => ("Succeeded", format!("{} is in use: {content}", file.display())),
            News::Broken { problem, before: Some(before) } => {
                ("Failed", format!("{problem}. What was read before stays in use: {before}"))
            }
            News::Broken { problem, before: None } => ("Failed", format!("{problem}. Nothing is in use in its place")),
        };
        match status {
            "Failed" => tracing::warn!(%detail, "a file of the map cannot be used"),
            _ => tracing::info!(%detail, "a file of the map was read"),
        }
        if let Err(error) = ingest.note(CATEGORY, status, "map", &detail).await {
            tracing::warn!(%error, "no row of Operation says how a file of the map is");
        }
    }
}
