// Groups: users and app registrations that have roles together. A company's provider or directory can fill them.
import { Badge, Field, Input, SearchBox, Subtitle1, Text } from '@fluentui/react-components';
import { AddRegular, DeleteRegular, EditRegular, PeopleRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { directoryGroupsPath, typeWords, type DirectoryGroup } from '../../api/access';
import { request } from '../../api/client';
import { segment, useAction, useGroup } from '../../api/management';
import { useMay } from '../../api/permissions';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog, FormDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { Facts, Section, Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { Line, RolesOf } from './parts';
import { PrincipalPicker } from './pickers';
import { useStyles } from './styles';

const write = 'Microsoft.Authorization/users/write';

const columns: ColDef<DirectoryGroup>[] = [
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 150, initialSort: 'asc' },
  { field: 'description', headerName: 'For', flex: 3, minWidth: 160, tooltipField: 'description' },
  { colId: 'members', headerName: 'Members', width: 120, filter: 'agNumberColumnFilter', valueGetter: ({ data }) => data?.members.length },
  { colId: 'roles', headerName: 'Roles', flex: 2, minWidth: 140, valueGetter: ({ data }) => data && [...new Set(data.roles.map((one) => one.role))].join(', ') },
];

export function GroupsTab() {
  const groups = useGroup<DirectoryGroup[]>(directoryGroupsPath, 30);
  const [open, setOpen] = useState<string>();
  const [text, setText] = useState('');
  const [asking, setAsking] = useState<'add' | 'edit' | 'delete'>();
  const done = (id?: string) => { setAsking(undefined); if (id) setOpen(id); };
  const chosen = groups.data?.find((group) => group.id === open);
  const remove = useAction(async (group: DirectoryGroup) => {
    done();
    await request(`${directoryGroupsPath}/${segment(group.id)}`, { method: 'DELETE' });
    setOpen(undefined);
  });
  const addButton = (label: string) => <ActionButton needs={write} size="small" appearance="primary" icon={<AddRegular />} onClick={() => setAsking('add')}>{label}</ActionButton>;
  return (
    <>
      <Toolbar label="Groups">
        {addButton('Add group…')}
        <SearchBox size="small" aria-label="Filter groups" placeholder="Name or role" value={text} onChange={(_event, data) => setText(data.value)} />
        <Spacer />
        <ActionButton needs={write} size="small" icon={<EditRegular />} disabledFocusable={!chosen} onClick={() => setAsking('edit')}>Change…</ActionButton>
        <ActionButton needs="Microsoft.Authorization/users/delete" size="small" icon={<DeleteRegular />} disabledFocusable={!chosen || remove.isPending} onClick={() => setAsking('delete')}>Delete…</ActionButton>
      </Toolbar>
      {remove.isError && <ErrorState error={remove.error} />}
      {groups.isPending && <LoadingState label="Reading the groups" />}
      {groups.isError && <ErrorState error={groups.error} retry={() => void groups.refetch()} />}
      {groups.data && (
        <Split label="Group" side={chosen && <Panel key={chosen.id} group={chosen} />}>
          {groups.data.length === 0
            ? <EmptyState icon={<PeopleRegular />} title="There is no group yet" hint="A group has roles for its members. Groups of a company's provider or directory can be led to one here, and fill it at each sign-in." action={addButton('Add a group')} />
            : <DataGrid label="Groups" rows={groups.data} columns={columns} rowId={(group) => group.id} quickFilter={text} openId={open} onOpen={(group) => setOpen(group.id)} />}
        </Split>
      )}
      {asking === 'add' && <GroupDialog onDone={done} />}
      {chosen && asking === 'edit' && <GroupDialog group={chosen} onDone={done} />}
      {chosen && asking === 'delete' && (
        <ConfirmDialog title={`Delete the group ${chosen.name}?`} confirm="Delete" onConfirm={() => remove.mutate(chosen)} onCancel={() => done()}>
          Its members lose the roles that they have through it, at once. The members themselves stay.
        </ConfirmDialog>
      )}
    </>
  );
}

function Panel({ group }: { group: DirectoryGroup }) {
  const styles = useStyles();
  const may = useMay()(write);
  const [adding, setAdding] = useState(false);
  const path = `${directoryGroupsPath}/${segment(group.id)}/members`;
  const remove = useAction((id: string) => request(`${path}/${segment(id)}`, { method: 'DELETE' }));
  return (
    <>
      <Subtitle1 as="h2">{group.name}</Subtitle1>
      {group.description && <Text>{group.description}</Text>}
      <Section title="Members">
        {remove.isError && <ErrorState error={remove.error} />}
        {group.members.length === 0 && <Text block className={styles.muted}>None yet.</Text>}
        <ul className={styles.list} aria-label="Members">
          {group.members.map((member) => (
            <Line key={`${member.id} ${member.provider}`} remove={may ? { label: `Take ${member.name} out of the group`, onRemove: () => remove.mutate(member.id), disabled: remove.isPending } : undefined}>
              {member.name} <Text className={styles.muted}>{typeWords[member.type]}</Text>{' '}
              {member.provider && <Badge appearance="tint" color="informative">through {member.provider}</Badge>}
            </Line>
          ))}
        </ul>
        <ActionButton needs={write} size="small" icon={<AddRegular />} onClick={() => setAdding(true)}>Add member…</ActionButton>
      </Section>
      <RolesOf id={group.id} roles={group.roles} />
      <Facts items={[['Identity', group.id]]} />
      {adding && <MemberDialog group={group} path={path} onDone={() => setAdding(false)} />}
    </>
  );
}

function MemberDialog({ group, path, onDone }: { group: DirectoryGroup; path: string; onDone: () => void }) {
  const [member, setMember] = useState('');
  const add = useAction(async () => {
    await request(`${path}/${segment(member)}`, { method: 'PUT' });
    onDone();
  });
  return (
    <FormDialog title={`Add a member to ${group.name}`} submit="Add" ready={member !== ''} pending={add.isPending} error={add.error} onSubmit={() => add.mutate(undefined)} onCancel={onDone}>
      <PrincipalPicker label="Who" hint="A user or an app registration" only={['User', 'ServicePrincipal']} without={group.members.map((one) => one.id)} value={member} onChange={setMember} />
    </FormDialog>
  );
}

function GroupDialog({ group, onDone }: { group?: DirectoryGroup; onDone: (id?: string) => void }) {
  const [name, setName] = useState(group?.name ?? '');
  const [description, setDescription] = useState(group?.description ?? '');
  const save = useAction(async () => {
    const path = group ? `${directoryGroupsPath}/${segment(group.id)}` : directoryGroupsPath;
    const made = await request<DirectoryGroup>(path, { method: group ? 'PATCH' : 'POST', body: { name: name.trim(), description: description.trim() } });
    onDone(made?.id);
  });
  return (
    <FormDialog title={group ? `Change ${group.name}` : 'Add a group'} submit={group ? 'Save' : 'Add'} ready={name.trim() !== ''} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={() => onDone()}>
      <Field label="Name" required><Input value={name} onChange={(_event, data) => setName(data.value)} /></Field>
      <Field label="For"><Input value={description} onChange={(_event, data) => setDescription(data.value)} /></Field>
    </FormDialog>
  );
}
