//! The tables that every workspace has: the documented ones with the documented columns (Azure Monitor, "Azure Monitor
//! Logs reference", one page a table), and our own where no documented one exists.

use watchkeeper_kql::Column;
use watchkeeper_kql::Type::{self, Bool, Datetime, Dynamic, Int, Long, Real, String};
use watchkeeper_store::{Store, StoreError, TableSchema};

/// A table that is always there. The columns of all tables (`TimeGenerated`, `Type`, …) are not repeated.
#[derive(Debug, Clone, Copy)]
pub struct StandardTable {
    pub name: &'static str,
    /// Who fills it, as `Usage` reports.
    pub solution: &'static str,
    pub columns: &'static [(&'static str, Type)],
}

/// Columns that the documentation gives every table besides those of the store.
const COMMON: [(&str, Type); 1] = [("_SubscriptionId", String)];

impl StandardTable {
    /// The table's schema.
    ///
    /// # Errors
    /// Never for the tables of this file; a test makes all of them.
    pub fn schema(&self) -> Result<TableSchema, StoreError> {
        let columns = self.columns.iter().chain(&COMMON).map(|(name, ty)| Column::new(*name, *ty));
        TableSchema::new(self.name, columns)
    }
}

/// The standard table of a name.
pub fn standard_table(name: &str) -> Option<&'static StandardTable> {
    STANDARD_TABLES.iter().find(|table| table.name == name)
}

/// Creates what is missing of the standard tables; a table that is there keeps its retention and its own columns.
///
/// # Errors
/// When the store cannot write them.
pub async fn ensure_standard_tables(store: &Store) -> Result<(), StoreError> {
    for table in STANDARD_TABLES {
        let schema = table.schema()?;
        match store.schema(table.name) {
            Some(_) => store.add_columns(table.name, schema.columns).await?,
            None => store.ensure_table(schema).await?,
        };
    }
    Ok(())
}

/// Every standard table.
pub const STANDARD_TABLES: &[StandardTable] = &[
    // a signal of life of an agent
    StandardTable {
        name: "Heartbeat",
        solution: "LogManagement",
        columns: &[
            ("Category", String),
            ("Computer", String),
            ("ComputerEnvironment", String),
            ("ComputerIP", String),
            ("ComputerPrivateIPs", Dynamic),
            ("IsGatewayInstalled", Bool),
            ("ManagementGroupName", String),
            ("OSMajorVersion", String),
            ("OSMinorVersion", String),
            ("OSName", String),
            ("OSType", String),
            ("RemoteIPCountry", String),
            ("RemoteIPLatitude", Real),
            ("RemoteIPLongitude", Real),
            ("Resource", String),
            ("ResourceGroup", String),
            ("ResourceId", String),
            ("ResourceProvider", String),
            ("ResourceType", String),
            ("SCAgentChannel", String),
            ("Solutions", String),
            ("SourceComputerId", String),
            ("SubscriptionId", String),
            ("Version", String),
            ("VMUUID", String),
        ],
    },
    // performance counters
    StandardTable {
        name: "Perf",
        solution: "LogManagement",
        columns: &[
            ("BucketEndTime", Datetime),
            ("BucketStartTime", Datetime),
            ("Computer", String),
            ("CounterName", String),
            ("CounterPath", String),
            ("CounterValue", Real),
            ("InstanceName", String),
            ("Max", Real),
            ("Min", Real),
            ("ObjectName", String),
            ("SampleCount", Int),
            ("StandardDeviation", Real),
        ],
    },
    // events of Windows event logs
    StandardTable {
        name: "Event",
        solution: "LogManagement",
        columns: &[
            ("AzureDeploymentID", String),
            ("Computer", String),
            ("EventCategory", Int),
            ("EventData", String),
            ("EventID", Int),
            ("EventLevel", Int),
            ("EventLevelName", String),
            ("EventLog", String),
            ("ManagementGroupName", String),
            ("Message", String),
            ("ParameterXml", String),
            ("RenderedDescription", String),
            ("Role", String),
            ("Source", String),
            ("UserName", String),
        ],
    },
    // syslog messages
    StandardTable {
        name: "Syslog",
        solution: "LogManagement",
        columns: &[
            ("CollectorHostName", String),
            ("Computer", String),
            ("EventTime", Datetime),
            ("Facility", String),
            ("HostIP", String),
            ("HostName", String),
            ("ProcessID", Int),
            ("ProcessName", String),
            ("SeverityLevel", String),
            ("SyslogMessage", String),
        ],
    },
    // connections of a process in a minute
    StandardTable {
        name: "VMConnection",
        solution: "VMInsights",
        columns: &[
            ("AdditionalInformation", String),
            ("AgentId", String),
            ("BytesReceived", Long),
            ("BytesSent", Long),
            ("Computer", String),
            ("Confidence", String),
            ("ConnectionId", String),
            ("Description", String),
            ("DestinationIp", String),
            ("DestinationPort", Int),
            ("Direction", String),
            ("FirstReportedDateTime", String),
            ("IndicatorThreatType", String),
            ("IsActive", String),
            ("LastReportedDateTime", String),
            ("LinksEstablished", Long),
            ("LinksFailed", Long),
            ("LinksLive", Long),
            ("LinksTerminated", Long),
            ("Machine", String),
            ("MaliciousIp", String),
            ("Process", String),
            ("ProcessName", String),
            ("Protocol", String),
            ("RemoteClassification", String),
            ("RemoteCountry", String),
            ("RemoteDnsCanonicalNames", String),
            ("RemoteDnsQuestions", String),
            ("RemoteIp", String),
            ("RemoteLatitude", Real),
            ("RemoteLongitude", Real),
            ("ReportReferenceLink", String),
            ("Responses", Long),
            ("ResponseTimeMax", Long),
            ("ResponseTimeMin", Long),
            ("ResponseTimeSum", Long),
            ("Severity", Int),
            ("SourceIp", String),
            ("TLPLevel", String),
        ],
    },
    // inventory of processes
    StandardTable {
        name: "VMProcess",
        solution: "VMInsights",
        columns: &[
            ("AgentId", String),
            ("CommandLine", String),
            ("CompanyName", String),
            ("Computer", String),
            ("Description", String),
            ("DisplayName", String),
            ("ExecutableName", String),
            ("ExecutablePath", String),
            ("FileVersion", String),
            ("FirstPid", Int),
            ("Group", String),
            ("InternalName", String),
            ("Machine", String),
            ("Process", String),
            ("ProductName", String),
            ("ProductVersion", String),
            ("Role", String),
            ("Services", Dynamic),
            ("StartTime", Datetime),
            ("UserDomain", String),
            ("UserName", String),
            ("WorkingDirectory", String),
        ],
    },
    // inventory of listening ports
    StandardTable {
        name: "VMBoundPort",
        solution: "VMInsights",
        columns: &[
            ("AgentId", String),
            ("BytesReceived", Long),
            ("BytesSent", Long),
            ("Computer", String),
            ("Ip", String),
            ("IsWildcardBind", Bool),
            ("LinksEstablished", Long),
            ("LinksLive", Long),
            ("LinksTerminated", Long),
            ("Machine", String),
            ("Port", Int),
            ("PortId", String),
            ("Process", String),
            ("ProcessName", String),
            ("Protocol", String),
            ("Responses", Long),
            ("ResponseTimeMax", Long),
            ("ResponseTimeMin", Long),
            ("ResponseTimeSum", Long),
        ],
    },
    // inventory of machines
    StandardTable {
        name: "VMComputer",
        solution: "VMInsights",
        columns: &[
            ("AgentId", String),
            ("AzureCloudServiceDeployment", String),
            ("AzureCloudServiceInstanceId", String),
            ("AzureCloudServiceName", String),
            ("AzureCloudServiceRoleName", String),
            ("AzureCloudServiceRoleType", String),
            ("AzureFaultDomain", String),
            ("AzureImageOffering", String),
            ("AzureImagePublisher", String),
            ("AzureImageSku", String),
            ("AzureImageVersion", String),
            ("AzureLocation", String),
            ("AzureResourceGroup", String),
            ("AzureResourceName", String),
            ("AzureServiceFabricClusterId", String),
            ("AzureServiceFabricClusterName", String),
            ("AzureSize", String),
            ("AzureSubscriptionId", String),
            ("AzureUpdateDomain", String),
            ("AzureVmId", String),
            ("AzureVmScaleSetDeployment", String),
            ("AzureVmScaleSetInstanceId", String),
            ("AzureVmScaleSetName", String),
            ("AzureVmScaleSetResourceId", String),
            ("BootTime", Datetime),
            ("Computer", String),
            ("Cpus", Int),
            ("CpuSpeed", Int),
            ("DependencyAgentVersion", String),
            ("DisplayName", String),
            ("DnsNames", Dynamic),
            ("FullDisplayName", String),
            ("HostingProvider", String),
            ("HostName", String),
            ("HypervisorId", String),
            ("HypervisorType", String),
            ("Ipv4Addresses", Dynamic),
            ("Ipv4DefaultGateways", Dynamic),
            ("Ipv4SubnetMasks", Dynamic),
            ("Ipv6Addresses", Dynamic),
            ("MacAddresses", Dynamic),
            ("Machine", String),
            ("OperatingSystemFamily", String),
            ("OperatingSystemFullName", String),
            ("PhysicalMemoryMB", Long),
            ("TimeZone", String),
            ("VirtualizationState", String),
            ("VirtualMachineHypervisorId", String),
            ("VirtualMachineNativeId", String),
            ("VirtualMachineNativeName", String),
            ("VirtualMachineType", String),
        ],
    },
    // metrics of machines and containers
    StandardTable {
        name: "InsightsMetrics",
        solution: "InfrastructureInsights",
        columns: &[
            ("AgentId", String),
            ("Computer", String),
            ("Name", String),
            ("Namespace", String),
            ("Origin", String),
            ("Tags", String),
            ("Val", Real),
            ("Value", String),
        ],
    },
    // alerts of the management group and of log alert rules
    StandardTable {
        name: "Alert",
        solution: "LogManagement",
        columns: &[
            ("AlertContext", String),
            ("AlertDescription", String),
            ("AlertError", String),
            ("AlertId", String),
            ("AlertName", String),
            ("AlertPriority", String),
            ("AlertRuleId", String),
            ("AlertRuleInstanceId", String),
            ("AlertSeverity", String),
            ("AlertState", String),
            ("AlertStatus", Int),
            ("AlertTypeDescription", String),
            ("AlertTypeNumber", Int),
            ("AlertValue", Int),
            ("Comments", String),
            ("Computer", String),
            ("Custom1", String),
            ("Custom10", String),
            ("Custom2", String),
            ("Custom3", String),
            ("Custom4", String),
            ("Custom5", String),
            ("Custom6", String),
            ("Custom7", String),
            ("Custom8", String),
            ("Custom9", String),
            ("Expression", String),
            ("Flags", Int),
            ("FlagsDescription", String),
            ("HostName", String),
            ("LastModifiedBy", String),
            ("LinkToSearchResults", String),
            ("ManagementGroupName", String),
            ("ObjectDisplayName", String),
            ("PriorityNumber", Int),
            ("Query", String),
            ("QueryExecutionEndTime", Datetime),
            ("QueryExecutionStartTime", Datetime),
            ("RemediationJobId", String),
            ("RemediationRunbookName", String),
            ("RepeatCount", Int),
            ("ResolvedBy", String),
            ("ResourceId", String),
            ("ResourceType", String),
            ("ResourceValue", String),
            ("RootObjectName", String),
            ("ServiceDeskConnectionName", String),
            ("ServiceDeskId", String),
            ("ServiceDeskWorkItemLink", String),
            ("ServiceDeskWorkItemType", String),
            ("SourceDisplayName", String),
            ("SourceFullName", String),
            ("StateType", String),
            ("StatusDescription", String),
            ("TemplateId", String),
            ("ThresholdOperator", String),
            ("ThresholdValue", Int),
            ("TicketId", String),
            ("TimeLastModified", Datetime),
            ("TimeRaised", Datetime),
            ("TimeResolved", Datetime),
            ("TriggerId", String),
            ("Url", String),
            ("ValueDescription", String),
            ("ValueFlags", Int),
            ("ValueFlagsDescription", String),
        ],
    },
    // computers of groups, one row a member
    StandardTable {
        name: "ComputerGroup",
        solution: "LogManagement",
        columns: &[
            ("Computer", String),
            ("Group", String),
            ("GroupFullName", String),
            ("GroupId", String),
            ("GroupSource", String),
            ("GroupSourceName", String),
        ],
    },
    // megabytes a table and hour
    StandardTable {
        name: "Usage",
        solution: "LogManagement",
        columns: &[
            ("AvgLatencyInSeconds", Real),
            ("BatchesCapped", Long),
            ("BatchesOutsideSla", Long),
            ("BatchesWithinSla", Long),
            ("Computer", String),
            ("DataType", String),
            ("EndTime", Datetime),
            ("IsBillable", Bool),
            ("LinkedMeterId", String),
            ("LinkedResourceUri", String),
            ("MeterId", String),
            ("Quantity", Real),
            ("QuantityUnit", String),
            ("ResourceUri", String),
            ("Solution", String),
            ("StartTime", Datetime),
            ("TotalBatches", Long),
        ],
    },
    // what the workspace did and refused
    StandardTable {
        name: "Operation",
        solution: "LogManagement",
        columns: &[
            ("Computer", String),
            ("CorrelationId", String),
            ("Detail", String),
            ("ErrorId", String),
            ("HelpLink", String),
            ("ManagementGroupName", String),
            ("OperationCategory", String),
            ("OperationKey", String),
            ("OperationStatus", String),
            ("Solution", String),
            ("SourceComputerId", String),
        ],
    },
    // log records of OpenTelemetry
    StandardTable {
        name: "OTelLogs",
        solution: "LogManagement",
        columns: &[
            ("Attributes", Dynamic),
            ("Body", String),
            ("ClientBrowser", String),
            ("ClientCity", String),
            ("ClientCountryOrRegion", String),
            ("ClientIP", String),
            ("ClientModel", String),
            ("ClientOS", String),
            ("ClientStateOrProvince", String),
            ("ClientType", String),
            ("DeploymentEnvironmentName", String),
            ("DroppedAttributesCount", Int),
            ("EndUserId", String),
            ("ItemCount", Int),
            ("K8sContainerName", String),
            ("K8sNamespaceName", String),
            ("K8sPodName", String),
            ("Measurements", Dynamic),
            ("OperationName", String),
            ("ResourceAttributes", Dynamic),
            ("RoleName", String),
            ("ScopeName", String),
            ("ScopeVersion", String),
            ("SDKVersion", String),
            ("ServiceInstanceId", String),
            ("ServiceName", String),
            ("ServiceNamespace", String),
            ("ServiceVersion", String),
            ("SessionId", String),
            ("SeverityLevel", Int),
            ("SeverityNumber", Int),
            ("SeverityText", String),
            ("SpanId", String),
            ("SyntheticSource", String),
            ("TraceId", String),
            ("UserAccountId", String),
            ("UserId", String),
        ],
    },
    // metric points of OpenTelemetry; no documented table, columns follow the data model
    StandardTable {
        name: "OTelMetrics",
        solution: "LogManagement",
        columns: &[
            ("Name", String),
            ("Description", String),
            ("Unit", String),
            ("Kind", String),
            ("Temporality", String),
            ("IsMonotonic", Bool),
            ("StartTime", Datetime),
            ("Value", Real),
            ("Count", Long),
            ("Sum", Real),
            ("Min", Real),
            ("Max", Real),
            ("Histogram", Dynamic),
            ("Exemplars", Dynamic),
            ("Flags", Int),
            ("Attributes", Dynamic),
            ("ResourceAttributes", Dynamic),
            ("ScopeName", String),
            ("ScopeVersion", String),
            ("ScopeAttributes", Dynamic),
            ("ServiceName", String),
            ("ServiceNamespace", String),
            ("ServiceInstanceId", String),
            ("ServiceVersion", String),
        ],
    },
    // samples of Prometheus remote write; no documented table
    StandardTable {
        name: "PrometheusMetrics",
        solution: "LogManagement",
        columns: &[
            ("Name", String),
            ("Job", String),
            ("Instance", String),
            ("Labels", Dynamic),
            ("Val", Real),
            ("IsStale", Bool),
        ],
    },
    // changes and who made them
    StandardTable {
        name: "Audit",
        solution: "LogManagement",
        columns: &[
            ("Caller", String),
            ("CallerId", String),
            ("CallerType", String),
            ("CallerIpAddress", String),
            ("Action", String),
            // the action that roles name, and the route as the table of routes has it
            ("Operation", String),
            ("Method", String),
            ("Route", String),
            ("Status", Int),
            ("Target", String),
            ("Result", String),
            ("Reason", String),
            ("Properties", Dynamic),
            ("CorrelationId", String),
            // how often, where the same was refused again and again
            ("Count", Long),
        ],
    },
    // who was told of which alert, and what came of it
    StandardTable {
        name: "AlertDelivery",
        solution: "LogManagement",
        columns: &[
            ("DeliveryId", String),
            ("AlertId", String),
            ("AlertName", String),
            ("ActionGroup", String),
            ("Receiver", String),
            ("ReceiverType", String),
            ("Target", String),
            ("Event", String),
            ("Status", String),
            ("Attempts", Int),
            ("Error", String),
            ("NextAttempt", Datetime),
            ("DurationMs", Long),
        ],
    },
    // disk queues of agents: what waits and what was dropped
    StandardTable {
        name: "AgentQueue",
        solution: "LogManagement",
        columns: &[
            ("AgentId", String),
            ("Computer", String),
            ("Class", String),
            ("DroppedBatches", Long),
            ("DroppedRows", Long),
            ("QueueBatches", Long),
            ("QueueBytes", Long),
            ("MaximumBytes", Long),
        ],
    },
    // incidents and change requests of service desks (ITSM Connector, "Data synced from your ITSM product")
    StandardTable {
        name: "ServiceDesk_CL",
        solution: "ServiceDesk",
        columns: &[
            ("ServiceDeskConnectionName_s", String),
            ("ServiceDeskWorkItemType_s", String),
            ("ServiceDeskId_s", String),
            ("IncidentState_s", String),
            ("CRState_s", String),
            ("Urgency_s", String),
            ("Impact_s", String),
            ("Priority_s", String),
            ("Risk_s", String),
            ("Escalation_s", String),
            ("ConflictStatus_s", String),
            ("CreatedBy_s", String),
            ("ResolvedBy_s", String),
            ("ClosedBy_s", String),
            ("Source_s", String),
            ("AssignedTo_s", String),
            ("Category_s", String),
            ("Type_s", String),
            ("Title_s", String),
            ("Description_s", String),
            ("CreatedDate_t", Datetime),
            ("ClosedDate_t", Datetime),
            ("ResolvedDate_t", Datetime),
            ("LastModifiedDate_t", Datetime),
            ("RequestedDate_t", Datetime),
            ("PlannedStartDate_t", Datetime),
            ("PlannedEndDate_t", Datetime),
            ("WorkStartDate_t", Datetime),
            ("WorkEndDate_t", Datetime),
            ("Computer", String),
        ],
    },
    // every exchange with a service desk
    StandardTable {
        name: "ServiceDeskLog_CL",
        solution: "ServiceDesk",
        columns: &[
            ("LogType_s", String),
            ("ServiceDeskConnectionName_s", String),
            ("Operation_s", String),
            ("ServiceDeskWorkItemType_s", String),
            ("ServiceDeskId_s", String),
            ("CorrelationId_s", String),
            ("Part_s", String),
            ("Message_s", String),
            ("Resolution_s", String),
            ("StatusCode_d", Real),
            ("DurationMs_d", Real),
            ("Count_d", Real),
        ],
    },
    // counters of this server's own parts
    StandardTable {
        name: "ServerMetrics",
        solution: "LogManagement",
        columns: &[("Computer", String), ("Component", String), ("Name", String), ("Val", Real), ("Tags", Dynamic)],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_table_makes_a_schema_and_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for table in STANDARD_TABLES {
            let schema = table.schema().unwrap();
            assert!(names.insert(table.name), "{}", table.name);
            let columns: HashSet<_> = schema.columns.iter().map(|column| &column.name).collect();
            // the standard columns of the store, these, and the common one
            assert_eq!(columns.len(), 7 + table.columns.len() + 1, "{}", table.name);
        }
    }

    #[tokio::test]
    async fn ensuring_the_tables_again_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(watchkeeper_store::StoreOptions::new(dir.path())).await.unwrap();
        ensure_standard_tables(&store).await.unwrap();
        let before = store.schema("Heartbeat").unwrap();
        ensure_standard_tables(&store).await.unwrap();
        assert_eq!(store.schema("Heartbeat").unwrap(), before);
        assert_eq!(store.tables().len(), STANDARD_TABLES.len());
        store.close().await.unwrap();
    }
}
