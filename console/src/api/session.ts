// Who is signed in, and in which workspace the console looks.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, useContext } from 'react';
import { ApiError, request, setCsrfToken } from './client';

export interface Workspace {
  id: string;
  name: string;
}

export interface Session {
  user: { name: string; roles: string[] };
  workspaces: Workspace[];
  csrf: string;
}

const sessionKey = ['session'];

/** The session, or null when nobody is signed in. */
export function useSession() {
  return useQuery({
    queryKey: sessionKey,
    staleTime: Infinity,
    retry: false,
    queryFn: async ({ signal }): Promise<Session | null> => {
      try {
        return remember(await request<Session>('/api/session', { signal }));
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return null;
        throw error;
      }
    },
  });
}

function remember(session: Session | undefined): Session | null {
  if (session) setCsrfToken(session.csrf);
  return session ?? null;
}

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (credentials: { user: string; password: string }) =>
      remember(await request<Session>('/api/session', { method: 'POST', body: credentials })),
    onSuccess: (session) => client.setQueryData(sessionKey, session),
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => request('/api/session', { method: 'DELETE' }),
    onSettled: () => {
      client.clear();
      client.setQueryData(sessionKey, null);
    },
  });
}

/** The workspace that pages ask; set by the shell once somebody is signed in. */
export const WorkspaceContext = createContext<Workspace | null>(null);

export function useWorkspace(): Workspace {
  const workspace = useContext(WorkspaceContext);
  if (!workspace) throw new Error('useWorkspace is called outside the signed-in shell');
  return workspace;
}
