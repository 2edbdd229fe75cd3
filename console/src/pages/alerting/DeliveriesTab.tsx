// Who was told of what: the queue, what arrived, dead letters and their replay.
import { Dropdown, MessageBar, MessageBarBody, Option, Tooltip } from '@fluentui/react-components';
import { ArrowClockwiseRegular, MailRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { useNavigate } from 'react-router-dom';
import { deliveriesPath, replayDeadLetters, replayDelivery, type Delivery } from '../../api/alerting';
import { segment, useAction, useGroup } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ActionButton } from '../../components/May';
import { formatCell } from '../../components/format';
import { Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';

const time = ({ value }: { value?: unknown }) => (value ? formatCell(String(value), 'datetime').slice(0, 19) : '');

const columns: ColDef<Delivery>[] = [
  { field: 'createdAt', headerName: 'Time (UTC)', width: 160, valueFormatter: time, filter: false },
  { field: 'alertName', headerName: 'Alert', flex: 2, minWidth: 140 },
  { field: 'event', headerName: 'Event', width: 105 },
  { field: 'actionGroup', headerName: 'Action group', flex: 1, minWidth: 110 },
  { field: 'receiver', headerName: 'Receiver', flex: 1, minWidth: 110, tooltipField: 'target' },
  { field: 'receiverType', headerName: 'Kind', width: 110 },
  { colId: 'status', headerName: 'Status', width: 115, valueGetter: ({ data }) => data && (data.status === 'Dead' ? 'Dead letter' : data.status) },
  { field: 'attempts', headerName: 'Tries', width: 80, filter: 'agNumberColumnFilter' },
  { field: 'error', headerName: 'Error', flex: 3, minWidth: 150, tooltipField: 'error' },
  { field: 'nextAttempt', headerName: 'Next try (UTC)', width: 160, valueFormatter: time, filter: false },
];

const statuses: [string, string][] = [['all', 'All'], ['waiting', 'Waiting'], ['delivered', 'Delivered'], ['dead', 'Dead letters']];

export function DeliveriesTab() {
  const navigate = useNavigate();
  const [status, setStatus] = useState('all');
  const [selected, setSelected] = useState<Delivery[]>([]);
  const deliveries = useGroup<Delivery[]>(`${deliveriesPath}?limit=1000&status=${status}`);
  const open = selected.filter((one) => one.status !== 'Delivered');
  const dead = (deliveries.data ?? []).filter((one) => one.status === 'Dead').length;
  const replay = useAction(async (which: Delivery[] | 'all dead letters') => {
    if (which === 'all dead letters') return replayDeadLetters();
    for (const one of which) await replayDelivery(one.id);
    return which.length;
  });
  return (
    <>
      <Toolbar label="Deliveries">
        <Dropdown size="small" style={{ minWidth: '140px' }} aria-label="Status" value={statuses.find(([value]) => value === status)?.[1] ?? status} selectedOptions={[status]} onOptionSelect={(_event, data) => setStatus(data.optionValue ?? 'all')}>
          {statuses.map(([value, label]) => <Option key={value} value={value}>{label}</Option>)}
        </Dropdown>
        <Spacer />
        {dead > 0 && <ActionButton needs="Microsoft.Insights/notificationStatus/replay/action" size="small" disabledFocusable={replay.isPending} onClick={() => replay.mutate('all dead letters')}>Replay all dead letters</ActionButton>}
        <Tooltip relationship="description" content={open.length === 0 ? 'Select deliveries that have not arrived first' : 'Tries them again at once'}>
          <ActionButton needs="Microsoft.Insights/notificationStatus/replay/action" size="small" icon={<ArrowClockwiseRegular />} disabledFocusable={open.length === 0 || replay.isPending} onClick={() => replay.mutate(open)}>Replay{open.length > 1 ? ` (${open.length})` : ''}</ActionButton>
        </Tooltip>
      </Toolbar>
      {deliveries.isPending && <LoadingState label="Reading deliveries" />}
      {deliveries.isError && <ErrorState error={deliveries.error} retry={() => void deliveries.refetch()} />}
      {replay.isError && <ErrorState error={replay.error} />}
      {replay.isSuccess && replay.data > 0 && <MessageBar intent="success"><MessageBarBody role="status">{replay.data === 1 ? 'The delivery is tried again now.' : `${replay.data} deliveries are tried again now.`} The list shows what comes of it.</MessageBarBody></MessageBar>}
      {deliveries.data && (
        <Split>
          {deliveries.data.length === 0
            ? <EmptyState icon={<MailRegular />} title="No deliveries" hint="Everything that action groups tell people is here for a week, what could not be delivered for 30 days." />
            : <DataGrid label="Deliveries" rows={deliveries.data} columns={columns} rowId={(one) => one.id} onOpen={(one) => navigate(`/alerts?state=all&alert=${segment(one.alertId)}`)} onSelect={setSelected} />}
        </Split>
      )}
    </>
  );
}
