// How a shipped pack stands to what is imported.
import type { ShippedPack } from '../../api/management';

/** `newer`: this server has a newer one than is imported; `ahead`: the imported one is newer. */
export type ShippedStatus = 'offered' | 'imported' | 'newer' | 'ahead';

export const shippedWords: Record<ShippedStatus, string> = { offered: 'Not imported', imported: 'Imported', newer: 'Newer version offered', ahead: 'A newer one is imported' };

/** Compares versions of up to four numbers: below zero where the first is older. */
export function compareVersions(one: string, other: string): number {
  const parts = (version: string) => version.split('.').map(Number);
  const [left, right] = [parts(one), parts(other)];
  for (let at = 0; at < 4; at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function shippedStatus(pack: ShippedPack): ShippedStatus {
  if (pack.importedVersion === null) return 'offered';
  const order = compareVersions(pack.importedVersion, pack.version);
  return order < 0 ? 'newer' : order > 0 ? 'ahead' : 'imported';
}

/** Whether importing it changes anything. */
export function offers(pack: ShippedPack): boolean {
  const status = shippedStatus(pack);
  return status === 'offered' || status === 'newer';
}
