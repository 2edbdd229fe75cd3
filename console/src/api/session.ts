// Who is signed in, and in which workspace the console looks.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, useContext } from 'react';
import { ApiError, request, setCsrfToken } from './client';
import { permissionsKey } from './permissions';

export interface Workspace {
  id: string;
  name: string;
}

export interface Session {
  user: { name: string; displayName: string; provider: string; roles: string[] };
  workspaces: Workspace[];
  csrf: string;
}

const sessionKey = ['session'];

// The session's cookie is not for scripts to see; this says whether asking for the session makes sense.
const hintKey = 'watchkeeper.signedIn';

/** The session, or null when nobody is signed in. */
export function useSession() {
  return useQuery({
    queryKey: sessionKey,
    staleTime: Infinity,
    retry: false,
    queryFn: async ({ signal }): Promise<Session | null> => {
      // A provider leads back here with a session that this page has not seen begin.
      const cameBack = new URLSearchParams(window.location.search).has('signed-in');
      if (localStorage.getItem(hintKey) === null && !cameBack) return null;
      try {
        return remember(await request<Session>('/api/session', { signal }));
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) return forget();
        throw error;
      }
    },
  });
}

function remember(session: Session | undefined): Session | null {
  if (!session) return forget();
  setCsrfToken(session.csrf);
  localStorage.setItem(hintKey, 'yes');
  return session;
}

function forget(): null {
  localStorage.removeItem(hintKey);
  return null;
}

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (credentials: { user: string; password: string }) =>
      remember(await request<Session>('/api/session', { method: 'POST', body: credentials })),
    onSuccess: (session) => {
      // roles may have changed since the last session
      client.removeQueries({ queryKey: permissionsKey });
      client.setQueryData(sessionKey, session);
    },
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async () => {
      // What still runs would be refused once the session is gone.
      await client.cancelQueries();
      await request('/api/session', { method: 'DELETE' });
    },
    onSettled: () => {
      forget();
      // The session's own entry stays, for the page watches it; what this user has read goes.
      client.setQueryData(sessionKey, null);
      client.removeQueries({ predicate: (query) => query.queryKey[0] !== sessionKey[0] });
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
