// Signing in to applications: what the authority's pages ask the server.
import { useMutation, useQuery } from '@tanstack/react-query';
import { request } from './client';

/** Where the browser goes next: an address, or a form that is sent to one. */
export interface Back {
  location?: string;
  form?: string;
  fields?: { name: string; value: string }[];
}

export interface Application {
  client: { id: string; name: string };
  redirectUri: string;
  prompt: string;
  loginHint: string;
  /** There is nothing to ask the person: the application learns why. */
  back: Back | null;
}

/** The application that sent the browser here, by the query of the address. */
export function useApplication(query: string) {
  return useQuery({
    queryKey: ['sign-in', 'application', query],
    staleTime: Infinity,
    retry: false,
    queryFn: ({ signal }) => request<Application>('/api/sign-in/application', { method: 'POST', body: { query }, signal }),
  });
}

/** The person's answer to the application. */
export function useAuthorize(query: string) {
  return useMutation({
    mutationFn: (allow: boolean) => request<Back>('/api/sign-in/authorize', { method: 'POST', body: { query, allow } }),
    onSuccess: (back) => back && goBack(back),
  });
}

export interface DeviceAnswer {
  client: { id: string; name: string };
  status: 'waiting' | 'granted' | 'declined';
}

/** What waits for a code, and with `allow` the person's answer. */
export function useDevice() {
  return useMutation({
    mutationFn: (body: { code: string; allow: boolean | null }) => request<DeviceAnswer>('/api/sign-in/device', { method: 'POST', body }),
  });
}

/** Where a person goes after signing out, if the address names an application's page. */
export function useAfterLogout(query: string, signedOut: boolean) {
  return useQuery({
    queryKey: ['sign-in', 'logout', query],
    enabled: signedOut,
    retry: false,
    queryFn: ({ signal }) => request<Back>('/api/sign-in/logout', { method: 'POST', body: { query }, signal }),
  });
}

export function goBack(back: Back): void {
  if (back.form) {
    const form = document.createElement('form');
    form.method = 'post';
    form.action = back.form;
    for (const { name, value } of back.fields ?? []) {
      const input = document.createElement('input');
      input.type = 'hidden';
      input.name = name;
      input.value = value;
      form.append(input);
    }
    document.body.append(form);
    form.submit();
  } else if (back.location) {
    window.location.assign(back.location);
  }
}

export interface Provider {
  name: string;
  label: string;
}

/** The companies' providers that people can sign in through. */
export function useProviders() {
  return useQuery({
    queryKey: ['sign-in', 'providers'],
    staleTime: Infinity,
    retry: false,
    queryFn: ({ signal }) => request<Provider[]>('/api/sign-in/providers', { signal }),
  });
}
