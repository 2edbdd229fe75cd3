// From a result table and its `render` properties to what the chart library draws. Pure; rules after the documentation of
// the `render` operator: x is the first column that fits, the first string column besides it parts the series, numbers are y.
import type { EChartsCoreOption } from 'echarts/core';
import type { Cell, Column, Render, Table } from '../api/logs';
import { formatCompact } from './format';

export const chartKinds = ['timechart', 'linechart', 'areachart', 'stackedareachart', 'columnchart', 'barchart', 'piechart', 'scatterchart'] as const;
export type ChartKind = (typeof chartKinds)[number];

/** At most so many series are drawn; the rest would be unreadable. */
export const seriesLimit = 40;

export interface ChartColours {
  text: string;
  line: string;
  series: string[];
}

const numeric = new Set(['int', 'long', 'real', 'decimal', 'timespan']);

/** The chart that `render` asks for; undefined where it asks for a table or nothing. */
export function chartKind(render: Render | undefined): ChartKind | undefined {
  const name = render?.visualization?.toLowerCase();
  if (name === 'anomalychart') return 'timechart';
  if (name === 'areachart' && render?.kind?.toLowerCase().startsWith('stacked')) return 'stackedareachart';
  return chartKinds.find((kind) => kind === name);
}

export interface ChartData {
  x: Column;
  /** Times in milliseconds, numbers, or names, by the x column's type. */
  series: { name: string; points: [number | string, number | null][] }[];
  left: number;
}

/** The series of a table; undefined when it has no x or no number to draw. */
export function chartData(table: Table, render: Render, kind: ChartKind): ChartData | undefined {
  const { columns } = table;
  const index = (name: string) => columns.findIndex((column) => column.name === name);
  const isTime = (column: Column) => column.type === 'datetime';
  const wantsTime = kind === 'timechart' || kind === 'areachart' || kind === 'stackedareachart' || kind === 'linechart';
  let x = render.xColumn ? index(render.xColumn) : -1;
  if (x < 0 && wantsTime) x = columns.findIndex(isTime);
  if (x < 0 && kind === 'piechart') x = columns.findIndex((column) => !numeric.has(column.type));
  if (x < 0) x = 0;
  const xColumn = columns[x];
  if (!xColumn) return undefined;
  const named = list(render.yColumns).map(index).filter((at) => at >= 0);
  const ys = named.length > 0 ? named : columns.flatMap((column, at) => (at !== x && numeric.has(column.type) ? [at] : []));
  if (ys.length === 0) return undefined;
  const wanted = list(render.series).map(index).filter((at) => at >= 0);
  const groups = wanted.length > 0 ? wanted : columns.flatMap((column, at) => (at !== x && !ys.includes(at) && !numeric.has(column.type) && !isTime(column) ? [at] : []));
  const series = new Map<string, [number | string, number | null][]>();
  for (const row of table.rows) {
    const group = groups.map((at) => text(row[at])).join(':');
    for (const y of ys) {
      const yName = columns[y]?.name ?? '';
      const name = group === '' && groups.length === 0 ? yName : ys.length > 1 ? `${group}:${yName}` : group || '<empty>';
      const points = series.get(name) ?? [];
      points.push([xValue(row[x], xColumn.type), number(row[y])]);
      series.set(name, points);
    }
  }
  const all = [...series].map(([name, points]) => ({ name, points }));
  if (isTime(xColumn) || numeric.has(xColumn.type)) {
    for (const one of all) one.points.sort((a, b) => Number(a[0]) - Number(b[0]));
  }
  return { x: xColumn, series: all.slice(0, seriesLimit), left: Math.max(0, all.length - seriesLimit) };
}

/** The library's option for one chart. */
export function chartOption(table: Table, render: Render, kind: ChartKind, colours: ChartColours, times?: { from: number; to: number }): EChartsCoreOption | undefined {
  const data = chartData(table, render, kind);
  if (!data) return undefined;
  const showLegend = render.legend !== 'hidden' && (kind === 'piechart' || data.series.length > 1);
  const base = {
    animationDuration: 250,
    textStyle: { color: colours.text, fontFamily: 'inherit' },
    color: colours.series,
    ...(render.title ? { title: { text: render.title, left: 'center', textStyle: { color: colours.text, fontSize: 14 } } } : {}),
    legend: { show: showLegend, type: 'scroll', bottom: 0, icon: 'circle', itemHeight: 10, textStyle: { color: colours.text }, pageTextStyle: { color: colours.text } },
    tooltip: { trigger: kind === 'piechart' || kind === 'scatterchart' ? 'item' : 'axis', confine: true },
  };
  if (kind === 'piechart') {
    const slices = data.series.length === 1 || data.series.every((one) => one.points.length !== 1)
      ? sums(data.series[0]?.points ?? [])
      : data.series.map((one) => ({ name: one.name, value: one.points[0]?.[1] ?? 0 }));
    return { ...base, series: [{ type: 'pie', radius: ['38%', '70%'], data: slices, label: { color: colours.text }, name: data.series[0]?.name }] };
  }
  const isTime = data.x.type === 'datetime';
  const isColumn = kind === 'columnchart' || kind === 'barchart';
  const axisType = isColumn ? 'category' : isTime ? 'time' : numeric.has(data.x.type) ? 'value' : 'category';
  const xAxis = { type: axisType, name: render.xTitle ?? '', nameLocation: 'middle', nameGap: 26, axisLabel: { color: colours.text, hideOverlap: true }, axisLine: { lineStyle: { color: colours.line } }, splitLine: { show: false }, ...(axisType === 'time' && times ? { min: times.from, max: times.to } : {}) };
  // what is counted in whole numbers has no line between two of them
  const isCount = data.series.every((one) => one.points.every(([, y]) => y === null || Number.isInteger(y)));
  const yAxis = { type: 'value', ...(isCount ? { minInterval: 1 } : {}), name: render.yTitle ?? '', axisLabel: { color: colours.text, formatter: formatCompact }, splitLine: { lineStyle: { color: colours.line } }, scale: kind === 'scatterchart', ...bound('min', render.ymin), ...bound('max', render.ymax) };
  const stacked = kind === 'stackedareachart' || (isColumn && (render.kind ?? 'stacked').toLowerCase().startsWith('stacked'));
  const names = axisType === 'category' ? categories(data, isTime) : undefined;
  const series = data.series.map((one) => ({
    name: one.name,
    type: isColumn ? 'bar' : kind === 'scatterchart' ? 'scatter' : 'line',
    ...(stacked ? { stack: 'all' } : {}),
    ...(kind === 'areachart' || kind === 'stackedareachart' ? { areaStyle: { opacity: 0.35 } } : {}),
    ...(isColumn ? { barMaxWidth: 48 } : {}),
    showSymbol: one.points.length < 3,
    symbolSize: kind === 'scatterchart' ? 7 : 5,
    data: names && kind !== 'scatterchart' ? aligned(one.points, names, isTime) : one.points,
  }));
  const category = names ? { ...xAxis, data: names } : xAxis;
  const grid = { left: 16, right: 24, top: render.title ? 40 : 24, bottom: showLegend ? 40 : 16, containLabel: true };
  return kind === 'barchart'
    ? { ...base, grid, xAxis: yAxis, yAxis: { ...category, inverse: true }, series }
    : { ...base, grid, xAxis: category, yAxis, series };
}

function sums(points: [number | string, number | null][]): { name: string; value: number | null }[] {
  const names = [...new Set(points.map(([name]) => String(name)))];
  const values = aligned(points, names, false);
  return names.map((name, i) => ({ name, value: values[i] ?? null }));
}

function categories(data: ChartData, isTime: boolean): string[] {
  const keys = new Set(data.series.flatMap((one) => one.points.map(([key]) => key)));
  const sorted = isTime ? [...keys].sort((a, b) => Number(a) - Number(b)) : [...keys];
  return sorted.map((key) => label(key, isTime));
}

/** Rows of the same name count together. */
function added(sum: number | null | undefined, value: number | null): number | null {
  return sum === null || sum === undefined ? value : sum + (value ?? 0);
}

function aligned(points: [number | string, number | null][], names: string[], isTime: boolean): (number | null)[] {
  const byName = new Map<string, number | null>();
  for (const [key, value] of points) {
    const name = label(key, isTime);
    byName.set(name, added(byName.get(name), value));
  }
  return names.map((name) => byName.get(name) ?? null);
}

function label(key: number | string, isTime: boolean): string {
  return isTime && typeof key === 'number' && Number.isFinite(key) ? new Date(key).toISOString().slice(0, 16).replace('T', ' ') : String(key);
}

function list(value: string | string[] | null | undefined): string[] {
  return Array.isArray(value) ? value : value ? value.split(',').map((one) => one.trim()) : [];
}

function text(cell: Cell | undefined): string {
  return cell === null || cell === undefined ? '' : typeof cell === 'object' ? JSON.stringify(cell) : String(cell);
}

function xValue(cell: Cell | undefined, type: string): number | string {
  if (type === 'datetime' && typeof cell === 'string') return new Date(cell).getTime();
  return typeof cell === 'number' ? cell : text(cell);
}

/** A number, or a timespan (`d.hh:mm:ss.fffffff`) in seconds; null where it is neither. */
function number(cell: Cell | undefined): number | null {
  if (typeof cell === 'number') return cell;
  if (typeof cell !== 'string' || cell === '') return null;
  const span = /^(-)?(?:(\d+)\.)?(\d\d):(\d\d):(\d\d(?:\.\d+)?)$/.exec(cell);
  if (span) {
    const seconds = Number(span[2] ?? 0) * 86_400 + Number(span[3]) * 3600 + Number(span[4]) * 60 + Number(span[5]);
    return span[1] ? -seconds : seconds;
  }
  const value = Number(cell);
  return Number.isFinite(value) ? value : null;
}

function bound(name: 'min' | 'max', value: number | string | null | undefined): Record<string, number> {
  const at = typeof value === 'number' ? value : value ? Number(value) : NaN;
  return Number.isFinite(at) ? { [name]: at } : {};
}
