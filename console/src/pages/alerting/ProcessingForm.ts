// The fields of a processing rule as they are typed, and the documented properties that they become.
import { names, shortId } from './words';

export interface Recurrence {
  recurrenceType: string;
  startTime?: string;
  endTime?: string;
  daysOfWeek?: string[];
  daysOfMonth?: number[];
}

export interface ProcessingProperties {
  description?: string;
  enabled?: boolean;
  scopes?: string[];
  conditions?: { field: string; operator: string; values: string[] }[];
  schedule?: { timeZone?: string; effectiveFrom?: string; effectiveUntil?: string; recurrences?: Recurrence[] };
  actions: { actionType: string; actionGroupIds?: string[] }[];
}

export const fields: [string, string][] = [
  ['Severity', 'Severity'], ['AlertRuleName', 'Alert rule name'], ['AlertRuleId', 'Alert rule ID'], ['TargetResource', 'Target'], ['TargetResourceGroup', 'Target’s resource group'],
  ['TargetResourceType', 'Target’s type'], ['MonitorService', 'Monitor service'], ['MonitorCondition', 'Monitor condition'], ['SignalType', 'Signal type'], ['Description', 'Description'], ['AlertContext', 'Alert context'],
];

/** Fields whose values are few. */
export const knownValues: Record<string, [string, string][]> = {
  Severity: [['Sev0', '0 Critical'], ['Sev1', '1 Error'], ['Sev2', '2 Warning'], ['Sev3', '3 Informational'], ['Sev4', '4 Verbose']],
  MonitorCondition: [['Fired', 'Fired'], ['Resolved', 'Resolved']],
};

/** Fields that are compared as a whole. */
const wholeFields = ['Severity', 'MonitorCondition', 'SignalType', 'MonitorService'];

export const operators: [string, string][] = [['Equals', 'is'], ['NotEquals', 'is not'], ['Contains', 'contains'], ['DoesNotContain', 'does not contain']];

/** How a field can be compared. */
export function operatorsOf(field: string): [string, string][] {
  return wholeFields.includes(field) ? operators.slice(0, 2) : operators;
}

export const weekDays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];

export interface FilterForm {
  field: string;
  operator: string;
  /** With commas. */
  values: string;
}

export interface RecurrenceForm {
  type: string;
  /** Of the week. */
  days: string[];
  /** Of the month, with commas; -1 is the last. */
  daysOfMonth: string;
  /** `HH:MM`; empty both: the whole day. */
  start: string;
  end: string;
}

export interface ProcessingForm {
  name: string;
  description: string;
  does: 'suppress' | 'add';
  groups: string[];
  /** One a line; empty: everything. */
  scopes: string;
  filters: FilterForm[];
  when: 'always' | 'scheduled';
  timeZone: string;
  /** Local, as a `datetime-local` field has it; empty: no such end. */
  from: string;
  until: string;
  recurrences: RecurrenceForm[];
}

export const emptyRecurrence: RecurrenceForm = { type: 'Daily', days: ['Saturday', 'Sunday'], daysOfMonth: '1', start: '20:00', end: '07:00' };

export function emptyProcessing(timeZone: string): ProcessingForm {
  return {
    name: '', description: '', does: 'suppress', groups: [], scopes: '', filters: [{ field: 'Severity', operator: 'Equals', values: 'Sev2, Sev3, Sev4' }],
    when: 'scheduled', timeZone, from: '', until: '', recurrences: [emptyRecurrence],
  };
}

const minutes = (time: string | undefined) => (time ?? '').slice(0, 5);

/** The form of a rule; undefined where the form cannot show all of it. */
export function processingFormOf(name: string, properties: ProcessingProperties): ProcessingForm | undefined {
  const { actions, schedule } = properties;
  const [action] = actions;
  const conditions = properties.conditions ?? [];
  const clocks = [schedule?.effectiveFrom?.slice(11), schedule?.effectiveUntil?.slice(11), ...(schedule?.recurrences ?? []).flatMap((one) => [one.startTime, one.endTime])];
  const isToTheMinute = clocks.every((clock) => clock === undefined || clock.slice(5, 8) === ':00' || clock.length === 5);
  if (!action || actions.length > 1 || !isToTheMinute || conditions.some((one) => one.values.some((value) => value.includes(',')))) return undefined;
  const recurrences = (schedule?.recurrences ?? []).map((one) => ({
    type: one.recurrenceType, days: one.daysOfWeek ?? [], daysOfMonth: (one.daysOfMonth ?? []).join(', '), start: minutes(one.startTime), end: minutes(one.endTime),
  }));
  return {
    name, description: properties.description ?? '', does: action.actionType === 'AddActionGroups' ? 'add' : 'suppress', groups: (action.actionGroupIds ?? []).map(shortId),
    scopes: (properties.scopes ?? []).join('\n'), filters: conditions.map(({ field, operator, values }) => ({ field, operator, values: values.join(', ') })),
    when: schedule ? 'scheduled' : 'always', timeZone: schedule?.timeZone ?? 'UTC', from: (schedule?.effectiveFrom ?? '').slice(0, 16), until: (schedule?.effectiveUntil ?? '').slice(0, 16), recurrences,
  };
}

const whole = (time: string) => (time.length === 5 ? `${time}:00` : time);

function recurrenceOf(one: RecurrenceForm): Recurrence {
  return {
    recurrenceType: one.type,
    ...(one.type === 'Weekly' ? { daysOfWeek: weekDays.filter((day) => one.days.includes(day)) } : {}),
    ...(one.type === 'Monthly' ? { daysOfMonth: names(one.daysOfMonth).map(Number) } : {}),
    ...(one.start ? { startTime: whole(one.start) } : {}),
    ...(one.end ? { endTime: whole(one.end) } : {}),
  };
}

/** The properties of a form, over those that the rule has beside. */
export function processingOf(form: ProcessingForm, before?: ProcessingProperties): ProcessingProperties {
  const known = before?.actions[0]?.actionGroupIds ?? [];
  const rest: Partial<ProcessingProperties> = { ...before };
  delete rest.schedule;
  return {
    ...rest,
    description: form.description,
    enabled: before?.enabled ?? true,
    scopes: form.scopes.split('\n').map((scope) => scope.trim()).filter((scope) => scope !== ''),
    conditions: form.filters.map(({ field, operator, values }) => ({ field, operator, values: names(values) })),
    ...(form.when === 'scheduled' ? {
      schedule: {
        timeZone: form.timeZone.trim() || 'UTC', ...(form.from ? { effectiveFrom: `${form.from}:00` } : {}), ...(form.until ? { effectiveUntil: `${form.until}:00` } : {}),
        recurrences: form.recurrences.map(recurrenceOf),
      },
    } : {}),
    // a whole identity stays what it was
    actions: [form.does === 'suppress' ? { actionType: 'RemoveAllActionGroups' } : { actionType: 'AddActionGroups', actionGroupIds: form.groups.map((name) => known.find((id) => shortId(id) === name) ?? name) }],
  };
}

/** What keeps the form from being sent; undefined where nothing does. */
export function processingLack(form: ProcessingForm): string | undefined {
  if (form.name.trim() === '') return 'Give the rule a name.';
  if (form.does === 'add' && form.groups.length === 0) return 'Choose the action groups that it adds.';
  if (form.filters.some((one) => names(one.values).length === 0)) return 'Every filter needs a value: write one, or remove the filter.';
  if (form.when === 'always') return undefined;
  if (form.from && form.until && form.until <= form.from) return 'The end of the schedule has to be later than its start.';
  if (!form.from && !form.until && form.recurrences.length === 0) return 'Say from when, until when or how often it works, or let it work always.';
  if (form.recurrences.some((one) => one.type === 'Weekly' && one.days.length === 0)) return 'Choose the days of the week.';
  const isDay = (day: string) => /^(-1|[1-9]|[12]\d|3[01])$/.test(day);
  if (form.recurrences.some((one) => one.type === 'Monthly' && (names(one.daysOfMonth).length === 0 || !names(one.daysOfMonth).every(isDay)))) return 'Days of the month are 1 to 31, and -1 for the last.';
  if (form.recurrences.some((one) => (one.start === '') !== (one.end === ''))) return 'Write both times, or none for the whole day.';
  return undefined;
}
