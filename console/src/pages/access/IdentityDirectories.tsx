// LDAP directories whose people sign in with their password there, in the same form as users of here.
import { Checkbox, Field, Input, Subtitle1, Text } from '@fluentui/react-components';
import { BookContactsRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { identityDirectoriesPath, type IdentityDirectory } from '../../api/access';
import { request } from '../../api/client';
import { segment, useAction } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';
import { Facts, Section } from '../../components/Page';
import { DirectoryList, groupsOf, GroupPairs, pairsOf, TestResult, TrustedField, useText, WriteOnlyField, type Pairs } from './directoryParts';
import { Line } from './parts';
import { useStyles } from './styles';

const columns: ColDef<IdentityDirectory>[] = [
  { field: 'name', headerName: 'Name', flex: 1, minWidth: 120, initialSort: 'asc' },
  { field: 'url', headerName: 'Address', flex: 2, minWidth: 180 },
  { field: 'base', headerName: 'Below', flex: 2, minWidth: 160 },
  { colId: 'secret', headerName: 'Password', width: 120, valueGetter: ({ data }) => (data?.bindName === '' ? 'none needed' : data?.hasSecret ? 'is set' : 'is missing') },
  { colId: 'where', headerName: 'Kept in', width: 160, valueGetter: ({ data }) => (data?.inConfiguration ? 'configuration file' : 'the store') },
];

export function IdentityDirectories() {
  return (
    <DirectoryList<IdentityDirectory>
      label="LDAP directories" path={identityDirectoriesPath} columns={columns} idOf={(one) => one.name} nameOf={(one) => one.name} isFixed={(one) => one.inConfiguration}
      needs={{ write: 'Microsoft.Authorization/users/write', remove: 'Microsoft.Authorization/users/delete', test: 'Microsoft.Authorization/users/write' }}
      empty={{ icon: <BookContactsRegular />, title: 'No directory yet', hint: 'Add Active Directory or another LDAP directory: people sign in with their password of there, and its groups fill groups here.' }}
      addLabel="Add directory…" removal="Nobody signs in through it any more. The users who came through it stay, and cannot sign in."
      panel={(one) => <Panel directory={one} />}
      dialog={(one, onDone) => <DirectoryDialog {...(one ? { directory: one } : {})} onDone={onDone} />}
      testing={(one, onDone) => <TestDialog directory={one} onDone={onDone} />}
    />
  );
}

function Panel({ directory }: { directory: IdentityDirectory }) {
  const styles = useStyles();
  const pairs = pairsOf(directory.groups);
  return (
    <>
      <Subtitle1 as="h2">{directory.name}</Subtitle1>
      {directory.inConfiguration && <Text role="status">It is in the server’s configuration file ([[identity.directories]]) and is changed there.</Text>}
      {directory.bindName !== '' && !directory.hasSecret && <Text role="status">The password of {directory.bindName} is missing: nobody can sign in through it yet.</Text>}
      <Facts
        items={[
          ['Address', directory.url], ['Below', directory.base], ['Looked up by', directory.bindName], ['Name of a person', directory.userDn], ['Found by', directory.userFilter],
          ['Groups found by', directory.groupFilter], ['New people', directory.createUsers ? 'become users' : 'are refused'],
        ]}
      />
      <Section title="Groups">
        {pairs.length === 0 && <Text block className={styles.muted}>It fills no group here.</Text>}
        <ul className={styles.list} aria-label="Groups">{pairs.map(([theirs, own]) => <Line key={theirs}>{theirs} <Text className={styles.muted}>is {own} here</Text></Line>)}</ul>
      </Section>
    </>
  );
}

function DirectoryDialog({ directory, onDone }: { directory?: IdentityDirectory; onDone: (id?: string) => void }) {
  const { form, text, set } = useText({
    name: directory?.name ?? '', url: directory?.url ?? '', base: directory?.base ?? '', bindName: directory?.bindName ?? '', userDn: directory?.userDn ?? '', userFilter: directory?.userFilter ?? '',
    groupFilter: directory?.groupFilter ?? '', trusted: directory?.trusted ?? '', password: '',
  });
  const [createUsers, setCreateUsers] = useState(directory?.createUsers ?? true);
  const [pairs, setPairs] = useState<Pairs>(() => pairsOf(directory?.groups ?? {}));
  const save = useAction(async () => {
    const { name, password, ...rest } = form;
    const body = { ...rest, createUsers, groups: groupsOf(pairs), ...(password === '' ? {} : { password }) };
    const made = await request<IdentityDirectory>(`${identityDirectoriesPath}/${segment(name.trim())}`, { method: 'PUT', body });
    onDone(made?.name);
  });
  const ready = form.name.trim() !== '' && form.url.trim() !== '' && (form.bindName.trim() !== '' || form.userDn.includes('{name}'));
  return (
    <FormDialog title={directory ? `Change ${directory.name}` : 'Add an LDAP directory'} submit={directory ? 'Save' : 'Add'} ready={ready} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={() => onDone()}>
      {!directory && text('name', 'Name', { required: true, hint: 'Letters, digits, - _ .: kept with its users' })}
      {text('url', 'Address', { required: true, placeholder: 'ldaps://dc1.corp.example', hint: 'ldap:// is encrypted with StartTLS' })}
      {text('base', 'People and groups are below', { placeholder: 'DC=corp,DC=example' })}
      {text('bindName', 'Account that looks people up', { placeholder: 'watchkeeper@corp.example', hint: 'It needs to read only. Without one, say below what people are called.' })}
      {form.bindName.trim() !== '' && <WriteOnlyField label="Its password" has={directory?.hasSecret ?? false} value={form.password} onChange={(value) => set('password', value)} />}
      {form.bindName.trim() === '' && text('userDn', 'Name of a person', { placeholder: 'uid={name},ou=people,dc=corp,dc=example', required: true })}
      <Checkbox label="People who come for the first time become users" checked={createUsers} onChange={(_event, data) => setCreateUsers(data.checked === true)} />
      <GroupPairs pairs={pairs} onChange={setPairs} />
      {text('userFilter', 'Filter of people', { placeholder: '(sAMAccountName={name})', hint: 'Empty: by uid, sAMAccountName, userPrincipalName or mail' })}
      {text('groupFilter', 'Filter of groups', { placeholder: '(member={dn})', hint: 'Empty: by member or uniqueMember' })}
      <TrustedField value={form.trusted} onChange={(value) => set('trusted', value)} />
    </FormDialog>
  );
}

interface Tested {
  looksUp: boolean;
  person: { name: string; displayName: string; mail: string; groups: string[]; groupsHere: string[] } | null;
}

function TestDialog({ directory, onDone }: { directory: IdentityDirectory; onDone: () => void }) {
  const [user, setUser] = useState('');
  const test = useAction((name: string) => request<Tested>(`${identityDirectoriesPath}/${segment(directory.name)}/test`, { method: 'POST', body: { user: name } }));
  const person = test.data?.person;
  const looksUp = directory.bindName !== '';
  return (
    <FormDialog title={`Test of ${directory.name}`} submit="Test" ready pending={test.isPending} error={test.error} onSubmit={() => test.mutate(user.trim())} onCancel={onDone}>
      {looksUp
        ? <Field label="Name of a person" hint="Is looked up as at a sign-in, without a password. Empty: the connection and its account alone."><Input value={user} autoComplete="off" onChange={(_event, data) => setUser(data.value)} /></Field>
        : <Text>No account looks people up: the connection is tested, the rest is seen at a sign-in.</Text>}
      {test.data && !test.isPending && (person
        ? <TestResult title={`Found ${person.displayName || person.name}`}><Facts items={[['Mail', person.mail], ['Groups there', person.groups.join('; ') || 'none'], ['Groups here', person.groupsHere.join(', ') || 'none of the groups that lead here']]} /></TestResult>
        : test.variables === '' || !looksUp
          ? <TestResult title={looksUp ? 'It answers, and lets its account in' : 'It answers'} />
          : <Text role="status">It answers, and knows nobody called {test.variables}: look at the filter of people.</Text>)}
    </FormDialog>
  );
}
