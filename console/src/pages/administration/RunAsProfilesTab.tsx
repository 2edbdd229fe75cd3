// Run As profiles of packs, and which account each uses for which objects.
import { Field, makeStyles, Radio, RadioGroup, Select, Subtitle1, Text, tokens } from '@fluentui/react-components';
import { AddRegular, DeleteRegular, PersonKeyRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import type { RunAsAccount, RunAsAssociation, RunAsProfile } from '../../api/administration';
import { request } from '../../api/client';
import { useAction, useGroup, type ClassItem, type ManagedObject } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { FormDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { Facts, Section, Split } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';

const useStyles = makeStyles({
  list: { listStyle: 'none', margin: '4px 0 0', padding: 0 },
  row: { display: 'flex', alignItems: 'center', gap: '8px', padding: '4px 0', borderBottom: `1px solid ${tokens.colorNeutralStroke2}`, fontSize: '13px' },
  grow: { flex: 1, overflowWrap: 'anywhere', minWidth: 0 },
  muted: { color: tokens.colorNeutralForeground2 },
});

const columns: ColDef<RunAsProfile>[] = [
  { field: 'name', headerName: 'Name', flex: 3, minWidth: 220, initialSort: 'asc' },
  { field: 'pack', headerName: 'Pack', flex: 2, minWidth: 180 },
  { field: 'associations', headerName: 'Accounts', width: 110, filter: 'agNumberColumnFilter' },
];

export function RunAsProfilesTab() {
  const profiles = useGroup<RunAsProfile[]>('/api/run-as/profiles', 30);
  const [open, setOpen] = useState<string>();
  if (profiles.isPending) return <LoadingState label="Reading the profiles" />;
  if (profiles.isError) return <ErrorState error={profiles.error} retry={() => void profiles.refetch()} />;
  const chosen = profiles.data.find((profile) => profile.profile === open);
  return (
    <Split label="Run As profile" side={chosen && <ProfilePanel key={chosen.profile} profile={chosen} />}>
      {profiles.data.length === 0
        ? <EmptyState icon={<PersonKeyRegular />} title="No Run As profiles" hint="Profiles come with management packs: they say which work needs an account of its own." />
        : <DataGrid label="Run As profiles" rows={profiles.data} columns={columns} rowId={(profile) => profile.profile} openId={open} onOpen={(profile) => setOpen(profile.profile)} />}
    </Split>
  );
}

/** What names the scope of an association again when it is ended. */
function scopeOf(one: RunAsAssociation): Record<string, string> {
  if (one.scopeId === '') return {};
  return one.scope.includes('!') ? { class: one.scope } : { object: one.scopeId };
}

function ProfilePanel({ profile }: { profile: RunAsProfile }) {
  const styles = useStyles();
  const all = useGroup<RunAsAssociation[]>('/api/run-as/associations', 30);
  const [adding, setAdding] = useState(false);
  const end = useAction((one: RunAsAssociation) => request('/api/run-as/associations', { method: 'DELETE', body: { profile: one.profile, ...scopeOf(one) } }));
  const own = (all.data ?? []).filter((one) => one.profile === profile.profile);
  return (
    <>
      <Subtitle1 as="h2">{profile.name}</Subtitle1>
      <Facts items={[['Profile', profile.profile], ['Pack', profile.pack]]} />
      <div><ActionButton needs="Watchkeeper/managementGroups/runAsProfiles/write" size="small" icon={<AddRegular />} onClick={() => setAdding(true)}>Use an account…</ActionButton></div>
      {end.isError && <ErrorState error={end.error} />}
      {all.isError && <ErrorState error={all.error} retry={() => void all.refetch()} />}
      <Section title="Accounts">
        {all.isPending && <LoadingState label="Reading the accounts of the profile" />}
        {all.data && own.length === 0 && <Text className={styles.muted}>None: what has this profile runs as the agent, or not at all where it needs a password.</Text>}
        <ul className={styles.list} aria-label="Accounts of the profile">
          {own.map((one) => (
            <li key={one.scopeId} className={styles.row}>
              <span className={styles.grow}><strong>{one.account ?? 'an account that is gone'}</strong> for {one.scope}</span>
              <ActionButton needs="Watchkeeper/managementGroups/runAsProfiles/write" size="small" appearance="subtle" icon={<DeleteRegular />} aria-label={`No longer use ${one.account ?? 'it'} for ${one.scope}`} disabledFocusable={end.isPending} onClick={() => end.mutate(one)} />
            </li>
          ))}
        </ul>
      </Section>
      {adding && <AssociationDialog profile={profile} onDone={() => setAdding(false)} />}
    </>
  );
}

function AssociationDialog({ profile, onDone }: { profile: RunAsProfile; onDone: () => void }) {
  const accounts = useGroup<RunAsAccount[]>('/api/run-as/accounts', 60);
  const [account, setAccount] = useState('');
  const [scope, setScope] = useState<'all' | 'class' | 'object'>('all');
  const [className, setClassName] = useState('');
  const [object, setObject] = useState('');
  const classes = useGroup<ClassItem[]>(scope === 'class' ? '/api/classes' : undefined, 60);
  const objects = useGroup<ManagedObject[]>(scope === 'object' ? '/api/objects' : undefined, 60);
  const save = useAction(async () => {
    const place = scope === 'class' ? { class: className } : scope === 'object' ? { object } : {};
    await request('/api/run-as/associations', { method: 'PUT', body: { profile: profile.profile, account, ...place } });
    onDone();
  });
  const ready = account !== '' && (scope === 'all' || (scope === 'class' ? className !== '' : object !== ''));
  const sorted = <T extends { name: string }>(list: T[] | undefined) => [...(list ?? [])].sort((a, b) => a.name.localeCompare(b.name));
  return (
    <FormDialog title={`Account for ${profile.name}`} submit="Use it" ready={ready} pending={save.isPending} error={save.error ?? accounts.error ?? classes.error ?? objects.error} onSubmit={() => save.mutate(undefined)} onCancel={onDone}>
      <Field label="Account" required {...(accounts.data?.length === 0 ? { hint: 'There is none yet: add one under Run As accounts.' } : {})}>
        <Select value={account} onChange={(_event, data) => setAccount(data.value)}>
          <option value="">Choose an account</option>
          {sorted(accounts.data).map((one) => <option key={one.id} value={one.id}>{`${one.name} (${one.kind})`}</option>)}
        </Select>
      </Field>
      <Field label="For">
        <RadioGroup value={scope} onChange={(_event, data) => setScope(data.value as typeof scope)}>
          <Radio value="all" label="All objects" />
          <Radio value="class" label="A class or group" />
          <Radio value="object" label="One object" />
        </RadioGroup>
      </Field>
      {scope === 'class' && (
        <Field label="Class or group" required>
          <Select value={className} onChange={(_event, data) => setClassName(data.value)}>
            <option value="">Choose a class</option>
            {sorted(classes.data).map((one) => <option key={one.class} value={one.class}>{one.name}</option>)}
          </Select>
        </Field>
      )}
      {scope === 'object' && (
        <Field label="Object" required>
          <Select value={object} onChange={(_event, data) => setObject(data.value)}>
            <option value="">Choose an object</option>
            {sorted(objects.data).map((one) => <option key={one.id} value={one.id}>{one.path ? `${one.name} · ${one.path}` : one.name}</option>)}
          </Select>
        </Field>
      )}
    </FormDialog>
  );
}
