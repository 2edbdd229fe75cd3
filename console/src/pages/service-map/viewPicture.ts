// From a distributed application to what is drawn: its computers as boxes, what runs on them as their rows, who talks to
// whom as lines. The drawing itself is the map's.
import { shortName } from '../../api/management';
import type { ViewDetails, ViewEdge, ViewMember } from '../../api/serviceMap';
import { sizes, type Box, type End, type Link, type Picture } from '../map/graph/picture';

export interface ViewModel {
  picture: Picture;
  /** Every member with the box that it is, or is drawn in. */
  boxOf: ReadonlyMap<string, string>;
  members: ReadonlyMap<string, ViewMember>;
}

const noAlerts = { critical: 0, warning: 0, information: 0 };

/** `open` has the boxes whose rows are drawn; what runs in a closed one is part of its box. */
export function viewModel(view: Pick<ViewDetails, 'object' | 'members' | 'edges'>, open: ReadonlySet<string>): ViewModel {
  const members = new Map(view.members.map((member) => [member.object, member]));
  const boxOf = new Map(view.members.map((member) => [member.object, top(members, member)]));
  const rowsOf = new Map<string, ViewMember[]>();
  for (const member of view.members) {
    const box = boxOf.get(member.object) ?? member.object;
    if (box !== member.object) rowsOf.set(box, [...(rowsOf.get(box) ?? []), member]);
  }
  const boxes = view.members.filter((member) => boxOf.get(member.object) === member.object).map((member) => boxFor(member, rowsOf.get(member.object) ?? [], open.has(member.object), view.edges));
  const opened = new Set(boxes.filter((box) => box.open).map((box) => box.id));
  const endOf = (object: string): End | undefined => {
    const box = boxOf.get(object);
    return box === undefined ? undefined : { box, row: opened.has(box) && object !== box ? object : undefined };
  };
  const links = new Map<string, Link>();
  for (const edge of view.edges) {
    const [source, target] = [endOf(edge.source), endOf(edge.target)];
    if (!source || !target || (source.box === target.box && (source.row === undefined || source.row === target.row))) continue;
    const id = `${source.box}|${source.row ?? ''}>${target.box}|${target.row ?? ''}`;
    const link = links.get(id) ?? { id, source, target, edges: [], established: 1, live: 0, failed: 0, malicious: false, bytes: 0, ports: [] };
    links.set(id, { ...link, failed: link.failed + (edge.failed === true ? 1 : 0), ports: [...new Set([...link.ports, ...edge.ports])].sort((a, b) => a - b) });
  }
  return { picture: { boxes, links: [...links.values()] }, boxOf, members };
}

/** The outermost member that holds this one; itself where none does. An object is not drawn in itself. */
function top(members: ReadonlyMap<string, ViewMember>, member: ViewMember): string {
  const seen = new Set([member.object]);
  let at = member;
  for (;;) {
    const parent = at.parents.map((id) => members.get(id)).find((one) => one !== undefined && !seen.has(one.object));
    // Where objects hold each other in a ring, one of them is the box.
    if (!parent) return at.parents.some((id) => seen.has(id)) ? ([...seen].sort()[0] ?? at.object) : at.object;
    seen.add(parent.object);
    at = parent;
  }
}

function boxFor(member: ViewMember, rows: readonly ViewMember[], isOpen: boolean, edges: readonly ViewEdge[]): Box {
  const open = isOpen && rows.length > 0;
  const isClients = member.class.endsWith('.Clients');
  const size = isClients ? sizes.clients : open ? sizes.openMachine : sizes.machine;
  const isOutside = member.class.endsWith('.ServiceMap.Machine');
  const within = rows.length === 0 ? '' : ` · ${rows.length} ${rows.length === 1 ? 'process' : 'processes'}`;
  return {
    id: member.object, kind: isClients ? 'clients' : 'machine', title: member.name, subtitle: subtitleOf(member, within, edges), parent: undefined, open, canOpen: rows.length > 0,
    rows: open ? [...rows].sort((a, b) => a.name.localeCompare(b.name)).map((row) => ({ id: row.object, title: row.name, ports: portsOf(row.object, edges), health: row.health })) : [],
    quietRows: 0, health: isClients || isOutside ? null : member.health, shares: [], inMaintenance: false, alerts: noAlerts, workItems: 0, malicious: 0, os: '', monitored: !isOutside,
    members: [member.object, ...rows.map((row) => row.object)],
    width: size.width, height: size.height + (open ? rows.length * sizes.row + sizes.rowsEnd : 0),
  };
}

function subtitleOf(member: ViewMember, within: string, edges: readonly ViewEdge[]): string {
  if (member.class.endsWith('.Clients')) {
    const ports = [...new Set(edges.filter((edge) => edge.source === member.object).flatMap((edge) => edge.ports))];
    return ports.length === 0 ? 'Clients' : `port ${ports.slice(0, 3).join(', ')}`;
  }
  const what = member.class.endsWith('.ServiceMap.Machine') ? 'Outside the group' : classWords(member.class);
  return `${what}${within}${member.from === 'person' ? ' · added by hand' : ''}`;
}

function portsOf(object: string, edges: readonly ViewEdge[]): number[] {
  return [...new Set(edges.filter((edge) => edge.target === object).flatMap((edge) => edge.ports))].sort((a, b) => a - b);
}

/** A class by the last part of its name, as people say it: `Microsoft.Unix.Computer` is a Unix computer. */
export function classWords(name: string): string {
  const parts = shortName(name).split('.');
  const words = (parts.at(-1) ?? '').replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
  return words === '' ? '' : words[0]?.toUpperCase() + words.slice(1);
}

export interface Neighbour {
  member: ViewMember;
  ports: number[];
  isCaller: boolean;
}

/** The other ends of a member's lines, and of those of what runs on it; each once. */
export function neighbours(view: Pick<ViewDetails, 'members' | 'edges'>, object: string): Neighbour[] {
  const members = new Map(view.members.map((member) => [member.object, member]));
  const own = new Set(view.members.filter((member) => member.object === object || member.parents.includes(object)).map((member) => member.object));
  const found = new Map<string, Neighbour>();
  for (const edge of view.edges) {
    const isCaller = own.has(edge.target);
    if (isCaller === own.has(edge.source)) continue;
    const member = members.get(isCaller ? edge.source : edge.target);
    if (!member) continue;
    const key = `${String(isCaller)} ${member.object}`;
    const ports = [...new Set([...(found.get(key)?.ports ?? []), ...edge.ports])].sort((a, b) => a - b);
    found.set(key, { member, ports, isCaller });
  }
  return [...found.values()];
}
