// Share links: the query and its time range live in the fragment of the address, so they never reach a server's log.

export interface SharedQuery {
  query: string;
  timespan?: string;
}

export function shareFragment({ query, timespan }: SharedQuery): string {
  const fields = new URLSearchParams({ query });
  if (timespan) fields.set('timespan', timespan);
  return `#${fields.toString()}`;
}

export function readFragment(fragment: string): SharedQuery | undefined {
  const fields = new URLSearchParams(fragment.replace(/^#/, ''));
  const query = fields.get('query');
  if (!query) return undefined;
  const timespan = fields.get('timespan');
  return timespan ? { query, timespan } : { query };
}
