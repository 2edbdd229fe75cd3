//! Every limit of ingestion has its name here; nothing else does.

use std::time::Duration;

/// Bytes of one Data Collector request ("Data limits": 30 MB).
pub const DATA_COLLECTOR_BODY_BYTES: usize = 30 * 1024 * 1024;
/// Bytes of a field value of the Data Collector API; longer ones are cut ("Data limits": 32 KB).
pub const DATA_COLLECTOR_FIELD_BYTES: usize = 32 * 1024;
/// Characters of a custom column's name ("Data limits": 45).
pub const CUSTOM_COLUMN_CHARS: usize = 45;
/// Characters of a Data Collector `Log-Type` ("Request headers": 100).
pub const LOG_TYPE_CHARS: usize = 100;
/// How far `x-ms-date` may be from the server's clock.
pub const DATA_COLLECTOR_SKEW: Duration = Duration::from_secs(15 * 60);

/// Bytes of one Logs Ingestion request as it is sent ("Azure Monitor service limits": 1 MB).
pub const LOGS_INGESTION_BODY_BYTES: usize = 1024 * 1024;
/// Bytes of one Logs Ingestion request after decompression: the client libraries fill 1 MB with records and do not
/// count what stands between them.
pub const LOGS_INGESTION_PLAIN_BYTES: usize = 2 * LOGS_INGESTION_BODY_BYTES;
/// Bytes of a field value of the Logs Ingestion API ("Azure Monitor service limits": 64 KB).
pub const LOGS_INGESTION_FIELD_BYTES: usize = 64 * 1024;

/// Bytes of one OTLP or remote-write request, after decompression.
pub const TELEMETRY_BODY_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of a text of OTLP; longer ones are cut.
pub const TELEMETRY_FIELD_BYTES: usize = 256 * 1024;
/// Bytes of one Arrow stream, compressed or not.
pub const ARROW_BODY_BYTES: usize = 64 * 1024 * 1024;
/// Rows of one Arrow stream.
pub const ARROW_ROWS: usize = 1_000_000;
/// Bytes of one syslog message.
pub const SYSLOG_MESSAGE_BYTES: usize = 64 * 1024;
/// Syslog messages that wait to be written.
pub const SYSLOG_WAITING: usize = 20_000;
/// Syslog connections at a time, for each of TCP and TLS.
pub const SYSLOG_CONNECTIONS: usize = 1024;

/// Columns of one table, standard ones included.
pub const TABLE_COLUMNS: usize = 500;
/// `TimeGenerated` further back than this is replaced by the time of ingestion, where the protocol says so.
pub const OLDEST_TIME_GENERATED: Duration = Duration::from_secs(2 * 24 * 3600);
/// `TimeGenerated` further ahead than this is replaced by the time of ingestion, where the protocol says so.
pub const FURTHEST_TIME_GENERATED: Duration = Duration::from_secs(24 * 3600);

/// Refused rows that are described one by one; the rest is only counted.
pub const DESCRIBED_ROW_ERRORS: usize = 20;
/// Different refusals kept between two writes of `Operation`.
pub const REFUSALS_KEPT: usize = 1000;
/// How deep values may be nested in one field.
pub const JSON_DEPTH: usize = 100;
