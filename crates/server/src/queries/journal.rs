//! Which queries run and which ran last, so that they can be shown and cancelled.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use watchkeeper_kql::Ticks;
use watchkeeper_query::{QueryError, Response};

/// Ended queries that are remembered.
const MOST_ENDED: usize = 1000;
/// Characters of a text that are remembered.
const MOST_TEXT: usize = 64 << 10;

/// Where a query comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's own name for the request (`x-ms-client-request-id`).
    pub request_id: String,
    /// The server's name for the request.
    pub activity_id: Uuid,
    /// Identity and name of the caller.
    pub subject: String,
    pub user: String,
    pub application: String,
}

/// How far a query is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl State {
    /// The name that `.show queries` prints.
    pub fn name(self) -> &'static str {
        match self {
            State::Running => "InProgress",
            State::Completed => "Completed",
            State::Failed => "Failed",
            State::Cancelled => "Canceled",
        }
    }
}

/// One query.
#[derive(Debug, Clone)]
pub struct Entry {
    pub origin: Origin,
    pub text: String,
    pub started: Ticks,
    pub ended: Option<Ticks>,
    pub state: State,
    pub failure: String,
    pub cpu: Duration,
    pub memory_peak: usize,
    cancel: CancellationToken,
}

/// All running queries and the last ones that ended.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    next: u64,
    running: BTreeMap<u64, Entry>,
    ended: VecDeque<Entry>,
}

/// A running query's place in the journal. Dropping it without an end says that the query was cancelled.
pub(super) struct Entered {
    journal: Journal,
    key: u64,
}

impl Journal {
    pub(super) fn enter(&self, text: &str, origin: Origin, started: Ticks, cancel: CancellationToken) -> Entered {
        let mut cut = text.len().min(MOST_TEXT);
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        let entry = Entry {
            origin,
            text: text[..cut].to_owned(),
            started,
            ended: None,
            state: State::Running,
            failure: String::new(),
            cpu: Duration::ZERO,
            memory_peak: 0,
            cancel,
        };
        let mut book = self.0.lock();
        let key = book.next;
        book.next += 1;
        book.running.insert(key, entry);
        Entered { journal: self.clone(), key }
    }

    /// The running queries, the oldest first.
    pub fn running(&self) -> Vec<Entry> {
        self.0.lock().running.values().cloned().collect()
    }

    /// The queries that ended, the oldest first.
    pub fn ended(&self) -> Vec<Entry> {
        self.0.lock().ended.iter().cloned().collect()
    }

    /// Cancels the running queries of a request that `may` allows; the number of them.
    pub fn cancel(&self, request_id: &str, may: impl Fn(&Entry) -> bool) -> usize {
        let book = self.0.lock();
        let found = book.running.values().filter(|entry| entry.origin.request_id == request_id && may(entry));
        found.inspect(|entry| entry.cancel.cancel()).count()
    }

    fn leave(&self, key: u64, change: impl FnOnce(&mut Entry)) {
        let mut book = self.0.lock();
        let Some(mut entry) = book.running.remove(&key) else { return };
        change(&mut entry);
        if book.ended.len() == MOST_ENDED {
            book.ended.pop_front();
        }
        book.ended.push_back(entry);
    }
}

impl Entered {
    /// Writes down how the query ended.
    pub(super) fn end(self, outcome: &Result<Response, QueryError>, now: Ticks) {
        self.journal.leave(self.key, |entry| {
            entry.ended = Some(now);
            match outcome {
                Ok(response) => {
                    entry.state = State::Completed;
                    entry.cpu = response.statistics.cpu_time;
                    entry.memory_peak = response.statistics.memory_peak;
                }
                Err(error) => {
                    let cancelled = matches!(error, QueryError::Cancelled);
                    entry.state = if cancelled { State::Cancelled } else { State::Failed };
                    entry.failure = error.to_string();
                }
            }
        });
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.journal.leave(self.key, |entry| {
            entry.ended = Some(super::ticks_now());
            entry.state = State::Cancelled;
            entry.failure = "the client closed the request".to_owned();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(request_id: &str, subject: &str) -> Origin {
        Origin { request_id: request_id.into(), subject: subject.into(), ..Origin::default() }
    }

    #[test]
    fn a_request_is_cancelled_by_its_id_by_whom_it_belongs_to() {
        let journal = Journal::default();
        let token = CancellationToken::new();
        let entered = journal.enter("T", origin("a", "me"), Ticks(1), token.clone());
        assert_eq!(journal.cancel("b", |_| true), 0);
        assert_eq!(journal.cancel("a", |entry| entry.origin.subject == "you"), 0);
        assert!(!token.is_cancelled());
        assert_eq!(journal.cancel("a", |entry| entry.origin.subject == "me"), 1);
        assert!(token.is_cancelled());
        entered.end(&Err(QueryError::Cancelled), Ticks(3));
        assert_eq!(journal.running().len(), 0);
        assert_eq!(journal.ended()[0].state, State::Cancelled);
        assert_eq!(journal.cancel("a", |_| true), 0);
    }

    #[test]
    fn a_query_that_its_client_left_is_in_the_journal_and_the_journal_does_not_grow() {
        let journal = Journal::default();
        for _ in 0..MOST_ENDED + 5 {
            drop(journal.enter("T", origin("a", "me"), Ticks(1), CancellationToken::new()));
        }
        let ended = journal.ended();
        assert_eq!(ended.len(), MOST_ENDED);
        assert_eq!(ended[0].state, State::Cancelled);
        assert!(ended[0].failure.contains("closed"));
    }
}
