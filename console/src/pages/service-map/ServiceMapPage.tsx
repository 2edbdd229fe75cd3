// The folder Service Map of Monitoring: alerts of the connections, the servers in step, and the dependency views.
import { Tab, TabList } from '@fluentui/react-components';
import { OrganizationRegular } from '@fluentui/react-icons';
import type { ColDef, ICellRendererParams } from 'ag-grid-community';
import { useCallback, type ReactNode } from 'react';
import { Link, useNavigate, useParams } from 'react-router-dom';
import type { Alert } from '../../api/alerts';
import { segment, useGroup, type Health } from '../../api/management';
import { connectionsPath, type DependencyView, type SyncedServer, type Views, type WorkspaceConnection } from '../../api/serviceMap';
import { DataGrid } from '../../components/DataGrid';
import { ActionButton } from '../../components/May';
import { ago, formatCell } from '../../components/format';
import { HealthIcon, healthRank, healthWords } from '../../components/HealthIcon';
import { Page, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { AlertsView } from '../alerts/AlertsPage';

const tabs = [['alerts', 'Active Alerts'], ['servers', 'Servers'], ['group-views', 'Machine Group Dependency Views'], ['server-views', 'Server Dependency Views']] as const;

function healthColumn<T extends { health: Health }>(): ColDef<T> {
  return {
    colId: 'health', headerName: 'Health', width: 140, initialSort: 'desc',
    valueGetter: ({ data }) => (data ? healthWords[data.health] : ''),
    comparator: (_a, _b, left, right) => healthRank[left.data?.health ?? 'Uninitialized'] - healthRank[right.data?.health ?? 'Uninitialized'],
    cellRenderer: ({ data }: ICellRendererParams<T>) => data && <HealthIcon health={data.health} />,
  };
}

const serverColumns: ColDef<SyncedServer>[] = [
  healthColumn<SyncedServer>(),
  { field: 'name', headerName: 'Name', flex: 3, minWidth: 160 },
  { field: 'connection', headerName: 'Workspace', flex: 2, minWidth: 140 },
  {
    field: 'lastSync', headerName: 'Last sync', width: 130, filter: false, valueFormatter: ({ value }) => (value ? ago(String(value), Date.now()) : 'not yet'),
    tooltipValueGetter: ({ value }) => (value ? formatCell(String(value), 'datetime') : ''),
  },
];

const viewColumns: ColDef<DependencyView>[] = [
  healthColumn<DependencyView>(),
  { field: 'name', headerName: 'Name', flex: 3, minWidth: 160 },
  { field: 'connection', headerName: 'Workspace', flex: 2, minWidth: 140 },
  { field: 'members', headerName: 'Members', width: 120, filter: 'agNumberColumnFilter' },
];

export default function ServiceMapPage() {
  const navigate = useNavigate();
  const { tab = 'alerts' } = useParams();
  const views = useGroup<Views>(`${connectionsPath}/views`, 10);
  const connections = useGroup<{ value: WorkspaceConnection[] }>(connectionsPath, 10);
  const list = connections.data?.value;
  const isAbout = useCallback((alert: Alert) => list?.some((one) => one.object === alert.object) ?? false, [list]);
  const above = (
    <Toolbar label="Folder">
      <TabList size="small" selectedValue={tab} onTabSelect={(_event, data) => navigate(`/service-map/${String(data.value)}`)} aria-label="Views">
        {tabs.map(([value, label]) => <Tab key={value} value={value}>{label}</Tab>)}
      </TabList>
    </Toolbar>
  );
  const failed = [views, connections].find((one) => one.isError);
  if (failed) return <Page title="Service Map">{above}<ErrorState error={failed.error} retry={() => void failed.refetch()} /></Page>;
  if (!views.data || !list) return <Page title="Service Map">{above}<LoadingState label="Reading the views" /></Page>;
  if (list.length === 0) {
    return (
      <Page title="Service Map">
        {above}
        <Split>
          <EmptyState
            icon={<OrganizationRegular />} title="No workspace is connected" hint="Connect a Log Analytics workspace, and the map of its machines becomes distributed applications here."
            action={<ActionButton needs="Watchkeeper/managementGroups/serviceMapConnections/write" appearance="primary" onClick={() => navigate('/administration/service-map')}>Connect a workspace</ActionButton>}
          />
        </Split>
      </Page>
    );
  }
  if (tab === 'alerts') {
    return (
      <AlertsView
        title="Service Map" above={above} only={isAbout} noneTitle="No alerts about the connections"
        noneHint="The management group and its workspaces understand each other. These alerts are of the monitors of the connections; alerts of the servers themselves are under Alerts."
      />
    );
  }
  const openView = (object: string) => navigate(`/service-map/views/${segment(object)}`);
  const nothing = (what: string, hint: ReactNode) => <EmptyState icon={<OrganizationRegular />} title={what} hint={hint} />;
  const setUp = <Link to="/administration/service-map">Administration, Service Map</Link>;
  const { servers, machineGroupViews, serverViews } = views.data;
  const viewOf = (server: SyncedServer) => serverViews.find((view) => view.name === server.name && view.connection === server.connection)?.object;
  return (
    <Page title="Service Map" summary={tab === 'servers' ? `${servers.length} servers` : `${(tab === 'group-views' ? machineGroupViews : serverViews).length} views`}>
      {above}
      <Split>
        {tab === 'servers' && (servers.length === 0
          ? nothing('No servers are in step yet', <>Servers of the Servers group that are on the map and in this management group stand here after the next sync. {setUp} says what each machine lacks.</>)
          : <DataGrid label="Servers" rows={servers} columns={serverColumns} rowId={(one) => `${one.connection}/${one.object}`} onOpen={(one) => { const view = viewOf(one); if (view) openView(view); else navigate(`/objects/${segment(one.object)}`); }} />)}
        {tab === 'group-views' && (machineGroupViews.length === 0
          ? nothing('No machine groups are in step', <>Choose machine groups of the workspace under {setUp}; each becomes a distributed application at the next sync.</>)
          : <DataGrid label="Machine group dependency views" rows={machineGroupViews} columns={viewColumns} rowId={(one) => one.object} onOpen={(one) => openView(one.object)} />)}
        {tab === 'server-views' && (serverViews.length === 0
          ? nothing('No servers are in step yet', <>Choose servers under {setUp}; each becomes a distributed application at the next sync.</>)
          : <DataGrid label="Server dependency views" rows={serverViews} columns={viewColumns} rowId={(one) => one.object} onOpen={(one) => openView(one.object)} />)}
      </Split>
    </Page>
  );
}
