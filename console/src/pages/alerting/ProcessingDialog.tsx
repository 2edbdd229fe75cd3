// Makes or changes a processing rule: what it does, for which alerts, and when; as JSON where a person wants all of it.
import { Button, Dropdown, Field, Input, Label, makeStyles, MessageBar, MessageBarBody, Option, Radio, RadioGroup, Select, Subtitle2, Text, Textarea, tokens } from '@fluentui/react-components';
import { AddRegular, DeleteRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { processingPath, saveResource, type Resource } from '../../api/alerting';
import { useAction } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';
import { ownZone, zones } from '../../components/zones';
import { GroupPicker } from './GroupPicker';
import { JsonDialog } from './JsonDialog';
import { emptyProcessing, emptyRecurrence, fields, knownValues, operatorsOf, processingFormOf, processingLack, processingOf, weekDays, type FilterForm, type ProcessingForm, type ProcessingProperties, type RecurrenceForm } from './ProcessingForm';
import { names } from './words';

const useStyles = makeStyles({
  part: { display: 'flex', flexDirection: 'column', gap: '8px', borderTop: `1px solid ${tokens.colorNeutralStroke2}`, paddingTop: '10px' },
  title: { margin: 0 },
  pair: { display: 'grid', gridTemplateColumns: 'repeat(2, minmax(0, 1fr))', gap: '10px', alignItems: 'start', '& .fui-Input': { minWidth: 0, width: '100%' } },
  three: { display: 'grid', gridTemplateColumns: 'repeat(3, minmax(0, 1fr))', gap: '10px', alignItems: 'start', '& .fui-Input': { minWidth: 0, width: '100%' }, '& .fui-Dropdown': { minWidth: 0 } },
  filter: { display: 'grid', gridTemplateColumns: 'minmax(0, 4fr) minmax(0, 3fr) minmax(0, 5fr) auto', gap: '8px', alignItems: 'end', '& .fui-Input': { minWidth: 0, width: '100%' }, '& .fui-Dropdown': { minWidth: 0 }, '& .fui-Select': { minWidth: 0 } },
  recurrence: { display: 'grid', gridTemplateColumns: '104px minmax(0, 1fr) 128px 128px auto', gap: '8px', alignItems: 'end', '& .fui-Input': { minWidth: 0, width: '100%' }, '& .fui-Dropdown': { minWidth: 0 }, '& .fui-Select': { minWidth: 0 } },
  daily: { color: tokens.colorNeutralForeground2, paddingBottom: '8px' },
  muted: { color: tokens.colorNeutralForeground2 },
});

type Rule = Resource<ProcessingProperties>;

export function ProcessingDialog({ rule, onDone }: { rule: Rule | undefined; onDone: () => void }) {
  const styles = useStyles();
  const given = rule ? processingFormOf(rule.name, rule.properties) : emptyProcessing(ownZone());
  const [form, setForm] = useState<ProcessingForm>(given ?? emptyProcessing('UTC'));
  const [isJson, setIsJson] = useState(given === undefined);
  const [isTried, setIsTried] = useState(false);
  const set = (change: Partial<ProcessingForm>) => setForm((was) => ({ ...was, ...change }));
  const properties = () => processingOf(form, rule?.properties);
  const save = useAction(async () => {
    await saveResource(processingPath, rule?.key, form.name.trim(), properties());
    onDone();
  });
  const title = rule ? rule.name : 'New processing rule';
  if (isJson) {
    const shown = given === undefined ? rule?.properties : properties();
    return <JsonDialog title={title} path={processingPath} name={form.name} {...(rule ? { resource: { ...rule, properties: shown } } : { template: shown })} onDone={onDone} />;
  }
  const lack = processingLack(form);
  const changeFilter = (at: number, by: Partial<FilterForm>) => set({ filters: form.filters.map((one, index) => (index === at ? { ...one, ...by } : one)) });
  const changeRecurrence = (at: number, by: Partial<RecurrenceForm>) => set({ recurrences: form.recurrences.map((one, index) => (index === at ? { ...one, ...by } : one)) });
  return (
    <FormDialog title={title} submit="Save" needs="Microsoft.AlertsManagement/actionRules/write" ready checksItself pending={save.isPending} error={save.error} onSubmit={() => { setIsTried(true); if (lack === undefined) save.mutate(undefined); }} onCancel={onDone}>
      <div className={styles.pair}>
        <Field label="Name" required><Input value={form.name} disabled={rule !== undefined} onChange={(_event, data) => set({ name: data.value })} /></Field>
        <Field label="Description"><Input value={form.description} onChange={(_event, data) => set({ description: data.value })} /></Field>
      </div>
      <div className={styles.part}>
        <Field label="What it does">
          <RadioGroup value={form.does} onChange={(_event, data) => set({ does: data.value as ProcessingForm['does'] })}>
            <Radio value="suppress" label="Nobody is told: it takes all action groups away" />
            <Radio value="add" label="Others are told too: it adds action groups" />
          </RadioGroup>
        </Field>
        {form.does === 'add' && <GroupPicker required value={form.groups} onChange={(groups) => set({ groups })} />}
      </div>
      <div className={styles.part} role="group" aria-label="For which alerts">
        <Subtitle2 as="h3" className={styles.title}>For which alerts</Subtitle2>
        {form.filters.map((filter, at) => {
          const known = knownValues[filter.field];
          const chosen = names(filter.values);
          return (
            <div key={at} className={styles.filter} role="group" aria-label={`Filter ${at + 1}`}>
              <Field label="Field"><Select value={filter.field} onChange={(_event, data) => changeFilter(at, { field: data.value, values: '', operator: operatorsOf(data.value).some(([one]) => one === filter.operator) ? filter.operator : 'Equals' })}>{withOwn(fields, filter.field).map(([value, label]) => <option key={value} value={value}>{label}</option>)}</Select></Field>
              <Field label="Comparison"><Select value={filter.operator} onChange={(_event, data) => changeFilter(at, { operator: data.value })}>{operatorsOf(filter.field).map(([value, label]) => <option key={value} value={value}>{label}</option>)}</Select></Field>
              <Field label={known ? 'Any of' : 'Any of, with commas'}>
                {known
                  ? <Dropdown multiselect value={chosen.join(', ')} selectedOptions={chosen} onOptionSelect={(_event, data) => changeFilter(at, { values: data.selectedOptions.join(', ') })}>{known.map(([value, label]) => <Option key={value} value={value}>{label}</Option>)}</Dropdown>
                  : <Input value={filter.values} onChange={(_event, data) => changeFilter(at, { values: data.value })} />}
              </Field>
              <Button appearance="subtle" icon={<DeleteRegular />} aria-label={`Remove filter ${at + 1}`} onClick={() => set({ filters: form.filters.filter((_one, index) => index !== at) })} />
            </div>
          );
        })}
        {form.filters.length > 1 && <Text size={200} className={styles.muted}>All filters have to hold.</Text>}
        {form.filters.length === 0 && <Text size={200} className={styles.muted}>All alerts, also those of management packs.</Text>}
        <div><Button size="small" icon={<AddRegular />} onClick={() => set({ filters: [...form.filters, { field: 'AlertRuleName', operator: 'Equals', values: '' }] })}>Add a filter</Button></div>
        <Field label="Scopes" hint="One a line: a subscription, a resource group, a resource or a computer. Empty: everything.">
          <Textarea value={form.scopes} rows={2} resize="vertical" spellCheck={false} onChange={(_event, data) => set({ scopes: data.value })} />
        </Field>
      </div>
      <div className={styles.part} role="group" aria-label="When">
        <Field label="When it works">
          <RadioGroup layout="horizontal" value={form.when} onChange={(_event, data) => set({ when: data.value as ProcessingForm['when'] })}>
            <Radio value="always" label="Always" />
            <Radio value="scheduled" label="By a schedule" />
          </RadioGroup>
        </Field>
        {form.when === 'scheduled' && (
          <>
            <div className={styles.three}>
              <Field label="From" hint="Empty: from now on"><Input type="datetime-local" value={form.from} onChange={(_event, data) => set({ from: data.value })} /></Field>
              <Field label="Until" hint="Empty: without an end"><Input type="datetime-local" value={form.until} onChange={(_event, data) => set({ until: data.value })} /></Field>
              <Field label="Time zone"><Input value={form.timeZone} list="processing-zones" onChange={(_event, data) => set({ timeZone: data.value })} /></Field>
              <datalist id="processing-zones">{zones.map((zone) => <option key={zone} value={zone} />)}</datalist>
            </div>
            <Label>Recurrence</Label>
            {form.recurrences.map((one, at) => (
              <div key={at} className={styles.recurrence} role="group" aria-label={`Recurrence ${at + 1}`}>
                <Field label="Repeats"><Select value={one.type} onChange={(_event, data) => changeRecurrence(at, { type: data.value })}><option value="Daily">daily</option><option value="Weekly">weekly</option><option value="Monthly">monthly</option></Select></Field>
                {one.type === 'Weekly' ? (
                  <Field label="On"><Dropdown multiselect value={weekDays.filter((day) => one.days.includes(day)).map((day) => day.slice(0, 3)).join(', ')} selectedOptions={one.days} onOptionSelect={(_event, data) => changeRecurrence(at, { days: data.selectedOptions })}>{weekDays.map((day) => <Option key={day} value={day}>{day}</Option>)}</Dropdown></Field>
                ) : one.type === 'Monthly' ? (
                  <Field label="On days (-1: the last)"><Input value={one.daysOfMonth} onChange={(_event, data) => changeRecurrence(at, { daysOfMonth: data.value })} /></Field>
                ) : <Text size={200} className={styles.daily}>every day</Text>}
                <Field label="From"><Input type="time" value={one.start} onChange={(_event, data) => changeRecurrence(at, { start: data.value })} /></Field>
                <Field label="To"><Input type="time" value={one.end} onChange={(_event, data) => changeRecurrence(at, { end: data.value })} /></Field>
                <Button appearance="subtle" icon={<DeleteRegular />} aria-label={`Remove recurrence ${at + 1}`} onClick={() => set({ recurrences: form.recurrences.filter((_one, index) => index !== at) })} />
              </div>
            ))}
            <Text size={200} className={styles.muted}>{form.recurrences.length === 0 ? 'The whole time between the two ends.' : 'Without times it is the whole day; an end before its start is on the next day.'}</Text>
            <div><Button size="small" icon={<AddRegular />} onClick={() => set({ recurrences: [...form.recurrences, emptyRecurrence] })}>Add a recurrence</Button></div>
          </>
        )}
      </div>
      {isTried && lack && <MessageBar intent="error" layout="multiline"><MessageBarBody role="alert">{lack}</MessageBarBody></MessageBar>}
      <div><Button size="small" appearance="transparent" onClick={() => setIsJson(true)}>Edit as JSON</Button></div>
    </FormDialog>
  );
}

/** The options, with a value that a rule has beside them. */
function withOwn(options: [string, string][], own: string): [string, string][] {
  return options.some(([value]) => value === own) ? options : [...options, [own, own]];
}
