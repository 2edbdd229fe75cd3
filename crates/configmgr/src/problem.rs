//! What can be wrong with a connection to Configuration Manager, and what to do about it.

use std::time::Duration;

/// What of a connection is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The form itself.
    Settings,
    /// The address is not one, or nothing answers there.
    Address,
    /// The certificate of the other side is not trusted.
    Certificate,
    /// No answer in time.
    Timeout,
    /// The other side has too much to do, or an error of its own.
    Busy,
    /// The directory is not known.
    Tenant,
    /// The application is not known there.
    Application,
    /// The secret is not the application's.
    Secret,
    /// The secret was right and is over.
    SecretExpired,
    /// The application of the administration service is not known.
    AppIdUri,
    /// User name or password of the Windows account.
    Account,
    /// The account or application is no administrative user, or sees nothing.
    Role,
    /// There is no administration service at the address.
    Service,
    /// The site is older than the oldest that can be connected.
    Version,
    /// There is no service connection point, or it is offline.
    ServiceConnectionPoint,
    /// The site is not the top of its hierarchy.
    Site,
    /// The hierarchy has got another top since the connection was made.
    Hierarchy,
    /// No agent on the service connection point reports to the workspace.
    Agent,
    /// The application may not write to the workspace.
    Workspace,
    /// A collection is not there.
    Collection,
    /// An answer that is none of this service.
    Answer,
}

impl Part {
    /// A word for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Part::Settings => "Settings",
            Part::Address => "Address",
            Part::Certificate => "Certificate",
            Part::Timeout => "Timeout",
            Part::Busy => "Busy",
            Part::Tenant => "Tenant",
            Part::Application => "Application",
            Part::Secret => "Secret",
            Part::SecretExpired => "SecretExpired",
            Part::AppIdUri => "AppIdUri",
            Part::Account => "Account",
            Part::Role => "Role",
            Part::Service => "AdministrationService",
            Part::Version => "Version",
            Part::ServiceConnectionPoint => "ServiceConnectionPoint",
            Part::Site => "Site",
            Part::Hierarchy => "Hierarchy",
            Part::Agent => "Agent",
            Part::Workspace => "Workspace",
            Part::Collection => "Collection",
            Part::Answer => "Answer",
        }
    }

    /// Whether it may be over by itself, so that it is worth another try.
    #[must_use]
    pub fn is_passing(self) -> bool {
        matches!(self, Part::Address | Part::Timeout | Part::Busy)
    }
}

/// What is wrong, with the value that is, and what to do. Never with a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {advice}")]
pub struct Problem {
    pub part: Part,
    pub message: String,
    pub advice: String,
    /// The status of the answer, where one came.
    pub status: Option<u16>,
    /// The other side asked to wait so long.
    pub(crate) retry_after: Option<Duration>,
}

impl Problem {
    #[must_use]
    pub fn new(part: Part, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { part, message: message.into(), advice: advice.into(), status: None, retry_after: None }
    }

    #[must_use]
    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}
