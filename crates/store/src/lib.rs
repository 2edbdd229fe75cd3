//! Tables: schemas, write-ahead log, hot rows, Delta files, term index, retention.
