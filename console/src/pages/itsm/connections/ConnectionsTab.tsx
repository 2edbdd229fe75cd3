// ITSM connections: how each is, made, changed, synchronized, taken away.
import { Badge, Button, MessageBar, MessageBarActions, MessageBarBody, MessageBarTitle } from '@fluentui/react-components';
import { AddRegular, DismissRegular, PlugConnectedRegular } from '@fluentui/react-icons';
import type { ColDef, ICellRendererParams } from 'ag-grid-community';
import { useState } from 'react';
import { useSearchParams } from 'react-router-dom';
import { deleteItsmConnection, itsmPath, syncItsmConnection, type ItsmConnection } from '../../../api/itsm';
import { useAction, useGroup } from '../../../api/management';
import { DataGrid } from '../../../components/DataGrid';
import { ConfirmDialog } from '../../../components/Dialogs';
import { ActionButton } from '../../../components/May';
import { ago } from '../../../components/format';
import { Spacer, Split, Toolbar } from '../../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../../components/States';
import { importWords, statusColours, statusWords, typeWords, until } from '../words';
import { ConnectionDialog } from './ConnectionDialog';
import { ConnectionPanel } from './ConnectionPanel';
import { partWords } from './problems';

const columns: ColDef<ItsmConnection>[] = [
  {
    colId: 'status', headerName: 'Status', width: 150, valueGetter: ({ data }) => data && statusWords[data.status],
    cellRenderer: ({ data }: ICellRendererParams<ItsmConnection>) => data && <Badge appearance="tint" color={statusColours[data.status]}>{statusWords[data.status]}</Badge>,
  },
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 120, initialSort: 'asc' },
  { field: 'partnerTitle', headerName: 'Partner type', flex: 1, minWidth: 120 },
  { field: 'url', headerName: 'Server', flex: 2, minWidth: 120, valueFormatter: ({ value }) => String(value ?? '').replace(/^https?:\/\//, ''), tooltipField: 'url' },
  { colId: 'last', headerName: 'Last sync', width: 115, filter: false, valueGetter: ({ data }) => data?.lastSync ?? '', valueFormatter: ({ value }) => (value ? ago(String(value), Date.now()) : 'not yet') },
  { colId: 'next', headerName: 'Next sync', width: 110, filter: false, valueGetter: ({ data }) => data?.nextSync ?? '', valueFormatter: ({ value, data }) => (data?.status === 'synchronizing' ? 'runs now' : until(String(value), Date.now())) },
  {
    colId: 'imports', headerName: 'Work items', flex: 2, minWidth: 130,
    valueGetter: ({ data }) => (data?.imports.every((one) => one.complete) ? data.imports.map((one) => typeWords[one.type] ?? one.type).join(', ') || 'none' : data?.imports.map((one) => `${typeWords[one.type] ?? one.type}: ${importWords(one).text}`).join(', ')),
    tooltipValueGetter: ({ data }) => data?.imports.map((one) => `${typeWords[one.type] ?? one.type}: ${importWords(one).text}`).join('\n'),
  },
  { colId: 'error', headerName: 'Last error', flex: 3, minWidth: 140, valueGetter: ({ data }) => (data?.problem ? `${partWords(data.problem.part)?.title ?? ''}: ${data.problem.message}` : ''), tooltipValueGetter: ({ data }) => data?.problem?.advice },
];

export function ConnectionsTab() {
  const [parameters, setParameters] = useSearchParams();
  const [asking, setAsking] = useState<'add' | 'edit' | 'delete'>();
  const [saved, setSaved] = useState<{ name: string; warnings: string[] }>();
  /** Connections that were told to synchronize, with when they had done so last. */
  const [wanted, setWanted] = useState<Record<string, string | null>>({});
  const connections = useGroup<ItsmConnection[]>(itsmPath, 3);
  const openId = parameters.get('connection') ?? undefined;
  const open = (id: string | undefined) => setParameters(id === undefined ? {} : { connection: id }, { replace: true });
  const list = connections.data ?? [];
  const chosen = list.find((one) => one.id === openId);
  const sync = useAction(async (connection: ItsmConnection) => {
    setWanted((was) => ({ ...was, [connection.id]: connection.lastSync }));
    await syncItsmConnection(connection.id);
  });
  const remove = useAction(async (connection: ItsmConnection) => {
    setAsking(undefined);
    await deleteItsmConnection(connection.id);
    open(undefined);
  });
  const isSyncing = (one: ItsmConnection) => one.status === 'synchronizing' || (one.id in wanted && wanted[one.id] === one.lastSync && !sync.isError);
  const done = (connection: ItsmConnection & { warnings?: string[] }) => {
    setAsking(undefined);
    setSaved({ name: connection.name, warnings: connection.warnings ?? [] });
    open(connection.id);
  };
  return (
    <>
      <Toolbar label="ITSM connections">
        <Spacer />
        <ActionButton needs="Watchkeeper/managementGroups/itsmConnections/write" size="small" appearance="primary" icon={<AddRegular />} onClick={() => setAsking('add')}>Add connection</ActionButton>
      </Toolbar>
      {saved && (
        <MessageBar intent={saved.warnings.length > 0 ? 'warning' : 'success'} layout="multiline">
          <MessageBarBody role="status"><MessageBarTitle>{saved.name} is saved</MessageBarTitle>{saved.warnings.length > 0 ? saved.warnings.join('; ') : 'The test succeeded.'}</MessageBarBody>
          <MessageBarActions containerAction={<Button size="small" appearance="transparent" icon={<DismissRegular />} aria-label="Dismiss" onClick={() => setSaved(undefined)} />} />
        </MessageBar>
      )}
      {sync.isError && <ErrorState error={sync.error} title="The sync did not begin" />}
      {remove.isError && <ErrorState error={remove.error} />}
      {connections.isPending && <LoadingState label="Reading connections" />}
      {connections.isError && <ErrorState error={connections.error} retry={() => void connections.refetch()} />}
      {connections.data && (
        <Split label="Connection" side={chosen && <ConnectionPanel key={chosen.id} connection={chosen} isSyncing={isSyncing(chosen)} onSync={() => sync.mutate(chosen)} onEdit={() => setAsking('edit')} onDelete={() => setAsking('delete')} onClose={() => open(undefined)} />}>
          {list.length === 0 ? (
            <EmptyState
              icon={<PlugConnectedRegular />} title="No service desk is connected"
              hint="With a connection, incidents and change requests come into the tables and onto the map, and alerts become work items through action groups."
              action={<ActionButton needs="Watchkeeper/managementGroups/itsmConnections/write" appearance="primary" onClick={() => setAsking('add')}>Add connection</ActionButton>}
            />
          ) : <DataGrid label="ITSM connections" rows={list} columns={columns} rowId={(one) => one.id} openId={openId} onOpen={(one) => open(one.id)} />}
        </Split>
      )}
      {asking === 'add' && <ConnectionDialog onSaved={done} onCancel={() => setAsking(undefined)} />}
      {chosen && asking === 'edit' && <ConnectionDialog connection={chosen} onSaved={done} onCancel={() => setAsking(undefined)} />}
      {chosen && asking === 'delete' && (
        <ConfirmDialog title={`Delete ${chosen.name}?`} confirm="Delete the connection" onConfirm={() => remove.mutate(chosen)} onCancel={() => setAsking(undefined)}>
          Its secrets are deleted and nothing is synchronized any more. The rows of its work items stay in the tables; action groups that name it say so when an alert fires.
        </ConfirmDialog>
      )}
    </>
  );
}
