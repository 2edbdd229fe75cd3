// What one thing depends on and what depends on it, up to a number of steps.
import type { MapEdge } from '../../../api/map';
import { machineOf, push, type World } from './world';

export interface Focus {
  /** A machine, a process, a client group or a port group. */
  id: string;
  /** Steps against the direction of connections: who depends on it. */
  upstream: number;
  /** Steps along the direction of connections: what it depends on. */
  downstream: number;
}

export interface Neighbourhood {
  /** Machines and groups within reach, the focused one among them. */
  members: Set<string>;
  /** The edges that lead there; those between two members that are not on a way are left out. */
  edges: MapEdge[];
}

/**
 * Walks from the focus. From a machine the steps go from machine to machine; from a process they go from process to
 * process, so that what other processes of the same machines do stays out.
 */
export function neighbourhood(world: World, focus: Focus): Neighbourhood {
  const byMachine = world.machines.has(focus.id);
  const nodeOf = (end: string) => (byMachine ? (machineOf(world, end) ?? end) : end);
  const forward = new Map<string, MapEdge[]>();
  const backward = new Map<string, MapEdge[]>();
  for (const edge of world.data.edges) {
    push(forward, nodeOf(edge.source), edge);
    push(backward, nodeOf(edge.target), edge);
  }
  const edges = new Set<MapEdge>();
  const nodes = new Set<string>([focus.id]);
  walk(focus.id, focus.downstream, forward, (edge) => nodeOf(edge.target), nodes, edges);
  walk(focus.id, focus.upstream, backward, (edge) => nodeOf(edge.source), nodes, edges);
  const members = new Set([...nodes].map((node) => machineOf(world, node) ?? node));
  return { members, edges: [...edges] };
}

function walk(start: string, steps: number, edgesOf: Map<string, MapEdge[]>, next: (edge: MapEdge) => string, nodes: Set<string>, edges: Set<MapEdge>): void {
  const seen = new Set([start]);
  let front = [start];
  for (let step = 0; step < steps && front.length > 0; step += 1) {
    const following: string[] = [];
    for (const node of front) {
      for (const edge of edgesOf.get(node) ?? []) {
        const other = next(edge);
        edges.add(edge);
        nodes.add(other);
        if (seen.has(other)) continue;
        seen.add(other);
        following.push(other);
      }
    }
    front = following;
  }
}
