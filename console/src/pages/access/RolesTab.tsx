// Roles: the built-in ones and those that people make, with their actions.
import { Checkbox, Combobox, Field, Input, Label, Option, SearchBox, Select, Subtitle1, Text, Textarea } from '@fluentui/react-components';
import { AddRegular, CopyRegular, DeleteRegular, EditRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { assignmentsPath, rolesPath, type RoleAssignment, type RoleDefinition } from '../../api/access';
import { request } from '../../api/client';
import { segment, useAction, useGroup } from '../../api/management';
import { scopeWords, useMay, usePermissions, useReloadPermissions } from '../../api/permissions';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog, FormDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { Facts, Preformatted, Section, Spacer, Split, Toolbar } from '../../components/Page';
import { ErrorState, LoadingState } from '../../components/States';
import { Line } from './parts';
import { definitionText } from './pickers';
import { useStyles } from './styles';
import { linesOf } from './words';

const write = 'Microsoft.Authorization/roleDefinitions/write';

const columns: ColDef<RoleDefinition>[] = [
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 180 },
  { colId: 'kind', headerName: 'Kind', width: 120, valueGetter: ({ data }) => (data?.builtIn ? 'Built in' : 'Made here') },
  { field: 'description', headerName: 'For', flex: 4, minWidth: 240, tooltipField: 'description' },
];

type Asking = { kind: 'edit' | 'delete' } | { kind: 'create'; like?: RoleDefinition };

export function RolesTab() {
  const roles = useGroup<RoleDefinition[]>(rolesPath, 60);
  const reload = useReloadPermissions();
  const [open, setOpen] = useState<string>();
  const [text, setText] = useState('');
  const [asking, setAsking] = useState<Asking>();
  const done = (id?: string) => { setAsking(undefined); if (id) setOpen(id); };
  const chosen = roles.data?.find((one) => one.id === open);
  const own = chosen && !chosen.builtIn ? chosen : undefined;
  const remove = useAction(async (role: RoleDefinition) => {
    done();
    await request(`${rolesPath}/${segment(role.id)}`, { method: 'DELETE' });
    setOpen(undefined);
    await reload();
  });
  return (
    <>
      <Toolbar label="Roles">
        <ActionButton needs={write} size="small" appearance="primary" icon={<AddRegular />} onClick={() => setAsking({ kind: 'create' })}>Make a role…</ActionButton>
        <SearchBox size="small" aria-label="Filter roles" placeholder="Name or purpose" value={text} onChange={(_event, data) => setText(data.value)} />
        <Spacer />
        <ActionButton needs={write} size="small" icon={<CopyRegular />} disabledFocusable={!chosen} onClick={() => chosen && setAsking({ kind: 'create', like: chosen })}>Make one like it…</ActionButton>
        <ActionButton needs={write} size="small" icon={<EditRegular />} disabledFocusable={!own} onClick={() => setAsking({ kind: 'edit' })}>Change…</ActionButton>
        <ActionButton needs="Microsoft.Authorization/roleDefinitions/delete" size="small" icon={<DeleteRegular />} disabledFocusable={!own || remove.isPending} onClick={() => setAsking({ kind: 'delete' })}>Delete…</ActionButton>
      </Toolbar>
      {remove.isError && <ErrorState error={remove.error} />}
      {roles.isPending && <LoadingState label="Reading the roles" />}
      {roles.isError && <ErrorState error={roles.error} retry={() => void roles.refetch()} />}
      {roles.data && (
        <Split label="Role" side={chosen && <Panel role={chosen} />}>
          <DataGrid label="Roles" rows={roles.data} columns={columns} rowId={(one) => one.id} quickFilter={text} openId={open} onOpen={(one) => setOpen(one.id)} />
        </Split>
      )}
      {asking?.kind === 'create' && <RoleDialog roles={roles.data ?? []} {...(asking.like ? { like: asking.like } : {})} onDone={done} />}
      {own && asking?.kind === 'edit' && <RoleDialog roles={roles.data ?? []} role={own} onDone={done} />}
      {own && asking?.kind === 'delete' && (
        <ConfirmDialog title={`Delete the role ${own.name}?`} confirm="Delete" onConfirm={() => remove.mutate(own)} onCancel={() => done()}>
          A role that somebody has is kept: take it back under Role assignments first.
        </ConfirmDialog>
      )}
    </>
  );
}

function Panel({ role }: { role: RoleDefinition }) {
  const styles = useStyles();
  const { places } = usePermissions();
  const given = useGroup<RoleAssignment[]>(useMay()('Microsoft.Authorization/roleAssignments/read') ? assignmentsPath : undefined, 60);
  const held = given.data?.filter((one) => one.roleId === role.id) ?? [];
  return (
    <>
      <Subtitle1 as="h2">{role.name}</Subtitle1>
      {role.description && <Text>{role.description}</Text>}
      <Facts items={[['Kind', role.builtIn ? 'Built in: it stays as it is' : 'Made here'], ['Can be given at', role.assignableScopes.map((scope) => scopeWords(scope, places)).join(', ')], ['Identity', role.id]]} />
      <Preformatted label={`Actions of ${role.name}`}>{definitionText(role)}</Preformatted>
      {given.data && (
        <Section title="Who has it">
          {held.length === 0 && <Text className={styles.muted}>Nobody.</Text>}
          <ul className={styles.list} aria-label="Who has the role">
            {held.map((one) => <Line key={one.id}>{one.principalName ?? one.principalId} <Text className={styles.muted}>at {scopeWords(one.scope, places)}</Text></Line>)}
          </ul>
        </Section>
      )}
    </>
  );
}

const lists = [
  ['actions', 'May', 'One action a line; * stands for any part of a name.'],
  ['notActions', 'But may not', 'Taken away of the lines above.'],
  ['dataActions', 'May with data', 'Sending, for instance: Microsoft.Insights/Telemetry/Write'],
  ['notDataActions', 'But may not with data', ''],
] as const;

/** A new role, one like another, or what is changed of one. */
function RoleDialog({ roles, role, like, onDone }: { roles: RoleDefinition[]; role?: RoleDefinition; like?: RoleDefinition; onDone: (id?: string) => void }) {
  const { actions, places } = usePermissions();
  const reload = useReloadPermissions();
  const from = role ?? like;
  const [name, setName] = useState(role?.name ?? '');
  const [description, setDescription] = useState(from?.description ?? '');
  const [texts, setTexts] = useState(() => textsOf(from));
  const [scopes, setScopes] = useState(role?.assignableScopes ?? ['/']);
  const [typed, setTyped] = useState('');
  const save = useAction(async () => {
    const of = (list: keyof typeof texts) => linesOf(texts[list]);
    const body = { name: name.trim(), description: description.trim(), actions: of('actions'), notActions: of('notActions'), dataActions: of('dataActions'), notDataActions: of('notDataActions'), assignableScopes: scopes };
    const made = await request<RoleDefinition>(role ? `${rolesPath}/${segment(role.id)}` : rolesPath, { method: role ? 'PUT' : 'POST', body });
    await reload();
    onDone(made?.id);
  });
  const ready = name.trim() !== '' && scopes.length > 0 && (linesOf(texts.actions).length > 0 || linesOf(texts.dataActions).length > 0);
  const offered = actions.map((one) => one.name).filter((one) => one.toLowerCase().includes(typed.toLowerCase())).slice(0, 100);
  const add = (action: string) => {
    setTyped('');
    setTexts((was) => ({ ...was, actions: [...linesOf(was.actions), action].join('\n') }));
  };
  // scopes of a role that was brought from elsewhere stay
  const foreign = scopes.filter((scope) => !places.some((place) => place.scope === scope));
  return (
    <FormDialog title={role ? `Change the role ${role.name}` : 'Make a role'} submit={role ? 'Save' : 'Make'} ready={ready} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={() => onDone()}>
      <Field label="Name" required><Input value={name} onChange={(_event, data) => setName(data.value)} /></Field>
      <Field label="For"><Input value={description} onChange={(_event, data) => setDescription(data.value)} /></Field>
      {!role && (
        <Field label="Begin with the actions of">
          <Select value="" onChange={(_event, data) => { const known = roles.find((one) => one.id === data.value); if (known) setTexts(textsOf(known)); }}>
            <option value="">Choose a role</option>
            {roles.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
          </Select>
        </Field>
      )}
      <Field label="Add an action" hint="Type a part of its name: alerts, tasks, savedSearches">
        <Combobox value={typed} selectedOptions={[]} onChange={(event) => setTyped(event.target.value)} onOptionSelect={(_event, data) => { if (data.optionValue) add(data.optionValue); }}>
          {offered.map((one) => <Option key={one} value={one}>{one}</Option>)}
        </Combobox>
      </Field>
      {lists.map(([list, label, hint]) => (
        <Field key={list} label={label} {...(hint ? { hint } : {})}>
          <Textarea rows={list === 'actions' ? 5 : 2} value={texts[list]} spellCheck={false} onChange={(_event, data) => setTexts((was) => ({ ...was, [list]: data.value }))} />
        </Field>
      ))}
      {/* no Field: it would ask for every box */}
      <div role="group" aria-label="Can be given at">
        <Label required>Can be given at</Label>
          {places.map(({ scope }) => (
            <div key={scope}><Checkbox label={`${scopeWords(scope, places)} and below`} checked={scopes.includes(scope)} onChange={(_event, data) => setScopes(data.checked === true ? [...scopes, scope] : scopes.filter((one) => one !== scope))} /></div>
          ))}
          {foreign.map((scope) => <div key={scope}><Checkbox label={scope} checked onChange={() => setScopes(scopes.filter((one) => one !== scope))} /></div>)}
      </div>
    </FormDialog>
  );
}

function textsOf(role: RoleDefinition | undefined) {
  const text = (list: string[] | undefined) => (list ?? []).join('\n');
  return { actions: text(role?.actions), notActions: text(role?.notActions), dataActions: text(role?.dataActions), notDataActions: text(role?.notDataActions) };
}
