// Who signs in and who may do what: users, groups, app registrations, sessions, roles and their assignments.
import type { ActionName } from './permissions';
import { useMay } from './permissions';
import { useGroup } from './management';

export interface GivenRole {
  role: string;
  scope: string;
}

export interface User {
  id: string;
  name: string;
  displayName: string;
  mail: string;
  /** Empty: the password is here. */
  provider: string;
  disabled: boolean;
  createdAt: string | null;
  signedInAt: string | null;
  groups: string[];
  roles: GivenRole[];
}

export type PrincipalType = 'User' | 'Group' | 'ServicePrincipal';

export interface DirectoryGroup {
  id: string;
  name: string;
  description: string;
  roles: GivenRole[];
  /** With the provider that has put somebody into the group; empty: by hand. */
  members: { id: string; name: string; type: PrincipalType; provider: string }[];
}

export interface AppSecret {
  id: string;
  name: string;
  /** Its first characters. */
  hint: string;
  /** Seconds since 1970. */
  expiresAt: number;
}

export interface AppCertificate {
  thumbprint: string;
  thumbprintSha256: string;
  name: string;
  subject: string;
  notBefore: number;
  expiresAt: number;
}

export interface AppRegistration {
  clientId: string;
  name: string;
  roles: GivenRole[];
  secrets: AppSecret[];
  certificates: AppCertificate[];
  public: boolean;
  redirectUris: string[];
  groups: string[];
}

/** The one answer that shows the secret. */
export interface NewSecret {
  clientId: string;
  name: string;
  clientSecret: string;
}

export interface OpenSession {
  id: string;
  client: string;
  signedInAt: string;
  usedAt: string | null;
  expiresAt: string;
  isThisOne: boolean;
  /** Where the sessions of everybody are listed. */
  userId?: string;
  user?: string;
}

export interface RoleDefinition {
  id: string;
  name: string;
  description: string;
  builtIn: boolean;
  actions: string[];
  notActions: string[];
  dataActions: string[];
  notDataActions: string[];
  assignableScopes: string[];
}

export interface RoleAssignment {
  id: string;
  principalId: string;
  /** Null: whoever had it is gone, or is still to come. */
  principalName: string | null;
  principalType: PrincipalType;
  role: string;
  roleId: string;
  scope: string;
  /** What a group is called where the scope is one. */
  scopeName: string | null;
  description: string;
  createdAt: string | null;
  createdBy: string;
}

/** What somebody may do, and through which roles. */
export interface EffectiveAccess {
  principalId: string;
  principalName: string;
  principalType: PrincipalType;
  disabled: boolean;
  groups: string[];
  assignments: { id: string; role: string; scope: string; through: string | null }[];
  actions: { name: ActionName; at: { scope: string; roles: string[] }[] }[];
  /** False: the caller may not see all of it. */
  complete: boolean;
}

export const assignmentsPath = '/api/role-assignments';
export const rolesPath = '/api/roles';
export const usersPath = '/api/users';
export const directoryGroupsPath = '/api/directory/groups';
export const appsPath = '/api/principals';
export const sessionsPath = '/api/sessions';

export const typeWords: Record<PrincipalType, string> = { User: 'User', Group: 'Group', ServicePrincipal: 'App registration' };

export interface Named {
  id: string;
  name: string;
  type: PrincipalType;
  /** What tells it from others of its name. */
  detail: string;
}

/** Everybody whom a role can be given, as far as the caller may see them; sorted by name. */
export function usePrincipals(): Named[] {
  const may = useMay();
  const people = may('Microsoft.Authorization/users/read');
  const users = useGroup<User[]>(people ? usersPath : undefined, 60);
  const groups = useGroup<DirectoryGroup[]>(people ? directoryGroupsPath : undefined, 60);
  const apps = useGroup<AppRegistration[]>(may('Microsoft.Authorization/servicePrincipals/read') ? appsPath : undefined, 60);
  const all: Named[] = [
    ...(users.data ?? []).map(({ id, name, displayName }) => ({ id, name, type: 'User' as const, detail: displayName === name ? '' : displayName })),
    ...(groups.data ?? []).map(({ id, name, description }) => ({ id, name, type: 'Group' as const, detail: description })),
    ...(apps.data ?? []).map(({ clientId, name }) => ({ id: clientId, name, type: 'ServicePrincipal' as const, detail: clientId })),
  ];
  return all.sort((a, b) => a.name.localeCompare(b.name));
}

/** An OpenID Connect provider through which people sign in. */
export interface IdentityProvider {
  name: string;
  label: string;
  issuer: string;
  clientId: string;
  public: boolean;
  scopes: string[];
  nameClaim: string;
  groupsClaim: string;
  /** What the provider calls a group, and the group here. */
  groups: Record<string, string>;
  createUsers: boolean;
  trusted: string;
  redirectUri: string;
  hasSecret: boolean;
  /** It is in the server's configuration file, and is changed there. */
  inConfiguration: boolean;
}

/** An LDAP directory whose people sign in with their password there. */
export interface IdentityDirectory {
  name: string;
  url: string;
  base: string;
  bindName: string;
  userDn: string;
  userFilter: string;
  groupFilter: string;
  groups: Record<string, string>;
  createUsers: boolean;
  trusted: string;
  hasSecret: boolean;
  inConfiguration: boolean;
}

/** A directory whose groups of computers are imported. */
export interface GroupDirectory {
  id: string;
  name: string;
  url: string;
  bindName: string;
  base: string;
  groupFilter: string;
  computerFilter: string;
  trusted: string;
  hours: number;
  groups: number;
  problem: string | null;
  lastRun: string | null;
  lastSuccess: string | null;
  nextRun: string | null;
}

export const identityProvidersPath = '/api/identity-providers';
export const identityDirectoriesPath = '/api/identity-directories';
export const groupDirectoriesPath = '/api/computer-group-directories';
