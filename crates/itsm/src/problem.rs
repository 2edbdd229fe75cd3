//! What is wrong with a connection: which part of it, in words for a person, and what to do.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which part of a connection is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// What was written in the form.
    Settings,
    /// The address: another program answers there, or the name is not known.
    Url,
    /// Nobody answers.
    Network,
    /// The product's certificate.
    Certificate,
    /// The user's name, where the product tells it from the password.
    User,
    Password,
    /// The product does not say which of the two.
    UserOrPassword,
    ClientId,
    ClientSecret,
    /// The product does not say which of the two.
    ClientIdOrSecret,
    /// The user may not do this.
    Role,
    /// The product is asleep, in upgrade, or failing.
    Product,
    /// More requests than the product allows.
    RateLimit,
    /// A work item was not taken as it was sent.
    WorkItem,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Settings => "settings",
            Part::Url => "URL",
            Part::Network => "network",
            Part::Certificate => "certificate",
            Part::User => "user name",
            Part::Password => "password",
            Part::UserOrPassword => "user name or password",
            Part::ClientId => "client ID",
            Part::ClientSecret => "client secret",
            Part::ClientIdOrSecret => "client ID or client secret",
            Part::Role => "role",
            Part::Product => "product",
            Part::RateLimit => "rate limit",
            Part::WorkItem => "work item",
        })
    }
}

/// A failed exchange with a product. Never carries a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[error("{part}: {message}; {advice}")]
pub struct Problem {
    pub part: Part,
    /// What failed, with the values that show it.
    pub message: String,
    /// What to do.
    pub advice: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The product asked to wait for so long.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
    /// The product may have done what it was asked: look before it is asked again.
    pub uncertain: bool,
}

impl Problem {
    pub fn new(part: Part, message: impl Into<String>, advice: impl Into<String>) -> Self {
        let (message, advice) = (message.into(), advice.into());
        Self { part, message, advice, status: None, retry_after: None, uncertain: false }
    }

    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    #[must_use]
    pub(crate) fn uncertain(mut self, yes: bool) -> Self {
        self.uncertain = yes;
        self
    }

    /// Whether the same request can succeed later without anybody changing the connection.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.part, Part::Network | Part::Product | Part::RateLimit)
    }
}
