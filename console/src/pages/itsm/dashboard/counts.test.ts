import { describe, expect, it } from 'vitest';
import { readFragment } from '../../logs/share';
import { barsBy, countsOf, sumOf } from './counts';

const counts = countsOf([
  { Type: 'Incident', State: 'New', Priority: '1 - Critical', IsOpen: true, Count: 2 },
  { Type: 'Incident', State: 'Closed', Priority: '', IsOpen: false, Count: 5 },
  { Type: 'ChangeRequest', State: 'New', Priority: '3 - Moderate', IsOpen: true, Count: 1 },
]);

describe('the numbers of the dashboard', () => {
  it('add up', () => {
    expect(sumOf(counts)).toBe(8);
    expect(sumOf(counts, (one) => one.isOpen && one.type === 'Incident')).toBe(2);
  });
  it('are bars by state, the most first, parted by type', () => {
    expect(barsBy(counts, 'state', 'P7D').map(({ name, parts }) => [name, parts])).toEqual([
      ['Closed', [{ shade: 'first', value: 5 }]],
      ['New', [{ shade: 'first', value: 2 }, { shade: 'second', value: 1 }]],
    ]);
  });
  it('are bars by priority in its order, those without one last', () => {
    expect(barsBy(counts, 'priority', 'P7D').map(({ name }) => name)).toEqual(['1 - Critical', '3 - Moderate', '']);
  });
  it('lead to the records that they count', () => {
    const [closed] = barsBy(counts, 'state', 'P7D');
    const shared = readFragment((closed?.to ?? '').slice('/logs'.length));
    expect(shared?.timespan).toBe('P7D');
    expect(shared?.query).toContain('| where State == "Closed"\n');
  });
});
