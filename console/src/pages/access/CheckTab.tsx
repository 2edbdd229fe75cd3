// Check access: what a user, group or app registration may do, and which roles say so.
import { SearchBox, Subtitle1, Text } from '@fluentui/react-components';
import { PersonSearchRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { useSearchParams } from 'react-router-dom';
import { typeWords, type EffectiveAccess } from '../../api/access';
import { segment, useGroup } from '../../api/management';
import { scopeWords, usePermissions, type Place } from '../../api/permissions';
import { DataGrid } from '../../components/DataGrid';
import { Facts, Section, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { Line } from './parts';
import { PrincipalPicker } from './pickers';
import { useStyles } from './styles';
import { actionParts } from './words';

interface Allowed {
  action: string;
  area: string;
  what: string;
  scope: string;
  roles: string;
}

const columns = (places: readonly Place[]): ColDef<Allowed>[] => [
  { field: 'what', headerName: 'May', flex: 2, minWidth: 180, initialSort: 'asc', tooltipField: 'action' },
  { field: 'area', headerName: 'In', flex: 2, minWidth: 180 },
  { field: 'scope', headerName: 'At', flex: 2, minWidth: 150, valueFormatter: ({ value }) => scopeWords(String(value), places) },
  { field: 'roles', headerName: 'By', flex: 1, minWidth: 130 },
];

export function CheckTab() {
  const [search, setSearch] = useSearchParams();
  const who = search.get('who') ?? '';
  const [asked, setAsked] = useState(who);
  const { places } = usePermissions();
  const [text, setText] = useState('');
  const access = useGroup<EffectiveAccess>(who === '' ? undefined : `/api/permissions/${segment(who)}`, 30);
  const rows = (access.data?.actions ?? []).flatMap(({ name, at }) => at.map(({ scope, roles }): Allowed => ({ action: name, ...actionParts(name), scope, roles: roles.join(', ') })));
  const none = access.data && rows.length === 0;
  return (
    <>
      <Toolbar label="Check access">
        <PrincipalPicker inRow label="Who" value={asked} onChange={(id) => { setAsked(id); setSearch(id === '' ? {} : { who: id }, { replace: true }); }} />
        <SearchBox size="small" aria-label="Filter what is allowed" placeholder="Action, place or role" value={text} onChange={(_event, data) => setText(data.value)} />
      </Toolbar>
      {who === '' && <Split><EmptyState icon={<PersonSearchRegular />} title="Whose access?" hint="Choose a user, a group or an app registration: everything that it may do is listed, with the place and the role that says so." /></Split>}
      {who !== '' && access.isPending && <LoadingState label="Reading the access" />}
      {who !== '' && access.isError && <ErrorState error={access.error} />}
      {who !== '' && access.data && (
        <Split label="Access" side={<Panel access={access.data} places={places} />}>
          {none
            ? <EmptyState icon={<PersonSearchRegular />} title={`${access.data.principalName} may do nothing`} hint="It has no role, by itself or as a member of a group." />
            : <DataGrid label="What is allowed" rows={rows} columns={columns(places)} rowId={(one) => `${one.action} ${one.scope}`} quickFilter={text} />}
        </Split>
      )}
    </>
  );
}

function Panel({ access, places }: { access: EffectiveAccess; places: readonly Place[] }) {
  const styles = useStyles();
  return (
    <>
      <Subtitle1 as="h2">{access.principalName}</Subtitle1>
      {access.disabled && <Text role="status">The user is disabled: while it is, it may do nothing of this.</Text>}
      {!access.complete && <Text role="status">Roles that are given where you may not see them are left out.</Text>}
      <Facts items={[['Kind', typeWords[access.principalType]], ['Member of', access.groups.join(', ')], ['Identity', access.principalId]]} />
      <Section title="By these roles">
        {access.assignments.length === 0 && <Text block className={styles.muted}>None.</Text>}
        <ul className={styles.list} aria-label="Roles">
          {access.assignments.map((one) => <Line key={one.id}>{one.role} <Text className={styles.muted}>at {scopeWords(one.scope, places)}{one.through ? `, as a member of ${one.through}` : ''}</Text></Line>)}
        </ul>
      </Section>
    </>
  );
}
