// Service Map Overview: the workspaces that this management group gets diagrams from, and how their syncs go.
import { Badge, Breadcrumb, BreadcrumbDivider, BreadcrumbItem, makeStyles, Spinner, Subtitle1, tokens } from '@fluentui/react-components';
import { AddRegular, ArrowSyncRegular, DeleteRegular, EditRegular, OrganizationRegular } from '@fluentui/react-icons';
import type { ColDef, ICellRendererParams } from 'ag-grid-community';
import { useState } from 'react';
import { request } from '../../../api/client';
import { useAction, useGroup } from '../../../api/management';
import { connectionPath, connectionsPath, type WorkspaceConnection } from '../../../api/serviceMap';
import { DataGrid } from '../../../components/DataGrid';
import { ConfirmDialog } from '../../../components/Dialogs';
import { ActionButton } from '../../../components/May';
import { ago } from '../../../components/format';
import { HealthIcon, healthRank, healthWords } from '../../../components/HealthIcon';
import { Spacer, Split, Toolbar } from '../../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../../components/States';
import { ConnectionPanel } from './ConnectionPanel';
import { outcomeWords } from './sync';
import { whereOf, whereWords } from './wizard/draft';
import { Wizard } from './wizard/Wizard';

const useStyles = makeStyles({
  way: { display: 'flex', alignItems: 'center', gap: '12px', flexWrap: 'wrap', '& ol': { padding: 0 } },
  crumb: { color: tokens.colorNeutralForeground2 },
});

const outcomeColours = { succeeded: 'success', failed: 'danger', running: 'brand' } as const;

const columns: ColDef<WorkspaceConnection>[] = [
  {
    colId: 'health', headerName: 'Health', width: 120,
    valueGetter: ({ data }) => (data ? healthWords[data.health] : ''),
    comparator: (_a, _b, left, right) => healthRank[left.data?.health ?? 'Uninitialized'] - healthRank[right.data?.health ?? 'Uninitialized'],
    cellRenderer: ({ data }: ICellRendererParams<WorkspaceConnection>) => data && <HealthIcon health={data.health} />,
  },
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 130, initialSort: 'asc' },
  {
    colId: 'sync', headerName: 'Last sync', width: 185, valueGetter: ({ data }) => (data?.lastSync ? outcomeWords[data.lastSync.outcome] : 'Not yet'),
    cellRenderer: ({ data }: ICellRendererParams<WorkspaceConnection>) => data && (data.lastSync ? (
      <><Badge appearance="tint" color={outcomeColours[data.lastSync.outcome]}>{outcomeWords[data.lastSync.outcome]}</Badge> {ago(data.lastSync.ended ?? data.lastSync.began, Date.now())}</>
    ) : 'Not yet'),
  },
  { field: 'workspace', headerName: 'Workspace', flex: 1, minWidth: 110 },
  { colId: 'on', headerName: 'On', flex: 1, minWidth: 110, valueGetter: ({ data }) => data && whereWords({ where: whereOf(data), endpoint: data.endpoint }) },
  { colId: 'groups', headerName: 'Groups', width: 90, filter: 'agNumberColumnFilter', valueGetter: ({ data }) => data?.machineGroups.length },
  { colId: 'servers', headerName: 'Servers', width: 90, filter: 'agNumberColumnFilter', valueGetter: ({ data }) => data?.servers.length },
  { colId: 'missing', headerName: 'Missing', width: 95, filter: 'agNumberColumnFilter', headerTooltip: 'Machines of the map that no diagram can hold yet', valueGetter: ({ data }) => data?.missing.length },
];

export function ServiceMapTab() {
  const styles = useStyles();
  const connections = useGroup<{ value: WorkspaceConnection[] }>(connectionsPath, 5);
  const [open, setOpen] = useState<string>();
  const [asking, setAsking] = useState<'add' | 'edit' | 'delete'>();
  const list = connections.data?.value ?? [];
  const chosen = list.find((one) => one.id === open) ?? (list.length === 1 ? list[0] : undefined);
  const sync = useAction((connection: WorkspaceConnection) => request(`${connectionPath(connection.id)}/sync`, { method: 'POST' }));
  const remove = useAction(async (connection: WorkspaceConnection) => {
    setAsking(undefined);
    setOpen(undefined);
    await request(connectionPath(connection.id), { method: 'DELETE' });
  });
  const isSyncing = sync.isPending || chosen?.lastSync?.outcome === 'running' || chosen?.lastSync?.waiting === true;
  return (
    <>
      <div className={styles.way}>
        <Subtitle1 as="h2">Service Map Overview</Subtitle1>
        <Breadcrumb size="small" aria-label="Where this is">
          <BreadcrumbItem className={styles.crumb}>Administration</BreadcrumbItem><BreadcrumbDivider />
          <BreadcrumbItem className={styles.crumb}>Operations Management Suite</BreadcrumbItem><BreadcrumbDivider />
          <BreadcrumbItem className={styles.crumb}>Service Map</BreadcrumbItem>
        </Breadcrumb>
      </div>
      <Toolbar label="Workspaces">
        <ActionButton needs="Watchkeeper/managementGroups/serviceMapConnections/write" size="small" appearance="primary" icon={<AddRegular />} onClick={() => setAsking('add')}>Add workspace…</ActionButton>
        <Spacer />
        <ActionButton needs="Watchkeeper/managementGroups/serviceMapConnections/sync/action" size="small" icon={isSyncing ? <Spinner size="extra-tiny" /> : <ArrowSyncRegular />} disabledFocusable={!chosen || isSyncing} onClick={() => { if (chosen) sync.mutate(chosen); }}>Sync now</ActionButton>
        <ActionButton needs="Watchkeeper/managementGroups/serviceMapConnections/write" size="small" icon={<EditRegular />} disabledFocusable={!chosen} onClick={() => setAsking('edit')}>Edit workspace…</ActionButton>
        <ActionButton needs="Watchkeeper/managementGroups/serviceMapConnections/delete" size="small" icon={<DeleteRegular />} disabledFocusable={!chosen || remove.isPending} onClick={() => setAsking('delete')}>Delete workspace…</ActionButton>
      </Toolbar>
      {sync.isError && <ErrorState error={sync.error} title="The sync did not begin" />}
      {remove.isError && <ErrorState error={remove.error} />}
      {connections.isPending && <LoadingState label="Reading the workspaces" />}
      {connections.isError && <ErrorState error={connections.error} retry={() => void connections.refetch()} />}
      {connections.data && (
        <Split label="Workspace" side={chosen && <ConnectionPanel key={chosen.id} connection={chosen} />}>
          {list.length === 0 ? (
            <EmptyState
              icon={<OrganizationRegular />} title="No workspace is connected"
              hint="Connect a Log Analytics workspace, of this server or of another one: the map of its machines becomes distributed application diagrams of this management group, with health rolled up from what they are made of."
              action={<ActionButton needs="Watchkeeper/managementGroups/serviceMapConnections/write" appearance="primary" onClick={() => setAsking('add')}>Add workspace</ActionButton>}
            />
          ) : <DataGrid label="Workspaces" rows={list} columns={columns} rowId={(one) => one.id} openId={chosen?.id} onOpen={(one) => setOpen(one.id)} />}
        </Split>
      )}
      {asking === 'add' && <Wizard onDone={() => setAsking(undefined)} />}
      {chosen && asking === 'edit' && <Wizard connection={chosen} onDone={() => setAsking(undefined)} />}
      {chosen && asking === 'delete' && (
        <ConfirmDialog title={`Delete ${chosen.name}?`} confirm="Delete" onConfirm={() => remove.mutate(chosen)} onCancel={() => setAsking(undefined)}>
          Its diagrams go, with what people added to them, and its secret is deleted. The workspace itself and its rows stay; so do the servers in the management group.
        </ConfirmDialog>
      )}
    </>
  );
}
