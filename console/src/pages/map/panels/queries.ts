// The queries behind the map's panels. What they read is what agents send; anyone can run them on the Logs page.
import { literal } from '../../machines/queries';

/** Rows of a machine, whichever of its names a table knows it by. */
function ofComputer(names: readonly string[]): string {
  return `Computer in~ (${names.map(literal).join(', ')})`;
}

/** Connections over time, those that failed apart. */
export function timelineQuery(binMinutes: number): string {
  return `VMConnection
| summarize Links = sum(LinksEstablished + LinksFailed), Failed = sum(LinksFailed) by bin(TimeGenerated, ${binMinutes}m)
| order by TimeGenerated asc`;
}

/** What a machine wrote, by table. */
export function eventCountsQuery(names: readonly string[]): string {
  return `union withsource = TableName isfuzzy = true Event, Syslog, SecurityEvent, ConfigurationChange, Alert
| where ${ofComputer(names)}
| summarize Count = count(), Last = max(TimeGenerated) by TableName
| order by Count desc`;
}

/** The latest warnings and errors of a machine. */
export function eventsQuery(names: readonly string[]): string {
  return `union isfuzzy = true
    (Syslog
    | where ${ofComputer(names)}
    | where SeverityLevel in ("emerg", "alert", "crit", "err", "error", "warning", "warn")
    | project TimeGenerated, Severity = SeverityLevel, Source = ProcessName, Message = SyslogMessage),
    (Event
    | where ${ofComputer(names)}
    | where EventLevelName in ("Error", "Warning", "Critical")
    | project TimeGenerated, Severity = EventLevelName, Source, Message = RenderedDescription)
| top 100 by TimeGenerated desc`;
}

/** Everything that a table has of a machine. */
export function tableOfMachineQuery(table: string, names: readonly string[]): string {
  return `${table}
| where ${ofComputer(names)}
| order by TimeGenerated desc
| take 1000`;
}

/** The rows that an edge is made of: processes and ports at one end or the other. */
export interface EdgeRows {
  /** By their names in the tables, which are unique within a machine. */
  processes: readonly { machine: string; process: string }[];
  ports: readonly number[];
  /** Which end's rows: those of who calls, or of who is called. */
  direction: 'outbound' | 'inbound';
}

function edgeRows({ processes, ports, direction }: EdgeRows): string {
  const ofProcess = processes.map(({ machine, process }) => `Machine == ${literal(machine)} and Process == ${literal(process)}`);
  return `VMConnection
| where ${ofProcess.length === 1 ? (ofProcess[0] ?? 'false') : ofProcess.map((one) => `(${one})`).join(' or ')}
| where DestinationPort in (${ports.join(', ')}) and Direction in (${literal(direction)}, "local")`;
}

/** Traffic of an edge over time. */
export function edgeTrafficQuery(rows: EdgeRows, binMinutes: number): string {
  return `${edgeRows(rows)}
| summarize Sent = sum(BytesSent), Received = sum(BytesReceived) by bin(TimeGenerated, ${binMinutes}m)
| order by TimeGenerated asc`;
}

/** Connections of an edge over time. */
export function edgeLinksQuery(rows: EdgeRows, binMinutes: number): string {
  return `${edgeRows(rows)}
| summarize Established = sum(LinksEstablished), Failed = sum(LinksFailed) by bin(TimeGenerated, ${binMinutes}m)
| order by TimeGenerated asc`;
}

/** Response times of an edge over time: the mean over responses, not over minutes. */
export function edgeResponseQuery(rows: EdgeRows, binMinutes: number): string {
  return `${edgeRows(rows)}
| summarize Time = sum(ResponseTimeSum), Responses = sum(Responses) by bin(TimeGenerated, ${binMinutes}m)
| where Responses > 0
| project TimeGenerated, ['Response time, ms'] = todouble(Time) / Responses
| order by TimeGenerated asc`;
}

/** A bar or point of a chart stands for so long: about sixty of them in a window. */
export function binOf(minutes: number): number {
  return Math.max(1, Math.round(minutes / 60));
}
