// Saved queries and functions of a workspace.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { request } from './client';
import { useWorkspace } from './session';

export interface SavedQuery {
  id: string;
  name: string;
  category: string;
  query: string;
  functionAlias?: string;
  functionParameters?: string;
}

export type NewSavedQuery = Omit<SavedQuery, 'id'>;

export function useSavedQueries() {
  const workspace = useWorkspace();
  return useQuery({
    queryKey: ['saved-queries', workspace.id],
    queryFn: async ({ signal }): Promise<SavedQuery[]> => {
      const answer = await request<SavedQuery[] | { value: SavedQuery[] }>(path(workspace.id), { signal });
      return Array.isArray(answer) ? answer : (answer?.value ?? []);
    },
  });
}

export function useSaveQuery() {
  const workspace = useWorkspace();
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, ...body }: NewSavedQuery & { id?: string }) =>
      id
        ? request<SavedQuery>(path(workspace.id, id), { method: 'PUT', body: { id, ...body } })
        : request<SavedQuery>(path(workspace.id), { method: 'POST', body }),
    onSuccess: async (_answer, saved) => {
      await client.invalidateQueries({ queryKey: ['saved-queries', workspace.id] });
      if (saved.functionAlias) await client.invalidateQueries({ queryKey: ['metadata', workspace.id] });
    },
  });
}

export function useDeleteQuery() {
  const workspace = useWorkspace();
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => request(path(workspace.id, id), { method: 'DELETE' }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['saved-queries', workspace.id] }),
  });
}

function path(workspaceId: string, id?: string): string {
  const base = `/api/workspaces/${encodeURIComponent(workspaceId)}/saved-queries`;
  return id === undefined ? base : `${base}/${encodeURIComponent(id)}`;
}
