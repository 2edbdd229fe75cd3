// Maintenance that recurs: which schedules there are, and when each begins next.
import { AddRegular, CalendarRegular, DeleteRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { request } from '../../api/client';
import { segment, useAction, useGroup } from '../../api/management';
import { ConfirmDialog } from '../../components/Dialogs';
import { DataGrid } from '../../components/DataGrid';
import { ActionButton } from '../../components/May';
import { Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { minute } from './columns';
import { recurrenceWords, type Schedule } from './schedule';
import { ScheduleDialog, schedulesPath } from './ScheduleDialog';
import { reasonWords } from './StartMaintenance';

const write = 'Watchkeeper/managementGroups/maintenance/write';

const columns: ColDef<Schedule>[] = [
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 140, initialSort: 'asc' },
  { colId: 'enabled', headerName: 'Enabled', width: 100, valueGetter: ({ data }) => (data?.enabled === false ? 'No' : 'Yes') },
  { colId: 'objects', headerName: 'Objects', flex: 2, minWidth: 140, valueGetter: ({ data }) => data?.objectNames.join(', ') },
  { colId: 'recurrence', headerName: 'Repeats', flex: 2, minWidth: 150, valueGetter: ({ data }) => data && recurrenceWords(data.recurrence) },
  { field: 'minutes', headerName: 'Minutes', width: 100, filter: 'agNumberColumnFilter' },
  { field: 'timeZone', headerName: 'Time zone', width: 130 },
  { field: 'nextAt', headerName: 'Next (UTC)', width: 150, valueFormatter: minute, filter: false },
  { field: 'reason', headerName: 'Reason', flex: 1, minWidth: 130, valueFormatter: ({ value }) => reasonWords(String(value ?? '')) },
  { field: 'createdBy', headerName: 'Made by', width: 120 },
];

export function SchedulesTab() {
  const [selected, setSelected] = useState<string[]>([]);
  const [asking, setAsking] = useState<'create' | 'remove'>();
  const schedules = useGroup<Schedule[]>(schedulesPath, 10);
  const chosen = (schedules.data ?? []).filter((one) => selected.includes(one.id));
  const isOn = chosen.some((one) => one.enabled);
  const done = () => setAsking(undefined);
  const path = (one: Schedule) => `${schedulesPath}/${segment(one.id)}`;
  const enable = useAction(async () => { for (const one of chosen) await request(path(one), { method: 'PATCH', body: { enabled: !isOn } }); });
  const remove = useAction(async () => {
    done();
    for (const one of chosen) await request(path(one), { method: 'DELETE' });
  });
  const none = chosen.length === 0;
  return (
    <>
      <Toolbar label="Schedules">
        <ActionButton needs={write} size="small" appearance="primary" icon={<AddRegular />} onClick={() => setAsking('create')}>New schedule…</ActionButton>
        <Spacer />
        <ActionButton needs={write} size="small" disabledFocusable={none || enable.isPending} onClick={() => enable.mutate(undefined)}>{isOn || none ? 'Disable' : 'Enable'}</ActionButton>
        <ActionButton needs={write} size="small" icon={<DeleteRegular />} disabledFocusable={none || remove.isPending} onClick={() => setAsking('remove')}>Remove…</ActionButton>
      </Toolbar>
      {schedules.isPending && <LoadingState label="Reading schedules" />}
      {schedules.isError && <ErrorState error={schedules.error} retry={() => void schedules.refetch()} />}
      {enable.isError && <ErrorState error={enable.error} />}
      {remove.isError && <ErrorState error={remove.error} />}
      {schedules.data && (
        <Split>
          {schedules.data.length === 0
            ? <EmptyState icon={<CalendarRegular />} title="No schedules" hint="A schedule puts computers into maintenance again and again, such as every second Tuesday of the month at two at night." />
            : <DataGrid label="Schedules" rows={schedules.data} columns={columns} rowId={(one) => one.id} onSelect={(rows) => setSelected(rows.map((one) => one.id))} />}
        </Split>
      )}
      {asking === 'create' && <ScheduleDialog onDone={done} />}
      {asking === 'remove' && (
        <ConfirmDialog title={chosen.length === 1 ? `Remove ${chosen[0]?.name ?? ''}?` : `Remove ${chosen.length} schedules?`} confirm="Remove" onConfirm={() => remove.mutate(undefined)} onCancel={done}>
          No window begins any more. One that has begun goes on until its end.
        </ConfirmDialog>
      )}
    </>
  );
}
