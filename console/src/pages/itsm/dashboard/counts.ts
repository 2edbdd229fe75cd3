// From the rows of the dashboard's queries to its numbers and bars.
import type { Row } from '../../../api/logs';
import { shareFragment } from '../../logs/share';
import { listQuery, type Condition } from '../queries';
import type { BarItem, Shade } from './BarList';

export interface Count {
  type: string;
  state: string;
  priority: string;
  isOpen: boolean;
  count: number;
}

export function countsOf(rows: readonly Row[]): Count[] {
  return rows.map((row) => ({ type: String(row['Type']), state: String(row['State'] ?? ''), priority: String(row['Priority'] ?? ''), isOpen: row['IsOpen'] === true || row['IsOpen'] === 1, count: Number(row['Count']) }));
}

export function sumOf(counts: readonly Count[], which: (count: Count) => boolean = () => true): number {
  return counts.reduce((sum, one) => (which(one) ? sum + one.count : sum), 0);
}

/** The Logs page with the records of a condition. */
export function listLink(condition: Condition, timespan: string): string {
  return `/logs${shareFragment({ query: listQuery(condition), timespan })}`;
}

const shadeOfType = (type: string): Shade => (type === 'ChangeRequest' ? 'second' : 'first');

/** Bars by state, priority or type, parted by type; states and types by their numbers, priorities by their names. */
export function barsBy(counts: readonly Count[], by: 'state' | 'priority' | 'type', timespan: string, nameOf: (value: string) => string = (value) => value): BarItem[] {
  const values = [...new Set(counts.map((one) => one[by]))];
  const bars = values.map((value) => {
    const own = counts.filter((one) => one[by] === value);
    const shades = [...new Set(own.map((one) => shadeOfType(one.type)))].sort();
    return { key: value, name: nameOf(value), parts: shades.map((shade) => ({ shade, value: sumOf(own, (one) => shadeOfType(one.type) === shade) })), to: listLink({ [by]: value }, timespan) };
  });
  const total = (bar: BarItem) => bar.parts.reduce((sum, part) => sum + part.value, 0);
  return bars.sort((a, b) => (by === 'priority' ? Number(a.key === '') - Number(b.key === '') || a.key.localeCompare(b.key) : total(b) - total(a) || a.key.localeCompare(b.key)));
}
