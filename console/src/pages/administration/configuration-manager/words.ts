// Connections and checks in words.
import type { ConfigurationManager, ConnectionForm, SentForm, Written } from '../../../api/configurationManager';

export const statusWords: Record<ConfigurationManager['status'], string> = {
  importing: 'Importing', waiting: 'Waiting', imported: 'Imported', failed: 'Failed', off: 'Off',
};

/** What each check is about. */
export const checkWords: Record<string, string> = {
  Application: 'Application', Workspace: 'Workspace', Version: 'Version of the site', Site: 'Top-tier site', ServiceConnectionPoint: 'Service connection point', Agent: 'Agent on the service connection point',
};

export const emptyForm: ConnectionForm = {
  description: '', environment: 'Watchkeeper', tenantName: '', tenantId: '', applicationName: '', clientId: '', secretExpiry: '', appIdUri: '', authority: '', address: '', signIn: 'Windows', userName: '', kdc: '', trusted: '', collections: [],
  allCollections: false, import: true, inventory: true, hours: 3, targets: [], withoutAgent: false,
};

/** A draft of the wizard: the form with its name and new secrets. */
export interface Draft extends ConnectionForm {
  name: string;
  secret: string;
  password: string;
}

export const steps = ['Azure services', 'App', 'Configuration', 'Summary'] as const;

/** The form of a saved connection, without what only the server knows. */
export function formOf(connection: ConfigurationManager): ConnectionForm {
  const { description, environment, tenantName, tenantId, applicationName, clientId, secretExpiry, appIdUri, authority, address, signIn, userName, kdc, trusted, collections, allCollections, import: imports, inventory, hours, targets, withoutAgent } = connection;
  return { description, environment, tenantName, tenantId, applicationName, clientId, secretExpiry, appIdUri, authority, address, signIn, userName, kdc, trusted, collections, allCollections, import: imports, inventory, hours, targets, withoutAgent };
}

/** What is sent: secrets only where they are new. */
export function sentOf(draft: Draft, connection?: ConfigurationManager): SentForm {
  const { secret, password, name, ...form } = draft;
  return { ...form, ...(name.trim() === '' ? {} : { name: name.trim() }), ...(connection ? { connection: connection.id } : {}), ...(secret === '' ? {} : { secret }), ...(password === '' ? {} : { password }) };
}

/** What a page of the wizard still lacks. */
export function lackOf(step: number, draft: Draft): string | undefined {
  if (step === 0) return draft.name.trim() === '' ? 'A name is missing.' : undefined;
  if (step === 1) {
    if (draft.tenantId.trim() === '' || draft.clientId.trim() === '') return 'Tenant ID and client ID are missing.';
    if (draft.secret === '') return 'The secret key is missing.';
    if (draft.address.trim() === '') return 'The address of the site is missing.';
    if (draft.signIn !== 'Token' && (draft.userName.trim() === '' || draft.password === '')) return 'The Windows account is missing.';
    return undefined;
  }
  return undefined;
}

/** An import in words. */
export function outcomeWords(outcome: NonNullable<ConfigurationManager['outcome']>): string {
  const parts = [`${outcome.collections.toLocaleString()} collections with ${outcome.memberships.toLocaleString()} memberships`, `${outcome.read.toLocaleString()} read anew`];
  if (outcome.renamed > 0) parts.push(`${outcome.renamed} renamed`);
  if (outcome.removed > 0) parts.push(`${outcome.removed} removed`);
  if (outcome.empty > 0) parts.push(`${outcome.empty} without members`);
  return parts.join(', ');
}

/** What was written of a group, in words. */
export function writtenWords(one: Written): string {
  const parts = [`${one.members.toLocaleString()} members`];
  if (one.ofOthers > 0) parts.push(`${one.ofOthers.toLocaleString()} of them by rules of others`);
  if (one.added > 0) parts.push(`${one.added.toLocaleString()} added`);
  if (one.removed > 0) parts.push(`${one.removed.toLocaleString()} removed`);
  if (one.unknownCount > 0) parts.push(`${one.unknownCount.toLocaleString()} not written`);
  return parts.join(', ');
}
