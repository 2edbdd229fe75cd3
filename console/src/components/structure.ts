// What a data item or a JSON value says: names with values, and tables where the same thing comes several times.

export interface Table {
  /** Where it is within the item. */
  title: string;
  columns: string[];
  rows: string[][];
}

export interface Structure {
  facts: [string, string][];
  tables: Table[];
}

/** An element of XML without what does not matter here. */
export interface Node {
  name: string;
  text: string;
  children: Node[];
}

/** Longer lists stay in the text of the item. */
const mostRows = 200;

/** Of a JSON value; undefined where it is no object and no list. */
export function structureOfJson(value: unknown): Structure | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const structure: Structure = { facts: [], tables: [] };
  readJson(value, '', structure);
  return structure;
}

function readJson(value: object, path: string, into: Structure): void {
  if (Array.isArray(value)) {
    const list = value as unknown[];
    if (list.length > 0 && list.every(isRecord)) into.tables.push(tableOf(path, list.map((one) => leavesOfJson(one, ''))));
    else if (list.every((one) => typeof one !== 'object' || one === null)) into.facts.push([path || 'Values', list.map(text).join(', ')]);
    else list.forEach((one, at) => readEntry(`${path}[${at}]`, one, into));
    return;
  }
  for (const [name, one] of Object.entries(value)) readEntry(path === '' ? name : `${path}.${name}`, one, into);
}

function readEntry(path: string, value: unknown, into: Structure): void {
  if (typeof value === 'object' && value !== null) readJson(value, path, into);
  else into.facts.push([path, text(value)]);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What stands in one row: nested objects by their path, nested lists as text. */
function leavesOfJson(value: Record<string, unknown>, path: string): [string, string][] {
  return Object.entries(value).flatMap(([name, one]): [string, string][] => {
    const at = path === '' ? name : `${path}.${name}`;
    return isRecord(one) ? leavesOfJson(one, at) : [[at, text(one)]];
  });
}

function text(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.map(text).join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean);
}

/** Of an element: what it says once as facts, what it says several times as a table. */
export function structureOfXml(root: Node): Structure {
  const structure: Structure = { facts: [], tables: [] };
  readXml(root, structure);
  return structure;
}

function readXml(node: Node, into: Structure): void {
  const alike = new Map<string, Node[]>();
  for (const child of node.children) alike.set(child.name, [...(alike.get(child.name) ?? []), child]);
  for (const [name, nodes] of alike) {
    if (nodes.length > 1 && nodes.every((one) => one.children.length > 0)) {
      into.tables.push(tableOf(name, nodes.map(leavesOfXml)));
      continue;
    }
    const words = nodes.filter((one) => one.children.length === 0).map((one) => one.text).filter((one) => one !== '');
    if (words.length > 0) into.facts.push([name, words.join(', ')]);
    for (const one of nodes) if (one.children.length > 0) readXml(one, into);
  }
}

function leavesOfXml(node: Node): [string, string][] {
  return node.children.flatMap((child): [string, string][] => (child.children.length > 0 ? leavesOfXml(child) : [[child.name, child.text]]));
}

/** Columns in the order in which they first come; a name that comes twice in a row has both values. */
function tableOf(title: string, rows: readonly [string, string][][]): Table {
  const columns = [...new Set(rows.flatMap((row) => row.map(([name]) => name)))];
  return { title, columns, rows: rows.slice(0, mostRows).map((row) => columns.map((column) => row.filter(([name]) => name === column).map(([, value]) => value).join(', '))) };
}
