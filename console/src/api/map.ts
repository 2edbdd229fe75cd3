// The map of a workspace: machines, their processes and ports, and who talks to whom in a window of time.
import { useRef } from 'react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { request } from './client';
import type { Health } from './management';
import { useWorkspace } from './session';

export interface AlertCounts {
  critical: number;
  warning: number;
  information: number;
}

export interface MapMachine {
  id: string;
  name: string;
  fullName: string;
  os: string;
  osName: string;
  addresses: string[];
  /** Reports by an agent of its own; otherwise it is known from the connections of others alone. */
  monitored: boolean;
  lastSeen: string;
  bootTime: string | null;
  /** Null where the management group has no object of this name. */
  health?: Health | null;
  /** The object of the management group that has this health. */
  object?: string | null;
  inMaintenance?: boolean;
  alerts?: AlertCounts;
  workItems?: number;
}

export interface MapProcess {
  id: string;
  /** Its name in the tables, unique within its machine. */
  process: string;
  machine: string;
  name: string;
  displayName: string;
  user: string;
  commandLine: string;
  path: string;
  group: string;
  /** What it serves as: a web server, a database server. */
  role: string;
  startedAt: string | null;
  /** Only concluded from what others report of it. */
  discovered: boolean;
}

export interface MapPort {
  id: string;
  machine: string;
  process: string;
  address: string;
  port: number;
  protocol: string;
}

/** What is known of an address outside, from files that an administrator provides; empty texts are not known. */
export interface RemoteEnd {
  country: string;
  state: string;
  city: string;
  /** Null where it is not in the list of threats. */
  threat: {
    kind: string;
    description: string;
    tlpLevel: string;
    /** 0 to 100; empty: not said. */
    confidence: string;
    /** 0 to 5, the most severe. */
    severity: number;
    firstReported: string;
    lastReported: string;
    /** Whether the indicator still holds. */
    isActive: boolean;
    link: string;
    more: string;
  } | null;
}

/** Those without an agent that connect to one port of a process. */
export interface ClientGroup {
  id: string;
  machine: string;
  process: string;
  port: number;
  members: number;
  /** So many of them are known to be malicious. */
  malicious?: number;
  /** The first of them, malicious ones before the others. */
  addresses: string[];
}

/** Servers without an agent that are reached at one port. */
export interface PortGroup {
  id: string;
  port: number;
  members: number;
  malicious?: number;
  addresses: string[];
  dnsNames: string[];
}

export interface MapEdge {
  id: string;
  /** A process or a client group. */
  source: string;
  /** A process or a port group. */
  target: string;
  sourceMachine: string | null;
  targetMachine: string | null;
  port: number;
  protocol: string;
  links: { established: number; terminated: number; failed: number; live: number };
  /** One of its ends has an address that is known to be malicious. */
  malicious?: boolean;
  /** As the source sees them: sent is from source to target. */
  bytes: { sent: number; received: number };
  responses: number;
  /** Milliseconds. */
  responseTimeAverage: number;
  /** Milliseconds. */
  responseTimeMax: number;
  firstSeen: string;
  lastSeen: string;
}

/** A group of machines that somebody made. */
export interface MachineGroup {
  id: string;
  name: string;
  machines: string[];
}

export interface MapData {
  window: { from: string; to: string };
  machines: MapMachine[];
  processes: MapProcess[];
  ports: MapPort[];
  clientGroups: ClientGroup[];
  portGroups: PortGroup[];
  edges: MapEdge[];
  machineGroups?: MachineGroup[];
  /** By address: those of client groups and port groups of which something is known. */
  remotes?: Record<string, RemoteEnd>;
}

/** How often a live map is read again: a connection is a row within a minute and its line follows at once. */
const refresh = { shortest: 3_000, longest: 20_000 };

/** Reading a live map takes at most a tenth of the time, so that large maps do not keep the server busy. */
export function refreshAfter(milliseconds: number) {
  return Math.min(Math.max(10 * milliseconds, refresh.shortest), refresh.longest);
}

/** The map of the `minutes` before `to`; without `to` it follows the clock. `within` names a group: its machines, and what they talk to. */
export function useMap(minutes: number, to: string | undefined, within?: string) {
  const workspace = useWorkspace();
  const took = useRef(0);
  return useQuery({
    queryKey: ['map', workspace.id, minutes, to, within],
    placeholderData: keepPreviousData,
    refetchInterval: () => (to === undefined ? refreshAfter(took.current) : false),
    staleTime: to === undefined ? 0 : 300_000,
    queryFn: async ({ signal }): Promise<MapData> => {
      const end = to === undefined ? Date.now() : Date.parse(to);
      const window = new URLSearchParams({ from: new Date(end - minutes * 60_000).toISOString(), to: new Date(end).toISOString(), ...(within === undefined ? {} : { group: within }) });
      const began = performance.now();
      const map = (await request<MapData>(`/api/map?${window.toString()}`, { signal })) as MapData;
      took.current = performance.now() - began;
      return map;
    },
  });
}
