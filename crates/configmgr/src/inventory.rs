//! What a site knows of its devices: discovery data (`SMS_R_System`) and the hardware inventory of computers
//! (`SMS_G_System_COMPUTER_SYSTEM`), by their resource id.

use std::collections::HashMap;

use serde::Deserialize;

use crate::client::Client;
use crate::odata::{Key, Pages, Record};
use crate::problem::Problem;
use crate::sites::text;

/// A device, as it was discovered. What the site does not know is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Device {
    #[serde(rename = "ResourceID")]
    pub resource_id: u64,
    /// The computer's NetBIOS name.
    #[serde(rename = "Name", default, deserialize_with = "text")]
    pub name: String,
    #[serde(rename = "ResourceDomainORWorkgroup", default, deserialize_with = "text")]
    pub domain: String,
    /// For instance `Microsoft Windows NT Workstation 10.0`.
    #[serde(rename = "OperatingSystemNameandVersion", default, deserialize_with = "text")]
    pub operating_system: String,
    #[serde(rename = "ClientVersion", default, deserialize_with = "text")]
    pub client_version: String,
    #[serde(rename = "CPUType", default, deserialize_with = "text")]
    pub processor: String,
    #[serde(rename = "IsVirtualMachine", default)]
    pub is_virtual: Option<bool>,
    #[serde(rename = "ADSiteName", default, deserialize_with = "text")]
    pub ad_site: String,
    #[serde(rename = "LastLogonUserDomain", default, deserialize_with = "text")]
    pub last_user_domain: String,
    #[serde(rename = "LastLogonUserName", default, deserialize_with = "text")]
    pub last_user: String,
    /// As the service writes it.
    #[serde(rename = "LastLogonTimestamp", default, deserialize_with = "text")]
    pub last_logon: String,
}

impl Record for Device {
    const CLASS: &'static str = "SMS_R_System";
    const SELECT: &'static str = "ResourceID,Name,ResourceDomainORWorkgroup,OperatingSystemNameandVersion,ClientVersion,\
                                  CPUType,IsVirtualMachine,ADSiteName,LastLogonUserDomain,LastLogonUserName,\
                                  LastLogonTimestamp";
    const KEY: &'static str = "ResourceID";

    fn key(&self) -> Key {
        Key::Number(self.resource_id)
    }
}

/// The hardware of a device that has sent its inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Hardware {
    #[serde(rename = "ResourceID")]
    pub resource_id: u64,
    #[serde(rename = "Manufacturer", default, deserialize_with = "text")]
    pub manufacturer: String,
    #[serde(rename = "Model", default, deserialize_with = "text")]
    pub model: String,
    #[serde(rename = "NumberOfProcessors", default)]
    pub processors: Option<i64>,
}

impl Record for Hardware {
    const CLASS: &'static str = "SMS_G_System_COMPUTER_SYSTEM";
    const SELECT: &'static str = "ResourceID,Manufacturer,Model,NumberOfProcessors";
    const KEY: &'static str = "ResourceID";

    fn key(&self) -> Key {
        Key::Number(self.resource_id)
    }
}

impl Client {
    /// Every device that the account may see.
    #[must_use]
    pub fn devices(&self) -> Pages<'_, Device> {
        self.pages(String::new(), None)
    }

    /// The hardware of every device that has sent its inventory, by resource id.
    ///
    /// # Errors
    /// Why the list cannot be read.
    pub async fn hardware(&self) -> Result<HashMap<u64, Hardware>, Problem> {
        let mut pages = self.pages::<Hardware>(String::new(), None);
        let mut all = HashMap::new();
        while let Some(page) = pages.next().await? {
            all.extend(page.into_iter().map(|one| (one.resource_id, one)));
        }
        Ok(all)
    }
}
