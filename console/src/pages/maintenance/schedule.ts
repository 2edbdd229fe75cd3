// Maintenance that recurs: the fields as they are typed, the documented codes that they become, and a schedule in words.

export interface Schedule {
  id: string;
  name: string;
  objects: string[];
  objectNames: string[];
  enabled: boolean;
  recursive: boolean;
  minutes: number;
  recurrence: Recurrence;
  timeZone: string;
  /** Null: no window begins any more. */
  nextAt: string | null;
  reason: string;
  comments: string;
  createdBy: string;
}

export type Recurrence =
  | 'Once'
  | { Daily: { every: number } }
  | { Weekly: { days: number; every: number } }
  | { Monthly: { day: number; every: number } }
  | { MonthlyRelative: { which: string; of: { Weekday: number } | 'Day' | 'WorkingDay' | 'WeekendDay'; every: number } };

export interface ScheduleForm {
  name: string;
  computerGroups: string[];
  /** Names or identities, one a line. */
  objects: string;
  /** Local time of the zone, as a `datetime-local` field has it. */
  start: string;
  timeZone: string;
  minutes: string;
  repeats: 'once' | 'daily' | 'weekly' | 'monthly' | 'relative';
  /** Every so many days, weeks or months. */
  every: string;
  weekDays: string[];
  dayOfMonth: string;
  which: string;
  /** The code of the kind of day: 1 Sunday to 7 Saturday, 8 any, 9 working day, 10 weekend. */
  kindOfDay: string;
  /** Empty: without an end. */
  until: string;
  reason: string;
  comments: string;
  recursive: boolean;
}

/** In the order of the codes: the first bit is Sunday. */
export const weekDays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
export const whichOfMonth: [string, string][] = [['1', 'first'], ['2', 'second'], ['4', 'third'], ['8', 'fourth'], ['16', 'last']];
export const kindsOfDay: [string, string][] = [...weekDays.map((day, at): [string, string] => [String(at + 1), day]), ['8', 'day'], ['9', 'working day'], ['10', 'day of a weekend']];

/** Minutes of the shortest window that the server takes. */
const shortest = 5;

export const lines = (text: string) => text.split('\n').map((line) => line.trim()).filter((line) => line !== '');

/** `FreqType`, `FreqInterval`, `FreqRelativeInterval`, `FreqRecurrenceFactor`. */
function codes(form: ScheduleForm): [number, number, number, number] {
  const every = Number(form.every);
  switch (form.repeats) {
    case 'once': return [1, 0, 0, 0];
    case 'daily': return [4, every, 0, 0];
    case 'weekly': return [8, weekDays.reduce((days, day, at) => (form.weekDays.includes(day) ? days | (1 << at) : days), 0), 0, every];
    case 'monthly': return [16, Number(form.dayOfMonth), 0, every];
    case 'relative': return [32, Number(form.kindOfDay), Number(form.which), every];
  }
}

/** What the server is asked for. */
export function scheduleOf(form: ScheduleForm) {
  const [freqType, freqInterval, freqRelativeInterval, freqRecurrenceFactor] = codes(form);
  return {
    name: form.name.trim(), objects: lines(form.objects), computerGroups: form.computerGroups, start: form.start, timeZone: form.timeZone.trim() || 'UTC', minutes: Number(form.minutes),
    freqType, freqInterval, freqRelativeInterval, freqRecurrenceFactor, ...(form.until ? { until: form.until } : {}), reason: form.reason, comments: form.comments, recursive: form.recursive,
  };
}

const isNumber = (text: string, least: number, most = Infinity) => /^\d+$/.test(text) && Number(text) >= least && Number(text) <= most;

/** What keeps the form from being sent; undefined where nothing does. */
export function scheduleLack(form: ScheduleForm): string | undefined {
  if (form.name.trim() === '') return 'Give the schedule a name.';
  if (form.computerGroups.length === 0 && lines(form.objects).length === 0) return 'Choose a computer group, or write the name of an object.';
  if (form.start === '') return 'Say when the first window starts.';
  if (!isNumber(form.minutes, shortest)) return `A window lasts ${shortest} minutes or more.`;
  if (form.repeats === 'weekly' && form.weekDays.length === 0) return 'Choose the days of the week.';
  if (form.repeats === 'monthly' && !isNumber(form.dayOfMonth, 1, 31)) return 'The day of the month is 1 to 31; shorter months have it on their last day.';
  if (form.repeats !== 'once' && !isNumber(form.every, 1)) return 'It comes every 1 or more days, weeks or months.';
  if (form.until && form.until <= form.start) return 'The end of the schedule has to be later than its start.';
  return undefined;
}

const each = (every: number, unit: string) => (every === 1 ? `every ${unit}` : `every ${every} ${unit}s`);

/** When windows start, in words. */
export function recurrenceWords(recurrence: Recurrence): string {
  if (recurrence === 'Once') return 'once';
  if ('Daily' in recurrence) return each(recurrence.Daily.every, 'day');
  if ('Weekly' in recurrence) {
    const { days, every } = recurrence.Weekly;
    return `${each(every, 'week')} on ${weekDays.filter((_day, at) => days & (1 << at)).join(', ')}`;
  }
  if ('Monthly' in recurrence) return `${each(recurrence.Monthly.every, 'month')} on day ${recurrence.Monthly.day}`;
  const { which, of, every } = recurrence.MonthlyRelative;
  const kind = typeof of === 'object' ? weekDays[of.Weekday] : of === 'Day' ? 'day' : of === 'WorkingDay' ? 'working day' : 'day of a weekend';
  return `${each(every, 'month')} on the ${which.toLowerCase()} ${kind}`;
}
