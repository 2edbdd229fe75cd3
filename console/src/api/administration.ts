// Administration of the management group: Run As accounts and profiles, gateways, enrolment tokens.

export const accountKinds = ['ActionAccount', 'Basic', 'SnmpCommunity', 'SnmpV3', 'Certificate'] as const;
export type AccountKind = (typeof accountKinds)[number];

export const accountKindWords: Record<AccountKind, string> = {
  ActionAccount: 'Action account: programs run as this user',
  Basic: 'Basic: user name and password',
  SnmpCommunity: 'SNMP community string',
  SnmpV3: 'SNMP version 3',
  Certificate: 'Certificate with its key',
};

/** Kinds that mean nothing without a user name. */
export const needsUserName: readonly AccountKind[] = ['ActionAccount', 'Basic', 'SnmpV3'];

export type Distribution = 'listed-agents' | 'all-agents';

/** The secret comes in and never goes out. */
export interface RunAsAccount {
  id: string;
  name: string;
  kind: AccountKind;
  userName: string;
  distribution: Distribution;
  agents: string[];
  agentIds: string[];
  profiles: string[];
  modifiedAt: string | null;
}

export interface RunAsProfile {
  /** `Pack!Profile` */
  profile: string;
  name: string;
  pack: string;
  associations: number;
}

export interface RunAsAssociation {
  profile: string;
  /** Words: all objects, the full name of a class, the name of an object. */
  scope: string;
  /** Empty for all objects; the identity of a class or of an object. */
  scopeId: string;
  account: string | null;
  accountId: string;
}

export interface Gateway {
  id: string;
  name: string;
  names: string[];
  status: 'approved' | 'pending';
  agents: number;
  behind: string[];
  through: string | null;
  enrolledAt: string | null;
  lastSeen: string | null;
  /** As it said last; null before its first word. */
  queue: GatewayQueue | null;
}

/** What waits on the disk of a gateway for the server. */
export interface GatewayQueue {
  batches: number;
  /** Rows and items in them. */
  rows: number;
  bytes: number;
  /** Past which agents keep their batches. */
  limitBytes: number;
  /** How long the oldest had been there; null when nothing waits. */
  oldestSeconds: number | null;
  /** Agents that were connected. */
  connected: number;
  reportedAt: string | null;
}

export interface EnrolmentToken {
  id: string;
  description: string;
  createdAt: string | null;
  expiresAt: string | null;
  usesLeft: number | null;
}

/** The one answer that shows the token. */
export interface NewEnrolmentToken {
  id: string;
  token: string;
  agentEndpoints: string[];
  caFingerprint: string;
}

/** An environment that connections can lead to. */
export interface Cloud {
  name: string;
  title: string;
  isOwn: boolean;
  resourceManager: string;
}

/** A secret or certificate with an end. */
export interface Expiring {
  item: string;
  kind: string;
  name: string;
  expires: string;
  daysLeft: number;
  /** Empty: nobody is warned yet. */
  severity: '' | 'Informational' | 'Warning' | 'Critical';
  renewsItself: boolean;
  advice: string;
}

/** Something that is encrypted in the store; its value is never shown. */
export interface SealedSecret {
  kind: string;
  name: string;
  expires: string | null;
  key: string;
  id: string;
}

/** A key that secrets are encrypted with. */
export interface SealingKey {
  place: 'current' | 'next' | 'past';
  key: string;
  since: string;
}
