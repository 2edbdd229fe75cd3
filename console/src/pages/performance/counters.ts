// Which counters the performance view draws, and the query that shows the same on the Logs page.
import { segment } from '../../api/management';
import { literal } from '../machines/queries';

/** A counter of the chosen computers. */
export interface Counter {
  object: string;
  counter: string;
  instance: string;
  /** The newest value. */
  last: number | null;
}

/** What names a counter in an address. */
export function keyOf(one: Pick<Counter, 'object' | 'counter' | 'instance'>): string {
  return [one.object, one.counter, one.instance].map(encodeURIComponent).join('/');
}

export function counterOf(key: string): Pick<Counter, 'object' | 'counter' | 'instance'> {
  const [object = '', counter = '', instance = ''] = key.split('/').map(decodeURIComponent);
  return { object, counter, instance };
}

const among = (computers: string[]) => `Perf\n| where Computer in~ (${computers.map(literal).join(', ')})`;

/** Minutes that one point of a chart stands for, so that a chart has some hundred points. */
export function stepMinutes(milliseconds: number | undefined): number {
  const minutes = (milliseconds ?? 86_400_000) / 60_000;
  return [1, 2, 5, 10, 15, 30, 60].find((step) => minutes / step <= 360) ?? 120;
}

/** One chart: a counter of an object with the chosen instances. */
export interface CounterChart {
  title: string;
  object: string;
  counter: string;
  instances: string[];
}

/** Chosen counters by chart: instances of one counter are drawn together. */
export function chartsOf(keys: string[]): CounterChart[] {
  const charts = new Map<string, CounterChart>();
  for (const { object, counter, instance } of keys.map(counterOf)) {
    const title = `${object} · ${counter}`;
    const chart = charts.get(title) ?? { title, object, counter, instances: [] };
    chart.instances.push(instance);
    charts.set(title, chart);
  }
  return [...charts.values()];
}

export function chartQuery(chart: CounterChart, computers: string[], step: number): string {
  const series = computers.length > 1 ? 'iff(InstanceName == "", Computer, strcat(Computer, " ", InstanceName))' : 'iff(InstanceName == "", CounterName, InstanceName)';
  return `${among(computers)}
| where ObjectName == ${literal(chart.object)} and CounterName == ${literal(chart.counter)}
| where InstanceName in (${chart.instances.map(literal).join(', ')})
| summarize Value = avg(CounterValue) by bin(TimeGenerated, ${step}m), Series = ${series}
| order by TimeGenerated asc`;
}

/** Where the values of a chart are read. */
export function valuesPath(of: string, chart: CounterChart, timespan: string, step: number): string {
  const chosen = chart.instances.map((instance): [string, string] => ['instance', instance]);
  const parameters = new URLSearchParams([['timespan', timespan], ['object', chart.object], ['counter', chart.counter], ['minutes', String(step)], ...chosen]);
  return `/api/objects/${segment(of)}/performance/values?${parameters.toString()}`;
}

const first: [string, string, string][] = [
  ['Processor', '% Processor Time', '_Total'],
  ['Memory', '% Used Memory', ''],
  ['Memory', '% Committed Bytes In Use', ''],
  ['Logical Disk', '% Used Space', ''],
  ['LogicalDisk', '% Free Space', ''],
];

/** What is drawn before anybody has chosen: what everyone looks at first, or else the first counter. */
export function firstChoice(counters: Counter[]): string[] {
  const found = counters.filter((one) => first.some(([object, counter, instance]) => one.object === object && one.counter === counter && (instance === '' || one.instance === instance)));
  return (found.length > 0 ? found : counters.slice(0, 1)).map(keyOf);
}
