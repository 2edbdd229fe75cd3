// Makes or changes an action group: receivers of mail, webhooks, chats and scripts; work items by their connection.
import { Button, Field, Input, makeStyles, Select, Text, tokens } from '@fluentui/react-components';
import { AddRegular, DeleteRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { groupsPath, saveResource, type Resource } from '../../api/alerting';
import { itsmPath, type ItsmConnection } from '../../api/itsm';
import { useAction, useGroup } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';
import { ItsmAction } from './ItsmAction';

const useStyles = makeStyles({
  receiver: { display: 'grid', gridTemplateColumns: 'minmax(0, 1fr) 110px minmax(0, 2fr) auto', gap: '8px', alignItems: 'end', '& .fui-Input': { minWidth: 0, width: '100%' }, '& .fui-Select': { minWidth: 0 } },
  muted: { color: tokens.colorNeutralForeground2 },
  pair: { display: 'grid', gridTemplateColumns: '2fr 1fr', gap: '10px' },
});

type Sent = Record<string, unknown>;

export interface GroupProperties {
  groupShortName: string;
  enabled?: boolean;
  emailReceivers?: Sent[];
  webhookReceivers?: Sent[];
  chatReceivers?: Sent[];
  scriptReceivers?: Sent[];
  itsmReceivers?: Sent[];
}

export interface Receiver {
  name: string;
  kind: string;
  target: string;
  /** As it was sent: what the form does not show stays. */
  sent: Sent;
}

/** Kind, its list, the field of its target, what that is. */
const kinds: [string, keyof GroupProperties, string, string][] = [
  ['Email', 'emailReceivers', 'emailAddress', 'Address'],
  ['Webhook', 'webhookReceivers', 'serviceUri', 'Address (https://…)'],
  ['Teams', 'chatReceivers', 'serviceUri', 'Address of the workflow'],
  ['Slack', 'chatReceivers', 'serviceUri', 'Address of the incoming webhook'],
  ['Script', 'scriptReceivers', 'file', 'File in the folder of scripts'],
  ['ITSM', 'itsmReceivers', 'connectionId', 'Connection'],
];

export function receiversOf(properties: GroupProperties): Receiver[] {
  return kinds.flatMap(([kind, list, field]) => {
    const all = (properties[list] as Sent[] | undefined) ?? [];
    const chosen = list === 'chatReceivers' ? all.filter((one) => one.service === kind) : all;
    return chosen.map((sent) => ({ kind, name: String(sent.name ?? ''), target: String(sent[field] ?? ''), sent }));
  });
}

export function groupOf(shortName: string, receivers: Receiver[], before?: GroupProperties): GroupProperties {
  const properties: GroupProperties = { ...before, groupShortName: shortName, enabled: before?.enabled ?? true };
  for (const [, list] of kinds) Object.assign(properties, { [list]: [] });
  for (const receiver of receivers) {
    const found = kinds.find(([kind]) => kind === receiver.kind);
    if (!found) continue;
    const [, list, field] = found;
    const own = list === 'chatReceivers' ? { service: receiver.kind } : list === 'webhookReceivers' ? { useCommonAlertSchema: true } : {};
    (properties[list] as Sent[]).push({ ...receiver.sent, ...own, name: receiver.name, [field]: receiver.target });
  }
  return properties;
}

export function GroupDialog({ group, onDone }: { group: Resource<GroupProperties> | undefined; onDone: () => void }) {
  const styles = useStyles();
  const connections = useGroup<ItsmConnection[]>(itsmPath, 60);
  const [name, setName] = useState(group?.name ?? '');
  const [shortName, setShortName] = useState(group?.properties.groupShortName ?? '');
  const [receivers, setReceivers] = useState<Receiver[]>(() => (group ? receiversOf(group.properties) : [{ name: 'mail', kind: 'Email', target: '', sent: {} }]));
  const save = useAction(async () => {
    await saveResource(groupsPath, group?.key, name, groupOf(shortName, receivers, group?.properties));
    onDone();
  });
  const change = (at: number, by: Partial<Receiver>) => setReceivers((was) => was.map((one, index) => (index === at ? { ...one, ...by } : one)));
  const ready = name.trim() !== '' && shortName.trim() !== '' && receivers.every((one) => one.name !== '' && one.target !== '');
  return (
    <FormDialog title={group ? group.name : 'New action group'} submit="Save" needs="Microsoft.Insights/actionGroups/write" ready={ready} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={onDone}>
      <div className={styles.pair}>
        <Field label="Name" required><Input value={name} disabled={group !== undefined} onChange={(_event, data) => setName(data.value)} /></Field>
        <Field label="Short name" required><Input value={shortName} maxLength={12} onChange={(_event, data) => setShortName(data.value)} /></Field>
      </div>
      {receivers.map((receiver, at) => (
        <div key={at} role="group" aria-label={`Receiver ${at + 1}`}>
          <div className={styles.receiver}>
            <Field label="Receiver"><Input value={receiver.name} onChange={(_event, data) => change(at, { name: data.value })} /></Field>
            <Field label="Kind"><Select value={receiver.kind} onChange={(_event, data) => change(at, { kind: data.value, target: '', sent: {} })}>{kinds.map(([kind]) => <option key={kind} value={kind}>{kind}</option>)}</Select></Field>
            {receiver.kind === 'ITSM'
              ? <ConnectionField connections={connections.data} value={receiver.target} onChange={(target) => change(at, { target })} />
              : <Field label={kinds.find(([kind]) => kind === receiver.kind)?.[3] ?? 'Target'}><Input value={receiver.target} onChange={(_event, data) => change(at, { target: data.value })} /></Field>}
            <Button appearance="subtle" icon={<DeleteRegular />} aria-label={`Remove receiver ${receiver.name || String(at + 1)}`} onClick={() => setReceivers((was) => was.filter((_one, index) => index !== at))} />
          </div>
          {receiver.kind === 'ITSM' && (
            <ItsmAction key={receivers.length} connection={connectionOf(connections.data, receiver.target)} sent={receiver.sent.ticketConfiguration} onChange={(ticketConfiguration) => change(at, { sent: { ...receiver.sent, ticketConfiguration } })} />
          )}
        </div>
      ))}
      <div><Button size="small" icon={<AddRegular />} onClick={() => setReceivers((was) => [...was, { name: '', kind: 'Webhook', target: '', sent: {} }])}>Add a receiver</Button></div>
      <Text size={200} className={styles.muted}>Secrets in addresses are stored encrypted and not shown again; an address that ends in *** stays as it is.</Text>
    </FormDialog>
  );
}

/** Some clients write the workspace in front of a connection's name. */
function connectionOf(connections: readonly ItsmConnection[] | undefined, target: string): ItsmConnection | undefined {
  const name = target.split('|').at(-1) ?? target;
  return connections?.find((one) => one.id === name || one.name.toLowerCase() === name.toLowerCase());
}

function ConnectionField({ connections, value, onChange }: { connections: readonly ItsmConnection[] | undefined; value: string; onChange: (name: string) => void }) {
  const known = connectionOf(connections, value);
  const state = value !== '' && connections && !known ? { validationState: 'warning' as const, validationMessage: 'There is no such connection any more.' } : connections?.length === 0 ? { hint: 'There is none yet: see ITSM connector.' } : {};
  return (
    <Field label="Connection" {...state}>
      <Select value={known?.name ?? value} onChange={(_event, data) => onChange(data.value)}>
        {!known && <option value={value}>{value || 'Choose…'}</option>}
        {(connections ?? []).map((one) => <option key={one.id} value={one.name}>{one.name}</option>)}
      </Select>
    </Field>
  );
}
