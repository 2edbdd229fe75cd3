// Sessions of everybody: who is signed in to the console, from where, and ending one or all of a person.
import { SearchBox } from '@fluentui/react-components';
import { DeleteRegular, DesktopRegular, SignOutRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { sessionsPath, usersPath, type OpenSession } from '../../api/access';
import { request } from '../../api/client';
import { segment, useAction, useGroup } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { browserWords, minuteOf } from './words';

const write = 'Microsoft.Authorization/users/write';
const nameOf = (one: OpenSession) => one.user ?? one.userId ?? '';

const columns: ColDef<OpenSession>[] = [
  { colId: 'user', headerName: 'User', flex: 1, minWidth: 130, initialSort: 'asc', valueGetter: ({ data }) => data && nameOf(data) },
  { colId: 'browser', headerName: 'Browser', flex: 2, minWidth: 160, valueGetter: ({ data }) => data && browserWords(data.client), tooltipField: 'client' },
  { field: 'signedInAt', headerName: 'Signed in', width: 180, filter: false, valueFormatter: ({ value }) => minuteOf(value as string) },
  { field: 'usedAt', headerName: 'Used last', width: 180, filter: false, valueFormatter: ({ value }) => minuteOf((value as string | null) ?? null) },
  { field: 'expiresAt', headerName: 'Ends', width: 180, filter: false, valueFormatter: ({ value }) => minuteOf(value as string) },
  { colId: 'own', headerName: 'Own', width: 110, filter: false, valueGetter: ({ data }) => (data?.isThisOne ? 'this one' : '') },
];

export function SessionsTab() {
  const sessions = useGroup<OpenSession[]>(`${sessionsPath}/all`, 15);
  const [selected, setSelected] = useState<OpenSession[]>([]);
  const [text, setText] = useState('');
  const [asking, setAsking] = useState<'end' | 'all'>();
  const ended = selected.filter((one) => !one.isThisOne);
  const people = [...new Map(selected.map((one) => [one.userId ?? '', nameOf(one)])).entries()];
  const end = useAction(async (what: 'end' | 'all') => {
    setAsking(undefined);
    if (what === 'all') for (const [id] of people) await request(`${usersPath}/${segment(id)}/sessions`, { method: 'DELETE' });
    else for (const one of ended) await request(`${sessionsPath}/${segment(one.id)}`, { method: 'DELETE' });
  });
  const whom = people.map(([, name]) => name).join(', ');
  return (
    <>
      <Toolbar label="Sessions">
        <SearchBox size="small" aria-label="Filter sessions" placeholder="User or browser" value={text} onChange={(_event, data) => setText(data.value)} />
        <Spacer />
        <ActionButton needs={write} size="small" icon={<DeleteRegular />} disabledFocusable={ended.length === 0 || end.isPending} onClick={() => setAsking('end')}>End…</ActionButton>
        <ActionButton needs={write} size="small" icon={<SignOutRegular />} disabledFocusable={people.length === 0 || end.isPending} onClick={() => setAsking('all')}>Sign out everywhere…</ActionButton>
      </Toolbar>
      {end.isError && <ErrorState error={end.error} />}
      {sessions.isPending && <LoadingState label="Reading the sessions" />}
      {sessions.isError && <ErrorState error={sessions.error} retry={() => void sessions.refetch()} />}
      {sessions.data && (
        <Split>
          {sessions.data.length === 0
            ? <EmptyState icon={<DesktopRegular />} title="Nobody is signed in to the console" hint="Programs sign in with tokens and have no sessions." />
            : <DataGrid label="Sessions" rows={sessions.data} columns={columns} rowId={(one) => one.id} quickFilter={text} onSelect={setSelected} />}
        </Split>
      )}
      {asking === 'end' && (
        <ConfirmDialog title={ended.length === 1 ? `End the session of ${ended[0] ? nameOf(ended[0]) : ''}?` : `End ${ended.length} sessions?`} confirm="End" onConfirm={() => end.mutate('end')} onCancel={() => setAsking(undefined)}>
          It ends at once; the next click in that browser leads to the sign-in page. Who knows the password can sign in again.
        </ConfirmDialog>
      )}
      {asking === 'all' && (
        <ConfirmDialog title={`Sign ${whom} out everywhere?`} confirm="Sign out" onConfirm={() => end.mutate('all')} onCancel={() => setAsking(undefined)}>
          All sessions end at once, and the tokens of programs that {whom} signed in to. To keep somebody out, disable the user.
        </ConfirmDialog>
      )}
    </>
  );
}
