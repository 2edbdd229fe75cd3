// Words and times that the pages of service desks share.
import type { ItsmConnection, WorkItemImport } from '../../api/itsm';
import { duration, formatCell, formatNumber } from '../../components/format';

export const statusWords: Record<ItsmConnection['status'], string> = { connected: 'Connected', failed: 'Failed', synchronizing: 'Synchronizing', waiting: 'Waits for its first sync' };

export const statusColours = { connected: 'success', failed: 'danger', synchronizing: 'brand', waiting: 'informative' } as const;

/** A time to the second, in UTC. */
export const time = (text: string | null) => (text ? formatCell(text, 'datetime').slice(0, 19) : '');

/** How long it is until a time. */
export function until(iso: string | null, now: number): string {
  if (!iso) return '';
  const seconds = (new Date(iso).getTime() - now) / 1000;
  return seconds <= 1 ? 'now' : `in ${duration(seconds)}`;
}

export const typeWords: Record<string, string> = { Incident: 'Incidents', ChangeRequest: 'Change requests' };

/** How far the import of a type is, and as a part of one where that is known. */
export function importWords(one: WorkItemImport): { text: string; part: number | undefined } {
  if (one.complete) return { text: `all read${one.upTo ? `, up to ${time(one.upTo)}` : ''}`, part: 1 };
  if (one.total === 0) return { text: one.done > 0 ? `${formatNumber(one.done)} read` : 'not read yet', part: one.done > 0 ? undefined : 0 };
  return { text: `${formatNumber(one.done)} of ${formatNumber(one.total)} read`, part: Math.min(1, one.done / one.total) };
}
