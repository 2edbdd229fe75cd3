// Groups: made by a rule, changed and removed here; the members of the chosen one as they are now.
import { Button, makeStyles, SearchBox, Subtitle1, Text, tokens } from '@fluentui/react-components';
import { AddRegular, DeleteRegular, EditRegular, PeopleTeamRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { Link } from 'react-router-dom';
import { request } from '../../api/client';
import { segment, shortName, useAction, useGroup, type GroupItem, type ManagedObject } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog } from '../../components/Dialogs';
import { HealthIcon, healthWords } from '../../components/HealthIcon';
import { ActionButton } from '../../components/May';
import { Facts, Section, Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { GroupDialog, operatorWords } from './GroupDialog';

const useStyles = makeStyles({
  link: { color: tokens.colorBrandForegroundLink },
  list: { listStyle: 'none', margin: '4px 0 0', padding: 0, display: 'flex', flexDirection: 'column', gap: '4px', fontSize: '13px' },
  row: { display: 'flex', gap: '8px', alignItems: 'center' },
  muted: { color: tokens.colorNeutralForeground2 },
});

const columns: ColDef<GroupItem>[] = [
  { field: 'name', headerName: 'Name', flex: 3, minWidth: 200, initialSort: 'asc' },
  { field: 'members', headerName: 'Members', width: 110, filter: 'agNumberColumnFilter' },
  { colId: 'health', headerName: 'Health', width: 150, valueGetter: ({ data }) => (data ? healthWords[data.health] : '') },
  { colId: 'made', headerName: 'Made by', flex: 2, minWidth: 160, valueGetter: ({ data }) => data && (data.definition ? 'a rule made here' : `the pack ${data.pack ?? ''}`) },
];

/** More are not listed beside the groups: the group’s own page has them all. */
const mostMembers = 200;

export function GroupsTab() {
  const groups = useGroup<GroupItem[]>('/api/groups', 10);
  const [text, setText] = useState('');
  const [open, setOpen] = useState<string>();
  const [asking, setAsking] = useState<'create' | 'change' | 'remove'>();
  const done = () => setAsking(undefined);
  const remove = useAction(async (group: GroupItem) => {
    done();
    // its panel goes first: what it reads is soon not there
    setOpen(undefined);
    await request(`/api/groups/${segment(group.id)}`, { method: 'DELETE' });
  });
  const chosen = groups.data?.find((group) => group.id === open);
  const own = chosen?.definition ?? undefined;
  return (
    <>
      <Toolbar label="Groups">
        <ActionButton needs="Watchkeeper/managementGroups/groups/write" size="small" appearance="primary" icon={<AddRegular />} onClick={() => setAsking('create')}>Create group…</ActionButton>
        <SearchBox size="small" aria-label="Filter groups" placeholder="Name or pack" value={text} onChange={(_event, data) => setText(data.value)} />
        <Spacer />
        <ActionButton needs="Watchkeeper/managementGroups/groups/write" size="small" icon={<EditRegular />} disabledFocusable={!own} onClick={() => setAsking('change')}>Change…</ActionButton>
        <ActionButton needs="Watchkeeper/managementGroups/groups/delete" size="small" icon={<DeleteRegular />} disabledFocusable={!own || remove.isPending} onClick={() => setAsking('remove')}>Remove…</ActionButton>
      </Toolbar>
      {remove.isError && <ErrorState error={remove.error} />}
      {groups.isPending && <LoadingState label="Reading groups" />}
      {groups.isError && <ErrorState error={groups.error} retry={() => void groups.refetch()} />}
      {groups.data && (
        <Split label="Group" side={chosen && <GroupPanel key={chosen.id} group={chosen} />}>
          {groups.data.length === 0
            ? <EmptyState icon={<PeopleTeamRegular />} title="No groups" hint="A group holds the objects that a rule names, and follows them as they come and go. Overrides and maintenance can be made for a group, and its health is that of its members." action={<Button appearance="primary" onClick={() => setAsking('create')}>Create a group</Button>} />
            : <DataGrid label="Groups" rows={groups.data} columns={columns} rowId={(group) => group.id} quickFilter={text} openId={open} onOpen={(group) => setOpen(group.id)} />}
        </Split>
      )}
      {asking === 'create' && <GroupDialog onDone={done} />}
      {chosen && own && asking === 'change' && <GroupDialog group={chosen.id} definition={own} onDone={done} />}
      {chosen && asking === 'remove' && (
        <ConfirmDialog title={`Remove ${chosen.name}?`} confirm="Remove" onConfirm={() => remove.mutate(chosen)} onCancel={done}>
          Its members stay as they are. Overrides that were made for the group hold for nothing any more.
        </ConfirmDialog>
      )}
    </>
  );
}

function GroupPanel({ group }: { group: GroupItem }) {
  const styles = useStyles();
  const members = useGroup<ManagedObject[]>(`/api/groups/${segment(group.id)}/members`, 5);
  const it = group.definition;
  const listed = members.data?.slice(0, mostMembers) ?? [];
  return (
    <>
      <Subtitle1 as="h2">{group.name}</Subtitle1>
      <Facts
        items={[
          ['Health', <HealthIcon key="h" health={group.health} inMaintenance={group.maintenanceUntil !== null} />],
          ['About', it?.description],
          ['Made by', it ? 'a rule made here' : group.byRules ? `a rule of the pack ${group.pack ?? ''}` : `what the discoveries of the pack ${group.pack ?? ''} find`],
          ['Class', it && shortName(it.class)],
          ['Conditions', it && (it.conditions.length === 0 ? (it.include.length > 0 ? 'none: the chosen objects' : 'none: all of the class') : it.conditions.map((one) => `${one.property} ${operatorWords[one.operator] ?? one.operator} ${one.value}`).join(it.join === 'all' ? ' and ' : ' or '))],
          ['Always', it && it.include.length > 0 ? `${it.include.length} chosen` : ''],
          ['Never', it && it.exclude.length > 0 ? `${it.exclude.length} chosen` : ''],
        ]}
      />
      <div><Link className={styles.link} to={`/objects/${segment(group.id)}`}>Open the health explorer</Link></div>
      <Section title="Members">
        {members.isPending && <LoadingState label="Reading the members" />}
        {members.isError && <ErrorState error={members.error} retry={() => void members.refetch()} />}
        {members.data?.length === 0 && <Text className={styles.muted}>Nothing matches now. What matches later joins by itself.</Text>}
        <ul className={styles.list} aria-label="Members of the group">
          {listed.map((member) => (
            <li key={member.id} className={styles.row}>
              <HealthIcon compact health={member.health} outOfContact={member.outOfContact} inMaintenance={member.maintenanceUntil !== null} />
              <Link className={styles.link} to={`/objects/${segment(member.id)}`}>{member.name}</Link>
              <span className={styles.muted}>{member.path || member.classes.map(shortName).join(', ')}</span>
            </li>
          ))}
        </ul>
        {(members.data?.length ?? 0) > mostMembers && <Text className={styles.muted}>{(members.data?.length ?? 0) - mostMembers} more are not listed.</Text>}
      </Section>
    </>
  );
}
