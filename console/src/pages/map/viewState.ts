// What the page shows, kept in its address: a link to the page shows the same map.
import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router-dom';
import type { GroupBy } from './graph/grouping';

export interface MapView {
  /** A machine (by id or name), a process, a client group or a port group whose neighbourhood alone is shown. */
  focus: string | undefined;
  upstream: number;
  downstream: number;
  text: string;
  /** Only what the search found, with what it talks to. */
  onlyMatches: boolean;
  onlyFailed: boolean;
  onlyProblems: boolean;
  onlyConnected: boolean;
  groupBy: GroupBy;
  /** A machine group, computer group or group of the management group, by id: only its machines and what they talk to. */
  within: string | undefined;
  minutes: number;
  /** The end of the window; undefined follows the clock. */
  to: string | undefined;
  mode: 'map' | 'list';
  selected: string | undefined;
}

/** More steps show nearly everything. */
export const mostSteps = 6;

const groupings: readonly GroupBy[] = ['auto', 'none', 'machineGroup', 'prefix', 'subnet'];

const initial: MapView = {
  focus: undefined, upstream: 1, downstream: 1, text: '', onlyMatches: false, onlyFailed: false, onlyProblems: false,
  onlyConnected: false, groupBy: 'auto', within: undefined, minutes: 60, to: undefined, mode: 'map', selected: undefined,
};

export function viewOf(parameters: URLSearchParams): MapView {
  const steps = (name: string) => {
    const value = Number(parameters.get(name) ?? 1);
    return Number.isInteger(value) ? Math.max(0, Math.min(mostSteps, value)) : 1;
  };
  const minutes = Number(parameters.get('minutes') ?? initial.minutes);
  const group = parameters.get('group');
  const to = parameters.get('to');
  const only = new Set(parameters.getAll('only'));
  return {
    focus: parameters.get('focus') ?? undefined,
    upstream: steps('up'),
    downstream: steps('down'),
    text: parameters.get('text') ?? '',
    onlyMatches: only.has('matches'),
    onlyFailed: only.has('failed'),
    onlyProblems: only.has('problems'),
    onlyConnected: only.has('connected'),
    groupBy: groupings.find((one) => one === group) ?? 'auto',
    within: parameters.get('within') ?? undefined,
    minutes: Number.isFinite(minutes) && minutes >= 1 && minutes <= 1440 ? minutes : initial.minutes,
    to: to !== null && !Number.isNaN(Date.parse(to)) ? to : undefined,
    mode: parameters.get('view') === 'list' ? 'list' : 'map',
    selected: parameters.get('selected') ?? undefined,
  };
}

export function parametersOf(view: MapView): URLSearchParams {
  const parameters = new URLSearchParams();
  const set = (name: string, value: string | undefined, isInitial: boolean) => {
    if (value !== undefined && !isInitial) parameters.set(name, value);
  };
  set('focus', view.focus, false);
  if (view.focus !== undefined) {
    set('up', String(view.upstream), view.upstream === 1);
    set('down', String(view.downstream), view.downstream === 1);
  }
  set('text', view.text, view.text === '');
  const only = [view.onlyMatches && 'matches', view.onlyFailed && 'failed', view.onlyProblems && 'problems', view.onlyConnected && 'connected'];
  for (const one of only) if (one) parameters.append('only', one);
  set('group', view.groupBy, view.groupBy === 'auto');
  set('within', view.within, false);
  set('minutes', String(view.minutes), view.minutes === initial.minutes);
  set('to', view.to, false);
  set('view', view.mode, view.mode === 'map');
  set('selected', view.selected, false);
  return parameters;
}

export type ChangeView = (change: Partial<MapView>) => void;

export function useMapView(): [MapView, ChangeView] {
  const [parameters, setParameters] = useSearchParams();
  const view = useMemo(() => viewOf(parameters), [parameters]);
  const change = useCallback((part: Partial<MapView>) => {
    // Another focus is another page to go back from; everything else only changes how it looks.
    setParameters((was) => parametersOf({ ...viewOf(was), ...part }), { replace: !('focus' in part) });
  }, [setParameters]);
  return [view, change];
}
