// Whose counters are meant: the computers behind objects.
import type { Agent, ManagedObject } from '../../api/management';

/** The computers of the agents that manage these objects, each once. */
export function computersOf(objects: Pick<ManagedObject, 'agentId'>[], agents: Pick<Agent, 'id' | 'computer'>[]): string[] {
  const ids = new Set(objects.map((object) => object.agentId));
  return [...new Set(agents.filter((agent) => ids.has(agent.id)).map((agent) => agent.computer))].sort();
}
