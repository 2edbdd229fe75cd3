// How values read on the screen.
import type { Cell } from '../api/logs';

const datetime = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?Z?$/;

/** A cell as text: times in UTC without the letters, JSON compact. */
export function formatCell(cell: Cell | undefined, type: string): string {
  if (cell === null || cell === undefined) return '';
  if (type === 'datetime' && typeof cell === 'string') {
    const parts = datetime.exec(cell);
    if (parts) return `${parts[1]} ${parts[2]}.${(parts[3] ?? '').padEnd(3, '0').slice(0, 3)}`;
  }
  return typeof cell === 'object' ? JSON.stringify(cell) : String(cell);
}

/** What text says as JSON; the text itself where it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Pretty JSON where the value is JSON; the value itself elsewhere. */
export function prettyJson(cell: Cell): string {
  if (typeof cell !== 'string') return JSON.stringify(cell, null, 2);
  try {
    return JSON.stringify(JSON.parse(cell), null, 2);
  } catch {
    return cell;
  }
}

const plain = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });

export function formatNumber(value: number): string {
  return plain.format(value);
}

export function formatCompact(value: number): string {
  return Math.abs(value) < 10_000 ? plain.format(value) : compact.format(value);
}

/** How long ago a time was, for a person. */
export function ago(iso: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - new Date(iso).getTime()) / 1000));
  return Number.isNaN(seconds) ? '' : `${duration(seconds)} ago`;
}

/** Seconds in the largest unit that fits. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** Bytes in the largest binary unit that fits. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  return `${plain.format(bytes / 1024 ** step)} ${units[step] ?? ''}`;
}
