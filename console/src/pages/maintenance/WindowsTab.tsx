// What is in maintenance now, and until when.
import { Text } from '@fluentui/react-components';
import { WrenchRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { useNavigate } from 'react-router-dom';
import { request } from '../../api/client';
import { segment, useAction, useGroup, type MaintenanceWindow } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ActionButton } from '../../components/May';
import { Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { minute } from './columns';
import { reasonWords } from './StartMaintenance';

const columns: ColDef<MaintenanceWindow>[] = [
  { field: 'objectName', headerName: 'Object', flex: 2, minWidth: 150, valueGetter: ({ data }) => data?.objectName || data?.object },
  { field: 'startsAt', headerName: 'Start (UTC)', width: 150, valueFormatter: minute, filter: false },
  { field: 'endsAt', headerName: 'End (UTC)', width: 150, valueFormatter: minute, filter: false, initialSort: 'asc' },
  { field: 'reason', headerName: 'Reason', flex: 2, minWidth: 160, valueFormatter: ({ value }) => reasonWords(String(value ?? '')) },
  { field: 'comments', headerName: 'Comment', flex: 3, minWidth: 150 },
  { colId: 'recursive', headerName: 'Covers', width: 170, valueGetter: ({ data }) => (data?.recursive ? 'with what it hosts' : 'the object alone') },
  { field: 'startedBy', headerName: 'Started by', width: 120 },
];

export function WindowsTab() {
  const navigate = useNavigate();
  const [selected, setSelected] = useState<MaintenanceWindow[]>([]);
  const windows = useGroup<MaintenanceWindow[]>('/api/maintenance', 10);
  const stop = useAction(async () => {
    for (const window of selected) await request(`/api/maintenance/${segment(window.object)}`, { method: 'DELETE' });
    setSelected([]);
  });
  return (
    <>
      <Toolbar label="Maintenance">
        {windows.data && <Text size={200}>{windows.data.length} in force or planned</Text>}
        <Spacer />
        <ActionButton needs="Watchkeeper/managementGroups/maintenance/write" size="small" icon={<WrenchRegular />} disabledFocusable={selected.length === 0 || stop.isPending} onClick={() => stop.mutate(undefined)}>End maintenance{selected.length > 1 ? ` (${selected.length})` : ''}</ActionButton>
      </Toolbar>
      {windows.isPending && <LoadingState label="Reading maintenance" />}
      {windows.isError && <ErrorState error={windows.error} retry={() => void windows.refetch()} />}
      {stop.isError && <ErrorState error={stop.error} />}
      {windows.data && (
        <Split>
          {windows.data.length === 0
            ? <EmptyState icon={<WrenchRegular />} title="Nothing is in maintenance" hint="Open an object from State, or a computer group from Administration, and start maintenance there: while it lasts, nothing is alerted for the object and what lives on it." />
            : <DataGrid label="Maintenance" rows={windows.data} columns={columns} rowId={(window) => window.object} onOpen={(window) => navigate(`/objects/${segment(window.object)}`)} onSelect={setSelected} />}
        </Split>
      )}
    </>
  );
}
