// How often agents say that they are there, and after how many missed heartbeats one is lost: for all, and for single agents.
import { Field, Input, makeStyles, Select, Table, TableBody, TableCell, TableHeader, TableHeaderCell, TableRow, Text, tokens } from '@fluentui/react-components';
import { AddRegular, ArrowUndoRegular, EditRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { request } from '../../api/client';
import { segment, useAction, useGroup, type Agent } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { Section } from '../../components/Page';
import { ErrorState, LoadingState } from '../../components/States';

interface HeartbeatSetting {
  computer: string;
  intervalSeconds: number;
  allowedMisses: number;
  failureAfterSeconds: number;
  /** Empty: all agents without one of their own. */
  agent: string;
}

const useStyles = makeStyles({
  table: { maxWidth: '780px', marginTop: '6px' },
  muted: { color: tokens.colorNeutralForeground2 },
  actions: { display: 'flex', gap: '4px', justifyContent: 'flex-end' },
});

export function HeartbeatSettings() {
  const styles = useStyles();
  const all = useGroup<HeartbeatSetting[]>('/api/heartbeats', 30);
  const [editing, setEditing] = useState<HeartbeatSetting | 'new'>();
  const reset = useAction((agent: string) => request(`/api/heartbeats/${segment(agent)}`, { method: 'DELETE' }));
  if (all.isPending) return <LoadingState label="Reading the heartbeat settings" />;
  if (all.isError) return <ErrorState error={all.error} retry={() => void all.refetch()} />;
  const general = all.data.find((one) => one.agent === '');
  return (
    <Section top title="Heartbeats">
      {reset.isError && <ErrorState error={reset.error} />}
      <Text className={styles.muted} block>An agent that stays silent for longer than it may is lost: an alert is raised, and what it watches is out of contact.</Text>
      <Table size="small" className={styles.table} aria-label="Heartbeat settings">
        <TableHeader>
          <TableRow>
            <TableHeaderCell>Agents</TableHeaderCell>
            <TableHeaderCell>Every (s)</TableHeaderCell>
            <TableHeaderCell>May be missed</TableHeaderCell>
            <TableHeaderCell>Lost after (s)</TableHeaderCell>
            <TableHeaderCell><span className={styles.actions}>Change</span></TableHeaderCell>
          </TableRow>
        </TableHeader>
        <TableBody>
          {all.data.map((one) => {
            const name = one.agent === '' ? 'All others' : one.computer || one.agent;
            return (
              <TableRow key={one.agent}>
                <TableCell>{name}</TableCell>
                <TableCell>{one.intervalSeconds}</TableCell>
                <TableCell>{one.allowedMisses}</TableCell>
                <TableCell>{one.failureAfterSeconds}</TableCell>
                <TableCell>
                  <span className={styles.actions}>
                    <ActionButton needs="Watchkeeper/managementGroups/agents/write" size="small" appearance="subtle" icon={<EditRegular />} aria-label={`Change the heartbeats of ${name}`} onClick={() => setEditing(one)} />
                    {one.agent !== '' && <ActionButton needs="Watchkeeper/managementGroups/agents/write" size="small" appearance="subtle" icon={<ArrowUndoRegular />} aria-label={`${name} follows the setting for all`} onClick={() => reset.mutate(one.agent)} />}
                  </span>
                </TableCell>
              </TableRow>
            );
          })}
        </TableBody>
      </Table>
      <ActionButton needs="Watchkeeper/managementGroups/agents/write" size="small" icon={<AddRegular />} onClick={() => setEditing('new')}>Setting for one agent…</ActionButton>
      {editing && <HeartbeatDialog setting={editing === 'new' ? undefined : editing} general={general} taken={all.data.map((one) => one.agent)} onDone={() => setEditing(undefined)} />}
    </Section>
  );
}

interface HeartbeatDialogProps {
  /** What is changed; without: an agent is chosen. */
  setting: HeartbeatSetting | undefined;
  general: HeartbeatSetting | undefined;
  taken: string[];
  onDone: () => void;
}

const whole = (text: string, most: number) => { const value = Number(text); return Number.isInteger(value) && value >= 1 && value <= most; };

function HeartbeatDialog({ setting, general, taken, onDone }: HeartbeatDialogProps) {
  const start = setting ?? general;
  const [agent, setAgent] = useState(setting?.agent ?? '');
  const [seconds, setSeconds] = useState(String(start?.intervalSeconds ?? 60));
  const [misses, setMisses] = useState(String(start?.allowedMisses ?? 3));
  const agents = useGroup<Agent[]>('/api/agents', 30);
  const free = (agents.data ?? []).filter((one) => one.status === 'approved' && !taken.includes(one.id));
  const valid = { seconds: whole(seconds, 3600), misses: whole(misses, 100) };
  const save = useAction(async () => {
    const path = agent === '' ? '/api/heartbeats' : `/api/heartbeats/${segment(agent)}`;
    await request(path, { method: 'PUT', body: { intervalSeconds: Number(seconds), allowedMisses: Number(misses) } });
    onDone();
  });
  const title = !setting ? 'Heartbeats of one agent' : setting.agent === '' ? 'Heartbeats of all agents' : `Heartbeats of ${setting.computer || setting.agent}`;
  return (
    <FormDialog title={title} submit="Save" ready={valid.seconds && valid.misses && (setting !== undefined || agent !== '')} pending={save.isPending} error={save.error ?? agents.error} onSubmit={() => save.mutate(undefined)} onCancel={onDone}>
      {!setting && (
        <Field label="Agent" required>
          <Select value={agent} onChange={(_event, data) => setAgent(data.value)}>
            <option value="">Choose an agent</option>
            {free.map((one) => <option key={one.id} value={one.id}>{one.computer}</option>)}
          </Select>
        </Field>
      )}
      <Field label="Seconds between two heartbeats" hint="1 to 3,600; usual: 60" {...(valid.seconds ? {} : { validationMessage: 'A whole number from 1 to 3,600' })}>
        <Input type="number" min={1} max={3600} value={seconds} onChange={(_event, data) => setSeconds(data.value)} />
      </Field>
      <Field label="Heartbeats that may be missed" hint="1 to 100; usual: 3" {...(valid.misses ? {} : { validationMessage: 'A whole number from 1 to 100' })}>
        <Input type="number" min={1} max={100} value={misses} onChange={(_event, data) => setMisses(data.value)} />
      </Field>
    </FormDialog>
  );
}
