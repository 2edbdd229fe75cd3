// From a map to what is drawn: boxes with their rows, and one line for all edges between the same two ends.
import type { AlertCounts, MapEdge, MapMachine, MapProcess } from '../../../api/map';
import type { Health } from '../../../api/management';
import type { Grouping } from './grouping';
import { clientsName, machineOf, push, serversName, type World } from './world';

export type BoxKind = 'machine' | 'group' | 'clients' | 'servers';

/** A process in an opened machine. */
export interface Row {
  id: string;
  title: string;
  /** Ports that it listens on. */
  ports: number[];
  /** Of rows that are objects of the management group. */
  health?: Health;
}

export interface Box {
  id: string;
  kind: BoxKind;
  title: string;
  subtitle: string;
  /** The opened group that the box is drawn in. */
  parent: string | undefined;
  open: boolean;
  canOpen: boolean;
  rows: Row[];
  /** Processes without connections, which are counted and not drawn. */
  quietRows: number;
  health: Health | null;
  /** How many of a group's machines are how, the worst first. */
  shares: { health: Health | null; count: number }[];
  inMaintenance: boolean;
  alerts: AlertCounts;
  workItems: number;
  /** Addresses of clients or servers that are known to be malicious. */
  malicious: number;
  /** The operating system's icon. */
  os: string;
  monitored: boolean;
  /** Machines, client groups or port groups that the box stands for. */
  members: string[];
  width: number;
  height: number;
}

/** One end of a line: a box, or one of its rows. */
export interface End {
  box: string;
  row: string | undefined;
}

export interface Link {
  id: string;
  source: End;
  target: End;
  edges: MapEdge[];
  established: number;
  live: number;
  failed: number;
  /** One of the addresses is known to be malicious. */
  malicious: boolean;
  bytes: number;
  ports: number[];
}

export interface Picture {
  boxes: Box[];
  links: Link[];
}

export interface PictureOptions {
  /** Edges to draw; those of the world when nothing is in focus. */
  edges: readonly MapEdge[];
  /** Machines and groups to draw; all when nothing is in focus or filtered. */
  members: ReadonlySet<string> | undefined;
  grouping: Grouping;
  /** Boxes that are open. */
  open: ReadonlySet<string>;
}

export const sizes = {
  machine: { width: 196, height: 46 },
  openMachine: { width: 236, height: 46 },
  group: { width: 212, height: 58 },
  clients: { width: 158, height: 46 },
  servers: { width: 200, height: 46 },
  row: 23,
  rowsEnd: 7,
  /** Around what an opened group holds, and above it for the title. */
  groupPadding: 18,
  groupHead: 40,
} as const;

const healthOrder: readonly Health[] = ['Uninitialized', 'Success', 'Warning', 'Error'];

export function pictureOf(world: World, { edges, members, grouping, open }: PictureOptions): Picture {
  const boxes = new Map<string, Box>();
  const shown = (id: string) => members === undefined || members.has(id);
  const busy = new Set(edges.flatMap((edge) => [edge.source, edge.target]));
  const grouped = new Map<string, MapMachine[]>();
  for (const machine of world.data.machines) {
    if (!shown(machine.id)) continue;
    const group = grouping.groupOf.get(machine.id);
    if (group !== undefined) push(grouped, group, machine);
    if (group === undefined || open.has(group)) boxes.set(machine.id, machineBox(world, machine, group, open.has(machine.id), busy));
  }
  for (const [id, machines] of grouped) boxes.set(id, groupBox(id, grouping.names.get(id) ?? id, machines, open.has(id)));

  const endOf = (id: string): End | undefined => {
    const machine = machineOf(world, id);
    if (machine === undefined) return outsideEnd(world, id, boxes, shown);
    const box = boxes.get(machine);
    if (!box) {
      const group = grouping.groupOf.get(machine);
      return group !== undefined && boxes.has(group) && shown(machine) ? { box: group, row: undefined } : undefined;
    }
    return { box: machine, row: box.open && id !== machine ? id : undefined };
  };
  const links = new Map<string, Link>();
  for (const edge of edges) {
    const source = endOf(edge.source);
    const target = endOf(edge.target);
    if (!source || !target) continue;
    // What happens inside a closed box is not seen from outside.
    if (source.box === target.box && (source.row === undefined || source.row === target.row)) continue;
    const id = `${source.box}|${source.row ?? ''}>${target.box}|${target.row ?? ''}`;
    const link = links.get(id);
    if (link) addEdge(link, edge);
    else links.set(id, addEdge({ id, source, target, edges: [], established: 0, live: 0, failed: 0, malicious: false, bytes: 0, ports: [] }, edge));
  }
  for (const link of links.values()) link.ports = [...new Set(link.edges.map((edge) => edge.port))].sort((a, b) => a - b);
  return { boxes: [...boxes.values()], links: [...links.values()] };
}

function addEdge(link: Link, edge: MapEdge): Link {
  link.edges.push(edge);
  link.established += edge.links.established;
  link.live += edge.links.live;
  link.failed += edge.links.failed;
  link.malicious ||= edge.malicious ?? false;
  link.bytes += edge.bytes.sent + edge.bytes.received;
  return link;
}

const noAlerts: AlertCounts = { critical: 0, warning: 0, information: 0 };

function machineBox(world: World, machine: MapMachine, group: string | undefined, open: boolean, busy: ReadonlySet<string>): Box {
  const processes = world.processesOf.get(machine.id) ?? [];
  const rows = open ? rowsOf(world, processes, busy) : [];
  const quietRows = open ? processes.length - rows.length : 0;
  const lines = rows.length + (quietRows > 0 ? 1 : 0);
  const size = open ? sizes.openMachine : sizes.machine;
  const about = [osName(machine), `${processes.length} ${processes.length === 1 ? 'process' : 'processes'}`];
  return {
    id: machine.id, kind: 'machine', title: machine.name, subtitle: machine.monitored ? about.join(' · ') : 'no agent',
    parent: group, open, canOpen: processes.length > 0, rows, quietRows,
    health: machine.health ?? null, shares: [], inMaintenance: machine.inMaintenance ?? false, alerts: machine.alerts ?? noAlerts,
    workItems: machine.workItems ?? 0, malicious: 0, os: machine.os, monitored: machine.monitored, members: [machine.id],
    width: size.width, height: size.height + (open ? Math.max(1, lines) * sizes.row + sizes.rowsEnd : 0),
  };
}

/** Processes that talk or listen, those that talk first; the others are only counted. */
function rowsOf(world: World, processes: readonly MapProcess[], busy: ReadonlySet<string>): Row[] {
  const row = (process: MapProcess): Row => ({ id: process.id, title: process.displayName || process.name, ports: world.portsOf.get(process.id) ?? [] });
  const byTitle = (a: Row, b: Row) => a.title.localeCompare(b.title) || a.id.localeCompare(b.id);
  const talking = processes.filter((process) => busy.has(process.id)).map(row).sort(byTitle);
  const listening = processes.filter((process) => !busy.has(process.id) && world.portsOf.has(process.id)).map(row).sort(byTitle);
  return [...talking, ...listening];
}

function osName(machine: MapMachine): string {
  const name = machine.osName.replace(/^Microsoft /, '').replace('GNU/Linux ', '').replace(/ \([a-z]+\)$/i, '').trim();
  return name || (machine.os ? machine.os[0]?.toUpperCase() + machine.os.slice(1) : 'Unknown system');
}

function groupBox(id: string, name: string, machines: readonly MapMachine[], open: boolean): Box {
  const health = machines.map((machine) => machine.health ?? null).filter((one): one is Health => one !== null);
  const sum = (count: (alerts: AlertCounts) => number) => machines.reduce((total, machine) => total + count(machine.alerts ?? noAlerts), 0);
  return {
    id, kind: 'group', title: name, subtitle: `${machines.length} machines`, parent: undefined, open, canOpen: true, rows: [], quietRows: 0,
    health: health.length === 0 ? null : health.reduce((worst, one) => (healthOrder.indexOf(one) > healthOrder.indexOf(worst) ? one : worst)),
    shares: ([...healthOrder].reverse() as (Health | null)[]).concat(null).map((one) => ({ health: one, count: machines.filter((machine) => (machine.health ?? null) === one).length })),
    inMaintenance: machines.length > 0 && machines.every((machine) => machine.inMaintenance ?? false),
    alerts: { critical: sum((alerts) => alerts.critical), warning: sum((alerts) => alerts.warning), information: sum((alerts) => alerts.information) },
    workItems: machines.reduce((total, machine) => total + (machine.workItems ?? 0), 0),
    malicious: 0, os: '', monitored: true, members: machines.map((machine) => machine.id), ...sizes.group,
  };
}

/** The box of a client group or a port group, made when the first edge needs it; clients of one port share a box. */
function outsideEnd(world: World, id: string, boxes: Map<string, Box>, shown: (id: string) => boolean): End | undefined {
  const clients = world.clientGroups.get(id);
  const servers = world.portGroups.get(id);
  if ((!clients && !servers) || !shown(id)) return undefined;
  const key = clients ? `clients:${clients.port}` : id;
  let box = boxes.get(key);
  if (!box) {
    box = {
      id: key, kind: clients ? 'clients' : 'servers', title: '', subtitle: `port ${clients?.port ?? servers?.port ?? ''}`,
      parent: undefined, open: false, canOpen: false, rows: [], quietRows: 0, health: null, shares: [], inMaintenance: false, alerts: noAlerts,
      workItems: 0, malicious: 0, os: '', monitored: false, members: [], ...(clients ? sizes.clients : sizes.servers),
    };
    boxes.set(key, box);
  }
  if (!box.members.includes(id)) {
    box.members.push(id);
    box.title = clients ? clientsTitle(world, box.members) : servers ? serversName(servers) : '';
    // clients of several ports may be the same ones: the largest known number is told
    box.malicious = Math.max(box.malicious, clients?.malicious ?? servers?.malicious ?? 0);
    if (servers && servers.members > 1) box.subtitle = `port ${servers.port} · ${servers.members} servers`;
  }
  return { box: key, row: undefined };
}

/** Clients of several servers may be the same ones, so the largest known number is told. */
function clientsTitle(world: World, groups: readonly string[]): string {
  const found = groups.flatMap((id) => world.clientGroups.get(id) ?? []);
  const addresses = new Set(found.flatMap((group) => group.addresses));
  return clientsName(Math.max(addresses.size, ...found.map((group) => group.members)), [...addresses]);
}
