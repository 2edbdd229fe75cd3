// Boxes that a person put somewhere stay there, on every computer: the server keeps them, for each person and view.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback } from 'react';
import { request } from '../../api/client';
import { segment } from '../../api/management';
import { useMay } from '../../api/permissions';
import { useWorkspace } from '../../api/session';
import type { Point } from './layout/types';

export type Pins = Readonly<Record<string, Point>>;

/** What the server says of a view. */
export interface Arrangement {
  /** The person has pins of their own; without them everybody's are seen. */
  own: boolean;
  /** There are pins of everybody. */
  shared: boolean;
  mayShare: boolean;
  pins: Pins;
}

/** Null lets a box go. */
export type PinChange = Readonly<Record<string, Point | null>>;

export interface PinState extends Arrangement {
  /** The pins are not known yet: what is laid out now would jump. */
  isPending: boolean;
  error: unknown;
  pin: (box: string, place: Point) => void;
  unpin: (box: string) => void;
  unpinAll: () => void;
  /** Everybody sees this person's arrangement from now on. */
  share: () => void;
  unshare: () => void;
  /** This person sees everybody's arrangement again. */
  follow: () => void;
}

type Action = { kind: 'change'; pins: PinChange } | { kind: 'follow' | 'share' | 'unshare' };

const none: Arrangement = { own: false, shared: false, mayShare: false, pins: {} };

/** Each view has its own pins: where a box stands among all machines says nothing about where it stands among a few. */
export function usePins(view: string): PinState {
  const workspace = useWorkspace();
  const client = useQueryClient();
  const path = `/api/workspaces/${segment(workspace.id)}/map-pins`;
  const key = ['map-pins', workspace.id, view];
  // who sees a part of the map alone moves boxes for the moment
  const may = useMay()('Microsoft.OperationalInsights/workspaces/features/generateMap/read');
  const known = useQuery({
    queryKey: key,
    enabled: may,
    queryFn: async ({ signal }) => (await request<Arrangement>(`${path}?view=${segment(view)}`, { signal })) ?? none,
  });
  // One after the other: the last one that a person made is the last one that the server gets.
  const change = useMutation({
    mutationKey: key,
    scope: { id: key.join(' ') },
    mutationFn: (action: Action) => {
      const at = `${path}${action.kind === 'share' || action.kind === 'unshare' ? '/share' : ''}?view=${segment(view)}`;
      if (action.kind === 'change') return request<Arrangement>(at, { method: 'PATCH', body: { pins: action.pins } });
      return request<Arrangement>(at, { method: action.kind === 'share' ? 'POST' : 'DELETE' });
    },
    onMutate: async (action) => {
      await client.cancelQueries({ queryKey: key });
      if (action.kind === 'change') client.setQueryData<Arrangement>(key, (was = none) => changed(was, action.pins));
    },
    onSuccess: (answer) => {
      if (client.isMutating({ mutationKey: key }) === 1) client.setQueryData(key, answer);
    },
    onError: () => client.invalidateQueries({ queryKey: key }),
  });
  const { mutate } = change;
  const it = known.data ?? none;
  const { pins, shared } = it;
  return {
    ...it,
    isPending: may && known.isPending,
    error: change.error ?? known.error,
    pin: useCallback((box, place) => mutate({ kind: 'change', pins: { [box]: { x: Math.round(place.x), y: Math.round(place.y) } } }), [mutate]),
    unpin: useCallback((box) => mutate({ kind: 'change', pins: { [box]: null } }), [mutate]),
    unpinAll: useCallback(() => mutate(shared ? { kind: 'change', pins: Object.fromEntries(Object.keys(pins).map((box) => [box, null])) } : { kind: 'follow' }), [mutate, pins, shared]),
    share: useCallback(() => mutate({ kind: 'share' }), [mutate]),
    unshare: useCallback(() => mutate({ kind: 'unshare' }), [mutate]),
    follow: useCallback(() => mutate({ kind: 'follow' }), [mutate]),
  };
}

/** What a person sees at once; the server says the same a moment later. */
export function changed(was: Arrangement, change: PinChange): Arrangement {
  const pins = Object.entries({ ...was.pins, ...change }).filter((entry): entry is [string, Point] => entry[1] !== null);
  return { ...was, own: true, pins: Object.fromEntries(pins) };
}
