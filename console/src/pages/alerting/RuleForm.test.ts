import { describe, expect, it } from 'vitest';
import type { TableRule } from '../../api/alerting';
import { emptyRule, formOf, propertiesOf } from './RuleForm';

const id = '/subscriptions/s/resourceGroups/g/providers/microsoft.insights/actionGroups/on-call';

function rule(change: Partial<TableRule> = {}): TableRule {
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

  it('cuts a rule to computer groups, and keeps its other scopes as they are', () => {
    const workspace = '/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w';
    const scopes = [workspace, `${workspace}/savedSearches/by-api`, 'computerGroups/lab'];
    const before = { ...rule().properties, scopes };
    const form = formOf(rule({ properties: before })) ?? emptyRule;
    expect(form.computers).toEqual(['by-api', 'lab']);
    expect(propertiesOf(form, before).scopes).toEqual(scopes);
    expect(propertiesOf({ ...form, computers: ['by-api', 'web'] }, before).scopes).toEqual([workspace, `${workspace}/savedSearches/by-api`, 'computerGroups/web']);
    expect(propertiesOf({ ...form, computers: [] }, before).scopes).toEqual([workspace]);
    expect(propertiesOf(emptyRule).scopes).toBeUndefined();
  });

  it('does not show rules that it would change by saving them', () => {
    expect(formOf(rule({ kind: 'metric' }))).toBeUndefined();
    const { properties } = rule();
    const dimensions = [{ name: 'A', operator: 'Exclude' as const, values: ['x'] }];
    const allOf = properties.criteria.allOf.map((condition) => ({ ...condition, dimensions }));
    expect(formOf(rule({ properties: { ...properties, criteria: { allOf } } }))).toBeUndefined();
  });
});
