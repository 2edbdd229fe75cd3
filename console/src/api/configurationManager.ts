// Connections to Configuration Manager, and the computer groups of the workspace.
import { request } from './client';
import { segment } from './management';

export const connectionsPath = '/api/configuration-manager';
export const groupsPath = '/api/computer-groups';

export interface Problem {
  part: string;
  message: string;
  advice: string;
}

/** What a connection is made of; secrets go in and never come out. */
export interface ConnectionForm {
  description: string;
  environment: string;
  tenantName: string;
  tenantId: string;
  applicationName: string;
  clientId: string;
  secretExpiry: string;
  appIdUri: string;
  authority: string;
  address: string;
  signIn: 'Windows' | 'Kerberos' | 'Token';
  userName: string;
  /** Who gives tickets of Kerberos, HOST[:PORT]; empty: the domain of the account. */
  kdc: string;
  trusted: string;
  collections: string[];
  allCollections: boolean;
  import: boolean;
  /** A row of each device that is a member. */
  inventory: boolean;
  hours: number;
  /** Groups that are written to the site as collections. */
  targets: Target[];
  withoutAgent: boolean;
}

/** A group that is written to the site as a collection with direct membership rules. */
export interface Target {
  group: string;
  collection: string;
  limiting: string;
}

/** What became of one. */
export interface Written {
  group: string;
  groupName: string;
  collection: string;
  collectionId: string;
  members: number;
  ofOthers: number;
  added: number;
  removed: number;
  unknownCount: number;
  unknown: { computer: string; reason: string }[];
  at: string | null;
  problem: Problem | null;
}

export interface ConfigurationManager extends ConnectionForm {
  id: string;
  name: string;
  subscription: string;
  resourceGroup: string;
  workspace: string;
  site: { code: string; name: string; server: string; version: string; connectionPoint: string };
  status: 'importing' | 'waiting' | 'imported' | 'failed' | 'off';
  problem: Problem | null;
  progress: { collections: number; collectionsDone: number; memberships: number } | null;
  modifiedAt: string | null;
  lastRun: string | null;
  lastSuccess: string | null;
  nextRun: string | null;
  outcome: { collections: number; memberships: number; read: number; empty: number; removed: number; renamed: number; seconds: number } | null;
  written: Written[];
  secretDaysLeft: number | null;
  computers: number;
  rowsComplete: boolean;
  collectionsQuery: string | null;
  computersQuery: string | null;
}

export interface SentForm extends ConnectionForm {
  name?: string;
  /** The saved connection whose secrets count where none are sent. */
  connection?: string;
  secret?: string;
  password?: string;
}

export interface Environment {
  name: string;
  title: string;
  authority: string;
  tenantId: string;
}

export interface Verified {
  verified: boolean;
  checks: (Partial<Problem> & { part: string; ok: boolean; message: string })[];
  site: ConfigurationManager['site'];
  subscription: string;
  resourceGroup: string;
  workspace: string;
}

export interface Collection {
  id: string;
  name: string;
  comment: string;
  members: number;
  limitedTo: string;
  chosen: boolean;
}

export interface ComputerGroup {
  id: string;
  name: string;
  source: 'SCCM' | 'ActiveDirectory' | 'Manual' | 'Query';
  sourceName: string;
  fullName: string;
  alias: string;
  /** Null where a query says it each time. */
  members: number | null;
  inManagementGroup: boolean;
  changedAt: string | null;
  query: string;
  object: string | null;
}

export const connectionPath = (id: string) => `${connectionsPath}/${segment(id)}`;
export const groupPath = (id: string) => `${groupsPath}/${segment(id)}`;

export const verifyForm = (form: SentForm) => request<Verified>(`${connectionsPath}/verify`, { method: 'POST', body: form });
export const collectionsOf = (form: SentForm) => request<Collection[]>(`${connectionsPath}/collections`, { method: 'POST', body: form });
