// Role assignments: who has which role where, since when and given by whom; giving and taking back.
import { Button, Field, Input, SearchBox, Subtitle1, Text } from '@fluentui/react-components';
import { AddRegular, DeleteRegular, PeopleLockRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { Link } from 'react-router-dom';
import { assignmentsPath, rolesPath, typeWords, type RoleAssignment, type RoleDefinition } from '../../api/access';
import { request } from '../../api/client';
import { segment, useAction, useGroup } from '../../api/management';
import { scopeWords, usePermissions, useReloadPermissions, type Place } from '../../api/permissions';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog, FormDialog } from '../../components/Dialogs';
import { ActionButton, May } from '../../components/May';
import { Facts, Preformatted, Section, Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { definitionText, PrincipalPicker, RolePicker, ScopePicker } from './pickers';
import { useLinkStyle } from './styles';
import { minuteOf } from './words';

const placeOf = (one: RoleAssignment, places: readonly Place[]) => (one.scopeName ? `the group ${one.scopeName}` : scopeWords(one.scope, places));
const nameOf = (one: RoleAssignment) => one.principalName ?? one.principalId;

const columns = (places: readonly Place[]): ColDef<RoleAssignment>[] => [
  { colId: 'who', headerName: 'Who', flex: 2, minWidth: 150, initialSort: 'asc', valueGetter: ({ data }) => data && nameOf(data) },
  { colId: 'type', headerName: 'Kind', width: 140, valueGetter: ({ data }) => data && typeWords[data.principalType] },
  { field: 'role', headerName: 'Role', flex: 2, minWidth: 150 },
  { colId: 'scope', headerName: 'At', flex: 2, minWidth: 160, valueGetter: ({ data }) => data && placeOf(data, places) },
  { field: 'createdAt', headerName: 'Since', width: 170, filter: false, valueFormatter: ({ value }) => minuteOf(value as string | null) },
  { field: 'createdBy', headerName: 'Given by', flex: 1, minWidth: 110 },
];

export function AssignmentsTab() {
  const assignments = useGroup<RoleAssignment[]>(assignmentsPath, 30);
  const reload = useReloadPermissions();
  const { places } = usePermissions();
  const [open, setOpen] = useState<string>();
  const [text, setText] = useState('');
  const [asking, setAsking] = useState<'give' | 'take'>();
  const chosen = assignments.data?.find((one) => one.id === open);
  const take = useAction(async (one: RoleAssignment) => {
    setAsking(undefined);
    await request(`${assignmentsPath}/${segment(one.id)}`, { method: 'DELETE' });
    setOpen(undefined);
    await reload();
  });
  const giveButton = (label: string) => <ActionButton needs="Microsoft.Authorization/roleAssignments/write" size="small" appearance="primary" icon={<AddRegular />} onClick={() => setAsking('give')}>{label}</ActionButton>;
  return (
    <>
      <Toolbar label="Role assignments">
        {giveButton('Give a role…')}
        <SearchBox size="small" aria-label="Filter role assignments" placeholder="Name, role or place" value={text} onChange={(_event, data) => setText(data.value)} />
        <Spacer />
        <ActionButton needs="Microsoft.Authorization/roleAssignments/delete" size="small" icon={<DeleteRegular />} disabledFocusable={!chosen || take.isPending} onClick={() => setAsking('take')}>Take back…</ActionButton>
      </Toolbar>
      {take.isError && <ErrorState error={take.error} />}
      {assignments.isPending && <LoadingState label="Reading the role assignments" />}
      {assignments.isError && <ErrorState error={assignments.error} retry={() => void assignments.refetch()} />}
      {assignments.data && (
        <Split label="Role assignment" side={chosen && <Panel assignment={chosen} places={places} />}>
          {assignments.data.length === 0
            ? <EmptyState icon={<PeopleLockRegular />} title="No role is given where you may see it" hint="Give somebody a role: it holds at once, at its place and everything below." action={giveButton('Give a role')} />
            : <DataGrid label="Role assignments" rows={assignments.data} columns={columns(places)} rowId={(one) => one.id} quickFilter={text} openId={open} onOpen={(one) => setOpen(one.id)} />}
        </Split>
      )}
      {asking === 'give' && <GiveRoleDialog onDone={(id) => { setAsking(undefined); if (id) setOpen(id); }} />}
      {chosen && asking === 'take' && (
        <ConfirmDialog title={`Take ${chosen.role} back from ${nameOf(chosen)}?`} confirm="Take back" onConfirm={() => take.mutate(chosen)} onCancel={() => setAsking(undefined)}>
          It ends at once at {placeOf(chosen, places)}. What {nameOf(chosen)} has by other roles and as a member of groups stays.
        </ConfirmDialog>
      )}
    </>
  );
}

function Panel({ assignment, places }: { assignment: RoleAssignment; places: readonly Place[] }) {
  const link = useLinkStyle();
  return (
    <>
      <Subtitle1 as="h2">{`${assignment.role} for ${nameOf(assignment)}`}</Subtitle1>
      {assignment.principalName === null && <Text role="status">Nobody here has this id any more, or not yet.</Text>}
      <Facts
        items={[
          ['Who', nameOf(assignment)], ['Kind', typeWords[assignment.principalType]], ['At', placeOf(assignment, places)], ['Scope', assignment.scope],
          ['For', assignment.description], ['Since', minuteOf(assignment.createdAt)], ['Given by', assignment.createdBy], ['Identity', assignment.principalId],
        ]}
      />
      {assignment.principalName !== null && <div><Link className={link} to={`/access/check?who=${segment(assignment.principalId)}`}>All that {nameOf(assignment)} may do</Link></div>}
      <May needs="Microsoft.Authorization/roleDefinitions/read"><Allows roleId={assignment.roleId} /></May>
    </>
  );
}

function Allows({ roleId }: { roleId: string }) {
  const roles = useGroup<RoleDefinition[]>(rolesPath, 60);
  const role = roles.data?.find((one) => one.id === roleId);
  if (!role) return null;
  return (
    <Section title="What the role allows">
      <Text block>{role.description}</Text>
      <Preformatted label={`Actions of ${role.name}`}>{definitionText(role)}</Preformatted>
    </Section>
  );
}

/** Gives a role; `who` is already known where it begins at a person. */
export function GiveRoleDialog({ who = '', onDone }: { who?: string; onDone: (id?: string) => void }) {
  const roles = useGroup<RoleDefinition[]>(rolesPath, 60);
  const reload = useReloadPermissions();
  const { places } = usePermissions();
  const [principal, setPrincipal] = useState(who);
  const [role, setRole] = useState('');
  const [scope, setScope] = useState(places.find((place) => place.kind === 'workspace')?.scope ?? '/');
  const [description, setDescription] = useState('');
  const give = useAction(async () => {
    const made = await request<RoleAssignment>(assignmentsPath, { method: 'POST', body: { principalId: principal, role, scope, description: description.trim() } });
    await reload();
    onDone(made?.id);
  });
  const ready = principal !== '' && role !== '' && !/\/(tables|groups)\/$/.test(scope);
  return (
    <FormDialog title="Give a role" submit="Give" ready={ready} pending={give.isPending} error={give.error ?? roles.error} onSubmit={() => give.mutate(undefined)} onCancel={() => onDone()}>
      <PrincipalPicker label="Who" hint="A user, a group, or an app registration" value={principal} onChange={setPrincipal} />
      <RolePicker roles={roles.data ?? []} value={role} scope={scope} onChange={setRole} />
      <ScopePicker value={scope} onChange={setScope} />
      <Field label="Why" hint="Stands beside the assignment"><Input value={description} onChange={(_event, data) => setDescription(data.value)} /></Field>
    </FormDialog>
  );
}

export function GiveRoleButton({ who }: { who: string }) {
  const [asking, setAsking] = useState(false);
  return (
    <May needs="Microsoft.Authorization/roleAssignments/write">
      <div><Button size="small" icon={<AddRegular />} onClick={() => setAsking(true)}>Give a role…</Button></div>
      {asking && <GiveRoleDialog who={who} onDone={() => setAsking(false)} />}
    </May>
  );
}
