// Makes a schedule of maintenance: of what, from when, how long, how often.
import { Checkbox, Dropdown, Field, Input, makeStyles, MessageBar, MessageBarBody, Option, Select, Textarea } from '@fluentui/react-components';
import { useState } from 'react';
import { request } from '../../api/client';
import { useAction } from '../../api/management';
import { ComputerGroupPicker } from '../../components/ComputerGroupPicker';
import { FormDialog } from '../../components/Dialogs';
import { localTime, ownZone, zones } from '../../components/zones';
import { kindsOfDay, scheduleLack, scheduleOf, weekDays, whichOfMonth, type ScheduleForm } from './schedule';
import { ReasonField } from './StartMaintenance';

const useStyles = makeStyles({
  row: { display: 'grid', gridTemplateColumns: 'repeat(3, minmax(0, 1fr))', gap: '10px', alignItems: 'start', '& .fui-Input': { minWidth: 0, width: '100%' }, '& .fui-Dropdown': { minWidth: 0 }, '& .fui-Select': { minWidth: 0 } },
});

const units = { once: '', daily: 'days', weekly: 'weeks', monthly: 'months', relative: 'months' };

export const schedulesPath = '/api/maintenance-schedules';

export function ScheduleDialog({ onDone }: { onDone: () => void }) {
  const styles = useStyles();
  const [form, setForm] = useState<ScheduleForm>(() => ({
    name: '', computerGroups: [], objects: '', start: localTime(Date.now() + 24 * 3_600_000).slice(0, 11) + '02:00', timeZone: ownZone(), minutes: '60', repeats: 'weekly', every: '1',
    weekDays: ['Sunday'], dayOfMonth: '1', which: '2', kindOfDay: '3', until: '', reason: 'PlannedOther', comments: '', recursive: true,
  }));
  const [isTried, setIsTried] = useState(false);
  const set = (change: Partial<ScheduleForm>) => setForm((was) => ({ ...was, ...change }));
  const lack = scheduleLack(form);
  const save = useAction(async () => {
    await request(schedulesPath, { method: 'POST', body: scheduleOf(form) });
    onDone();
  });
  return (
    <FormDialog
      title="New schedule" submit="Create" needs="Watchkeeper/managementGroups/maintenance/write" ready checksItself pending={save.isPending} error={save.error}
      onSubmit={() => { setIsTried(true); if (lack === undefined) save.mutate(undefined); }} onCancel={onDone}
    >
      <Field label="Name" required><Input value={form.name} onChange={(_event, data) => set({ name: data.value })} /></Field>
      <ComputerGroupPicker label="Computer groups" placeholder="None" hint="Their computers, those that join later too" value={form.computerGroups} onChange={(computerGroups) => set({ computerGroups })} />
      <Field label="Objects" hint="Names of computers or other objects, one a line"><Textarea rows={2} resize="vertical" spellCheck={false} value={form.objects} onChange={(_event, data) => set({ objects: data.value })} /></Field>
      {form.computerGroups.length === 0 && <Checkbox label="With all that they host and contain" checked={form.recursive} onChange={(_event, data) => set({ recursive: data.checked === true })} />}
      <div className={styles.row}>
        <Field label="First start"><Input type="datetime-local" value={form.start} onChange={(_event, data) => set({ start: data.value })} /></Field>
        <Field label="Time zone" hint="The hour stays when clocks change"><Input value={form.timeZone} list="schedule-zones" onChange={(_event, data) => set({ timeZone: data.value })} /></Field>
        <Field label="Minutes"><Input type="number" min={5} value={form.minutes} onChange={(_event, data) => set({ minutes: data.value })} /></Field>
      </div>
      <datalist id="schedule-zones">{zones.map((zone) => <option key={zone} value={zone} />)}</datalist>
      <div className={styles.row}>
        <Field label="Repeats">
          <Select value={form.repeats} onChange={(_event, data) => set({ repeats: data.value as ScheduleForm['repeats'] })}>
            <option value="once">once</option><option value="daily">daily</option><option value="weekly">weekly</option><option value="monthly">monthly by date</option><option value="relative">monthly by weekday</option>
          </Select>
        </Field>
        {form.repeats !== 'once' && <Field label={`Every so many ${units[form.repeats]}`}><Input type="number" min={1} value={form.every} onChange={(_event, data) => set({ every: data.value })} /></Field>}
        {form.repeats === 'weekly' && (
          <Field label="On">
            <Dropdown multiselect value={weekDays.filter((day) => form.weekDays.includes(day)).map((day) => day.slice(0, 3)).join(', ')} selectedOptions={form.weekDays} onOptionSelect={(_event, data) => set({ weekDays: data.selectedOptions })}>
              {weekDays.map((day) => <Option key={day} value={day}>{day}</Option>)}
            </Dropdown>
          </Field>
        )}
        {form.repeats === 'monthly' && <Field label="Day of the month"><Input type="number" min={1} max={31} value={form.dayOfMonth} onChange={(_event, data) => set({ dayOfMonth: data.value })} /></Field>}
        {form.repeats === 'relative' && (
          <>
            <Field label="On the"><Select value={form.which} onChange={(_event, data) => set({ which: data.value })}>{whichOfMonth.map(([value, label]) => <option key={value} value={value}>{label}</option>)}</Select></Field>
            <Field label="Day"><Select value={form.kindOfDay} onChange={(_event, data) => set({ kindOfDay: data.value })}>{kindsOfDay.map(([value, label]) => <option key={value} value={value}>{label}</option>)}</Select></Field>
          </>
        )}
      </div>
      {form.repeats !== 'once' && <Field label="Until" hint="No window starts at or after it; empty: without an end"><Input type="datetime-local" value={form.until} onChange={(_event, data) => set({ until: data.value })} /></Field>}
      <ReasonField value={form.reason} onChange={(reason) => set({ reason })} />
      <Field label="Comment"><Textarea value={form.comments} onChange={(_event, data) => set({ comments: data.value })} /></Field>
      {isTried && lack && <MessageBar intent="error" layout="multiline"><MessageBarBody role="alert">{lack}</MessageBarBody></MessageBar>}
    </FormDialog>
  );
}
