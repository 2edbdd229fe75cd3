import { describe, expect, it } from 'vitest';
import { emptyProcessing, emptyRecurrence, processingFormOf, processingLack, processingOf, type ProcessingProperties } from './ProcessingForm';
import { everyWords, lengthWords } from './words';

const id = '/subscriptions/s/resourceGroups/g/providers/microsoft.insights/actionGroups/on-call';
const nights: ProcessingProperties = {
  description: 'd', enabled: false, scopes: ['/subscriptions/s'],
  conditions: [{ field: 'Severity', operator: 'Equals', values: ['Sev2', 'Sev3'] }],
  schedule: {
    timeZone: 'W. Europe Standard Time', effectiveFrom: '2026-02-01T22:00:00',
    recurrences: [{ recurrenceType: 'Daily', startTime: '17:00:00', endTime: '09:00:00' }, { recurrenceType: 'Weekly', daysOfWeek: ['Saturday', 'Sunday'] }, { recurrenceType: 'Monthly', daysOfMonth: [1, -1] }],
  },
  actions: [{ actionType: 'AddActionGroups', actionGroupIds: [id] }],
};

describe('the form of a processing rule', () => {
  it('gives back what it was made of', () => {
    const form = processingFormOf('nights', nights);
    expect(form?.groups).toEqual(['on-call']);
    expect(form && processingOf(form, nights)).toEqual(nights);
    expect(form && processingLack(form)).toBeUndefined();
  });
  it('is not made where it could not show everything', () => {
    expect(processingFormOf('x', { ...nights, actions: [...nights.actions, { actionType: 'RemoveAllActionGroups' }] })).toBeUndefined();
    expect(processingFormOf('x', { ...nights, schedule: { recurrences: [{ recurrenceType: 'Daily', startTime: '17:00:30', endTime: '18:00:00' }] } })).toBeUndefined();
    expect(processingFormOf('x', { ...nights, conditions: [{ field: 'Description', operator: 'Contains', values: ['a, b'] }] })).toBeUndefined();
  });
  it('drops the schedule of a rule that works always', () => {
    expect(processingOf({ ...emptyProcessing('UTC'), name: 'x', when: 'always' }, nights)).not.toHaveProperty('schedule');
  });
  it('says what is missing', () => {
    const form = { ...emptyProcessing('UTC'), name: 'x' };
    expect(processingLack(form)).toBeUndefined();
    expect(processingLack({ ...form, name: ' ' })).toContain('name');
    expect(processingLack({ ...form, does: 'add' })).toContain('action groups');
    expect(processingLack({ ...form, filters: [{ field: 'Description', operator: 'Contains', values: ' ' }] })).toContain('filter');
    expect(processingLack({ ...form, recurrences: [] })).toContain('how often');
    expect(processingLack({ ...form, recurrences: [{ ...emptyRecurrence, type: 'Weekly', days: [] }] })).toContain('week');
    expect(processingLack({ ...form, recurrences: [{ ...emptyRecurrence, type: 'Monthly', daysOfMonth: '0' }] })).toContain('1 to 31');
    expect(processingLack({ ...form, from: '2026-01-02T00:00', until: '2026-01-01T00:00' })).toContain('later');
  });
});

describe('lengths of time in words', () => {
  it('say how long and how often', () => {
    expect(['PT1M', 'PT5M', 'P1D', 'PT1H30M', 'x', 'P'].map(lengthWords)).toEqual(['1 minute', '5 minutes', '1 day', '1 hour 30 minutes', 'x', 'P']);
    expect(['PT1M', 'PT5M', 'P1D', 'PT1H30M'].map(everyWords)).toEqual(['every minute', 'every 5 minutes', 'every day', 'every 1 hour 30 minutes']);
  });
});
