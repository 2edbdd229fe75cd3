// The management group: objects, health, maintenance, tasks, packs, overrides, agents. Alerts are in alerts.ts.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { request } from './client';

export type Health = 'Uninitialized' | 'Success' | 'Warning' | 'Error';

export type Aspect = 'availability' | 'performance' | 'configuration' | 'security';

export const aspects: Aspect[] = ['availability', 'performance', 'configuration', 'security'];

export interface ManagedObject {
  id: string;
  name: string;
  path: string;
  classes: string[];
  agentId: string;
  health: Health;
  since: string | null;
  aspects: Record<Aspect, Health>;
  outOfContact: boolean;
  maintenanceUntil: string | null;
}

export interface ObjectDetails extends ManagedObject {
  properties: Record<string, Record<string, unknown>>;
  hosts: ManagedObject[];
  /** What it contains without hosting it: members of groups, parts of applications. */
  contains: ManagedObject[];
  /** What it lives on, and what it is contained in. */
  within: ManagedObject[];
}

/** A monitor of an object with all that it is made of. */
export interface MonitorNode {
  object: string;
  objectName: string;
  id: string;
  monitor: string;
  name: string;
  kind: 'Unit' | 'Aggregate' | 'Dependency' | null;
  health: Health;
  since: string | null;
  inMaintenance: boolean;
  outOfContact: boolean;
  raisesAlert: boolean;
  members: MonitorNode[];
  more: number;
}

export interface StateChange {
  time: string;
  monitor: string;
  name: string | null;
  from: Health;
  to: Health;
  state: string;
  context: string;
}

export interface ClassItem {
  class: string;
  name: string;
  abstract: boolean;
  /** Only its own pack may name it. */
  internal: boolean;
  isGroup: boolean;
  objects: number;
}

/** A class with its properties, those of its bases among them. */
export interface ClassDetails {
  class: string;
  name: string;
  properties: { property: string; name: string; class: string; key: boolean }[];
}

export interface GroupCondition {
  property: string;
  operator: string;
  value: string;
}

/** A group as a person defines it. */
export interface GroupDefinition {
  name: string;
  description: string;
  class: string;
  join: 'all' | 'any';
  conditions: GroupCondition[];
  include: string[];
  exclude: string[];
}

export interface GroupItem extends ManagedObject {
  members: number;
  byRules: boolean;
  pack: string | null;
  /** Of groups that were defined here; others are changed with their pack. */
  definition: GroupDefinition | null;
}

export interface ElementItem {
  element: string;
  name: string;
  kind: string;
  pack: string;
  target: string | null;
  targetName: string | null;
  category: string;
  enabled: string;
  overrides: number;
  runs: 'yes' | 'partly' | 'no' | null;
  reasons: string[] | null;
}

/** A property or parameter, as it is by default or for an object. */
export interface SettingValue {
  name: string;
  kind: 'property' | 'parameter';
  module: string | null;
  default: string | null;
  value: string | null;
  override: string | null;
  scope?: 'class' | 'group' | 'object';
  scopeName?: string;
  loses: string[];
  isTie: boolean;
}

export interface ElementDetails {
  element: string;
  name: string;
  kind: string;
  pack: string;
  sealed: boolean;
  target: string | null;
  targetName: string | null;
  description: string;
  knowledge: string;
  parameters: SettingValue[];
  states: { state: string; health: Health }[] | null;
}

export interface MaintenanceWindow {
  object: string;
  objectName: string;
  startsAt: string;
  endsAt: string;
  recursive: boolean;
  reason: string;
  comments: string;
  startedBy: string;
}

export interface ObjectTask {
  task: string;
  name: string;
  description: string;
  timeoutSeconds: number | null;
  parameters: SettingValue[];
}

export interface TaskRun {
  run: string;
  task: string;
  object: string;
  objectName: string;
  status: 'Scheduled' | 'Started' | 'Succeeded' | 'Failed';
  submittedBy: string;
  submittedAt: string;
  finishedAt: string | null;
  error: string;
  output?: string;
}

export interface PackItem {
  id: string;
  name: string;
  version: string;
  sealed: boolean;
  builtIn: boolean;
  importedAt: string | null;
  importedBy: string | null;
}

/** A pack that came with the server. */
export interface ShippedPack {
  id: string;
  version: string;
  name: string | null;
  description: string | null;
  importedVersion: string | null;
}

export interface PackDetails {
  id: string;
  name: string;
  version: string;
  sealed: boolean;
  classes: number;
  references: string[];
  workflows: { kind: string; element: string; runs: 'yes' | 'partly' | 'no'; reasons: string[] }[];
  history: { version: string; change: string; at: string; by: string }[];
}

export interface PackProblem {
  file: string;
  line: number;
  column: number;
  element: string;
  severity: 'note' | 'warning' | 'error';
  message: string;
}

export interface OverrideItem {
  id: string;
  kind: string;
  element: string;
  elementName: string | null;
  context: string;
  contextName: string | null;
  object: string;
  objectName: string | null;
  module: string;
  name: string;
  value: string;
  enforced: boolean;
  changedAt: string;
  changedBy: string;
}

export interface Agent {
  id: string;
  computer: string;
  status: string;
  connected: boolean;
  osName: string;
  version: string;
  enrolledAt: string | null;
  lastSeen: string | null;
  configurationVersion: string | null;
  configurationError: string | null;
  queueBytes: number | null;
  droppedRows: number | null;
  health: Health | null;
  agentHealth: Health | null;
  object: string | null;
}

export interface ResourcePool {
  id: string;
  name: string;
  automatic: boolean;
  defaultObserver: boolean;
  members: PoolMember[];
  observers: PoolMember[];
  hasQuorum: boolean;
  /** How many objects it runs the workflows of. */
  objects: number;
}

export interface PoolMember {
  id: string;
  name: string | null;
  kind: string | null;
  alive: boolean;
  aliveUntil: string | null;
  /** Parts of the pool's work that it holds. */
  shares: number;
}

/** An object whose workflows a pool runs. */
export interface PoolObject {
  id: string;
  name: string;
  path: string;
  classes: string[];
  health: Health;
  /** Which server holds it now. */
  server: string | null;
}

/** The first part of every key, so that one action can refresh all that it may have changed. */
export const groupKey = 'group';

/** Reads one path of the management group's API and follows it. */
export function useGroup<T>(path: string | undefined, refreshSeconds = 15) {
  return useQuery({
    queryKey: [groupKey, path],
    enabled: path !== undefined,
    refetchInterval: refreshSeconds * 1000,
    queryFn: async ({ signal }): Promise<T> => (await request<T>(path ?? '', { signal })) as T,
  });
}

/** An action of an operator; everything of the group is read again after it. */
export function useAction<V, R = unknown>(action: (variables: V) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: action,
    onSettled: () => client.invalidateQueries({ queryKey: [groupKey] }),
  });
}

/** One segment of a path. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}

/** The part of `Pack!Element` after the pack. */
export function shortName(fullName: string): string {
  return fullName.split('!').at(-1) ?? fullName;
}
