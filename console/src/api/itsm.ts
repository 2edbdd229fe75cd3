// Connections to service desks: the form, how each is, what its product offers, Sync.
import { request } from './client';
import { segment } from './management';

export type WorkItemType = 'Incident' | 'ChangeRequest';

/** Which part of a connection is wrong, as a connection's problem names it. */
export type ProblemPart =
  | 'settings' | 'url' | 'network' | 'certificate' | 'user' | 'password' | 'userOrPassword' | 'clientId' | 'clientSecret' | 'clientIdOrSecret'
  | 'role' | 'product' | 'rateLimit' | 'workItem';

export interface ConnectionProblem {
  part: ProblemPart;
  /** What failed, with the values that show it. */
  message: string;
  /** What to do. */
  advice: string;
  /** Of HTTP, where there was one. */
  status: number | null;
}

/** How far the work items of a type were read. */
export interface WorkItemImport {
  type: WorkItemType;
  /** Everything of the asked days was read once. */
  complete: boolean;
  /** Of the first reading; 0 where the product does not say. */
  total: number;
  done: number;
  upTo: string | null;
}

export interface ItsmConnection {
  id: string;
  name: string;
  partner: string;
  partnerTitle: string;
  url: string;
  userName: string;
  clientId: string;
  workItems: WorkItemType[];
  /** 1 to 120. */
  days: number;
  createConfigurationItems: boolean;
  /** Certificates in PEM. */
  authority: string;
  /** Where the product keeps a type of work item, if not in its usual place. */
  places: Partial<Record<WorkItemType, string>>;
  tokenUrl: string;
  /** The day on which password or client secret end; empty: not known. */
  secretExpiry: string;
  /** What an alert can become there: Incident, Event, Alert. */
  actions: string[];
  modifiedAt: string | null;
  status: 'synchronizing' | 'waiting' | 'connected' | 'failed';
  problem: ConnectionProblem | null;
  lastSync: string | null;
  lastSuccess: string | null;
  nextSync: string | null;
  configurationAt: string | null;
  imports: WorkItemImport[];
  /** The query of the tile *Connector status* for this connection. */
  logQuery: string;
}

/** What is sent to make or change a connection; secrets that are left out stay as they are. */
export interface ConnectionBody {
  name: string;
  partner?: string;
  url: string;
  userName: string;
  password?: string;
  clientId: string;
  clientSecret?: string;
  workItems: WorkItemType[];
  days: number;
  createConfigurationItems: boolean;
  authority: string;
  places: Partial<Record<WorkItemType, string>>;
  tokenUrl: string;
  secretExpiry: string;
}

/** What a product offers for work items. */
export interface ProductConfiguration {
  templates: { name: string; table: string; fields: Record<string, string> }[];
  fields: { name: string; label: string; table: string; choices: { value: string; label: string }[] }[];
  users: { id: string; name: string }[];
  groups: { id: string; name: string }[];
}

export const itsmPath = '/api/itsm-connections';

/** The path of one connection. */
export function itsmConnectionPath(id: string): string {
  return `${itsmPath}/${segment(id)}`;
}

/** Makes a connection, or changes the one with this id; the server tests it first and gives what it warns of. */
export async function saveItsmConnection(id: string | undefined, body: ConnectionBody): Promise<ItsmConnection & { warnings?: string[] }> {
  const answer = await request<ItsmConnection & { warnings?: string[] }>(id === undefined ? itsmPath : itsmConnectionPath(id), { method: id === undefined ? 'POST' : 'PATCH', body });
  return answer as ItsmConnection & { warnings?: string[] };
}

/** Tests a connection as it is stored. */
export async function testItsmConnection(id: string): Promise<{ product: string; warnings: string[] }> {
  return (await request<{ product: string; warnings: string[] }>(`${itsmConnectionPath(id)}/test`, { method: 'POST' })) ?? { product: '', warnings: [] };
}

/** Has configuration and work items read at once. */
export async function syncItsmConnection(id: string): Promise<void> {
  await request(`${itsmConnectionPath(id)}/sync`, { method: 'POST' });
}

export async function deleteItsmConnection(id: string): Promise<void> {
  await request(itsmConnectionPath(id), { method: 'DELETE' });
}
