// Time ranges of a query, in the ISO 8601 form that the API takes.

export interface Range {
  label: string;
  timespan: string;
}

export const ranges: readonly Range[] = [
  { label: 'Last 30 minutes', timespan: 'PT30M' },
  { label: 'Last hour', timespan: 'PT1H' },
  { label: 'Last 4 hours', timespan: 'PT4H' },
  { label: 'Last 12 hours', timespan: 'PT12H' },
  { label: 'Last 24 hours', timespan: 'P1D' },
  { label: 'Last 48 hours', timespan: 'P2D' },
  { label: 'Last 3 days', timespan: 'P3D' },
  { label: 'Last 7 days', timespan: 'P7D' },
];

/** Of what changes slowly. */
export const longRanges: readonly Range[] = [
  { label: 'Last 24 hours', timespan: 'P1D' },
  { label: 'Last 7 days', timespan: 'P7D' },
  { label: 'Last 14 days', timespan: 'P14D' },
  { label: 'Last 30 days', timespan: 'P30D' },
  { label: 'Last 60 days', timespan: 'P60D' },
  { label: 'Last 90 days', timespan: 'P90D' },
  { label: 'Last 120 days', timespan: 'P120D' },
];

export const defaultTimespan = 'P1D';

/** What the time picker's button says. */
export function describeTimespan(timespan: string): string {
  const known = [...ranges, ...longRanges].find((range) => range.timespan === timespan);
  if (known) return known.label;
  const [from, to] = timespan.split('/');
  if (from && to) return `${shortTime(from)} – ${shortTime(to)}`;
  return timespan;
}

/** A custom range; undefined unless both ends are times and the end is later. */
export function customTimespan(from: string, to: string): string | undefined {
  const start = new Date(from);
  const end = new Date(to);
  if (Number.isNaN(start.getTime()) || Number.isNaN(end.getTime()) || end <= start) return undefined;
  return `${start.toISOString()}/${end.toISOString()}`;
}

/** The form of a time that a `datetime-local` field takes. */
export function localInput(time: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}T${two(time.getHours())}:${two(time.getMinutes())}`;
}

function shortTime(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime())
    ? iso
    : time.toLocaleString(undefined, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' });
}

/** How long a range of the list lasts; undefined for others. */
export function timespanMilliseconds(timespan: string): number | undefined {
  const parts = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?$/.exec(timespan);
  if (!parts) return undefined;
  const [days, hours, minutes] = parts.slice(1).map((part) => Number(part ?? 0));
  return (((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60_000;
}
