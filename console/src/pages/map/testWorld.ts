// A small world for the tests: clients → web → app → db, and a payment service outside.
import type { MapData, MapEdge, MapMachine, MapProcess } from '../../api/map';

export function machine(id: string, more: Partial<MapMachine> = {}): MapMachine {
  return { id, name: id, fullName: `${id}.example.com`, os: 'linux', osName: 'Debian GNU/Linux 12 (bookworm)', addresses: ['10.0.0.1'], monitored: true, lastSeen: '', bootTime: null, ...more };
}

export function edge(id: string, source: string, target: string, port: number, more: Partial<MapEdge> = {}): MapEdge {
  return {
    id, source, target, sourceMachine: null, targetMachine: null, port, protocol: 'tcp', links: { established: 10, terminated: 8, failed: 0, live: 2 }, bytes: { sent: 100, received: 900 },
    responses: 10, responseTimeAverage: 2, responseTimeMax: 5, firstSeen: '', lastSeen: '', ...more,
  };
}

export function process(id: string, machineId: string, name: string): MapProcess {
  return { id, process: id, machine: machineId, name, displayName: name, user: '', commandLine: '', path: '', group: '', role: '', startedAt: null, discovered: false };
}

export function smallWorld(): MapData {
  return {
    window: { from: '2026-01-01T00:00:00Z', to: '2026-01-01T01:00:00Z' },
    machines: [machine('web-01', { addresses: ['10.0.1.1'] }), machine('web-02', { addresses: ['10.0.1.2'] }), machine('app-01', { addresses: ['10.0.2.1'], health: 'Error' }), machine('db-01', { addresses: ['10.0.3.1'] }), machine('idle-01', { addresses: ['10.0.4.1'] })],
    processes: [process('p-nginx1', 'web-01', 'nginx'), process('p-nginx2', 'web-02', 'nginx'), process('p-app', 'app-01', 'orders.jar'), process('p-cron', 'app-01', 'cron'), process('p-pg', 'db-01', 'postgres')],
    ports: [{ id: 'port-1', machine: 'db-01', process: 'p-pg', address: '0.0.0.0', port: 5432, protocol: 'tcp' }, { id: 'port-2', machine: 'web-01', process: 'p-nginx1', address: '0.0.0.0', port: 443, protocol: 'tcp' }],
    clientGroups: [
      { id: 'cg-1', machine: 'web-01', process: 'p-nginx1', port: 443, members: 3, addresses: ['203.0.113.1', '203.0.113.2', '203.0.113.3'] },
      { id: 'cg-2', machine: 'web-02', process: 'p-nginx2', port: 443, members: 2, addresses: ['203.0.113.3', '203.0.113.4'] },
    ],
    portGroups: [{ id: 'pg-1', port: 8443, members: 1, addresses: ['198.51.100.7'], dnsNames: ['pay.example.net'] }],
    edges: [
      edge('e-1', 'cg-1', 'p-nginx1', 443), edge('e-2', 'cg-2', 'p-nginx2', 443), edge('e-3', 'p-nginx1', 'p-app', 9000), edge('e-4', 'p-nginx2', 'p-app', 9000),
      edge('e-5', 'p-app', 'p-pg', 5432), edge('e-6', 'p-app', 'pg-1', 8443, { links: { established: 0, terminated: 0, failed: 4, live: 0 } }), edge('e-7', 'p-cron', 'p-pg', 5432),
    ],
  };
}
