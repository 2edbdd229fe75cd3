//! The cloud environments that a connection can lead to: their names, who gives tokens there, and where their services
//! are. One list for all connections, which configuration adds to (`[[cloud]]`). Knows no network and no store.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use serde::{Deserialize, Serialize};

/// The name of the environment that is this server's own directory and workspace.
pub const OWN: &str = "Watchkeeper";

const PUBLIC_AUTHORITY: &str = "https://login.microsoftonline.com";
const PUBLIC_RESOURCE_MANAGER: &str = "https://management.azure.com";

/// An environment. Addresses are `https://HOST[:PORT]`; empty: there is none, or, of the own environment, this server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cloud {
    pub name: String,
    /// For a person.
    pub title: String,
    /// What other tools call it.
    pub aliases: Vec<String>,
    /// Who gives tokens.
    pub authority: String,
    pub resource_manager: String,
    /// The query API of workspaces.
    pub log_analytics: String,
    /// Microsoft Graph, or what answers in its place.
    pub graph: String,
}

impl Cloud {
    /// Whether it is this server's own.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.name == OWN
    }

    fn goes_by(&self, name: &str) -> bool {
        let is = |known: &String| known.eq_ignore_ascii_case(name);
        is(&self.name) || self.aliases.iter().any(is)
    }

    fn addresses(&self) -> [(&'static str, &str); 4] {
        [
            ("authority", &self.authority),
            ("resource_manager", &self.resource_manager),
            ("log_analytics", &self.log_analytics),
            ("graph", &self.graph),
        ]
    }
}

/// What is wrong with an environment of the configuration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    #[error("a [[cloud]] of the configuration has no name")]
    Nameless,
    #[error("the cloud {name:?} of the configuration is called like {other:?}; each name may stand for one alone")]
    Taken { name: String, other: String },
    #[error("{field} of the cloud {name:?} is {value:?}; it has to be https://HOST or https://HOST:PORT")]
    Address { name: String, field: &'static str, value: String },
    #[error("the cloud {name:?} has no authority: who gives its tokens?")]
    NoAuthority { name: String },
}

/// All environments: this server's own, Azure's, and those of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clouds(Vec<Cloud>);

impl Default for Clouds {
    fn default() -> Clouds {
        Clouds(built_in())
    }
}

impl Clouds {
    /// The known ones and more.
    ///
    /// # Errors
    /// Where one has no name, a name that is taken, no authority, or an address that is none.
    pub fn with(more: &[Cloud]) -> Result<Clouds, CloudError> {
        let mut all = built_in();
        for cloud in more {
            let mut cloud = cloud.clone();
            if cloud.name.trim().is_empty() {
                return Err(CloudError::Nameless);
            }
            let names = std::iter::once(&cloud.name).chain(&cloud.aliases);
            for name in names {
                if let Some(other) = all.iter().find(|known| known.goes_by(name)) {
                    return Err(CloudError::Taken { name: name.clone(), other: other.name.clone() });
                }
            }
            for (field, value) in cloud.addresses() {
                if !value.is_empty() && !is_address(value) {
                    return Err(CloudError::Address { name: cloud.name.clone(), field, value: value.to_owned() });
                }
            }
            if cloud.authority.is_empty() {
                return Err(CloudError::NoAuthority { name: cloud.name });
            }
            if cloud.title.is_empty() {
                cloud.title.clone_from(&cloud.name);
            }
            for value in [&mut cloud.authority, &mut cloud.resource_manager, &mut cloud.log_analytics, &mut cloud.graph]
            {
                value.truncate(value.trim_end_matches('/').len());
            }
            all.push(cloud);
        }
        Ok(Clouds(all))
    }

    pub fn all(&self) -> impl Iterator<Item = &Cloud> {
        self.0.iter()
    }

    /// The one of a name or alias, whatever its letters' case.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Cloud> {
        self.0.iter().find(|cloud| cloud.goes_by(name.trim()))
    }

    /// The one whose resource manager an address is.
    #[must_use]
    pub fn of_resource_manager(&self, address: &str) -> Option<&Cloud> {
        let address = address.trim_end_matches('/');
        let is = |cloud: &&Cloud| !address.is_empty() && cloud.resource_manager.eq_ignore_ascii_case(address);
        self.0.iter().find(is)
    }

    /// The one whose authority an address is.
    #[must_use]
    pub fn of_authority(&self, address: &str) -> Option<&Cloud> {
        let address = address.trim_end_matches('/');
        let is = |cloud: &&Cloud| !address.is_empty() && cloud.authority.eq_ignore_ascii_case(address);
        self.0.iter().find(is)
    }

    /// What tokens are asked for, for requests to a resource manager: of a cloud its own address; any Watchkeeper stands
    /// behind the one of the public cloud.
    #[must_use]
    pub fn resource_of(&self, resource_manager: &str) -> String {
        match self.of_resource_manager(resource_manager) {
            Some(cloud) => cloud.resource_manager.clone(),
            None => PUBLIC_RESOURCE_MANAGER.to_owned(),
        }
    }

    /// Where tokens and answers come from: the public cloud where nothing is said. An authority may be the name of a
    /// cloud; one that is no cloud's is a Watchkeeper, which answers there too. Of this server both are empty.
    #[must_use]
    pub fn addresses(&self, authority: Option<&str>, resource_manager: Option<&str>) -> (String, String) {
        let clean = |text: &str| text.trim().trim_end_matches('/').to_owned();
        let authority = authority.map(clean).filter(|text| !text.is_empty());
        let given = resource_manager.map(clean).filter(|text| !text.is_empty());
        let of = |cloud: &Cloud, given: Option<String>| {
            (cloud.authority.clone(), given.unwrap_or_else(|| cloud.resource_manager.clone()))
        };
        match (authority, given) {
            (None, None) => (PUBLIC_AUTHORITY.to_owned(), PUBLIC_RESOURCE_MANAGER.to_owned()),
            (Some(authority), given) => match self.named(&authority).or_else(|| self.of_authority(&authority)) {
                Some(own) if own.is_own() => (String::new(), String::new()),
                Some(cloud) => of(cloud, given),
                None => (authority.clone(), given.unwrap_or(authority)),
            },
            (None, Some(given)) => match self.of_resource_manager(&given) {
                Some(cloud) => of(cloud, Some(given)),
                None => (given.clone(), given),
            },
        }
    }

    /// Names for a message.
    #[must_use]
    pub fn names(&self) -> String {
        self.0.iter().map(|cloud| cloud.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// `https://HOST[:PORT]`, with nothing after it.
fn is_address(text: &str) -> bool {
    let Some(host) = text.strip_prefix("https://") else { return false };
    let host = host.trim_end_matches('/');
    !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '@' | '?' | '#'))
}

/// Whether an address is the resource manager of one of Azure's own environments, with Azure's limits.
#[must_use]
pub fn is_azure(address: &str) -> bool {
    let host = |text: &str| text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/').to_ascii_lowercase();
    built_in().iter().any(|cloud| !cloud.is_own() && host(&cloud.resource_manager) == host(address))
}

/// Azure's names and addresses as the Azure CLI has them (`az cloud list`), the authority of China as the Microsoft
/// identity platform lists it ("National clouds"); aliases are the names of Azure PowerShell, of the SDKs for Go and of
/// Terraform.
fn built_in() -> Vec<Cloud> {
    let cloud = |name: &str, title: &str, aliases: &[&str], addresses: [&str; 4]| Cloud {
        name: name.to_owned(),
        title: title.to_owned(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        authority: addresses[0].to_owned(),
        resource_manager: addresses[1].to_owned(),
        log_analytics: addresses[2].to_owned(),
        graph: addresses[3].to_owned(),
    };
    vec![
        cloud(OWN, "Watchkeeper", &["own"], [""; 4]),
        cloud(
            "AzurePublicCloud",
            "Azure public cloud",
            &["AzureCloud", "AzurePublic", "public"],
            [PUBLIC_AUTHORITY, PUBLIC_RESOURCE_MANAGER, "https://api.loganalytics.io", "https://graph.microsoft.com"],
        ),
        cloud(
            "AzureUSGovernment",
            "Azure US Government cloud",
            &["AzureUSGovernmentCloud", "AzureGovernment", "usgovernment"],
            [
                "https://login.microsoftonline.us",
                "https://management.usgovcloudapi.net",
                "https://api.loganalytics.us",
                "https://graph.microsoft.us",
            ],
        ),
        cloud(
            "AzureChinaCloud",
            "Azure China cloud",
            &["AzureChina", "china"],
            [
                "https://login.partner.microsoftonline.cn",
                "https://management.chinacloudapi.cn",
                "https://api.loganalytics.azure.cn",
                "https://microsoftgraph.chinacloudapi.cn",
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_cloud() -> Cloud {
        Cloud {
            name: "Stack".into(),
            aliases: vec!["AzureStack".into()],
            authority: "https://adfs.example/".into(),
            resource_manager: "https://management.local.example:30024/".into(),
            ..Cloud::default()
        }
    }

    #[test]
    fn clouds_are_found_by_every_name_that_tools_have_for_them() {
        let clouds = Clouds::default();
        let name = |text: &str| clouds.named(text).map(|cloud| cloud.name.as_str());
        for alias in ["AzureCloud", "azurepubliccloud", " public "] {
            assert_eq!(name(alias), Some("AzurePublicCloud"), "{alias}");
        }
        assert_eq!(name("AzureUSGovernmentCloud"), Some("AzureUSGovernment"));
        assert_eq!(name("china"), Some("AzureChinaCloud"));
        assert_eq!(name("own"), Some(OWN));
        assert_eq!(name("AzureGermanCloud"), None);
        assert!(clouds.named("own").unwrap().is_own());
        for cloud in clouds.all().filter(|cloud| !cloud.is_own()) {
            assert!(cloud.addresses().iter().all(|(_, address)| is_address(address)), "{cloud:?}");
        }
    }

    #[test]
    fn configuration_adds_clouds() {
        let clouds = Clouds::with(&[own_cloud()]).unwrap();
        let added = clouds.named("azurestack").unwrap();
        assert_eq!((added.title.as_str(), added.authority.as_str()), ("Stack", "https://adfs.example"));
        let found = clouds.of_resource_manager("https://management.local.example:30024");
        assert_eq!(found.map(|cloud| cloud.name.as_str()), Some("Stack"));
        assert_eq!(clouds.of_resource_manager("https://other.example"), None);
        assert_eq!(clouds.of_resource_manager(""), None, "this server is nobody's resource manager");
    }

    #[test]
    fn a_connection_leads_to_a_cloud_by_its_name_or_by_an_address() {
        let clouds = Clouds::with(&[own_cloud()]).unwrap();
        let to = |authority, endpoint| {
            let (authority, endpoint) = clouds.addresses(authority, endpoint);
            format!("{authority} {endpoint}")
        };
        let public = "https://login.microsoftonline.com https://management.azure.com";
        assert_eq!(to(None, None), public);
        assert_eq!(to(Some("AzureCloud"), None), public);
        assert_eq!(to(Some("https://login.microsoftonline.com/"), None), public);
        assert_eq!(to(None, Some("https://management.azure.com/")), public);
        assert_eq!(to(Some("own"), Some("https://x")), " ");
        assert_eq!(
            to(Some("china"), None),
            "https://login.partner.microsoftonline.cn https://management.chinacloudapi.cn"
        );
        assert_eq!(to(Some("Stack"), None), "https://adfs.example https://management.local.example:30024");
        assert_eq!(to(Some("Stack"), Some("https://other:1")), "https://adfs.example https://other:1");
        assert_eq!(to(Some("https://wk:8443"), None), "https://wk:8443 https://wk:8443");
        assert_eq!(to(None, Some("https://wk:8443/")), "https://wk:8443 https://wk:8443");
        assert_eq!(
            clouds.resource_of("https://management.local.example:30024/"),
            "https://management.local.example:30024"
        );
        assert_eq!(clouds.resource_of("https://wk:8443"), "https://management.azure.com");
    }

    #[test]
    fn what_cannot_be_a_cloud_is_refused_with_the_reason() {
        let refused = |change: fn(&mut Cloud)| {
            let mut cloud = own_cloud();
            change(&mut cloud);
            Clouds::with(&[cloud]).unwrap_err().to_string()
        };
        assert!(refused(|cloud| cloud.name.clear()).contains("no name"));
        assert!(refused(|cloud| cloud.name = "azurecloud".into()).contains("AzurePublicCloud"));
        assert!(refused(|cloud| cloud.aliases.push("OWN".into())).contains(OWN));
        assert!(refused(|cloud| cloud.authority.clear()).contains("no authority"));
        for bad in ["http://adfs.example", "https://", "https://adfs.example/tenant", "https://me@adfs.example"] {
            let cloud = Cloud { graph: bad.into(), ..own_cloud() };
            assert!(Clouds::with(&[cloud]).unwrap_err().to_string().contains("graph"), "{bad}");
        }
        assert!(matches!(Clouds::with(&[own_cloud(), own_cloud()]), Err(CloudError::Taken { .. })));
    }

    #[test]
    fn azure_is_told_from_others_by_its_resource_managers() {
        assert!(is_azure("https://management.azure.com/") && is_azure("https://MANAGEMENT.chinacloudapi.cn"));
        assert!(!is_azure("https://wk.example:8443") && !is_azure(""));
    }
}
