// Boxes that a person put somewhere stay there: per person and workspace, in the browser.
import { useCallback, useState } from 'react';
import { useSession, useWorkspace } from '../../api/session';
import type { Point } from './layout/types';

export type Pins = Readonly<Record<string, Point>>;

export interface PinState {
  pins: Pins;
  pin: (box: string, place: Point) => void;
  unpin: (box: string) => void;
  unpinAll: () => void;
}

/** Each view has its own pins: where a box stands among all machines says nothing about where it stands among a few. */
export function usePins(scope: string): PinState {
  const workspace = useWorkspace();
  const session = useSession();
  const key = `watchkeeper.map.pins.${session.data?.user.name ?? ''}.${workspace.id}.${scope}`;
  const [state, setState] = useState(() => ({ key, pins: readPins(key) }));
  let { pins } = state;
  if (state.key !== key) {
    pins = readPins(key);
    setState({ key, pins });
  }
  const change = useCallback((edit: (pins: Pins) => Pins) => setState((was) => {
    const next = edit(was.pins);
    if (Object.keys(next).length === 0) localStorage.removeItem(was.key);
    else localStorage.setItem(was.key, JSON.stringify(next));
    return { ...was, pins: next };
  }), []);
  return {
    pins,
    pin: useCallback((box, place) => change((was) => ({ ...was, [box]: { x: Math.round(place.x), y: Math.round(place.y) } })), [change]),
    unpin: useCallback((box) => change((was) => Object.fromEntries(Object.entries(was).filter(([id]) => id !== box))), [change]),
    unpinAll: useCallback(() => change(() => ({})), [change]),
  };
}

function readPins(key: string): Pins {
  try {
    const read: unknown = JSON.parse(localStorage.getItem(key) ?? '{}');
    if (typeof read !== 'object' || read === null) return {};
    const isPoint = (value: unknown): value is Point => typeof value === 'object' && value !== null && Number.isFinite((value as Point).x) && Number.isFinite((value as Point).y);
    return Object.fromEntries(Object.entries(read).filter((entry): entry is [string, Point] => isPoint(entry[1])));
  } catch {
    return {};
  }
}
