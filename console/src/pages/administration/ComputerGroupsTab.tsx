// Computer groups of the workspace: imported ones, saved queries, and those made by hand.
import { Button, Checkbox, Field, Input, makeStyles, Radio, RadioGroup, Subtitle1, Text, Textarea, tokens } from '@fluentui/react-components';
import { AddRegular, DeleteRegular, DocumentSearchRegular, EditRegular, MapRegular, PeopleTeamRegular, WrenchRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router-dom';
import { request } from '../../api/client';
import { groupPath, groupsPath, type ComputerGroup } from '../../api/configurationManager';
import { segment, useAction, useGroup } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog, FormDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { ago } from '../../components/format';
import { Facts, Section, Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { shareFragment } from '../logs/share';
import { StartMaintenance } from '../maintenance/StartMaintenance';

const useStyles = makeStyles({
  link: { color: tokens.colorBrandForegroundLink },
  code: { fontFamily: tokens.fontFamilyMonospace, fontSize: '12px' },
  members: { margin: '6px 0 0', paddingLeft: '18px', maxHeight: '300px', overflow: 'auto' },
});

const sources: Record<ComputerGroup['source'], string> = { SCCM: 'Configuration Manager', ActiveDirectory: 'Active Directory', Manual: 'By hand', Query: 'Log query' };
/** So many members stand beside a group; all are in the log query. */
const shownMembers = 200;

const columns: ColDef<ComputerGroup>[] = [
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 150, initialSort: 'asc' },
  { colId: 'source', headerName: 'Source', width: 180, valueGetter: ({ data }) => data && sources[data.source] },
  { field: 'sourceName', headerName: 'Site or category', width: 150 },
  { field: 'members', headerName: 'Computers', width: 110, filter: 'agNumberColumnFilter' },
  { field: 'alias', headerName: 'Function alias', flex: 1, minWidth: 120 },
  { colId: 'used', headerName: 'Management group', width: 150, valueGetter: ({ data }) => (data?.inManagementGroup ? 'yes' : '') },
];

export function ComputerGroupsTab() {
  const groups = useGroup<ComputerGroup[]>(groupsPath, 10);
  const [open, setOpen] = useState<string>();
  const [asking, setAsking] = useState<'add' | 'edit' | 'delete' | 'maintenance'>();
  const navigate = useNavigate();
  const list = groups.data ?? [];
  const chosen = list.find((one) => one.id === open);
  const isOwn = chosen?.source === 'Manual' || chosen?.source === 'Query';
  const remove = useAction(async (group: ComputerGroup) => {
    setAsking(undefined);
    setOpen(undefined);
    await request(groupPath(group.id), { method: 'DELETE' });
  });
  return (
    <>
      <Toolbar label="Computer groups">
        <ActionButton needs="Microsoft.OperationalInsights/workspaces/computerGroups/write" size="small" appearance="primary" icon={<AddRegular />} onClick={() => setAsking('add')}>Add computer group…</ActionButton>
        <Spacer />
        <Button size="small" icon={<DocumentSearchRegular />} disabledFocusable={!chosen} onClick={() => { if (chosen) navigate(`/logs${shareFragment({ query: chosen.query })}`); }}>View members in Logs</Button>
        <Button size="small" icon={<MapRegular />} disabledFocusable={!chosen} onClick={() => { if (chosen) navigate(`/map?within=${segment(chosen.id)}`); }}>Show on the map</Button>
        <ActionButton needs="Watchkeeper/managementGroups/maintenance/write" size="small" icon={<WrenchRegular />} disabledFocusable={!chosen} onClick={() => setAsking('maintenance')}>Maintenance…</ActionButton>
        <ActionButton needs="Microsoft.OperationalInsights/workspaces/computerGroups/write" size="small" icon={<EditRegular />} disabledFocusable={!chosen} onClick={() => setAsking('edit')}>Edit…</ActionButton>
        <ActionButton needs="Microsoft.OperationalInsights/workspaces/computerGroups/delete" size="small" icon={<DeleteRegular />} disabledFocusable={!isOwn || remove.isPending} onClick={() => setAsking('delete')}>Remove…</ActionButton>
      </Toolbar>
      {remove.isError && <ErrorState error={remove.error} />}
      {groups.isPending && <LoadingState label="Reading the computer groups" />}
      {groups.isError && <ErrorState error={groups.error} retry={() => void groups.refetch()} />}
      {groups.data && (
        <Split label="Computer group" side={chosen && <Panel key={chosen.id} group={chosen} />}>
          {list.length === 0 ? (
            <EmptyState
              icon={<PeopleTeamRegular />} title="There is no computer group yet" hint="Make one of a log query or by hand, or connect Configuration Manager: its collections come by themselves."
              action={<ActionButton needs="Microsoft.OperationalInsights/workspaces/computerGroups/write" appearance="primary" onClick={() => setAsking('add')}>Add computer group</ActionButton>}
            />
          ) : <DataGrid label="Computer groups" rows={list} columns={columns} rowId={(one) => one.id} openId={chosen?.id} onOpen={(one) => setOpen(one.id)} />}
        </Split>
      )}
      {asking === 'add' && <GroupDialog onDone={() => setAsking(undefined)} />}
      {chosen && asking === 'edit' && <GroupDialog group={chosen} onDone={() => setAsking(undefined)} />}
      {chosen && asking === 'maintenance' && <StartMaintenance computerGroups={[chosen]} onDone={() => setAsking(undefined)} />}
      {chosen && asking === 'delete' && (
        <ConfirmDialog title={`Remove ${chosen.name}?`} confirm="Remove" onConfirm={() => remove.mutate(chosen)} onCancel={() => setAsking(undefined)}>
          Queries and alert rules that name it fail from then on. The computers and their rows stay.
        </ConfirmDialog>
      )}
    </>
  );
}

function Panel({ group }: { group: ComputerGroup }) {
  const styles = useStyles();
  const members = useGroup<{ members: string[]; next: number | null }>(`${groupPath(group.id)}/members`);
  const shown = members.data?.members.slice(0, shownMembers) ?? [];
  const more = (group.members ?? members.data?.members.length ?? 0) - shown.length;
  return (
    <>
      <Subtitle1 as="h2">{group.name}</Subtitle1>
      {group.object && <Link className={styles.link} to={`/objects/${segment(group.object)}`}>In the management group</Link>}
      <Facts
        items={[
          ['Full name', group.fullName], ['Source', sources[group.source]], ['Function alias', group.alias], ['Changed', group.changedAt ? ago(group.changedAt, Date.now()) : ''],
          ['In a query', <span key="query" className={styles.code}>{group.alias ? `where Computer in (${group.alias})` : 'give it an alias to name it in queries'}</span>],
        ]}
      />
      <Section title="Computers">
        {members.isPending && <LoadingState label="Reading the members" />}
        {members.isError && <ErrorState error={members.error} />}
        {members.data && shown.length === 0 && <Text>It has no computers.</Text>}
        {/* It scrolls, so the keyboard has to reach it. */}
        {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
        {shown.length > 0 && <ul className={styles.members} tabIndex={0} aria-label="Computers of the group">{shown.map((name) => <li key={name}>{name}</li>)}</ul>}
        {more > 0 && <Text>{`and ${more.toLocaleString()} more`}</Text>}
      </Section>
    </>
  );
}

/** A new group, or what can be changed of one: of an imported group its use alone. */
function GroupDialog({ group, onDone }: { group?: ComputerGroup; onDone: () => void }) {
  const [name, setName] = useState(group?.name ?? '');
  const [alias, setAlias] = useState(group?.alias ?? '');
  const [kind, setKind] = useState<'Query' | 'Manual'>(group?.source === 'Manual' ? 'Manual' : 'Query');
  const [query, setQuery] = useState(group?.source === 'Query' ? group.query : '');
  const [computers, setComputers] = useState<string>();
  const [used, setUsed] = useState(group?.inManagementGroup ?? false);
  const isImported = group !== undefined && group.source !== 'Manual' && group.source !== 'Query';
  const members = useGroup<{ members: string[] }>(group?.source === 'Manual' ? `${groupPath(group.id)}/members` : undefined, 3600);
  const lines = computers ?? (group?.source === 'Manual' ? (members.data?.members ?? []).join('\n') : '');
  const save = useAction(async () => {
    const own = isImported ? {} : { name: name.trim(), ...(kind === 'Query' ? { query } : computers !== undefined || !group ? { computers: lines.split('\n').map((line) => line.trim()).filter((line) => line !== '') } : {}) };
    const body = { ...own, alias: alias.trim(), inManagementGroup: used };
    await request(group ? groupPath(group.id) : groupsPath, { method: group ? 'PATCH' : 'POST', body });
    onDone();
  });
  const ready = name.trim() !== '' && (isImported || kind === 'Manual' || query.trim() !== '');
  return (
    <FormDialog title={group ? `Edit ${group.name}` : 'Add a computer group'} submit={group ? 'Save' : 'Add'} ready={ready} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={onDone}>
      {isImported ? <Text>{`${group.fullName} is imported: its name and its members are changed where it comes from.`}</Text> : <Field label="Name" required><Input value={name} onChange={(_event, data) => setName(data.value)} /></Field>}
      {!group && (
        <Field label="The computers come">
          <RadioGroup layout="horizontal" value={kind} onChange={(_event, data) => setKind(data.value === 'Manual' ? 'Manual' : 'Query')}>
            <Radio value="Query" label="of a log query" />
            <Radio value="Manual" label="from a list" />
          </RadioGroup>
        </Field>
      )}
      {!isImported && kind === 'Query' && <Field label="Query" required hint="It ends with | distinct Computer and runs each time the group is used"><Textarea rows={4} value={query} placeholder={'Heartbeat\n| where Computer contains "srv"\n| distinct Computer'} onChange={(_event, data) => setQuery(data.value)} /></Field>}
      {!isImported && kind === 'Manual' && <Field label="Computers" hint="One a line"><Textarea rows={6} value={lines} onChange={(_event, data) => setComputers(data.value)} /></Field>}
      <Field label="Function alias" hint="Queries name the group by it: where Computer in (alias)"><Input value={alias} onChange={(_event, data) => setAlias(data.value)} /></Field>
      <Checkbox label="Use it in the management group too: views, overrides, maintenance" checked={used} onChange={(_event, data) => setUsed(data.checked === true)} />
    </FormDialog>
  );
}
