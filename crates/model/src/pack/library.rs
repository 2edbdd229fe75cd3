//! The libraries that packs refer to, written for this product from their public names and parameters. They are
//! sealed with the vendor's token, so references of real packs find them. Modules say whether an agent runs them.

use std::sync::OnceLock;

use super::{ManagementPack, Problem, VENDOR_TOKEN, xml, yaml};

const FILES: &[(&str, &str)] = &[
    ("System.Library.xml", include_str!("../../library/System.Library.xml")),
    ("System.Health.Library.xml", include_str!("../../library/System.Health.Library.xml")),
    ("System.Performance.Library.xml", include_str!("../../library/System.Performance.Library.xml")),
    ("System.ApplicationLog.Library.xml", include_str!("../../library/System.ApplicationLog.Library.xml")),
    ("System.Snmp.Library.xml", include_str!("../../library/System.Snmp.Library.xml")),
    ("System.NetworkManagement.Library.xml", include_str!("../../library/System.NetworkManagement.Library.xml")),
    ("Microsoft.Windows.Library.xml", include_str!("../../library/Microsoft.Windows.Library.xml")),
    ("Microsoft.SystemCenter.Library.xml", include_str!("../../library/Microsoft.SystemCenter.Library.xml")),
    (
        "Microsoft.SystemCenter.InstanceGroup.Library.xml",
        include_str!("../../library/Microsoft.SystemCenter.InstanceGroup.Library.xml"),
    ),
    (
        "Microsoft.SystemCenter.NTService.Library.xml",
        include_str!("../../library/Microsoft.SystemCenter.NTService.Library.xml"),
    ),
    (
        "Microsoft.SystemCenter.ServiceDesigner.Library.xml",
        include_str!("../../library/Microsoft.SystemCenter.ServiceDesigner.Library.xml"),
    ),
    (
        "Microsoft.SystemCenter.DataWarehouse.Library.xml",
        include_str!("../../library/Microsoft.SystemCenter.DataWarehouse.Library.xml"),
    ),
    (
        "Microsoft.SystemCenter.DataWarehouse.Internal.xml",
        include_str!("../../library/Microsoft.SystemCenter.DataWarehouse.Internal.xml"),
    ),
    (
        "Microsoft.SystemCenter.Notifications.Library.xml",
        include_str!("../../library/Microsoft.SystemCenter.Notifications.Library.xml"),
    ),
    (
        "Microsoft.SystemCenter.ProcessMonitoring.Library.xml",
        include_str!("../../library/Microsoft.SystemCenter.ProcessMonitoring.Library.xml"),
    ),
    (
        "Microsoft.SystemCenter.SyntheticTransactions.Library.xml",
        include_str!("../../library/Microsoft.SystemCenter.SyntheticTransactions.Library.xml"),
    ),
    (
        "Microsoft.SystemCenter.WSManagement.Library.xml",
        include_str!("../../library/Microsoft.SystemCenter.WSManagement.Library.xml"),
    ),
    ("Microsoft.Unix.Library.xml", include_str!("../../library/Microsoft.Unix.Library.xml")),
    ("Microsoft.Unix.ShellCommand.Library.xml", include_str!("../../library/Microsoft.Unix.ShellCommand.Library.xml")),
    ("Microsoft.Linux.Library.xml", include_str!("../../library/Microsoft.Linux.Library.xml")),
    ("Microsoft.Linux.Universal.Library.xml", include_str!("../../library/Microsoft.Linux.Universal.Library.xml")),
    (
        "Microsoft.Linux.Universal.Monitoring.xml",
        include_str!("../../library/Microsoft.Linux.Universal.Monitoring.xml"),
    ),
    ("Watchkeeper.Library.yaml", include_str!("../../library/Watchkeeper.Library.yaml")),
];

/// All libraries, read once.
pub fn libraries() -> &'static [ManagementPack] {
    static READ: OnceLock<Vec<ManagementPack>> = OnceLock::new();
    READ.get_or_init(|| read().0)
}

/// Reads them, with what the reader had to say.
fn read() -> (Vec<ManagementPack>, Vec<Problem>) {
    let mut packs = Vec::new();
    let mut problems = Vec::new();
    for (file, text) in FILES {
        let read = if file.ends_with(".yaml") { yaml::read } else { xml::read };
        let reading = read(&format!("library/{file}"), text.as_bytes());
        problems.extend(reading.problems);
        packs.extend(reading.pack.map(|pack| ManagementPack {
            sealed: true,
            public_key_token: VENDOR_TOKEN.to_owned(),
            ..pack
        }));
    }
    (packs, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_read_without_any_problem() {
        let (packs, problems) = read();
        assert_eq!(packs.len(), FILES.len());
        assert_eq!(problems, Vec::new());
        for (pack, (file, _)) in packs.iter().zip(FILES) {
            assert_eq!(file.rsplit_once('.').unwrap().0, pack.id);
        }
    }
}
