import { describe, expect, it } from 'vitest';
import type { AlertRule } from '../../api/alerting';
import { emptyRule, formOf, propertiesOf } from './RuleForm';

const id = '/subscriptions/s/resourceGroups/g/providers/microsoft.insights/actionGroups/on-call';

function rule(change: Partial<AlertRule> = {}): AlertRule {
  return {
    key: 'k', name: 'errors', type: 't', modifiedAt: '', modifiedBy: '', kind: 'log', fired: 0,
    health: { status: 'Healthy', error: '', lastRun: null, lastDurationMs: 0, evaluatedUntil: null, skippedEvaluations: 0 },
    properties: {
      severity: 1, evaluationFrequency: 'PT5M', windowSize: 'PT10M', displayName: 'Shown', muteActionsDuration: 'PT30M',
      criteria: { allOf: [{ query: 'Syslog', timeAggregation: 'Count', operator: 'GreaterThan', threshold: 3 }] },
      actions: { actionGroups: [id], customProperties: { team: 'web' } },
    },
    ...change,
  };
}

describe('the form of a rule', () => {
  it('gives back what the form does not show', () => {
    const form = formOf(rule());
    expect(form?.groups).toBe('on-call');
    const properties = propertiesOf({ ...(form ?? emptyRule), mute: '', dimensions: 'Computer, Facility' }, rule().properties);
    expect(properties.displayName).toBe('Shown');
    expect(properties.muteActionsDuration).toBeUndefined();
    expect(properties.actions).toEqual({ actionGroups: [id], customProperties: { team: 'web' } });
    expect(properties.criteria.allOf[0]?.dimensions).toEqual([
      { name: 'Computer', operator: 'Include', values: ['*'] },
      { name: 'Facility', operator: 'Include', values: ['*'] },
    ]);
  });

  it('does not show rules that it would change by saving them', () => {
    expect(formOf(rule({ kind: 'metric' }))).toBeUndefined();
    const { properties } = rule();
    const dimensions = [{ name: 'A', operator: 'Exclude' as const, values: ['x'] }];
    const allOf = properties.criteria.allOf.map((condition) => ({ ...condition, dimensions }));
    expect(formOf(rule({ properties: { ...properties, criteria: { allOf } } }))).toBeUndefined();
  });
});
