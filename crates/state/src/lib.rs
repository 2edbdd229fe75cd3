//! The operational store: one interface over SQLite and PostgreSQL, with its migrations. The only crate that knows SQL.
