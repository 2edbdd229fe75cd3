//! What can be done. Names are the operations of Azure's resource providers where one is documented, and made in their
//! manner where none is, so that the action lists of the built-in roles say what they say there.

use std::fmt;
use std::str::FromStr;

/// The kind of place that an action is asked for at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Tenant,
    Workspace,
    /// A workspace, or single tables of it.
    Tables,
    ManagementGroup,
    /// A management group, or what is in single groups of it.
    Groups,
    /// Whichever scope the request names: the handler asks for that one.
    Anywhere,
}

impl Level {
    /// Whether a role that is given further below than the whole workspace lets a caller in: what it then sees is only what
    /// lies there. For groups of a management group each route says so itself: not all can keep to a group.
    pub const fn has_parts(self) -> bool {
        matches!(self, Level::Tables | Level::Anywhere)
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal $(or data $data:literal)? at $level:ident;)*) => {
        /// One thing that can be done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $($(#[$doc])* $name,)* }

        impl Action {
            pub const ALL: &'static [Action] = &[$(Action::$name,)*];

            /// The name that role definitions write.
            pub const fn name(self) -> &'static str {
                match self { $(Action::$name => $text,)* }
            }

            /// The data action that allows the same.
            pub const fn data_action(self) -> Option<&'static str> {
                match self { $(Action::$name => actions!(@data $($data)?),)* }
            }

            pub const fn level(self) -> Level {
                match self { $(Action::$name => Level::$level,)* }
            }
        }
    };
    (@data) => { None };
    (@data $data:literal) => { Some($data) };
}

actions! {
    // a workspace
    QueryData = "Microsoft.OperationalInsights/workspaces/query/read" at Tables;
    ReadTables = "Microsoft.OperationalInsights/workspaces/tables/read" at Tables;
    ChangeTables = "Microsoft.OperationalInsights/workspaces/tables/write" at Workspace;
    /// Whoever may change everything in a workspace may send to it, as whoever has its keys may.
    SendData = "Microsoft.OperationalInsights/workspaces/tables/rows/write" or data "Microsoft.Insights/Telemetry/Write" at Workspace;
    /// Seeing and cancelling the running queries of others.
    ManageQueries = "Microsoft.OperationalInsights/workspaces/queries/cancel/action" at Workspace;
    ReadWorkspace = "Microsoft.OperationalInsights/workspaces/read" at Workspace;
    ReadWorkspaceKeys = "Microsoft.OperationalInsights/workspaces/sharedKeys/action" at Workspace;
    RegenerateWorkspaceKeys = "Microsoft.OperationalInsights/workspaces/regenerateSharedKey/action" at Workspace;
    ReadSavedQueries = "Microsoft.OperationalInsights/workspaces/savedSearches/read" at Workspace;
    WriteSavedQueries = "Microsoft.OperationalInsights/workspaces/savedSearches/write" at Workspace;
    DeleteSavedQueries = "Microsoft.OperationalInsights/workspaces/savedSearches/delete" at Workspace;
    ReadComputerGroups = "Microsoft.OperationalInsights/workspaces/computerGroups/read" at Workspace;
    WriteComputerGroups = "Microsoft.OperationalInsights/workspaces/computerGroups/write" at Workspace;
    DeleteComputerGroups = "Microsoft.OperationalInsights/workspaces/computerGroups/delete" at Workspace;
    ReadMap = "Microsoft.OperationalInsights/workspaces/features/generateMap/read" at Workspace;
    ReadMachineGroups = "Microsoft.OperationalInsights/workspaces/features/machineGroups/read" at Workspace;
    WriteMachineGroups = "Microsoft.OperationalInsights/workspaces/features/machineGroups/write" at Workspace;
    DeleteMachineGroups = "Microsoft.OperationalInsights/workspaces/features/machineGroups/delete" at Workspace;
    /// Where everybody sees the boxes of the map.
    ShareMapPins = "Microsoft.OperationalInsights/workspaces/features/sharedPins/write" at Workspace;
    ReadCollectionRules = "Microsoft.Insights/dataCollectionRules/read" at Workspace;
    WriteCollectionRules = "Microsoft.Insights/dataCollectionRules/write" at Workspace;
    DeleteCollectionRules = "Microsoft.Insights/dataCollectionRules/delete" at Workspace;
    ReadAlertRules = "Microsoft.Insights/scheduledQueryRules/read" at Workspace;
    WriteAlertRules = "Microsoft.Insights/scheduledQueryRules/write" at Workspace;
    DeleteAlertRules = "Microsoft.Insights/scheduledQueryRules/delete" at Workspace;
    ReadMetricAlerts = "Microsoft.Insights/metricAlerts/read" at Workspace;
    WriteMetricAlerts = "Microsoft.Insights/metricAlerts/write" at Workspace;
    DeleteMetricAlerts = "Microsoft.Insights/metricAlerts/delete" at Workspace;
    ReadActivityLogAlerts = "Microsoft.Insights/activityLogAlerts/read" at Workspace;
    WriteActivityLogAlerts = "Microsoft.Insights/activityLogAlerts/write" at Workspace;
    DeleteActivityLogAlerts = "Microsoft.Insights/activityLogAlerts/delete" at Workspace;
    ReadActionGroups = "Microsoft.Insights/actionGroups/read" at Workspace;
    WriteActionGroups = "Microsoft.Insights/actionGroups/write" at Workspace;
    DeleteActionGroups = "Microsoft.Insights/actionGroups/delete" at Workspace;
    TestActionGroups = "Microsoft.Insights/createNotifications/write" at Workspace;
    ReadProcessingRules = "Microsoft.AlertsManagement/actionRules/read" at Workspace;
    WriteProcessingRules = "Microsoft.AlertsManagement/actionRules/write" at Workspace;
    DeleteProcessingRules = "Microsoft.AlertsManagement/actionRules/delete" at Workspace;
    ReadDeliveries = "Microsoft.Insights/notificationStatus/read" at Workspace;
    ReplayDeliveries = "Microsoft.Insights/notificationStatus/replay/action" at Workspace;

    // a management group
    ReadObjects = "Watchkeeper/managementGroups/objects/read" at Groups;
    DeleteObjects = "Watchkeeper/managementGroups/objects/delete" at ManagementGroup;
    ResetMonitors = "Watchkeeper/managementGroups/monitors/reset/action" at Groups;
    ReadAlerts = "Microsoft.AlertsManagement/alerts/read" at Groups;
    ChangeAlerts = "Microsoft.AlertsManagement/alerts/changestate/action" at Groups;
    ReadTasks = "Watchkeeper/managementGroups/tasks/read" at Groups;
    RunTasks = "Watchkeeper/managementGroups/tasks/run/action" at Groups;
    ReadMaintenance = "Watchkeeper/managementGroups/maintenance/read" at Groups;
    WriteMaintenance = "Watchkeeper/managementGroups/maintenance/write" at Groups;
    ReadOverrides = "Watchkeeper/managementGroups/overrides/read" at Groups;
    WriteOverrides = "Watchkeeper/managementGroups/overrides/write" at Groups;
    DeleteOverrides = "Watchkeeper/managementGroups/overrides/delete" at Groups;
    ReadPacks = "Watchkeeper/managementGroups/packs/read" at ManagementGroup;
    WritePacks = "Watchkeeper/managementGroups/packs/write" at ManagementGroup;
    DeletePacks = "Watchkeeper/managementGroups/packs/delete" at ManagementGroup;
    ReadGroups = "Watchkeeper/managementGroups/groups/read" at Groups;
    WriteGroups = "Watchkeeper/managementGroups/groups/write" at ManagementGroup;
    DeleteGroups = "Watchkeeper/managementGroups/groups/delete" at ManagementGroup;
    ReadAgents = "Watchkeeper/managementGroups/agents/read" at ManagementGroup;
    WriteAgents = "Watchkeeper/managementGroups/agents/write" at ManagementGroup;
    DeleteAgents = "Watchkeeper/managementGroups/agents/delete" at ManagementGroup;
    ReadEnrolmentTokens = "Watchkeeper/managementGroups/enrolmentTokens/read" at ManagementGroup;
    WriteEnrolmentTokens = "Watchkeeper/managementGroups/enrolmentTokens/write" at ManagementGroup;
    DeleteEnrolmentTokens = "Watchkeeper/managementGroups/enrolmentTokens/delete" at ManagementGroup;
    ReadGateways = "Watchkeeper/managementGroups/gateways/read" at ManagementGroup;
    WriteGateways = "Watchkeeper/managementGroups/gateways/write" at ManagementGroup;
    DeleteGateways = "Watchkeeper/managementGroups/gateways/delete" at ManagementGroup;
    ReadCertificates = "Watchkeeper/managementGroups/certificates/read" at ManagementGroup;
    WriteCertificates = "Watchkeeper/managementGroups/certificates/write" at ManagementGroup;
    DeleteCertificates = "Watchkeeper/managementGroups/certificates/delete" at ManagementGroup;
    /// The servers of the group and its settings.
    ReadSettings = "Watchkeeper/managementGroups/settings/read" at ManagementGroup;
    WriteSettings = "Watchkeeper/managementGroups/settings/write" at ManagementGroup;
    ReadPools = "Watchkeeper/managementGroups/resourcePools/read" at ManagementGroup;
    WritePools = "Watchkeeper/managementGroups/resourcePools/write" at ManagementGroup;
    DeletePools = "Watchkeeper/managementGroups/resourcePools/delete" at ManagementGroup;
    ReadResolutionStates = "Watchkeeper/managementGroups/resolutionStates/read" at Groups;
    WriteResolutionStates = "Watchkeeper/managementGroups/resolutionStates/write" at ManagementGroup;
    DeleteResolutionStates = "Watchkeeper/managementGroups/resolutionStates/delete" at ManagementGroup;
    ReadRunAsAccounts = "Watchkeeper/managementGroups/runAsAccounts/read" at ManagementGroup;
    WriteRunAsAccounts = "Watchkeeper/managementGroups/runAsAccounts/write" at ManagementGroup;
    DeleteRunAsAccounts = "Watchkeeper/managementGroups/runAsAccounts/delete" at ManagementGroup;
    ReadRunAsProfiles = "Watchkeeper/managementGroups/runAsProfiles/read" at ManagementGroup;
    WriteRunAsProfiles = "Watchkeeper/managementGroups/runAsProfiles/write" at ManagementGroup;
    ReadItsmConnections = "Watchkeeper/managementGroups/itsmConnections/read" at ManagementGroup;
    WriteItsmConnections = "Watchkeeper/managementGroups/itsmConnections/write" at ManagementGroup;
    DeleteItsmConnections = "Watchkeeper/managementGroups/itsmConnections/delete" at ManagementGroup;
    /// Testing and synchronizing a connection as it is.
    SyncItsmConnections = "Watchkeeper/managementGroups/itsmConnections/sync/action" at ManagementGroup;
    CreateWorkItems = "Watchkeeper/managementGroups/itsmConnections/workItems/action" at ManagementGroup;
    ReadConfigurationManager = "Watchkeeper/managementGroups/configurationManager/read" at ManagementGroup;
    WriteConfigurationManager = "Watchkeeper/managementGroups/configurationManager/write" at ManagementGroup;
    DeleteConfigurationManager = "Watchkeeper/managementGroups/configurationManager/delete" at ManagementGroup;
    SyncConfigurationManager = "Watchkeeper/managementGroups/configurationManager/sync/action" at ManagementGroup;
    ReadDirectories = "Watchkeeper/managementGroups/computerGroupDirectories/read" at ManagementGroup;
    WriteDirectories = "Watchkeeper/managementGroups/computerGroupDirectories/write" at ManagementGroup;
    DeleteDirectories = "Watchkeeper/managementGroups/computerGroupDirectories/delete" at ManagementGroup;
    SyncDirectories = "Watchkeeper/managementGroups/computerGroupDirectories/sync/action" at ManagementGroup;
    ReadServiceMapConnections = "Watchkeeper/managementGroups/serviceMapConnections/read" at ManagementGroup;
    WriteServiceMapConnections = "Watchkeeper/managementGroups/serviceMapConnections/write" at ManagementGroup;
    DeleteServiceMapConnections = "Watchkeeper/managementGroups/serviceMapConnections/delete" at ManagementGroup;
    SyncServiceMapConnections = "Watchkeeper/managementGroups/serviceMapConnections/sync/action" at ManagementGroup;
    WriteDependencyViews = "Watchkeeper/managementGroups/dependencyViews/write" at ManagementGroup;

    // the tenant
    ReadPrincipals = "Microsoft.Authorization/servicePrincipals/read" at Tenant;
    WritePrincipals = "Microsoft.Authorization/servicePrincipals/write" at Tenant;
    DeletePrincipals = "Microsoft.Authorization/servicePrincipals/delete" at Tenant;
    ReadUsers = "Microsoft.Authorization/users/read" at Tenant;
    WriteUsers = "Microsoft.Authorization/users/write" at Tenant;
    DeleteUsers = "Microsoft.Authorization/users/delete" at Tenant;
    ReadRoleDefinitions = "Microsoft.Authorization/roleDefinitions/read" at Anywhere;
    WriteRoleDefinitions = "Microsoft.Authorization/roleDefinitions/write" at Anywhere;
    DeleteRoleDefinitions = "Microsoft.Authorization/roleDefinitions/delete" at Anywhere;
    ReadRoleAssignments = "Microsoft.Authorization/roleAssignments/read" at Anywhere;
    WriteRoleAssignments = "Microsoft.Authorization/roleAssignments/write" at Anywhere;
    DeleteRoleAssignments = "Microsoft.Authorization/roleAssignments/delete" at Anywhere;
    ReadClouds = "Watchkeeper/clouds/read" at Tenant;
    /// What the server itself holds: the key of its secrets.
    ManageSecrets = "Watchkeeper/secrets/write" at Tenant;
}

impl Action {
    /// Whether it leaves everything as it is.
    pub fn is_read(self) -> bool {
        self.name().ends_with("/read")
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Action, String> {
        let found = Action::ALL.iter().find(|action| action.name().eq_ignore_ascii_case(text));
        found.copied().ok_or_else(|| format!("there is no action {text:?}; `watchkeeper roles actions` lists them"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_action_has_a_name_of_its_own_that_is_read_back() {
        let names: BTreeSet<String> = Action::ALL.iter().map(|action| action.name().to_lowercase()).collect();
        assert_eq!(names.len(), Action::ALL.len());
        for action in Action::ALL {
            assert_eq!(action.name().to_uppercase().parse(), Ok(*action));
            let last = action.name().rsplit('/').next().unwrap();
            assert!(["read", "write", "delete", "action"].contains(&last), "{action}");
        }
    }
}
