// A made-up world for looking at the map and for measuring it: tiers of machines whose processes call the next tier.

/** Numbers that look random and are the same every time. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// share of machines, processes that serve (with port) and call, tiers that they call
const tiers = [
  { name: 'lb', share: 0.03, serves: [['haproxy', 443], ['haproxy', 80]], calls: ['web', 'api'] },
  { name: 'web', share: 0.25, serves: [['nginx', 8080]], calls: ['app', 'cache', 'auth'] },
  { name: 'api', share: 0.1, serves: [['node', 3000]], calls: ['app', 'auth', 'queue'] },
  { name: 'app', share: 0.25, serves: [['orders.jar', 9000], ['billing.jar', 9001]], calls: ['db', 'cache', 'queue'] },
  { name: 'auth', share: 0.04, serves: [['keycloak', 8443]], calls: ['db'] },
  { name: 'cache', share: 0.06, serves: [['redis-server', 6379]], calls: [] },
  { name: 'queue', share: 0.05, serves: [['rabbitmq', 5672]], calls: [] },
  { name: 'worker', share: 0.12, serves: [], calls: ['queue', 'db'] },
  { name: 'db', share: 0.1, serves: [['postgres', 5432]], calls: [] },
];
const quiet = ['systemd', 'cron', 'rsyslogd', 'chronyd', 'dbus-daemon', 'watchkeeper-agent'];
const systems = ['Debian GNU/Linux 12 (bookworm)', 'Ubuntu 24.04.1 LTS', 'Rocky Linux 9.4 (Blue Onyx)'];

/** A map of this size in the shape of `GET /api/map`; `processes` and `edges` are reached where the tiers allow. */
export function world({ machines: machineCount, processes: processCount = machineCount * 5, edges: edgeCount = machineCount * 15, seed = 1 }) {
  const next = random(seed);
  const pick = (list) => list[Math.floor(next() * list.length)];
  const to = new Date(Math.floor(Date.now() / 60_000) * 60_000);
  const from = new Date(to.getTime() - 3_600_000);
  const map = { window: { from: from.toISOString(), to: to.toISOString() }, machines: [], processes: [], ports: [], clientGroups: [], portGroups: [], edges: [], machineGroups: [] };
  const byTier = new Map(tiers.map((tier) => [tier.name, []]));
  const most = machineCount < 6 ? ['web', 'app', 'db', 'web', 'cache'] : undefined;
  const numbers = new Map();
  for (let at = 0; at < machineCount; at += 1) {
    let share = 0;
    const tier = most ? tiers.find((one) => one.name === most[at]) : (tiers.find((one) => (share += one.share) > (at + 0.5) / machineCount) ?? tiers.at(-1));
    const number = (numbers.get(tier.name) ?? 0) + 1;
    numbers.set(tier.name, number);
    const name = `${tier.name}-${String(number).padStart(2, '0')}`;
    const luck = next();
    const machine = {
      id: `m-${at}`, name, fullName: `${name}.example.com`, os: 'linux', osName: pick(systems), addresses: [`10.${tiers.indexOf(tier)}.${Math.floor(number / 250)}.${(number % 250) + 1}`],
      monitored: luck < 0.97, lastSeen: to.toISOString(), bootTime: from.toISOString(), health: luck > 0.96 ? null : luck > 0.92 ? 'Error' : luck > 0.84 ? 'Warning' : 'Success', object: null,
      inMaintenance: luck > 0.8 && luck < 0.83, alerts: { critical: luck > 0.92 && luck < 0.96 ? 1 + Math.floor(next() * 3) : 0, warning: luck > 0.84 && luck < 0.93 ? 1 : 0, information: 0 }, workItems: luck > 0.94 && luck < 0.96 ? 1 : 0,
    };
    map.machines.push(machine);
    const served = tier.serves.map(([program, port]) => addProcess(machine, program, port));
    byTier.get(tier.name).push({ machine, served, caller: served[0] ?? addProcess(machine, `${tier.name}.py`), calls: tier.calls });
  }
  const nodes = [...byTier.values()].flat();
  for (let at = 0; map.processes.length < processCount && at < processCount * 2; at += 1) addProcess(nodes[at % nodes.length].machine, quiet[Math.floor(at / nodes.length) % quiet.length]);
  const seen = new Set();
  const maxTries = edgeCount * 20;
  for (let tries = 0; map.edges.length < edgeCount * 0.95 && tries < maxTries; tries += 1) {
    const source = nodes[tries % nodes.length];
    if (source.calls.length === 0) continue;
    const target = pick(byTier.get(pick(source.calls)) ?? []);
    const program = target && pick(target.served);
    const caller = source.served.length > 1 && next() < 0.4 ? source.served[1] : source.caller;
    if (!program || target === source || seen.has(`${caller.id} ${program.id}`)) continue;
    seen.add(`${caller.id} ${program.id}`);
    addEdge(caller.id, program.id, source.machine.id, target.machine.id, program.port, next() < 0.012);
  }
  addOutside();
  return map;

  function addProcess(machine, name, port) {
    const process = { id: `p-${map.processes.length}`, process: `p-${map.processes.length}`, machine: machine.id, name, displayName: name, user: 'app', commandLine: `/opt/${name}`, path: `/opt/${name}`, group: '', role: '', startedAt: from.toISOString(), discovered: false };
    map.processes.push(process);
    if (port) map.ports.push({ id: `port-${map.ports.length}`, machine: machine.id, process: process.id, address: '0.0.0.0', port, protocol: 'tcp' });
    return { id: process.id, port };
  }
  function addEdge(source, target, sourceMachine, targetMachine, port, hasFailures) {
    const bytes = Math.floor(10 ** (3 + next() * 7));
    const established = hasFailures && next() < 0.4 ? 0 : 1 + Math.floor(next() * 4000);
    map.edges.push({
      id: `e-${map.edges.length}`, source, target, sourceMachine, targetMachine, port, protocol: 'tcp', links: { established, terminated: Math.floor(established * 0.9), failed: hasFailures ? 1 + Math.floor(next() * 40) : 0, live: Math.ceil(established * 0.1) },
      bytes: { sent: Math.floor(bytes * 0.2), received: Math.floor(bytes * 0.8) }, responses: established * 3, responseTimeAverage: 1 + next() * 80, responseTimeMax: 300, firstSeen: from.toISOString(), lastSeen: to.toISOString(),
    });
  }
  function addOutside() {
    const front = (byTier.get('lb').length > 0 ? byTier.get('lb') : byTier.get('web'));
    for (const node of front) {
      for (const program of node.served) {
        const id = `cg-${map.clientGroups.length}`;
        const members = 4 + Math.floor(next() * 400);
        map.clientGroups.push({ id, machine: node.machine.id, process: program.id, port: program.port, members, addresses: Array.from({ length: Math.min(50, members) }, (_, i) => `203.0.113.${i + 1}`) });
        addEdge(id, program.id, null, node.machine.id, program.port, false);
      }
    }
    const outside = [[443, ['api.payments.example'], 3], [25, ['mail.example.com'], 1], [53, [], 2]];
    outside.forEach(([port, dnsNames, members], at) => {
      const id = `pg-${at}`;
      map.portGroups.push({ id, port, members, addresses: Array.from({ length: members }, (_, i) => `198.51.100.${at * 10 + i}`), dnsNames });
      const callers = at === 0 ? byTier.get('app') : at === 1 ? byTier.get('worker').slice(0, 3) : nodes.slice(0, 4);
      for (const node of callers.slice(0, 8)) addEdge(node.caller.id, id, node.machine.id, null, port, at === 1);
    });
  }
}
