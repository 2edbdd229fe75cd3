//! The key of secrets at rest: replaced over all servers of the group, each of which follows the others.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use watchkeeper_state::{State, StateError};

/// How often a server looks whether another has begun with a new key.
const LOOK: Duration = Duration::from_secs(2);
/// How long a server that runs may take to take the new key.
const TAKE: Duration = Duration::from_secs(30);

/// What a rotation did.
pub struct Rotated {
    /// The name of the new key.
    pub key: String,
    /// How many secrets are encrypted with it.
    pub secrets: usize,
}

/// Encrypts all secrets with a new key. While a server of the group runs that does not take it, nothing changes.
pub async fn rotate(state: &State, server_id: &str) -> Result<Rotated, StateError> {
    let key = state.begin_key_rotation(server_id, state.clock().await?).await?;
    let done = give_and_finish(state, server_id, &key).await;
    if let Err(error) = &done {
        tracing::warn!(key, %error, "the key of secrets stays as it was");
        state.abandon_key_rotation().await?;
    }
    Ok(Rotated { secrets: done?, key })
}

async fn give_and_finish(state: &State, server_id: &str, key: &str) -> Result<usize, StateError> {
    let deadline = tokio::time::Instant::now() + TAKE;
    loop {
        let now = state.clock().await?;
        let missing = state.servers_without_key(server_id, key, false, now).await?;
        if missing.is_empty() {
            return state.finish_key_rotation(key, now).await;
        }
        if tokio::time::Instant::now() > deadline {
            let reason = format!(
                "{} of the group did not take the new key within {} seconds; the old one stays in use. Its log says \
                 why; a server that is stopped is not waited for, and needs a copy of state.key then",
                missing.join(", "),
                TAKE.as_secs()
            );
            return Err(StateError::KeyRotation { reason });
        }
        tokio::time::sleep(LOOK / 4).await;
    }
}

/// Takes what other servers begin with, and ends what is done.
pub async fn keep(state: State, server_id: String, stop: CancellationToken) {
    loop {
        let followed = async { state.follow_keys(&server_id, state.clock().await?).await };
        if let Err(error) = followed.await {
            tracing::error!(%error, "the key of secrets cannot be followed");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
