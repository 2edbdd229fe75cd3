// Connections between workspaces and this management group, and the distributed applications that they keep in step.
import { request } from './client';
import { segment, type Health } from './management';

export const connectionsPath = '/api/service-map-connections';

export interface MachineGroupChoice {
  id: string;
  displayName: string;
}

export interface SyncRun {
  began: string;
  ended: string | null;
  outcome: 'succeeded' | 'failed' | 'running';
  /** What is wrong and what to do, in a sentence. */
  error: string | null;
  servers: number;
  machineGroups: number;
  processes: number;
  /** Another one was asked for and has not begun. */
  waiting?: boolean;
}

/** A machine of the map that no diagram can hold yet. */
export interface MissingMachine {
  machine: string;
  lacks: string[];
  /** What to do, in a sentence. */
  what: string;
}

export interface WorkspaceConnection {
  id: string;
  name: string;
  cloud: string;
  /** The name of the cloud that it leads to; null where it is no known one. */
  environment: string | null;
  authority: string;
  endpoint: string;
  /** PEM: authorities of the other server's certificate. */
  trustedCertificates?: string;
  tenant: string;
  applicationId: string;
  secretSet: boolean;
  secretExpires: string | null;
  subscription: string;
  resourceGroup: string;
  workspace: string;
  machineGroups: MachineGroupChoice[];
  servers: string[];
  resourcePool: string;
  object: string;
  health: Health;
  rule: { enabled: boolean; intervalMinutes: number; timeoutSeconds: number; timeWindowMinutes: number };
  lastSync: SyncRun | null;
  missing: MissingMachine[];
}

/** What a connection is made of or changed to. The secret comes in and never goes out. */
export interface ConnectionBody extends Pick<WorkspaceConnection, 'name' | 'tenant' | 'applicationId' | 'subscription' | 'resourceGroup' | 'workspace' | 'machineGroups' | 'servers' | 'resourcePool'> {
  authority?: string;
  endpoint?: string;
  trustedCertificates?: string;
  secret?: string;
  /** Empty: not known. */
  secretExpires: string;
}

/** What is asked of the other side; with the identity of a connection its stored secret is used. */
export interface Discover extends Partial<Pick<ConnectionBody, 'authority' | 'endpoint' | 'trustedCertificates' | 'secret' | 'subscription' | 'resourceGroup' | 'workspace'>> {
  connection?: string;
  tenant: string;
  applicationId: string;
}

export interface FoundSubscription {
  subscriptionId: string;
  displayName: string;
  resourceGroups: { name: string; workspaces: { name: string; customerId: string }[] }[];
}

export interface FoundMachine {
  name: string;
  /** What the management group calls it; null where it has no such computer. */
  computer: string | null;
  /** The management group watches it: a diagram can be drawn. */
  monitored: boolean;
}

/** Groups and machines come only when a workspace was asked for. */
export interface Found {
  subscriptions: FoundSubscription[];
  machineGroups?: MachineGroupChoice[];
  machines?: FoundMachine[];
}

export interface SyncedServer {
  object: string;
  name: string;
  connection: string;
  health: Health;
  lastSync: string | null;
}

export interface DependencyView {
  object: string;
  name: string;
  connection: string;
  health: Health;
  members: number;
}

export interface Views {
  servers: SyncedServer[];
  machineGroupViews: DependencyView[];
  serverViews: DependencyView[];
}

export interface ViewMember {
  object: string;
  name: string;
  class: string;
  health: Health;
  /** Who put it there: the map, or a person. */
  from: 'map' | 'person';
  /** What it is drawn in; empty, or the view itself, where it stands alone. */
  parents: string[];
}

export interface ViewEdge {
  source: string;
  target: string;
  ports: number[];
  /** Some of the connections failed. */
  failed?: boolean;
}

export interface ViewDetails {
  object: string;
  name: string;
  health: Health;
  members: ViewMember[];
  edges: ViewEdge[];
  /** What the map has and people took out. */
  removed?: { object: string; name: string; class: string }[];
}

export async function discover(asked: Discover): Promise<Found> {
  return (await request<Found>(`${connectionsPath}/discover`, { method: 'POST', body: asked })) ?? { subscriptions: [] };
}

export function saveConnection(id: string | undefined, body: ConnectionBody): Promise<WorkspaceConnection | undefined> {
  return request(id === undefined ? connectionsPath : connectionPath(id), { method: id === undefined ? 'POST' : 'PATCH', body });
}

export function connectionPath(id: string): string {
  return `${connectionsPath}/${segment(id)}`;
}

export function viewPath(object: string): string {
  return `${connectionsPath}/views/${segment(object)}`;
}
