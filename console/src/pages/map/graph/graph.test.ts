import { describe, expect, it } from 'vitest';
import { machine, smallWorld } from '../testWorld';
import { shownOf } from './filter';
import { neighbourhood } from './focus';
import { groupMachines, prefixOf, subnetOf } from './grouping';
import { pictureOf } from './picture';
import { search } from './search';
import { worldOf } from './world';

const world = worldOf(smallWorld());
const none = { by: 'none', names: new Map(), groupOf: new Map() } as const;
const all = { edges: world.data.edges, members: undefined };
const noFilters = { upstream: 1, downstream: 1, onlyMatches: false, onlyFailed: false, onlyProblems: false, onlyConnected: false };
const lines = (open: string[], shown = all) => pictureOf(world, { ...shown, grouping: none, open: new Set(open) }).links.map((link) => `${link.source.box}/${link.source.row ?? ''} > ${link.target.box}/${link.target.row ?? ''}`).sort();

describe('search', () => {
  it('finds a port as a whole and the process and machine behind it', () => {
    expect(search(world, ':5432')).toEqual(new Set(['p-pg', 'db-01']));
    expect(search(world, '543')).toEqual(new Set());
  });
  it('finds by process, address and machine, and every word narrows', () => {
    expect(search(world, 'nginx')).toEqual(new Set(['p-nginx1', 'web-01', 'p-nginx2', 'web-02']));
    expect(search(world, 'nginx web-02')).toEqual(new Set(['p-nginx2', 'web-02']));
    expect(search(world, 'address:198.51')).toEqual(new Set(['pg-1']));
    expect(search(world, 'machine:nginx')).toEqual(new Set());
    expect(search(world, '  ')).toBeUndefined();
  });
});

describe('focus', () => {
  const near = (id: string, upstream: number, downstream: number) => {
    const found = neighbourhood(world, { id, upstream, downstream });
    return { members: [...found.members].sort(), edges: found.edges.map((one) => one.id).sort() };
  };
  it('goes so many steps each way and leaves the rest out', () => {
    expect(near('app-01', 1, 1)).toEqual({ members: ['app-01', 'db-01', 'pg-1', 'web-01', 'web-02'], edges: ['e-3', 'e-4', 'e-5', 'e-6', 'e-7'] });
    expect(near('app-01', 0, 1).members).toEqual(['app-01', 'db-01', 'pg-1']);
    expect(near('web-01', 1, 2).members).toEqual(['app-01', 'cg-1', 'db-01', 'pg-1', 'web-01']);
  });
  it('from a process follows processes, not what else its machines do', () => {
    expect(near('p-cron', 3, 3)).toEqual({ members: ['app-01', 'db-01'], edges: ['e-7'] });
  });
});

describe('filters', () => {
  it('keeps failed connections with their ends', () => {
    const shown = shownOf(world, undefined, undefined, { ...noFilters, onlyFailed: true });
    expect([...(shown.members ?? [])].sort()).toEqual(['app-01', 'pg-1']);
  });
  it('keeps machines with problems and what they talk to', () => {
    const shown = shownOf(world, undefined, undefined, { ...noFilters, onlyProblems: true });
    expect([...(shown.members ?? [])].sort()).toEqual(['app-01', 'db-01', 'pg-1', 'web-01', 'web-02']);
  });
  it('keeps of a searched port only its own connections', () => {
    const shown = shownOf(world, undefined, search(world, ':5432'), { ...noFilters, onlyMatches: true });
    expect(shown.edges.map((one) => one.id)).toEqual(['e-5', 'e-7']);
  });
  it('hides machines without connections', () => {
    const shown = shownOf(world, undefined, undefined, { ...noFilters, onlyConnected: true });
    expect(shown.members?.has('idle-01')).toBe(false);
    expect(shown.members?.size).toBe(7);
  });
});

describe('picture', () => {
  it('draws closed machines with one line for all between two of them', () => {
    expect(lines([])).toEqual(['app-01/ > db-01/', 'app-01/ > pg-1/', 'clients:443/ > web-01/', 'clients:443/ > web-02/', 'web-01/ > app-01/', 'web-02/ > app-01/']);
  });
  it('ends lines at the processes of opened machines', () => {
    expect(lines(['app-01'])).toContain('app-01/p-cron > db-01/');
    expect(lines(['app-01', 'db-01'])).toContain('app-01/p-app > db-01/p-pg');
  });
  it('adds up what a line stands for', () => {
    const { links, boxes } = pictureOf(world, { ...all, grouping: none, open: new Set() });
    expect(links.find((link) => link.id === 'app-01|>db-01|')).toMatchObject({ established: 20, failed: 0, bytes: 2000, ports: [5432] });
    expect(links.find((link) => link.target.box === 'pg-1')).toMatchObject({ failed: 4, established: 0 });
    // Two servers' clients share one address, so they are four and not five.
    expect(boxes.find((box) => box.id === 'clients:443')).toMatchObject({ title: '4 clients', kind: 'clients' });
    expect(boxes.find((box) => box.id === 'pg-1')).toMatchObject({ title: 'pay.example.net' });
  });
  it('puts the worst health and all alerts on a closed group, and its members inside an opened one', () => {
    const grouping = groupMachines(world, world.data.machines, 'prefix');
    const closed = pictureOf(world, { ...all, grouping, open: new Set() });
    expect(closed.boxes.filter((box) => box.kind === 'group').map((box) => box.subtitle)).toEqual(['2 machines']);
    expect(closed.boxes.some((box) => box.id === 'web-01')).toBe(false);
    const open = pictureOf(world, { ...all, grouping, open: new Set(['group:prefix:web']) });
    expect(open.boxes.find((box) => box.id === 'web-01')?.parent).toBe('group:prefix:web');
  });
});

describe('groups', () => {
  it('go by the beginning of a name or by subnet', () => {
    expect(['web-01', 'WEB12.example.com', 'db2a', 'gateway', 'srv-eu-07'].map(prefixOf)).toEqual(['web', 'web', 'db', 'gateway', 'srv-eu']);
    expect(subnetOf(['127.0.0.1', '10.1.2.3'])).toBe('10.1.2.0/24');
    expect(subnetOf(['fe80::1', '2001:db8:0:7::5'])).toBe('2001:db8:0:7::/64');
    expect(subnetOf([])).toBe('');
  });
  it('are made by themselves only when there are many machines, and then few enough to read', () => {
    expect(groupMachines(world, world.data.machines, 'auto').by).toBe('none');
    const many = Array.from({ length: 1000 }, (_, at) => machine(`tier${at % 20}x-${at}`, { addresses: [`10.0.${at % 200}.${at % 250}`] }));
    const data = { ...smallWorld(), machines: many };
    const grouping = groupMachines(worldOf(data), many, 'auto');
    expect(grouping.names.size).toBe(20);
    expect(grouping.groupOf.size).toBe(1000);
  });
});
