import { describe, expect, it } from 'vitest';
import { chartData, chartKind, chartOption } from './chartOption';

const table = {
  name: 'PrimaryResult',
  columns: [{ name: 'Computer', type: 'string' }, { name: 'TimeGenerated', type: 'datetime' }, { name: 'Value', type: 'real' }],
  rows: [['b', '2026-01-01T00:05:00Z', 2], ['a', '2026-01-01T00:05:00Z', 3], ['a', '2026-01-01T00:00:00Z', 1]],
};

describe('charts', () => {
  it('take the time as x and the text as series, in the order of time', () => {
    const data = chartData(table, {}, 'timechart');
    const time = (text: string) => new Date(text).getTime();
    expect(data?.series).toEqual([
      { name: 'b', points: [[time('2026-01-01T00:05:00Z'), 2]] },
      { name: 'a', points: [[time('2026-01-01T00:00:00Z'), 1], [time('2026-01-01T00:05:00Z'), 3]] },
    ]);
  });
  it('read timespans as seconds', () => {
    const spans = { name: 't', columns: [{ name: 'k', type: 'string' }, { name: 'd', type: 'timespan' }], rows: [['a', '1.00:00:01.5000000'], ['b', '-00:01:00']] };
    expect(chartData(spans, {}, 'columnchart')?.series[0]?.points).toEqual([['a', 86_401.5], ['b', -60]]);
  });
  it.each(['columnchart', 'barchart', 'linechart'] as const)('%s adds rows of the same name', (kind) => {
    const twice = { name: 't', columns: [{ name: 'k', type: 'string' }, { name: 'v', type: 'long' }], rows: [['a', 1], ['b', 2], ['a', 3]] };
    const option = chartOption(twice, {}, kind, { text: '#000', line: '#000', series: ['#000'] }) as { series: { data: unknown }[] };
    expect(option.series[0]?.data).toEqual([4, 2]);
  });
  it('have nothing to draw without a number', () => {
    expect(chartData({ ...table, columns: table.columns.slice(0, 2) }, {}, 'barchart')).toBeUndefined();
  });
  it.each([['timechart', 'timechart'], ['PieChart', 'piechart'], ['table', undefined], [null, undefined]])('render %s is drawn as %s', (asked, drawn) => {
    expect(chartKind({ visualization: asked })).toBe(drawn);
  });
});
