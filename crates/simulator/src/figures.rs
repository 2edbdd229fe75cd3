//! What the agents have done and how long they waited for the server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Counts of all agents since the start.
#[derive(Debug, Default)]
pub struct Figures {
    pub enrolled: AtomicU64,
    pub connected: AtomicU64,
    pub sessions_lost: AtomicU64,
    pub heartbeats: AtomicU64,
    pub batches: AtomicU64,
    pub batches_acknowledged: AtomicU64,
    pub batches_refused: AtomicU64,
    pub alerts: AtomicU64,
    pub alerts_acknowledged: AtomicU64,
    pub states: AtomicU64,
    pub states_acknowledged: AtomicU64,
    pub retries: AtomicU64,
    pub configurations: AtomicU64,
    waits: Mutex<Waits>,
    last_loss: Mutex<String>,
}

/// Times from sending to acknowledgement since the last report, in microseconds.
#[derive(Debug, Default)]
struct Waits {
    bulk: Vec<u64>,
    urgent: Vec<u64>,
    last_configuration: Option<Instant>,
}

impl Figures {
    /// One more.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A batch was acknowledged after this time.
    pub fn waited(&self, urgent: bool, time: Duration) {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if urgent { waits.urgent.push(microseconds) } else { waits.bulk.push(microseconds) }
    }

    /// An agent has applied a configuration.
    pub fn configured(&self) {
        Self::count(&self.configurations);
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).last_configuration = Some(Instant::now());
    }

    /// A session ended and nobody had asked for it.
    pub fn lost(&self, reason: &str) {
        Self::count(&self.sessions_lost);
        reason.clone_into(&mut self.last_loss.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Everything as one line; the waits begin anew.
    pub fn report(&self) -> Value {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (mut bulk, mut urgent, since) = {
            let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
            let since = waits.last_configuration.map(|at| at.elapsed().as_secs_f64());
            (std::mem::take(&mut waits.bulk), std::mem::take(&mut waits.urgent), since)
        };
        json!({
            "enrolled": get(&self.enrolled),
            "connected": get(&self.connected),
            "sessionsLost": get(&self.sessions_lost),
            "heartbeats": get(&self.heartbeats),
            "batches": get(&self.batches),
            "batchesAcknowledged": get(&self.batches_acknowledged),
            "batchesRefused": get(&self.batches_refused),
            "alerts": get(&self.alerts),
            "alertsAcknowledged": get(&self.alerts_acknowledged),
            "states": get(&self.states),
            "statesAcknowledged": get(&self.states_acknowledged),
            "retries": get(&self.retries),
            "configurations": get(&self.configurations),
            "secondsSinceConfiguration": since,
            "bulkWait": distribution(&mut bulk),
            "urgentWait": distribution(&mut urgent),
            "lastLoss": *self.last_loss.lock().unwrap_or_else(PoisonError::into_inner),
        })
    }
}

/// Median, 99th percentile and maximum in milliseconds.
fn distribution(times: &mut [u64]) -> Value {
    times.sort_unstable();
    let at = |share: usize| {
        let place = (times.len().saturating_sub(1)) * share / 100;
        times.get(place).map(|time| f64::from(u32::try_from(*time).unwrap_or(u32::MAX)) / 1000.0)
    };
    json!({ "count": times.len(), "p50": at(50), "p99": at(99), "max": at(100) })
}
