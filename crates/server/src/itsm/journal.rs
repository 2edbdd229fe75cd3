//! `ServiceDeskLog_CL`: a record of every exchange with a product, and of what came of it.

use watchkeeper_itsm::{Exchange, Problem};
use watchkeeper_wire::TableBuilder;
use watchkeeper_wire::proto::Table;

/// Records of one connection that are being collected.
pub struct Journal {
    connection: String,
    now: i64,
    table: TableBuilder,
}

/// Something that was done or failed.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    operation: String,
    message: String,
    /// What is wrong and what to do; none: it was done.
    problem: Option<Problem>,
    kind: String,
    number: String,
    correlation_id: String,
    count: Option<u64>,
}

impl Entry {
    pub fn done(operation: &str, message: impl Into<String>) -> Self {
        Self { operation: operation.to_owned(), message: message.into(), ..Self::default() }
    }

    pub fn failed(operation: &str, problem: &Problem) -> Self {
        Self {
            operation: operation.to_owned(),
            message: problem.message.clone(),
            problem: Some(problem.clone()),
            ..Self::default()
        }
    }

    /// The type of work item that it was about.
    #[must_use]
    pub fn of_kind(mut self, kind: &str) -> Self {
        self.kind = kind.to_owned();
        self
    }

    /// How many work items.
    #[must_use]
    pub fn counting(mut self, count: usize) -> Self {
        self.count = u64::try_from(count).ok();
        self
    }

    /// The work item that it was about.
    #[must_use]
    pub fn about(mut self, number: &str, correlation_id: &str) -> Self {
        self.number = number.to_owned();
        self.correlation_id = correlation_id.to_owned();
        self
    }
}

impl Journal {
    pub fn new(connection: &str, now: i64) -> Self {
        Self { connection: connection.to_owned(), now, table: TableBuilder::new("ServiceDeskLog_CL") }
    }

    /// The requests that were made. Where the last one is what an entry of a failure is about, it is not said twice.
    pub fn exchanges(&mut self, mut exchanges: Vec<Exchange>, last_is_told: bool) {
        if last_is_told && exchanges.last().is_some_and(|last| !is_good(last)) {
            exchanges.pop();
        }
        for exchange in exchanges {
            let operation = format!("{} {}", exchange.method, exchange.path);
            let message = match exchange.status {
                Some(status) => format!("answered {status} (try {})", exchange.tries),
                None => format!("no answer (try {})", exchange.tries),
            };
            self.row(if is_good(&exchange) { "Success" } else { "Error" });
            self.table.string("Operation_s", &operation).string("Message_s", &message);
            self.table.real("DurationMs_d", exchange.took.as_secs_f64() * 1000.0);
            if let Some(status) = exchange.status {
                self.table.real("StatusCode_d", f64::from(status));
            }
        }
    }

    /// A record of what was done.
    pub fn note(&mut self, entry: Entry) {
        self.row(if entry.problem.is_some() { "Error" } else { "Success" });
        self.table.string("Operation_s", &entry.operation).string("Message_s", &entry.message);
        for (column, text) in [
            ("ServiceDeskWorkItemType_s", &entry.kind),
            ("ServiceDeskId_s", &entry.number),
            ("CorrelationId_s", &entry.correlation_id),
        ] {
            if !text.is_empty() {
                self.table.string(column, text);
            }
        }
        if let Some(count) = entry.count {
            self.table.real("Count_d", count as f64);
        }
        if let Some(problem) = entry.problem {
            self.table.string("Part_s", &problem.part.to_string()).string("Resolution_s", &problem.advice);
            if let Some(status) = problem.status {
                self.table.real("StatusCode_d", f64::from(status));
            }
        }
    }

    fn row(&mut self, log_type: &str) {
        self.table
            .row()
            .datetime("TimeGenerated", self.now)
            .string("SourceSystem", "ServiceDesk")
            .string("LogType_s", log_type)
            .string("ServiceDeskConnectionName_s", &self.connection);
    }

    /// The rows; none where nothing was noted.
    pub fn finish(self) -> Option<Table> {
        (self.table.rows() > 0).then(|| self.table.finish())
    }
}

fn is_good(exchange: &Exchange) -> bool {
    exchange.status.is_some_and(|status| status < 400)
}
