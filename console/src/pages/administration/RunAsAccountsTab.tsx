// Run As accounts: who programs and connections of monitoring run as, which agents get the secret, which profiles use it.
import { SearchBox, Subtitle1, Text } from '@fluentui/react-components';
import { AddRegular, KeyRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { accountKindWords, type RunAsAccount } from '../../api/administration';
import { request } from '../../api/client';
import { segment, shortName, useAction, useGroup } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { formatCell } from '../../components/format';
import { Facts, Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { AccountDialog, DistributionDialog, SecretDialog } from './RunAsDialogs';

const goesTo = (account: RunAsAccount) => (account.distribution === 'all-agents' ? 'every agent' : account.agents.length === 0 ? 'no agent yet' : account.agents.join(', '));

const columns: ColDef<RunAsAccount>[] = [
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 160, initialSort: 'asc' },
  { field: 'kind', headerName: 'Kind', width: 140 },
  { field: 'userName', headerName: 'User name', flex: 1, minWidth: 120 },
  { colId: 'agents', headerName: 'Goes to', flex: 2, minWidth: 140, valueGetter: ({ data }) => data && goesTo(data) },
  { colId: 'profiles', headerName: 'Used by', flex: 2, minWidth: 140, valueGetter: ({ data }) => data?.profiles.map(shortName).join(', ') },
  { field: 'modifiedAt', headerName: 'Changed (UTC)', width: 150, filter: false, valueFormatter: ({ value }) => (value ? formatCell(String(value), 'datetime').slice(0, 16) : '') },
];

type Asking = 'create' | 'secret' | 'distribute' | 'remove';

export function RunAsAccountsTab() {
  const accounts = useGroup<RunAsAccount[]>('/api/run-as/accounts', 30);
  const [text, setText] = useState('');
  const [open, setOpen] = useState<string>();
  const [asking, setAsking] = useState<Asking>();
  const done = () => setAsking(undefined);
  const remove = useAction(async (account: RunAsAccount) => {
    done();
    // its panel goes first: what it reads is soon not there
    setOpen(undefined);
    await request(`/api/run-as/accounts/${segment(account.id)}`, { method: 'DELETE' });
  });
  const chosen = accounts.data?.find((account) => account.id === open);
  return (
    <>
      <Toolbar label="Run As accounts">
        <ActionButton needs="Watchkeeper/managementGroups/runAsAccounts/write" size="small" appearance="primary" icon={<AddRegular />} onClick={() => setAsking('create')}>Add account…</ActionButton>
        <SearchBox size="small" aria-label="Filter accounts" placeholder="Name, user or profile" value={text} onChange={(_event, data) => setText(data.value)} />
        <Spacer />
        <ActionButton needs="Watchkeeper/managementGroups/runAsAccounts/write" size="small" disabledFocusable={!chosen} onClick={() => setAsking('secret')}>Change secret…</ActionButton>
        <ActionButton needs="Watchkeeper/managementGroups/runAsAccounts/write" size="small" disabledFocusable={!chosen} onClick={() => setAsking('distribute')}>Distribution…</ActionButton>
        <ActionButton needs="Watchkeeper/managementGroups/runAsAccounts/delete" size="small" disabledFocusable={!chosen || remove.isPending} onClick={() => setAsking('remove')}>Remove…</ActionButton>
      </Toolbar>
      {remove.isError && <ErrorState error={remove.error} />}
      {accounts.isPending && <LoadingState label="Reading the accounts" />}
      {accounts.isError && <ErrorState error={accounts.error} retry={() => void accounts.refetch()} />}
      {accounts.data && (
        <Split label="Run As account" side={chosen && <AccountPanel account={chosen} />}>
          {accounts.data.length === 0
            ? <EmptyState icon={<KeyRegular />} title="No Run As accounts" hint="Monitoring runs as the agent. Where a pack needs another user or a password, add the account here and give it to the pack’s profile under Run As profiles." action={<ActionButton needs="Watchkeeper/managementGroups/runAsAccounts/write" appearance="primary" onClick={() => setAsking('create')}>Add an account</ActionButton>} />
            : <DataGrid label="Run As accounts" rows={accounts.data} columns={columns} rowId={(account) => account.id} quickFilter={text} openId={open} onOpen={(account) => setOpen(account.id)} />}
        </Split>
      )}
      {asking === 'create' && <AccountDialog onDone={(id) => { done(); if (id) setOpen(id); }} />}
      {chosen && asking === 'secret' && <SecretDialog account={chosen} onDone={done} />}
      {chosen && asking === 'distribute' && <DistributionDialog account={chosen} onDone={done} />}
      {chosen && asking === 'remove' && (
        <ConfirmDialog title={`Remove ${chosen.name}?`} confirm="Remove" onConfirm={() => remove.mutate(chosen)} onCancel={done}>
          Its secret is deleted and no agent has it with its next configuration. An account that a profile uses is kept: end that first.
        </ConfirmDialog>
      )}
    </>
  );
}

function AccountPanel({ account }: { account: RunAsAccount }) {
  return (
    <>
      <Subtitle1 as="h2">{account.name}</Subtitle1>
      <Facts
        items={[
          ['Kind', accountKindWords[account.kind]],
          ['User name', account.userName],
          ['Goes to', goesTo(account)],
          ['Used by', account.profiles.join(', ') || 'no profile'],
          ['Changed', account.modifiedAt ? `${formatCell(account.modifiedAt, 'datetime').slice(0, 19)} UTC` : ''],
          ['Identity', account.id],
        ]}
      />
      {account.distribution === 'listed-agents' && account.agents.length === 0 && <Text role="status">No agent gets this account, so nothing can use it. Choose its agents under Distribution.</Text>}
      {account.profiles.length === 0 && <Text role="status">No profile uses it. Give it to one under Run As profiles.</Text>}
    </>
  );
}
