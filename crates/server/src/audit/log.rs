//! Rows on their way to the store: many at one time in one transaction, and what nobody in particular tries again and
//! again as one row a minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio_util::sync::CancellationToken;
use watchkeeper_management::{AuditRow, Operational, clock};

use super::call::{Call, Kept};
use super::trail::Trail;
use crate::together::Together;

/// The first attempt of a kind is written at once, the further ones of this time in one row afterwards.
const FOLD: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_secs(5);
/// Kinds of attempts that are told apart at one time: of one address, and of all. What is more is one kind.
const MOST_OF_ADDRESS: usize = 100;
const MOST: usize = 1000;

/// Attempts of one kind, of callers whom nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Kind {
    address: Option<IpAddr>,
    method: String,
    route: String,
    /// Who they say that they are.
    caller_id: String,
}

struct Folded {
    began: Instant,
    /// The last of the further ones, with how many there were.
    further: Option<AuditRow>,
}

/// The way of rows to the store.
pub struct AuditLog {
    operational: Operational,
    waiting: Together<AuditRow, String>,
    folded: Mutex<HashMap<Kind, Folded>>,
}

impl AuditLog {
    pub fn new(operational: Operational) -> AuditLog {
        AuditLog { operational, waiting: Together::default(), folded: Mutex::default() }
    }

    /// Writes a call down, where it is to be; returns when its row is durable. A row that cannot be written is an error in
    /// the log of the server: what was done is done.
    pub async fn keep(
        self: &Arc<Self>,
        call: &Call,
        kept: Kept,
        trail: &Trail,
        status: StatusCode,
        message: Option<&str>,
    ) {
        let Some(row) = call.row(kept, trail, status, message) else { return };
        let is_known = trail.known().is_proven;
        let row = match row.result {
            "Refused" | "Failed" if !is_known => first_of_its_kind(&mut self.lock(), call.from, row, Instant::now()),
            _ => Some(row),
        };
        if let Some(row) = row {
            // others wait for their rows in the same turn: it is not given up when this client goes away
            let log = Arc::clone(self);
            let _ = tokio::spawn(async move { log.write(row).await }).await;
        }
    }

    async fn write(&self, row: AuditRow) {
        let (action, target, result, caller) =
            (row.action.clone(), row.target.clone(), row.result, row.caller_id.clone());
        let write = |rows: Vec<AuditRow>| async move {
            self.operational.audit_calls(&rows).await.map_err(|error| error.to_string())
        };
        let written = self.waiting.write(row, write, || "the server is stopping".to_owned()).await;
        if let Err(error) = written {
            tracing::error!(action, target, result, caller, error, "a row of Audit could not be written");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Kind, Folded>> {
        self.folded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what was counted, for as long as the server runs.
    pub async fn keep_up(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let is_stopping = tokio::select! {
                () = stop.cancelled() => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            let now = Instant::now();
            let rows = over(&mut self.lock(), |began| is_stopping || now.duration_since(began) >= FOLD);
            if !rows.is_empty()
                && let Err(error) = self.operational.audit_calls(&rows).await
            {
                tracing::error!(%error, rows = rows.len(), "rows of Audit of refused attempts could not be written");
            }
            if is_stopping {
                return;
            }
        }
    }
}

/// The row, where it is the first of its kind; otherwise it is counted.
fn first_of_its_kind(
    folded: &mut HashMap<Kind, Folded>,
    address: Option<IpAddr>,
    mut row: AuditRow,
    now: Instant,
) -> Option<AuditRow> {
    let mut kind =
        Kind { address, method: row.method.clone(), route: row.route.clone(), caller_id: row.caller_id.clone() };
    if !folded.contains_key(&kind) {
        if folded.len() >= MOST {
            kind = Kind::default();
            row = AuditRow { address: String::new(), ..of_many(row) };
        } else if folded.keys().filter(|known| known.address == address).count() >= MOST_OF_ADDRESS {
            kind = Kind { address, ..Kind::default() };
            row = of_many(row);
        }
    }
    match folded.get_mut(&kind) {
        None => {
            folded.insert(kind, Folded { began: now, further: None });
            Some(row)
        }
        Some(known) => {
            let count = known.further.as_ref().map_or(0, |row| row.count);
            known.further = Some(AuditRow { count: count + 1, ..row });
            None
        }
    }
}

/// What was counted, where its time is over.
fn over(folded: &mut HashMap<Kind, Folded>, is_over: impl Fn(Instant) -> bool) -> Vec<AuditRow> {
    let mut rows = Vec::new();
    folded.retain(|_, known| {
        let is_over = is_over(known.began);
        if is_over {
            rows.extend(known.further.take().map(|row| AuditRow { at: clock::now(), ..row }));
        }
        !is_over
    });
    rows
}

/// A row for attempts of many kinds.
fn of_many(row: AuditRow) -> AuditRow {
    AuditRow {
        action: "many attempts".to_owned(),
        caller: String::new(),
        caller_id: String::new(),
        caller_type: "Unknown",
        operation: String::new(),
        method: String::new(),
        route: String::new(),
        target: String::new(),
        properties: String::new(),
        ..row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Counted(HashMap<Kind, Folded>);

    fn row(route: &str) -> AuditRow {
        AuditRow {
            route: route.to_owned(),
            method: "GET".to_owned(),
            result: "Refused",
            count: 1,
            ..AuditRow::default()
        }
    }

    impl Counted {
        fn take(&mut self, address: [u8; 4], route: &str) -> Option<AuditRow> {
            first_of_its_kind(&mut self.0, Some(IpAddr::from(address)), row(route), Instant::now())
        }
    }

    #[test]
    fn the_first_of_a_kind_is_written_and_the_others_are_counted() {
        let mut counted = Counted::default();
        assert_eq!(counted.take([1; 4], "/a").unwrap().count, 1);
        assert_eq!(counted.take([1; 4], "/a"), None);
        assert_eq!(counted.take([1; 4], "/a"), None);
        assert!(counted.take([2; 4], "/a").is_some() && counted.take([1; 4], "/b").is_some());
        let rows = over(&mut counted.0, |_| true);
        assert_eq!(rows.iter().map(|row| (row.route.as_str(), row.count)).collect::<Vec<_>>(), [("/a", 2)]);
        assert!(counted.0.is_empty());
    }

    #[test]
    fn nobody_fills_the_table_with_attempts() {
        let mut counted = Counted::default();
        let written = (0..500).filter_map(|at| counted.take([1; 4], &format!("/{at}"))).count();
        assert_eq!(written, MOST_OF_ADDRESS + 1);
        let from_many = (0..5000_u16).filter_map(|at| {
            let [high, low] = at.to_be_bytes();
            counted.take([9, 9, high, low], "/a")
        });
        assert!(from_many.count() < MOST);
        assert!(counted.0.len() <= MOST + 2);
        let rows = over(&mut counted.0, |_| true);
        assert_eq!(rows.iter().map(|row| row.count).max(), Some(4000 + i64::try_from(MOST_OF_ADDRESS).unwrap()));
    }
}
