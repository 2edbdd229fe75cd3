//! What can be wrong with a connection to a workspace, and what to do about it.

/// What of a connection is wrong. The order is that of a request's way: a later one means that the ones before are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
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
    /// The application has no role there, or no longer.
    Role,
    /// The subscription is not there.
    Subscription,
    /// The resource group is not there.
    ResourceGroup,
    /// The workspace is not there.
    Workspace,
    /// A machine group is not there.
    MachineGroup,
    /// An answer that is none of this API.
    Answer,
}

impl Kind {
    /// A word for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Kind::Address => "AddressNotReached",
            Kind::Certificate => "CertificateNotTrusted",
            Kind::Timeout => "NoAnswerInTime",
            Kind::Busy => "TooBusy",
            Kind::Tenant => "TenantNotFound",
            Kind::Application => "ApplicationNotFound",
            Kind::Secret => "SecretWrong",
            Kind::SecretExpired => "SecretExpired",
            Kind::Role => "RoleMissing",
            Kind::Subscription => "SubscriptionNotFound",
            Kind::ResourceGroup => "ResourceGroupNotFound",
            Kind::Workspace => "WorkspaceNotFound",
            Kind::MachineGroup => "MachineGroupNotFound",
            Kind::Answer => "AnswerNotUnderstood",
        }
    }

    /// The kind of a code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Kind> {
        ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The setting of a connection that is to be looked at.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Kind::Address | Kind::Timeout | Kind::Busy | Kind::Answer => "endpoint",
            Kind::Certificate => "trustedCertificates",
            Kind::Tenant => "tenant",
            Kind::Application | Kind::Role => "applicationId",
            Kind::Secret | Kind::SecretExpired => "secret",
            Kind::Subscription => "subscription",
            Kind::ResourceGroup => "resourceGroup",
            Kind::Workspace => "workspace",
            Kind::MachineGroup => "machineGroups",
        }
    }

    /// Whether it may be over by itself, so that it is worth another try.
    #[must_use]
    pub fn is_passing(self) -> bool {
        matches!(self, Kind::Address | Kind::Timeout | Kind::Busy)
    }
}

const ALL: [Kind; 14] = [
    Kind::Address,
    Kind::Certificate,
    Kind::Timeout,
    Kind::Busy,
    Kind::Tenant,
    Kind::Application,
    Kind::Secret,
    Kind::SecretExpired,
    Kind::Role,
    Kind::Subscription,
    Kind::ResourceGroup,
    Kind::Workspace,
    Kind::MachineGroup,
    Kind::Answer,
];

/// What is wrong, with the value that is, and what to do. Never with a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Problem {
    /// What.
    pub kind: Kind,
    text: String,
}

impl Problem {
    /// From a sentence for a person.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_known_by_its_code() {
        for kind in ALL {
            assert_eq!(Kind::of_code(kind.code()), Some(kind));
        }
        assert_eq!(Kind::of_code("Nothing"), None);
    }
}
