//! The environments that an application can be registered in: who gives its tokens.

/// An environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cloud {
    /// As Azure's own tools call it.
    pub name: &'static str,
    pub title: &'static str,
    /// Who gives tokens, `https://HOST`; empty: this server.
    pub authority: &'static str,
}

/// The name of the environment whose directory is this server's own.
pub const OWN_CLOUD: &str = "Watchkeeper";

/// Every known environment. Endpoints from Microsoft's list of national clouds ("National clouds", Microsoft identity
/// platform).
pub const CLOUDS: [Cloud; 4] = [
    Cloud { name: OWN_CLOUD, title: "Watchkeeper", authority: "" },
    Cloud { name: "AzurePublicCloud", title: "Azure public cloud", authority: "https://login.microsoftonline.com" },
    Cloud {
        name: "AzureUSGovernment",
        title: "Azure US Government cloud",
        authority: "https://login.microsoftonline.us",
    },
    Cloud {
        name: "AzureChinaCloud",
        title: "Azure China cloud",
        authority: "https://login.partner.microsoftonline.cn",
    },
];

impl Cloud {
    /// The one of a name, whatever its letters' case.
    #[must_use]
    pub fn named(name: &str) -> Option<Cloud> {
        CLOUDS.into_iter().find(|cloud| cloud.name.eq_ignore_ascii_case(name.trim()))
    }
}
