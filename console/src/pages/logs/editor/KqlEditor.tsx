// The KQL editor: one Monaco editor, one model a query tab.
import { makeStyles } from '@fluentui/react-components';
import { useEffect, useImperativeHandle, useRef, type Ref } from 'react';
import type { ErrorPlace } from '../../../api/client';
import type { Metadata } from '../../../api/logs';
import { markServerError, monaco, queryAt, setSchema, themeNames, toSchema } from './monaco';

export interface EditorHandle {
  /** The query to run: the selection, else the one under the cursor. */
  queryToRun: () => Promise<{ text: string; firstLine: number }>;
  insert: (text: string) => void;
  format: () => void;
  focus: () => void;
}

interface KqlEditorProps {
  tabId: string;
  value: string;
  onChange: (value: string) => void;
  onRun: () => void;
  dark: boolean;
  metadata: Metadata | undefined;
  workspaceName: string;
  fault: { message: string; place: ErrorPlace; firstLine: number } | undefined;
  handle: Ref<EditorHandle>;
}

const useStyles = makeStyles({ editor: { height: '100%', width: '100%', minHeight: 0 } });

export default function KqlEditor({ tabId, value, onChange, onRun, dark, metadata, workspaceName, fault, handle }: KqlEditorProps) {
  const styles = useStyles();
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<monaco.editor.IStandaloneCodeEditor | null>(null);
  const latest = useRef({ onChange, onRun });
  latest.current = { onChange, onRun };

  useEffect(() => {
    if (!host.current) return;
    const made = monaco.editor.create(host.current, {
      model: null,
      automaticLayout: true,
      minimap: { enabled: false },
      fontSize: 13.5,
      fontFamily: "'Cascadia Code', Consolas, 'DejaVu Sans Mono', Menlo, monospace",
      lineNumbersMinChars: 3,
      scrollBeyondLastLine: false,
      fixedOverflowWidgets: true,
      wordWrap: 'on',
      padding: { top: 10, bottom: 10 },
      ariaLabel: 'KQL query. Shift+Enter runs it; Ctrl+M switches between Tab moving the focus and indenting.',
      suggest: { showWords: false },
      'semanticHighlighting.enabled': true,
    });
    editor.current = made;
    made.addAction({
      id: 'watchkeeper.run',
      label: 'Run the query',
      keybindings: [monaco.KeyMod.Shift | monaco.KeyCode.Enter, monaco.KeyMod.CtrlCmd | monaco.KeyCode.Enter],
      run: () => latest.current.onRun(),
    });
    return () => {
      made.dispose();
      editor.current = null;
    };
  }, []);

  useEffect(() => monaco.editor.setTheme(dark ? themeNames.dark : themeNames.light), [dark]);

  useEffect(() => {
    const uri = monaco.Uri.parse(`inmemory://query/${tabId}.kql`);
    const model = monaco.editor.getModel(uri) ?? monaco.editor.createModel('', 'kusto', uri);
    editor.current?.setModel(model);
    const listener = model.onDidChangeContent(() => latest.current.onChange(model.getValue()));
    return () => listener.dispose();
  }, [tabId]);

  useEffect(() => {
    const model = editor.current?.getModel();
    if (model && model.getValue() !== value) model.setValue(value);
  }, [tabId, value]);

  useEffect(() => {
    const model = editor.current?.getModel();
    if (model && metadata) void setSchema(model, toSchema(metadata, workspaceName));
  }, [metadata, workspaceName]);

  useEffect(() => {
    const model = editor.current?.getModel();
    if (model) markServerError(model, fault);
  }, [tabId, fault]);

  useImperativeHandle(handle, () => ({
    queryToRun: async () => {
      const current = editor.current;
      const model = current?.getModel();
      if (!current || !model) return { text: '', firstLine: 1 };
      const selection = current.getSelection();
      if (selection && !selection.isEmpty()) {
        return { text: model.getValueInRange(selection), firstLine: selection.startLineNumber };
      }
      const position = current.getPosition();
      return queryAt(model, position ? model.getOffsetAt(position) : 0);
    },
    insert: (text) => {
      const current = editor.current;
      const selection = current?.getSelection();
      if (!current || !selection) return;
      current.executeEdits('schema', [{ range: selection, text, forceMoveMarkers: true }]);
      current.focus();
    },
    format: () => void editor.current?.getAction('editor.action.formatDocument')?.run(),
    focus: () => editor.current?.focus(),
  }), []);

  return <div ref={host} className={styles.editor} data-testid="kql-editor" />;
}
