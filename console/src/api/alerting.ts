// Alert rules, action groups, processing rules and deliveries.
import { request } from './client';
import { segment } from './management';

/** A resource as Azure Resource Manager writes it, with what the server adds. */
export interface Resource<P> {
  key: string;
  name: string;
  type: string;
  properties: P;
  modifiedAt: string;
  modifiedBy: string;
}

export interface Dimension {
  name: string;
  operator: 'Include' | 'Exclude';
  values: string[];
}

export interface Condition {
  query?: string;
  metricName?: string;
  metricNamespace?: string;
  timeAggregation: string;
  metricMeasureColumn?: string;
  dimensions?: Dimension[];
  operator: string;
  threshold?: number;
  criterionType?: string;
  alertSensitivity?: string;
  failingPeriods?: { numberOfEvaluationPeriods: number; minFailingPeriodsToAlert: number };
}

export interface RuleProperties {
  description?: string;
  displayName?: string;
  severity: number;
  enabled?: boolean;
  /** What it looks at: computer groups as `computerGroups/ID`. */
  scopes?: string[];
  evaluationFrequency: string;
  windowSize: string;
  autoMitigate?: boolean;
  muteActionsDuration?: string;
  criteria: { allOf: Condition[] };
  actions?: { actionGroups?: string[]; customProperties?: Record<string, string> } | { actionGroupId: string }[];
}

export interface RuleHealth {
  status: 'Healthy' | 'Failing' | 'NotYetRun';
  error: string;
  lastRun: string | null;
  lastDurationMs: number;
  evaluatedUntil: string | null;
  skippedEvaluations: number;
}

interface Evaluated {
  /** Alerts that are fired now. */
  fired: number;
  health: RuleHealth;
}

/** A rule over a table or a metric. */
export interface TableRule extends Resource<RuleProperties>, Evaluated {
  kind: 'log' | 'metric';
}

/** What an event of the activity log has to be: one field, or one of several conditions. */
export interface EventCondition {
  field?: string;
  equals?: string;
  containsAny?: string[];
  anyOf?: EventCondition[];
}

export interface ActivityProperties {
  description?: string;
  enabled?: boolean;
  scopes?: string[];
  condition: { allOf: EventCondition[] };
  actions?: { actionGroups?: { actionGroupId: string }[] };
}

/** A rule over changes, refusals and sign-ins. */
export interface ActivityRule extends Resource<ActivityProperties>, Evaluated {
  kind: 'activity';
}

export type AlertRule = TableRule | ActivityRule;

export interface Preview {
  summary: string;
  fired: number;
  evaluations: number;
  alerts: { dimensions: { name: string; value: string }[]; firedAt: string; resolvedAt: string | null; value: number | null }[];
  series: { dimensions: { name: string; value: string }[]; values: [string, number][] }[];
  moreSeries: number;
}

export interface Tested {
  receiver: string;
  type: string;
  target: string;
  status: 'Succeeded' | 'Failed';
  detail: string;
  durationMs: number;
}

export interface Delivery {
  id: string;
  alertId: string;
  alertName: string;
  actionGroup: string;
  receiver: string;
  receiverType: string;
  target: string;
  event: string;
  status: 'Waiting' | 'Delivered' | 'Dead';
  attempts: number;
  error: string;
  createdAt: string;
  nextAttempt: string | null;
}

/** The lists under `/api`. */
export const rulesPath = '/api/alert-rules';
export const groupsPath = '/api/action-groups';
export const processingPath = '/api/processing-rules';
export const deliveriesPath = '/api/alert-deliveries';

/** Makes a resource, or changes the one with this key. */
export async function saveResource(path: string, key: string | undefined, name: string, properties: unknown, kind?: string): Promise<void> {
  const body = { name, properties, ...(kind ? { kind } : {}) };
  await request(key === undefined ? path : `${path}/${segment(key)}`, { method: key === undefined ? 'POST' : 'PUT', body });
}

export async function enableResource(path: string, key: string, enabled: boolean): Promise<void> {
  await request(`${path}/${segment(key)}`, { method: 'PATCH', body: { properties: { enabled } } });
}

export async function deleteResource(path: string, key: string): Promise<void> {
  await request(`${path}/${segment(key)}`, { method: 'DELETE' });
}

export async function previewRule(name: string, kind: string, properties: unknown, range: string): Promise<Preview> {
  return (await request<Preview>(`${rulesPath}/preview`, { method: 'POST', body: { name, kind, properties, range } })) as Preview;
}

export async function testGroup(key: string): Promise<Tested[]> {
  return (await request<Tested[]>(`${groupsPath}/${segment(key)}/test`, { method: 'POST' })) ?? [];
}

export async function replayDelivery(id: string): Promise<void> {
  await request(`${deliveriesPath}/${segment(id)}/replay`, { method: 'POST' });
}

/** Replays every dead letter; gives how many. */
export async function replayDeadLetters(): Promise<number> {
  return (await request<{ replayed: number }>(`${deliveriesPath}/replay`, { method: 'POST' }))?.replayed ?? 0;
}
