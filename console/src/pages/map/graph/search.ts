// Finding machines, processes, ports and addresses by what a person types.
import { push, type World } from './world';

/** What a word of the search may look at. */
type Field = 'machine' | 'process' | 'port' | 'address';

interface Term {
  field: Field | undefined;
  text: string;
}

const fields: readonly Field[] = ['machine', 'process', 'port', 'address'];

/** Words of a search; `port:443`, `:443`, `machine:web`, `process:nginx`, `address:10.0` look at one thing only. */
export function termsOf(text: string): Term[] {
  return text.trim().toLowerCase().split(/\s+/).filter((word) => word !== '').map((word): Term => {
    const named = fields.find((field) => word.startsWith(`${field}:`));
    if (named) return { field: named, text: word.slice(named.length + 1) };
    return /^:\d+$/.test(word) ? { field: 'port', text: word.slice(1) } : { field: undefined, text: word };
  }).filter((term) => term.text !== '');
}

/**
 * Ids of machines, processes, client groups and port groups that match every word; undefined without a word.
 * A process matches by its own name or ports, or because a word fits its machine; a machine matches by itself or
 * through one of its processes.
 */
export function search(world: World, text: string): Set<string> | undefined {
  const terms = termsOf(text);
  if (terms.length === 0) return undefined;
  const found = new Set<string>();
  const portsUsed = new Map<string, number[]>();
  for (const edge of world.data.edges) push(portsUsed, edge.target, edge.port);
  for (const machine of world.data.machines) {
    const own = { machine: [machine.name, machine.fullName], address: machine.addresses };
    if (terms.every((term) => fits(term, own))) found.add(machine.id);
    for (const process of world.processesOf.get(machine.id) ?? []) {
      const ports = [...(world.portsOf.get(process.id) ?? []), ...(portsUsed.get(process.id) ?? [])];
      const names = [process.name, process.displayName, process.group];
      if (!terms.some((term) => fits(term, { process: names, port: ports.map(String) }))) continue;
      if (!terms.every((term) => fits(term, { ...own, process: names, port: ports.map(String) }))) continue;
      found.add(process.id);
      found.add(machine.id);
    }
  }
  for (const group of world.data.clientGroups) {
    if (terms.every((term) => fits(term, { address: group.addresses, port: [String(group.port)] }))) found.add(group.id);
  }
  for (const group of world.data.portGroups) {
    if (terms.every((term) => fits(term, { address: [...group.addresses, ...group.dnsNames], port: [String(group.port)] }))) found.add(group.id);
  }
  return found;
}

function fits(term: Term, texts: Partial<Record<Field, readonly string[]>>): boolean {
  return fields.some((field) => {
    if (term.field !== undefined && term.field !== field) return false;
    // A port is meant as a whole: 80 is not 8080.
    if (field === 'port') return (texts.port ?? []).includes(term.text);
    return (texts[field] ?? []).some((text) => text.toLowerCase().includes(term.text));
  });
}
