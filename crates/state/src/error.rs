//! What can go wrong with the operational store.

use std::path::PathBuf;

/// An error of the operational store. None of them carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("state.url has the scheme {scheme:?}; use sqlite://FILE or postgres://USER@HOST/DATABASE")]
    Scheme { scheme: String },
    #[error("cannot create the folder {path} of the operational store: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("cannot open the operational store {place}: {source}")]
    Connect { place: String, source: sqlx::Error },
    #[error("cannot bring the tables of the operational store up to date: {source}")]
    Migrate { source: sqlx::migrate::MigrateError },
    #[error("operational store: {0}")]
    Sql(#[from] sqlx::Error),
    #[error("cannot use the key file {path}: {reason}")]
    KeyFile { path: PathBuf, reason: String },
    #[error("{what} cannot be decrypted: the key file is not the one that it was written with")]
    Unseal { what: String },
    #[error(
        "{what} is encrypted with the key {key}, which this server does not have: copy state.key from another server of \
         the group, or restore it from the backup"
    )]
    KeyUnknown { what: String, key: String },
    #[error(
        "the secrets of the operational store are encrypted with the key {needed}, and {path} holds {found}: copy \
         state.key from the data folder of another server of the group, or restore it from the backup"
    )]
    WrongKey { needed: String, path: PathBuf, found: String },
    #[error("the secret of the {kind} {name:?} cannot be encrypted anew: {source}; set it again or remove it first")]
    SealAnew { kind: &'static str, name: String, source: Box<StateError> },
    #[error("{reason}")]
    KeyRotation { reason: String },
    #[error("{what} {name:?} does not exist")]
    Missing { what: &'static str, name: String },
    #[error("{what} {name:?} exists already")]
    Exists { what: &'static str, name: String },
    #[error("{what} {name:?} is not one of {known}")]
    Unknown { what: &'static str, name: String, known: String },
    #[error("{what} is not kept in a form that this version reads: {source}; was a newer version running?")]
    Document { what: &'static str, source: serde_json::Error },
    #[error("a password cannot be hashed: {0}")]
    Hash(String),
}

/// True where an insert met a row with the same key.
pub(crate) fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}
