// Logs: write KQL, run it, read the answer.
import { Button, makeStyles, Tab, TabList, Toast, Toaster, ToastTitle, tokens, Toolbar, useId, useToastController } from '@fluentui/react-components';
import { AddRegular, DismissRegular, PlayFilled, SaveRegular, ShareRegular, StopFilled, TextAlignLeftRegular } from '@fluentui/react-icons';
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from 'react';
import { useLocation, useNavigate } from 'react-router-dom';
import { ApiError, type ErrorPlace } from '../../api/client';
import { runQuery, useMetadata } from '../../api/logs';
import { useSavedQueries } from '../../api/savedQueries';
import { useWorkspace } from '../../api/session';
import { ActionButton } from '../../components/May';
import { LoadingState } from '../../components/States';
import { useTheme } from '../../shell/theme';
import type { EditorHandle } from './editor/KqlEditor';
import { ResultPane, type RunState } from './ResultPane';
import { SaveDialog } from './SaveDialog';
import { readFragment, shareFragment } from './share';
import { SidePane } from './SidePane';
import { useHistory, useTabs } from './tabs';
import { TimePicker } from './TimePicker';

const KqlEditor = lazy(() => import('./editor/KqlEditor'));

const useStyles = makeStyles({
  page: { display: 'grid', gridTemplateColumns: '264px minmax(0, 1fr)', height: '100%', minHeight: 0, '@media (max-width: 900px)': { gridTemplateColumns: 'minmax(0, 1fr)', '& > aside': { display: 'none' } } },
  work: { display: 'grid', gridTemplateRows: 'auto auto minmax(120px, 34%) minmax(0, 1fr)', minHeight: 0, minWidth: 0 },
  tabs: { display: 'flex', alignItems: 'center', overflowX: 'auto', borderBottom: `1px solid ${tokens.colorNeutralStroke2}` },
  tools: { gap: '6px', padding: '6px 10px', backgroundColor: tokens.colorNeutralBackground1, borderBottom: `1px solid ${tokens.colorNeutralStroke2}`, flexWrap: 'wrap' },
  editor: { minHeight: 0, borderBottom: `1px solid ${tokens.colorNeutralStroke1}`, backgroundColor: tokens.colorNeutralBackground1 },
  spacer: { flex: 1 },
  title: { position: 'absolute', width: '1px', height: '1px', overflow: 'hidden', clipPath: 'inset(50%)' },
});

type Fault = { message: string; place: ErrorPlace; firstLine: number };
const idle: RunState = { running: false, run: 0 };

export default function LogsPage() {
  const styles = useStyles();
  const workspace = useWorkspace();
  const { dark } = useTheme();
  const metadata = useMetadata();
  const saved = useSavedQueries();
  const location = useLocation();
  const navigate = useNavigate();
  const [{ tabs, active }, dispatch] = useTabs(workspace.id);
  const [history, remember] = useHistory(workspace.id);
  const [states, setStates] = useState<Record<string, RunState>>({});
  const [faults, setFaults] = useState<Record<string, Fault | undefined>>({});
  const [saving, setSaving] = useState(false);
  const editor = useRef<EditorHandle>(null);
  const running = useRef(new Map<string, AbortController>());
  const runs = useRef(0);
  const toasterId = useId('toaster');
  const { dispatchToast } = useToastController(toasterId);
  const tab = tabs.find((one) => one.id === active) ?? tabs[0];
  const state = (tab && states[tab.id]) ?? idle;

  useEffect(() => {
    const shared = readFragment(location.hash);
    if (!shared) return;
    dispatch({ kind: 'open', query: shared.query, ...(shared.timespan ? { timespan: shared.timespan } : {}) });
    navigate('/logs', { replace: true });
  }, [location.hash, dispatch, navigate]);

  useEffect(() => {
    const open = running.current;
    return () => open.forEach((controller) => controller.abort());
  }, []);

  const cancel = useCallback((id: string) => running.current.get(id)?.abort(), []);

  const run = useCallback(async () => {
    if (!tab) return;
    const { text, firstLine } = (await editor.current?.queryToRun()) ?? { text: tab.query, firstLine: 1 };
    if (!text.trim()) return;
    cancel(tab.id);
    const controller = new AbortController();
    running.current.set(tab.id, controller);
    const count = ++runs.current;
    const finish = (next: Omit<RunState, 'run' | 'running'>, fault?: Fault) => {
      if (running.current.get(tab.id) !== controller) return;
      running.current.delete(tab.id);
      setStates((all) => ({ ...all, [tab.id]: { ...next, running: false, run: count } }));
      setFaults((all) => ({ ...all, [tab.id]: fault }));
    };
    setStates((all) => ({ ...all, [tab.id]: { running: true, run: count } }));
    setFaults((all) => ({ ...all, [tab.id]: undefined }));
    const began = performance.now();
    const item = { query: text, timespan: tab.timespan, at: new Date().toISOString() };
    try {
      const answer = await runQuery(workspace.id, text, tab.timespan, controller.signal, true);
      const milliseconds = performance.now() - began;
      remember({ ...item, milliseconds, rows: answer.tables[0]?.rows.length ?? 0 });
      finish({ answer, milliseconds });
    } catch (error) {
      if (controller.signal.aborted) return finish({ cancelled: true });
      remember({ ...item, milliseconds: performance.now() - began });
      const place = error instanceof ApiError ? error.place : undefined;
      const message = error instanceof ApiError ? (error.details.at(-1) ?? error.message) : '';
      finish({ error }, place ? { message, place, firstLine } : undefined);
    }
  }, [tab, workspace.id, cancel, remember]);

  if (!tab) return <LoadingState label="Opening the query" />;

  const share = async () => {
    const link = `${window.location.origin}/logs${shareFragment({ query: tab.query, timespan: tab.timespan })}`;
    try {
      await navigator.clipboard.writeText(link);
      dispatchToast(<Toast><ToastTitle>The link to this query is on the clipboard</ToastTitle></Toast>, { intent: 'success' });
    } catch {
      window.prompt('Copy the link to this query', link);
    }
  };

  return (
    <div className={styles.page}>
      <h1 className={styles.title}>Logs</h1>
      <SidePane
        history={history}
        onInsert={(text) => editor.current?.insert(text)}
        onOpenQuery={(query, about) => dispatch({ kind: 'open', query, ...about })}
      />
      <div className={styles.work}>
        <div className={styles.tabs}>
          <TabList size="small" selectedValue={tab.id} onTabSelect={(_event, data) => dispatch({ kind: 'activate', id: String(data.value) })} aria-label="Query tabs">
            {tabs.map((one) => <Tab key={one.id} value={one.id}>{one.title}</Tab>)}
          </TabList>
          <Button size="small" appearance="subtle" icon={<DismissRegular />} aria-label={`Close ${tab.title}`} onClick={() => { cancel(tab.id); dispatch({ kind: 'close', id: tab.id }); }} />
          <Button size="small" appearance="subtle" icon={<AddRegular />} aria-label="New query tab" onClick={() => dispatch({ kind: 'open' })} />
        </div>
        <Toolbar className={styles.tools} aria-label="Query">
          {state.running
            ? <Button size="small" icon={<StopFilled />} onClick={() => cancel(tab.id)}>Cancel</Button>
            : <Button size="small" appearance="primary" icon={<PlayFilled />} onClick={() => void run()}>Run</Button>}
          <TimePicker timespan={tab.timespan} onChange={(timespan) => dispatch({ kind: 'change', id: tab.id, change: { timespan } })} />
          <span className={styles.spacer} />
          <ActionButton needs="Microsoft.OperationalInsights/workspaces/savedSearches/write" size="small" appearance="subtle" icon={<SaveRegular />} disabled={!tab.query.trim()} onClick={() => setSaving(true)}>Save</ActionButton>
          <Button size="small" appearance="subtle" icon={<ShareRegular />} disabled={!tab.query.trim()} onClick={() => void share()}>Share</Button>
          <Button size="small" appearance="subtle" icon={<TextAlignLeftRegular />} onClick={() => editor.current?.format()}>Format</Button>
        </Toolbar>
        <div className={styles.editor}>
          <Suspense fallback={<LoadingState label="Loading the editor" />}>
            <KqlEditor
              tabId={tab.id}
              value={tab.query}
              onChange={(query) => query !== tab.query && dispatch({ kind: 'change', id: tab.id, change: { query } })}
              onRun={() => void run()}
              dark={dark}
              metadata={metadata.data}
              workspaceName={workspace.name}
              fault={faults[tab.id]}
              handle={editor}
            />
          </Suspense>
        </div>
        <ResultPane state={state} onCancel={() => cancel(tab.id)} />
      </div>
      {saving && (
        <SaveDialog
          query={tab.query}
          saved={saved.data?.find((one) => one.id === tab.savedId)}
          onSaved={(one) => {
            dispatch({ kind: 'change', id: tab.id, change: { title: one.name, savedId: one.id } });
            dispatchToast(<Toast><ToastTitle>{one.name} is saved</ToastTitle></Toast>, { intent: 'success' });
          }}
          onClose={() => setSaving(false)}
        />
      )}
      <Toaster toasterId={toasterId} />
    </div>
  );
}
