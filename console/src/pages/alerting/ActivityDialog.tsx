// Makes or changes an activity log alert rule: at which changes, refusals and sign-ins it fires, and who is told.
import { Button, Field, Input, makeStyles, MessageBar, MessageBarBody, Select, Text, tokens } from '@fluentui/react-components';
import { AddRegular, DeleteRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { rulesPath, saveResource, type ActivityRule } from '../../api/alerting';
import { useAction } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';
import { activityLack, activityOf, categories, emptyActivity, eventFields, examples, type ActivityForm, type EventFilter } from './activityForm';
import { GroupPicker } from './GroupPicker';

const useStyles = makeStyles({
  part: { display: 'flex', flexDirection: 'column', gap: '8px' },
  filter: { display: 'grid', gridTemplateColumns: 'minmax(0, 4fr) minmax(0, 3fr) minmax(0, 5fr) auto', gap: '8px', alignItems: 'end', '& .fui-Input': { minWidth: 0, width: '100%' }, '& .fui-Select': { minWidth: 0 } },
  muted: { color: tokens.colorNeutralForeground2 },
});

interface ActivityDialogProps {
  /** The rule that is changed, with its form. */
  rule?: ActivityRule;
  form?: ActivityForm;
  onDone: () => void;
}

export function ActivityDialog({ rule, form: given, onDone }: ActivityDialogProps) {
  const styles = useStyles();
  const [form, setForm] = useState<ActivityForm>(given ?? emptyActivity);
  const [isTried, setIsTried] = useState(false);
  const set = (change: Partial<ActivityForm>) => setForm((was) => ({ ...was, ...change }));
  const changeFilter = (at: number, by: Partial<EventFilter>) => set({ filters: form.filters.map((one, index) => (index === at ? { ...one, ...by } : one)) });
  const lack = activityLack(form);
  const save = useAction(async () => {
    await saveResource(rulesPath, rule?.key, form.name.trim(), activityOf(form, rule?.properties), 'activity');
    onDone();
  });
  const fieldsWith = (own: string): [string, string][] => (eventFields.some(([value]) => value === own) ? eventFields : [...eventFields, [own, own]]);
  return (
    <FormDialog
      title={rule ? rule.name : 'New activity log rule'} submit="Save" needs="Microsoft.Insights/scheduledQueryRules/write" ready checksItself pending={save.isPending} error={save.error}
      onSubmit={() => { setIsTried(true); if (lack === undefined) save.mutate(undefined); }} onCancel={onDone}
    >
      <Field label="Name" required><Input value={form.name} disabled={rule !== undefined} onChange={(_event, data) => set({ name: data.value })} /></Field>
      <Field label="Description"><Input value={form.description} onChange={(_event, data) => set({ description: data.value })} /></Field>
      <Field label="Fires at" hint="Each event is an alert of its own; it is closed by a person.">
        <Select value={form.category} onChange={(_event, data) => set({ category: data.value })}>{categories.map(([value, label]) => <option key={value} value={value}>{label}</option>)}</Select>
      </Field>
      <div className={styles.part} role="group" aria-label="Which events">
        {form.filters.map((filter, at) => (
          <div key={at} className={styles.filter} role="group" aria-label={`Filter ${at + 1}`}>
            <Field label="Field"><Select value={filter.field} onChange={(_event, data) => changeFilter(at, { field: data.value })}>{fieldsWith(filter.field).map(([value, label]) => <option key={value} value={value}>{label}</option>)}</Select></Field>
            <Field label="Comparison"><Select value={filter.how} onChange={(_event, data) => changeFilter(at, { how: data.value as EventFilter['how'] })}><option value="equals">is</option><option value="containsAny">contains</option></Select></Field>
            <Field label={filter.how === 'equals' ? 'Value' : 'Any of, with commas'}><Input value={filter.values} placeholder={examples[filter.field] ?? ''} onChange={(_event, data) => changeFilter(at, { values: data.value })} /></Field>
            <Button appearance="subtle" icon={<DeleteRegular />} aria-label={`Remove filter ${at + 1}`} onClick={() => set({ filters: form.filters.filter((_one, index) => index !== at) })} />
          </div>
        ))}
        <Text size={200} className={styles.muted}>{form.filters.length === 0 ? 'All events of that kind.' : form.filters.length > 1 ? 'All filters have to hold.' : ''}</Text>
        <div><Button size="small" icon={<AddRegular />} onClick={() => set({ filters: [...form.filters, { field: 'operationName', how: 'equals', values: '' }] })}>Add a filter</Button></div>
      </div>
      <GroupPicker value={form.groups} onChange={(groups) => set({ groups })} />
      {isTried && lack && <MessageBar intent="error" layout="multiline"><MessageBarBody role="alert">{lack}</MessageBarBody></MessageBar>}
    </FormDialog>
  );
}
