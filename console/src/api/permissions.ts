// What the signed-in caller may do: asked once after sign-in, and again when the server refuses something. The names of
// actions are the server's (crates/authorization); a test compares those that pages name with its table of routes.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, useCallback, useContext } from 'react';
import { request } from './client';

export type ActionName = `${'Microsoft.' | 'Watchkeeper/'}${string}/${'read' | 'write' | 'delete' | 'action'}`;

export interface Permission {
  name: ActionName;
  /** The place that it is asked for at. */
  scope: string;
  allowed: boolean;
  /** The smallest roles that allow it. */
  roles: string[];
}

/** A place that roles are given at. */
export interface Place {
  scope: string;
  kind: 'tenant' | 'workspace' | 'managementGroup';
  /** Empty for the tenant. */
  name: string;
  /** People and groups who can give roles there. */
  givers: string[];
}

export interface Permissions {
  principalId: string;
  name: string;
  roles: { role: string; scope: string }[];
  actions: Permission[];
  places: Place[];
}

export const permissionsKey = ['permissions'];

export function useLoadPermissions(user: string) {
  return useQuery({
    queryKey: [...permissionsKey, user],
    staleTime: Infinity,
    queryFn: async ({ signal }) => (await request<Permissions>('/api/me/permissions', { signal })) as Permissions,
  });
}

/** Asks again: roles were given or taken back. */
export function useReloadPermissions() {
  const client = useQueryClient();
  return useCallback(() => client.invalidateQueries({ queryKey: permissionsKey }), [client]);
}

/** Set by the shell once it is known. */
export const PermissionsContext = createContext<Permissions | null>(null);

export function usePermissions(): Permissions {
  const permissions = useContext(PermissionsContext);
  if (!permissions) throw new Error('usePermissions is called outside the signed-in shell');
  return permissions;
}

/** Whether the caller may do at least one of these. */
export function mayAny(permissions: Permissions, needs: ActionName | readonly ActionName[]): boolean {
  const names = typeof needs === 'string' ? [needs] : needs;
  return names.length === 0 || names.some((name) => permissions.actions.some((one) => one.name === name && one.allowed));
}

export function useMay(): (needs: ActionName | readonly ActionName[]) => boolean {
  const permissions = usePermissions();
  return useCallback((needs) => mayAny(permissions, needs), [permissions]);
}

/** A scope in words. */
export function scopeWords(scope: string, places: readonly Place[]): string {
  const place = places.find((one) => one.scope === scope);
  if (place) return place.kind === 'tenant' ? 'the tenant' : place.kind === 'workspace' ? `the workspace ${place.name}` : `the management group ${place.name}`;
  const table = /^(\/workspaces\/[^/]+)\/tables\/(.+)$/.exec(scope);
  if (table) return `the table ${table[2]}`;
  const group = places.find((one) => one.kind === 'managementGroup' && scope.startsWith(`${one.scope}/groups/`));
  return group ? `one group of the management group ${group.name}` : scope;
}
