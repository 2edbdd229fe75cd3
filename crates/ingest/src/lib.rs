//! From protocol payloads to checked batches: Data Collector, Logs Ingestion, OTLP, remote write, syslog, agents.
