// Windows of time on the map, and the strip that they are chosen on.

export const windowLengths: readonly { minutes: number; label: string }[] = [
  { minutes: 5, label: '5 minutes' },
  { minutes: 15, label: '15 minutes' },
  { minutes: 30, label: '30 minutes' },
  { minutes: 60, label: '1 hour' },
  { minutes: 240, label: '4 hours' },
  { minutes: 720, label: '12 hours' },
  { minutes: 1440, label: '24 hours' },
];

export interface Strip {
  days: number;
  label: string;
  /** How long one bar of its histogram is. */
  binMinutes: number;
}

export const strips: readonly Strip[] = [
  { days: 1, label: 'Last 24 hours', binMinutes: 15 },
  { days: 7, label: 'Last 7 days', binMinutes: 120 },
  { days: 30, label: 'Last 30 days', binMinutes: 480 },
  { days: 90, label: 'Last 90 days', binMinutes: 1440 },
  { days: 365, label: 'Last year', binMinutes: 5760 },
  { days: 730, label: 'Last two years', binMinutes: 11_520 },
];

/** Strips that reach no further back than rows are kept; the first that covers all of it is the last. */
export function stripsWithin(retentionDays: number): Strip[] {
  const end = strips.findIndex((strip) => strip.days >= retentionDays);
  return end < 0 ? [...strips] : strips.slice(0, end + 1);
}

/** Ends of windows on a strip are whole steps: a minute on a day, more on longer ones. */
export function stepMinutes(strip: Strip): number {
  return strip.days <= 1 ? 1 : strip.days <= 7 ? 5 : 15;
}

/** The strip's beginning and end: whole steps, so that they stay while a person moves the slider. */
export function stripRange(strip: Strip, now: number): { from: number; to: number } {
  const step = stepMinutes(strip) * 60_000;
  const to = Math.floor(now / step) * step;
  return { from: to - strip.days * 86_400_000, to };
}

/** A moved window: never beyond now, nor before the strip. */
export function moved(to: number, byMinutes: number, strip: Strip, now: number): number {
  const range = stripRange(strip, now);
  return Math.max(range.from, Math.min(range.to, to + byMinutes * 60_000));
}

/** A time for a person, in the person's zone. */
export function timeText(time: number): string {
  return new Date(time).toLocaleString(undefined, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' });
}
