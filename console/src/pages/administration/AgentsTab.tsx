// Agents: who waits for approval, who is here and how it is, removed one or many at a time.
import { makeStyles, SearchBox, Subtitle1, tokens } from '@fluentui/react-components';
import { CheckmarkRegular, DeleteRegular, DismissRegular, ServerRegular } from '@fluentui/react-icons';
import type { ColDef, ICellRendererParams } from 'ag-grid-community';
import { useState } from 'react';
import { Link } from 'react-router-dom';
import { request } from '../../api/client';
import { segment, useAction, useGroup, type Agent } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { ago, formatBytes, formatCell } from '../../components/format';
import { HealthIcon } from '../../components/HealthIcon';
import { Facts, Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';

const useStyles = makeStyles({ link: { color: tokens.colorBrandForegroundLink } });

const columns: ColDef<Agent>[] = [
  { field: 'computer', headerName: 'Computer', flex: 3, minWidth: 160 },
  { field: 'status', headerName: 'Status', width: 120, initialSort: 'desc' },
  { colId: 'connected', headerName: 'Connection', width: 130, valueGetter: ({ data }) => (data?.connected ? 'connected' : 'not connected') },
  { colId: 'health', headerName: 'Health', width: 150, valueGetter: ({ data }) => data?.health, cellRenderer: ({ data }: ICellRendererParams<Agent>) => data?.health && <HealthIcon health={data.health} /> },
  { field: 'osName', headerName: 'Operating system', flex: 2, minWidth: 140 },
  { field: 'version', headerName: 'Version', width: 100 },
  { field: 'lastSeen', headerName: 'Last seen', width: 120, filter: false, valueFormatter: ({ value }) => (value ? ago(String(value), Date.now()) : 'never') },
];

type Change = 'approve' | 'reject' | 'remove';

export function AgentsTab() {
  const agents = useGroup<Agent[]>('/api/agents', 10);
  const [selected, setSelected] = useState<Agent[]>([]);
  const [open, setOpen] = useState<string>();
  const [text, setText] = useState('');
  const [removing, setRemoving] = useState(false);
  const change = useAction(async ({ which, what }: { which: Agent[]; what: Change }) => {
    setRemoving(false);
    for (const agent of which) {
      const path = `/api/agents/${segment(agent.id)}`;
      await request(what === 'remove' ? path : `${path}/${what}`, { method: what === 'remove' ? 'DELETE' : 'POST' });
    }
  });
  const shown = agents.data?.find((agent) => agent.id === open);
  const which = selected.length > 0 ? selected : shown ? [shown] : [];
  const pending = which.filter((agent) => agent.status === 'pending');
  const waiting = (agents.data ?? []).filter((agent) => agent.status === 'pending').length;
  const count = (list: Agent[]) => (list.length > 1 ? ` (${list.length})` : '');
  return (
    <>
      <Toolbar label="Agents">
        <SearchBox size="small" aria-label="Filter agents" placeholder="Computer or system" value={text} onChange={(_event, data) => setText(data.value)} />
        {waiting > 0 && <span role="status">{waiting} waiting for approval</span>}
        <Spacer />
        <ActionButton needs="Watchkeeper/managementGroups/agents/write" size="small" icon={<CheckmarkRegular />} disabledFocusable={pending.length === 0 || change.isPending} onClick={() => change.mutate({ which: pending, what: 'approve' })}>Approve{count(pending)}</ActionButton>
        <ActionButton needs="Watchkeeper/managementGroups/agents/write" size="small" icon={<DismissRegular />} disabledFocusable={pending.length === 0 || change.isPending} onClick={() => change.mutate({ which: pending, what: 'reject' })}>Reject{count(pending)}</ActionButton>
        <ActionButton needs="Watchkeeper/managementGroups/agents/delete" size="small" icon={<DeleteRegular />} disabledFocusable={which.length === 0 || change.isPending} onClick={() => setRemoving(true)}>Remove…</ActionButton>
      </Toolbar>
      {change.isError && <ErrorState error={change.error} />}
      {agents.isPending && <LoadingState label="Reading agents" />}
      {agents.isError && <ErrorState error={agents.error} retry={() => void agents.refetch()} />}
      {agents.data && (
        <Split label="Agent" side={shown && <AgentPanel agent={shown} />}>
          {agents.data.length === 0
            ? <EmptyState icon={<ServerRegular />} title="No agents" hint="Install watchkeeper-agent on a machine and enrol it with a token made under Enrolment; it appears here within a minute." />
            : <DataGrid label="Agents" rows={agents.data} columns={columns} rowId={(agent) => agent.id} quickFilter={text} openId={open} onOpen={(agent) => setOpen(agent.id)} onSelect={setSelected} />}
        </Split>
      )}
      {removing && (
        <ConfirmDialog title={`Remove ${which.length === 1 ? which[0]?.computer ?? '' : `${which.length} agents`}?`} confirm="Remove" onConfirm={() => change.mutate({ which, what: 'remove' })} onCancel={() => setRemoving(false)}>
          Its certificate is refused from now on, and the objects that only it found are removed. To have it back it has to enrol again.
        </ConfirmDialog>
      )}
    </>
  );
}

function AgentPanel({ agent }: { agent: Agent }) {
  const styles = useStyles();
  const time = (text: string | null) => (text ? formatCell(text, 'datetime').slice(0, 19) : '');
  return (
    <>
      <Subtitle1 as="h2">{agent.computer}</Subtitle1>
      <Facts
        items={[
          ['Status', agent.status],
          ['Connection', agent.connected ? 'connected' : 'not connected'],
          ['Health', agent.health && <HealthIcon health={agent.health} />],
          ['Agent', agent.agentHealth && <HealthIcon health={agent.agentHealth} />],
          ['System', agent.osName],
          ['Version', agent.version],
          ['Enrolled', time(agent.enrolledAt)],
          ['Last seen', time(agent.lastSeen)],
          ['Configuration', agent.configurationVersion],
          ['Problem', agent.configurationError],
          ['Queue', agent.queueBytes === null ? '' : formatBytes(agent.queueBytes)],
          ['Dropped rows', agent.droppedRows ? String(agent.droppedRows) : ''],
          ['Identity', agent.id],
        ]}
      />
      {agent.object && <div><Link className={styles.link} to={`/objects/${segment(agent.object)}`}>Open the health explorer</Link></div>}
    </>
  );
}
