import { describe, expect, it } from 'vitest';
import { toCsv } from './csv';
import { readFragment, shareFragment } from './share';
import { tabsReducer } from './tabs';
import { customTimespan } from './timespan';

describe('the Logs page', () => {
  it('gives back from a share link what went in', () => {
    const shared = { query: 'T\n| where a == "#&é+" | take 1', timespan: 'P1D' };
    expect(readFragment(shareFragment(shared))).toEqual(shared);
  });
  it('quotes CSV and guards text that a spreadsheet would run', () => {
    const csv = toCsv({ name: 't', columns: [{ name: 'a,b', type: 'string' }, { name: 'n', type: 'long' }], rows: [['say "x"\n', -1], ['=1+1', null]] });
    expect(csv).toBe('"a,b",n\r\n"say ""x""\n",-1\r\n\'=1+1,\r\n');
  });
  it('opens a new tab when the last one is closed', () => {
    const one = tabsReducer({ tabs: [], active: '', made: 0 }, { kind: 'open', query: 'T' });
    const next = tabsReducer(one, { kind: 'close', id: one.active });
    expect(next.tabs.map((tab) => tab.query)).toEqual(['']);
    expect(next.active).toBe(next.tabs[0]?.id);
  });
  it('opens a query in place of an empty tab, and beside a written one', () => {
    const empty = tabsReducer({ tabs: [], active: '', made: 0 }, { kind: 'open' });
    const one = tabsReducer(empty, { kind: 'open', query: 'T' });
    expect(one.tabs.map((tab) => tab.query)).toEqual(['T']);
    expect(tabsReducer(one, { kind: 'open', query: 'U' }).tabs.map((tab) => tab.query)).toEqual(['T', 'U']);
  });
  it('takes a custom range only when its end is later', () => {
    expect(customTimespan('2026-01-01T01:00Z', '2026-01-01T02:00Z')).toBe('2026-01-01T01:00:00.000Z/2026-01-01T02:00:00.000Z');
    expect(customTimespan('2026-01-01T02:00Z', '2026-01-01T01:00Z')).toBeUndefined();
  });
});
