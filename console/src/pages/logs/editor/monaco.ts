// Monaco and its KQL language, with their workers as files of this origin.
import 'monaco-editor/esm/vs/editor/edcore.main';
import * as monaco from 'monaco-editor/esm/vs/editor/editor.api';
import EditorWorker from 'monaco-editor/esm/vs/editor/editor.worker?worker';
import { getKustoWorker, kustoDefaults, themeNames, type EngineSchema } from '@kusto/monaco-kusto';
import KustoWorker from '@kusto/monaco-kusto/release/esm/kusto.worker?worker';
import type { Metadata, MetadataFunction } from '../../../api/logs';
import type { ErrorPlace } from '../../../api/client';

self.MonacoEnvironment = {
  getWorker: (_moduleId, label) => (label === 'kusto' ? new KustoWorker() : new EditorWorker()),
};

// The worker holds the schema; stopping it when idle would lose what was set.
kustoDefaults.setMaximumWorkerIdleTime(0);
kustoDefaults.setLanguageSettings({ ...kustoDefaults.languageSettings, enableQuickFixes: false });

export { monaco, themeNames };

/** The workspace's tables and functions in the form that the language service takes. */
export function toSchema(metadata: Metadata, workspaceName: string): EngineSchema {
  const database = {
    name: workspaceName,
    tables: metadata.tables.map((table) => ({
      name: table.name,
      docstring: table.description ?? '',
      columns: table.columns.map((column) => ({
        name: column.name,
        type: column.type,
        docstring: column.description ?? '',
      })),
    })),
    functions: (metadata.functions ?? []).map((fn) => ({
      name: fn.name,
      body: `{ ${fn.body} }`,
      docstring: fn.description ?? fn.displayName ?? '',
      inputParameters: parameters(fn),
    })),
    entityGroups: [],
    majorVersion: 0,
    minorVersion: 0,
  };
  return { clusterType: 'Engine', cluster: { connectionString: 'watchkeeper', databases: [database] }, database };
}

function parameters(fn: MetadataFunction) {
  return (fn.parameters ?? '')
    .split(',')
    .map((one) => /^\s*(\w+)\s*:\s*(\w+)\s*(?:=\s*(.+))?$/.exec(one))
    .filter((match) => match !== null)
    .map(([, name, type, value]) => ({
      name: name ?? '',
      // The service reads `type`; without it the whole schema is refused.
      type: type ?? 'string',
      cslType: type ?? 'string',
      ...(value ? { cslDefaultValue: value.trim() } : {}),
    }));
}

/** Gives the language service the workspace's schema, for completion and squiggles. */
export async function setSchema(model: monaco.editor.ITextModel, schema: EngineSchema): Promise<void> {
  const accessor = await getKustoWorker();
  const worker = await accessor(model.uri);
  await worker.setSchema(schema);
}

/** The query under the cursor: queries of one tab are parted by blank lines. */
export async function queryAt(model: monaco.editor.ITextModel, offset: number): Promise<{ text: string; firstLine: number }> {
  const accessor = await getKustoWorker();
  const worker = await accessor(model.uri);
  const found = await worker.getCommandAndLocationInContext(model.uri.toString(), offset);
  return found && found.text.trim()
    ? { text: found.text, firstLine: found.range.startLineNumber }
    : { text: model.getValue(), firstLine: 1 };
}

/** Shows the server's diagnostic as a squiggle, or clears it. */
export function markServerError(
  model: monaco.editor.ITextModel,
  fault: { message: string; place: ErrorPlace; firstLine: number } | undefined,
): void {
  if (!fault) {
    monaco.editor.setModelMarkers(model, 'server', []);
    return;
  }
  const { message, place, firstLine } = fault;
  const line = Math.min(Math.max(1, place.line + firstLine - 1), model.getLineCount());
  const column = Math.min(place.pos + 1, model.getLineMaxColumn(line));
  const word = model.getWordAtPosition({ lineNumber: line, column });
  monaco.editor.setModelMarkers(model, 'server', [
    {
      severity: monaco.MarkerSeverity.Error,
      message,
      source: 'server',
      startLineNumber: line,
      endLineNumber: line,
      startColumn: column,
      endColumn: place.token ? column + place.token.length : (word?.endColumn ?? column + 1),
    },
  ]);
}
