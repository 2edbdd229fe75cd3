// Every operation of the Service Map API by the Azure SDK for JavaScript. Reads its settings as JSON from standard input,
// prints what it found as JSON.
import { readFileSync } from 'node:fs';
import { ClientSecretCredential } from '@azure/identity';
import { ServicemapManagementClient } from '@azure/arm-servicemap';

const { url, tenant, client: application, secret, subscription, group, workspace, start, end } = JSON.parse(readFileSync(0, 'utf8'));
const credential = new ClientSecretCredential(tenant, application, secret, { authorityHost: url, disableInstanceDiscovery: true });
const client = new ServicemapManagementClient(credential, subscription, { baseUri: url, credentialScopes: `${url}/.default` });
const window = { startTime: new Date(start), endTime: new Date(end) };

/** All pages of a list. */
async function all(first, next) {
  const found = [];
  for (let page = await first; ; page = await next(page.nextLink)) {
    found.push(...page);
    if (!page.nextLink) return found;
  }
}

const { machines, processes, ports, clientGroups, machineGroups, maps, summaries } = client;
const found = {};
const listed = await all(machines.listByWorkspace(group, workspace, { live: false, ...window, top: 2 }), (link) => machines.listByWorkspaceNext(link));
found.machines = listed.map((machine) => machine.computerName).sort();
const machine = listed.find((one) => one.computerName.startsWith('app2'));
found.machine = (await machines.get(group, workspace, machine.name, { timestamp: window.endTime })).networking.ipv4Interfaces.map((one) => one.ipAddress).sort();
found.live = (await machines.getLiveness(group, workspace, machine.name, window)).live;
const own = await all(machines.listProcesses(group, workspace, machine.name, { live: false, ...window }), (link) => machines.listProcessesNext(link));
found.processes = own.map((process) => process.displayName).sort();
found.ports = (await all(machines.listPorts(group, workspace, machine.name, window), (link) => machines.listPortsNext(link))).map((port) => port.portNumber).sort();
found.connections = (await all(machines.listConnections(group, workspace, machine.name, window), (link) => machines.listConnectionsNext(link))).length;
const java = own.find((process) => process.executableName === 'java');
found.process = (await processes.get(group, workspace, machine.name, java.name, { timestamp: window.endTime })).executableName;
found.processLive = (await processes.getLiveness(group, workspace, machine.name, java.name, window)).live;
const [accepting] = await all(processes.listAcceptingPorts(group, workspace, machine.name, java.name, window), (link) => processes.listAcceptingPortsNext(link));
found.accepting = accepting.portNumber;
found.processConnections = (await all(processes.listConnections(group, workspace, machine.name, java.name, window), (link) => processes.listConnectionsNext(link))).length;
found.portLive = (await ports.getLiveness(group, workspace, machine.name, accepting.name, window)).live;
found.acceptors = (await all(ports.listAcceptingProcesses(group, workspace, machine.name, accepting.name, window), (link) => ports.listAcceptingProcessesNext(link))).map((process) => process.displayName);
found.summary = (await summaries.getMachines(group, workspace, window)).total;

const made = await machineGroups.create(group, workspace, { kind: 'machineGroup', displayName: 'Shop', groupType: 'unknown', machines: [{ kind: 'ref:machine', id: machine.id }] });
found.group = made.displayName;
found.groups = (await all(machineGroups.listByWorkspace(group, workspace, window), (link) => machineGroups.listByWorkspaceNext(link))).map((one) => one.displayName);
found.membership = (await all(machines.listMachineGroupMembership(group, workspace, machine.name, window), (link) => machines.listMachineGroupMembershipNext(link))).map((one) => one.displayName);
const changed = await machineGroups.update(group, workspace, made.name, { ...made, displayName: 'The shop' });
found.changed = changed.displayName;

const single = await maps.generate(group, workspace, { kind: 'map:single-machine-dependency', machineId: machine.id, ...window });
found.edges = single.map.edges.connections.length;
found.kinds = Object.keys(single.map.nodes).filter((kind) => Array.isArray(single.map.nodes[kind])).sort();
const several = await maps.generate(group, workspace, { kind: 'map:machine-list-dependency', machineIds: listed.map((one) => one.id), ...window });
found.all = several.map.nodes.machines.length;
const ofGroup = await maps.generate(group, workspace, { kind: 'map:machine-group-dependency', machineGroupId: made.id, ...window });
found.ofGroup = ofGroup.map.nodes.machines.length;
const outside = several.map.nodes.clientGroups?.[0];
if (outside) {
  const name = outside.name ?? outside.id.split('/').at(-1);
  found.clients = (await clientGroups.getMembersCount(group, workspace, name, window)).count;
  found.members = (await all(clientGroups.listMembers(group, workspace, name, window), (link) => clientGroups.listMembersNext(link))).map((member) => member.ipAddress).sort();
}
await machineGroups.deleteMethod(group, workspace, made.name);
try {
  await machineGroups.get(group, workspace, made.name, window);
} catch (error) {
  found.gone = [error.statusCode, error.code ?? error.body?.error?.code];
}
console.log(JSON.stringify(found));
