// Overrides that operators made; they are made where the monitor, rule or discovery is shown.
import { Button } from '@fluentui/react-components';
import { DeleteRegular, OptionsRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { request } from '../../api/client';
import { segment, shortName, useAction, useGroup, type OverrideItem } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { formatCell } from '../../components/format';
import { Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';

const columns: ColDef<OverrideItem>[] = [
  { colId: 'element', headerName: 'Of', flex: 3, minWidth: 180, valueGetter: ({ data }) => data && (data.elementName ?? shortName(data.element)), initialSort: 'asc' },
  { field: 'name', headerName: 'Setting', flex: 2, minWidth: 130 },
  { field: 'value', headerName: 'Value', flex: 2, minWidth: 100 },
  { colId: 'scope', headerName: 'For', flex: 3, minWidth: 160, valueGetter: ({ data }) => data && (data.object ? `object ${data.objectName ?? data.object}` : `all of ${data.contextName ?? data.context}`) },
  { colId: 'enforced', headerName: 'Enforced', width: 105, valueGetter: ({ data }) => (data?.enforced ? 'yes' : 'no') },
  { field: 'changedAt', headerName: 'Changed (UTC)', width: 150, filter: false, valueFormatter: ({ value }) => (value ? formatCell(String(value), 'datetime').slice(0, 16) : '') },
  { field: 'changedBy', headerName: 'By', width: 110 },
];

export function OverridesTab() {
  const overrides = useGroup<OverrideItem[]>('/api/overrides');
  const [selected, setSelected] = useState<OverrideItem[]>([]);
  const remove = useAction(async () => {
    for (const one of selected) await request(`/api/overrides/${segment(one.id)}`, { method: 'DELETE' });
  });
  return (
    <>
      <Toolbar label="Overrides"><Button size="small" icon={<DeleteRegular />} disabledFocusable={selected.length === 0 || remove.isPending} onClick={() => remove.mutate(undefined)}>Remove{selected.length > 1 ? ` (${selected.length})` : ''}</Button></Toolbar>
      {remove.isError && <ErrorState error={remove.error} />}
      {overrides.isPending && <LoadingState label="Reading overrides" />}
      {overrides.isError && <ErrorState error={overrides.error} retry={() => void overrides.refetch()} />}
      {overrides.data && (
        <Split>
          {overrides.data.length === 0
            ? <EmptyState icon={<OptionsRegular />} title="No overrides" hint="Everything runs as the packs say. Change a value in the health explorer of an object, or for a whole class under Monitors, Rules or Discoveries." />
            : <DataGrid label="Overrides" rows={overrides.data} columns={columns} rowId={(one) => one.id} onSelect={setSelected} />}
        </Split>
      )}
    </>
  );
}
