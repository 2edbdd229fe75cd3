// Dialogs of Run As accounts: a new one, another secret, which agents get it.
import { Checkbox, Field, Input, Radio, RadioGroup, Select, Textarea } from '@fluentui/react-components';
import { useState } from 'react';
import { accountKinds, accountKindWords, needsUserName, type AccountKind, type Distribution, type RunAsAccount } from '../../api/administration';
import { request } from '../../api/client';
import { segment, useAction, useGroup, type Agent } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';
import { ErrorState } from '../../components/States';

export function AccountDialog({ onDone }: { onDone: (id?: string) => void }) {
  const [name, setName] = useState('');
  const [kind, setKind] = useState<AccountKind>('Basic');
  const [userName, setUserName] = useState('');
  const [secret, setSecret] = useState('');
  const [distribution, setDistribution] = useState<Distribution>('listed-agents');
  const [agents, setAgents] = useState<string[]>([]);
  const create = useAction(async () => {
    const body = { name, kind, userName, secret, distribution, agents: distribution === 'listed-agents' ? agents : [] };
    const made = await request<RunAsAccount>('/api/run-as/accounts', { method: 'POST', body });
    onDone(made?.id);
  });
  const needsUser = needsUserName.includes(kind);
  const ready = name.trim() !== '' && (!needsUser || userName !== '') && (kind === 'ActionAccount' || secret !== '');
  return (
    <FormDialog title="Add a Run As account" submit="Add" ready={ready} pending={create.isPending} error={create.error} onSubmit={() => create.mutate(undefined)} onCancel={() => onDone()}>
      <Field label="Name" required><Input value={name} onChange={(_event, data) => setName(data.value)} /></Field>
      <Field label="Kind">
        <Select value={kind} onChange={(_event, data) => setKind(data.value as AccountKind)}>
          {accountKinds.map((one) => <option key={one} value={one}>{accountKindWords[one]}</option>)}
        </Select>
      </Field>
      <Field label="User name" required={needsUser}><Input value={userName} autoComplete="off" onChange={(_event, data) => setUserName(data.value)} /></Field>
      {kind === 'ActionAccount' ? null : <SecretField kind={kind} value={secret} onChange={setSecret} />}
      <DistributionFields distribution={distribution} agents={agents} onDistribution={setDistribution} onAgents={setAgents} />
    </FormDialog>
  );
}

export function SecretDialog({ account, onDone }: { account: RunAsAccount; onDone: () => void }) {
  const [secret, setSecret] = useState('');
  const save = useAction(async () => {
    await request(`/api/run-as/accounts/${segment(account.id)}`, { method: 'PATCH', body: { secret } });
    onDone();
  });
  return (
    <FormDialog title={`Change the secret of ${account.name}`} submit="Change" ready={secret !== ''} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={onDone}>
      <SecretField kind={account.kind} value={secret} onChange={setSecret} />
    </FormDialog>
  );
}

export function DistributionDialog({ account, onDone }: { account: RunAsAccount; onDone: () => void }) {
  const [distribution, setDistribution] = useState(account.distribution);
  const [agents, setAgents] = useState(account.agentIds);
  const save = useAction(async () => {
    await request(`/api/run-as/accounts/${segment(account.id)}`, { method: 'PATCH', body: { distribution, agents } });
    onDone();
  });
  return (
    <FormDialog title={`Distribution of ${account.name}`} submit="Save" ready pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={onDone}>
      <DistributionFields distribution={distribution} agents={agents} onDistribution={setDistribution} onAgents={setAgents} />
    </FormDialog>
  );
}

function SecretField({ kind, value, onChange }: { kind: AccountKind; value: string; onChange: (value: string) => void }) {
  const label = kind === 'SnmpCommunity' ? 'Community string' : kind === 'Certificate' ? 'Certificate and key' : 'Password';
  return (
    <Field label={label} required hint="It is kept encrypted and never shown again; agents get it encrypted for themselves.">
      {kind === 'Certificate'
        ? <Textarea value={value} rows={5} placeholder="PEM: the certificate, then its key" onChange={(_event, data) => onChange(data.value)} />
        : <Input type="password" autoComplete="new-password" value={value} onChange={(_event, data) => onChange(data.value)} />}
    </Field>
  );
}

interface DistributionProps {
  distribution: Distribution;
  agents: string[];
  onDistribution: (value: Distribution) => void;
  onAgents: (agents: string[]) => void;
}

function DistributionFields({ distribution, agents, onDistribution, onAgents }: DistributionProps) {
  const known = useGroup<Agent[]>('/api/agents', 60);
  const listed = (known.data ?? []).filter((agent) => agent.status !== 'pending').sort((a, b) => a.computer.localeCompare(b.computer));
  return (
    <>
      <Field label="Who gets the secret">
        <RadioGroup value={distribution} onChange={(_event, data) => onDistribution(data.value as Distribution)}>
          <Radio value="listed-agents" label="Only the agents chosen here (more secure)" />
          <Radio value="all-agents" label="Every agent" />
        </RadioGroup>
      </Field>
      {distribution === 'listed-agents' && (
        <Field label="Agents">
          <div role="group" aria-label="Agents that get the secret">
            {listed.length === 0 && known.data && 'No agent has joined yet.'}
            {listed.map((agent) => (
              <div key={agent.id}>
                <Checkbox label={agent.computer} checked={agents.includes(agent.id)} onChange={(_event, data) => onAgents(data.checked === true ? [...agents, agent.id] : agents.filter((id) => id !== agent.id))} />
              </div>
            ))}
          </div>
        </Field>
      )}
      {known.isError && <ErrorState error={known.error} />}
    </>
  );
}
