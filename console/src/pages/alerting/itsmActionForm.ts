// The settings of an ITSM action: read from our own words or the documented ones, sent in our own.

export interface ItsmActionForm {
  workItemType: string;
  template: string;
  fields: Record<string, string>;
  perConfigurationItem: boolean;
  onResolved: string;
  reopen: boolean;
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value === 'string') {
    try {
      return objectOf(JSON.parse(value));
    } catch {
      return {};
    }
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function textsOf(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(objectOf(value)).map(([name, one]) => [name, typeof one === 'string' ? one : JSON.stringify(one)]));
}

/** The form of a `ticketConfiguration`. */
export function actionOf(sent: unknown): ItsmActionForm {
  const own = objectOf(sent);
  const isTemplate = own.UseTemplate === true;
  return {
    workItemType: String(own.workItemType ?? own.WorkItemType ?? 'Incident'),
    template: String(own.template ?? (isTemplate ? own.WorkItemData ?? '' : '')),
    fields: textsOf(own.fields ?? (isTemplate ? {} : own.WorkItemData)),
    perConfigurationItem: (own.perConfigurationItem ?? own.CreateOneWIPerCI) === true,
    onResolved: String(own.onResolved ?? 'resolve'),
    reopen: own.reopen !== false,
  };
}

/** What is sent. */
export function configurationOf(form: ItsmActionForm): Record<string, unknown> {
  return { ...form };
}

/** Fields as lines of `name = value`. */
export function fieldLines(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields).map(([name, value]) => `${name} = ${value}`).join('\n');
}

/** Lines of `name = value`; lines without a name or a sign are left out. */
export function fieldsOfLines(lines: string): Record<string, string> {
  return Object.fromEntries(lines.split('\n').flatMap((line) => {
    const at = line.indexOf('=');
    const name = line.slice(0, at).trim();
    return at > 0 && name !== '' ? [[name, line.slice(at + 1).trim()]] : [];
  }));
}
