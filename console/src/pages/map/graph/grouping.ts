// Groups of machines for maps too large to show each: by machine group, by the beginning of the name, by subnet.
import type { MapMachine } from '../../../api/map';
import { push, type World } from './world';

/** How a person wants machines grouped; `auto` groups only when there are many. */
export type GroupBy = 'auto' | 'none' | 'machineGroup' | 'prefix' | 'subnet';

export interface Grouping {
  by: Exclude<GroupBy, 'auto'>;
  /** Names of groups by id. */
  names: Map<string, string>;
  /** The group of each machine that is in one. */
  groupOf: Map<string, string>;
}

/** With more machines than this, `auto` groups them. */
export const mostSingleMachines = 80;

/** So many boxes may stand alone beside groups; more are put into a group of their own. */
const mostAlone = 24;

const ungrouped: Grouping = { by: 'none', names: new Map(), groupOf: new Map() };

export function groupMachines(world: World, machines: readonly MapMachine[], by: GroupBy): Grouping {
  if (by === 'none') return ungrouped;
  if (by !== 'auto') return grouped(world, machines, by);
  if (machines.length <= mostSingleMachines) return ungrouped;
  // The one that people made comes first if it covers most machines, otherwise the one with the fewest boxes.
  const tries = (['machineGroup', 'prefix', 'subnet'] as const).map((one) => grouped(world, machines, one));
  const covering = tries.filter((one) => one.groupOf.size >= machines.length / 2 && one.names.size > 1);
  if (covering[0]?.by === 'machineGroup') return covering[0];
  const readable = covering.filter((one) => boxes(one, machines) <= mostSingleMachines);
  return readable[0] ?? [...tries].sort((a, b) => boxes(a, machines) - boxes(b, machines))[0] ?? ungrouped;
}

function boxes(grouping: Grouping, machines: readonly MapMachine[]): number {
  return grouping.names.size + machines.length - grouping.groupOf.size;
}

function grouped(world: World, machines: readonly MapMachine[], by: Grouping['by']): Grouping {
  const members = new Map<string, string[]>();
  if (by === 'machineGroup') {
    const here = new Set(machines.map((machine) => machine.id));
    const taken = new Set<string>();
    for (const group of world.data.machineGroups ?? []) {
      for (const machine of group.machines) {
        if (!here.has(machine) || taken.has(machine)) continue;
        taken.add(machine);
        push(members, group.name, machine);
      }
    }
  } else {
    for (const machine of machines) push(members, by === 'prefix' ? prefixOf(machine.name) : subnetOf(machine.addresses), machine.id);
    // A group of one hides a name and shows nothing more.
    for (const [name, list] of members) if (list.length < 2 || name === '') members.delete(name);
  }
  const grouping: Grouping = { by, names: new Map(), groupOf: new Map() };
  const add = (name: string, list: readonly string[]) => {
    const id = `group:${by}:${name}`;
    grouping.names.set(id, name);
    for (const machine of list) grouping.groupOf.set(machine, id);
  };
  for (const [name, list] of members) add(name, list);
  const alone = machines.filter((machine) => !grouping.groupOf.has(machine.id)).map((machine) => machine.id);
  if (alone.length > mostAlone) add('Other machines', alone);
  return grouping;
}

/** The name without its counting end: `web-01.example.com` is of `web`. */
export function prefixOf(name: string): string {
  const short = name.split('.')[0] ?? name;
  return short.toLowerCase().replace(/[-_]?[0-9]+[a-z]?$/, '').replace(/[-_]+$/, '');
}

/** The /24 or /64 of the first address that is not of the machine itself alone. */
export function subnetOf(addresses: readonly string[]): string {
  const outer = addresses.filter((address) => !/^(127\.|169\.254\.|::1$|fe80:)/i.test(address));
  const four = outer.find((address) => /^\d+\.\d+\.\d+\.\d+$/.test(address));
  if (four) return `${four.split('.').slice(0, 3).join('.')}.0/24`;
  const six = outer.find((address) => address.includes(':'));
  return six ? `${expanded(six).slice(0, 4).join(':')}::/64` : '';
}

/** The eight parts of an IPv6 address, without leading zeros. */
function expanded(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const left = head.split(':').filter((part) => part !== '');
  const right = (tail ?? '').split(':').filter((part) => part !== '');
  const zeros = Array.from({ length: tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length) }, () => '0');
  return [...left, ...zeros, ...right].map((part) => part.toLowerCase().replace(/^0+(?=.)/, ''));
}
