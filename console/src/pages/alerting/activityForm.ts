// The fields of an activity log alert rule as they are typed, and the documented properties that they become.
import type { ActivityProperties, EventCondition } from '../../api/alerting';
import { names, shortId } from './words';

export interface ActivityForm {
  name: string;
  description: string;
  category: string;
  filters: EventFilter[];
  groups: string[];
}

/** Beside the category: one field of the event. */
export interface EventFilter {
  field: string;
  how: 'equals' | 'containsAny';
  /** One value, or several with commas. */
  values: string;
}

export const categories: [string, string][] = [['Administrative', 'Changes, and attempts at one'], ['Security', 'Sign-ins, tokens and sessions']];

/** The documented fields, in the order in which people ask for them. */
export const eventFields: [string, string][] = [
  ['operationName', 'Operation'], ['level', 'Level'], ['status', 'Status'], ['caller', 'Who did it'], ['callerIpAddress', 'From which address'], ['resourceId', 'What it was done to'],
  ['resourceProvider', 'Resource provider'], ['resourceType', 'Resource type'], ['subStatus', 'Sub-status'], ['correlationId', 'Correlation ID'],
];

/** What a field can be, where that is known. */
export const examples: Record<string, string> = {
  operationName: 'Microsoft.Insights/scheduledQueryRules/write', level: 'Informational, Warning or Error', status: 'Succeeded, Refused or Failed', caller: 'ada@example.com', subStatus: '403',
};

export const emptyActivity: ActivityForm = { name: '', description: '', category: 'Administrative', filters: [], groups: [] };

/** The form of a rule; undefined where the form cannot show all of it. */
export function activityFormOf(name: string, properties: ActivityProperties): ActivityForm | undefined {
  const isCategory = (one: EventCondition) => one.field?.toLowerCase() === 'category';
  const [category, ...more] = properties.condition.allOf.filter(isCategory);
  const others = properties.condition.allOf.filter((one) => !isCategory(one));
  const known = categories.find(([value]) => value.toLowerCase() === category?.equals?.toLowerCase());
  if (!known || more.length > 0) return undefined;
  const filters: EventFilter[] = [];
  for (const { field, equals, containsAny, anyOf } of others) {
    const own = eventFields.find(([value]) => value.toLowerCase() === field?.toLowerCase())?.[0] ?? field;
    if (anyOf || own === undefined || containsAny?.some((value) => value.includes(','))) return undefined;
    filters.push(containsAny ? { field: own, how: 'containsAny', values: containsAny.join(', ') } : { field: own, how: 'equals', values: equals ?? '' });
  }
  return { name, description: properties.description ?? '', category: known[0], filters, groups: (properties.actions?.actionGroups ?? []).map((one) => shortId(one.actionGroupId)) };
}

/** The properties of a form, over those that the rule has beside. */
export function activityOf(form: ActivityForm, before?: ActivityProperties): ActivityProperties {
  const known = before?.actions?.actionGroups ?? [];
  const conditionOf = ({ field, how, values }: EventFilter): EventCondition => (how === 'equals' ? { field, equals: values.trim() } : { field, containsAny: names(values) });
  return {
    ...before,
    description: form.description,
    enabled: before?.enabled ?? true,
    condition: { allOf: [{ field: 'category', equals: form.category }, ...form.filters.map(conditionOf)] },
    // a group that the rule had keeps its whole identity and what is sent with it
    actions: { ...before?.actions, actionGroups: form.groups.map((name) => known.find((one) => shortId(one.actionGroupId) === name) ?? { actionGroupId: name }) },
  };
}

/** What keeps the form from being sent; undefined where nothing does. */
export function activityLack(form: ActivityForm): string | undefined {
  if (form.name.trim() === '') return 'Give the rule a name.';
  if (form.filters.some((one) => names(one.values).length === 0)) return 'Every filter needs a value: write one, or remove the filter.';
  return undefined;
}
