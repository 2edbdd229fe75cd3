// Words that the pages of alert rules share.
import type { EventCondition } from '../../api/alerting';

/** By number, 0 to 4. */
export const severityNames = ['0 Critical', '1 Error', '2 Warning', '3 Informational', '4 Verbose'];

/** Of every alert of the activity log. */
export const activitySeverity = 4;

/** What made an alert or what a rule looks at, as people call it. */
export const kindWords: Record<string, string> = { log: 'Log', metric: 'Metric', activity: 'Activity log' };

export const operatorWords: Record<string, string> = {
  GreaterThan: 'more than', GreaterThanOrEqual: 'at least', LessThan: 'less than', LessThanOrEqual: 'at most', Equals: 'exactly', Equal: 'exactly', NotEquals: 'other than',
  GreaterOrLessThan: 'more or less than',
};

const units: [string, string][] = [['D', 'day'], ['H', 'hour'], ['M', 'minute'], ['S', 'second']];

/** An ISO 8601 length of time in words, `PT5M`: 5 minutes; what is none stays as it is. */
export function lengthWords(period: string): string {
  const parts = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(period);
  if (!parts || parts.slice(1).every((part) => part === undefined)) return period;
  return units.flatMap(([, unit], at) => (parts[at + 1] === undefined ? [] : [`${parts[at + 1]} ${unit}${parts[at + 1] === '1' ? '' : 's'}`])).join(' ');
}

/** How often: `PT5M`: every 5 minutes, `P1D`: every day. */
export function everyWords(period: string): string {
  return `every ${lengthWords(period).replace(/^1 (?=[a-z]+$)/, '')}`;
}

/** What an event has to be: `level is Error`. */
export function eventWords({ field, equals, containsAny, anyOf }: EventCondition): string {
  if (anyOf) return anyOf.map(eventWords).join(' or ');
  return containsAny ? `${field} contains ${containsAny.join(' or ')}` : `${field} is ${equals}`;
}

/** A list of names as it is typed. */
export function names(text: string): string[] {
  return text.split(',').map((name) => name.trim()).filter((name) => name !== '');
}

/** The last part of a resource identity, or the name that it is. */
export function shortId(id: string): string {
  return id.split('/').pop() ?? id;
}
