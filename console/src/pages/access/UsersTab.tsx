// Users: people who sign in, with their password here or through a company's provider or directory.
import { Badge, Button, Field, Input, SearchBox, Subtitle1, Text } from '@fluentui/react-components';
import { AddRegular, DeleteRegular, EditRegular, KeyResetRegular, PersonProhibitedRegular, PersonRegular, SignOutRegular } from '@fluentui/react-icons';
import type { ColDef, ICellRendererParams } from 'ag-grid-community';
import { useState } from 'react';
import { usersPath, type OpenSession, type User } from '../../api/access';
import { request } from '../../api/client';
import { segment, useAction, useGroup } from '../../api/management';
import { usePermissions } from '../../api/permissions';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog, FormDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { Facts, Section, Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { RolesOf } from './parts';
import { SessionList } from './SessionList';
import { minuteOf } from './words';

const write = 'Microsoft.Authorization/users/write';
/** As the server has it. */
export const leastPasswordCharacters = 12;

const columns: ColDef<User>[] = [
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 130, initialSort: 'asc' },
  { field: 'displayName', headerName: 'Display name', flex: 2, minWidth: 130 },
  {
    colId: 'status', headerName: 'Status', width: 120, valueGetter: ({ data }) => (data?.disabled ? 'Disabled' : 'Enabled'),
    cellRenderer: ({ data }: ICellRendererParams<User>) => data && <Badge appearance="tint" color={data.disabled ? 'subtle' : 'success'}>{data.disabled ? 'Disabled' : 'Enabled'}</Badge>,
  },
  { colId: 'provider', headerName: 'Signs in', flex: 1, minWidth: 130, valueGetter: ({ data }) => (data?.provider ? `through ${data.provider}` : 'with a password here') },
  { colId: 'groups', headerName: 'Groups', flex: 1, minWidth: 110, valueGetter: ({ data }) => data?.groups.join(', ') },
  { field: 'signedInAt', headerName: 'Signed in last', width: 180, filter: false, valueFormatter: ({ value }) => minuteOf(value as string | null) || 'never' },
];

type Asking = 'add' | 'edit' | 'password' | 'disable' | 'sign-out' | 'delete';

export function UsersTab() {
  const users = useGroup<User[]>(usersPath, 30);
  const { principalId } = usePermissions();
  const [open, setOpen] = useState<string>();
  const [text, setText] = useState('');
  const [asking, setAsking] = useState<Asking>();
  const done = (id?: string) => { setAsking(undefined); if (id) setOpen(id); };
  const chosen = users.data?.find((user) => user.id === open);
  const others = chosen && chosen.id !== principalId ? chosen : undefined;
  const path = (user: User) => `${usersPath}/${segment(user.id)}`;
  const act = useAction(async ({ user, what }: { user: User; what: 'disable' | 'enable' | 'sign-out' | 'delete' }) => {
    done();
    if (what === 'sign-out') await request(`${path(user)}/sessions`, { method: 'DELETE' });
    else if (what === 'delete') {
      await request(path(user), { method: 'DELETE' });
      setOpen(undefined);
    } else await request(path(user), { method: 'PATCH', body: { disabled: what === 'disable' } });
  });
  return (
    <>
      <Toolbar label="Users">
        <ActionButton needs={write} size="small" appearance="primary" icon={<AddRegular />} onClick={() => setAsking('add')}>Add user…</ActionButton>
        <SearchBox size="small" aria-label="Filter users" placeholder="Name or group" value={text} onChange={(_event, data) => setText(data.value)} />
        <Spacer />
        <ActionButton needs={write} size="small" icon={<EditRegular />} disabledFocusable={!chosen} onClick={() => setAsking('edit')}>Change…</ActionButton>
        <ActionButton needs={write} size="small" icon={<KeyResetRegular />} disabledFocusable={!others || others.provider !== ''} onClick={() => setAsking('password')}>Reset password…</ActionButton>
        <ActionButton needs={write} size="small" icon={<SignOutRegular />} disabledFocusable={!chosen || act.isPending} onClick={() => setAsking('sign-out')}>Sign out…</ActionButton>
        {chosen?.disabled
          ? <ActionButton needs={write} size="small" icon={<PersonRegular />} disabledFocusable={act.isPending} onClick={() => act.mutate({ user: chosen, what: 'enable' })}>Enable</ActionButton>
          : <ActionButton needs={write} size="small" icon={<PersonProhibitedRegular />} disabledFocusable={!others || act.isPending} onClick={() => setAsking('disable')}>Disable…</ActionButton>}
        <ActionButton needs="Microsoft.Authorization/users/delete" size="small" icon={<DeleteRegular />} disabledFocusable={!others || act.isPending} onClick={() => setAsking('delete')}>Delete…</ActionButton>
      </Toolbar>
      {act.isError && <ErrorState error={act.error} />}
      {users.isPending && <LoadingState label="Reading the users" />}
      {users.isError && <ErrorState error={users.error} retry={() => void users.refetch()} />}
      {users.data && (
        <Split label="User" side={chosen && <Panel key={chosen.id} user={chosen} />}>
          {users.data.length === 0
            ? <EmptyState icon={<PersonRegular />} title="There is no user" hint="Add the people who sign in with a password here. Those of a company's provider or directory come by themselves at their first sign-in." />
            : <DataGrid label="Users" rows={users.data} columns={columns} rowId={(user) => user.id} quickFilter={text} openId={open} onOpen={(user) => setOpen(user.id)} />}
        </Split>
      )}
      {asking === 'add' && <AddDialog onDone={done} />}
      {chosen && asking === 'edit' && <EditDialog user={chosen} onDone={done} />}
      {others && asking === 'password' && <PasswordDialog user={others} onDone={done} />}
      {chosen && asking === 'sign-out' && (
        <ConfirmDialog title={`Sign ${chosen.name} out everywhere?`} confirm="Sign out" onConfirm={() => act.mutate({ user: chosen, what: 'sign-out' })} onCancel={() => done()}>
          All sessions end at once, and the tokens of programs that {chosen.name} signed in to. It may sign in again.
        </ConfirmDialog>
      )}
      {others && asking === 'disable' && (
        <ConfirmDialog title={`Disable ${others.name}?`} confirm="Disable" onConfirm={() => act.mutate({ user: others, what: 'disable' })} onCancel={() => done()}>
          All its sessions and tokens end at once, and it cannot sign in until it is enabled again. Roles and groups stay.
        </ConfirmDialog>
      )}
      {others && asking === 'delete' && (
        <ConfirmDialog title={`Delete ${others.name}?`} confirm="Delete" onConfirm={() => act.mutate({ user: others, what: 'delete' })} onCancel={() => done()}>
          Its sessions, roles and memberships go. What it has done stays in the table Audit. To keep somebody out for a while, disable it.
        </ConfirmDialog>
      )}
    </>
  );
}

function Panel({ user }: { user: User }) {
  const sessions = useGroup<OpenSession[]>(`${usersPath}/${segment(user.id)}/sessions`, 15);
  return (
    <>
      <Subtitle1 as="h2">{user.displayName}</Subtitle1>
      <Facts
        items={[
          ['Name', user.name], ['Mail', user.mail], ['Status', user.disabled ? 'Disabled' : 'Enabled'], ['Signs in', user.provider ? `through ${user.provider}` : 'with a password here'],
          ['Signed in last', minuteOf(user.signedInAt) || 'never'], ['Added', minuteOf(user.createdAt)], ['Groups', user.groups.join(', ')], ['Identity', user.id],
        ]}
      />
      <RolesOf id={user.id} roles={user.roles} />
      <Section title="Sessions">
        {sessions.isPending && <LoadingState label="Reading the sessions" />}
        {sessions.isError && <ErrorState error={sessions.error} retry={() => void sessions.refetch()} />}
        {sessions.data && <SessionList sessions={sessions.data} none="None: not signed in." needs={write} />}
      </Section>
    </>
  );
}

/** A password that is told to the person, or typed by the person. */
export function PasswordField({ label = 'Password', value, onChange, generate = false }: { label?: string; value: string; onChange: (password: string) => void; generate?: boolean }) {
  const [shown, setShown] = useState(false);
  const isShort = value !== '' && value.length < leastPasswordCharacters;
  return (
    <>
      <Field
        label={label} required hint={`${leastPasswordCharacters} characters or more, without the name of the user. It is kept as a hash and not shown again.`}
        {...(isShort ? { validationMessage: `${leastPasswordCharacters - value.length} characters are missing`, validationState: 'warning' as const } : {})}
      >
        <Input type={shown ? 'text' : 'password'} autoComplete="new-password" spellCheck={false} value={value} onChange={(_event, data) => onChange(data.value)} />
      </Field>
      {generate && (
        <div>
          <Button size="small" onClick={() => { onChange(randomPassword()); setShown(true); }}>Make one up</Button>{' '}
          <Button size="small" appearance="subtle" aria-pressed={shown} onClick={() => setShown(!shown)}>{shown ? 'Hide' : 'Show'}</Button>
        </div>
      )}
    </>
  );
}

/** 99 bits in groups that can be read out; no letters that are taken for others. */
function randomPassword(): string {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  const bytes = new Uint32Array(20);
  crypto.getRandomValues(bytes);
  const text = Array.from(bytes, (one) => letters[one % letters.length]).join('');
  return text.match(/.{5}/g)?.join('-') ?? text;
}

function AddDialog({ onDone }: { onDone: (id?: string) => void }) {
  const [name, setName] = useState('');
  const [displayName, setDisplayName] = useState('');
  const [mail, setMail] = useState('');
  const [password, setPassword] = useState('');
  const add = useAction(async () => {
    const made = await request<User>(usersPath, { method: 'POST', body: { name: name.trim(), displayName, mail, password } });
    onDone(made?.id);
  });
  const ready = name.trim() !== '' && password.length >= leastPasswordCharacters;
  return (
    <FormDialog title="Add a user" submit="Add" ready={ready} pending={add.isPending} error={add.error} onSubmit={() => add.mutate(undefined)} onCancel={() => onDone()}>
      <Field label="Name" required hint="What the person signs in with: no spaces and slashes"><Input value={name} autoComplete="off" onChange={(_event, data) => setName(data.value)} /></Field>
      <Field label="Display name"><Input value={displayName} onChange={(_event, data) => setDisplayName(data.value)} /></Field>
      <Field label="Mail"><Input type="email" value={mail} onChange={(_event, data) => setMail(data.value)} /></Field>
      <PasswordField value={password} onChange={setPassword} generate />
      <Text>Let the person type the password, or tell it to the person: everybody can replace their own under Your account. A new user may see nothing until it has a role.</Text>
    </FormDialog>
  );
}

function EditDialog({ user, onDone }: { user: User; onDone: () => void }) {
  const [name, setName] = useState(user.name);
  const [displayName, setDisplayName] = useState(user.displayName);
  const [mail, setMail] = useState(user.mail);
  const save = useAction(async () => {
    await request(`${usersPath}/${segment(user.id)}`, { method: 'PATCH', body: { name: name.trim(), displayName, mail } });
    onDone();
  });
  return (
    <FormDialog title={`Change ${user.name}`} submit="Save" ready={name.trim() !== ''} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={() => onDone()}>
      <Field label="Name" required><Input value={name} autoComplete="off" onChange={(_event, data) => setName(data.value)} /></Field>
      <Field label="Display name"><Input value={displayName} onChange={(_event, data) => setDisplayName(data.value)} /></Field>
      <Field label="Mail"><Input type="email" value={mail} onChange={(_event, data) => setMail(data.value)} /></Field>
    </FormDialog>
  );
}

function PasswordDialog({ user, onDone }: { user: User; onDone: () => void }) {
  const [password, setPassword] = useState('');
  const save = useAction(async () => {
    await request(`${usersPath}/${segment(user.id)}/password`, { method: 'PUT', body: { password } });
    onDone();
  });
  return (
    <FormDialog title={`Reset the password of ${user.name}`} submit="Reset" ready={password.length >= leastPasswordCharacters} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={() => onDone()}>
      <PasswordField label="New password" value={password} onChange={setPassword} generate />
      <Text>All sessions and tokens of {user.name} end.</Text>
    </FormDialog>
  );
}
