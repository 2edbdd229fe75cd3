// A map with its lookups: what belongs to what, which edges touch what.
import type { ClientGroup, MapData, MapEdge, MapMachine, MapProcess, PortGroup } from '../../../api/map';

export interface World {
  data: MapData;
  machines: Map<string, MapMachine>;
  processes: Map<string, MapProcess>;
  clientGroups: Map<string, ClientGroup>;
  portGroups: Map<string, PortGroup>;
  /** Processes of each machine. */
  processesOf: Map<string, MapProcess[]>;
  /** Ports that each process listens on, ascending. */
  portsOf: Map<string, number[]>;
  /** Edges by the process, client group or port group at either end. */
  edgesOf: Map<string, MapEdge[]>;
}

export function worldOf(data: MapData): World {
  const world: World = {
    data,
    machines: byId(data.machines),
    processes: byId(data.processes),
    clientGroups: byId(data.clientGroups),
    portGroups: byId(data.portGroups),
    processesOf: new Map(),
    portsOf: new Map(),
    edgesOf: new Map(),
  };
  for (const process of data.processes) push(world.processesOf, process.machine, process);
  for (const port of data.ports) push(world.portsOf, port.process, port.port);
  for (const [process, ports] of world.portsOf) world.portsOf.set(process, [...new Set(ports)].sort((a, b) => a - b));
  for (const edge of data.edges) {
    push(world.edgesOf, edge.source, edge);
    if (edge.target !== edge.source) push(world.edgesOf, edge.target, edge);
  }
  return world;
}

/** The machine that an end of an edge lives on; undefined for client groups and port groups. */
export function machineOf(world: World, end: string): string | undefined {
  return world.processes.get(end)?.machine ?? (world.machines.has(end) ? end : undefined);
}

/** Every edge that touches a machine. */
export function edgesOfMachine(world: World, machine: string): MapEdge[] {
  const edges = (world.processesOf.get(machine) ?? []).flatMap((process) => world.edgesOf.get(process.id) ?? []);
  return [...new Set(edges)];
}

/** What a person calls the end of an edge. */
export function nameOfEnd(world: World, end: string): string {
  const process = world.processes.get(end);
  if (process) return process.displayName || process.name;
  const clients = world.clientGroups.get(end);
  if (clients) return clientsName(clients.members, clients.addresses);
  const servers = world.portGroups.get(end);
  if (servers) return serversName(servers);
  return world.machines.get(end)?.name ?? end;
}

export function clientsName(members: number, addresses: readonly string[]): string {
  return members === 1 && addresses[0] ? addresses[0] : `${members} clients`;
}

export function serversName(servers: PortGroup): string {
  return servers.dnsNames[0] ?? (servers.members === 1 && servers.addresses[0] ? servers.addresses[0] : `${servers.members} servers`);
}

/** Appends to the list of a key. */
export function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

function byId<T extends { id: string }>(items: readonly T[]): Map<string, T> {
  return new Map(items.map((item) => [item.id, item]));
}
