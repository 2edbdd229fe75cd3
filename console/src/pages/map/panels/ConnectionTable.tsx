// The connections of what is selected, as a table that sorts.
import { makeStyles } from '@fluentui/react-components';
import { useMemo } from 'react';
import type { MapEdge } from '../../../api/map';
import { DataGrid } from '../../../components/DataGrid';
import { EmptyState } from '../../../components/States';
import { connectionRow } from '../graph/connections';
import type { World } from '../graph/world';
import { connectionColumns } from '../MapList';

const useStyles = makeStyles({ grid: { height: '420px' } });

interface ConnectionTableProps {
  world: World;
  edges: readonly MapEdge[];
  onSelect: (id: string) => void;
  empty?: string;
}

export function ConnectionTable({ world, edges, onSelect, empty }: ConnectionTableProps) {
  const styles = useStyles();
  const rows = useMemo(() => edges.map((edge) => connectionRow(world, edge)), [world, edges]);
  if (rows.length === 0) return <EmptyState title="No connections" hint={empty ?? 'It did not talk to anything in this window. Choose a longer one.'} />;
  return <div className={styles.grid}><DataGrid label="Connections" rows={rows} columns={connectionColumns} rowId={(row) => row.id} onOpen={(row) => onSelect(row.id)} /></div>;
}
