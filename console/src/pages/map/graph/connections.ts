// One edge as a row of a table.
import type { MapEdge } from '../../../api/map';
import { machineOf, nameOfEnd, type World } from './world';

export interface ConnectionRow {
  id: string;
  source: string;
  target: string;
  port: number;
  established: number;
  live: number;
  failed: number;
  sent: number;
  received: number;
  /** Mean response time in milliseconds; null without a response. */
  response: number | null;
}

export function connectionRow(world: World, edge: MapEdge): ConnectionRow {
  return {
    id: edge.id,
    source: marked(world, edge, edge.source),
    target: marked(world, edge, edge.target),
    port: edge.port,
    established: edge.links.established,
    live: edge.links.live,
    failed: edge.links.failed,
    sent: edge.bytes.sent,
    received: edge.bytes.received,
    response: edge.responses > 0 ? edge.responseTimeAverage : null,
  };
}

/** With what a table has no colour for. */
function marked(world: World, edge: MapEdge, end: string): string {
  const isMalicious = edge.malicious === true && (world.clientGroups.get(end)?.malicious ?? world.portGroups.get(end)?.malicious ?? 0) > 0;
  return isMalicious ? `${placeOfEnd(world, end)} (malicious)` : placeOfEnd(world, end);
}

/** The end of an edge with its machine: `nginx on web1`. */
export function placeOfEnd(world: World, end: string): string {
  const machine = machineOf(world, end);
  const name = nameOfEnd(world, end);
  return machine === undefined || machine === end ? name : `${name} on ${world.machines.get(machine)?.name ?? machine}`;
}
