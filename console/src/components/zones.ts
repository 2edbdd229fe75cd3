// Times in forms: the zones that the browser knows, and what `datetime-local` fields hold.

/** The zones of the IANA database. */
export const zones = Intl.supportedValuesOf('timeZone');

export const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

/** A time as an input of local time wants it. */
export function localTime(time: number): string {
  const date = new Date(time - new Date(time).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 16);
}
