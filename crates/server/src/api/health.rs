//! `GET /api/health`: whether this server does its work, part by part, for monitors and load balancers: 200 or 503. Needs
//! no sign-in, so it says nothing that a stranger may not know.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};
use watchkeeper_store::Room;

use super::App;
use crate::authorization::{Need, Routes, get};

/// An operational store that takes longer does not answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Fewer agents than this may all be away: one machine is no sign that something is wrong here.
const FEW_AGENTS: usize = 3;

pub fn routes() -> Routes {
    Routes::new().route("/api/health", get(Need::Public("whether the server works, for what watches it"), health))
}

async fn health(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    let state = match tokio::time::timeout(ANSWER, app.state.clock()).await {
        Ok(Ok(_)) => "ok",
        _ => "silent",
    };
    let (watched, lost) = app.operations.watched_and_lost();
    let agents = match app.operations.management() {
        None => "starting",
        Some(_) if watched >= FEW_AGENTS && 2 * lost > watched => "away",
        Some(_) => "ok",
    };
    let parts = [("store", store(app.store.room())), ("state", state), ("agents", agents)];
    let status = match parts.iter().all(|(_, word)| *word == "ok") {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(parts.iter().map(|(part, word)| ((*part).to_owned(), json!(word))).collect()))
}

/// `full`: rows are refused, for the disk has only its reserve left. `behind`: senders are, or soon will be, told to come
/// back later, for files are not written as fast as rows come.
fn store(room: Room) -> &'static str {
    if room.free_bytes < room.reserve_bytes {
        "full"
    } else if room.unflushed_bytes > room.max_unflushed_bytes / 10 * 9 {
        "behind"
    } else {
        "ok"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_full_behind_or_well() {
        let room = |free_bytes, unflushed_bytes| Room {
            free_bytes,
            reserve_bytes: 100,
            unflushed_bytes,
            max_unflushed_bytes: 1000,
        };
        for (room, word) in
            [(room(99, 0), "full"), (room(100, 900), "ok"), (room(100, 901), "behind"), (room(99, 950), "full")]
        {
            assert_eq!(store(room), word, "{room:?}");
        }
    }
}
