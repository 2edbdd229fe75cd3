// Words that the pages of alert rules share.

/** By number, 0 to 4. */
export const severityNames = ['0 Critical', '1 Error', '2 Warning', '3 Informational', '4 Verbose'];

/** A list of names as it is typed. */
export function names(text: string): string[] {
  return text.split(',').map((name) => name.trim()).filter((name) => name !== '');
}

/** The last part of a resource identity, or the name that it is. */
export function shortId(id: string): string {
  return id.split('/').pop() ?? id;
}
