// Directories (Active Directory, LDAP) whose groups of computers are imported as computer groups.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, MessageBar, MessageBarBody, MessageBarTitle, Subtitle1, Text } from '@fluentui/react-components';
import { ArrowSyncRegular, OrganizationRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import type { ColDef } from 'ag-grid-community';
import { Link } from 'react-router-dom';
import { groupDirectoriesPath, type GroupDirectory } from '../../api/access';
import { request } from '../../api/client';
import { segment, useAction } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';
import { ago } from '../../components/format';
import { ActionButton } from '../../components/May';
import { Facts } from '../../components/Page';
import { ErrorState, LoadingState } from '../../components/States';
import { DirectoryList, TestResult, TrustedField, useText, WriteOnlyField } from './directoryParts';
import { useStyles } from './styles';
import { minuteOf } from './words';

const write = 'Watchkeeper/managementGroups/computerGroupDirectories/write';
const sync = 'Watchkeeper/managementGroups/computerGroupDirectories/sync/action';
const mostHours = 168;

const columns: ColDef<GroupDirectory>[] = [
  { field: 'name', headerName: 'Name', flex: 1, minWidth: 130, initialSort: 'asc' },
  { field: 'url', headerName: 'Address', flex: 2, minWidth: 180 },
  { field: 'groups', headerName: 'Groups', width: 110, filter: 'agNumberColumnFilter' },
  { colId: 'state', headerName: 'Last import', flex: 1, minWidth: 140, valueGetter: ({ data }) => (data?.problem ? 'failed' : data?.lastSuccess ? ago(data.lastSuccess, Date.now()) : 'not yet') },
];

export function GroupDirectories() {
  const run = useAction((one: GroupDirectory) => request(`${groupDirectoriesPath}/${segment(one.id)}/run`, { method: 'POST' }));
  return (
    <>
      <DirectoryList<GroupDirectory>
        label="Directories of computer groups" path={groupDirectoriesPath} columns={columns} idOf={(one) => one.id} nameOf={(one) => one.name} isFixed={() => false}
        needs={{ write, remove: 'Watchkeeper/managementGroups/computerGroupDirectories/delete', test: sync }}
        empty={{ icon: <OrganizationRegular />, title: 'No directory yet', hint: 'Add Active Directory or another LDAP directory: its groups of computers become computer groups, which queries, alert rules and maintenance can name.' }}
        addLabel="Add directory…" removal="Its computer groups go; queries and alert rules that name them fail from then on. Everything in the directory stays."
        panel={(one) => <Panel directory={one} />}
        dialog={(one, onDone) => <DirectoryDialog {...(one ? { directory: one } : {})} onDone={onDone} />}
        testing={(one, onDone) => <TestDialog directory={one} onDone={onDone} />}
        more={(one) => <ActionButton needs={sync} size="small" icon={<ArrowSyncRegular />} disabledFocusable={!one || run.isPending} onClick={() => one && run.mutate(one)}>Import now</ActionButton>}
      />
      {run.isError && <ErrorState error={run.error} />}
    </>
  );
}

function Panel({ directory }: { directory: GroupDirectory }) {
  const styles = useStyles();
  return (
    <>
      <Subtitle1 as="h2">{directory.name}</Subtitle1>
      {directory.problem && <MessageBar intent="error" layout="multiline"><MessageBarBody><MessageBarTitle>The last import failed</MessageBarTitle>{directory.problem}</MessageBarBody></MessageBar>}
      <Facts
        items={[
          ['Address', directory.url], ['Below', directory.base], ['Read by', directory.bindName], ['Groups', directory.groupFilter || 'all'], ['Computers', directory.computerFilter || 'of the classes computer and device'],
          ['Groups imported', String(directory.groups)], ['Last import', minuteOf(directory.lastSuccess) || 'not yet'], ['Next', minuteOf(directory.nextRun)], ['Every', `${directory.hours} hours`],
        ]}
      />
      <div><Link className={styles.link} to="/administration/computer-groups">Computer groups</Link></div>
    </>
  );
}

function DirectoryDialog({ directory, onDone }: { directory?: GroupDirectory; onDone: (id?: string) => void }) {
  const { form, text, set } = useText({
    name: directory?.name ?? '', url: directory?.url ?? '', base: directory?.base ?? '', bindName: directory?.bindName ?? '', groupFilter: directory?.groupFilter ?? '',
    computerFilter: directory?.computerFilter ?? '', trusted: directory?.trusted ?? '', hours: String(directory?.hours ?? 4), password: '',
  });
  const hours = Number(form.hours);
  const isHours = Number.isInteger(hours) && hours >= 1 && hours <= mostHours;
  const save = useAction(async () => {
    const { password, ...rest } = form;
    const body = { ...rest, name: form.name.trim(), url: form.url.trim(), base: form.base.trim(), bindName: form.bindName.trim(), hours, ...(password === '' ? {} : { password }) };
    const made = await request<GroupDirectory>(directory ? `${groupDirectoriesPath}/${segment(directory.id)}` : groupDirectoriesPath, { method: directory ? 'PUT' : 'POST', body });
    onDone(made?.id);
  });
  const ready = form.name.trim() !== '' && form.url.trim() !== '' && form.base.trim() !== '' && isHours;
  return (
    <FormDialog title={directory ? `Change ${directory.name}` : 'Add a directory of computer groups'} submit={directory ? 'Save' : 'Add'} ready={ready} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={() => onDone()}>
      {text('name', 'Name', { required: true })}
      {text('url', 'Address', { required: true, placeholder: 'ldaps://dc1.corp.example', hint: 'ldap:// is encrypted with StartTLS' })}
      {text('base', 'Groups and computers are below', { required: true, placeholder: 'DC=corp,DC=example' })}
      {text('bindName', 'Account that reads', { placeholder: 'watchkeeper@corp.example' })}
      <WriteOnlyField label="Its password" has={directory !== undefined} value={form.password} onChange={(value) => set('password', value)} />
      {text('hours', 'Imported every so many hours', isHours ? {} : { hint: `A whole number from 1 to ${mostHours}` })}
      {text('groupFilter', 'Filter of groups', { hint: 'Empty: all', placeholder: '(cn=Servers*)' })}
      {text('computerFilter', 'Filter of computers', { hint: 'Empty: entries of the classes computer and device' })}
      <TrustedField value={form.trusted} onChange={(value) => set('trusted', value)} />
      <Text>It is read before it is kept.</Text>
    </FormDialog>
  );
}

function TestDialog({ directory, onDone }: { directory: GroupDirectory; onDone: () => void }) {
  const tested = useQuery({
    queryKey: ['test', groupDirectoriesPath, directory.id], gcTime: 0, retry: false,
    queryFn: ({ signal }) => request<{ groups: number }>(`${groupDirectoriesPath}/${segment(directory.id)}/test`, { method: 'POST', signal }),
  });
  return (
    <Dialog open onOpenChange={onDone}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{`Test of ${directory.name}`}</DialogTitle>
          <DialogContent>
            {tested.isPending && <LoadingState label="Reading the directory" />}
            {tested.isError && <ErrorState error={tested.error} retry={() => void tested.refetch()} />}
            {tested.data && <TestResult title={`It answers, and has ${tested.data.groups} ${tested.data.groups === 1 ? 'group' : 'groups'} with computers`} />}
          </DialogContent>
          <DialogActions><Button appearance="primary" onClick={onDone}>Close</Button></DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
