//! What is wrong with a certificate, said so that the next step is plain.

use std::fmt;
use std::path::PathBuf;

use watchkeeper_wire::WireError;

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What was found, with the values.
    pub found: String,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    pub(crate) fn new(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { found: found.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.found, self.remedy)
    }
}

/// A command on certificates failed. Never contains key material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// All that is wrong with a certificate, at once.
    #[error("the certificate was not imported, {}:{}", count(.0), lines(.0))]
    Refused(Vec<Problem>),
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {reason}", path.display())]
    Contents {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// What was asked for cannot be done.
    #[error("{0}")]
    Asked(String),
    /// Files and keys.
    #[error(transparent)]
    Wire(#[from] WireError),
}

fn count(problems: &[Problem]) -> String {
    match problems.len() {
        1 => "one thing is wrong with it".to_owned(),
        number => format!("{number} things are wrong with it"),
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  - {problem}")).collect()
}
