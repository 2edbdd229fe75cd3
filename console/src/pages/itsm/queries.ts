// The queries behind the pages of service desks, over ServiceDesk_CL and ServiceDeskLog_CL; anyone can run them on the
// Logs page. A row is a version of a work item: the last one says how it is.
import { timespanMilliseconds } from '../logs/timespan';
import { literal } from '../machines/queries';

/** States in which nothing more is done, as the products name them: the server's `OVER_STATES`. */
const overStates = ['Resolved', 'Closed', 'Closed Complete', 'Closed Incomplete', 'Completed', 'Complete', 'Canceled', 'Cancelled', 'Rejected', 'Failed', 'Skipped'];

/** The last version of every work item that the product still has, with its state whatever its type. */
export const workItems = `ServiceDesk_CL
| summarize arg_max(TimeGenerated, *) by ServiceDeskConnectionName_s, ServiceDeskWorkItemType_s, ServiceDeskId_s
| extend State = iff(ServiceDeskWorkItemType_s == "ChangeRequest", CRState_s, IncidentState_s)
| where State !~ "Deleted"
| extend IsOpen = State !in~ (${overStates.map(literal).join(', ')}) and isnull(ClosedDate_t)`;

const shownColumns = 'Changed = LastModifiedDate_t, Id = ServiceDeskId_s, Type = ServiceDeskWorkItemType_s, Title = Title_s, State, Priority = Priority_s, AssignedTo = AssignedTo_s, Computer, Connection = ServiceDeskConnectionName_s';

/** One condition of a list: a column and its value, or what is open. */
export interface Condition {
  type?: string;
  state?: string;
  priority?: string;
  computer?: string;
  open?: boolean;
}

function conditions({ type, state, priority, computer, open }: Condition): string {
  const own = [
    ...(type === undefined ? [] : [`ServiceDeskWorkItemType_s == ${literal(type)}`]),
    ...(state === undefined ? [] : [`State == ${literal(state)}`]),
    ...(priority === undefined ? [] : [`Priority_s == ${literal(priority)}`]),
    ...(computer === undefined ? [] : [`Computer == ${literal(computer)}`]),
    ...(open ? ['IsOpen'] : []),
  ];
  return own.length === 0 ? '' : `\n| where ${own.join(' and ')}`;
}

/** The work items that a number or a bar counts. */
export function listQuery(condition: Condition = {}): string {
  return `${workItems}${conditions(condition)}
| project ${shownColumns}
| sort by Changed desc`;
}

/** Counts by type, state and priority: what the numbers and bars of the dashboard are made of. */
export const countsQuery = `${workItems}
| summarize Count = count() by Type = ServiceDeskWorkItemType_s, State, Priority = Priority_s, IsOpen`;

/** Work items of configuration items: those with the most. */
export const computersQuery = `${workItems}
| where isnotempty(Computer)
| summarize Count = count(), Open = countif(IsOpen) by Computer
| top 500 by Count desc`;

const day = 86_400_000;

/** From when to when a time range goes, in KQL. */
export function bounds(timespan: string): { from: string; to: string } {
  const [from, to] = timespan.split('/');
  if (from !== undefined && to !== undefined) return { from: `datetime(${from})`, to: `datetime(${to})` };
  return { from: `ago(${(timespanMilliseconds(timespan) ?? 30 * day) / 60_000}m)`, to: 'now()' };
}

/** How long a step of the time chart is: hours in a range of two days, days in longer ones. */
export function stepOf(timespan: string): { kql: string; milliseconds: number } {
  const [from, to] = timespan.split('/');
  const length = timespanMilliseconds(timespan) ?? (from && to ? Date.parse(to) - Date.parse(from) : 0);
  return length <= 2 * day ? { kql: '1h', milliseconds: day / 24 } : { kql: '1d', milliseconds: day };
}

/** Work items that came and went over time, by the day, or by the hour in a short range. */
export function timesQuery(timespan: string, step: string): string {
  const { from, to } = bounds(timespan);
  return `let Items = ${workItems};
union
    (Items | project At = CreatedDate_t, What = "Opened"),
    (Items | project At = coalesce(ResolvedDate_t, ClosedDate_t), What = "Resolved or closed")
| make-series Count = count() default = 0 on At from bin(${from}, ${step}) to ${to} step ${step} by What
| mv-expand At to typeof(datetime), Count to typeof(long)
| project At, What, Count
| sort by What asc, At asc`;
}

/** The work items that came or went between two times, in KQL. */
export function cameOrWentQuery({ from, to }: { from: string; to: string }): string {
  return `${workItems}
| extend Opened = CreatedDate_t, Done = coalesce(ResolvedDate_t, ClosedDate_t)
| where (Opened >= ${from} and Opened < ${to}) or (Done >= ${from} and Done < ${to})
| project Opened, Done, ${shownColumns}
| sort by Opened desc`;
}

/** How the exchanges of each connection went, and what failed last. */
export const connectorQuery = `ServiceDeskLog_CL
| summarize Success = countif(LogType_s == "Success"), Errors = countif(LogType_s == "Error"), Last = max(TimeGenerated) by Connection = ServiceDeskConnectionName_s
| order by Connection asc`;

/** The query behind the tile *Connector status*; with a connection its own, with `errors` those alone. */
export function connectorLogQuery(connection?: string, errors = false): string {
  const own = [...(connection === undefined ? [] : [`ServiceDeskConnectionName_s == ${literal(connection)}`]), ...(errors ? ['LogType_s == "Error"'] : [])];
  return `ServiceDeskLog_CL${own.length > 0 ? `\n| where ${own.join(' and ')}` : ''}
| sort by TimeGenerated desc`;
}

/** So far back open work items of machines are looked for: as far as a connection imports them. */
export const openSpan = 'P120D';

/** Rows about a computer by any of its names; one without a domain is the same in any. */
function ofNames(names: readonly string[]): string {
  const whole = `Computer in~ (${names.map(literal).join(', ')})`;
  return names.some((name) => name.includes('.')) ? whole : `(${[whole, ...names.map((name) => `Computer startswith ${literal(`${name}.`)}`)].join(' or ')})`;
}

/** Open work items of these connections that are about one computer, by its names. */
export function openItemsQuery(connections: readonly string[], names: readonly string[]): string {
  return `${workItems}
| where IsOpen and ${ofNames(names)} and ServiceDeskConnectionName_s in (${connections.map(literal).join(', ')})
| project ${shownColumns}
| sort by Priority asc, Changed desc
| take 5000`;
}
