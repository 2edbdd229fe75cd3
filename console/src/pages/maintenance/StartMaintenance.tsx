// Begins maintenance of objects: how long, why, with what they host.
import { Checkbox, Field, Input, Select, Textarea } from '@fluentui/react-components';
import { useState } from 'react';
import { request } from '../../api/client';
import { useAction } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';
import { localTime } from '../../components/zones';

/** The documented reasons, in the order of their codes. */
const reasons = [
  'PlannedOther', 'UnplannedOther', 'PlannedHardwareMaintenance', 'UnplannedHardwareMaintenance', 'PlannedHardwareInstallation',
  'UnplannedHardwareInstallation', 'PlannedOperatingSystemReconfiguration', 'UnplannedOperatingSystemReconfiguration',
  'PlannedApplicationMaintenance', 'UnplannedApplicationMaintenance', 'ApplicationInstallation', 'ApplicationUnresponsive',
  'ApplicationUnstable', 'SecurityIssue', 'LossOfNetworkConnectivity',
];

/** `PlannedOther` as words. */
export function reasonWords(reason: string): string {
  const words = reason.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function ReasonField({ value, onChange }: { value: string; onChange: (reason: string) => void }) {
  return (
    <Field label="Reason">
      <Select value={value} onChange={(_event, data) => onChange(data.value)}>
        {reasons.map((one) => <option key={one} value={one}>{reasonWords(one)}</option>)}
      </Select>
    </Field>
  );
}

interface StartMaintenanceProps {
  objects?: { id: string; name: string }[];
  /** Computer groups: their computers, those that join them later too. */
  computerGroups?: { id: string; name: string }[];
  onDone: () => void;
}

export function StartMaintenance({ objects = [], computerGroups = [], onDone }: StartMaintenanceProps) {
  const [until, setUntil] = useState(() => localTime(Date.now() + 30 * 60_000));
  const [reason, setReason] = useState('PlannedOther');
  const [comments, setComments] = useState('');
  const [recursive, setRecursive] = useState(true);
  const minutes = Math.ceil((new Date(until).getTime() - Date.now()) / 60_000);
  const start = useAction(async () => {
    await request('/api/maintenance', { method: 'POST', body: { objects: objects.map((one) => one.id), computerGroups: computerGroups.map((one) => one.id), minutes, reason, comments, recursive } });
    onDone();
  });
  const valid = minutes >= 5;
  const all = [...objects, ...computerGroups];
  return (
    <FormDialog title={`Maintenance of ${all.length === 1 ? all[0]?.name ?? '' : `${all.length} objects`}`} submit="Start" ready={valid} pending={start.isPending} error={start.error} onSubmit={() => start.mutate(undefined)} onCancel={onDone}>
      <Field label="Until (local time)" {...(valid ? {} : { validationMessage: 'The end has to be at least five minutes from now' })}>
        <Input type="datetime-local" value={until} onChange={(_event, data) => setUntil(data.value)} />
      </Field>
      <ReasonField value={reason} onChange={setReason} />
      <Field label="Comment"><Textarea value={comments} onChange={(_event, data) => setComments(data.value)} /></Field>
      {computerGroups.length === 0 && <Checkbox label="With all that it hosts and contains" checked={recursive} onChange={(_event, data) => setRecursive(data.checked === true)} />}
    </FormDialog>
  );
}
