//! The built-in roles: those of Azure with their documented action lists ("Azure built-in roles", General, Monitor,
//! Analytics), and the user roles of Operations Manager for the management group.

use std::sync::LazyLock;

use crate::{Permission, RoleDefinition};

struct Row {
    id: &'static str,
    name: &'static str,
    description: &'static str,
    actions: &'static [&'static [&'static str]],
    not_actions: &'static [&'static str],
    data_actions: &'static [&'static str],
}

/// What every operator of the management group sees.
const SEE: &[&str] = &[
    "Microsoft.AlertsManagement/alerts/read",
    "Watchkeeper/managementGroups/objects/read",
    "Watchkeeper/managementGroups/tasks/read",
    "Watchkeeper/managementGroups/maintenance/read",
    "Watchkeeper/managementGroups/overrides/read",
    "Watchkeeper/managementGroups/packs/read",
    "Watchkeeper/managementGroups/groups/read",
    "Watchkeeper/managementGroups/agents/read",
    "Watchkeeper/managementGroups/gateways/read",
    "Watchkeeper/managementGroups/certificates/read",
    "Watchkeeper/managementGroups/settings/read",
    "Watchkeeper/managementGroups/resourcePools/read",
    "Watchkeeper/managementGroups/resolutionStates/read",
    "Watchkeeper/managementGroups/itsmConnections/read",
    "Watchkeeper/managementGroups/configurationManager/read",
    "Watchkeeper/managementGroups/computerGroupDirectories/read",
    "Watchkeeper/managementGroups/serviceMapConnections/read",
];
const OPERATE: &[&str] = &[
    "Microsoft.AlertsManagement/alerts/*",
    "Watchkeeper/managementGroups/monitors/*",
    "Watchkeeper/managementGroups/tasks/*",
    "Watchkeeper/managementGroups/maintenance/*",
    "Watchkeeper/managementGroups/itsmConnections/sync/action",
    "Watchkeeper/managementGroups/itsmConnections/workItems/action",
    "Watchkeeper/managementGroups/configurationManager/sync/action",
    "Watchkeeper/managementGroups/computerGroupDirectories/sync/action",
    "Watchkeeper/managementGroups/serviceMapConnections/sync/action",
];
const TUNE: &[&str] = &["Watchkeeper/managementGroups/overrides/*"];
const AUTHOR: &[&str] = &[
    "Watchkeeper/managementGroups/packs/*",
    "Watchkeeper/managementGroups/groups/*",
    "Watchkeeper/managementGroups/objects/*",
    "Watchkeeper/managementGroups/dependencyViews/*",
    "Watchkeeper/managementGroups/runAsProfiles/read",
];

const ROWS: &[Row] = &[
    Row {
        id: "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        name: "Owner",
        description: "May do everything, also give roles to others.",
        actions: &[&["*"]],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: "b24988ac-6180-42a0-ab88-20f7382dd24c",
        name: "Contributor",
        description: "May do everything except giving roles and changing who signs in.",
        actions: &[&["*"]],
        not_actions: &[
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
            "Microsoft.Purview/consents/write",
            "Microsoft.Purview/consents/delete",
        ],
        data_actions: &[],
    },
    Row {
        id: "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        name: "Reader",
        description: "May see everything and change nothing.",
        actions: &[&["*/read"]],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        name: "User Access Administrator",
        description: "May see everything and give roles to others.",
        actions: &[&["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"]],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: "73c42c96-874c-492b-b04d-ab87d138a893",
        name: "Log Analytics Reader",
        description: "May query all data of a workspace and see its settings, without its keys.",
        actions: &[&[
            "*/read",
            "Microsoft.OperationalInsights/workspaces/analytics/query/action",
            "Microsoft.OperationalInsights/workspaces/search/action",
            "Microsoft.Support/*",
        ]],
        not_actions: &["Microsoft.OperationalInsights/workspaces/sharedKeys/read"],
        data_actions: &[],
    },
    Row {
        id: "92aaf0da-9dab-42b6-94a3-d43ce8d16293",
        name: "Log Analytics Contributor",
        description: "May query all data of a workspace, send to it, and change its tables, saved queries and groups.",
        actions: &[&[
            "*/read",
            "Microsoft.ClassicCompute/virtualMachines/extensions/*",
            "Microsoft.ClassicStorage/storageAccounts/listKeys/action",
            "Microsoft.Compute/virtualMachines/extensions/*",
            "Microsoft.HybridCompute/machines/extensions/write",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Insights/diagnosticSettings/*",
            "Microsoft.OperationalInsights/*",
            "Microsoft.OperationsManagement/*",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Resources/subscriptions/resourcegroups/deployments/*",
            "Microsoft.Storage/storageAccounts/listKeys/action",
            "Microsoft.Support/*",
        ]],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: "43d0d8ad-25c7-4714-9337-8ba259a9fe05",
        name: "Monitoring Reader",
        description: "May see all monitoring data and settings.",
        actions: &[&["*/read", "Microsoft.OperationalInsights/workspaces/search/action", "Microsoft.Support/*"]],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: "749f88d5-cbae-40b8-bcfc-e573ddc772fa",
        name: "Monitoring Contributor",
        description: "May see all monitoring data and change alert rules, action groups and collection rules.",
        actions: &[&[
            "*/read",
            "Microsoft.AlertsManagement/alerts/*",
            "Microsoft.AlertsManagement/alertsSummary/*",
            "Microsoft.AlertsManagement/smartDetectorAlertRules/*",
            "Microsoft.AlertsManagement/actionRules/*",
            "Microsoft.AlertsManagement/smartGroups/*",
            "Microsoft.AlertsManagement/migrateFromSmartDetection/*",
            "Microsoft.AlertsManagement/prometheusRuleGroups/*",
            "Microsoft.Insights/actiongroups/*",
            "Microsoft.Insights/activityLogAlerts/*",
            "Microsoft.Insights/AlertRules/*",
            "Microsoft.Insights/components/*",
            "Microsoft.Insights/createNotifications/*",
            "Microsoft.Insights/dataCollectionEndpoints/*",
            "Microsoft.Insights/dataCollectionRules/*",
            "Microsoft.Insights/dataCollectionRuleAssociations/*",
            "Microsoft.Insights/DiagnosticSettings/*",
            "Microsoft.Insights/eventtypes/*",
            "Microsoft.Insights/LogDefinitions/*",
            "Microsoft.Insights/metricalerts/*",
            "Microsoft.Insights/MetricDefinitions/*",
            "Microsoft.Insights/Metrics/*",
            "Microsoft.Insights/notificationStatus/*",
            "Microsoft.Insights/Register/Action",
            "Microsoft.Insights/scheduledqueryrules/*",
            "Microsoft.Insights/webtests/*",
            "Microsoft.Insights/workbooks/*",
            "Microsoft.Insights/workbooktemplates/*",
            "Microsoft.Insights/privateLinkScopes/*",
            "Microsoft.OperationalInsights/workspaces/write",
            "Microsoft.OperationalInsights/workspaces/intelligencepacks/*",
            "Microsoft.OperationalInsights/workspaces/savedSearches/*",
            "Microsoft.OperationalInsights/workspaces/search/action",
            "Microsoft.OperationalInsights/workspaces/sharedKeys/action",
            "Microsoft.OperationalInsights/workspaces/sharedKeys/read",
            "Microsoft.OperationalInsights/workspaces/storageinsightconfigs/*",
            "Microsoft.Support/*",
            "Microsoft.WorkloadMonitor/monitors/*",
        ]],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: "3913510d-42f4-4e42-8a64-420c390055eb",
        name: "Monitoring Metrics Publisher",
        description: "May send data to a workspace and see nothing.",
        actions: &[&[
            "Microsoft.Insights/Register/Action",
            "Microsoft.Support/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ]],
        not_actions: &[],
        data_actions: &["Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write"],
    },
    Row {
        id: "5b1a2f60-3c0e-4a57-9d0b-6b0b5a1d7c01",
        name: "Read-only Operator",
        description: "May see objects, health, alerts and settings of the management group, or of one of its groups.",
        actions: &[SEE],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: "5b1a2f60-3c0e-4a57-9d0b-6b0b5a1d7c02",
        name: "Operator",
        description: "Read-only Operator, and may work on alerts, run tasks, reset monitors and begin maintenance.",
        actions: &[SEE, OPERATE],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: "5b1a2f60-3c0e-4a57-9d0b-6b0b5a1d7c03",
        name: "Advanced Operator",
        description: "Operator, and may override rules and monitors.",
        actions: &[SEE, OPERATE, TUNE],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: "5b1a2f60-3c0e-4a57-9d0b-6b0b5a1d7c04",
        name: "Author",
        description: "Advanced Operator, and may change management packs, groups and dependency views.",
        actions: &[SEE, OPERATE, TUNE, AUTHOR],
        not_actions: &[],
        data_actions: &[],
    },
    Row {
        id: "5b1a2f60-3c0e-4a57-9d0b-6b0b5a1d7c05",
        name: "Administrator",
        description: "May do everything in the management group, also give roles in it.",
        actions: &[&[
            "Watchkeeper/managementGroups/*",
            "Microsoft.AlertsManagement/alerts/*",
            "Microsoft.Authorization/*/read",
            "Microsoft.Authorization/roleAssignments/*",
        ]],
        not_actions: &[],
        data_actions: &[],
    },
];

static BUILT_IN: LazyLock<Vec<RoleDefinition>> = LazyLock::new(|| {
    let owned = |list: &[&str]| list.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>();
    ROWS.iter()
        .map(|row| RoleDefinition {
            id: row.id.to_owned(),
            name: row.name.to_owned(),
            description: row.description.to_owned(),
            is_built_in: true,
            permissions: vec![Permission {
                actions: row.actions.iter().flat_map(|part| owned(part)).collect(),
                not_actions: owned(row.not_actions),
                data_actions: owned(row.data_actions),
                not_data_actions: Vec::new(),
            }],
            assignable_scopes: vec!["/".to_owned()],
        })
        .collect()
});

/// The roles that are always there.
pub fn built_in_roles() -> &'static [RoleDefinition] {
    &BUILT_IN
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Action, find_role};

    fn role(name: &str) -> &'static RoleDefinition {
        find_role(&[], name).unwrap()
    }

    #[test]
    fn roles_are_found_by_name_in_every_way_of_writing_and_by_id() {
        assert_eq!(role("log analytics reader").name, "Log Analytics Reader");
        assert_eq!(role("AdvancedOperator").name, "Advanced Operator");
        assert_eq!(role("read-only-operator").name, "Read-only Operator");
        assert_eq!(role("ACDD72A7-3385-48EF-BD42-F606FBA81AE7").name, "Reader");
        assert!(find_role(&[], "Wizard").is_none() && find_role(&[], " ").is_none());
        let ids: BTreeSet<&str> = built_in_roles().iter().map(|role| role.id.as_str()).collect();
        assert_eq!(ids.len(), built_in_roles().len());
    }

    #[test]
    fn each_role_of_the_management_group_may_what_the_one_before_may() {
        let names = ["Read-only Operator", "Operator", "Advanced Operator", "Author", "Administrator", "Owner"];
        for pair in names.windows(2) {
            for action in Action::ALL.iter().filter(|action| role(pair[0]).allows(**action)) {
                assert!(role(pair[1]).allows(*action), "{} has {action} and {} has not", pair[0], pair[1]);
            }
        }
    }

    #[test]
    fn every_action_is_allowed_to_the_owner_and_every_read_to_the_reader() {
        for action in Action::ALL {
            assert!(role("Owner").allows(*action), "{action}");
            assert_eq!(role("Reader").allows(*action), action.is_read(), "{action}");
        }
    }

    #[test]
    fn nobody_but_owners_and_their_deputies_changes_who_may_what() {
        let may: Vec<&str> = built_in_roles()
            .iter()
            .filter(|role| role.allows(Action::WriteRoleAssignments))
            .map(|role| role.name.as_str())
            .collect();
        assert_eq!(may, ["Owner", "User Access Administrator", "Administrator"]);
        for action in [Action::WritePrincipals, Action::WriteUsers, Action::WriteRoleDefinitions] {
            let may: Vec<&str> =
                built_in_roles().iter().filter(|role| role.allows(action)).map(|role| role.name.as_str()).collect();
            assert_eq!(may, ["Owner", "User Access Administrator"], "{action}");
        }
    }

    #[test]
    fn sending_is_for_publishers_and_those_who_may_change_a_workspace() {
        let may: Vec<&str> = built_in_roles()
            .iter()
            .filter(|role| role.allows(Action::SendData))
            .map(|role| role.name.as_str())
            .collect();
        assert_eq!(may, ["Owner", "Contributor", "Log Analytics Contributor", "Monitoring Metrics Publisher"]);
    }
}
