// The fields of a log alert rule as they are typed, and the documented properties that they become.
import type { AlertRule, RuleProperties } from '../../api/alerting';
import { names, shortId } from './words';

export interface RuleForm {
  name: string;
  description: string;
  severity: string;
  query: string;
  aggregation: string;
  measure: string;
  dimensions: string;
  operator: string;
  threshold: string;
  frequency: string;
  window: string;
  periods: string;
  violations: string;
  autoMitigate: boolean;
  mute: string;
  groups: string;
  /** Computer groups to whose computers the rows are cut, as scopes write them. */
  computers: string[];
}

export const emptyRule: RuleForm = {
  name: '', description: '', severity: '3', query: '', aggregation: 'Count', measure: '', dimensions: '', operator: 'GreaterThan',
  threshold: '0', frequency: 'PT5M', window: 'PT5M', periods: '1', violations: '1', autoMitigate: true, mute: '', groups: '', computers: [],
};

const isComputerGroup = (scope: string) => /(^|\/)(computerGroups|savedSearches)\/[^/]+\/?$/i.test(scope);

/** The form of a rule; undefined where the form cannot show all of it. */
export function formOf(rule: AlertRule): RuleForm | undefined {
  if (rule.kind !== 'log') return undefined;
  const { properties } = rule;
  const [condition, ...others] = properties.criteria.allOf;
  const splitsByAll = condition?.dimensions?.every((one) => one.operator === 'Include' && one.values.includes('*')) ?? true;
  if (!condition || others.length > 0 || !splitsByAll || condition.criterionType === 'DynamicThresholdCriterion') return undefined;
  return {
    name: rule.name,
    description: properties.description ?? '',
    severity: String(properties.severity),
    query: condition.query ?? '',
    aggregation: condition.timeAggregation,
    measure: condition.metricMeasureColumn ?? '',
    dimensions: (condition.dimensions ?? []).map((one) => one.name).join(', '),
    operator: condition.operator,
    threshold: String(condition.threshold ?? 0),
    frequency: properties.evaluationFrequency,
    window: properties.windowSize,
    periods: String(condition.failingPeriods?.numberOfEvaluationPeriods ?? 1),
    violations: String(condition.failingPeriods?.minFailingPeriodsToAlert ?? 1),
    autoMitigate: properties.autoMitigate ?? true,
    mute: properties.muteActionsDuration ?? '',
    groups: Array.isArray(properties.actions) ? '' : (properties.actions?.actionGroups ?? []).map(shortId).join(', '),
    computers: (properties.scopes ?? []).filter(isComputerGroup).map(shortId),
  };
}

/** The properties of a form, over those that the rule has beside. */
export function propertiesOf(form: RuleForm, before?: RuleProperties): RuleProperties {
  const actions = before && !Array.isArray(before.actions) ? before.actions : undefined;
  const known = actions?.actionGroups ?? [];
  const rest: Partial<RuleProperties> = { ...before };
  delete rest.muteActionsDuration;
  delete rest.scopes;
  const scopes = before?.scopes ?? [];
  const chosen = form.computers.map((name) => scopes.find((scope) => isComputerGroup(scope) && shortId(scope) === name) ?? `computerGroups/${name}`);
  const all = [...scopes.filter((scope) => !isComputerGroup(scope)), ...chosen];
  return {
    ...rest,
    ...(all.length > 0 || before?.scopes ? { scopes: all } : {}),
    description: form.description,
    severity: Number(form.severity),
    enabled: before?.enabled ?? true,
    evaluationFrequency: form.frequency,
    windowSize: form.window,
    autoMitigate: form.autoMitigate,
    ...(form.mute ? { muteActionsDuration: form.mute } : {}),
    criteria: {
      allOf: [{
        ...before?.criteria.allOf[0],
        query: form.query,
        timeAggregation: form.aggregation,
        ...(form.aggregation === 'Count' ? {} : { metricMeasureColumn: form.measure }),
        dimensions: names(form.dimensions).map((name) => ({ name, operator: 'Include' as const, values: ['*'] })),
        operator: form.operator,
        threshold: Number(form.threshold),
        failingPeriods: { numberOfEvaluationPeriods: Number(form.periods), minFailingPeriodsToAlert: Number(form.violations) },
      }],
    },
    // a whole identity stays what it was
    actions: { ...actions, actionGroups: names(form.groups).map((name) => known.find((id) => shortId(id) === name) ?? name) },
  };
}
