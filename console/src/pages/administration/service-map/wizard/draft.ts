// What a person enters in the wizard: its parts, which of them is on which page, and what is sent.
import { ApiError } from '../../../../api/client';
import type { ConnectionBody, Discover, FoundSubscription, MachineGroupChoice, WorkspaceConnection } from '../../../../api/serviceMap';

/** Whose the workspace is: this server's or Azure's, which need no address, or another server's. */
export type Where = 'here' | 'elsewhere' | 'azure';

export interface Draft {
  where: Where;
  /** The name of Azure's environment, where the workspace is there. */
  environment: string;
  endpoint: string;
  authority: string;
  /** PEM: authorities that the other server's certificate may be of, besides those of the system. */
  trustedCertificates: string;
  tenant: string;
  applicationId: string;
  secret: string;
  /** A day, or empty. */
  secretExpires: string;
  subscription: string;
  resourceGroup: string;
  workspace: string;
  machineGroups: MachineGroupChoice[];
  servers: string[];
  name: string;
  resourcePool: string;
}

export const allManagementServers = 'All Management Servers Resource Pool';

export type StepId = 'connection' | 'subscription' | 'groups' | 'servers' | 'pool';

export interface Step {
  id: StepId;
  title: string;
}

export const steps: readonly Step[] = [
  { id: 'connection', title: 'Connection Configuration' },
  { id: 'subscription', title: 'Subscription Selection' },
  { id: 'groups', title: 'Machine Group Selection' },
  { id: 'servers', title: 'Server Selection' },
  { id: 'pool', title: 'Resource Pool' },
];

const pageOf: Readonly<Record<string, StepId>> = {
  cloud: 'connection', authority: 'connection', endpoint: 'connection', trustedCertificates: 'connection', tenant: 'connection', applicationId: 'connection', secret: 'connection', secretExpires: 'connection',
  subscription: 'subscription', resourceGroup: 'subscription', workspace: 'subscription',
  machineGroups: 'groups', servers: 'servers', resourcePool: 'pool', name: 'pool',
};

/** Fields of a workspace on another server alone. */
const elsewhere = ['endpoint', 'authority', 'trustedCertificates'];

/** A field that the server called wrong, with what it says of it. */
export interface FieldError {
  field: string;
  step: StepId;
  message: string;
}

/** The field that a refusal is about, where it names one that the wizard has. */
export function fieldErrorOf(error: unknown, where: Where): FieldError | undefined {
  if (!(error instanceof ApiError) || error.target === undefined) return undefined;
  const field = error.target === 'cloud' ? 'endpoint' : error.target;
  // The other two have no address that a person could correct.
  if (where !== 'elsewhere' && elsewhere.includes(field)) return undefined;
  const step = pageOf[field];
  return step && { field, step, message: error.message };
}

export function emptyDraft(): Draft {
  return {
    where: 'here', environment: publicCloud, endpoint: '', authority: '', trustedCertificates: '', tenant: '', applicationId: '', secret: '', secretExpires: '', subscription: '', resourceGroup: '', workspace: '',
    machineGroups: [], servers: [], name: '', resourcePool: allManagementServers,
  };
}

const publicCloud = 'AzurePublicCloud';

export function whereOf(connection: Pick<WorkspaceConnection, 'cloud' | 'environment'>): Where {
  if (connection.cloud === 'own') return 'here';
  return connection.environment ? 'azure' : 'elsewhere';
}

export function draftOf(connection: WorkspaceConnection): Draft {
  const where = whereOf(connection);
  return {
    where, environment: where === 'azure' ? connection.environment ?? publicCloud : publicCloud, endpoint: where === 'elsewhere' ? connection.endpoint : '', authority: where !== 'elsewhere' || connection.authority === connection.endpoint ? '' : connection.authority,
    trustedCertificates: where === 'elsewhere' ? connection.trustedCertificates ?? '' : '',
    tenant: connection.tenant, applicationId: connection.applicationId, secret: '', secretExpires: connection.secretExpires?.slice(0, 10) ?? '',
    subscription: connection.subscription, resourceGroup: connection.resourceGroup, workspace: connection.workspace,
    machineGroups: connection.machineGroups, servers: connection.servers, name: connection.name, resourcePool: connection.resourcePool,
  };
}

/** What is missing on a page before the next one can be shown; undefined where nothing is. */
export function lackOf(step: StepId, draft: Draft, hasStoredSecret: boolean): string | undefined {
  switch (step) {
    case 'connection':
      if (draft.where === 'elsewhere' && draft.endpoint.trim() === '') return 'Enter the address of the server.';
      if (draft.tenant.trim() === '') return 'Enter the tenant.';
      if (draft.applicationId.trim() === '') return 'Enter the application ID.';
      return draft.secret === '' && !hasStoredSecret ? 'Enter the client secret.' : undefined;
    case 'subscription':
      return draft.subscription === '' || draft.resourceGroup === '' || draft.workspace === '' ? 'Choose a workspace.' : undefined;
    case 'groups':
      return undefined;
    case 'servers':
      return undefined;
    case 'pool':
      if (draft.name.trim() === '') return 'Enter a name.';
      return draft.resourcePool === '' ? 'Choose a resource pool.' : undefined;
  }
}

/** Where requests go. */
function place(draft: Draft): Pick<ConnectionBody, 'authority' | 'endpoint' | 'trustedCertificates'> {
  if (draft.where === 'here') return { authority: 'own' };
  if (draft.where === 'azure') return { authority: draft.environment, trustedCertificates: '' };
  const endpoint = addressOf(draft.endpoint);
  return { endpoint, authority: draft.authority.trim() === '' ? endpoint : addressOf(draft.authority), trustedCertificates: draft.trustedCertificates.trim() };
}

/** An address as people write it: without a scheme it is HTTPS, and nothing stands after the last name. */
export function addressOf(text: string): string {
  const address = text.trim().replace(/\/+$/, '');
  return address === '' || address.includes('://') ? address : `https://${address}`;
}

/** Whether the stored secret may be used: it goes where it was meant for, and nowhere else. */
export function usesStored(draft: Draft, connection: WorkspaceConnection | undefined): boolean {
  if (connection?.secretSet !== true || draft.secret !== '') return false;
  const [now, was] = [place(draft), place(draftOf(connection))];
  return now.authority === was.authority && now.endpoint === was.endpoint && now.trustedCertificates === was.trustedCertificates;
}

/** What the other side is asked: with a workspace for its groups and machines. */
export function discoverOf(draft: Draft, connection: WorkspaceConnection | undefined, withWorkspace: boolean): Discover {
  return {
    ...(connection && usesStored(draft, connection) ? { connection: connection.id } : { ...place(draft), secret: draft.secret }),
    tenant: draft.tenant.trim(), applicationId: draft.applicationId.trim(),
    ...(withWorkspace ? { subscription: draft.subscription, resourceGroup: draft.resourceGroup, workspace: draft.workspace } : {}),
  };
}

export function bodyOf(draft: Draft, connection: WorkspaceConnection | undefined): ConnectionBody {
  return {
    name: draft.name.trim(), ...(usesStored(draft, connection) ? {} : place(draft)), tenant: draft.tenant.trim(), applicationId: draft.applicationId.trim(),
    ...(draft.secret === '' ? {} : { secret: draft.secret }),
    secretExpires: draft.secretExpires === '' ? '' : `${draft.secretExpires}T00:00:00Z`,
    subscription: draft.subscription, resourceGroup: draft.resourceGroup, workspace: draft.workspace,
    machineGroups: draft.machineGroups, servers: draft.servers, resourcePool: draft.resourcePool,
  };
}

/** Where there is but one to choose, it is chosen; a choice that is not there any more is taken back. */
export function settled(draft: Draft, subscriptions: readonly FoundSubscription[]): Draft {
  const one = <T>(list: readonly T[], name: (item: T) => string, now: string) => {
    if (list.some((item) => name(item) === now)) return now;
    const [only] = list;
    return only !== undefined && list.length === 1 ? name(only) : '';
  };
  const subscription = one(subscriptions, (item) => item.subscriptionId, draft.subscription);
  const groups = subscriptions.find((item) => item.subscriptionId === subscription)?.resourceGroups ?? [];
  const resourceGroup = one(groups, (item) => item.name, draft.resourceGroup);
  const workspaces = groups.find((item) => item.name === resourceGroup)?.workspaces ?? [];
  const workspace = one(workspaces, (item) => item.name, draft.workspace);
  return { ...draft, subscription, resourceGroup, workspace, name: draft.name || workspace };
}

/** Where the workspace is, in words. */
export function whereWords(draft: Pick<Draft, 'where' | 'endpoint'>): string {
  return { here: 'this server', azure: 'Azure', elsewhere: draft.endpoint }[draft.where];
}
