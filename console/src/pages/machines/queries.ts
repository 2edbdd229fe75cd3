// The queries behind the machine pages. What they read is what agents send; anyone can run them on the Logs page.

/** KQL string literal of a value. */
export function literal(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** A machine is healthy while its last heartbeat is younger than this. */
export const heartbeatLimitMinutes = 3;

export const machinesQuery = `Heartbeat
| summarize arg_max(TimeGenerated, *) by Computer
| project Computer, TimeGenerated, OSType, OSName, Version, ComputerIP
| order by Computer asc`;

const measures = `union isfuzzy=true
    (Perf
    | where (ObjectName == "Processor" and CounterName == "% Processor Time" and InstanceName == "_Total")
        or (ObjectName == "Memory" and CounterName in ("% Used Memory", "% Committed Bytes In Use"))
    | project TimeGenerated, Computer, Measure = iff(ObjectName == "Processor", "cpu", "memory"), Value = CounterValue),
    (InsightsMetrics
    | where Namespace == "Processor" and Name == "UtilizationPercentage"
    | project TimeGenerated, Computer, Measure = "cpu", Value = Val),
    (InsightsMetrics
    | where Namespace == "Memory" and Name == "AvailableMB"
    | extend Size = todouble(parse_json(Tags)["vm.azm.ms/memorySizeMB"])
    | where Size > 0
    | project TimeGenerated, Computer, Measure = "memory", Value = 100.0 * (Size - Val) / Size)`;

export const sparklinesQuery = `${measures}
| summarize Value = avg(Value) by Computer, Measure, bin(TimeGenerated, 5m)
| order by TimeGenerated asc`;

/** Charts of one machine: title, unit, query. */
export const machineCharts: readonly { title: string; query: (computer: string) => string }[] = [
  { title: 'Processor time, %', query: (computer) => perf(computer, 'ObjectName == "Processor" and CounterName == "% Processor Time" and InstanceName == "_Total"') },
  { title: 'Used memory, %', query: (computer) => perf(computer, 'ObjectName == "Memory" and CounterName in ("% Used Memory", "% Committed Bytes In Use")') },
  { title: 'Used space by file system, %', query: (computer) => perf(computer, 'ObjectName in ("Logical Disk", "LogicalDisk") and CounterName in ("% Used Space", "% Free Space") and InstanceName != "_Total"', 'InstanceName', 'iff(CounterName == "% Free Space", 100.0 - CounterValue, CounterValue)') },
  { title: 'Network, bytes a second', query: (computer) => metric(computer, 'Namespace == "Network" and Name in ("ReadBytesPerSecond", "WriteBytesPerSecond")', 'Name = iff(Name startswith "Read", "received", "sent")') },
  { title: 'Disks, bytes a second', query: (computer) => metric(computer, 'Namespace == "LogicalDisk" and Name in ("ReadBytesPerSecond", "WriteBytesPerSecond")', 'Name = iff(Name startswith "Read", "read", "written")') },
];

function perf(computer: string, where: string, by = '', value = 'CounterValue'): string {
  return `Perf
| where Computer == ${literal(computer)}
| where ${where}
| summarize Value = avg(${value}) by bin(TimeGenerated, 1m)${by ? `, ${by}` : ''}
| order by TimeGenerated asc`;
}

/** A metric by name: summed over its devices at each time that it was taken, then averaged over the minute. */
function metric(computer: string, where: string, name: string): string {
  return `InsightsMetrics
| where Computer == ${literal(computer)}
| where ${where}
| summarize Value = sum(Val) by TimeGenerated, ${name}
| summarize Value = avg(Value) by bin(TimeGenerated, 1m), Name
| order by TimeGenerated asc`;
}

export interface MachineTable {
  value: string;
  label: string;
  query: (computer: string) => string;
  empty: string;
}

export const machineTables: readonly MachineTable[] = [
  {
    value: 'logs',
    label: 'Logs',
    query: (computer) => `Syslog
| where Computer == ${literal(computer)}
| project TimeGenerated, SeverityLevel, Facility, ProcessName, SyslogMessage
| order by TimeGenerated desc
| take 1000`,
    empty: 'No syslog record of this machine in this time range. Check that its agent collects syslog, or choose a longer range.',
  },
  {
    value: 'processes',
    label: 'Processes',
    query: (computer) => `VMProcess
| where Computer == ${literal(computer)}
| summarize arg_max(TimeGenerated, *) by ExecutableName, CommandLine
| project ExecutableName, DisplayName, UserName, FirstPid, StartTime, CommandLine, TimeGenerated
| order by ExecutableName asc`,
    empty: 'No process of this machine is known in this time range. Processes are reported by the agent once an hour and when they change.',
  },
  {
    value: 'ports',
    label: 'Ports',
    query: (computer) => `VMBoundPort
| where Computer == ${literal(computer)}
| summarize arg_max(TimeGenerated, *) by Ip, Port, Protocol
| project Port, Protocol, Ip, ProcessName, LinksLive, BytesReceived, BytesSent, TimeGenerated
| order by Port asc`,
    empty: 'No bound port of this machine is known in this time range.',
  },
];
