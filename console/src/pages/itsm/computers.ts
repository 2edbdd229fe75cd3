// Which machine a work item or an alert is about, when it names its computer. A name without a domain and one with any
// are the same, two domains differ; what could be several machines is none.

export interface NamedMachine {
  id: string;
  name: string;
  fullName: string;
}

const firstLabel = (name: string) => name.split('.')[0] ?? name;

/** Finds machines by what others call them. */
export function machineFinder(machines: readonly NamedMachine[]): (computer: string) => string | undefined {
  const whole = new Map<string, string>();
  /** By the name up to the first dot; undefined where several machines have it. */
  const short = new Map<string, string | undefined>();
  for (const machine of machines) {
    for (const name of new Set([machine.name.toLowerCase(), machine.fullName.toLowerCase()].filter((one) => one !== ''))) {
      whole.set(name, machine.id);
      const label = firstLabel(name);
      short.set(label, short.has(label) && short.get(label) !== machine.id ? undefined : machine.id);
    }
  }
  const withDomain = new Set(machines.filter((machine) => machine.fullName.includes('.') || machine.name.includes('.')).map((machine) => machine.id));
  return (computer) => {
    const name = computer.toLowerCase();
    const found = whole.get(name);
    if (found !== undefined || !name.includes('.')) return found ?? short.get(name);
    const bare = short.get(firstLabel(name));
    return bare === undefined || withDomain.has(bare) ? undefined : bare;
  };
}

/** How many different work items each machine has: those that the desks say are open, and tickets of open alerts. */
export function workItemCounts(machines: readonly (NamedMachine & { workItems?: number })[], items: readonly { id: string; computer: string }[], tickets: readonly { ticketId: string; computer: string }[]): Map<string, number> {
  const find = machineFinder(machines);
  const byMachine = new Map<string, Set<string>>();
  const add = (computer: string, id: string) => {
    const machine = find(computer);
    if (machine !== undefined && id !== '') byMachine.set(machine, (byMachine.get(machine) ?? new Set()).add(id));
  };
  for (const item of items) add(item.computer, item.id);
  const withItems = new Set(byMachine.keys());
  for (const ticket of tickets) add(ticket.computer, ticket.ticketId);
  // of a machine without items the server's own number is as good
  return new Map(machines.map((machine) => [machine.id, withItems.has(machine.id) ? (byMachine.get(machine.id)?.size ?? 0) : (machine.workItems ?? 0)]));
}
