// Gateways: who waits to be let in, under which names, and which agents are behind each.
import { ProgressBar, Subtitle1, Text } from '@fluentui/react-components';
import { CheckmarkRegular, DeleteRegular, RouterRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import type { Gateway } from '../../api/administration';
import { request } from '../../api/client';
import { segment, useAction, useGroup } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { ago, duration, formatBytes, formatCell, formatNumber } from '../../components/format';
import { Facts, Section, Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';

const columns: ColDef<Gateway>[] = [
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 160 },
  { colId: 'names', headerName: 'Certificate for', flex: 3, minWidth: 160, valueGetter: ({ data }) => data?.names.join(', ') },
  { field: 'status', headerName: 'Status', width: 120, initialSort: 'desc' },
  { field: 'agents', headerName: 'Agents', width: 100, filter: 'agNumberColumnFilter' },
  {
    colId: 'waiting', headerName: 'Waiting', width: 130, filter: 'agNumberColumnFilter', headerTooltip: 'What waits on its disk for the server',
    valueGetter: ({ data }) => data?.queue?.bytes, valueFormatter: ({ value, data }) => (value === undefined ? 'not known' : data?.queue?.batches === 0 ? 'nothing' : formatBytes(Number(value))),
  },
  { field: 'through', headerName: 'Through', width: 140, valueFormatter: ({ value }) => (value ? String(value) : 'directly') },
  { field: 'lastSeen', headerName: 'Last seen', width: 120, filter: false, valueFormatter: ({ value }) => (value ? ago(String(value), Date.now()) : 'never') },
];

export function GatewaysTab() {
  const gateways = useGroup<Gateway[]>('/api/gateways', 10);
  const [open, setOpen] = useState<string>();
  const [asking, setAsking] = useState<'approve' | 'remove'>();
  const change = useAction(async ({ gateway, what }: { gateway: Gateway; what: 'approve' | 'remove' }) => {
    setAsking(undefined);
    const path = `/api/gateways/${segment(gateway.id)}`;
    await request(what === 'remove' ? path : `${path}/approve`, { method: what === 'remove' ? 'DELETE' : 'POST' });
  });
  if (gateways.isPending) return <LoadingState label="Reading gateways" />;
  if (gateways.isError) return <ErrorState error={gateways.error} retry={() => void gateways.refetch()} />;
  const chosen = gateways.data.find((gateway) => gateway.id === open);
  const waiting = gateways.data.filter((gateway) => gateway.status === 'pending').length;
  return (
    <>
      <Toolbar label="Gateways">
        {waiting > 0 && <span role="status">{waiting} waiting for approval</span>}
        <Spacer />
        <ActionButton needs="Watchkeeper/managementGroups/gateways/write" size="small" icon={<CheckmarkRegular />} disabledFocusable={chosen?.status !== 'pending' || change.isPending} onClick={() => setAsking('approve')}>Approve…</ActionButton>
        <ActionButton needs="Watchkeeper/managementGroups/gateways/delete" size="small" icon={<DeleteRegular />} disabledFocusable={!chosen || change.isPending} onClick={() => setAsking('remove')}>Remove…</ActionButton>
      </Toolbar>
      {change.isError && <ErrorState error={change.error} />}
      <Split label="Gateway" side={chosen && <GatewayPanel gateway={chosen} />}>
        {gateways.data.length === 0
          ? <EmptyState icon={<RouterRegular />} title="No gateways" hint="A gateway stands where agents cannot reach the server: it holds one connection for all of them. Start the program watchkeeper there as a gateway with an enrolment token; it appears here and waits for you." />
          : <DataGrid label="Gateways" rows={gateways.data} columns={columns} rowId={(gateway) => gateway.id} openId={open} onOpen={(gateway) => setOpen(gateway.id)} />}
      </Split>
      {chosen && asking === 'approve' && (
        <ConfirmDialog title={`Let ${chosen.name} in?`} confirm="Approve" onConfirm={() => change.mutate({ gateway: chosen, what: 'approve' })} onCancel={() => setAsking(undefined)}>
          Agents will take it for {chosen.names.join(', ')}: its certificate is good for these names. Approve it only when they are its own.
        </ConfirmDialog>
      )}
      {chosen && asking === 'remove' && (
        <ConfirmDialog title={`Remove ${chosen.name}?`} confirm="Remove" onConfirm={() => change.mutate({ gateway: chosen, what: 'remove' })} onCancel={() => setAsking(undefined)}>
          Its certificate is refused from now on, and the {chosen.agents} agents behind it have no way to the server until they reach it directly or through another gateway. What its queue still holds is lost.
        </ConfirmDialog>
      )}
    </>
  );
}

/** With more than this part of its room taken, a queue is spoken of. */
const muchOfRoom = 0.8;

function Queue({ gateway: { queue } }: { gateway: Gateway }) {
  if (!queue) return <Text>It has not said yet what waits there.</Text>;
  const part = queue.limitBytes > 0 ? queue.bytes / queue.limitBytes : 0;
  return (
    <>
      <ProgressBar aria-label="Room of the queue that is taken" value={part} color={part > muchOfRoom ? 'error' : 'brand'} thickness="large" />
      <Facts
        items={[
          ['Waiting', queue.batches === 0 ? 'nothing' : `${formatNumber(queue.rows)} rows in ${formatNumber(queue.batches)} batches`],
          ['Size', `${formatBytes(queue.bytes)} of ${formatBytes(queue.limitBytes)}`],
          ['Oldest', queue.oldestSeconds === null ? '' : `had waited ${duration(queue.oldestSeconds)}`],
          ['Connected agents', formatNumber(queue.connected)],
          ['Said', queue.reportedAt ? `${ago(queue.reportedAt, Date.now())} (every 15 s while it reaches a server)` : ''],
        ]}
      />
      {part > muchOfRoom && <Text role="status">When the queue is full, agents keep what they have. Look at the gateway’s way to its server, or give the queue more room (queue_megabytes).</Text>}
    </>
  );
}

function GatewayPanel({ gateway }: { gateway: Gateway }) {
  const time = (text: string | null) => (text ? `${formatCell(text, 'datetime').slice(0, 19)} UTC` : '');
  return (
    <>
      <Subtitle1 as="h2">{gateway.name}</Subtitle1>
      <Facts
        items={[
          ['Status', gateway.status === 'pending' ? 'waits for approval' : 'approved'],
          ['Certificate for', gateway.names.join(', ')],
          ['Comes through', gateway.through ?? 'none: directly'],
          ['Enrolled', time(gateway.enrolledAt)],
          ['Last seen', time(gateway.lastSeen)],
          ['Identity', gateway.id],
        ]}
      />
      <Section title="Queue"><Queue gateway={gateway} /></Section>
      <Section title="Agents behind it">
        {gateway.behind.length === 0 ? <Text>None has enrolled through it yet.</Text> : <Text>{gateway.behind.join(', ')}</Text>}
      </Section>
    </>
  );
}
