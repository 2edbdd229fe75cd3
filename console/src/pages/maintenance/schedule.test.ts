import { describe, expect, it } from 'vitest';
import { recurrenceWords, scheduleLack, scheduleOf, type ScheduleForm } from './schedule';

const form: ScheduleForm = {
  name: ' Patch day ', computerGroups: ['web'], objects: '', start: '2026-12-06T02:00', timeZone: 'Europe/Berlin', minutes: '120', repeats: 'weekly', every: '1',
  weekDays: ['Sunday', 'Thursday'], dayOfMonth: '31', which: '2', kindOfDay: '3', until: '', reason: 'PlannedOther', comments: '', recursive: true,
};

const codes = (change: Partial<ScheduleForm>) => {
  const asked = scheduleOf({ ...form, ...change });
  return [asked.freqType, asked.freqInterval, asked.freqRelativeInterval, asked.freqRecurrenceFactor];
};

describe('maintenance that recurs', () => {
  it('becomes the documented codes', () => {
    expect(codes({})).toEqual([8, 1 + 16, 0, 1]);
    expect(codes({ repeats: 'once' })).toEqual([1, 0, 0, 0]);
    expect(codes({ repeats: 'daily', every: '2' })).toEqual([4, 2, 0, 0]);
    expect(codes({ repeats: 'monthly' })).toEqual([16, 31, 0, 1]);
    expect(codes({ repeats: 'relative' })).toEqual([32, 3, 2, 1]);
    expect(scheduleOf(form)).toMatchObject({ name: 'Patch day', objects: [], computerGroups: ['web'], minutes: 120 });
    expect(scheduleOf(form)).not.toHaveProperty('until');
    expect(scheduleOf({ ...form, objects: ' db1 \n\n db2', until: '2027-01-01T00:00' })).toMatchObject({ objects: ['db1', 'db2'], until: '2027-01-01T00:00' });
  });

  it('says what is missing', () => {
    expect(scheduleLack(form)).toBeUndefined();
    expect(scheduleLack({ ...form, name: ' ' })).toContain('name');
    expect(scheduleLack({ ...form, computerGroups: [] })).toContain('computer group');
    expect(scheduleLack({ ...form, minutes: '4' })).toContain('5 minutes');
    expect(scheduleLack({ ...form, weekDays: [] })).toContain('days of the week');
    expect(scheduleLack({ ...form, repeats: 'monthly', dayOfMonth: '32' })).toContain('1 to 31');
    expect(scheduleLack({ ...form, every: '0' })).toContain('every 1');
    expect(scheduleLack({ ...form, until: '2026-12-06T02:00' })).toContain('later');
  });

  it('is read as words', () => {
    expect(recurrenceWords('Once')).toBe('once');
    expect(recurrenceWords({ Daily: { every: 1 } })).toBe('every day');
    expect(recurrenceWords({ Weekly: { days: 17, every: 2 } })).toBe('every 2 weeks on Sunday, Thursday');
    expect(recurrenceWords({ Monthly: { day: 31, every: 1 } })).toBe('every month on day 31');
    expect(recurrenceWords({ MonthlyRelative: { which: 'Second', of: { Weekday: 2 }, every: 1 } })).toBe('every month on the second Tuesday');
    expect(recurrenceWords({ MonthlyRelative: { which: 'Last', of: 'WorkingDay', every: 3 } })).toBe('every 3 months on the last working day');
  });
});
