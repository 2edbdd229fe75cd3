// The Log Analytics query API: metadata of a workspace, running queries, reading their tables.
import { useQuery } from '@tanstack/react-query';
import { request } from './client';
import { useWorkspace } from './session';

export type Cell = string | number | boolean | null | object;

export interface Column {
  name: string;
  type: string;
}

export interface Table {
  name: string;
  columns: Column[];
  rows: Cell[][];
}

/** The properties of the `render` operator, as the API answers them. */
export interface Render {
  visualization?: string | null;
  title?: string | null;
  kind?: string | null;
  xColumn?: string | null;
  yColumns?: string | string[] | null;
  series?: string | string[] | null;
  xTitle?: string | null;
  yTitle?: string | null;
  legend?: string | null;
  ymin?: number | string | null;
  ymax?: number | string | null;
}

export interface QueryAnswer {
  tables: Table[];
  statistics?: unknown;
  render?: Render;
  error?: { code: string; message: string };
}

export interface MetadataTable {
  id?: string;
  name: string;
  description?: string;
  columns: { name: string; type: string; description?: string }[];
  labels?: string[];
}

export interface MetadataFunction {
  id?: string;
  name: string;
  body: string;
  parameters?: string;
  description?: string;
  displayName?: string;
}

export interface Metadata {
  tables: MetadataTable[];
  functions?: MetadataFunction[];
}

const prefer = 'include-statistics=true,include-render=true,wait=180';

/** Runs one query; closing `signal` cancels it on the server as well. With `plan`, the statistics have the plan that ran. */
export async function runQuery(
  workspaceId: string,
  query: string,
  timespan: string | undefined,
  signal?: AbortSignal,
  plan = false,
): Promise<QueryAnswer> {
  const answer = await request<QueryAnswer>(`/v1/workspaces/${encodeURIComponent(workspaceId)}/query`, {
    method: 'POST',
    headers: { Prefer: plan ? `${prefer},include-plan=true` : prefer },
    body: timespan ? { query, timespan } : { query },
    ...(signal ? { signal } : {}),
  });
  return answer ?? { tables: [] };
}

/** Tables and functions of the workspace, sorted by name. */
export function useMetadata() {
  const workspace = useWorkspace();
  return useQuery({
    queryKey: ['metadata', workspace.id],
    staleTime: 60_000,
    queryFn: async ({ signal }): Promise<Metadata> => {
      const metadata = await request<Metadata>(`/v1/workspaces/${encodeURIComponent(workspace.id)}/metadata`, {
        signal,
      });
      const tables = [...(metadata?.tables ?? [])].sort((a, b) => a.name.localeCompare(b.name));
      return { tables, functions: metadata?.functions ?? [] };
    },
  });
}

/** One row by column name. */
export type Row = Record<string, Cell>;

/** Rows of the first table as objects. */
export function rowsOf(answer: QueryAnswer): Row[] {
  const table = answer.tables[0];
  if (!table) return [];
  return table.rows.map((row) => Object.fromEntries(table.columns.map((column, i) => [column.name, row[i] ?? null])));
}

/** A query whose rows a page shows; asked again every `refreshSeconds`. */
export function useRows(name: string, query: string | undefined, timespan: string, refreshSeconds = 60) {
  const workspace = useWorkspace();
  return useQuery({
    queryKey: ['rows', workspace.id, name, query, timespan],
    enabled: query !== undefined,
    refetchInterval: refreshSeconds * 1000,
    queryFn: async ({ signal }) => rowsOf(await runQuery(workspace.id, query ?? '', timespan, signal)),
  });
}

/** A query whose tables a page draws; asked again every `refreshSeconds`. */
export function useAnswer(query: string, timespan: string, refreshSeconds = 60) {
  const workspace = useWorkspace();
  return useQuery({
    queryKey: ['answer', workspace.id, query, timespan],
    refetchInterval: refreshSeconds * 1000,
    queryFn: ({ signal }) => runQuery(workspace.id, query, timespan, signal),
  });
}
