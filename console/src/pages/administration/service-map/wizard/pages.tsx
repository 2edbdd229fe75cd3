// The pages of the wizard: what each asks for, and why.
import { Caption1, Field, Input, makeStyles, Radio, RadioGroup, Select, Text, Textarea, tokens } from '@fluentui/react-components';
import type { Cloud } from '../../../../api/administration';
import type { Found, FoundMachine } from '../../../../api/serviceMap';
import { useGroup, type ResourcePool } from '../../../../api/management';
import { Facts } from '../../../../components/Page';
import { ErrorState } from '../../../../components/States';
import { Choose } from './Choose';
import { whereWords, type Draft, type Where } from './draft';

const useStyles = makeStyles({
  two: { display: 'grid', gridTemplateColumns: 'minmax(0, 1fr) minmax(0, 1fr)', gap: '12px', alignItems: 'start' },
  wide: { gridColumn: '1 / -1' },
  muted: { color: tokens.colorNeutralForeground2 },
  code: { fontFamily: tokens.fontFamilyMonospace, fontSize: '12px' },
});

export interface PageProps {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  /** What the server said of a field. */
  errorOf: (...fields: string[]) => string | undefined;
  /** The other side's answer. */
  found: Found;
  /** A secret is stored; without a new one it stays. */
  hasStoredSecret: boolean;
}

/** The properties of a field with what is wrong with it. */
function wrong(message: string | undefined) {
  return message === undefined ? {} : { validationState: 'error' as const, validationMessage: message };
}

export function ConnectionPage({ draft, set, errorOf, hasStoredSecret }: PageProps) {
  const styles = useStyles();
  const clouds = useGroup<Cloud[]>('/api/clouds');
  return (
    <>
      <Field label="The workspace is on">
        <RadioGroup layout="horizontal" value={draft.where} onChange={(_event, data) => set({ where: data.value as Where })}>
          <Radio value="here" label="This server" />
          <Radio value="elsewhere" label="Another Watchkeeper server" />
          <Radio value="azure" label="Azure" />
        </RadioGroup>
      </Field>
      {draft.where === 'elsewhere' && (
        <div className={styles.two}>
          <Field label="Address of the server" required hint="Where its API answers" {...wrong(errorOf('endpoint'))}>
            <Input value={draft.endpoint} placeholder="https://logs.example.com:8443" autoComplete="off" onChange={(_event, data) => set({ endpoint: data.value })} />
          </Field>
          <Field label="Address that gives tokens" hint="Empty: the same" {...wrong(errorOf('authority'))}>
            <Input value={draft.authority} autoComplete="off" onChange={(_event, data) => set({ authority: data.value })} />
          </Field>
          <Field className={styles.wide} label="Certificates to trust" hint="PEM, where its certificate is of an authority of its own: ca.pem of that server’s data folder" {...wrong(errorOf('trustedCertificates'))}>
            <Textarea value={draft.trustedCertificates} rows={3} placeholder="-----BEGIN CERTIFICATE-----" onChange={(_event, data) => set({ trustedCertificates: data.value })} />
          </Field>
        </div>
      )}
      {draft.where === 'azure' && (
        <Field label="Environment" {...wrong(errorOf('authority', 'endpoint'))}>
          <Select value={draft.environment} onChange={(_event, data) => set({ environment: data.value })}>
            {(clouds.data?.filter((one) => !one.isOwn && one.resourceManager) ?? [{ name: draft.environment, title: draft.environment }]).map((one) => <option key={one.name} value={one.name}>{one.title}</option>)}
          </Select>
        </Field>
      )}
      <div className={styles.two}>
        <Field label="Tenant name or ID" required {...wrong(errorOf('tenant'))}>
          <Input value={draft.tenant} autoComplete="off" onChange={(_event, data) => set({ tenant: data.value })} />
        </Field>
        <Field label="Application ID" required hint="Also called user name or client ID" {...wrong(errorOf('applicationId'))}>
          <Input value={draft.applicationId} autoComplete="off" onChange={(_event, data) => set({ applicationId: data.value })} />
        </Field>
        <Field label="Client secret" required={!hasStoredSecret} hint={hasStoredSecret ? 'Empty: the stored one stays' : 'It is kept encrypted and never shown again'} {...wrong(errorOf('secret'))}>
          <Input type="password" autoComplete="new-password" value={draft.secret} onChange={(_event, data) => set({ secret: data.value })} />
        </Field>
        <Field label="The secret ends on" hint="Where it is known: you are told in time" {...wrong(errorOf('secretExpires'))}>
          <Input type="date" value={draft.secretExpires} onChange={(_event, data) => set({ secretExpires: data.value })} />
        </Field>
      </div>
      {draft.where !== 'azure' && (
        <Caption1 className={styles.muted}>
          On the server with the workspace, <span className={styles.code}>watchkeeper workspace principals add NAME --role Reader</span> makes a service principal and prints its ID and secret.
        </Caption1>
      )}
    </>
  );
}

export function SubscriptionPage({ draft, set, errorOf, found }: PageProps) {
  const groups = found.subscriptions.find((one) => one.subscriptionId === draft.subscription)?.resourceGroups ?? [];
  const workspaces = groups.find((one) => one.name === draft.resourceGroup)?.workspaces ?? [];
  return (
    <>
      <Field label="Subscription" required {...wrong(errorOf('subscription'))}>
        <Select value={draft.subscription} onChange={(_event, data) => set({ subscription: data.value, resourceGroup: '', workspace: '' })}>
          <option value="">Choose a subscription</option>
          {found.subscriptions.map((one) => <option key={one.subscriptionId} value={one.subscriptionId}>{one.displayName === one.subscriptionId ? one.displayName : `${one.displayName} (${one.subscriptionId})`}</option>)}
        </Select>
      </Field>
      <Field label="Resource group" required hint="The one that holds the workspace" {...wrong(errorOf('resourceGroup'))}>
        <Select value={draft.resourceGroup} onChange={(_event, data) => set({ resourceGroup: data.value, workspace: '' })}>
          <option value="">Choose a resource group</option>
          {groups.map((one) => <option key={one.name} value={one.name}>{one.name}</option>)}
        </Select>
      </Field>
      <Field label="Workspace" required {...wrong(errorOf('workspace'))}>
        <Select value={draft.workspace} onChange={(_event, data) => set({ workspace: data.value, name: draft.name === '' || draft.name === draft.workspace ? data.value : draft.name })}>
          <option value="">Choose a workspace</option>
          {workspaces.map((one) => <option key={one.name} value={one.name}>{one.name}</option>)}
        </Select>
      </Field>
    </>
  );
}

export function GroupsPage({ draft, set, errorOf, found }: PageProps) {
  const known = found.machineGroups ?? [];
  const gone = draft.machineGroups.filter((one) => !known.some((other) => other.id === one.id));
  return (
    <>
      <Text>Each chosen group becomes a distributed application with its machines, kept in step with the map.</Text>
      {errorOf('machineGroups') && <Field {...wrong(errorOf('machineGroups'))} />}
      <Choose
        label="Machine groups" nothing="The workspace has no machine groups. They are made with the Service Map API; you can choose some later."
        choices={[...known.map((one) => ({ id: one.id, name: one.displayName })), ...gone.map((one) => ({ id: one.id, name: one.displayName, note: 'not in the workspace any more' }))]}
        chosen={draft.machineGroups.map((one) => one.id)}
        onChange={(ids) => set({ machineGroups: ids.flatMap((id) => [...known, ...gone].find((one) => one.id === id) ?? []) })}
      />
    </>
  );
}

export function ServersPage({ draft, set, errorOf, found }: PageProps) {
  const known = found.machines ?? [];
  const nameOf = (machine: FoundMachine) => machine.computer ?? machine.name;
  const gone = draft.servers.filter((name) => !known.some((one) => nameOf(one) === name));
  return (
    <>
      <Text>Each chosen server becomes a distributed application with what it talks to. A server has to be on the map and in this management group; what is missing is said after the first sync.</Text>
      {errorOf('servers') && <Field {...wrong(errorOf('servers'))} />}
      <Choose
        label="Servers" nothing="No machine of the workspace has sent connections in the last hour. Install agents; you can choose servers later."
        choices={[
          ...known.map((one) => ({ id: nameOf(one), name: nameOf(one), ...(one.monitored ? {} : { note: 'not in this management group' }) })),
          ...gone.map((name) => ({ id: name, name, note: 'not on the map now' })),
        ]}
        chosen={draft.servers} onChange={(servers) => set({ servers })}
      />
    </>
  );
}

export function PoolPage({ draft, set, errorOf, found }: PageProps) {
  const pools = useGroup<ResourcePool[]>('/api/pools', 60);
  const names = [...new Set([...(pools.data ?? []).map((pool) => pool.name), draft.resourcePool])].sort((a, b) => a.localeCompare(b));
  const subscription = found.subscriptions.find((one) => one.subscriptionId === draft.subscription)?.displayName ?? draft.subscription;
  return (
    <>
      <Field label="Name" required hint="How the connection is called here" {...wrong(errorOf('name'))}>
        <Input value={draft.name} onChange={(_event, data) => set({ name: data.value })} />
      </Field>
      <Field label="Resource pool" required hint="Its management servers talk to the workspace" {...wrong(errorOf('resourcePool'))}>
        <Select value={draft.resourcePool} onChange={(_event, data) => set({ resourcePool: data.value })}>
          {names.map((name) => <option key={name} value={name}>{name}</option>)}
        </Select>
      </Field>
      {pools.isError && <ErrorState error={pools.error} retry={() => void pools.refetch()} />}
      <Facts
        items={[
          ['Workspace', `${draft.workspace} in ${draft.resourceGroup}, ${subscription}`],
          ['On', whereWords(draft)],
          ['Machine groups', draft.machineGroups.length === 0 ? 'none' : draft.machineGroups.map((one) => one.displayName).join(', ')],
          ['Servers', draft.servers.length === 0 ? 'none' : `${draft.servers.slice(0, 8).join(', ')}${draft.servers.length > 8 ? ` and ${draft.servers.length - 8} more` : ''}`],
        ]}
      />
    </>
  );
}
