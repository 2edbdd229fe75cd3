// Secrets and certificates: what ends and when, what is kept encrypted, and the key that it is encrypted with.
import { Badge, Caption1, makeStyles, Tab, TabList, tokens } from '@fluentui/react-components';
import { ArrowSyncRegular, KeyMultipleRegular } from '@fluentui/react-icons';
import type { ColDef, ICellRendererParams } from 'ag-grid-community';
import { useState } from 'react';
import type { Expiring, SealedSecret, SealingKey } from '../../api/administration';
import { request } from '../../api/client';
import { useAction, useGroup } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { ago, formatCell } from '../../components/format';
import { Facts, Section, Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';

const useStyles = makeStyles({ muted: { color: tokens.colorNeutralForeground2 }, note: { padding: '0 12px 8px' } });

const colors = { '': 'subtle', Informational: 'informative', Warning: 'warning', Critical: 'danger' } as const;

function Severity({ data }: ICellRendererParams<Expiring>) {
  if (!data) return null;
  return <Badge appearance="tint" color={colors[data.severity]}>{data.severity === '' ? 'in time' : data.severity}</Badge>;
}

const left = (days: number) => (days < 0 ? 'ended' : days === 1 ? '1 day' : `${days} days`);

const ending: ColDef<Expiring>[] = [
  { field: 'severity', headerName: 'Warned', width: 130, cellRenderer: Severity },
  { field: 'daysLeft', headerName: 'Left', width: 110, filter: 'agNumberColumnFilter', initialSort: 'asc', valueFormatter: ({ value }) => left(Number(value)) },
  { field: 'expires', headerName: 'Ends', width: 190, filter: false, valueFormatter: ({ value }) => formatCell(value, 'datetime') },
  { field: 'kind', headerName: 'What', flex: 2, minWidth: 180 },
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 160 },
];

const sealed: ColDef<SealedSecret>[] = [
  { field: 'kind', headerName: 'What', flex: 2, minWidth: 180, initialSort: 'asc' },
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 160 },
  { field: 'expires', headerName: 'Ends', width: 190, filter: false, valueFormatter: ({ value }) => (value ? formatCell(value, 'datetime') : '') },
  { field: 'key', headerName: 'Key', width: 180 },
];

export function SecretsTab() {
  const [list, setList] = useState('ending');
  return (
    <>
      <Toolbar label="Secrets and certificates">
        <TabList size="small" selectedValue={list} onTabSelect={(_event, data) => setList(String(data.value))}>
          <Tab value="ending">What ends</Tab>
          <Tab value="sealed">What is encrypted</Tab>
        </TabList>
        <Spacer />
        {list === 'sealed' && <Rotate />}
      </Toolbar>
      {list === 'ending' ? <Ending /> : <Sealed />}
    </>
  );
}

function Ending() {
  const items = useGroup<Expiring[]>('/api/expiry', 60);
  const [open, setOpen] = useState<string>();
  if (items.isPending) return <LoadingState label="Reading what ends" />;
  if (items.isError) return <ErrorState error={items.error} retry={() => void items.refetch()} />;
  const chosen = items.data.find((one) => one.item === open);
  return (
    <Split
      label="Item"
      side={chosen && (
        <Section top title={chosen.name}>
          <Facts
            items={[
              ['What', chosen.kind], ['Ends', formatCell(chosen.expires, 'datetime')], ['Left', left(chosen.daysLeft)],
              ['Renewed', chosen.renewsItself ? 'by itself' : 'by a person'], ['What to do', chosen.advice],
            ]}
          />
        </Section>
      )}
    >
      <DataGrid label="What ends" rows={items.data} columns={ending} rowId={(one) => one.item} openId={open} onOpen={(one) => setOpen(one.item)} />
    </Split>
  );
}

function Sealed() {
  const styles = useStyles();
  const secrets = useGroup<SealedSecret[]>('/api/secrets', 60);
  const keys = useGroup<SealingKey[]>('/api/secrets/keys', 10);
  const [open, setOpen] = useState<string>();
  if (secrets.isPending) return <LoadingState label="Reading what is encrypted" />;
  if (secrets.isError) return <ErrorState error={secrets.error} retry={() => void secrets.refetch()} />;
  const current = keys.data?.find((one) => one.place === 'current');
  const past = keys.data?.find((one) => one.place === 'past');
  const idOf = (one: SealedSecret) => `${one.kind}/${one.id}`;
  return (
    <Split label="Secret">
      {secrets.data.length === 0
        ? <EmptyState icon={<KeyMultipleRegular />} title="Nothing is encrypted yet" hint="Passwords and secrets of connections and accounts are kept here, encrypted, once there are some." />
        : <DataGrid label="What is encrypted" rows={secrets.data} columns={sealed} rowId={idOf} openId={open} onOpen={(one) => setOpen(idOf(one))} />}
      <Caption1 className={`${styles.muted} ${styles.note}`} role="status">
        {current && `Encrypted with the key ${current.key}, in use since ${ago(current.since, Date.now())}.`}
        {past && ` The one before, ${past.key}, is removed in about a minute.`}
      </Caption1>
    </Split>
  );
}

function Rotate() {
  const [asking, setAsking] = useState(false);
  const rotate = useAction(() => {
    setAsking(false);
    return request<{ secrets: number }>('/api/secrets/rotate', { method: 'POST' });
  });
  return (
    <>
      {rotate.isError && <ErrorState error={rotate.error} />}
      {rotate.data && <span role="status">{rotate.data.secrets} secrets are encrypted with the new key</span>}
      <ActionButton needs="Watchkeeper/secrets/write" size="small" icon={<ArrowSyncRegular />} disabledFocusable={rotate.isPending} onClick={() => setAsking(true)}>New key…</ActionButton>
      {asking && (
        <ConfirmDialog title="Encrypt all secrets with a new key?" confirm="Encrypt anew" onConfirm={() => rotate.mutate(undefined)} onCancel={() => setAsking(false)}>
          Every server of the group that runs gets the new key; one that is stopped needs a copy of state.key before it starts. Back up the new state.key with the next backup.
        </ConfirmDialog>
      )}
    </>
  );
}
