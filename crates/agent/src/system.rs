//! Time as rows carry it, and the end of the agent.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970-01-01 UTC.
pub type Microseconds = i64;

/// A time in microseconds.
#[must_use]
pub fn microseconds(time: SystemTime) -> Microseconds {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
    }
}

/// The agent's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Returns when the agent is to stop (or whoever could say so has gone).
pub(crate) async fn stopped(stop: &mut tokio::sync::watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
