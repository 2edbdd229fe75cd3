import { describe, expect, it } from 'vitest';
import { activityFormOf, activityLack, activityOf, emptyActivity, type ActivityForm } from './activityForm';

const form: ActivityForm = {
  name: 'who', description: 'd', category: 'Security', groups: ['ops'],
  filters: [{ field: 'level', how: 'equals', values: 'Error' }, { field: 'caller', how: 'containsAny', values: 'ada, bob' }],
};

describe('the form of an activity log rule', () => {
  it('becomes the documented properties and is read again', () => {
    const properties = activityOf(form);
    expect(properties.condition.allOf).toEqual([{ field: 'category', equals: 'Security' }, { field: 'level', equals: 'Error' }, { field: 'caller', containsAny: ['ada', 'bob'] }]);
    expect(properties.actions).toEqual({ actionGroups: [{ actionGroupId: 'ops' }] });
    expect(activityFormOf('who', properties)).toEqual(form);
  });

  it('keeps what a rule has beside the form', () => {
    const group = { actionGroupId: '/subscriptions/s/actionGroups/ops', webhookProperties: { a: 'b' } };
    const before = { ...activityOf(form), enabled: false, scopes: ['/subscriptions/s'], actions: { actionGroups: [group] } };
    const again = activityOf({ ...form, groups: ['ops', 'night'] }, before);
    expect(again).toMatchObject({ enabled: false, scopes: ['/subscriptions/s'], actions: { actionGroups: [group, { actionGroupId: 'night' }] } });
  });

  it('leaves to JSON what it cannot show', () => {
    const of = (...allOf: object[]) => activityFormOf('x', { condition: { allOf } });
    expect(of({ field: 'Category', equals: 'administrative' })).toMatchObject({ category: 'Administrative', filters: [] });
    expect(of({ field: 'category', equals: 'Administrative' }, { anyOf: [{ field: 'level', equals: 'Error' }] })).toBeUndefined();
    expect(of({ field: 'category', containsAny: ['Admin'] })).toBeUndefined();
    expect(of({ field: 'category', equals: 'Security' }, { field: 'caller', containsAny: ['a,b'] })).toBeUndefined();
  });

  it('says what is missing', () => {
    expect(activityLack(form)).toBeUndefined();
    expect(activityLack(emptyActivity)).toContain('name');
    expect(activityLack({ ...form, filters: [{ field: 'level', how: 'equals', values: ' ' }] })).toContain('value');
  });
});
