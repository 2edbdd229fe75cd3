//! What a site knows of the members of its collections: operating system, last logon, hardware. One row a device of
//! `ConfigurationManagerDevice_CL` with every import, all with its time.

use std::collections::HashSet;

use watchkeeper_configmgr::{Client, Device, Hardware};
use watchkeeper_management::AgentIdentity;
use watchkeeper_state::ComputerGroup;
use watchkeeper_wire::TableBuilder;

use super::{ConfigurationManagers, Connection, ImportError, KnownSite};

const TABLE: &str = "ConfigurationManagerDevice_CL";
const SOURCE_SYSTEM: &str = "ConfigurationManager";

impl ConfigurationManagers {
    /// Reads the devices of a site, and writes a row of each that is a member of one of the groups; how many.
    pub(super) async fn write_devices(
        &self,
        connection: &Connection,
        client: &Client,
        site: &KnownSite,
        groups: &[&ComputerGroup],
        at: i64,
    ) -> Result<u64, ImportError> {
        let members = self.members(groups).await?;
        // a site without hardware inventory, or an account that may not read it, has devices all the same
        let hardware = client.hardware().await.unwrap_or_else(|problem| {
            tracing::info!(connection = connection.stored.name, %problem, "the hardware of devices is not known");
            Default::default()
        });
        let sender = AgentIdentity {
            agent_id: format!("configuration-manager/{}", connection.stored.connection_id),
            computer: String::new(),
            queue: "operational".to_owned(),
        };
        let (mut sequence, mut count) = (at.unsigned_abs(), 0);
        let mut pages = client.devices();
        while let Some(page) = pages.next().await? {
            let wanted: Vec<Device> =
                page.into_iter().filter(|device| members.contains(&device.name.trim().to_lowercase())).collect();
            let names: Vec<String> = wanted.iter().map(|device| device.name.trim().to_owned()).collect();
            let mut table = TableBuilder::new(TABLE);
            for (device, computer) in wanted.iter().zip(self.groups.names_of(&names)) {
                row(&mut table, device, hardware.get(&device.resource_id), &computer, site, at);
            }
            count += wanted.len() as u64;
            if table.rows() > 0 {
                sequence += 1;
                self.groups.write_batch(&sender, sequence, table.finish()).await?;
            }
        }
        Ok(count)
    }

    /// The names of the members of groups, in lower case.
    async fn members(&self, groups: &[&ComputerGroup]) -> Result<HashSet<String>, ImportError> {
        let mut members = HashSet::new();
        for group in groups {
            let mut after = -1;
            while let Some((part, names)) =
                self.state.computer_group_part(&group.group_id, group.version, after).await?
            {
                after = part;
                members.extend(names.iter().map(|name| name.to_lowercase()));
            }
        }
        Ok(members)
    }
}

fn row(
    table: &mut TableBuilder,
    device: &Device,
    hardware: Option<&Hardware>,
    computer: &str,
    site: &KnownSite,
    at: i64,
) {
    let user = match (device.last_user_domain.as_str(), device.last_user.as_str()) {
        ("", user) => user.to_owned(),
        (_, "") => String::new(),
        (domain, user) => format!("{domain}\\{user}"),
    };
    table
        .row()
        .datetime("TimeGenerated", at)
        .string("SourceSystem", SOURCE_SYSTEM)
        .string("Computer", computer)
        .string("SiteCode_s", &site.code)
        .string("ResourceId_s", &device.resource_id.to_string())
        .string("Name_s", &device.name)
        .string("Domain_s", &device.domain)
        .string("OperatingSystem_s", &device.operating_system)
        .string("ClientVersion_s", &device.client_version)
        .string("Processor_s", &device.processor)
        .string("ADSite_s", &device.ad_site)
        .string("LastLogonUser_s", &user)
        .string("Manufacturer_s", hardware.map_or("", |hardware| &hardware.manufacturer))
        .string("Model_s", hardware.map_or("", |hardware| &hardware.model));
    if let Some(is_virtual) = device.is_virtual {
        table.bool("IsVirtualMachine_b", is_virtual);
    }
    if let Some(processors) = hardware.and_then(|hardware| hardware.processors) {
        table.real("Processors_d", processors as f64);
    }
    if let Ok(logon) = chrono::DateTime::parse_from_rfc3339(&device.last_logon) {
        table.datetime("LastLogon_t", logon.timestamp_micros());
    }
}
