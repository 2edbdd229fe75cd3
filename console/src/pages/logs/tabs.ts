// Query tabs and query history, kept in this browser.
import { useCallback, useEffect, useReducer, useState } from 'react';
import { defaultTimespan } from './timespan';

export interface QueryTab {
  id: string;
  title: string;
  query: string;
  timespan: string;
  /** The saved query that the tab shows. */
  savedId?: string;
}

export interface HistoryItem {
  query: string;
  timespan: string;
  at: string;
  milliseconds: number;
  /** Rows answered; undefined when the query failed. */
  rows?: number;
}

interface TabsState {
  tabs: QueryTab[];
  active: string;
  made: number;
}

type TabsAction =
  | { kind: 'open'; query?: string; timespan?: string; title?: string; savedId?: string }
  | { kind: 'close'; id: string }
  | { kind: 'activate'; id: string }
  | { kind: 'change'; id: string; change: Partial<Omit<QueryTab, 'id'>> };

const historyLimit = 50;

export function tabsReducer(state: TabsState, action: TabsAction): TabsState {
  switch (action.kind) {
    case 'open': {
      const made = state.made + 1;
      const tab = {
        id: `tab-${made}`,
        title: action.title ?? `New query ${made}`,
        query: action.query ?? '',
        timespan: action.timespan ?? defaultTimespan,
        ...(action.savedId ? { savedId: action.savedId } : {}),
      };
      // A query opens in place of a tab that nobody has written in.
      const kept = action.query ? state.tabs.filter((one) => one.id !== state.active || one.query.trim() !== '') : state.tabs;
      return { tabs: [...kept, tab], active: tab.id, made };
    }
    case 'close': {
      const at = state.tabs.findIndex((tab) => tab.id === action.id);
      const tabs = state.tabs.filter((tab) => tab.id !== action.id);
      const next = tabs[Math.min(at, tabs.length - 1)];
      if (!next) return tabsReducer({ ...state, tabs: [] }, { kind: 'open' });
      return { ...state, tabs, active: state.active === action.id ? next.id : state.active };
    }
    case 'activate':
      return { ...state, active: action.id };
    case 'change':
      return { ...state, tabs: state.tabs.map((tab) => (tab.id === action.id ? { ...tab, ...action.change } : tab)) };
  }
}

function read<T>(key: string, fallback: T): T {
  try {
    const text = localStorage.getItem(key);
    return text ? (JSON.parse(text) as T) : fallback;
  } catch {
    return fallback;
  }
}

function write(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // The browser's storage is full or off: tabs and history then last as long as the page.
  }
}

export function useTabs(workspaceId: string) {
  const key = `watchkeeper.tabs.${workspaceId}`;
  const [state, dispatch] = useReducer(tabsReducer, undefined, () => {
    const stored = read<TabsState>(key, { tabs: [], active: '', made: 0 });
    return stored.tabs.length > 0 ? stored : tabsReducer(stored, { kind: 'open' });
  });
  useEffect(() => write(key, state), [key, state]);
  return [state, dispatch] as const;
}

export function useHistory(workspaceId: string) {
  const key = `watchkeeper.history.${workspaceId}`;
  const [history, setHistory] = useState(() => read<HistoryItem[]>(key, []));
  const remember = useCallback(
    (item: HistoryItem) =>
      setHistory((before) => {
        const next = [item, ...before.filter((one) => one.query !== item.query)].slice(0, historyLimit);
        write(key, next);
        return next;
      }),
    [key],
  );
  return [history, remember] as const;
}
