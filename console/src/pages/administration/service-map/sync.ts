// A sync in words.
import type { SyncRun } from '../../../api/serviceMap';

const count = (number: number, one: string, many: string) => `${number.toLocaleString()} ${number === 1 ? one : many}`;

/** What a sync brought. */
export function syncWords(sync: Pick<SyncRun, 'servers' | 'machineGroups' | 'processes'>): string {
  return `${count(sync.servers, 'server', 'servers')}, ${count(sync.machineGroups, 'machine group', 'machine groups')} and ${count(sync.processes, 'process', 'processes')} are in step with the map.`;
}

export const outcomeWords: Record<SyncRun['outcome'], string> = { succeeded: 'Succeeded', failed: 'Failed', running: 'Running' };

/** What a machine lacks, for a list. */
export function lackWords(lacks: readonly string[]): string {
  const words: Record<string, string> = { agent: 'agent', approval: 'approval', object: 'object in the group', workspace: 'rows in the workspace' };
  return lacks.map((lack) => words[lack] ?? lack).join(', ');
}
