// Alerts: lists, details, history, and what operators do with them.
import { request } from './client';
import { segment, type Health } from './management';

export type Severity = 'Information' | 'Warning' | 'Error';

export interface Alert {
  id: string;
  name: string;
  description: string;
  severity: Severity;
  priority: 'Low' | 'Normal' | 'High';
  resolutionState: string;
  resolutionStateCode: number;
  object: string;
  objectName: string;
  objectHealth: Health;
  computer: string;
  timeRaised: string;
  lastModified: string | null;
  repeatCount: number;
  isMonitorAlert: boolean;
  /** What made it. */
  kind: 'Monitor' | 'Rule' | 'Log' | 'Metric' | 'Activity Log';
  monitorCondition: 'Fired' | 'Resolved';
  workItems: { connection: string; kind: string; number: string; link: string; state: string }[];
  owner: string;
  ticketId: string;
}

export interface AlertDetails extends Alert {
  context: string;
  customFields: string[];
  fullName: string;
  path: string;
  lastModifiedBy: string;
  timeResolved: string | null;
  resolvedBy: string;
  workflow: string | null;
  workflowName: string | null;
  knowledge: string;
  /** Of an alert that a rule over tables made. */
  rule?: {
    name: string;
    dimensions: { name: string; value: string }[];
    query: string;
    windowStart: string;
    windowEnd: string;
    operator: string;
    threshold: number | null;
    value: number | null;
    resolvedAt: string | null;
  };
}

export interface AlertHistoryEntry {
  time: string;
  by: string;
  comment: string;
  resolutionState: string;
  owner: string;
  severity: Severity;
}

export interface ResolutionState {
  code: number;
  name: string;
  builtIn: boolean;
}

export interface AlertEdit {
  resolutionState?: string;
  owner?: string;
  ticketId?: string;
  customFields?: Record<string, string>;
  comment?: string;
  resetMonitor?: boolean;
}

/** The code of the resolution state that ends an alert. */
export const closed = 255;

export interface EditOutcome {
  done: number;
  /** Alerts that the server refused to change, with its words. */
  refused: { alert: Alert; error: unknown }[];
}

/** Changes alerts one after the other; a refusal of one does not keep the others from being changed. */
export async function editAlerts(alerts: Alert[], edit: AlertEdit): Promise<EditOutcome> {
  const outcome: EditOutcome = { done: 0, refused: [] };
  for (const alert of alerts) {
    try {
      await request(`/api/alerts/${segment(alert.id)}`, { method: 'PATCH', body: edit });
      outcome.done += 1;
    } catch (error) {
      outcome.refused.push({ alert, error });
    }
  }
  return outcome;
}
