// The map as tables: the same machines and connections, for reading, sorting, and for those who cannot see the drawing.
import { makeStyles, Subtitle2, tokens } from '@fluentui/react-components';
import type { ColDef, ICellRendererParams } from 'ag-grid-community';
import { useMemo } from 'react';
import type { Health } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { formatBytes } from '../../components/format';
import { HealthIcon, healthRank, healthWords } from '../../components/HealthIcon';
import { connectionRow, type ConnectionRow } from './graph/connections';
import type { Shown } from './graph/filter';
import { machineOf, type World } from './graph/world';

const useStyles = makeStyles({
  page: { height: '100%', display: 'flex', flexDirection: 'column', minHeight: '560px' },
  part: { flex: 1, minHeight: '220px', display: 'flex', flexDirection: 'column' },
  title: { padding: '8px 14px 4px', color: tokens.colorNeutralForeground1 },
  grid: { flex: 1, minHeight: 0 },
});

interface MachineRow {
  id: string;
  name: string;
  health: Health | null;
  inMaintenance: boolean;
  os: string;
  addresses: string;
  processes: number;
  incoming: number;
  outgoing: number;
  failed: number;
  bytes: number;
  alerts: number;
}

const machineColumns: ColDef<MachineRow>[] = [
  { field: 'name', headerName: 'Machine', flex: 2, minWidth: 150, initialSort: 'asc' },
  {
    field: 'health', headerName: 'Health', width: 140,
    valueGetter: ({ data }) => (data?.health ? healthWords[data.health] : ''),
    comparator: (_a, _b, left, right) => healthRank[left.data?.health ?? 'Uninitialized'] - healthRank[right.data?.health ?? 'Uninitialized'],
    cellRenderer: ({ data }: ICellRendererParams<MachineRow>) => data?.health && <HealthIcon health={data.health} inMaintenance={data.inMaintenance} />,
  },
  { field: 'alerts', headerName: 'Alerts', width: 90, filter: 'agNumberColumnFilter' },
  { field: 'os', headerName: 'Operating system', flex: 1, minWidth: 130 },
  { field: 'addresses', headerName: 'Addresses', flex: 1, minWidth: 120 },
  { field: 'processes', headerName: 'Processes', width: 110, filter: 'agNumberColumnFilter' },
  { field: 'incoming', headerName: 'Callers', width: 100, filter: 'agNumberColumnFilter', headerTooltip: 'Processes and clients that connect to it' },
  { field: 'outgoing', headerName: 'Depends on', width: 115, filter: 'agNumberColumnFilter', headerTooltip: 'Processes and servers that it connects to' },
  { field: 'failed', headerName: 'Failed', width: 90, filter: 'agNumberColumnFilter' },
  { field: 'bytes', headerName: 'Traffic', width: 110, filter: 'agNumberColumnFilter', valueFormatter: ({ value }) => formatBytes(Number(value)) },
];

/** Columns of connections, which a panel shows too. */
export const connectionColumns: ColDef<ConnectionRow>[] = [
  { field: 'source', headerName: 'From', flex: 2, minWidth: 120 },
  { field: 'target', headerName: 'To', flex: 2, minWidth: 120 },
  { field: 'port', headerName: 'Port', width: 85, filter: 'agNumberColumnFilter' },
  { field: 'established', headerName: 'Made', width: 90, filter: 'agNumberColumnFilter', headerTooltip: 'Connections made in the window' },
  { field: 'live', headerName: 'Live', width: 80, filter: 'agNumberColumnFilter', headerTooltip: 'Connections open at the end of the window' },
  { field: 'failed', headerName: 'Failed', width: 90, filter: 'agNumberColumnFilter' },
  { field: 'sent', headerName: 'Sent', width: 100, filter: 'agNumberColumnFilter', valueFormatter: ({ value }) => formatBytes(Number(value)) },
  { field: 'received', headerName: 'Received', width: 105, filter: 'agNumberColumnFilter', valueFormatter: ({ value }) => formatBytes(Number(value)) },
  { field: 'response', headerName: 'Response, ms', width: 125, filter: 'agNumberColumnFilter', valueFormatter: ({ value }) => (value === null ? '' : Number(value).toFixed(1)) },
];

interface MapListProps {
  world: World;
  shown: Shown;
  matches: ReadonlySet<string> | undefined;
  selected: string | undefined;
  onSelect: (id: string) => void;
}

export function MapList({ world, shown, matches, selected, onSelect }: MapListProps) {
  const styles = useStyles();
  const machines = useMemo(() => machineRows(world, shown, matches), [world, shown, matches]);
  const connections = useMemo(() => shown.edges.filter((edge) => !matches || [edge.source, edge.target].some((end) => matches.has(end) || matches.has(machineOf(world, end) ?? ''))).map((edge) => connectionRow(world, edge)), [world, shown, matches]);
  return (
    <div className={styles.page}>
      <div className={styles.part}>
        <Subtitle2 as="h2" className={styles.title}>Machines</Subtitle2>
        <div className={styles.grid}><DataGrid label="Machines of the map" rows={machines} columns={machineColumns} rowId={(row) => row.id} openId={selected} onOpen={(row) => onSelect(row.id)} /></div>
      </div>
      <div className={styles.part}>
        <Subtitle2 as="h2" className={styles.title}>Connections</Subtitle2>
        <div className={styles.grid}><DataGrid label="Connections of the map" rows={connections} columns={connectionColumns} rowId={(row) => row.id} openId={selected} onOpen={(row) => onSelect(row.id)} /></div>
      </div>
    </div>
  );
}

function machineRows(world: World, shown: Shown, matches: ReadonlySet<string> | undefined): MachineRow[] {
  const rows = new Map<string, MachineRow>();
  for (const machine of world.data.machines) {
    if (shown.members && !shown.members.has(machine.id)) continue;
    if (matches && !matches.has(machine.id)) continue;
    const { critical, warning, information } = machine.alerts ?? { critical: 0, warning: 0, information: 0 };
    rows.set(machine.id, {
      id: machine.id, name: machine.name, health: machine.health ?? null, inMaintenance: machine.inMaintenance ?? false, os: machine.osName || machine.os,
      addresses: machine.addresses.join(', '), processes: world.processesOf.get(machine.id)?.length ?? 0, incoming: 0, outgoing: 0, failed: 0, bytes: 0,
      alerts: critical + warning + information,
    });
  }
  const callers = new Map<string, Set<string>>();
  const called = new Map<string, Set<string>>();
  const note = (sets: Map<string, Set<string>>, key: string, other: string) => sets.set(key, (sets.get(key) ?? new Set()).add(other));
  for (const edge of shown.edges) {
    const from = machineOf(world, edge.source);
    const to = machineOf(world, edge.target);
    if (from !== undefined) note(called, from, edge.target);
    if (to !== undefined) note(callers, to, edge.source);
    for (const machine of new Set([from, to])) {
      const row = machine === undefined ? undefined : rows.get(machine);
      if (!row) continue;
      row.failed += edge.links.failed;
      row.bytes += edge.bytes.sent + edge.bytes.received;
    }
  }
  for (const row of rows.values()) {
    row.incoming = callers.get(row.id)?.size ?? 0;
    row.outgoing = called.get(row.id)?.size ?? 0;
  }
  return [...rows.values()];
}
