// Overrides that operators made; a new one is made where the monitor, rule or discovery is shown, and changed here or there.
import { SearchBox, Subtitle1 } from '@fluentui/react-components';
import { DeleteRegular, EditRegular, OptionsRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { request } from '../../api/client';
import { segment, shortName, useAction, useGroup, type OverrideItem } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { formatCell } from '../../components/format';
import { Facts, Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { ChangeOverrideDialog, scopeOf } from './ChangeOverrideDialog';

const columns: ColDef<OverrideItem>[] = [
  { colId: 'element', headerName: 'Of', flex: 3, minWidth: 180, valueGetter: ({ data }) => data && (data.elementName ?? shortName(data.element)), initialSort: 'asc' },
  { field: 'name', headerName: 'Setting', flex: 2, minWidth: 130 },
  { field: 'value', headerName: 'Value', flex: 2, minWidth: 100 },
  { colId: 'scope', headerName: 'For', flex: 3, minWidth: 160, valueGetter: ({ data }) => data && scopeOf(data) },
  { colId: 'enforced', headerName: 'Enforced', width: 105, valueGetter: ({ data }) => (data?.enforced ? 'yes' : 'no') },
  { field: 'changedAt', headerName: 'Changed (UTC)', width: 150, filter: false, valueFormatter: ({ value }) => (value ? formatCell(String(value), 'datetime').slice(0, 16) : '') },
  { field: 'changedBy', headerName: 'By', width: 110 },
];

export function OverridesTab() {
  const overrides = useGroup<OverrideItem[]>('/api/overrides');
  const [text, setText] = useState('');
  const [open, setOpen] = useState<string>();
  const [selected, setSelected] = useState<OverrideItem[]>([]);
  const [asking, setAsking] = useState<'change' | 'remove'>();
  const chosen = overrides.data?.find((one) => one.id === open);
  const which = selected.length > 0 ? selected : chosen ? [chosen] : [];
  const remove = useAction(async () => {
    setAsking(undefined);
    for (const one of which) await request(`/api/overrides/${segment(one.id)}`, { method: 'DELETE' });
  });
  return (
    <>
      <Toolbar label="Overrides">
        <SearchBox size="small" aria-label="Filter overrides" placeholder="Element, setting or object" value={text} onChange={(_event, data) => setText(data.value)} />
        <Spacer />
        <ActionButton needs="Watchkeeper/managementGroups/overrides/write" size="small" icon={<EditRegular />} disabledFocusable={!chosen} onClick={() => setAsking('change')}>Change…</ActionButton>
        <ActionButton needs="Watchkeeper/managementGroups/overrides/delete" size="small" icon={<DeleteRegular />} disabledFocusable={which.length === 0 || remove.isPending} onClick={() => setAsking('remove')}>Remove{which.length > 1 ? ` (${which.length})` : ''}…</ActionButton>
      </Toolbar>
      {remove.isError && <ErrorState error={remove.error} />}
      {overrides.isPending && <LoadingState label="Reading overrides" />}
      {overrides.isError && <ErrorState error={overrides.error} retry={() => void overrides.refetch()} />}
      {overrides.data && (
        <Split label="Override" side={chosen && <OverridePanel override={chosen} />}>
          {overrides.data.length === 0
            ? <EmptyState icon={<OptionsRegular />} title="No overrides" hint="Everything runs as the packs say. Change a value in the health explorer of an object, or for a whole class or a group under Monitors, Rules or Discoveries." />
            : <DataGrid label="Overrides" rows={overrides.data} columns={columns} rowId={(one) => one.id} quickFilter={text} openId={open} onOpen={(one) => setOpen(one.id)} onSelect={setSelected} />}
        </Split>
      )}
      {chosen && asking === 'change' && <ChangeOverrideDialog override={chosen} onDone={() => setAsking(undefined)} />}
      {asking === 'remove' && (
        <ConfirmDialog title={which.length === 1 ? `Remove the override of ${which[0]?.name ?? ''}?` : `Remove ${which.length} overrides?`} confirm="Remove" onConfirm={() => remove.mutate(undefined)} onCancel={() => setAsking(undefined)}>
          What comes next holds again: a wider override, or the default of the pack.
        </ConfirmDialog>
      )}
    </>
  );
}

function OverridePanel({ override: one }: { override: OverrideItem }) {
  return (
    <>
      <Subtitle1 as="h2">{one.name}</Subtitle1>
      <Facts
        items={[
          ['Value', one.value],
          ['Of', one.elementName ?? one.element],
          ['Element', one.element],
          ['Module', one.module],
          ['For', scopeOf(one)],
          ['Enforced', one.enforced ? 'yes: wins over others for the same' : 'no'],
          ['Changed', `${formatCell(one.changedAt, 'datetime').slice(0, 19)} UTC by ${one.changedBy}`],
        ]}
      />
    </>
  );
}
